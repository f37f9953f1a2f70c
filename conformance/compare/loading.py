"""What can be loaded: a state that the old release saved, under the new one; a whole module, on each for itself.

Both are saved and loaded with default arguments, as the documentation of ``torch.save`` and ``torch.load`` shows it.
What a loaded state computes is held against what the new release computes with the same parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.compare.buckets import Meaning
from conformance.compare.difference import CHANGED, FIXED, REGRESSED
from conformance.compare.fields import Found, leaves
from conformance.compare.heard import Heard
from conformance.compare.numbers import is_random
from conformance.judge import evidence
from conformance.oracle.claims.claim import happened
from conformance.targets import Target, TargetLost
from conformance.wire import to_wire

LONGEST = 400  # characters of a message
STATE, MODULE = "state of the other release", "whole module"


def loadable(old: Heard, new: Heard) -> bool:
    """Whether the case is a plain call of a module that has a state, and fixes what it computes."""
    case, contract = old.case, old.evidence.contract
    plain = case.usage == "plain" and not (case.violation or case.misuse or case.draws or case.gradients or case.twin)
    ended = all(side.seen["status"] == "ok" and side.documented for side in (old, new))
    eager = all(side.target.spec.mode == "eager" for side in (old, new))
    modules = bool(contract.parameters) and not contract.function and case.layout in contract.layout_names
    return plain and ended and eager and modules and not is_random(old)


def loading(old: Heard, new: Heard) -> Iterator[tuple[Found, Meaning]]:
    """What can no longer be loaded, or gives something else, or can be now."""
    try:
        yield from _state(old, new)
        before, after = (_end(_executed(side, "whole")) for side in (old, new))
    except TargetLost:
        return  # the campaign notices it with its next case
    if before != after:
        said = "torch.load of a saved module"
        found = Found("loading", f"{said}: {before}", f"{said}: {after}", MODULE)
        yield found, Meaning(CHANGED if before == "accepted" else FIXED)


def _state(old: Heard, new: Heard) -> Iterator[tuple[Found, Meaning]]:
    kept = _executed(old, "state_kept")
    if "kept" not in kept:
        return
    seen = _executed(new, "state_given", kept["blobs"][kept["kept"]])
    wrong = _end(seen) if seen["status"] != "ok" else "; ".join(seen["noticed"]) or _other(new, seen)
    if wrong:
        told = "a state that was saved here is loaded, with the same values"
        found = Found("loading", told, f"a state that was saved there: {wrong}", STATE, seen.get("exception", "values"))
        yield found, Meaning(REGRESSED)


def _end(seen: Mapping[str, Any]) -> str:
    """How it ended, with the whole of a message: its first line alone seldom says what could not be loaded."""
    if seen["status"] != "raised":
        return happened(seen)
    return f"{seen['exception']}: {' '.join(seen['message'].split())[:LONGEST]}"


def _other(new: Heard, seen: Mapping[str, Any]) -> str:
    """How the result of a loaded module differs from that of one with the same parameters."""
    told = evidence(new.evidence.contract, new.case, seen, new.target.release, new.evidence.device)
    loaded = Heard(new.target, told, {})
    for (name, one), (_, two) in zip(leaves(new), leaves(loaded), strict=False):
        if one.get("blob") is not None and new.seen["blobs"][one["blob"]] != seen["blobs"][two["blob"]]:
            return f"{name} has other values"
    return ""


def _executed(heard: Heard, usage: str, file: bytes | None = None) -> dict[str, Any]:
    """The case once more, with another thing done around its call."""
    target: Target = heard.target
    wire, blobs = to_wire(heard.evidence.contract, heard.case)
    wire = {**wire, "usage": usage, "gradients": False, "file": file is not None}
    target.send_cases([(wire, blobs if file is None else [*blobs, file])])
    return target.receive_cases()[0]
