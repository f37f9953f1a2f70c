"""A discrepancy as a reader needs it: promise, observation, pictures, minimal case, script."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

from conformance.cases import Case
from conformance.oracle.contract import Contract
from conformance.oracle.registry import ContractError, contract_of
from conformance.report import scene
from conformance.report.casetable import CaseTable, fits, laid_out
from conformance.report.mathml import formula
from conformance.report.numbers import order
from conformance.report.places import Places, places
from conformance.report.script import torch_only
from conformance.report.shrunk import Shrunk, shrunk
from conformance.report.tensors import Tensor
from conformance.report.view import View
from conformance.results import Discrepancy

_Shown = TypeVar("_Shown")


class Card:
    """One discrepancy; whatever of it cannot be laid out is still shown as it stands in the run file."""

    def __init__(self, found: Discrepancy, view: View) -> None:
        self.found = found
        self.id = found.id
        self.files = view.contract_files
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
            contract = contract_of(self.module, self.files)
        except ContractError:
            return None
        try:
            return contract.at(str(self.target.environment["torch"]))
        except (KeyError, ValueError, StopIteration):
            return contract

    @cached_property
    def case(self) -> CaseTable | None:
        return laid_out(self.plain, self.contract, self.claim, self.target.device) if self.plain else None

    @cached_property
    def raw(self) -> str:
        """The case as the file has it, for one that this version cannot read."""
        return "" if self.case or not self.found.case else json.dumps(self.found.case, indent=1, sort_keys=True)

    @cached_property
    def plain(self) -> Case | None:
        """The minimal case itself."""
        try:
            return Case.from_json(self.found.case) if self.found.case else None
        except Exception:  # a run file of another version or from elsewhere: what it holds is shown as it is
            return None

    # -- pictures ----------------------------------------------------------------------------------------------

    @cached_property
    def inputs(self) -> list[Tensor]:
        """What went in."""
        return self._drawn(lambda case, contract: scene.inputs(case, contract), [])

    @cached_property
    def outputs(self) -> list[Tensor]:
        """What came out; where nothing did, what the page documents."""
        drawn: list[Tensor] = self._drawn(lambda case, contract: scene.outputs(case, contract, self.found.seen), [])
        beyond = (self.found.where or {}).get("of")
        return [replace(one, differs=True, note="wrong values") if one.name == beyond else one for one in drawn]

    @cached_property
    def parameters(self) -> list[Tensor]:
        """The parameters that are not as documented."""
        return self._drawn(lambda case, contract: scene.parameters(case, contract, self.found.seen), [])

    @property
    def answered(self) -> bool:
        """Whether the call gave anything."""
        return self.found.seen.get("status") == "ok"

    @cached_property
    def places(self) -> Places | None:
        """Where values or gradients are beyond their bounds."""
        where = self.found.where
        if not where:
            return None
        return self._drawn(lambda case, contract: places(where, case, contract, order(self.found.seen)), None)

    @cached_property
    def shrunk(self) -> Shrunk:
        return shrunk(self.found.first, self.plain)

    def _drawn(self, draw: Callable[[Case, Contract], _Shown], otherwise: _Shown) -> _Shown:
        """A picture of the case; none where it does not fit the contract: a run file may come from anywhere."""
        if self.plain is None or self.contract is None:
            return otherwise
        try:
            return draw(self.plain, self.contract) if fits(self.plain, self.contract) else otherwise
        except Exception:  # as with the tables: what the file holds must not keep the rest from the reader
            return otherwise

    # -- script ------------------------------------------------------------------------------------------------

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
        if self.plain is None:
            return "", "" if self.found.case is None else "No script: the case was written by another version."
        found = self.found
        try:
            modified = [str(name) for name in found.seen.get("modified") or ()]
            text = torch_only(self.contract, self.plain, expected=found.expected, observed=found.observed,
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
