"""What a page excludes of the call of a function: options, inputs and packed sequences that are none of what it says.

As of a module (:mod:`.misuse`), what is excluded is refused with an error that speaks of it; what can only mean the
documented is refused so, or means that. *That* are the promises of the documented call, held against what came out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from conformance.oracle.claims import call, packed, values
from conformance.oracle.claims.claim import Claim, Evidence, Failure, Judgement, happened, together
from conformance.oracle.claims.clarity import refused
from conformance.oracle.claims.function import padding
from conformance.oracle.claims.misuse import HAND_MADE, SIGNATURE, Subject, _of, _told, claim, of_any
from conformance.oracle.contract import Argument, Contract, Port
from conformance.oracle.zoo import alike, excluded

KINDS = ("elsewhere", "int32", "float32")  # of batch sizes


@dataclass(frozen=True)
class Mistake:
    """What stands for an input: in ``words``; whether it can only have ``meant`` the documented input; the sizes with
    which it differs from that at all."""

    words: str
    meant: bool = False
    sizes: Mapping[str, Any] = field(default_factory=dict)


_NOTHING = {"number": Mistake("as a number"), "string": Mistake("as a string"), "none": Mistake("as None")}
_TWO = {"drawn": (3, 2)}
_ROWS = {**_TWO, "S": (2,)}
_THREE = {"n": 3}
_TENSOR = {
    "numbers": Mistake("as lists of numbers", meant=True),
    "ndarray": Mistake("as an ndarray", meant=True),
    "alone": Mistake("in a tuple"),
    **_NOTHING,
}
_PERMUTATION = {
    **{name: mistake for name, mistake in _TENSOR.items() if name != "none"},  # documented: "Tensor, optional"
    "int32": Mistake("of int32", meant=True),
    "whole": Mistake("of float32", meant=True),
    "negative": Mistake("with a negative index", sizes=_THREE),
    "beyond": Mistake("with an index beyond its end", sizes=_THREE),
}
_LENGTHS = {
    "list": Mistake("as a list", meant=True),
    "tuple": Mistake("as a tuple", meant=True),
    "ndarray": Mistake("as an ndarray", meant=True),
    "int32": Mistake("of int32", meant=True),
    "whole": Mistake("of float32", meant=True),
    "empty one": Mistake("with a length of zero", meant=True, sizes={"drawn": (2, 0)}),
    "strings": Mistake("as strings"),
    "nested": Mistake("in a list in a list"),
    "negative": Mistake("with a negative length"),
    "huge": Mistake("with a length of 2**62"),
    "elsewhere": Mistake("on another device"),
    **_NOTHING,
}
_LISTED = {
    "tuple": Mistake("as a tuple", meant=True),
    "generator": Mistake("as a generator", meant=True),
    "numbers": Mistake("as lists of numbers", meant=True),
    "stacked": Mistake("as one tensor", meant=True, sizes={"drawn": (2, 2)}),
    "empty one": Mistake("with one that has no elements", meant=True, sizes={"drawn": (2, 0)}),
    "other dtype": Mistake("of which the last is of float64", meant=True, sizes=_TWO),
    "other shape": Mistake("of which the last has another trailing dimension", sizes=_ROWS),
    "other rank": Mistake("of which the last has a dimension less", sizes=_ROWS),
    "other device": Mistake("of which the last is on another device", sizes=_TWO),
    "empty": Mistake("as an empty list"),
    "nested": Mistake("in a list in a list"),
    "with none": Mistake("with None as the last", sizes=_TWO),
    **_NOTHING,
}
_PACKED = {
    "parts": Mistake("as a plain tuple of its parts", meant=True),
    "data": Mistake("as its data alone"),
    "listed": Mistake("in a list"),
    **_NOTHING,
}
_UNLIKE = ("other dtype", "other shape", "other rank", "other device")


def judged(contract: Contract) -> bool:
    """Whether misuse of this function is judged: only equations tell whether what was accepted is right."""
    return contract.function and contract.equations is not None


def mistakes(contract: Contract, name: str) -> Mapping[str, Mistake]:
    """What can stand for an input of this name."""
    port = contract.port(name)
    layout = contract.layouts[0]
    if layout.packed == name:
        return _PACKED
    if port.each:
        return _LISTED
    if port.kind(layout.name) == "permutation":
        return _PERMUTATION
    if port.kind(layout.name) == "lengths":
        ruled = "elsewhere" if any("meta" in rule.forms.values() for rule in contract.excludes) else ""
        return {what: mistake for what, mistake in _LENGTHS.items() if what not in (*port.forms, ruled)}
    return _TENSOR


def subjects(contract: Contract) -> tuple[Subject, ...]:
    """All that can be misused, as what it is of and its kind."""
    found = [("call", kind) for kind in SIGNATURE]
    for option in contract.options:
        found += [(option.name, kind) for kind, shown in _ZOO.items() if shown(option)]
    found += [("padding_value", "nan")] * any(option.name == "padding_value" for option in contract.options)
    found += [(port.name, "type") for port in contract.inputs]
    found += [(port.name, "absent") for port in contract.inputs if _permutes(port)]
    inputs = {layout.packed for layout in contract.layouts if layout.packed}
    return (*found, *((name, kind) for name in sorted(inputs) for kind in ("batch_sizes_kind", *HAND_MADE)))


_ZOO = {"excluded": excluded, "alike": alike}


def _permutes(port: Port) -> bool:
    return port.dtype == "permutation"


# -- claims ------------------------------------------------------------------------------------------------------------


def claims(contract: Contract) -> Iterator[Claim]:
    """One claim for each way to misuse each thing, and for the life of the process."""
    if not judged(contract):
        return
    yield from of_any(contract, ("call",))
    for option in contract.options:
        yield from _of_option(contract, option)
    for port in contract.inputs:
        yield from _of_input(contract, port)


def _of_option(contract: Contract, option: Argument) -> Iterator[Claim]:
    name, source = option.name, f"Args: {option.name}"
    make = partial(claim, contract, releases=option.releases)
    if excluded(option):
        yield make(f"{name}.refuses", f"a value of {name} that is no {option.stated} is refused", source,
                   partial(_of, (name,), ("excluded",), _refused))  # fmt: skip
    if alike(option):
        yield make(f"{name}.alike", f"a value of {name} that can only mean a documented one is refused, or means that",
                   source, partial(_of, (name,), ("alike",), _meant))  # fmt: skip
    if name == "padding_value":
        yield make("padding_value.nan", "padding_value may be NaN, a float: padding is then NaN", source,
                   partial(_of, (name,), ("nan",), _padded_with_nan))  # fmt: skip


def _of_input(contract: Contract, port: Port) -> Iterator[Claim]:
    name, source = port.name, f"Args: {port.name}"
    make, known = partial(claim, contract), mistakes(contract, port.name)
    unlike = tuple(what for what in known if what in _UNLIKE)
    meant = tuple(what for what in known if known[what].meant and what not in unlike)
    others = tuple(what for what in known if what not in (*meant, *unlike))
    yield make(f"{name}.alike", f"what can only mean {name} as documented is refused, or means that", source,
               partial(_as, name, meant, _meant))  # fmt: skip
    yield make(f"{name}.refuses.type", f"what is no {name} as documented is refused", source,
               partial(_as, name, others, _refused))  # fmt: skip
    if unlike:
        yield make(f"{name}.unlike", "a tensor of another dtype, trailing shape or device among the others is "
                   "refused, or the result is right", "Note: This function assumes trailing dimensions and type of "
                   "all the Tensors in sequences are same", partial(_as, name, unlike, _alone))  # fmt: skip
    if contract.layouts[0].packed == name:
        yield make(f"{name}.batch_sizes.kind", "batch_sizes that are no CPU torch.int64 tensor are refused, or their "
                   "values count", "PackedSequence: note",
                   partial(_of, (name,), ("batch_sizes_kind",), _of_kind))  # fmt: skip
    if _permutes(port):
        yield make("none", f"{name} is optional: None gives None", source, partial(_of, (name,), ("absent",), _none))


# -- judging -----------------------------------------------------------------------------------------------------------


def _as(name: str, whats: tuple[str, ...], check: Callable[[Evidence], Judgement], e: Evidence) -> Judgement:
    """What the check says where one of these stands for an input."""
    found = e.case.misuse
    return _of((name,), ("type",), check, e) if found is not None and found.value in whats else False


def _refused(e: Evidence) -> Judgement:
    return refused(f"an error that speaks of {words(e)}", e)


def words(e: Evidence) -> str:
    """What was passed, in words."""
    found = e.case.misuse
    assert found is not None
    if found.kind == "type":
        return f"{found.of} {mistakes(e.contract, found.of)[found.value].words}"
    return f"batch_sizes as {found.value}" if found.kind == "batch_sizes_kind" else _told(e)


def _meant(e: Evidence) -> Judgement:
    return _promised(e) if e.ok else refused(f"an error that speaks of {words(e)}, or the right result", e)


def _alone(e: Evidence) -> Judgement:
    assert e.case.misuse is not None
    return (_meant if mistakes(e.contract, e.case.misuse.of)[e.case.misuse.value].meant else _refused)(e)


def _of_kind(e: Evidence) -> Judgement:
    assert e.case.misuse is not None
    return (_refused if e.case.misuse.value == "elsewhere" else _meant)(e)


def _none(e: Evidence) -> Judgement:
    if not e.ok:
        return Failure("None", happened(e.seen), "refused")
    return e.seen["result"]["type"] == "NoneType" or Failure("None", e.seen["result"]["type"], "silent")


def _padded_with_nan(e: Evidence) -> Judgement:
    """Beyond the lengths there is nothing but NaN, and within them what the page says."""
    if not e.ok:
        return Failure("NaN is accepted, as it is a float", happened(e.seen), "refused")
    e = replace(e, env={**e.env, "padding_value": math.nan})
    return together([padding(e.contract.port("output"), e), _promised(e)])


_SAID: dict[tuple[int, str], tuple[Claim, ...]] = {}


def _promised(e: Evidence) -> Judgement:
    """What the documented call gives: the first of its promises on what comes out that is broken, in silence."""
    if any(call.output(e, port) is None for port in e.contract.outputs):
        return Failure(f"({e.contract.returns})", call.nesting(e.seen["result"]), "silent")
    key = (id(e.contract), e.case.layout)
    if key not in _SAID:
        _SAID[key] = tuple(c for family in (call, packed, values) for c in family.claims(e.contract) if _speaks(c, e))
    judged = together(claim.check(e) for claim in _SAID[key])
    return replace(judged, severity="silent") if isinstance(judged, Failure) else judged


def _speaks(claim: Claim, e: Evidence) -> bool:
    """Whether a claim on the documented call speaks of its result, beside the dtype that an odd input may change."""
    name = claim.id.removeprefix(f"{e.contract.prefix}.").removesuffix(f".{claim.scenario}")
    return claim.scenario == e.case.layout and name.rpartition(".")[2] in _RESULTS


_RESULTS = ("nesting", "shape", "value", "is_packed", "batch_sizes", "sorted_indices", "unsorted_indices")
