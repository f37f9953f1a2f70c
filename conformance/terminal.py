"""What a run says in the terminal: which targets started, how far it is, and in the end the report in little."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from conformance.compare.difference import clipped
from conformance.recorder import Recorder
from conformance.report.causes import Cause, causes
from conformance.report.view import SYMBOLS, View, printable

WORST = 3
ABSENT = "not run"
_LINE = 200


class Terminal:
    """Speaks for the recorder. With ``-q``, as ``conformance run`` has it, a line a module takes the place of a letter
    an item; on a terminal a bar says what is running."""

    def __init__(self, recorder: Recorder, config: pytest.Config) -> None:
        self.recorder = recorder
        self.config = config
        self.brief = config.get_verbosity() < 0
        self._started: set[str] = set()
        self._items: set[str] = set()
        self._left: Counter[str] = Counter()
        self._outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self._bar: Bar | None = None

    # -- while it runs -----------------------------------------------------------------------------------------

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self._expect(ids)

    def _expect(self, nodeids: list[str]) -> None:
        """Every worker collects all items."""
        for nodeid in set(nodeids) - self._items:
            self._items.add(nodeid)
            self._left[_place(nodeid)[0]] += 1

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self.brief:
            self._live().running(" ".join(_place(nodeid)))

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> Generator[None, Any, Any]:
        """An item of an optional target that is not there prints no letter and is not a skipped one."""
        category, letter, word = yield
        if _is_absent(report):
            return ABSENT, "", ABSENT.upper() if self.config.get_verbosity() > 0 else ""
        return (category, "", word if report.failed else "") if self.brief else (category, letter, word)

    @pytest.hookimpl(trylast=True)  # after the recorder, whose sums it tells
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for record, seconds in getattr(report, "started", ()):
            self._say_started(record, seconds)
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self._count(report)

    def _say_started(self, record: dict[str, Any], seconds: float) -> None:
        if record["name"] in self._started:
            return
        self._started.add(record["name"])
        torch = record["environment"].get("torch")
        state = f"torch {torch}, started in {seconds:.1f} s" if record["status"] == "ran" else _absence(record)
        self._say(f"{record['name']}: {state}")

    def _count(self, report: pytest.TestReport) -> None:
        module = _place(report.nodeid)[0]
        self._left[module] -= 1
        self._outcomes[module][_outcome(report)] += 1
        if self.brief:
            self._live().done(sum(group["cases"] for group in self.recorder.timing))
        if self._left[module] == 0 and self.brief:
            self._say(self._module_line(module))

    def _module_line(self, module: str) -> str:
        groups = [group for group in self.recorder.timing if group["module"] == module]
        cases, seconds = sum(g["cases"] for g in groups), sum(g["total"] for g in groups)
        counts = ", ".join(f"{n} {word}" for word, n in sorted(self._outcomes[module].items()))
        return f"{module}: {cases:,} cases in {seconds:.1f} s: {counts}"

    def _live(self) -> Bar:
        if self._bar is None:
            console = Console(file=self.config.get_terminal_writer()._file, highlight=False)
            self._bar = Bar(console, len(self._items), live=self.brief and console.is_terminal)
        return self._bar

    def _say(self, text: str) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and not self.brief:
            reporter.ensure_newline()
        self._live().print(printable(text))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self._stop()

    def pytest_keyboard_interrupt(self) -> None:
        self._stop()

    def pytest_unconfigure(self) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    # -- in the end --------------------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        verdict = self.recorder.verdict
        if verdict is None:
            return
        terminalreporter.section(f"{SYMBOLS[verdict.word]} {verdict.word}", green=verdict.exit == 0,
                                 red=verdict.exit == 1)  # fmt: skip
        for line in self._summary():
            terminalreporter.write_line(printable(line))

    def _summary(self) -> Iterator[str]:
        recorder = self.recorder
        assert recorder.verdict is not None
        yield recorder.verdict.reason
        for record in recorder.targets.values():
            ran = record.status == "ran"
            torch = f"torch {record.environment.get('torch')}"
            yield f"  {record.name}: {torch if ran else _absence(vars(record))}"
        yield from recorder.told()
        cases = sum(group["cases"] for group in recorder.timing)
        counts = ", ".join(f"{n} {word}" for word, n in recorder.verdict.counts.items())
        yield f"  {cases:,} cases; {counts or 'no results'}"
        if recorder.run is not None:
            yield from worst(View(recorder.run, recorder.options.contract_files))
        yield from recorder.remarks()
        yield f"  report: {Path(recorder.options.report) / 'report.html'}"


def worst(view: View) -> Iterator[str]:
    """The worst root causes that the ledger does not know, one line each."""
    unknown = [cause for cause in causes(view) if cause.known is None]
    if not unknown:
        return
    yield f"  the worst of {len(unknown)} root causes:" if len(unknown) > WORST else "  root causes, worst first:"
    yield from (f"    {_one_line(cause)}" for cause in unknown[:WORST])


def _one_line(cause: Cause) -> str:
    found = cause.lead.found
    shown = ", ".join(target.name for target in cause.showing)
    what = f"{SYMBOLS['failed']} {found.severity}: {found.claim} on {shown}"
    return clipped(" ".join(f"{what}: expected {found.expected}; {found.observed}".split()), _LINE)


class Bar:
    """A bar that says what runs, where it is live; elsewhere lines alone."""

    def __init__(self, console: Console, total: int, live: bool) -> None:
        self._console = console
        self._progress: Progress | None = None
        if live:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                       TextColumn("claims, {task.fields[cases]} cases"), TimeElapsedColumn())  # fmt: skip
            self._progress = Progress(*columns, console=console, transient=True, refresh_per_second=4)
            self._task = self._progress.add_task("", total=total, cases="0")
            self._progress.start()

    def running(self, text: str) -> None:
        """Says what has begun."""
        if self._progress:
            self._progress.update(self._task, description=escape(text))

    def done(self, cases: int) -> None:
        """One claim more is judged, after so many cases in all."""
        if self._progress:
            self._progress.update(self._task, advance=1, cases=f"{cases:,}")

    def print(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, markup=False, emoji=False, soft_wrap=True)

    def stop(self) -> None:
        """Leaves the terminal to others."""
        if self._progress:
            self._progress.stop()
            self._progress = None


def _place(nodeid: str) -> tuple[str, str]:
    """Module and scenario of an item."""
    parts = nodeid.split("::")
    return (parts[1], parts[2]) if len(parts) > 3 else (nodeid, "")


def _is_absent(report: pytest.TestReport) -> bool:
    return _skipped(report).startswith(f"{ABSENT}: ")


def _skipped(report: pytest.TestReport) -> str:
    """Why an item was skipped; empty where it was not."""
    told = report.longrepr if report.skipped else None
    return str(told[2]).removeprefix("Skipped: ") if isinstance(told, tuple) else ""


def _outcome(report: pytest.TestReport) -> str:
    """The outcome of an item in the words of the report."""
    if hasattr(report, "wasxfail"):
        return "known" if report.wasxfail.startswith("known") else "broken, and no matter to the verdict"
    return ABSENT if _is_absent(report) else _skipped(report) or report.outcome


def _absence(record: dict[str, Any]) -> str:
    return f"{record['status']}: {record['reason']}"
