"""Whether what was accepted though no page speaks of it is right: it computes what the documented value does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.oracle.claims.call import dtype_of, expects, nesting
from conformance.oracle.claims.claim import Evidence, Failure, Judgement
from conformance.oracle.claims.values import compare
from conformance.oracle.contract import FLOATING, Port
from conformance.oracle.numerics import Bounded
from conformance.oracle.reference import evaluate

_COARSEST = ("bfloat16", "float16", "float32", "float64")


def right(e: Evidence) -> Judgement:
    """Parameters and outputs are those of the documented value that the misused one stands for."""
    assert e.case.misuse is not None
    if e.case.misuse.of in ("dtype", "device"):
        return _factory(e)
    wrong = _parameters(e)
    if wrong or e.case.layout == "constructor":
        return wrong or True
    if e.outputs is None:
        return Failure(f"({e.contract.returns})", nesting(e.seen["result"]), "silent")
    if e.case.misuse.kind == "device" and e.device == "cpu":
        return _without_values(e.outputs)
    return next((wrong for port in e.contract.outputs if (wrong := _output(port, e))), True)


def _factory(e: Evidence) -> Judgement:
    """A dtype or a device under another name reaches every parameter."""
    assert e.case.misuse is not None
    place = {"dtype": 2, "device": 3}[e.case.misuse.of]
    wanted = e.case.arguments[e.case.misuse.of]
    wrong = [f"{p[0]} {p[place]}" for p in e.seen["parameters"] if p[place] != wanted]
    return not wrong or Failure(f"every parameter has {e.case.misuse.of} {wanted}", ", ".join(wrong), "silent")


def _parameters(e: Evidence) -> Failure | None:
    """The documented parameters, where the agent tells them."""
    if "parameters" not in e.seen:
        return None
    told = (*e.seen["parameters"], *e.seen["buffers"])
    found = {name: (tuple(shape), dtype) for name, shape, dtype, *_ in told}
    expected = {name: (shape, e.case.dtype) for name, (_, shape) in e.expected.items()}
    wrong = sorted(name for name, shape in expected.items() if found.get(name) != shape)
    if not wrong:
        return None
    return Failure(_listed(expected, wrong), _listed(found, wrong), "silent")


def _listed(shapes: dict[str, tuple[tuple[int, ...], str]], names: list[str]) -> str:
    return ", ".join(f"{name} {' '.join(map(str, shapes[name]))}" if name in shapes else f"no {name}" for name in names)


def _without_values(outputs: Mapping[str, Any]) -> Judgement:
    """What was computed with a tensor of the meta device has no values either."""
    there = [name for name, found in outputs.items() if found and found.get("device") != "meta"]
    return not there or Failure("an error, as meta tensors have no values", f"values of {', '.join(there)}", "silent")


def _output(port: Port, e: Evidence) -> Failure | None:
    """An output that has another shape or value than documented."""
    if not expects(e, port) or e.case.layout not in port.by_layout or e.outputs is None:
        return None
    found, shape = e.outputs.get(port.name), e.contract.shape_of(port, e.case.layout)(e.env)
    if not found or "shape" not in found:
        return Failure(f"{port.name} {shape}", f"{port.name}: {found and found['type']}", "silent")
    if tuple(found["shape"]) != shape:
        return Failure(f"{port.name} {shape}", f"{port.name} {tuple(found['shape'])}", "silent")
    if found.get("blob") is None or dtype_of(port, e) not in FLOATING or not _real(found["dtype"], e):
        return None
    expected = _reference(found["dtype"], e)
    if expected is None:
        return None
    judged = compare(port.name, e.array(found), expected[port.name], _coarsest(found["dtype"], e))
    return judged if isinstance(judged, Failure) else None


def _real(dtype: str, e: Evidence) -> bool:
    """Whether no number is complex; of those no page speaks."""
    return not any("complex" in d for d in (dtype, *_dtypes(e)))


def _dtypes(e: Evidence) -> list[str]:
    return [e.case.dtype, *(item.dtype for item in e.case.inputs)]


def _coarsest(dtype: str, e: Evidence) -> str:
    """Whatever is promoted or cast to what, it is rounded to one of these at worst."""
    return next(d for d in _COARSEST if d in (dtype, *_dtypes(e)))


def _reference(dtype: str, e: Evidence) -> dict[str, Bounded] | None:
    """The documented outputs. Where dtypes differ, inputs may be rounded before anything is computed with them: that is
    at most one rounding more for each that there is, of a product of the same size."""
    coarsest, mixed = _coarsest(dtype, e), len({dtype, *_dtypes(e)}) > 1
    found = evaluate(e.contract, replace(e.case, dtype=coarsest), e.env, e.values, e.order)
    if found is None:
        return None
    factor = 2.0 if mixed else 1.0
    with np.errstate(invalid="ignore"):
        return {name: Bounded(out.value, factor * out.error) for name, out in found.outputs.items()}
