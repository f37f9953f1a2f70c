"""What a page promises of fresh parameters: the distribution that each element is drawn from, and that it is drawn.

A target makes the module under the seeds (s, s, t) and resets the last one. A number of the dtype stands for the real
number that was drawn; computing it rounds a few times, so it may be off by ``SPREAD`` unit roundoffs of the width of
the distribution. That is granted wherever a share of the distribution is judged; the errors of the tests themselves are
those of :mod:`conformance.oracle.chance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import numpy as np

from conformance.oracle.chance import ERROR, beyond_all, deviation, too_many
from conformance.oracle.claims.claim import Claim, Evidence, Failure, Judgement, happened, severity_of
from conformance.oracle.contract import Contract
from conformance.oracle.drawn import Initialised
from conformance.oracle.expression import expression
from conformance.oracle.numerics import ROUNDOFF, Array

SCENARIO = "initialisation"
SPREAD = 4
ENOUGH = 4096  # elements of a parameter that are sorted and compared: the rest would cost more than it could tell
FIRST, SAME, OTHER, RESET = range(4)  # places in the target's draws
Samples = Mapping[str, Array]
# The share of a distribution below each of some values that lie between its bounds, given as shares of its width.
SHARES: Mapping[str, Callable[[Array], Array]] = {"uniform": lambda place: np.clip(place, 0, 1)}
_NOTE = "note: initialized from"
_SEEDED = "torch.manual_seed; note: initialized from"


def claims(contract: Contract) -> Iterator[Claim]:
    """The claims about parameters that nobody has written to yet."""
    for rule in contract.initialised:
        yield from _of_rule(contract, rule)
    make = partial(_claim, contract, "")
    for name, statement, source, check in _OF_ALL if contract.initialised else ():
        yield make(name, statement, source, check)


def _of_rule(contract: Contract, rule: Initialised) -> Iterator[Claim]:
    make = partial(_claim, contract, "" if rule.of == "*" else f".{rule.of.strip('*_')}")
    bounds = f"({rule.low}, {rule.high})"
    said = f"{'every parameter' if rule.of == '*' else rule.of} is drawn from {rule.distribution}{bounds}"
    said += "".join(f", {name} = {text}" for name, text in rule.where.items())
    for name, when, places in (("initialised", "", (FIRST, OTHER)), ("reset_parameters", "after reset, ", (RESET,))):
        yield make(f"{name}.bounds", f"{when}{said}: no element is beyond the bounds", _NOTE,
                   partial(_bounds, rule, places), bounds)  # fmt: skip
        yield make(f"{name}.distribution", f"{when}{said}: its elements are distributed so", _NOTE,
                   partial(_distribution, rule, places), bounds)  # fmt: skip


def _claim(
    contract: Contract, of: str, name: str, statement: str, source: str, check: Any, formula: str | None = None
) -> Claim:
    return Claim(f"{contract.prefix}.{name}{of}", contract.module, SCENARIO, statement, source, check, formula)


def _drawn(e: Evidence, place: int) -> Mapping[str, Any]:
    """The parameters of one draw that have values; none where the target did not come so far."""
    draws = e.seen.get("draws") or ()
    return {n: p for n, p in draws[place].items() if p.get("blob") is not None} if place < len(draws) else {}


def _samples(rule: Initialised, places: tuple[int, ...], e: Evidence) -> Samples:
    """The values of each parameter that a rule speaks of."""
    found: dict[str, list[Array]] = {}
    for place in places:
        for name, p in _drawn(e, place).items():
            if fnmatchcase(name, rule.of):
                found.setdefault(name, []).append(e.array(p).ravel())
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _limits(rule: Initialised, e: Evidence) -> tuple[float, float]:
    scope = dict(e.env)
    for name, text in rule.where.items():
        scope[name] = expression(text)(scope)
    return expression(rule.low)(scope), expression(rule.high)(scope)


def _bounds(rule: Initialised, places: tuple[int, ...], e: Evidence) -> Judgement:
    """A number of the dtype within a bound that was itself rounded to the dtype, and before that by its formula."""
    (low, high), unit = _limits(rule, e), 2 * ROUNDOFF[e.case.dtype]
    samples = {name: values for name, values in _samples(rule, places, e).items() if values.size}
    for name, values in samples.items():
        for found, bound in ((float(values.min()), low), (float(values.max()), high)):
            if not low - abs(low) * unit <= found <= high + abs(high) * unit:  # a NaN is not within them either
                return Failure(f"{name} within {low:.9g} and {high:.9g}", f"{name} has {found:.9g}, beyond {bound:.9g}",
                               "silent")  # fmt: skip
    return bool(samples)


def _distribution(rule: Initialised, places: tuple[int, ...], e: Evidence) -> Judgement:
    """Kolmogorov and Smirnov's statistic, and how near the extremes come to the bounds.

    The second is much the sharper one of a range that is too small: of n elements of a range halved, all are within the
    inner half of the documented one, which has a probability of 2^-n.
    """
    low, high = _limits(rule, e)
    exercised = False
    for name, values in _compared(_samples(rule, places, e)):
        exercised = True
        share = SHARES[rule.distribution]((np.sort(values) - low) / (high - low))
        if wrong := _unlike(share, SPREAD * ROUNDOFF[e.case.dtype]):
            return Failure(f"{name} is distributed as {rule.distribution}({low:.6g}, {high:.6g})",
                           f"{name}: of {values.size} elements {wrong}; by chance less often than once in "
                           f"{1 / ERROR:.0e} cases", "silent")  # fmt: skip
    return exercised


def _compared(samples: Samples) -> Iterator[tuple[str, Array]]:
    """Elements from all over each parameter, and some of every one together: a small module has few of each."""
    few = {name: values[:: 1 + values.size // ENOUGH] for name, values in samples.items()}
    if len(few) > 1:
        few["all parameters"] = np.concatenate([values[: ENOUGH // len(few)] for values in few.values()])
    yield from ((name, values) for name, values in few.items() if values.size > 1 and np.isfinite(values).all())


def _unlike(share: Array, slack: float) -> str:
    """What tells these shares of a distribution, in ascending order, from those of its samples."""
    count = share.size
    beyond = beyond_all(count) + slack
    if share[0] > beyond:
        return f"none is in the lowest {share[0]:.3g} of it"
    if share[-1] < 1 - beyond:
        return f"none is in the highest {1 - share[-1]:.3g} of it"
    ranks = np.arange(count + 1) / count
    distance = float(max((ranks[1:] - share).max(), (share - ranks[:-1]).max()))
    allowed = deviation(count) + slack
    return "" if distance <= allowed else f"the distribution function is {distance:.3g} off, {allowed:.3g} are due"


# -- draws told apart --------------------------------------------------------------------------------------------------

# What stands for draws of each dtype when they are compared: unsigned integers of its width, several together where two
# draws of one element often round to the same number.
_LONG = np.dtype([("low", np.uint64), ("high", np.uint64)])
_WORDS: Mapping[str, tuple[Any, Any, int]] = {
    "float64": (np.uint64, np.uint64, 1), "float32": (np.uint32, np.uint32, 1), "float16": (np.uint16, np.uint64, 4),
    "bfloat16": (np.uint16, _LONG, 8),
}  # fmt: skip


def _words(e: Evidence, place: int) -> Array:
    """The magnitudes of a draw's elements as bits, one or several to a word."""
    whole, word, size = _WORDS[e.case.dtype]
    sign = whole(1 << (8 * whole().itemsize - 1))
    parts = [np.frombuffer(e.seen["blobs"][p["blob"]], whole)[:ENOUGH] & ~sign for p in _drawn(e, place).values()]
    words = [part[: part.size - part.size % size].view(word) for part in parts if part.size >= size]
    return np.concatenate(words) if words else np.empty(0, word)


def _coincidence(dtype: str) -> float:
    """The greatest probability that a word equals a given one.

    A number v of the dtype stands for reals within the spread of it, a share of 2 * SPREAD roundoffs of the width, and
    so does -v; the elements of a word are independent.
    """
    return float((4 * SPREAD * ROUNDOFF[dtype]) ** _WORDS[dtype][2])


def _independent(e: Evidence) -> Judgement:
    """Drawn one after another, each word equals one of those before it with a probability of at most their number times
    that of one coincidence, whatever they are."""
    words = _words(e, FIRST)
    repeated = words.size - np.unique(words).size
    return _judged(repeated, words.size, words.size * _coincidence(e.case.dtype), "each element is drawn by itself")


def _anew(place: int, before: tuple[int, ...], e: Evidence) -> Judgement:
    if place == RESET and not e.ok and e.seen["phase"] == "reset":
        return Failure("every parameter is drawn anew", happened(e.seen), severity_of(e.seen))
    words, known = _words(e, place), np.concatenate([_words(e, other) for other in before])
    repeated = int(np.isin(words, known).sum())
    return _judged(repeated, words.size, known.size * _coincidence(e.case.dtype), "every element is another draw")


def _judged(repeated: int, words: int, p: float, expected: str) -> Judgement:
    if not words:
        return False
    if too_many(repeated, words, p):
        return Failure(expected, f"{repeated} of {words} values were there before; at most {p * words:.3g} are due",
                       "silent")  # fmt: skip
    return True


def _same(e: Evidence) -> Judgement:
    one, two = _drawn(e, FIRST), _drawn(e, SAME)
    if not one or not two:
        return False
    blobs = e.seen["blobs"]
    wrong = [name for name in one if name not in two or blobs[one[name]["blob"]] != blobs[two[name]["blob"]]]
    return not wrong or Failure("the same parameters", f"others: {', '.join(wrong)}", "silent")


_OF_ALL = (
    ("initialised.independent", "no two elements are the same draw, in no two parameters, layers or directions", _NOTE,
     _independent),
    ("initialised.seed.same", "made under the same seed, parameters are the same", _SEEDED, _same),
    ("initialised.seed.other", "made under another seed, parameters are other ones", _SEEDED,
     partial(_anew, OTHER, (FIRST,))),
    ("reset_parameters.anew", "reset_parameters draws every parameter anew", _NOTE,
     partial(_anew, RESET, (FIRST, OTHER))),
)  # fmt: skip
