"""Cases executed on targets, judged, and counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance.campaign.plan import DEADLY, Broken, Key, Outcome, Plan, discrepancy
from conformance.cases import Case
from conformance.compare.heard import Heard, documents
from conformance.exercised import Exercise
from conformance.judge import applies, evidence, judge
from conformance.oracle.claims import Claim, Failure, Judgement, Within
from conformance.oracle.contract import Contract, in_range
from conformance.results import Discrepancy, Tally
from conformance.targets import Target, TargetLost
from conformance.targets.target import Wired
from conformance.wire import to_wire

Answers = tuple[Target, dict[int, Mapping[str, Any]]]  # what happened on a target, by the place of the case


class Execution:
    """Executes cases of one scenario of one contract on the given targets and holds the given claims against them.

    ``compared``: somebody holds the targets against each other, so that a case goes also to those whose release does
    not document it. ``heard`` is what they are told of the cases that ran last.
    """

    def __init__(
        self,
        contract: Contract,
        scenario: str,
        claims: Sequence[Claim],
        targets: Sequence[Target],
        plan: Plan,
        journal: Callable[[list[Case]], None],
        compared: bool,
    ) -> None:
        self.contract = contract
        self.targets = list(targets)
        self.ledger = plan.ledger
        self.journal = journal
        self.compared = compared
        self.heard: list[list[Heard]] = []
        self.outcome = Outcome({
            (claim.id, target.spec.name): Tally(
                claim.id, claim.module, scenario, target.spec.name, documented=in_range(claim.releases, target.release)
            )
            for claim in claims
            for target in targets
        })  # fmt: skip
        self.outcome.exercised = {t.spec.name: Exercise(self.contract.at(t.release)) for t in targets}
        # The claims that the documentation of each target's release makes.
        self.spoken = {t.spec.name: [c for c in claims if in_range(c.releases, t.release)] for t in targets}
        self._article = {claim.id for claim in claims if claim.authority == "article"}
        self._counting = True

    def target(self, name: str) -> Target | None:
        """A target that is still there."""
        return next((target for target in self.targets if target.spec.name == name), None)

    def execute(
        self, cases: list[Case], only: list[Target] | None = None, *, apart: bool = False, insists: bool = False
    ) -> list[Broken]:
        """Runs the cases on every target and judges them; for each, the failures that the ledger does not explain.

        Cases run on ``only`` one target, to reduce a failure, are not counted: "how many of how many cases" speaks of
        the search alone. ``apart``: they may kill; ``insists``: even what is known to kill runs.
        """
        self.journal(cases)
        self._counting = only is None
        self.outcome.cases += len(cases) * self._counting
        answers = self._observe(cases, only or self.targets, apart, insists)
        self.heard = []
        started = time.perf_counter()
        broken = [self._judged(c, [(t, seen[i]) for t, seen in answers if i in seen]) for i, c in enumerate(cases)]
        self.outcome.seconds["judging"] += time.perf_counter() - started
        return broken

    def _judged(self, case: Case, observed: list[tuple[Target, Mapping[str, Any]]]) -> Broken:
        broken: Broken = {}
        self.heard.append([])
        for target, seen in observed:
            found = evidence(self.contract, case, seen, self._release(case, target), target.spec.device)
            if self.compared and not documents(self.contract, case, target.release):
                self.heard[-1].append(Heard(target, found, {}, documented=False))
                continue
            facts = {**found.env, **case.facts()}
            exercise = self.outcome.exercised[target.spec.name]
            if self._counting:
                exercise.case(case, found.env)
            judgements = judge(self.spoken[target.spec.name], found)
            self.heard[-1].append(Heard(target, found, self._documented(judgements)))
            for claim, judgement in judgements.items():
                if self._counting and judgement is not True and judgement is not False:
                    exercise.judged(claim, judgement, case, found.env)
                if self.count(claim, target, judgement, case, facts, seen):
                    broken[claim, target.spec.name] = (judgement, seen)  # type: ignore[assignment]
        return broken

    def _documented(self, judgements: Mapping[str, Judgement]) -> Mapping[str, Judgement]:
        """Those of the documentation's own claims: a second source decides nothing."""
        return {claim: told for claim, told in judgements.items() if claim not in self._article}

    def _observe(self, cases: list[Case], targets: list[Target], apart: bool, insists: bool) -> list[Answers]:
        """What happened on each target, by the position of the case. All targets work at the same time."""
        asked: list[tuple[Target, list[int]]] = []
        started = time.perf_counter()
        for target in [*targets]:
            places = [i for i, case in enumerate(cases) if self._runs(case, target, insists)]
            try:
                target.send_cases([self._wire(cases[i], target) for i in places], apart)
            except TargetLost as error:
                self.lose(target, error)
            else:
                asked.append((target, places))
        answers: list[Answers] = []
        for target, places in asked:
            try:
                answers.append((target, dict(zip(places, target.receive_cases(), strict=True))))
            except TargetLost as error:
                self.lose(target, error)
        self.outcome.seconds["targets"] += time.perf_counter() - started
        for seen in (seen for _, found in answers for seen in found.values()):
            self.outcome.seconds["agent"] += seen["seconds"]
            self.outcome.seconds["torch"] += seen.get("torch", 0.0)
        return answers

    def _wire(self, case: Case, target: Target) -> Wired:
        return to_wire(self.contract.at(self._release(case, target)), case)

    def _runs(self, case: Case, target: Target, insists: bool) -> bool:
        """Whether the target's release documents the case, and it is not known to kill."""
        known = not insists and self._deadly(case, target)
        return applies(self.contract, case, self._release(case, target)) and not known

    def _release(self, case: Case, target: Target) -> str:
        """The release whose page a case on this target is understood by: its own; where targets are compared,
        that of another one where its own does not document the case."""
        if not self.compared:
            return target.release
        releases = (target.release, *(other.release for other in self.targets))
        return next((r for r in releases if applies(self.contract, case, r)), target.release)

    def _deadly(self, case: Case, target: Target) -> bool:
        """Whether the ledger knows that this case kills the target, and has shown it: once is enough, each time
        costs a new process."""
        deaths = [d for d in self.outcome.discrepancies if d.severity in DEADLY]
        shown = {d.ledger for d in deaths if d.target == target.spec.name}
        for entry in self.ledger.entries if shown else ():
            if entry.id in shown:
                facts = {**self.contract.symbols(case), **case.facts()}
                if entry.selects(facts, target.release, target.spec.device):
                    return True
        return False

    def lose(self, target: Target, error: TargetLost) -> None:
        """Goes on without a target that died and does not come back."""
        self.targets.remove(target)
        self.outcome.lost[target.spec.name] = str(error)
        for (_, name), tally in self.outcome.tallies.items():
            tally.lost = tally.lost or name == target.spec.name

    def count(
        self, claim: str, target: Target, judgement: Any, case: Case | None, facts: Mapping[str, Any], seen: Any
    ) -> bool:
        """Adds a judgement to its tally; whether it is a failure that nothing explains."""
        key = (claim, target.spec.name)
        tally = self.outcome.tallies[key]
        if judgement is True or isinstance(judgement, Within):
            tally.kept += self._counting
            if isinstance(judgement, Within):
                tally.closest = max(tally.closest or 0.0, float(judgement))  # a plain one: it travels
        elif judgement == "unsupported":
            tally.unsupported += self._counting
        elif isinstance(judgement, Failure):
            entry = self.ledger.explain(claim, judgement.observed, facts, target.release, target.spec.device)
            if entry is None:
                tally.broken += self._counting
                return True
            if not self._counting:
                return False  # met while reducing another failure: neither counted nor shown
            tally.known[entry.id] = tally.known.get(entry.id, 0) + 1
            if self._shown(key, entry.id) is None:
                self.outcome.discrepancies.append(
                    discrepancy(key, self.contract.module, judgement, seen, case, entry.id)
                )
        return False

    def _shown(self, key: Key, entry: str) -> Discrepancy | None:
        """The discrepancy by which a ledger entry has already shown itself here."""
        return next((d for d in self.outcome.discrepancies if (d.claim, d.target, d.ledger) == (*key, entry)), None)

    def again(self, key: Key, case: Case, target: Target, times: int) -> list[tuple[Failure, Mapping[str, Any]]]:
        """The failures among some runs of a case in a fresh process; none where no process can be had."""
        try:
            runs = target.again(self._wire(case, target), times)
        except TargetLost:
            return []
        self._counting, self.heard = False, []
        return [found for seen in runs if (found := self._judged(case, [(target, seen)]).get(key))]
