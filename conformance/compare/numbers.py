"""Numbers that two releases computed from the same bits: held against each other with the oracle's own bounds.

Both may be right and yet differ: then the difference is at most the sum of both bounds, and it is one of accuracy. It
is one of values where it is more than that, where one is beyond its bound, or where no equations give a bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.compare.fields import Found, leaves, peculiar
from conformance.compare.heard import Heard
from conformance.oracle.expression import expression
from conformance.oracle.numerics import LARGEST, ROUNDOFF, TINY, Array, Bounded

FREE = ("refused", "misused")  # no page says what such a call computes, if it is not refused


def numbers(old: Heard, new: Heard) -> Found | None:
    """How values or gradients differ, if they do; both ended well and have the same shapes."""
    if old.case.scenario in FREE:
        return None
    if old.case.draws:
        return _stream(old, new)
    return None if is_random(old) else _values(old, new) or _gradients(old, new)


def is_random(heard: Heard) -> bool:
    """Whether dropout makes the values of this case."""
    given = heard.evidence.env.get("dropout", heard.evidence.env.get("p", 0.0))
    dropped = heard.evidence.contract.dropped
    if dropped is not None:
        given = expression(dropped.probability)(heard.evidence.env)
    return heard.case.train and isinstance(given, (int, float)) and given > 0


def _bits(heard: Heard, told: Mapping[str, Any]) -> bytes | None:
    place = told.get("blob")
    return None if place is None else heard.seen["blobs"][place]


def _values(old: Heard, new: Heard) -> Found | None:
    close: Found | None = None
    for (name, one), (_, two) in zip(leaves(old), leaves(new), strict=True):
        if _bits(old, one) == _bits(new, two):
            continue
        found = _compared(name, old, new, old.evidence.array(one), new.evidence.array(two))
        if found is not None and found.field == "values":
            return found
        close = close or found
    return close


def _compared(name: str, old: Heard, new: Heard, one: Array, two: Array) -> Found | None:
    references = [_reference(side, name, array) for side, array in ((old, one), (new, two))]
    if references[0] is None or references[1] is None:
        return _unreferenced("values", name, old, one, two)
    return _bounded(name, old, one, two, references[0], references[1])


def _reference(heard: Heard, name: str, array: Array) -> Bounded | None:
    """What the equations give for this side: what a usage made of a parameter, and how a packed input is sorted, are
    taken from it."""
    found = (heard.evidence.reference or {}).get(name) if heard.evidence.contract.equations else None
    return found if found is not None and np.shape(found.value) == array.shape else None


def _unreferenced(field: str, name: str, old: Heard, one: Array, two: Array) -> Found | None:
    """Where no equations give a bound, any other bits count, unless both can be roundings of the same number."""
    if _adjacent(one, two, old.case.dtype):
        return Found("accuracy", "one of two neighbours", "the other one", f"{old.case.dtype} {field}")
    return _unbounded(field, name, old, one, two)


def _unbounded(field: str, name: str, old: Heard, one: Array, two: Array) -> Found | None:
    with np.errstate(all="ignore"):
        apart = np.abs(one - two)
    if not apart.size or not (apart > 0).any():
        return None  # another sign of zero, another NaN
    place = np.unravel_index(int(np.nanargmax(apart)), apart.shape)
    at = f"{name}[{', '.join(map(str, place))}]"
    return Found(field, f"{at} = {one[place]:.9g}", f"{at} = {two[place]:.9g}", f"{name} {peculiar(old.case)}")


def _adjacent(one: Array, two: Array, dtype: str) -> bool:
    """Whether all elements are the same or neighbours in the dtype: of one exact value, both are correct roundings."""
    if dtype not in ROUNDOFF or not (one != two).any():
        return False
    with np.errstate(all="ignore"):
        exponent = np.frexp(np.maximum(np.abs(one), np.abs(two)))[1]
        spacing = np.maximum(np.ldexp(2 * ROUNDOFF[dtype], exponent - 1), TINY[dtype])
        return bool((np.abs(one - two) <= spacing).all())


def _bounded(name: str, old: Heard, one: Array, two: Array, first: Bounded, second: Bounded) -> Found | None:
    comparable = _comparable(first, old.case.dtype) & _comparable(second, old.case.dtype)
    one, two = np.where(comparable, one, 0.0), np.where(comparable, two, 0.0)
    worst = [_ratio(one, first, comparable), _ratio(two, second, comparable)]
    alike = np.array_equal(first.value, second.value, equal_nan=True)
    with np.errstate(all="ignore"):
        beyond = alike and bool((np.abs(one - two)[comparable] > 2 * np.asarray(first.error)[comparable]).any())
    if beyond or not max(worst) <= 1:
        return _unbounded("values", name, old, one, two)
    return None if worst[0] == worst[1] else _accuracy(old, *worst)


def _comparable(reference: Bounded, dtype: str) -> Array:
    """The elements that are within the range of the dtype."""
    with np.errstate(all="ignore"):
        fits = np.abs(reference.value) + reference.error < LARGEST[dtype]
    return np.asarray(fits & np.isfinite(reference.error))


def _ratio(seen: Array, reference: Bounded, comparable: Array) -> float:
    """The largest error as a multiple of its bound."""
    with np.errstate(all="ignore"):
        error = np.where(comparable, np.abs(seen - reference.value), 0.0)
        ratio = np.where(error == 0, 0.0, error / reference.error)
    return float(np.where(np.isnan(ratio), math.inf, ratio).max(initial=0.0))


def _accuracy(old: Heard, one: float, two: float) -> Found:
    before, after = (f"an error of {worst:.3g} bounds" for worst in (one, two))
    return Found("accuracy", before, after, f"{old.case.dtype} {peculiar(old.case)}")


def _gradients(old: Heard, new: Heard) -> Found | None:
    one, two = old.seen.get("gradients"), new.seen.get("gradients")
    if one is None or two is None:
        return None
    for name in sorted({*one, *two}):
        told = [_told(side.get(name)) for side in (one, two)]
        if told[0] != told[1]:
            return Found("gradients", f"{name}: {told[0]}", f"{name}: {told[1]}", peculiar(old.case))
    differing = [name for name in one if _bits(old, one[name]) != _bits(new, two[name])]
    return _derived(old, new, differing[0]) if differing else None


def _told(gradient: Any) -> str:
    return f"{tuple(gradient['shape'])} {gradient['dtype']}" if gradient and "shape" in gradient else "none"


def _derived(old: Heard, new: Heard, name: str) -> Found | None:
    """Gradients hold together in one direction, that of the oracle's derivative."""
    equations = old.evidence.contract.equations is not None
    first, second = (side.evidence.derivative if equations else None for side in (old, new))
    if first is None or second is None:
        one, two = (side.evidence.array(side.seen["gradients"][name]) for side in (old, new))
        return _unreferenced("gradients", name, old, one, two)
    sums = [_along(side) for side in (old, new)]
    if not all(map(math.isfinite, (*sums, first[1], second[1]))):
        return None
    ratios = [_over(abs(seen - expected), bound) for seen, (expected, bound) in zip(sums, (first, second), strict=True)]
    if max(ratios) > 1 or (first == second and abs(sums[0] - sums[1]) > first[1] + second[1]):
        before, after = (f"the derivative in one direction is {each:.9g}" for each in sums)
        return Found("gradients", before, after, peculiar(old.case))
    return None if ratios[0] == ratios[1] else _accuracy(old, *ratios)


def _over(error: float, bound: float) -> float:
    return error / bound if bound else math.inf if error else 0.0


def _along(heard: Heard) -> float:
    told = {name: g for name, g in heard.seen["gradients"].items() if name in heard.evidence.directions}
    with np.errstate(all="ignore"):
        return sum(
            float((heard.evidence.array(g) * heard.evidence.directions[name]).sum())
            for name, g in told.items() if g.get("blob") is not None
        )  # fmt: skip


def _stream(old: Heard, new: Heard) -> Found | None:
    """What torch's generator gives under the same seed."""
    for one, two in zip(old.seen.get("draws", ()), new.seen.get("draws", ()), strict=False):
        first, second = (list(_drawn(side, told)) for side, told in ((old, one), (new, two)))
        for (name, before), (_, after) in zip(first, second, strict=False):
            if before.shape == after.shape and before.tobytes() != after.tobytes():
                told = _unbounded("random stream", name, old, before, after)
                return told and told._replace(cause=old.case.scenario)
    return None


def _drawn(heard: Heard, told: Mapping[str, Any]) -> Any:
    if "blob" in told:
        yield "output", heard.evidence.array(told)
    elif "items" in told:
        for item in told["items"]:
            yield from _drawn(heard, item)
    elif "type" not in told:  # parameters by name
        yield from ((name, heard.evidence.array(value)) for name, value in told.items() if "blob" in value)
