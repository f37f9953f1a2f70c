"""Findings by root cause: one card for what is one defect, however many claims, layouts and targets show it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conformance.report.cards import Card
from conformance.report.entry import draft
from conformance.report.upstream import after_the_script, before_the_script
from conformance.report.view import View
from conformance.results import Discrepancy, TargetRecord

_NUMBER = re.compile(r"-?\d[\d.]*(?:e[+-]?\d+)?")
_LINK = re.compile(r"https://[\w./#?=&%-]+", re.ASCII)
_SIZES = re.compile(r"#(?:, #)+")


@dataclass(frozen=True)
class OnTarget:
    """What one target makes of a root cause: ``word`` is an outcome, ``text`` says it in full."""

    target: TargetRecord
    word: str
    text: str


class Cause:
    """One root cause: the finding that shows it best, and all others."""

    def __init__(self, found: Sequence[Discrepancy], view: View) -> None:
        self.view = view
        self.found = sorted(found, key=lambda d: (_size(d), d.target, d.id))
        self.lead = Card(next(d for d in self.found if d.severity == found[0].severity), view)

    @property
    def id(self) -> str:
        return self.lead.id

    @property
    def known(self) -> str | None:
        return self.lead.found.ledger

    @cached_property
    def others(self) -> list[Discrepancy]:
        """The findings that the card does not lay out."""
        return [d for d in self.found if d.id != self.id]

    @cached_property
    def claims(self) -> list[str]:
        return sorted({d.claim for d in self.found})

    @cached_property
    def targets(self) -> list[OnTarget]:
        """Every target of the run, whether it shows the cause or not."""
        return [self._on(target) for target in self.view.targets]

    @cached_property
    def entry(self) -> str:
        """The ledger entry to add, as TOML; none for what the ledger knows."""
        if self.known:
            return ""
        card, started = self.lead, str(self.view.run.timing.get("started", ""))
        reason = f"TODO: say why. {card.module}: {card.statement}; observed: {card.found.observed}"
        claims = [d.claim for d in self.found if d.severity == card.found.severity]
        try:
            return draft(card.found, sorted(set(claims)), self.showing, card.plain, card.contract, reason, started)
        except Exception:  # as with scripts: a case of another version has no entry, and the report goes on
            return ""

    @property
    def issue(self) -> tuple[str, str]:
        """The text for those who maintain torch, before the script and after it."""
        return before_the_script(self), after_the_script(self)

    @property
    def upstream(self) -> str:
        """Where the known discrepancy is discussed."""
        known = self.view.run.header.get("ledger")
        entry = known.get(self.known) if isinstance(known, dict) else None
        link = str(entry.get("upstream", "")) if isinstance(entry, dict) else ""
        return link if _LINK.fullmatch(link) else ""

    @property
    def reason(self) -> str:
        """What the ledger says of the known discrepancy."""
        known = self.view.run.header.get("ledger")
        entry = known.get(self.known) if isinstance(known, dict) else None
        return str(entry.get("reason", "")) if isinstance(entry, dict) else ""

    @property
    def showing(self) -> list[TargetRecord]:
        return [one.target for one in self.targets if one.word == "shown"]

    def _on(self, target: TargetRecord) -> OnTarget:
        mine = [d for d in self.found if d.target == target.name]
        if mine:
            worst = max(mine, key=self.view.hits)
            tally = self.view.tallies.get((worst.claim, target.name))
            hits = self.view.hits(worst)
            return OnTarget(target, "shown", f"{hits} of {max(tally.exercised if tally else 0, hits)} cases")
        word = self.view.outcome(self.lead.found.claim, target)
        tally = self.view.tallies.get((self.lead.found.claim, target.name))
        if word == "passed" and tally:
            return OnTarget(target, "not shown", f"kept in {tally.kept} cases")
        return OnTarget(target, word, "")


def causes(view: View) -> list[Cause]:
    """The root causes, worst first: the order of the findings that show them."""
    groups: dict[tuple[Any, ...], list[Discrepancy]] = {}
    for found in view.discrepancies:
        groups.setdefault(_key(found, view), []).append(found)
    return [Cause(found, view) for found in groups.values()]


def _key(found: Discrepancy, view: View) -> tuple[Any, ...]:
    """A ledger entry is one root cause. Otherwise one is what the same module does in the same way against the same
    promise, whatever the layout and the target; wrong values under one configuration are one, whatever they are of."""
    if found.ledger:
        return ("known", found.ledger)
    module, subject = view.module_of(found), _subject(found, view)
    if found.severity in ("crash", "hang") and "memory_safety" not in subject:
        return (module, found.severity, without_numbers(found.observed))  # whatever was done with the module
    if found.severity == "silent" and subject.endswith((".value", ".gradients.presence")):
        return (module, "values", *_configuration(found))
    return (module, subject, found.severity, without_numbers(found.observed))


def _subject(found: Discrepancy, view: View) -> str:
    """The claim without the layout that it is made for."""
    layout = (found.case or {}).get("layout")
    scenario = view.by_id.get(found.claim, {}).get("scenario")
    return found.claim.removesuffix(f".{scenario}").removesuffix(f".{layout}")


def _configuration(found: Discrepancy) -> Iterable[str]:
    """What a case sets beside its sizes."""
    case = found.case or {}
    passed = case.get("arguments")
    flags = {k: v for k, v in passed.items() if type(v) in (bool, str)} if isinstance(passed, dict) else {}
    packed = case.get("layout") == "packed"
    return (str(packed), str(case.get("usage")), json.dumps(flags, sort_keys=True))


def without_numbers(text: str) -> str:
    """The text with every number, and every list of numbers, taken out."""
    return _SIZES.sub("#", _NUMBER.sub("#", text))


def _size(found: Discrepancy) -> int:
    return len(json.dumps(found.case)) if found.case else 0
