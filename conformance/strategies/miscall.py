"""Cases in which a function is misused: a documented call in which one thing is passed that no page documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.cases import Case, Misuse
from conformance.oracle.claims.miscall import KINDS, mistakes, subjects
from conformance.oracle.claims.misuse import HAND_MADE
from conformance.oracle.contract import Contract
from conformance.oracle.zoo import Exhibit, alike, excluded
from conformance.strategies.build import Pick
from conformance.strategies.calls import call_case
from conformance.strategies.misuse import Fixed, hand_made_parts

_ZOO = {"excluded": excluded, "alike": alike}


def miscalled(contract: Contract, pick: Pick) -> Case:
    """The case of a misused function that ``pick`` chooses."""
    of, kind = pick("misuse", subjects(contract))
    if kind in _ZOO:
        return _of_option(contract, of, kind, pick)
    if kind == "type":
        return _of_input(contract, of, pick)
    case = _documented(contract, pick, {})
    if kind in HAND_MADE:
        item = next(item for item in case.inputs if item.name == of)
        return replace(case, misuse=Misuse(of, kind, pick("hand-made", hand_made_parts(item, kind))))
    value = {"twice": contract.inputs[0].name}.get(kind)
    return replace(case, misuse=Misuse(of, kind, pick("kind", KINDS) if kind == "batch_sizes_kind" else value))


def _of_option(contract: Contract, of: str, kind: str, pick: Pick) -> Case:
    """A value of the zoo; the call is documented with what it may be taken for."""
    shown = exhibits(contract, of, kind)
    exhibit = shown[pick("exhibit", range(len(shown)))]
    case = _documented(contract, pick, {of: exhibit.near}, contract.option(of).values)
    return replace(case, misuse=Misuse(of, kind, exhibit.value))


def exhibits(contract: Contract, of: str, kind: str) -> Sequence[Exhibit]:
    """The values of the zoo for an option; its default stands for those that name none."""
    option = contract.option(of)
    return [e if e.near is not None else Exhibit(e.value, option.default) for e in _ZOO[kind](option)]


def _of_input(contract: Contract, of: str, pick: Pick) -> Case:
    """What stands for an input, with the sizes that show it."""
    known = mistakes(contract, of)
    what = pick("what", tuple(known))
    sizes = {f"size {name}": value for name, value in known[what].sizes.items()}
    return replace(_documented(contract, pick, sizes), misuse=Misuse(of, "type", what))


def _documented(contract: Contract, pick: Pick, known: Mapping[str, Any], values: Any = ()) -> Case:
    """A documented call with these choices; lengths come as a tensor."""
    layout = pick("layout", contract.layout_names)
    dtype = "float32" if "float32" in contract.dtypes else contract.dtypes[0]
    return call_case(contract, layout, Fixed(pick, {"dtype": dtype, "form lengths": "tensor", **known}, values))


def all_miscalls(contract: Contract) -> list[Mapping[str, Any]]:
    """Every misuse with everything that it may pass, as choices."""
    return [{"misuse": subject, **more} for subject in subjects(contract) for more in _choices(contract, *subject)]


def _choices(contract: Contract, of: str, kind: str) -> Sequence[Mapping[str, Any]]:
    if kind in _ZOO:
        return [{"exhibit": place} for place in range(len(exhibits(contract, of, kind)))]
    if kind == "type":
        return [{"what": what} for what in mistakes(contract, of)]
    return [{"kind": found} for found in KINDS] if kind == "batch_sizes_kind" else [{}]
