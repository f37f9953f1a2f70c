"""What a page promises of values: outputs are those of its equations, gradients those of the outputs.

Each is held against a bound that is derived with the value (:mod:`conformance.oracle.numerics`), never a tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from conformance.oracle.claims.call import dtype_of, expects, output, shaped
from conformance.oracle.claims.claim import (
    Claim,
    Evidence,
    Failure,
    Judgement,
    Within,
    happened,
    named,
    severity_of,
    unsupported,
)
from conformance.oracle.claims.constructor import on_device
from conformance.oracle.contract import Contract, Port
from conformance.oracle.numerics import LARGEST, Array, Bounded
from conformance.oracle.reference import evaluate
from conformance.oracle.where import beyond, rounded


def claims(contract: Contract) -> Iterator[Claim]:
    """The values of every output, and the gradients, in every layout; for contracts that have equations."""
    for layout in contract.layouts if contract.equations else ():
        make = partial(_claim, contract, layout.name)
        for port in contract.outputs:
            if layout.name in port.by_layout and port.kind(layout.name) != "plain":
                yield make(f"{port.name}.value", f"{port.name} is what the documented equations give, within their "
                           "rounding errors", f"equations; Outputs: {port.name}", partial(value, port))  # fmt: skip
        if not any(layout.name in port.by_layout and port.kind(layout.name) == "floating" for port in contract.outputs):
            continue
        yield make("gradients.accepts", "the outputs can be differentiated", "equations", _differentiable)
        yield make("gradients.presence", "every input and every parameter gets a gradient of its own shape and dtype",
                   "Attributes: learnable", _presence)  # fmt: skip
        yield make("gradients.value", "the gradients are those of the documented equations, within their rounding "
                   "errors", "equations", gradient)  # fmt: skip


def _claim(contract: Contract, layout: str, name: str, statement: str, source: str, check: Any) -> Claim:
    return Claim(f"{contract.prefix}.{name}.{layout}", contract.module, layout, statement, source, check)


def value(port: Port, e: Evidence) -> Judgement:
    """Whether an output is what the equations give; False where its shape or dtype is another claim's affair."""
    found = output(e, port)
    if found is None or e.reference is None:
        return False
    expected, dtype = e.reference[port.name], dtype_of(port, e)
    parts = found.get("items", [found])  # of a list, all tensors one after another
    if any(part.get("blob") is None or part["dtype"] != dtype for part in parts):
        return False  # another claim
    arrays = [e.array(part) for part in parts]
    if len({array.shape[1:] for array in arrays}) != 1 or (port.each and 0 in {array.ndim for array in arrays}):
        return False
    seen = np.concatenate(arrays) if port.each else arrays[0]
    return seen.shape == expected.value.shape and compare(port.name, seen, expected, dtype)


def compare(name: str, seen: Array, expected: Bounded, dtype: str) -> Judgement:
    """Whether every element is within its bound; how close the worst one came. Values beyond the dtype are left out."""
    with np.errstate(all="ignore"):  # infinite padding, an error of nothing in a bound of nothing
        error = np.abs(seen - expected.value)
        ratio = np.where(error == 0, 0.0, error / expected.error)
        comparable = (np.abs(expected.value) + expected.error < LARGEST[dtype]) & np.isfinite(expected.error)
    if not comparable.any():
        return False
    ratio = np.where(comparable, np.where(np.isnan(ratio), math.inf, ratio), 0.0)
    worst = float(ratio.max())
    if worst <= 1:
        return Within(worst)
    place = np.unravel_index(int(ratio.argmax()), ratio.shape)
    at = f"{name}[{', '.join(map(str, place))}]"
    return Failure(
        f"{at} = {expected.value[place]:.9g}, give or take {expected.error[place]:.1e}",
        f"{at} = {seen[place]:.9g}, an error of {worst:.3g} bounds; {int((ratio > 1).sum())} of {ratio.size} elements "
        "are beyond theirs",
        "silent",
        partial(beyond, name, ratio),
    )


def _differentiable(e: Evidence) -> Judgement:
    if not e.case.gradients or e.seen.get("phase") not in ("backward", "done") or not _as_documented(e):
        return False
    if e.ok:
        return "gradients" in e.seen
    if unsupported(e):
        return "unsupported"
    if _spoiled(e):
        return False
    return Failure("the outputs can be differentiated", happened(e.seen), severity_of(e.seen))


def _spoiled(e: Evidence) -> bool:
    """Whether gradients were taken at other values than those that were given; where elements are only moved, they do
    not depend on values."""
    return bool(e.seen.get("modified")) and not e.contract.function


def _as_documented(e: Evidence) -> bool:
    """Whether every output has its documented shape and dtype; if not, what is wrong with the gradients is a
    consequence."""
    found = named(e.contract.returns, e.seen["result"])
    if found is None:
        return False
    for port in e.contract.outputs:
        if e.case.layout in port.by_layout and expects(e, port) and port.kind(e.case.layout) == "floating":
            parts = (found[port.name] or {}).get("items", [found[port.name] or {}])
            if any("shape" not in one or not on_device(one["device"], e.device) for one in parts):
                return False
            if any(one["dtype"] != e.case.dtype for one in parts) or shaped(port, found[port.name], e) is not True:
                return False
    return True


def _presence(e: Evidence) -> Judgement:
    """Each gradient is there, and shaped as what it belongs to."""
    if not e.ok or "gradients" not in e.seen:
        return False
    found = e.seen["gradients"]
    floating = {item.name for item in e.case.inputs if item.kind == "floating"}
    inputs = {name: array for name, array in e.values.inputs.items() if name in floating}
    given = {**inputs, **({} if e.case.usage == "frozen" else e.values.parameters)}
    wrong = [f"{name}: {_told(found.get(name))}" for name, array in given.items()
             if _told(found.get(name)) != f"{array.shape} {e.case.dtype}"]  # fmt: skip
    return not wrong or Failure("a gradient of the shape and dtype of each", "; ".join(wrong), "silent")


def _told(found: Any) -> str:
    return f"{tuple(found['shape'])} {found['dtype']}" if found and found["type"] == "tensor" else "none"


def gradient(e: Evidence) -> Judgement:
    """All gradients at once, in one direction; where that differs, which of them is at fault."""
    if not e.ok or "gradients" not in e.seen or e.derivative is None or _presence(e) is not True:
        return False
    if not _as_documented(e):
        return False
    told = {name: g for name, g in e.seen["gradients"].items() if name in e.directions}
    if any(g["blob"] is None for g in told.values()):
        return False  # a meta tensor has no values
    found = {name: e.array(g) for name, g in told.items()}
    if e.case.dtype == "float16" and not all(np.isfinite(gradient).all() for gradient in found.values()):
        return False  # a narrow range: how large each single gradient is the equations do not tell here
    expected, bound = e.derivative
    with np.errstate(all="ignore"):
        seen = sum(float((gradient * e.directions[name]).sum()) for name, gradient in found.items())
    error = abs(seen - expected)
    if not math.isfinite(bound):
        return False
    if error <= bound:
        return Within(error / bound if bound else 0.0)
    if _spoiled(e):
        return False
    return Failure(
        f"the derivative in the direction of the case's seed is {expected:.9g}, give or take {bound:.1e}",
        f"{seen:.9g} by the gradients, an error of {error / bound if bound else math.inf:.3g} bounds",
        "silent",
        partial(_at_fault, e, found),
    )


def _at_fault(e: Evidence, found: Mapping[str, Array]) -> Mapping[str, Any]:
    """The error of each gradient by itself, in bounds of its own."""
    ratios = {}
    for name, gradient in found.items():
        toward = {other: way if other == name else np.zeros(way.shape) for other, way in e.directions.items()}
        evaluated = evaluate(e.contract, e.case, e.env, e.values, e.order, toward)
        if evaluated is None:
            continue
        expected, bound = evaluated.derivative(e.values.cotangents)
        error = abs(float((gradient * e.directions[name]).sum()) - expected)
        ratios[name] = rounded(error / bound if bound else math.inf if error else 0.0)
    return {"of": "gradients", "parts": ratios}
