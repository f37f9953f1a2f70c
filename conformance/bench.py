"""Where cases meet targets in one process: starts the targets once, runs each campaign once, keeps its outcome."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from conformance.campaign import Campaign, Outcome
from conformance.cases import Case
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
        self.targets = [Target(spec, limit=options.limit, prelude=prelude) for spec in options.targets]
        self.records = [
            TargetRecord(s.name, s.text, s.gateway, s.device, s.mode, s.required) for s in options.targets
        ]  # fmt: skip
        self.outcomes: dict[Group, Outcome] = {}
        self.interrupted = False
        self._journal = Journal(Path(options.report) / f"in-flight-{worker}.jsonl")
        self._started = False

    def start(self) -> None:
        """Starts every target, side by side; one that cannot be had is recorded with the reason."""
        if self._started:
            return
        self._started = True
        lost = start_all(self.targets)
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
            plan = replace(self.options.plan, random_cases=share(contract, scenario, self.options.plan.random_cases))
            self.outcomes[group] = Campaign(contract, scenario, claims, self.targets, plan, self._note).run()
            for target, record in ((t, r) for t in self.targets for r in self.records if r.name == t.spec.name):
                record.restarts = target.restarts
        return self.outcomes[group]

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


def share(contract: Contract, scenario: str, cases: int) -> int:
    """A scenario's part of a module's random cases: layouts get most, since most claims live there."""
    few = {"documentation": 0, "constructor": 2, "initialisation": 1, "dropout": 2, "misused": 2}
    weights = {name: few.get(name, 4) for name in scenarios_of(contract)}
    least = LEAST.get(scenario, 0)  # in every profile: boundary cases alone do not exercise all of their claims
    return max(least, cases * weights[scenario] // max(sum(weights.values()), 1))


class Journal:
    """The cases that are about to run, on disk before they run: a killed judge leaves the culprit behind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def note(self, cases: list[Case]) -> None:
        """Overwrites the file with these cases, one a line; no sync: it must outlive this process, not the machine."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        text = "\n".join(case.text for case in cases).encode()
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
        told["timing"] = {"module": claim.module, "scenario": claim.scenario, "cases": outcome.cases, **outcome.seconds}
    return told


def by_group(claims: list[Claim]) -> dict[Group, list[Claim]]:
    """The claims of each module and scenario, in order."""
    groups: dict[Group, list[Claim]] = defaultdict(list)
    for claim in claims:
        if claim not in groups[claim.module, claim.scenario]:
            groups[claim.module, claim.scenario].append(claim)
    return groups
