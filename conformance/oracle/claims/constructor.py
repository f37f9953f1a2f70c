"""What a page promises of construction: arguments, their order and defaults, parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from conformance.oracle.claims.claim import Claim, Evidence, Failure, Judgement, happened, severity_of
from conformance.oracle.contract import REQUIRED, Argument, Contract, Parameter


def claims(contract: Contract) -> Iterator[Claim]:
    """The claims exercised by constructing alone."""
    if contract.function:
        return
    make = partial(_claim, contract)
    signature = ", ".join(a.name if a.default is REQUIRED else f"{a.name}={a.default!r}" for a in contract.arguments)
    cls = contract.module.rpartition(".")[2]
    yield make("constructor.accepts", f"{cls}({signature}) accepts its documented arguments by keyword", "Args",
               _accepts)  # fmt: skip
    yield make("constructor.positional", f"{cls}({signature}): arguments in this order by position equal keywords",
               "signature", _positional)  # fmt: skip
    for argument in contract.arguments:
        if argument.default is not REQUIRED:
            yield make(f"argument.{argument.name}.default", f"{argument.name} defaults to {argument.default!r}",
                       f"Args: {argument.name}", partial(default, argument), releases=argument.releases)  # fmt: skip
    if contract.takes_dtype:
        yield make("parameters.dtype", "dtype reaches every parameter", "signature: dtype", _dtype)
        yield make("parameters.device", "device reaches every parameter", "signature: device", _device)
    if contract.parameters:
        yield make("parameters.names", "the parameters and buffers are those documented, no more and no fewer",
                   "Attributes", _names)  # fmt: skip
        yield make("parameters.learnable", "every documented parameter is learnable", "Attributes", _learnable)
    if sum(not parameter.buffer for parameter in contract.parameters) > 1:
        yield make("parameters.order", "the parameters of a layer are listed in the order of the page", "Attributes",
                   _order)  # fmt: skip
    for parameter in contract.parameters:
        yield make(f"{parameter.label}.shape", f"{parameter.name} has shape {parameter.shape}", "Attributes",
                   partial(_shape, parameter), parameter.shape, parameter.releases)  # fmt: skip
        if parameter.when != "True":
            yield make(f"{parameter.label}.presence", f"{parameter.name} is there where {parameter.when}, else not",
                       "Attributes", partial(_presence, parameter), releases=parameter.releases)  # fmt: skip


def _claim(
    contract: Contract,
    name: str,
    statement: str,
    source: str,
    check: Any,
    formula: str | None = None,
    releases: str = "",
) -> Claim:
    full = f"{contract.prefix}.{name}"
    return Claim(full, contract.module, "constructor", statement, source, check, formula, releases or ">=2.0")


def by_keyword(e: Evidence) -> bool:
    """Whether the optional arguments were passed by keyword. What goes wrong by position is one claim's affair, so
    that a misplaced argument is not reported once more for each of its consequences."""
    return e.case.positional <= sum(argument.default is REQUIRED for argument in e.contract.arguments)


def _accepts(e: Evidence) -> Judgement:
    if not by_keyword(e):
        return False
    return e.ok or Failure("the documented arguments are accepted", happened(e.seen), severity_of(e.seen))


def _positional(e: Evidence) -> Judgement:
    if by_keyword(e):
        return False
    if not e.ok:
        return Failure("accepted by position as by keyword", happened(e.seen), severity_of(e.seen))
    return _same_configuration(e) if e.case.twin else True


def _same_configuration(e: Evidence) -> Judgement:
    """Two constructions that the page says are one must not be told apart from outside."""
    one, two = e.seen["config"], e.seen["twin"]
    for part in ("attributes", "parameters", "repr"):
        if one[part] != two[part]:
            return Failure(f"{part} as with all arguments by keyword: {_difference(two[part], one[part])}",
                           _difference(one[part], two[part]), "silent")  # fmt: skip
    return True


def _difference(of: Any, other: Any) -> str:
    if isinstance(of, dict):
        return ", ".join(f"{k}={v}" for k, v in of.items() if other.get(k) != v) or "nothing more"
    if isinstance(of, list):
        return ", ".join(str(item) for item in of if item not in other) or "nothing more"
    return str(of)


def _made(e: Evidence) -> bool:
    return e.ok and by_keyword(e)


def default(argument: Argument, e: Evidence) -> Judgement:
    """Omitting the argument must be passing its documented default, in all that can be seen of the module."""
    if not _made(e) or not e.case.twin or argument.name in e.case.arguments:
        return False
    one, two = e.seen["config"]["attributes"], e.seen["twin"]["attributes"]
    name = argument.name
    if name in one or name in two:
        same = one.get(name) == two.get(name)
        return same or Failure(f"{name}={two.get(name)}", f"{name}={one.get(name)}", "silent")
    # Nothing is named after this argument: its default shows in the rest, unless another argument is to blame for that.
    if any(one.get(a.name) != two.get(a.name) for a in e.contract.arguments if a.name not in e.case.arguments):
        return False
    return _same_configuration(e)


def _all(e: Evidence) -> list[Any]:
    return [*e.seen.get("parameters", ()), *e.seen.get("buffers", ())]


def _dtype(e: Evidence) -> Judgement:
    if not _made(e) or not _all(e):
        return False
    wrong = [f"{name} is {dtype}" for name, _, dtype, _, _ in e.seen["parameters"] if dtype != e.case.dtype]
    return not wrong or Failure(f"every parameter is {e.case.dtype}", ", ".join(wrong), "silent")


def _device(e: Evidence) -> Judgement:
    if not _made(e) or not _all(e):
        return False
    device = e.device if "device" in e.case.arguments else "cpu"
    wrong = [f"{name} is on {where}" for name, _, _, where, _ in _all(e) if not on_device(where, device)]
    return not wrong or Failure(f"every parameter is on {device}", ", ".join(wrong), "silent")


def on_device(observed: str, asked: str) -> bool:
    """``cuda:0`` is a ``cuda``: a device without an index leaves the choice to torch."""
    return observed == asked or (":" not in asked and observed.partition(":")[0] == asked)


def _names(e: Evidence) -> Judgement:
    if not _made(e):
        return False
    expected = set(e.expected)
    found = {name for name, *_ in _all(e)} - _UNDOCUMENTED_BUFFERS
    if expected == found:
        return True
    missing, extra = sorted(expected - found), sorted(found - expected)
    return Failure(f"exactly {', '.join(sorted(expected)) or 'none'}",
                   f"missing {', '.join(missing) or 'none'}; undocumented {', '.join(extra) or 'none'}")  # fmt: skip


# The pages of the normalisations call their moving averages by name but not the counter beside them.
_UNDOCUMENTED_BUFFERS = {"num_batches_tracked"}


def _order(e: Evidence) -> Judgement:
    """In each layer and direction for itself: how those follow each other no page says."""
    if not _made(e) or "parameters" not in e.seen:
        return False
    listed = [name for name, *_ in e.seen["parameters"]]
    groups: dict[tuple[str, bool], list[str]] = {}
    for name, (parameter, _) in e.expected.items():
        if not parameter.buffer and name in listed:
            layer = name.removesuffix("_reverse").rpartition("_l")[2] if parameter.each else ""
            groups.setdefault((layer, name.endswith("_reverse")), []).append(name)
    for names in groups.values():
        if (found := sorted(names, key=listed.index)) != names:
            return Failure(", ".join(names), ", ".join(found), "silent")
    return any(len(names) > 1 for names in groups.values())


def _learnable(e: Evidence) -> Judgement:
    if not _made(e):
        return False
    expected = {n for n, (parameter, _) in e.expected.items() if not parameter.buffer}
    learnable = {name: flag for name, *_, flag in e.seen["parameters"]}
    if not (present := sorted(expected & learnable.keys())):
        return False
    wrong = [name for name in present if not learnable[name]]
    return not wrong or Failure(
        "every parameter is an nn.Parameter that requires a gradient", f"not: {', '.join(wrong)}"
    )


def _of(parameter: Parameter, e: Evidence) -> dict[str, tuple[int, ...]]:
    """The documented names of this entry in this configuration, with their shapes."""
    expected = e.expected
    return {name: shape for name, (entry, shape) in expected.items() if entry.name == parameter.name}


def _shape(parameter: Parameter, e: Evidence) -> Judgement:
    expected = _of(parameter, e)
    if not _made(e) or not expected:
        return False
    found = {name: tuple(shape) for name, shape, *_ in _all(e)}
    wrong = [f"{n} {found[n]} instead of {s}" for n, s in expected.items() if n in found and found[n] != s]
    if wrong:
        return Failure("; ".join(f"{n} {s}" for n, s in expected.items()), "; ".join(wrong))
    return bool(expected.keys() & found.keys())


def _presence(parameter: Parameter, e: Evidence) -> Judgement:
    if not _made(e):
        return False
    expected = set(_of(parameter, e))
    pattern = parameter.name.partition("{k}")
    found = {n for n, *_ in _all(e) if _is_instance(n, pattern)}
    if expected == found:
        return True
    return Failure(f"{', '.join(sorted(expected)) or f'no {parameter.label}'}", f"{', '.join(sorted(found)) or 'none'}")


def _is_instance(name: str, pattern: tuple[str, str, str]) -> bool:
    before, braces, after = pattern
    if not braces:
        return name == before
    middle = name.removeprefix(before).removesuffix(after) if name.endswith(after) else ""
    return name.startswith(before) and middle.isdigit()
