"""Gathers what the items report, wherever they ran, into one run file; then the verdict, the reports, the exit code."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conformance import __version__, report
from conformance.options import Options
from conformance.results import Discrepancy, Run, Stream, Tally, TargetRecord
from conformance.verdict import Verdict, verdict

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
        self.verdict: Verdict | None = None
        self._stream: Stream | None = None
        self._interrupted = ""
        self._error = ""

    # -- gathering ---------------------------------------------------------------------------------------------

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self._expect(ids)

    def _expect(self, nodeids: list[str]) -> None:
        for match in filter(None, map(_ITEM.search, nodeids)):
            self.expected[match["claim"], match["target"]] = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told: dict[str, Any] | None = getattr(report, "conformance", None)
        if told is None:
            return
        stream = self._open()
        for record in told["targets"]:
            known = self.targets.setdefault(record["name"], TargetRecord(**record))
            known.restarts = max(known.restarts, record["restarts"])
        if "error" in told and not self._error:
            self._error = f"while judging {told['claim']}: {told['error']}"
        for found in told.get("discrepancies", ()):
            discrepancy = Discrepancy(**found)
            self.discrepancies[discrepancy.id] = discrepancy
            stream.write("discrepancy", found)
        if tally := told.get("tally"):
            self.tallies[told["claim"], told["target"]] = Tally(**tally)
            stream.write("tally", tally)
        if timing := told.get("timing"):
            self.timing.append(timing)

    def _open(self) -> Stream:
        if self._stream is None:
            self._stream = Stream(self.path, {**self._header(), "targets": []})
        return self._stream

    def pytest_keyboard_interrupt(self) -> None:
        self._interrupted = "interrupted by the user"

    # -- concluding --------------------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.config.option.collectonly or exitstatus in (
            pytest.ExitCode.INTERNAL_ERROR,
            pytest.ExitCode.USAGE_ERROR,
        ):
            return
        if self._stream is not None:
            self._stream.close()
        run = self._run()
        self.verdict = verdict(run, self._cut_short(run), self._error)
        run.footer = self.verdict.to_json()
        run.write(self.path)
        report.write_all(run, Path(self.options.report))
        session.exitstatus = self.verdict.exit

    def _cut_short(self, run: Run) -> str:
        """Why the run is not whole, if it is not."""
        if self._interrupted:
            return self._interrupted
        absent = {record.name for record in run.targets if record.status != "ran"}
        missing = [key for key in self.expected if key not in self.tallies and key[1] not in absent]
        return (
            f"{len(missing)} of {len(self.expected)} claims were not judged, the first {missing[0][0]}"
            if missing
            else ""
        )

    def _run(self) -> Run:
        run = Run(self._header(), list(self.targets.values()), list(self.tallies.values()),
                  list(self.discrepancies.values()))  # fmt: skip
        run.header["cases"] = {
            module: sum(t["cases"] for t in self.timing if t["module"] == module)
            for module in dict.fromkeys(c["module"] for c in run.header["claims"])
        }
        groups = sorted(self.timing, key=lambda t: (t["module"], t["scenario"]))
        run.timing = {"started": self.started, "finished": _now(), "groups": groups}
        return run

    def _header(self) -> dict[str, Any]:
        wanted = {claim for claim, _ in self.expected}
        return {
            "suite": __version__,
            "seed": self.options.plan.seed,
            "profile": self.options.profile,
            "random_cases": self.options.plan.random_cases,
            "command": ["conformance", *sys.argv[1:]],
            "claims": [claim.to_json() for claim in self.options.claims if claim.id in wanted],
        }

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.verdict is None:
            return
        write = terminalreporter.write_line
        terminalreporter.section(self.verdict.word, green=self.verdict.exit == 0, red=self.verdict.exit == 1)
        write(self.verdict.reason)
        for record in self.targets.values():
            state = (
                f"torch {record.environment['torch']}"
                if record.status == "ran"
                else f"{record.status}: {record.reason}"
            )
            write(f"  {record.name}: {state}")
        cases = sum(group["cases"] for group in self.timing)
        write(f"  {cases} cases; {', '.join(f'{n} {word}' for word, n in self.verdict.counts.items())}")
        write(f"  report: {Path(self.options.report) / 'report.html'}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
