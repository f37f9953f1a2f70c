"""Where cases meet targets in one process: starts the targets once, runs each campaign once, keeps its outcome."""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from conformance.campaign import Campaign, Outcome, Plan
from conformance.cases import Case
from conformance.compare.difference import REGRESSED
from conformance.compare.observer import Comparison
from conformance.ledger import Ledger
from conformance.options import Options
from conformance.oracle.claims import Claim, scenarios_of
from conformance.oracle.contract import Contract
from conformance.oracle.registry import contract_of
from conformance.results import TargetRecord
from conformance.targets import Target, start_all

Group = tuple[str, str]  # module, scenario
LEAST = {"dropout": 80}


class Bench:
    """The targets of a process and the campaigns run on them."""

    def __init__(self, options: Options, worker: str = "main", prelude: str = "") -> None:
        self.options = options
        number = int(worker.removeprefix("gw")) if worker.startswith("gw") else 0
        self.targets = [Target(s.member(number), limit=options.limit, prelude=prelude) for s in options.targets]
        self.records = [
            TargetRecord(s.name, s.text, s.gateway, s.device, s.mode, s.required, role=s.role) for s in options.targets
        ]  # fmt: skip
        self.outcomes: dict[Group, Outcome] = {}
        self.comparisons: dict[Group, Comparison] = {}
        self.restarts: dict[Group, dict[str, int]] = {}
        self.interrupted = False
        self._ends = time.perf_counter() + (options.stop_after or math.inf)
        self._journal = Journal(Path(options.report) / f"in-flight-{worker}.jsonl")
        self._started = False
        self.started_in = 0.0

    def start(self) -> None:
        """Starts every target, side by side; one that cannot be had is recorded with the reason."""
        if self._started:
            return
        self._started = True
        began = time.perf_counter()
        lost = start_all(self.targets)
        self.started_in = time.perf_counter() - began
        for target, record in zip(self.targets, self.records, strict=True):
            record.environment = target.environment
            if reason := lost.get(record.name):
                record.status = "lost" if record.required else "not run"
                record.reason = reason
        self.targets = [target for target in self.targets if target.spec.name not in lost]

    def outcome(self, module: str, scenario: str, claims: list[Claim]) -> Outcome:
        """The outcome of a campaign; run at the first asking, for all the claims that anyone will ask for."""
        group = (module, scenario)
        if group not in self.outcomes:
            self.start()
            contract = contract_of(module, self.options.contract_files)
            plan = self._plan(contract, scenario)
            if self.options.levels is not None:
                self.comparisons[group] = Comparison(contract, scenario, plan.ledger, self.options.levels)
            before = {target.spec.name: target.restarts for target in self.targets}
            campaign = Campaign(contract, scenario, claims, self.targets, plan, self._note, self.comparisons.get(group),
                                self.over)  # fmt: skip
            self.outcomes[group] = campaign.run()
            self.restarts[group] = {t.spec.name: t.restarts - before[t.spec.name] for t in self.targets}
            self._lose(self.outcomes[group].lost)
        return self.outcomes[group]

    def over(self) -> bool:
        """Whether the time that was given to the run is over."""
        return time.perf_counter() > self._ends

    def _lose(self, lost: dict[str, str]) -> None:
        """No campaign waits again for a target that is gone."""
        for record in self.records:
            if record.name in lost:
                record.status, record.reason = "lost", lost[record.name]
        self.targets = [target for target in self.targets if target.spec.name not in lost]

    def _plan(self, contract: Contract, scenario: str) -> Plan:
        """This campaign's part of the plan, with its stored cases; where there are some, a few random ones are not
        needed to exercise every claim."""
        plan, stored = self.options.plan, self.options.corpus.cases(contract.module, scenario)
        if not plan.ledger.entries:  # nothing is explained then, but all that is known is shown
            plan = replace(plan, given=(*plan.given, *self._frozen(contract.module)))
        cases = share(contract, scenario, plan.random_cases, least=not stored or plan.boundary != "essential")
        return replace(plan, random_cases=cases, given=(*plan.given, *stored))

    def _frozen(self, module: str) -> list[Case]:
        return [entry.case for entry in self._own.frozen(module) if entry.case]

    @cached_property
    def _own(self) -> Ledger:
        return Ledger.load()

    def excused(self, group: Group, claim: str, target: str) -> bool:
        """Whether a comparison is not concerned with a broken claim: the new release broke nothing that was kept."""
        found = self.comparisons.get(group)
        rows = [row for row in found.differences if row.bucket == REGRESSED] if found else []
        return found is not None and (target == "old" or not any(claim in row.broken_new for row in rows))

    def _note(self, cases: list[Case]) -> None:
        """Before some cases run. An interrupt that came while garbage was collected was lost: Python drops what a
        callback of the collector raises, and Hypothesis has one."""
        if self.interrupted:
            raise KeyboardInterrupt
        self._journal.note(cases)

    def close(self) -> None:
        """Ends the targets; a run that came this far leaves no case in flight."""
        for target in self.targets:
            target.close()
        self._journal.close()


def share(contract: Contract, scenario: str, cases: int, least: bool = True) -> int:
    """A scenario's part of a module's random cases: layouts get most, since most claims live there."""
    few = {"documentation": 0, "constructor": 2, "initialisation": 1, "dropout": 2, "misused": 2}
    weights = {name: few.get(name, 4) for name in scenarios_of(contract)}
    enough = LEAST.get(scenario, 0) if least else 0  # boundary cases alone do not exercise all of their claims
    return max(enough, cases * weights[scenario] // max(sum(weights.values()), 1))


class Journal:
    """The cases that are about to run, on disk before they run: a killed judge leaves the culprit behind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def note(self, cases: list[Case]) -> None:
        """Overwrites the file with these cases, one a line; no sync: it must outlive this process, not the machine.
        Where it cannot be written the run goes on: nothing is judged by it."""
        text = "\n".join(case.text for case in cases).encode()
        with suppress(OSError):
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            os.pwrite(self._file, text, 0)
            os.ftruncate(self._file, len(text))

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
            with suppress(OSError):
                self.path.unlink()


def message(bench: Bench, claim: Claim, target: str, first: bool) -> dict[str, Any]:
    """What one item tells the recorder, as plain data: it travels in pytest's own report, between machines too."""
    outcome = bench.outcomes[claim.module, claim.scenario]
    tally = outcome.tallies.get((claim.id, target))
    found = [d for d in outcome.discrepancies if (d.claim, d.target) == (claim.id, target)]
    told: dict[str, Any] = {
        "tally": asdict(tally) if tally else None,
        "discrepancies": [asdict(d) for d in found],
        "targets": [asdict(record) for record in bench.records],
    }
    if first:
        told["restarts"], told["stopped"] = bench.restarts[claim.module, claim.scenario], outcome.stopped
        told["timing"] = {"module": claim.module, "scenario": claim.scenario, "cases": outcome.cases, **outcome.seconds}
        told.update(_compared(bench, (claim.module, claim.scenario), told["timing"]))
        told["standings"] = [asdict(standing) for standing in outcome.standings]
        told["exercised"] = [e.record(claim.module, name).to_json() for name, e in outcome.exercised.items()]
    return told


def _compared(bench: Bench, group: Group, timing: dict[str, Any]) -> dict[str, Any]:
    """What a comparison adds: the rows of a campaign and, to its times, what torch itself took on both sides."""
    found = bench.comparisons.get(group)
    if found is None:
        return {}
    timing |= {"compared": found.compared, "old": found.seconds[0], "new": found.seconds[1]}
    return {"differences": [asdict(row) for row in found.differences]}


def by_group(claims: list[Claim]) -> dict[Group, list[Claim]]:
    """The claims of each module and scenario, in order."""
    groups: dict[Group, list[Claim]] = defaultdict(list)
    for claim in claims:
        if claim not in groups[claim.module, claim.scenario]:
            groups[claim.module, claim.scenario].append(claim)
    return groups
