"""The pytest plugin: every claim x target is an item; the execution behind them is shared.

Used as ``pytest -p conformance.plugin --pyargs conformance.suite``, or through ``conformance run``. Items of one module
and scenario share one campaign, so with ``-n`` they stay on one worker (xdist's ``loadscope``).
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from conformance.bench import Bench, by_group, message
from conformance.ledger import LedgerError
from conformance.lock import Lock, LockError
from conformance.options import OptionError, Options, add_comparison, add_options, seed
from conformance.oracle.claims import Claim
from conformance.oracle.registry import ContractError
from conformance.recorder import Recorder
from conformance.results import Tally
from conformance.targets import SpecError
from conformance.terminal import ABSENT, Terminal

SUITE = Path(__file__).with_name("suite.py")


class ClaimBroken(Exception):
    """A discrepancy that the ledger does not know; its text is what a person needs."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    add_options(group.addoption)
    add_comparison(group.addoption)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Under ``-n`` the items of a campaign belong together; other ways of distributing would run it again."""
    if getattr(config.option, "numprocesses", None) and config.option.dist in ("no", "load"):
        config.option.dist = "loadscope"


def pytest_configure(config: pytest.Config) -> None:
    config.option.seed = seed(config.option)  # once: the workers are told
    try:
        options = Options.of(config.option)
    except (OptionError, SpecError, ContractError, LedgerError) as error:
        raise pytest.UsageError(str(error)) from None
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    if worker == "main" and not config.option.collectonly:
        config.stash[_LOCK] = _locked(options)
    config.stash[_BENCH] = Bench(options, worker)
    if worker == "main":
        recorder = Recorder(options, config)
        config.pluginmanager.register(recorder, "conformance-recorder")
        config.pluginmanager.register(Terminal(recorder, config), "conformance-terminal")
    _heed_interrupts(config.stash[_BENCH], alone=worker == "main")


def _locked(options: Options) -> Lock:
    lock = Lock(Path(options.report))
    try:
        lock.take()
    except LockError as error:
        raise pytest.UsageError(str(error)) from None
    for left in Path(options.report).glob("in-flight-*.jsonl"):  # by a run that was killed
        left.unlink(missing_ok=True)
    return lock


def _heed_interrupts(bench: Bench, alone: bool) -> None:
    """Ctrl-C interrupts as ever, and is remembered in case that is lost; the second one is not heeded, for what there
    is is being written, the third is. A worker ends before its next case, without a word: it is the
    controller that says what happened."""
    presses = itertools.count(1)

    def interrupt(number: int, frame: FrameType | None) -> None:
        bench.interrupted = True
        if alone and next(presses) != 2:
            signal.default_int_handler(number, frame)

    if not alone or signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)


_BENCH = pytest.StashKey[Bench]()
_LOCK = pytest.StashKey[Lock]()
_TOLD = pytest.StashKey[bool]()
_CLAIMS = pytest.StashKey[dict[tuple[str, str], list[Claim]]]()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return SuiteFile.from_parent(parent, path=file_path) if file_path == SUITE else None


class SuiteFile(pytest.File):
    """The suite: one collector a module."""

    def collect(self) -> Iterator[pytest.Collector]:
        claims = self.config.stash[_BENCH].options.claims
        for module in dict.fromkeys(claim.module for claim in claims):
            yield ModuleNode.from_parent(self, name=module, claims=[c for c in claims if c.module == module])


class ModuleNode(pytest.Collector):
    """A module: one collector a scenario."""

    def __init__(self, *, claims: list[Claim], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.claims = claims

    def collect(self) -> Iterator[pytest.Collector]:
        for scenario in dict.fromkeys(claim.scenario for claim in self.claims):
            mine = [claim for claim in self.claims if claim.scenario == scenario]
            yield ScenarioNode.from_parent(self, name=scenario, claims=mine)


class ScenarioNode(pytest.Collector):
    """The cases of a module that exercise these claims."""

    def __init__(self, *, claims: list[Claim], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.claims = claims

    def collect(self) -> Iterator[pytest.Item]:
        for spec in self.config.stash[_BENCH].options.targets:
            for claim in self.claims:
                yield ClaimItem.from_parent(self, name=f"{claim.id}[{spec.name}]", claim=claim, target=spec.name)


class ClaimItem(pytest.Item):
    """One claim on one target."""

    def __init__(self, *, claim: Claim, target: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.claim = claim
        self.target = target
        self.first = False

    def setup(self) -> None:
        """Starts the targets, so that the terminal can say so before the first campaign has ended."""
        self.config.stash[_BENCH].start()

    def runtest(self) -> None:
        bench = self.config.stash[_BENCH]
        record = next(record for record in bench.records if record.name == self.target)
        group = (self.claim.module, self.claim.scenario)
        known = bench.outcomes.get(group)
        if record.status != "ran" and (known is None or (self.claim.id, self.target) not in known.tallies):
            _absent(record.required, record.reason)
        if known is None and bench.over():
            pytest.skip("not run: the time that was given to the run is over")
        self.first = group not in bench.outcomes
        try:
            outcome = bench.outcome(*group, self._companions(group))
        except Exception:
            if bench.interrupted:  # Hypothesis fails in its own way where an interrupt meets it unprepared
                raise KeyboardInterrupt from None
            raise
        tally = outcome.tallies[self.claim.id, self.target]
        shown = [d for d in outcome.discrepancies if (d.claim, d.target) == (self.claim.id, self.target)]
        if tally.broken and bench.excused(group, self.claim.id, self.target):
            pytest.xfail("broken, and no regression")
        _conclude(self.claim, tally, shown)

    def _companions(self, group: tuple[str, str]) -> list[Claim]:
        """The claims of this campaign that this session will ask for."""
        stash = self.session.config.stash
        if _CLAIMS not in stash:
            stash[_CLAIMS] = by_group([item.claim for item in self.session.items if isinstance(item, ClaimItem)])
        return stash[_CLAIMS][group]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if excinfo.errisinstance(ClaimBroken) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.claim.id}[{self.target}]"


def _absent(required: bool, reason: str) -> None:
    if required:
        raise ClaimBroken(f"{ABSENT}: {reason}")
    pytest.skip(f"{ABSENT}: {reason}")


def _conclude(claim: Claim, tally: Tally, shown: list[Any]) -> None:
    """The end of an item: passes, or says which of the other ends it came to."""
    if claim.authority == "article" and tally.broken:
        pytest.xfail(f"article refuted: {shown[0].observed}")
    match tally.outcome:
        case "failed" | "flaky":
            raise ClaimBroken(describe(claim, shown[-1]))
        case "known":
            pytest.xfail(f"known: {', '.join(sorted(tally.known))}")
        case "lost":
            raise ClaimBroken("the target was lost in the middle and could not be started again")
        case "not exercised" | "unsupported" | "not documented" as word:
            pytest.skip(word)


def describe(claim: Claim, found: Any) -> str:
    """A discrepancy in the terminal: the promise, what happened, the case, how to see it again."""
    case = found.case or {}
    lines = [
        f"{claim.statement}",
        f"  source    {claim.module}, {claim.source}",
        f"  expected  {found.expected}",
        f"  observed  {found.observed}   [{found.severity}]",
    ]
    if case:
        lines.append(f"  case      {case['layout']}: {case['arguments']}")
        lines += [f"            {i['name']} {tuple(i['shape'])} {i['dtype']}" for i in case["inputs"]]
    if not found.reproduced:
        lines.append(f"  flaky     {found.rate}")
    return "\n".join([*lines, f"  replay    conformance replay {found.id}"])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if isinstance(item, ClaimItem) and call.when == "setup":
        report.__dict__["started"] = _started(item.config)
    if isinstance(item, ClaimItem) and (call.when == "call" or (call.when == "setup" and call.excinfo)):
        bench = item.config.stash[_BENCH]
        known = (item.claim.module, item.claim.scenario) in bench.outcomes
        told: dict[str, Any] = {"claim": item.claim.id, "target": item.target} | (
            message(bench, item.claim, item.target, item.first) if known else {"targets": _records(bench)}
        )
        if call.excinfo and call.excinfo.errisinstance(Exception) and not call.excinfo.errisinstance(ClaimBroken):
            told["error"] = call.excinfo.exconly().strip().splitlines()[-1]
        report.__dict__["conformance"] = told  # xdist carries whatever a report's __dict__ holds
    return report


def _started(config: pytest.Config) -> list[tuple[dict[str, Any], float]]:
    """What a process tells once: its targets, and how long they took to start."""
    if _TOLD in config.stash:
        return []
    config.stash[_TOLD] = True
    bench = config.stash[_BENCH]
    return [(record, bench.started_in) for record in _records(bench)]


def _records(bench: Bench) -> list[dict[str, Any]]:
    return [dict(vars(record)) for record in bench.records]


def pytest_unconfigure(config: pytest.Config) -> None:
    if bench := config.stash.get(_BENCH, None):
        bench.close()
    if lock := config.stash.get(_LOCK, None):
        lock.release()
