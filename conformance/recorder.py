"""Gathers what the items report, wherever they ran, into one run file; then the verdict, the reports, the exit code."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from conformance import __version__, report
from conformance.compare.difference import Difference, merged
from conformance.compare.gate import told
from conformance.hygiene import IMPROVEMENT, described, hygiene, settled
from conformance.options import Options
from conformance.oracle.claims import Claim
from conformance.report import github
from conformance.results import Discrepancy, Exercised, Run, Standing, Stream, Tally, TargetRecord
from conformance.verdict import INCONCLUSIVE, Verdict, verdict

_ITEM = re.compile(r"::(?P<claim>[^:\[]+)\[(?P<target>[^\]]+)\]$")


class Recorder:
    """Lives in the process that the person started; workers send their part in pytest's own reports."""

    def __init__(self, options: Options, config: pytest.Config) -> None:
        self.options = options
        self.config = config
        self.path = Path(options.report) / "run.jsonl"
        self.started = _now()
        self.expected: dict[tuple[str, str], None] = {}
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.discrepancies: dict[str, Discrepancy] = {}
        self.targets: dict[str, TargetRecord] = {}
        self.timing: list[dict[str, Any]] = []
        self.exercised: dict[tuple[str, str], Exercised] = {}
        self.differences: list[Difference] = []
        self.standings: list[Standing] = []
        self.verdict: Verdict | None = None
        self.run: Run | None = None
        self._stream: Stream | None = None
        self._interrupted = ""
        self._stopped = False
        self._died = ""
        self._error = ""

    # -- gathering ---------------------------------------------------------------------------------------------

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self._expect(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        if error:
            self._died = self._died or f"worker {node.gateway.id} died ({error})"

    def _expect(self, nodeids: list[str]) -> None:
        for match in filter(None, map(_ITEM.search, nodeids)):
            self.expected[match["claim"], match["target"]] = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told: dict[str, Any] | None = getattr(report, "conformance", None)
        if told is None:
            return
        for record in told["targets"]:
            self._meet(TargetRecord(**record))
        for name, count in told.get("restarts", {}).items():
            self.targets[name].restarts += count
        self._stopped |= told.get("stopped", False)
        if "error" in told and not self._error:
            self._error = f"while judging {told['claim']}: {told['error']}"
        for found in told.get("discrepancies", ()):
            discrepancy = Discrepancy(**found)
            self.discrepancies[discrepancy.id] = discrepancy
            self._write("discrepancy", found)
        if tally := told.get("tally"):
            self.tallies[told["claim"], told["target"]] = Tally(**tally)
            self._write("tally", tally)
        for part in told.get("exercised", ()):
            self._exercise(Exercised(**part))
            self._write("exercised", part)
        for standing in told.get("standings", ()):
            self.standings.append(Standing(**standing))
            self._write("standing", standing)
        for row in told.get("differences", ()):
            self.differences.append(self._used(Difference(**row)))
            self._write("difference", row)
        if timing := told.get("timing"):
            self.timing.append(timing)

    def _used(self, row: Difference) -> Difference:
        return replace(row, used=self.options.uses is None or self.options.uses.covers(row))

    def _exercise(self, part: Exercised) -> None:
        self.exercised.setdefault((part.module, part.target), Exercised(part.module, part.target)).add(part)

    def _meet(self, record: TargetRecord) -> None:
        """Notes a target as a process has it; one that any process has lost is lost. The members of a pool must be
        alike, and their environment is told as that of the first in the alphabet."""
        known = self.targets.setdefault(record.name, record)
        if record.status != "ran" and known.status == "ran":
            known.status, known.reason = record.status, record.reason
        elif record.status == "ran" and (unlike := _unlike(known.environment, record.environment)):
            known.status, known.reason = "lost", f"its processes differ in {unlike}; name them as targets of their own"
        known.environment = min(known.environment, record.environment, key=lambda e: (not e, json.dumps(e)))

    def _write(self, kind: str, line: dict[str, Any]) -> None:
        """A line of the run file; where it cannot be written, the run ends, for what it finds would be lost."""
        try:
            if self._stream is None:
                report.forget(self.path.parent)
                self._stream = Stream(self.path, {**self._header(), "targets": []})
            self._stream.write(kind, line)
        except OSError as error:
            self._interrupted = _unwritable(self.path, error)
            pytest.exit(self._interrupted)

    def pytest_keyboard_interrupt(self) -> None:
        self._interrupted = self._interrupted or "interrupted by the user"

    # -- concluding --------------------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.config.option.collectonly or exitstatus in (
            pytest.ExitCode.INTERNAL_ERROR,
            pytest.ExitCode.USAGE_ERROR,
        ):
            return
        self._close()
        run = self._run()
        self.verdict = verdict(run, self._cut_short(run), self._error)
        run.footer = self.verdict.to_json()
        self.run = run
        try:
            run.write(self.path)
            report.write_all(run, Path(self.options.report), self.options.contract_files)
            github.publish(run)
        except OSError as error:  # whoever looks for the report must not find that of another run, or none and exit 0
            self._doubt(_unwritable(error.filename or self.path, error))
        session.exitstatus = self.verdict.exit

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written before cannot be now
            if self._stream is not None:
                self._stream.close()

    def _doubt(self, said: str) -> None:
        assert self.verdict is not None
        if self.verdict.exit in (0, 5):
            self.verdict = replace(self.verdict, word=INCONCLUSIVE, reason=f"the run was cut short: {said}")
        print(f"conformance: {said}", file=sys.stderr)

    def _cut_short(self, run: Run) -> str:
        """Why the run is not whole, if it is not."""
        if self._interrupted:
            return self._interrupted
        absent = {record.name for record in run.targets if record.status != "ran"}
        missing = [key for key in self.expected if key not in self.tallies and key[1] not in absent]
        said = f"{len(missing)} of {len(self.expected)} claims were not judged" if missing else ""
        said += f", the first {missing[0][0]}" if missing else ""
        if self._died:
            return f"{self._died}; what it ran last is in in-flight-*.jsonl; {said or 'others judged its claims again'}"
        if self.options.stop_after and (missing or self._stopped):
            fewer = "every claim was judged, on fewer cases than planned"
            return f"stopped after {self.options.stop_after:g} s, as asked; {said or fewer}"
        return said

    def _run(self) -> Run:
        run = Run(self._header(), list(self.targets.values()), list(self.tallies.values()),
                  list(self.discrepancies.values()), exercised=list(self.exercised.values()),
                  differences=merged(self.differences), standings=settled(self.standings))  # fmt: skip
        run.header["cases"] = {
            module: sum(t["cases"] for t in self.timing if t["module"] == module)
            for module in dict.fromkeys(c["module"] for c in run.header["claims"])
        }
        run.header["ledger"] = self._explained(run)
        groups = sorted(self.timing, key=lambda t: (t["module"], t["scenario"]))
        run.timing = {"started": self.started, "finished": _now(), "groups": groups}
        return run

    def _explained(self, run: Run) -> dict[str, dict[str, str]]:
        """What the ledger says of the discrepancies that it knows."""
        met = {entry for tally in run.tallies for entry in tally.known}
        told = ("kind", "reason", "upstream", "releases", "review_by")
        entries = sorted((e for e in self.options.plan.ledger.entries if e.id in met), key=lambda entry: entry.id)
        return {entry.id: {name: getattr(entry, name) for name in told} for entry in entries}

    def _header(self) -> dict[str, Any]:
        wanted = {claim for claim, _ in self.expected}
        return {
            "suite": __version__,
            "seed": self.options.plan.seed,
            "profile": self.options.profile,
            "random_cases": self.options.plan.random_cases,
            "command": ["conformance", *sys.argv[1:]],
            **self._comparison(),
            **({"shard": self.options.shard.to_json()} if self.options.shard else {}),
            "entries": self._entries(wanted),
            "claims": [self._claim(claim) for claim in self.options.claims if claim.id in wanted],
        }

    def _claim(self, claim: Claim) -> dict[str, Any]:
        """A claim and its place among all that were selected, so that parts of a run can be joined in their order."""
        return {**claim.to_json(), "place": self.options.places[claim.id]}

    def _entries(self, wanted: set[str]) -> list[dict[str, Any]]:
        """The entries that speak of a claim of this run."""
        return [told for told in self._described if any(fnmatchcase(c, g) for c in wanted for g in told["claims"])]

    @cached_property
    def _described(self) -> list[dict[str, Any]]:
        return described(self.options.plan.ledger.entries, self.options.contract_files)

    def _comparison(self) -> dict[str, Any]:
        """What a comparison was asked for, so that its file can be judged again."""
        if self.options.levels is None:
            return {}
        uses = self.options.uses.to_json() if self.options.uses else None
        return {"comparison": {"levels": self.options.levels, "uses": uses}}

    def remarks(self) -> Iterator[str]:
        """What the terminal says of the seed of an exploration, and of the ledger: each improvement with its command,
        the rest in one line."""
        if self.options.profile == "nightly":
            yield f"  seed {self.options.plan.seed}: --seed {self.options.plan.seed} runs the same cases again"
        found = hygiene(self.run) if self.run else []
        yield from (f"  {r.kind}: {r.entry} {r.text}: {r.command}" for r in found if r.kind == IMPROVEMENT)
        others = Counter(r.kind for r in found if r.kind != IMPROVEMENT)
        if others:
            said = ", ".join(f"{count} {kind}" for kind, count in others.items())
            yield f"  ledger hygiene: {said} (conformance ledger check)"

    def told(self) -> list[str]:
        """What the terminal says beside verdict, targets and counts."""
        if self.verdict is None or self.verdict.differences is None:
            return []
        return list(told(merged(self.differences)))


def _unlike(one: dict[str, Any], other: dict[str, Any]) -> str:
    """What two processes of the same target differ in and must not."""
    alike = ("torch", "cuda", "cudnn", "device_name", "mode", "cpu_capability")
    return ", ".join(name for name in alike if one and other and one.get(name) != other.get(name))


def _unwritable(path: Any, error: OSError) -> str:
    return f"{path} cannot be written ({error.strerror or error}); what was written before is kept"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
