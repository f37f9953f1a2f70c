"""The documented equations evaluated on a case: values with their bounds, and a derivative with its bound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from conformance.cases import Case
from conformance.oracle.contract import Contract
from conformance.oracle.equations.given import Given, Outputs
from conformance.oracle.expression import expression
from conformance.oracle.numerics import Array, Directional, Running
from conformance.values import Values, exact, values


def values_of(contract: Contract, case: Case) -> Values:
    """The arrays of a case, in the shapes that the contract documents for it."""
    env = contract.environment({**case.arguments, **case.options}, case.sizes, case.layout)
    parameters = {name: s for name, (entry, s) in contract.expected_parameters(env).items() if not entry.buffer}
    ports = [port for port in contract.outputs if case.layout in port.by_layout and expression(port.when)(env)]
    return values(case, parameters, {port.name: contract.shape_of(port, case.layout)(env) for port in ports})


def evaluate(
    contract: Contract, case: Case, env: Mapping[str, Any], given: Values, order: Sequence[int] | None
) -> Outputs | None:
    """The outputs by name, each with its bound; None where the page fixes no values (as under dropout)."""
    assert contract.equations is not None
    with np.errstate(all="ignore"):  # what is not finite is not compared
        return contract.equations(Running(case.dtype), _given(case, env, given, order))


def differentiate(
    contract: Contract,
    case: Case,
    env: Mapping[str, Any],
    given: Values,
    toward: Mapping[str, Array],
    order: Sequence[int] | None,
) -> tuple[float, float] | None:
    """The derivative of all outputs, each times its cotangent, in a direction of all inputs and parameters; and how
    far gradients that round every operation may be from it."""
    assert contract.equations is not None
    a = Directional(case.dtype)
    with np.errstate(all="ignore"):
        outputs = contract.equations(a, _given(case, env, given, order, toward))
    if outputs is None:
        return None
    value = bound = 0.0
    relative = a.roundings * a.unit
    for name, cotangent in given.cotangents.items():
        found, weight = outputs[name], exact(cotangent)
        value += float((weight * found.tangent).sum())
        bound += float((np.abs(weight) * (found.drift + relative * found.slope)).sum())
    return (value, bound * (1 + relative)) if relative < 0.5 else (value, math.inf)


def _given(
    case: Case,
    env: Mapping[str, Any],
    given: Values,
    order: Sequence[int] | None,
    toward: Mapping[str, Array] | None = None,
) -> Given:
    inputs = {name: exact(array) for name, array in given.inputs.items()}
    parameters = {name: exact(array) for name, array in given.parameters.items()}
    return Given(env, case.layout, inputs, parameters, case.train, order, toward)
