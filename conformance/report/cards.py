"""A discrepancy as a reader needs it: promise, observation, minimal case, script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from markupsafe import Markup

from conformance.cases import Case, Violation
from conformance.oracle.contract import REQUIRED, Contract
from conformance.oracle.expression import expression, shape
from conformance.oracle.registry import ContractError, contract_of
from conformance.report.mathml import formula
from conformance.report.numbers import order
from conformance.report.script import in_order, torch_only
from conformance.report.view import View
from conformance.results import Discrepancy


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
    """A case laid out as tables."""

    call: str
    arguments: list[Row] = field(default_factory=list)
    omitted: list[str] = field(default_factory=list)
    inputs: list[dict[str, str]] = field(default_factory=list)
    symbols: list[tuple[str, Markup, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    violation: str = ""


class Card:
    """One discrepancy; whatever of it cannot be laid out is still shown as it stands in the run file."""

    def __init__(self, found: Discrepancy, view: View) -> None:
        self.found = found
        self.id = found.id
        self.claim = view.by_id.get(found.claim, {})
        self.module = view.module_of(found)
        self.hits = view.hits(found)
        self.target = next(t for t in view.targets if t.name == found.target)
        tally = view.tallies.get((found.claim, found.target))
        self.exercised = max(tally.exercised if tally else 0, self.hits)
        self.statement = str(self.claim.get("statement") or found.claim)
        self.source = str(self.claim.get("source") or "not recorded")
        self.formula = formula(str(self.claim["formula"])) if self.claim.get("formula") else None
        self.facts = _seen(found.seen)

    @cached_property
    def contract(self) -> Contract | None:
        """The contract as the target's release documents it; None for a module that is not registered here."""
        try:
            contract = contract_of(self.module)
        except ContractError:
            return None
        try:
            return contract.at(str(self.target.environment["torch"]))
        except (KeyError, ValueError, StopIteration):
            return contract

    @cached_property
    def case(self) -> CaseTable | None:
        return laid_out(self._case, self.contract, self.claim, self.target.device) if self._case else None

    @cached_property
    def raw(self) -> str:
        """The case as the file has it, for one that this version cannot read."""
        return "" if self.case or not self.found.case else json.dumps(self.found.case, indent=1, sort_keys=True)

    @cached_property
    def _case(self) -> Case | None:
        try:
            return Case.from_json(self.found.case) if self.found.case else None
        except Exception:  # a run file of another version or from elsewhere: what it holds is shown as it is
            return None

    @cached_property
    def script(self) -> str:
        """The script with torch alone; empty where :attr:`no_script` says why there is none."""
        return self._script[0]

    @cached_property
    def no_script(self) -> str:
        return self._script[1]

    @cached_property
    def _script(self) -> tuple[str, str]:
        if self.contract is None:
            return "", f"No script: there is no contract for {self.module} in this installation."
        if self._case is None:
            return "", "" if self.found.case is None else "No script: the case was written by another version."
        found = self.found
        try:
            modified = [str(name) for name in found.seen.get("modified") or ()]
            text = torch_only(self.contract, self._case, expected=found.expected, observed=found.observed,
                              device=self.target.device or "cpu", mode=self.target.mode, modified=modified,
                              values=_of_numbers(found), order=order(found.seen))  # fmt: skip
            return text, ""
        except Exception as error:  # a contract may have changed since the run; the report is shown all the same
            return "", f"No script: the case does not fit the contract of this version ({error})."


def _of_numbers(found: Discrepancy) -> bool:
    """Whether a script has to show numbers; where only shapes matter, it is the shorter without."""
    return (
        any(part in found.claim for part in (".value.", ".gradients.", ".usage.")) or "give or take" in found.expected
    )


def _seen(seen: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the target said beside the one line of the observation."""
    names = ("status", "phase", "exception", "message", "warnings")
    told = {name: seen.get(name) for name in names}
    return [(name, "\n".join(map(str, v)) if isinstance(v, list) else str(v)) for name, v in told.items() if v]


def laid_out(case: Case, contract: Contract | None, claim: Mapping[str, Any], device: str) -> CaseTable | None:
    """The tables of a case, or None where its fields are not what this version expects of them."""
    try:
        if contract is not None and not _fits(case, contract):
            contract = None
        case = in_order(contract, case) if contract else _without_order(case)
        return CaseTable(
            call=_call(case, device, contract),
            arguments=[*_arguments(case, contract, device), *_options(case, contract)],
            omitted=_omitted(case, contract),
            inputs=_inputs(case),
            symbols=_symbols(case, contract, claim),
            facts=_facts(case, contract),
            violation=_violated(case.violation) if case.violation else "",
        )
    except Exception:  # as above: a file from elsewhere must not keep the rest of the report from the reader
        return None


def _fits(case: Case, contract: Contract) -> bool:
    """Whether the contract knows every argument of the case, so that ordering them loses none."""
    return {*case.arguments, *case.options} <= {a.name for a in (*contract.arguments, *contract.options)}


def _without_order(case: Case) -> Case:
    """The case of a contract that is not known here; nor is, once it was in a file, the order of its arguments."""
    return replace(case, arguments=dict(sorted(case.arguments.items())), options=dict(sorted(case.options.items())),
                   positional=0)  # fmt: skip


def _call(case: Case, device: str, contract: Contract | None) -> str:
    """The case in one line, ``LSTM(1, 2, batch_first=True)(input (1, 2, 1))``."""
    items = list(case.arguments.items())
    passed = [_passed(k, v, device) for k, v in items[: case.positional]]
    passed += [f"{k}={_passed(k, v, device)}" for k, v in items[case.positional :]]
    name = case.module.rpartition(".")[2]
    made = name if contract is not None and contract.function else f"{name}({', '.join(passed)})"
    given = [f"{item.name} {plain(item.shape)}" for item in case.inputs]
    given += [f"{k}={plain(v)}" for k, v in case.options.items()]
    return made if case.layout == "constructor" else f"{made}({', '.join(given)})"


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
