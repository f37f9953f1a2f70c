"""The documented equations evaluated on a case: values with their bounds, and a derivative with its bound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.cases import Case
from conformance.oracle.contract import Contract
from conformance.oracle.equations.given import Given, Outputs
from conformance.oracle.expression import expression
from conformance.oracle.fates import Fates, factors
from conformance.oracle.numerics import Array, Directional, Running
from conformance.values import Values, exact, values

_OWN = 2.0**-46  # what the judge itself may round away, of sums of a hundred terms


_MADE: dict[tuple[int, str], Values] = {}


def values_of(contract: Contract, case: Case) -> Values:
    """The arrays of a case, in the shapes that the contract documents for it. The last ones made are remembered: they
    are asked for once to send them and once to judge."""
    key = (id(contract), case.text)
    if key not in _MADE:
        if len(_MADE) >= 64:
            _MADE.clear()
        _MADE[key] = _values_of(contract, case)
    return _MADE[key]


def _values_of(contract: Contract, case: Case) -> Values:
    env = contract.symbols(case)
    parameters = {name: s for name, (entry, s) in contract.expected_parameters(env).items() if not entry.buffer}
    ports = [port for port in contract.outputs if case.layout in port.by_layout and expression(port.when)(env)]
    floating = [port for port in ports if port.kind(case.layout) == "floating"]
    made = values(case, parameters, {port.name: contract.sizes_of(port, case.layout, env) for port in floating})
    if case.scenario != "dropout" or contract.dropped is None:
        return made
    return replace(made, parameters=contract.dropped.readable(env, case.seed, made.parameters))


@dataclass(frozen=True)
class Evaluated:
    """The outputs by name, each with its bound; ``relative`` is how far a term of a derivative may be rounded, and
    ``lost`` what all terms together may lose by underflow."""

    outputs: Outputs
    relative: float
    lost: float = 0.0

    def derivative(self, cotangents: Mapping[str, Array]) -> tuple[float, float]:
        """The derivative of all outputs, each times its cotangent; and how far gradients that round every operation
        may be from it."""
        value = bound = 0.0
        for name, cotangent in cotangents.items():
            found, weight = self.outputs[name], exact(cotangent)
            value += float((weight * found.tangent).sum())
            bound += float((np.abs(weight) * (found.drift + self.relative * found.slope)).sum())
        return (value, bound * (1 + self.relative) + self.lost) if self.relative < 0.5 else (value, math.inf)


def evaluate(
    contract: Contract,
    case: Case,
    env: Mapping[str, Any],
    given: Values,
    order: Sequence[int] | None,
    toward: Mapping[str, Array] | None = None,
    factors: Sequence[float] | None = None,
) -> Evaluated | None:
    """What the equations give, with ``toward`` also their derivative in that direction of inputs and parameters. None
    where the page fixes no values (as under dropout, unless its ``factors`` are given)."""
    assert contract.equations is not None
    a = Directional(case.dtype) if toward else Running(case.dtype)
    inputs = {name: exact(array) for name, array in given.inputs.items()}
    parameters = {name: exact(array) for name, array in given.parameters.items()}
    with np.errstate(all="ignore"):  # what is not finite is not compared
        outputs = contract.equations(a, Given(env, case.layout, inputs, parameters, case.train, order, toward, factors))
    return None if outputs is None else Evaluated(outputs, a.roundings * a.unit + _OWN, a.lost)


def fates(
    contract: Contract, case: Case, env: Mapping[str, Any], given: Values, order: Sequence[int] | None,
    scale: float | None = None,
) -> Mapping[str, Fates]:  # fmt: skip
    """What may have become of each element of every output where elements are dropped at random; none elsewhere. What
    is kept is multiplied by ``scale``, without one by 1 / (1 - probability)."""
    assert contract.dropped is not None
    probability = float(expression(contract.dropped.probability)(env))
    places = int(expression(contract.dropped.places)(env))
    if not case.train or not 0 < probability < 1 or places < 1:
        return {}
    scale = 1 / (1 - probability) if scale is None else scale
    found = [evaluate(contract, case, env, given, order, factors=each) for each in factors(places, scale)]
    return {port.name: Fates([each.outputs[port.name] for each in found if each], case.dtype)
            for port in contract.outputs}  # fmt: skip
