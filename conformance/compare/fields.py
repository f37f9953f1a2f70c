"""The fields in which two observations of one case can differ, from causes to consequences.

A case that raised on one side is one difference of status, not also one of shape and values: of the fields that tell
the end of an execution only the first counts. What merely accompanies it, such as a warning, is told beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from conformance.cases import Case
from conformance.compare.difference import fingerprint, normalised
from conformance.compare.heard import Heard
from conformance.oracle.claims.call import nesting
from conformance.oracle.claims.claim import happened

_WORD = re.compile(r"[A-Za-z_]\w*(?==)|^\w+")  # the names that a repr shows
_QUOTED = re.compile(r"'[^']*'")  # what was passed, or its type
DEADLY = ("crashed", "hung")


class Found(NamedTuple):
    """A field that differs. ``cause`` is what tells two causes apart that the texts alone do not; where there is a
    ``mark``, it stands for texts that differ with every configuration."""

    field: str
    old: str
    new: str
    cause: str = ""
    mark: str = ""

    def fingerprint(self, module: str) -> str:
        """What this row is called, whatever the sizes of its case."""
        return fingerprint(module, self.field, self.cause, self.mark or self.old, self.mark or self.new)


def ended(old: Heard, new: Heard) -> Found | None:
    """The first field in which the ends differ, values and gradients apart."""
    one, two = old.seen, new.seen
    if lacking := _lacking(old, new):
        return lacking
    if one["status"] != two["status"]:
        deadly = one["status"] in DEADLY or two["status"] in DEADLY
        field, cause = ("memory safety", peculiar(old.case)) if deadly else ("status", "")
        return Found(field, happened(one), happened(two), cause)
    if one["status"] == "raised":
        return _raised(one, two)
    return _structure(old, new) if one["status"] == "ok" else None


def _lacking(old: Heard, new: Heard) -> Found | None:
    """What only one release documents and the other refuses; what the first one then does is no difference."""
    if not old.documented and new.documented and old.seen["status"] == "raised":
        return Found("status", happened(old.seen), "documented")
    if not new.documented and old.documented and new.seen["status"] == "raised":
        return Found("status", "documented", happened(new.seen))
    return None


def _raised(one: Mapping[str, Any], two: Mapping[str, Any]) -> Found | None:
    for field, name in (("exception", "exception"), ("message", "message"), ("phase", "phase")):
        if normalised(one[name]) != normalised(two[name]):
            before, after = happened(one), happened(two)
            mark = _QUOTED.sub("quoted", f"{before} -> {after}") if field == "message" else ""
            return Found(field, before, after, mark=mark)
    return None


def _structure(old: Heard, new: Heard) -> Found | None:
    if "result" in old.seen and "result" in new.seen:
        first, second = nesting(old.seen["result"]), nesting(new.seen["result"])
        if first != second:
            return Found("shape", f"({first})", f"({second})")
    for field, tell in (("shape", _shape), ("dtype", _dtype), ("values", _indices)):
        for (name, one), (_, two) in zip(leaves(old), leaves(new), strict=True):
            if tell(one) != tell(two):
                return Found(field, f"{name} {tell(one)}", f"{name} {tell(two)}", peculiar(old.case))
    return _state(old.seen, new.seen)


def _shape(told: Mapping[str, Any]) -> str:
    sizes = f", batch_sizes {told['batch_sizes']}" if told["type"] == "packed" else ""
    return f"{tuple(told['shape'])}{sizes}" if "shape" in told else str(told.get("value", told["type"]))


def _indices(told: Mapping[str, Any]) -> str:
    """How a packed sequence is sorted."""
    return f"sorted_indices {told['sorted_indices']}" if told["type"] == "packed" else ""


def _dtype(told: Mapping[str, Any]) -> str:
    kinds = {name: kind and kind[0] for name, kind in told.get("kinds", {}).items()}
    return f"{told.get('dtype', '')}{kinds or ''}"


def leaves(heard: Heard) -> list[tuple[str, Mapping[str, Any]]]:
    """The tensors of a result under their documented names; under their place where it is nested otherwise."""
    if "result" not in heard.seen:
        return []
    outputs = heard.evidence.outputs
    told = {"result": heard.seen.get("result")} if outputs is None else outputs
    return [leaf for name, value in told.items() if value is not None for leaf in _flat(name, value)]


def _flat(name: str, told: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "items" not in told:
        yield name, told
    for place, item in enumerate(told.get("items", ())):
        yield from _flat(f"{name}[{place}]", item)


def _state(one: Mapping[str, Any], two: Mapping[str, Any]) -> Found | None:
    """Names, shapes and dtypes of parameters and buffers, in their order."""
    for name in ("parameters", "buffers"):
        before, after = ([_tensor(t) for t in seen.get(name, ())] for seen in (one, two))
        if before != after:
            return Found("state", ", ".join(before) or f"no {name}", ", ".join(after) or f"no {name}")
    return None


def _tensor(told: Any) -> str:
    name, shape, dtype, _, learnable = told
    return f"{name} {tuple(shape)} {dtype}{'' if learnable else ' (not learnable)'}"


# -- what accompanies it -----------------------------------------------------------------------------------------------


def beside(old: Heard, new: Heard) -> Iterator[Found]:
    """The fields that differ whatever the end was."""
    yield from _warnings(old.seen, new.seen)
    if old.seen["status"] != "ok" or new.seen["status"] != "ok":
        return
    yield from _arranged(old, new)
    for name in ("modified", "noticed", "identical"):
        one, two = old.seen.get(name, ()), new.seen.get(name, ())
        if one != two:
            yield Found("effects", f"{name}: {', '.join(one)}", f"{name}: {', '.join(two)}", peculiar(old.case))
    if "config" in old.seen and "config" in new.seen:
        yield from _configured(old.seen["config"], new.seen["config"])


def _warnings(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[Found]:
    before, after = ({normalised(w): w for w in seen.get("warnings", ())} for seen in (one, two))
    yield from (Found("warnings", told, "no such warning") for key, told in before.items() if key not in after)
    yield from (Found("warnings", "no such warning", told) for key, told in after.items() if key not in before)


def _arranged(old: Heard, new: Heard) -> Iterator[Found]:
    one, two = leaves(old), leaves(new)
    if [(name, _shape(told)) for name, told in one] != [(name, _shape(told)) for name, told in two]:
        return
    for (name, first), (_, second) in zip(one, two, strict=True):
        for field, tell in (("strides", _strides), ("device", lambda told: str(told.get("device", "")))):
            if tell(first) != tell(second):
                yield Found(field, f"{name} {tell(first)}", f"{name} {tell(second)}", peculiar(old.case))
                return


def _strides(told: Mapping[str, Any]) -> str:
    """The strides that matter: an axis of one element may have any."""
    if "strides" not in told or 0 in told["shape"]:
        return ""
    return str([stride for size, stride in zip(told["shape"], told["strides"], strict=True) if size > 1])


def _configured(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[Found]:
    """The plain attributes that an instance shows, and its repr."""
    if one["repr"] != two["repr"]:
        names = [set(_WORD.findall(side["repr"])) for side in (one, two)]
        yield Found("repr", one["repr"], two["repr"], mark=", ".join(sorted(names[0] ^ names[1])))
    tensors = {name for side in (one, two) for name, *_ in side["parameters"]}
    before, after = one["attributes"], two["attributes"]
    for name in sorted({*before, *after} - tensors):
        if before.get(name) != after.get(name):
            told = (f"{name} = {side[name]}" if name in side else f"no attribute {name}" for side in (before, after))
            yield Found("defaults", *told)


def peculiar(case: Case) -> str:
    """What is particular about a case, in a few words that do not depend on its sizes."""
    words = [case.usage if case.usage != "plain" else ""]
    words.append(f"{case.misuse.kind} of {case.misuse.of}" if case.misuse else "")
    words.append(f"wrong {case.violation.port} {case.violation.rule}".strip() if case.violation else "")
    words.append("packed" if any(item.lengths is not None for item in case.inputs) else "")
    return ", ".join(filter(None, words))
