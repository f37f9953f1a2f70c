"""What a page promises of dropout inside a module: where elements are dropped, how often, independently of what.

A target calls the module under the seeds (s, s, t) and once more without seeding. The weights of the case are such that
the output tells what was dropped (:mod:`conformance.oracle.fates`), so every claim speaks of single elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from conformance.oracle.chance import ERROR, too_few, too_many
from conformance.oracle.claims.call import accepted, output
from conformance.oracle.claims.claim import Claim, Evidence, Failure, Judgement, Within, named, together
from conformance.oracle.claims.values import value
from conformance.oracle.contract import Contract, Port
from conformance.oracle.expression import expression, shape
from conformance.oracle.fates import DROPPED, UNKNOWN, pairs, unpacked
from conformance.oracle.numerics import Array
from conformance.oracle.reference import fates

SCENARIO = "dropout"
FIRST, SAME, OTHER, NEXT = range(4)  # places in the target's draws; the last is the call's own result
INDEPENDENT = (FIRST, OTHER, NEXT)
Probe = Callable[[Evidence, float, int], bool]


def claims(contract: Contract) -> Iterator[Claim]:
    """The claims about what is left to chance, and about where nothing is."""
    if contract.dropped is None:
        return
    make = partial(_claim, contract)
    yield make("dropout.accepts", "dropout is accepted with every other argument and input", accepted)
    for port in contract.outputs:
        yield make(f"dropout.{port.name}.value", "each element of a layer's output, but for the last one's, is dropped "
                   f"or divided by 1 - dropout; but for that, {port.name} is what the equations give",
                   partial(_value, port))  # fmt: skip
    for name, statement, check in _BY_CHANCE:
        yield make(f"dropout.{name}", statement, check)
    if contract.dropped.bernoulli:
        yield make("dropout.factor", "what a layer is given is the output of the one before, times a Bernoulli "
                   "variable: 0 or 1", _factor, "equations: In a multilayer …")  # fmt: skip
    for name, said, probe in _CERTAIN:
        yield make(f"dropout.{name}", f"{said}, outputs are exactly those of the equations", partial(_certain, probe))


_CERTAIN: tuple[tuple[str, str, Probe], ...] = (
    ("eval", "in evaluation mode", lambda e, p, places: not e.case.train and p > 0 and places > 0),
    ("one_layer", "with one layer", lambda e, p, places: e.case.train and p > 0 and not places),
    ("zero", "with dropout=0", lambda e, p, places: e.case.train and p == 0 and places > 0),
    ("all", "with dropout=1, when the next layer is given zeros", lambda e, p, places: e.case.train and p == 1 and
     places > 0),
)  # fmt: skip


_ARGUMENT = "Args: dropout; nn.Dropout"


def _claim(contract: Contract, name: str, statement: str, check: Any, source: str = _ARGUMENT) -> Claim:
    return Claim(f"{contract.prefix}.{name}", contract.module, SCENARIO, statement, source, check)


def _probability(e: Evidence) -> float:
    assert e.contract.dropped is not None
    return float(expression(e.contract.dropped.probability)(e.env))


def _places(e: Evidence) -> int:
    assert e.contract.dropped is not None
    return int(expression(e.contract.dropped.places)(e.env))


def _by_chance(e: Evidence) -> bool:
    return e.ok and e.case.train and 0 < _probability(e) < 1 and _places(e) > 0 and _first(e, FIRST) is not None


def _call(e: Evidence, place: int) -> Any:
    """The outputs of one of the calls by name; None where they are not nested as documented."""
    return e.outputs if place == NEXT else named(e.contract.returns, e.seen["draws"][place])


def _array(e: Evidence, found: Any) -> Array | None:
    return None if found is None or found.get("blob") is None else e.array(found)


def _first(e: Evidence, place: int) -> Array | None:
    """The first output of a call, which tells the fates; None where its shape or dtype is another claim's affair."""
    port, outputs = e.contract.outputs[0], _call(e, place)
    found = outputs and outputs[port.name]
    if not found or found["dtype"] != e.case.dtype or not e.fates:
        return None
    array = _array(e, found)
    return array if array is not None and array.shape == e.fates[port.name].comparable.shape else None


# -- values ------------------------------------------------------------------------------------------------------------


def _certain(probe: Probe, e: Evidence) -> Judgement:
    if not e.ok or not probe(e, _probability(e), _places(e)):
        return False
    return together(value(port, e) for port in e.contract.outputs)


def _value(port: Port, e: Evidence) -> Judgement:
    found = output(e, port)
    if not _by_chance(e) or found is None or found["dtype"] != e.case.dtype:
        return False
    fates, seen = e.fates[port.name], _array(e, found)
    if seen is None or seen.shape != fates.comparable.shape or not fates.comparable.any():
        return False
    ratio = fates.ratios(seen)
    if (worst := float(ratio.max())) <= 1:
        return Within(worst)
    place = np.unravel_index(int(ratio.argmax()), ratio.shape)
    at = f"{port.name}[{', '.join(map(str, place))}]"
    ways = " or ".join(f"{a.value[place]:.9g} (give or take {a.error[place]:.1e})" for a in fates.alternatives)
    return Failure(f"{at} = {ways}", f"{at} = {seen[place]:.9g}; {int((ratio > 1).sum())} of {ratio.size} elements are "
                   "neither", "silent")  # fmt: skip


def _factor(e: Evidence) -> Judgement:
    """Of the first output, whose elements are all kept or dropped at each place."""
    seen, name = _by_chance(e) and _first(e, NEXT), e.contract.outputs[0].name
    if not isinstance(seen, np.ndarray):
        return False
    plain = fates(e.contract, e.case, e.env, e.values, e.order, scale=1.0)[name]
    if not plain.comparable.any():
        return False
    wrong = plain.ratios(seen) > 1
    if not wrong.any():
        return True
    scaled = e.fates[name].ratios(seen)[wrong].max() <= 1
    return Failure("every element is multiplied by 0 or by 1", f"{int(wrong.sum())} of {wrong.size} elements are "
                   f"multiplied by {'1 / (1 - dropout)' if scaled else 'something else'}", "documentation")  # fmt: skip


# -- chance ------------------------------------------------------------------------------------------------------------


_SELDOM = f"by chance less often than once in {1 / ERROR:.0e} cases"


def _reads(e: Evidence) -> Array:
    assert e.contract.dropped is not None
    return e.contract.dropped.reads(e.env, e.case.seed)


def _fates(e: Evidence, place: int, draw: int) -> Array:
    """The fates of all elements at a place in one call."""
    seen = _first(e, draw)
    assert seen is not None
    return e.fates[e.contract.outputs[0].name].at(place, seen)


def _told(e: Evidence, place: int, draw: int) -> Array:
    """The same as (…, features); of elements that are read in two features one is left, so that those which are known
    are independent."""
    told, reads = np.array(_fates(e, place, draw)), _reads(e)
    told[..., reads != np.arange(len(reads))] = UNKNOWN
    packed = e.contract.layout(e.case.layout).packed
    return unpacked(told, e.seen["packs"][packed]["batch_sizes"]) if packed else told


def _draws(e: Evidence, *draws: int) -> bool:
    return _by_chance(e) and all(_first(e, draw) is not None for draw in draws)


def _rate(e: Evidence) -> Judgement:
    return _draws(e, *INDEPENDENT) and together(_rate_at(place, e) for place in range(_places(e)))


def _rate_at(place: int, e: Evidence) -> Judgement:
    told, p = np.concatenate([_told(e, place, draw).ravel() for draw in INDEPENDENT]), _probability(e)
    known, dropped = int((told != UNKNOWN).sum()), int((told == DROPPED).sum())
    if known and (too_many(dropped, known, p) or too_few(dropped, known, p)):
        return Failure(f"behind layer {place} an element is dropped with probability {p:g}",
                       f"{dropped} of {known} were; {_SELDOM}", "silent")  # fmt: skip
    return known > 0


def _elementwise(e: Evidence) -> Judgement:
    return _draws(e, *INDEPENDENT) and together(
        _differ(one, two, _probability(e), f"behind layer {place}, along {axis}")
        for place in range(_places(e))
        for axis, one, two in _pairs(e, [_told(e, place, draw) for draw in INDEPENDENT])
    )


def _pairs(e: Evidence, told: list[Array]) -> Iterator[tuple[str, Array, Array]]:
    """The fates of pairs of elements that differ in one axis alone, in all calls; pairs share no element."""
    for axis, name in enumerate(_axes(e)):
        for calls in zip(*(pairs(array, axis) for array in told), strict=True):
            one, two = (np.concatenate([array.ravel() for array in side]) for side in zip(*calls, strict=True))
            yield name, one, two


def _axes(e: Evidence) -> list[str]:
    layout = e.contract.layout(e.case.layout)
    parts = shape(e.contract.outputs[0].by_layout[layout.name]).parts
    return ["L", "N", parts[-1][1].text] if layout.packed else [part.text for _, part in parts]


def _differ(one: Array, two: Array, p: float, where: str) -> Judgement:
    """Of two elements, one is dropped and one kept with probability 2 p (1 - p)."""
    known = (one != UNKNOWN) & (two != UNKNOWN)
    count, different, chance = int(known.sum()), int((known & (one != two)).sum()), 2 * p * (1 - p)
    if count and (too_few(different, count, chance) or too_many(different, count, chance)):
        return Failure(f"{where}, one of a pair of elements is dropped and one kept with probability {chance:.3g}",
                       f"{different} of {count} pairs were so; {_SELDOM}", "silent")  # fmt: skip
    return count > 0


def _anew(before: int, after: int, e: Evidence) -> Judgement:
    return _draws(e, before, after) and together(
        _differ(_told(e, place, before), _told(e, place, after), _probability(e), f"behind layer {place}, in two calls")
        for place in range(_places(e))
    )


def _shared(e: Evidence) -> Judgement:
    return _draws(e, FIRST) and together(_shared_at(place, e) for place in range(_places(e)))


def _shared_at(place: int, e: Evidence) -> Judgement:
    """Elements that are read in two features have the same fate in both; nothing of this is left to chance."""
    told, reads = _fates(e, place, FIRST), _reads(e)
    other = told[..., reads]
    known = (told != UNKNOWN) & (other != UNKNOWN) & (reads != np.arange(len(reads)))
    if wrong := int((known & (told != other)).sum()):
        return Failure("both directions of the next layer are given the same",
                       f"behind layer {place}, {wrong} of {int(known.sum())} elements were dropped for one of them",
                       "silent")  # fmt: skip
    return bool(known.any())


def _same(e: Evidence) -> Judgement:
    if not _by_chance(e):
        return False
    one, two = _call(e, FIRST), _call(e, SAME)
    blobs, names = e.seen["blobs"], [port.name for port in e.contract.outputs]
    pairs = [(name, one[name].get("blob"), two[name].get("blob")) for name in names if one and two]
    told = [(name, blobs[a] == blobs[b]) for name, a, b in pairs if a is not None and b is not None]
    wrong = [name for name, same in told if not same]
    return not wrong or Failure("the same outputs", f"others: {', '.join(wrong)}", "silent") if told else False


_BY_CHANCE = (
    ("rate", "an element is dropped with probability dropout, behind every layer but the last", _rate),
    ("elementwise", "elements are dropped independently: over time, batch, features and directions", _elementwise),
    ("shared", "what is dropped is dropped for both directions of the next layer", _shared),
    ("seed.same", "under the same seed, the same elements are dropped", _same),
    ("seed.other", "under another seed, other elements are dropped", partial(_anew, FIRST, OTHER)),
    ("anew", "every call drops other elements", partial(_anew, OTHER, NEXT)),
)
