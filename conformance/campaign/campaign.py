"""A campaign drives one scenario of one module over all targets: one case, every claim, every target.

Frozen ledger cases first, boundary cases next, then random ones. A case is executed once per target and all its claims
are judged on the observation. When a claim breaks, its failure alone is reduced to a minimal case; then the search
goes on for what it was hiding.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from conformance.campaign.execution import Execution
from conformance.campaign.findings import Findings
from conformance.campaign.plan import DEADLY, Outcome, Plan, Stopped, narrowed
from conformance.cases import Case
from conformance.compare.heard import Heard, Observer
from conformance.oracle.claims import Claim, Failure
from conformance.oracle.contract import Contract
from conformance.standings import standings
from conformance.strategies.boundary import boundary_choices
from conformance.strategies.essential import essential_choices
from conformance.strategies.random import batches
from conformance.strategies.reduce import Choices
from conformance.targets import Target, TargetLost

BATCH = 16  # cases a message: the way to a target and back costs as much as a small case
CHUNK = 400  # random cases a Hypothesis run: its memory of what it tried grows with every one


class Campaign:
    """One scenario of one contract, judged for the given claims on the given targets."""

    def __init__(
        self,
        contract: Contract,
        scenario: str,
        claims: Sequence[Claim],
        targets: Sequence[Target],
        plan: Plan,
        journal: Callable[[list[Case]], None] = lambda cases: None,
        observer: Observer | None = None,
        over: Callable[[], bool] = lambda: False,
    ) -> None:
        self.contract = contract if not plan.dtypes or scenario == "constructor" else narrowed(contract, plan.dtypes)
        self.scenario = scenario
        self.plan = plan
        self.observer = observer
        self.over = over
        self.execution = Execution(self.contract, scenario, claims, targets, plan, journal, observer is not None)
        self.findings = Findings(self.execution, scenario, plan.shrink, over)
        self.outcome = self.execution.outcome
        self._tried: set[int] = set()  # hashes only: a hundred thousand texts would take the memory of a small machine

    def run(self) -> Outcome:
        """Runs the whole campaign. Deterministic: the same plan gives the same cases on any machine."""
        started = time.perf_counter()
        if self.scenario == "documentation":
            self._read_pages()
        else:
            with contextlib.suppress(Stopped):
                self._frozen()
                self._boundary()
                self._random()
        self.outcome.discrepancies.extend(self.findings.found.values())
        for found in self.outcome.discrepancies:
            tally = self.outcome.tallies[found.claim, found.target]
            found.hits = tally.known[found.ledger] if found.ledger else tally.broken
        self.outcome.seconds["total"] = time.perf_counter() - started
        return self.outcome

    # -- phases ------------------------------------------------------------------------------------------------

    def _read_pages(self) -> None:
        from conformance.oracle.claims.documentation import Page  # brings SymPy, which no other scenario needs

        pages = [(t, told) for t in [*self.execution.targets] if (told := self._described(t)) is not None]
        if self.observer:
            self.observer.read(self.contract.module, pages)
        for target, told in pages:
            if "doc" not in told:
                continue
            contract = self.contract.at(target.release)
            page = Page(contract, told["doc"], told["forward"], told["signature"], target.release)
            for claim in self.execution.spoken[target.spec.name]:
                judgement, seen = claim.check(page), {"page": self.contract.module}
                if self.execution.count(claim.id, target, judgement, None, {}, seen) and isinstance(judgement, Failure):
                    self.findings.record((claim.id, target.spec.name), judgement, seen, None)
        self._stand()

    def _described(self, target: Target) -> dict[str, Any] | None:
        try:
            return target.ask("describe", self.contract.module)
        except TargetLost as error:
            self.execution.lose(target, error)
            return None

    def _frozen(self) -> None:
        for entry in self.plan.ledger.frozen(self.contract.module):
            case = entry.case
            if case is not None and self.scenario == case.scenario:
                # It may fail in a way that its entry does not know.
                self._try([(case, {})], apart=entry.severity in DEADLY)
        self._stand()
        place = (self.contract.module, self.scenario)
        self._all([(case, {}) for case in self.plan.given if (case.module, case.scenario) == place])

    def _stand(self) -> None:
        """Notes how the ledger stands, while nothing but its own cases has been counted."""
        found = standings(self.contract, self.scenario, self.plan.ledger, self.execution.targets, self.outcome.tallies)
        self.outcome.standings = found

    def _boundary(self) -> None:
        if self.plan.boundary == "pairwise":
            self._all(boundary_choices(self.contract, self.scenario))
        elif self.plan.boundary == "essential":
            self._all(essential_choices(self.contract, self.scenario))

    def _all(self, found: list[tuple[Case, Choices]]) -> None:
        for start in range(0, len(found), BATCH):
            self._try(found[start : start + BATCH])

    def _random(self) -> None:
        left, number = self.plan.random_cases, 0
        while left > 0:
            count = min(left, CHUNK)
            before = self.outcome.cases
            self._generate(count, self._seed(number))
            left, number = left - count, number + 1
            if self.outcome.cases - before < count // 10:
                return  # the scenario has few cases and nearly all were tried

    def _generate(self, count: int, seed: int) -> None:
        """Up to ``count`` cases that Hypothesis chooses. It generates only: failures are reduced by their choices."""

        @hypothesis.seed(seed)
        @settings(max_examples=max(count // BATCH, 1), database=None, deadline=None, phases=(Phase.generate,),
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(batches(self.contract, self.scenario, min(BATCH, count)))
        def attempt(batch: list[tuple[Case, Choices]]) -> None:
            self._try(batch)

        with contextlib.suppress(hypothesis.errors.Unsatisfiable):
            attempt()

    def _try(self, batch: list[tuple[Case, Choices]], apart: bool = False) -> None:
        """Executes some cases; what breaks is reduced and recorded, then the search goes on for what it may have been
        hiding. No case is tried twice."""
        if self.over():
            self.outcome.stopped = True
            raise Stopped
        batch = [(case, choices) for case, choices in batch if self._is_new(case)]
        found = self.execution.execute([case for case, _ in batch], apart=apart)
        heard = self.execution.heard
        for (case, choices), broken in zip(batch, found, strict=True):
            for key, (failure, seen) in broken.items():
                self.findings.add(key, failure, seen, case, choices)
        if self.observer:
            for (_, choices), pair in zip(batch, heard, strict=True):
                self.observer.saw(pair, choices, self._once_more)

    def _once_more(self, case: Case, apart: bool = False) -> list[Heard]:
        """A case on all targets, uncounted; also one that kills, for what it did is to be seen again."""
        self.execution.execute([case], self.execution.targets, apart=apart, insists=True)
        return self.execution.heard[0]

    def _is_new(self, case: Case) -> bool:
        known = len(self._tried)
        self._tried.add(hash(case.text))
        return len(self._tried) > known

    def _seed(self, number: int) -> int:
        text = repr((self.plan.seed, self.contract.module, self.scenario, number))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
