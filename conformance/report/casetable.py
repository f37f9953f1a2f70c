"""A case laid out as tables: what was passed, what it differs in from the defaults, which sizes follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from markupsafe import Markup

from conformance.cases import Case, Misuse, Violation
from conformance.oracle.contract import REQUIRED, Contract
from conformance.oracle.expression import expression, shape
from conformance.report.mathml import formula
from conformance.report.script import in_order


@dataclass(frozen=True)
class Row:
    """An argument or an option that the case passes."""

    name: str
    value: str
    default: str
    how: str
    differs: bool


@dataclass(frozen=True)
class CaseTable:
    """A case laid out as tables; ``parts`` are those of the call, each with whether it differs from a default."""

    parts: list[tuple[str, bool]]
    arguments: list[Row] = field(default_factory=list)
    omitted: list[str] = field(default_factory=list)
    inputs: list[dict[str, str]] = field(default_factory=list)
    symbols: list[tuple[str, Markup, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    violation: str = ""

    @property
    def call(self) -> str:
        """The case in one line, ``LSTM(1, 2, batch_first=True)(input (1, 2, 1))``."""
        return "".join(text for text, _ in self.parts)


def laid_out(case: Case, contract: Contract | None, claim: Mapping[str, Any], device: str) -> CaseTable | None:
    """The tables of a case, or None where its fields are not what this version expects of them."""
    try:
        if contract is not None and not fits(case, contract):
            contract = None
        case = in_order(contract, case) if contract else _without_order(case)
        return CaseTable(
            parts=_parts(case, device, contract),
            arguments=[*_arguments(case, contract, device), *_options(case, contract)],
            omitted=_omitted(case, contract),
            inputs=_inputs(case),
            symbols=_symbols(case, contract, claim),
            facts=_facts(case, contract),
            violation=_violated(case.violation) if case.violation else _misused(case.misuse) if case.misuse else "",
        )
    except Exception:  # as above: a file from elsewhere must not keep the rest of the report from the reader
        return None


def fits(case: Case, contract: Contract) -> bool:
    """Whether the contract knows every argument of the case, so that ordering them loses none."""
    return {*case.arguments, *case.options} <= {a.name for a in (*contract.arguments, *contract.options)}


def _without_order(case: Case) -> Case:
    """The case of a contract that is not known here; nor is, once it was in a file, the order of its arguments."""
    return replace(case, arguments=dict(sorted(case.arguments.items())), options=dict(sorted(case.options.items())),
                   positional=0)  # fmt: skip


def _parts(case: Case, device: str, contract: Contract | None) -> list[tuple[str, bool]]:
    """The call piece by piece."""
    function = contract is not None and contract.function
    made = [] if function else [*_listed(_arguments(case, contract, device), case.positional)]
    given = [(f"{item.name} {plain(item.shape)}", False) for item in case.inputs]
    given += [(f"{row.name}={row.value}", row.differs) for row in _options(case, contract)]
    called = [] if case.layout == "constructor" else [("(", False), *_joined(given), (")", False)]
    name = (case.module.rpartition(".")[2], False)
    return [name, *called] if function else [name, ("(", False), *_joined(made), (")", False), *called]


def _listed(rows: list[Row], positional: int) -> list[tuple[str, bool]]:
    return [(row.value if place < positional else f"{row.name}={row.value}", row.differs)
            for place, row in enumerate(rows)]  # fmt: skip


def _joined(parts: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    return [piece for part in parts for piece in ((", ", False), part)][1:]


def _passed(name: str, value: Any, device: str) -> str:
    """An argument as a user passes it: ``device`` and ``dtype`` are not the words that stand for them."""
    if name == "dtype" and isinstance(value, str):
        return f"torch.{value}"
    return repr(device) if name == "device" and value is not None else plain(value)


def plain(value: Any) -> str:
    """A value as Python writes it; tensors and the target's device by what they are."""
    if isinstance(value, Mapping) and "tensor" in value:
        return f"tensor {plain(value['tensor'])}"
    return repr(tuple(value)) if isinstance(value, list) else repr(value)


def _defaults(contract: Contract | None, options: bool = False) -> dict[str, Any]:
    if contract is None:
        return {}
    return {a.name: a.default for a in (contract.options if options else contract.arguments)}


def _arguments(case: Case, contract: Contract | None, device: str) -> list[Row]:
    defaults = _defaults(contract)
    return [
        _row(name, value, _passed(name, value, device), defaults, _how(position, case, contract))
        for position, (name, value) in enumerate(case.arguments.items())
    ]


def _options(case: Case, contract: Contract | None) -> list[Row]:
    defaults = _defaults(contract, options=True)
    return [_row(name, value, plain(value), defaults, "in the call") for name, value in case.options.items()]


def _how(position: int, case: Case, contract: Contract | None) -> str:
    if contract is None:
        return "not known here"
    return "by position" if position < case.positional else "by keyword"


def _row(name: str, value: Any, shown: str, defaults: Mapping[str, Any], how: str) -> Row:
    if name not in defaults:
        return Row(name, shown, "not known here", how, False)
    default = defaults[name]
    if default is REQUIRED:
        return Row(name, shown, "required", how, False)
    return Row(name, shown, plain(default), how, type(default) is not type(value) or default != value)


def _omitted(case: Case, contract: Contract | None) -> list[str]:
    defaults = _defaults(contract, options=contract is not None and contract.function)
    passed = {**case.arguments, **case.options}
    return [f"{k}={plain(v)}" for k, v in defaults.items() if k not in passed and v is not REQUIRED]


def _inputs(case: Case) -> list[dict[str, str]]:
    return [
        {
            "name": item.name,
            "shape": plain(item.shape),
            "dtype": item.dtype,
            "memory": item.memory,
            "packed": ""
            if item.lengths is None
            else f"lengths {plain(item.lengths)}{'' if item.enforce_sorted else ', not sorted'}",
        }
        for item in case.inputs
    ]


def _symbols(case: Case, contract: Contract | None, claim: Mapping[str, Any]) -> list[tuple[str, Markup, str]]:
    """The symbols of the claim's formula: how the page defines them and what they are in this case."""
    text = str(claim.get("formula") or "")
    if contract is None or not text:
        return []
    env = contract.symbols(case)
    spoken = shape(text).names if text.startswith("(") and text.endswith(")") else expression(text).names
    names = _reached(spoken, contract)
    where = {name: said for name, said in contract.where.items() if isinstance(said, str)}
    names -= {*_defaults(contract), *_defaults(contract, options=True)}  # shown as arguments already
    order = [*contract.sizes, *contract.where]
    shown = sorted(names & env.keys(), key=lambda name: (order.index(name) if name in order else len(order), name))
    return [(name, formula(where[name]) if name in where else Markup(""), plain(env[name])) for name in shown]


def _reached(names: frozenset[str], contract: Contract) -> set[str]:
    """The names and those that their definitions speak of."""
    found = set(names)
    while more := {n for name in found if isinstance(contract.where.get(name), str)
                   for n in expression(str(contract.where[name])).names} - found:  # fmt: skip
        found |= more
    return found


def _facts(case: Case, contract: Contract | None) -> list[tuple[str, str]]:
    mode = "training" if case.train else "evaluation"
    facts = [("scenario", case.layout), ("dtype", case.dtype)]
    if case.layout == "constructor":
        return facts
    modes = [] if contract is not None and contract.function else [("mode", mode)]
    return [*facts, *modes, ("seed of values", str(case.seed))]


def _violated(broken: Violation) -> str:
    """What the case does on purpose that the page excludes."""
    if broken.rule:
        return f"{broken.port} is {broken.rule.replace('_', ' ')}, which the documentation excludes"
    rank = f"{broken.size} {'dimension' if broken.size == 1 else 'dimensions'}"
    what = rank if broken.axis is None else f"dimension {broken.axis} of size {broken.size}"
    return f"{broken.port} has {what}, which the documentation excludes"


def _misused(wrong: Misuse) -> str:
    """What the case passes on purpose that no page documents."""
    value = "" if wrong.value is None else f" ({plain(wrong.value)})"
    return f"{wrong.of} is misused, {wrong.kind.replace('_', ' ')}{value}"
