"""What the page of a function promises beside shapes and values: the order and defaults of its arguments, what it
excludes, and which function undoes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from conformance.oracle.claims.call import dtype_of, output
from conformance.oracle.claims.claim import Claim, Evidence, Failure, Judgement, died, happened, severity_of
from conformance.oracle.claims.constructor import on_device
from conformance.oracle.contract import NEVER, REQUIRED, Argument, Contract, Layout, Port
from conformance.oracle.equations.sequences import cut, padded_places
from conformance.oracle.functions import Exclusion, Inverse
from conformance.oracle.numerics import Array
from conformance.values import exact

SCENARIO = "arguments"


def written(contract: Contract) -> bool:
    """Whether a function's page shows its arguments, some of which may be left out."""
    return contract.function and bool(contract.options) and contract.documents.get("signature") != NEVER


def claims(contract: Contract) -> Iterator[Claim]:
    """The claims that only functions have."""
    if written(contract):
        yield from _of_arguments(contract)
    for rule in contract.excludes:
        for layout in contract.layouts:
            if not rule.layouts or layout.name in rule.layouts:
                yield _of_exclusion(contract, rule, layout)
    for layout in contract.layouts if any(option.name == "padding_value" for option in contract.options) else ():
        yield Claim(f"{contract.prefix}.output.padding.{layout.name}", contract.module, layout.name,
                    "elements beyond the length of their sequence are padding_value", "Args: padding_value",
                    partial(padding, contract.port("output")))  # fmt: skip
    if inverse := contract.inverse:
        for layout in contract.layouts:
            yield Claim(f"{contract.prefix}.inverse.{layout.name}", contract.module, layout.name, inverse.statement,
                        inverse.source, partial(_undone, inverse))  # fmt: skip


# -- arguments ---------------------------------------------------------------------------------------------------------


def _of_arguments(contract: Contract) -> Iterator[Claim]:
    shown = ", ".join(a.name if a.default is REQUIRED else f"{a.name}={a.default!r}" for a in contract.signature)
    name = contract.module.rpartition(".")[2]
    yield Claim(f"{contract.prefix}.arguments.positional", contract.module, SCENARIO,
                f"{name}({shown}): arguments in this order by position equal keywords", "signature",
                _positional)  # fmt: skip
    for option in contract.options:
        yield Claim(f"{contract.prefix}.argument.{option.name}.default", contract.module, SCENARIO,
                    f"{option.name} defaults to {option.default!r}", f"signature: {option.name}",
                    partial(_default, option), releases=option.releases or ">=2.0")  # fmt: skip


def _positional(e: Evidence) -> Judgement:
    if not e.case.positional:
        return False
    if not e.ok:
        return Failure("accepted by position as by keyword", happened(e.seen), severity_of(e.seen))
    return _same(e)


def _default(option: Argument, e: Evidence) -> Judgement:
    """Omitting the argument is passing its documented default; of other arguments nothing may be omitted, so that one
    wrong default is not reported as another's."""
    others = {o.name for o in e.contract.options} - {option.name}
    if not e.ok or e.case.positional or option.name in e.case.options or not others <= e.case.options.keys():
        return False
    return _same(e)


def _same(e: Evidence) -> Judgement:
    """The call and the one with every argument by keyword gave the same, bit for bit."""
    if "twin" not in e.seen:
        return False
    one, two = (_told(e.seen[key], e.seen["blobs"]) for key in ("result", "twin"))
    return one == two or Failure("as with every argument by keyword", _difference(one, two), "silent")


def _told(result: Any, blobs: Sequence[bytes]) -> Any:
    """A result with its bytes in the places of their numbers."""
    if isinstance(result, Mapping):
        return {k: blobs[v] if k == "blob" and v is not None else _told(v, blobs) for k, v in result.items()}
    return [_told(item, blobs) for item in result] if isinstance(result, list) else result


def _difference(one: Any, two: Any) -> str:
    if "items" in one and "items" in two and len(one["items"]) == len(two["items"]):
        pairs = zip(one["items"], two["items"], strict=True)
        return next(_difference(a, b) for a, b in pairs if a != b)
    differing = [key for key in one if one[key] != two.get(key)]
    plain = [f"{key} {one[key]} instead of {two.get(key)}" for key in differing if key != "blob"]
    return ", ".join(plain) or "other values"


# -- padding -----------------------------------------------------------------------------------------------------------


def padding(port: Port, e: Evidence) -> Judgement:
    """Whether nothing but ``padding_value`` stands beyond the lengths."""
    found, lengths = output(e, port), e.env["lengths"]
    if (
        found is None
        or found.get("blob") is None
        or tuple(found["shape"]) != e.contract.sizes_of(port, e.case.layout, e.env)
    ):
        return False
    array = e.array(found)
    rows = array if e.env["batch_first"] else array.swapaxes(0, 1)
    padded = padded_places(lengths, rows.shape[1], e.env.get("padding_side", "right")) == sum(lengths)
    seen = np.unique(rows[padded])
    if not seen.size:
        return False
    return np.array_equal(seen, [e.env["padding_value"]], equal_nan=True) or Failure(
        f"{e.env['padding_value']} beyond each length", f"values {', '.join(f'{v:g}' for v in seen[:5])}", "silent"
    )


# -- what is excluded --------------------------------------------------------------------------------------------------


def _of_exclusion(contract: Contract, rule: Exclusion, layout: Layout) -> Claim:
    return Claim(f"{contract.prefix}.{rule.subject}.excludes.{rule.name}.{layout.name}", contract.module, "refused",
                 rule.statement, rule.source, partial(_refused, rule, layout.name), releases=rule.releases)  # fmt: skip


def _refused(rule: Exclusion, layout: str, e: Evidence) -> Judgement:
    broken = e.case.violation
    if broken is None or (broken.rule, e.case.layout) != (rule.name, layout) or e.seen.get("phase") == "prepare":
        return False
    status = e.seen["status"]
    if status == "raised":
        named = not rule.raises or e.seen["exception"] == rule.raises
        return named or Failure(f"a {rule.raises}", happened(e.seen), "misleading")
    severity = died(status) or "silent"
    return Failure(f"{'a ' + rule.raises if rule.raises else 'an error'}: {rule.statement}", happened(e.seen), severity)


# -- what undoes it ----------------------------------------------------------------------------------------------------


def _undone(inverse: Inverse, e: Evidence) -> Judgement:
    told = e.seen.get("inverse")
    if told is None or not e.outputs or not all(_sound(port, e) for port in e.contract.outputs):
        return False
    if told["type"] == "raised":
        return Failure(inverse.statement, f"{told['exception']}: {told['message']}", "refused")
    items = told["items"] if told["type"] == "tuple" else [told]
    if any(part.get("blob", 0) is None for item in items for part in item.get("items", [item])):
        return False  # a meta tensor has no values
    if len(items) != len(inverse.gives):
        return Failure(f"({inverse.returns})", f"{len(items)} results")
    for item, name in zip(items, inverse.gives.values(), strict=True):
        expected, found = _documented(e, name), _observed(e, item, name)
        if found is None or not all(map(np.array_equal, expected, found)) or len(found) != len(expected):
            return Failure(f"{name} as it was given", _shown(expected, found), "silent")
    return True


def _sound(port: Port, e: Evidence) -> bool:
    """Whether an output is of its documented dtype and on its device; if not, what else is wrong comes from that."""
    found = output(e, port)
    parts = found.get("items", [found]) if found else []
    where = "cpu" if port.kind(e.case.layout) == "lengths" else e.device
    return bool(parts) and all(p["dtype"] == dtype_of(port, e) and on_device(p["device"], where) for p in parts)


def _documented(e: Evidence, name: str) -> list[Array]:
    """An input as a list of sequences, or as lengths."""
    port, layout, lengths = e.contract.port(name), e.case.layout, e.env["lengths"]
    if port.kind(layout) == "lengths":
        return [np.array(lengths, np.float64)]
    whole = exact(e.values.inputs[name])
    if port.each is None:
        packed = e.contract.layout(layout).packed == name
        whole = cut(whole, lengths, batch_first=not packed and bool(e.env.get("batch_first")))
    return np.split(whole, np.cumsum(lengths)[:-1])


def _observed(e: Evidence, item: Any, name: str) -> list[Array] | None:
    """What stands for that input in the result, in the same form; None where it cannot."""
    lengths = e.env["lengths"]
    if item["type"] == "list":
        return [e.array(part) for part in item["items"]] if all("blob" in part for part in item["items"]) else None
    if item.get("blob") is None:
        return None
    array = e.array(item)
    if item["type"] == "packed":
        return unpacked(array, item)
    if e.contract.port(name).kind(e.case.layout) == "lengths":
        return [array]
    if array.ndim < 2:
        return None
    whole = cut(array, lengths, batch_first=bool(e.env.get("batch_first")))
    return np.split(whole, np.cumsum(lengths)[:-1])


def unpacked(data: Array, packed: Mapping[str, Any]) -> list[Array] | None:
    """The sequences of a packed sequence in their original order, read off its data, batch sizes and indices."""
    sizes = packed["batch_sizes"] or [0]
    order = packed["sorted_indices"] if packed["sorted_indices"] is not None else list(range(sizes[0]))
    if sorted(order) != list(range(sizes[0])) or sum(sizes) != len(data):
        return None
    starts = np.cumsum([0, *sizes])
    rows: dict[int, list[int]] = {n: [] for n in sorted(order)}
    for start, size in zip(starts, sizes, strict=False):
        for k in range(size):
            rows[order[k]].append(int(start) + k)
    return [data[places] for places in rows.values()]


def _shown(expected: list[Array], found: list[Array] | None) -> str:
    if found is None:
        return "something else"
    told = [tuple(array.shape) for array in found]
    return "other values" if told == [tuple(array.shape) for array in expected] else f"shapes {told}"
