"""``conformance bisect``: the first of several torches on which a case ends otherwise than on the first one.

A binary search, so one change is assumed; environments are made only for the torches that it visits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.cases import Case, CaseError
from conformance.compare.heard import Heard, documents
from conformance.compare.levels import DEFAULTS, GATE
from conformance.compare.loading import loadable, loading
from conformance.compare.observer import rows
from conformance.compare.sides import Maker, SideError, spread
from conformance.judge import applies, evidence, judge
from conformance.options import Options
from conformance.oracle.claims import claims_of
from conformance.oracle.claims.claim import happened
from conformance.oracle.contract import Contract, in_range
from conformance.oracle.registry import contract_of
from conformance.replay import find
from conformance.results import read
from conformance.targets import Target, TargetSpec
from conformance.wire import to_wire

UNCHANGED = 4  # the exit code where every torch does the same


@dataclass
class Search:
    """A case, the field that changed if one is known, and what was heard so far."""

    case: Case
    contract: Contract
    names: Sequence[str]
    options: Options
    make: Maker
    changed: str | None = None
    heard: dict[int, Heard] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)

    def at(self, place: int) -> Heard:
        """The case on one of the torches; run at the first asking."""
        if place not in self.heard:
            spec = TargetSpec.parse(self.make.spec(self.names[place]))
            target = Target(spec, limit=self.options.limit).start()
            self.targets.append(target)
            self.heard[place] = self._run(target)
            print(f"  torch {target.environment['torch']}: {told(self.heard[place])}", flush=True)
        return self.heard[place]

    def _run(self, target: Target) -> Heard:
        release = target.release
        known = applies(self.contract, self.case, release)
        target.send_cases([to_wire(self.contract.at(release) if known else self.contract, self.case)])
        found = evidence(self.contract, self.case, target.receive_cases()[0], release, target.spec.device)
        if not documents(self.contract, self.case, release):
            return Heard(target, found, {}, documented=False)
        spoken = [c for c in claims_of(self.contract) if c.scenario == self.case.scenario and c.authority != "article"]
        return Heard(target, found, judge([c for c in spoken if in_range(c.releases, release)], found))

    def apart(self, place: int) -> bool:
        """Whether this torch differs from the first one, in the field that is looked for or in any that gates."""
        first, other = self.at(0), self.at(place)
        found = [one for one, _ in rows(first, other, self.options.plan.ledger)]
        if self.changed in ("loading", None) and loadable(first, other):
            found += [one for one, _ in loading(first, other)]
        if self.changed:
            return any(one.field == self.changed for one in found)
        return {*first.failures} != {*other.failures} or any(DEFAULTS[one.field] == GATE for one in found)

    def first_apart(self) -> int | None:
        """The place of the first torch that differs; None where the last one does not."""
        low, high = 0, len(self.names) - 1
        if not self.apart(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.apart(middle) else (middle, high)
        return high

    def close(self) -> None:
        for target in self.targets:
            target.close()


def told(heard: Heard) -> str:
    """How a case ended, in one line."""
    broken = f"; broken: {', '.join(sorted(heard.failures))}" if heard.failures else ""
    return f"{happened(heard.seen)}{'' if heard.documented else ' (not documented there)'}{broken}"


def bisect(name: str, texts: Sequence[str], options: Options, make: Maker) -> int:
    """Says since which torch the case ends as it does; 0, or 4 where it ends alike on all of them."""
    names = spread(texts)
    if len(names) < 2:
        raise SideError("bisect needs two torches or more, the oldest first")
    case, changed = _subject(name, options)
    search = Search(case, contract_of(case.module, options.contract_files), names, options, make, changed)
    try:
        place = search.first_apart()
        if place is None:
            print(f"{name}: ends alike on {names[0]} and {names[-1]}")
            return UNCHANGED
        print(f"{name}: since torch {search.at(place).target.environment['torch']}; the last without it is "
              f"{search.at(place - 1).target.environment['torch']}")  # fmt: skip
        return 0
    finally:
        search.close()


def _subject(name: str, options: Options) -> tuple[Case, str | None]:
    """The case that ``name`` stands for; of a row of a comparison also the field that differs."""
    path = Path(options.report) / "run.jsonl"
    for row in read(path).differences if path.is_file() and not Path(name).is_file() else ():
        if row.id == name:
            if row.case is None:
                raise CaseError(f"{name} is a difference of pages, which no case shows; compare two releases at a time")
            return Case.from_json(row.case), row.field
    return find(name, options), None
