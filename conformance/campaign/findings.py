"""The smallest case of a failure, made sure of: what does not come again every time is flaky."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from conformance.campaign.execution import Execution
from conformance.campaign.plan import DEADLY, Key, discrepancy, rank
from conformance.cases import Case
from conformance.oracle.claims import Failure
from conformance.results import Discrepancy
from conformance.strategies.reduce import HANGS, TRIES, Choices, reduce
from conformance.targets import Target

CONFIRM, COUNT = 3, 5  # how often a discrepancy must come again to be one; of how many runs the rate of a flaky one is
# Claims that something is the same every time: what breaks them once, breaks them.
DETERMINISM = ("*.usage.repeated*", "*.seed.same*")


class Findings:
    """What broke, by claim and target, each with its smallest case."""

    def __init__(self, execution: Execution, scenario: str, shrink: bool, over: Callable[[], bool]) -> None:
        self.execution = execution
        self.scenario = scenario
        self.shrink = shrink
        self.over = over
        self.found: dict[Key, Discrepancy] = {}

    def add(self, key: Key, failure: Failure, seen: Mapping[str, Any], case: Case, choices: Choices) -> None:
        """Records what breaks for the first time, or worse than before, and looks for its smallest case. Where its
        target was lost meanwhile, nobody can tell whether it comes again."""
        if key in self.found and rank(failure) >= rank(self.found[key]):
            return
        self.record(key, failure, seen, case)
        target = self.execution.target(key[1])
        if not self.shrink:
            return
        if target is None:
            self.found[key].reproduced, self.execution.outcome.tallies[key].flaky = False, True
        elif choices:
            self._reduce(key, choices, target)
        else:
            self._confirm(key, [case], target)

    def record(self, key: Key, failure: Failure, seen: Mapping[str, Any], case: Case | None) -> None:
        """Takes note of a failure as it is."""
        self.found[key] = discrepancy(key, self.execution.contract.module, failure, seen, case)

    def _reduce(self, key: Key, choices: Choices, target: Target) -> None:
        """The minimal case of a failure, confirmed in a fresh process."""
        worst, deadly = rank(self.found[key]), self.found[key].severity in DEADLY
        tries = HANGS if self.found[key].severity == "hang" else TRIES
        last: dict[str, tuple[Failure, Mapping[str, Any]]] = {}

        def fails(case: Case) -> bool:
            if target not in self.execution.targets or self.over():
                return False
            broken = self.execution.execute([case], [target], apart=deadly)[0].get(key)
            if broken is None or rank(broken[0]) > worst:
                return False
            last[case.hash] = broken
            return True

        first = self.found[key].case
        smallest = reduce(self.execution.contract, self.scenario, choices, fails, tries)
        if shown := last.get(smallest.hash):
            self.record(key, *shown, smallest)
        self._confirm(key, [smallest, *([Case.from_json(first)] if first else [])], target)
        self.found[key].first = None if self.found[key].case == first else first

    def _confirm(self, key: Key, cases: list[Case], target: Target) -> None:
        """Runs the minimal case again in a fresh process, and the first one if that breaks nothing there."""
        for case in {case.text: case for case in cases}.values():
            shown = self.execution.again(key, case, target, CONFIRM)
            if shown:
                self.record(key, *min(shown, key=lambda found: rank(found[0])), case)
                break
        else:
            case = cases[0]
        tries = CONFIRM
        if len(shown) < CONFIRM:
            shown, tries = [*shown, *self.execution.again(key, case, target, COUNT - CONFIRM)], COUNT
        found = self.found[key]
        found.again, found.reproduced = [len(shown), tries], len(shown) == tries
        every_time = any(fnmatchcase(key[0], glob) for glob in DETERMINISM)
        self.execution.outcome.tallies[key].flaky = not found.reproduced and not (every_time and shown)
