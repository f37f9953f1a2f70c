"""A campaign drives one scenario of one module over all targets: one case, every claim, every target.

Frozen ledger cases first, boundary cases next, then random ones. A case is executed once per target and all its claims
are judged on the observation. When a claim breaks, its failure alone is reduced to a minimal case; then the search
goes on for what it was hiding.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from conformance.cases import Case
from conformance.judge import applies, evidence, judge
from conformance.ledger import Ledger
from conformance.oracle.claims import SEVERITIES, Claim, Failure, Within
from conformance.oracle.contract import Contract, in_range
from conformance.results import Discrepancy, Tally
from conformance.strategies.boundary import boundary_choices
from conformance.strategies.random import batches
from conformance.strategies.reduce import Choices, reduce
from conformance.targets import Target, TargetLost
from conformance.wire import to_wire

BATCH = 8  # cases a message: the way to a target and back costs as much as a small case
CHUNK = 400  # random cases a Hypothesis run: its memory of what it tried grows with every one
REDUCE_SECONDS = 45.0
DEADLY = ("crash", "hang")
Key = tuple[str, str]  # claim id, target name
Broken = dict[Key, tuple[Failure, Mapping[str, Any]]]


@dataclass(frozen=True)
class Plan:
    """What to run: how many random cases, from which seed, of which dtypes, explained by which ledger, and whether
    to look for the smallest case of what is found."""

    random_cases: int = 200
    seed: int = 0
    dtypes: tuple[str, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    shrink: bool = True


@dataclass
class Outcome:
    """What a campaign found: a tally a claim and target, the discrepancies, where the time went."""

    tallies: dict[Key, Tally]
    discrepancies: list[Discrepancy] = field(default_factory=list)
    cases: int = 0
    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("total", "targets", "agent", "torch"), 0.0)
    )


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
    ) -> None:
        self.contract = contract if not plan.dtypes or scenario == "constructor" else _narrowed(contract, plan.dtypes)
        self.scenario = scenario
        self.targets = list(targets)
        self.plan = plan
        self.journal = journal
        self.outcome = Outcome({
            (claim.id, target.spec.name): Tally(
                claim.id, claim.module, scenario, target.spec.name, documented=in_range(claim.releases, target.release)
            )
            for claim in claims
            for target in targets
        })  # fmt: skip
        # The claims that the documentation of each target's release makes.
        self._spoken = {t.spec.name: [c for c in claims if in_range(c.releases, t.release)] for t in targets}
        self._found: dict[Key, Discrepancy] = {}
        self._counting = True
        self._apart = False  # whether what runs now may kill its target
        self._tried: set[int] = set()  # hashes only: a hundred thousand texts would take the memory of a small machine

    def run(self) -> Outcome:
        """Runs the whole campaign. Deterministic: the same plan gives the same cases on any machine."""
        started = time.perf_counter()
        if self.scenario == "documentation":
            self._read_pages()
        else:
            self._frozen()
            self._boundary()
            self._random()
        self.outcome.discrepancies.extend(self._found.values())
        for found in self.outcome.discrepancies:
            tally = self.outcome.tallies[found.claim, found.target]
            found.hits = tally.known[found.ledger] if found.ledger else tally.broken
        self.outcome.seconds["total"] = time.perf_counter() - started
        return self.outcome

    # -- phases ------------------------------------------------------------------------------------------------

    def _read_pages(self) -> None:
        from conformance.oracle.claims.documentation import Page  # brings SymPy, which no other scenario needs

        for target in self.targets:
            told = target.ask("describe", self.contract.module)
            if "doc" not in told:
                continue
            contract = self.contract.at(target.release)
            page = Page(contract, told["doc"], told["forward"], told["signature"], target.release)
            for claim in self._spoken[target.spec.name]:
                self._count(claim.id, target, claim.check(page), None, {}, {"page": self.contract.module})

    def _frozen(self) -> None:
        for entry in self.plan.ledger.frozen(self.contract.module):
            case = entry.case
            if case is not None and self.scenario == case.scenario:
                self._apart = entry.severity in DEADLY
                self._try([(case, {})])  # it may fail in a way that its entry does not know
        self._apart = False

    def _boundary(self) -> None:
        found = boundary_choices(self.contract, self.scenario)
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

    def _try(self, batch: list[tuple[Case, Choices]]) -> None:
        """Executes some cases; what breaks for the first time, or worse than before, is reduced and recorded, then the
        search goes on for what it may have been hiding. No case is tried twice."""
        batch = [(case, choices) for case, choices in batch if self._is_new(case)]
        for (case, choices), broken in zip(batch, self._execute([case for case, _ in batch]), strict=True):
            for key, (failure, seen) in broken.items():
                if key not in self._found or _rank(failure) < _rank(self._found[key]):
                    self._record(key, failure, seen, case)
                    if self.plan.shrink and choices:
                        self._reduce(key, choices)

    def _is_new(self, case: Case) -> bool:
        known = len(self._tried)
        self._tried.add(hash(case.text))
        return len(self._tried) > known

    # -- executing ---------------------------------------------------------------------------------------------

    def _execute(self, cases: list[Case], only: list[Target] | None = None) -> list[Broken]:
        """Runs the cases on every target and judges them; for each, the failures that the ledger does not explain.

        Cases run on ``only`` one target, to reduce a failure, are not counted: "how many of how many cases" speaks of
        the search alone.
        """
        self.journal(cases)
        self._counting = only is None
        self.outcome.cases += len(cases) * self._counting
        answers = self._observe(cases, only or self.targets)
        return [self._judged(case, [(t, seen[i]) for t, seen in answers if i in seen]) for i, case in enumerate(cases)]

    def _judged(self, case: Case, observed: list[tuple[Target, Mapping[str, Any]]]) -> Broken:
        broken: Broken = {}
        for target, seen in observed:
            found = evidence(self.contract, case, seen, target.release, target.spec.device)
            facts = {**found.env, **case.facts()}
            for claim, judgement in judge(self._spoken[target.spec.name], found).items():
                if self._count(claim, target, judgement, case, facts, seen):
                    broken[claim, target.spec.name] = (judgement, seen)  # type: ignore[assignment]
        return broken

    def _observe(self, cases: list[Case], targets: list[Target]) -> list[tuple[Target, dict[int, Mapping[str, Any]]]]:
        """What happened on each target, by the position of the case. All targets work at the same time."""
        asked: list[tuple[Target, list[int]]] = []
        started = time.perf_counter()
        for target in targets:
            places = [i for i, case in enumerate(cases) if self._runs(case, target)]
            target.send_cases([to_wire(self.contract.at(target.release), cases[i]) for i in places], self._apart)
            asked.append((target, places))
        answers: list[tuple[Target, dict[int, Mapping[str, Any]]]] = []
        for target, places in asked:
            try:
                answers.append((target, dict(zip(places, target.receive_cases(), strict=True))))
            except TargetLost:
                self._lose(target)
        self.outcome.seconds["targets"] += time.perf_counter() - started
        for seen in (seen for _, found in answers for seen in found.values()):
            self.outcome.seconds["agent"] += seen["seconds"]
            self.outcome.seconds["torch"] += seen.get("torch", 0.0)
        return answers

    def _runs(self, case: Case, target: Target) -> bool:
        return applies(self.contract, case, target.release) and not self._deadly(case, target)

    def _deadly(self, case: Case, target: Target) -> bool:
        """Whether the ledger knows that this case kills the target, and has shown it: once is enough, each time
        costs a new process."""
        deaths = [d for d in self.outcome.discrepancies if d.severity in DEADLY]
        shown = {d.ledger for d in deaths if d.target == target.spec.name}
        for entry in self.plan.ledger.entries if shown else ():
            if entry.id in shown:
                facts = {**self.contract.symbols(case), **case.facts()}
                if entry.selects(facts, target.release, target.spec.device):
                    return True
        return False

    def _lose(self, target: Target) -> None:
        self.targets.remove(target)
        for (_, name), tally in self.outcome.tallies.items():
            tally.lost = tally.lost or name == target.spec.name

    def _count(
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
            entry = self.plan.ledger.explain(claim, judgement.observed, facts, target.release, target.spec.device)
            if entry is None:
                tally.broken += self._counting
                if case is None:
                    self._record(key, judgement, seen, None)
                return True
            if not self._counting:
                return False  # met while reducing another failure: neither counted nor shown
            tally.known[entry.id] = tally.known.get(entry.id, 0) + 1
            if self._shown(key, entry.id) is None:
                self.outcome.discrepancies.append(
                    _discrepancy(key, self.contract.module, judgement, seen, case, entry.id)
                )
        return False

    def _shown(self, key: Key, entry: str) -> Discrepancy | None:
        """The discrepancy by which a ledger entry has already shown itself here."""
        return next((d for d in self.outcome.discrepancies if (d.claim, d.target, d.ledger) == (*key, entry)), None)

    def _record(self, key: Key, failure: Failure, seen: Mapping[str, Any], case: Case | None) -> None:
        self._found[key] = _discrepancy(key, self.contract.module, failure, seen, case)

    # -- reducing ----------------------------------------------------------------------------------------------

    def _seed(self, number: int) -> int:
        text = repr((self.plan.seed, self.contract.module, self.scenario, number))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    def _reduce(self, key: Key, choices: Choices) -> None:
        """The minimal case of a failure, confirmed by running it once more."""
        target = next(target for target in self.targets if target.spec.name == key[1])
        deadline = time.monotonic() + REDUCE_SECONDS
        worst = _rank(self._found[key])
        last: dict[str, tuple[Failure, Mapping[str, Any]]] = {}

        def fails(case: Case) -> bool:
            if time.monotonic() > deadline or target not in self.targets:
                return False
            broken = self._execute([case], [target])[0].get(key)
            if broken is None or _rank(broken[0]) > worst:
                return False
            last[case.hash] = broken
            return True

        self._apart = self._found[key].severity in DEADLY
        smallest = reduce(self.contract, self.scenario, choices, fails)
        again = self._execute([smallest], [target])[0].get(key)
        self._apart = False
        if shown := [found for found in (again, last.get(smallest.hash)) if found]:
            self._record(key, *min(shown, key=lambda found: _rank(found[0])), smallest)
        self._found[key].reproduced = again is not None
        self.outcome.tallies[key].flaky = again is None


def _rank(found: Failure | Discrepancy) -> int:
    """How bad it is, the worst first."""
    return SEVERITIES.index(found.severity)


def _narrowed(contract: Contract, dtypes: tuple[str, ...]) -> Contract:
    return replace(contract, dtypes=tuple(d for d in contract.dtypes if d in dtypes))


def _discrepancy(
    key: Key, module: str, failure: Failure, seen: Mapping[str, Any], case: Case | None, entry: str | None = None
) -> Discrepancy:
    kept = {k: v for k, v in seen.items() if k not in ("seconds", "torch", "blobs")}
    return Discrepancy(key[0], module, key[1], failure.severity, failure.expected, failure.observed,
                       case.to_json() if case else None, kept, ledger=entry)  # fmt: skip
