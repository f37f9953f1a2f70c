"""A campaign drives one scenario of one module over all targets: one case, every claim, every target.

Frozen ledger cases first, boundary cases next, then random ones. A case is executed once per target and all its claims
are judged on the observation. When a claim breaks, Hypothesis shrinks that claim's failure alone; then the search goes
on for what it was hiding.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from conformance.cases import Case
from conformance.judge import applies, evidence, judge
from conformance.ledger import Ledger
from conformance.oracle.claims import Claim, Failure
from conformance.oracle.contract import Contract, in_range
from conformance.results import Discrepancy, Tally
from conformance.strategies.boundary import boundary_cases
from conformance.strategies.random import cases
from conformance.targets import Target, TargetLost
from conformance.wire import to_wire

CHUNK = 400  # random cases a Hypothesis run: its memory of what it tried grows with every one
SHRINK_SECONDS = 45.0
Key = tuple[str, str]  # claim id, target name


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
    seconds: dict[str, float] = field(default_factory=lambda: {"total": 0.0, "targets": 0.0, "torch": 0.0})


class _Broken(Exception):
    """Raised inside Hypothesis for the failure that is being looked for."""


class Campaign:
    """One scenario of one contract, judged for the given claims on the given targets."""

    def __init__(
        self,
        contract: Contract,
        scenario: str,
        claims: Sequence[Claim],
        targets: Sequence[Target],
        plan: Plan,
        journal: Callable[[Case], None] = lambda case: None,
    ) -> None:
        self.contract = contract if not plan.dtypes or scenario == "constructor" else _narrowed(contract, plan.dtypes)
        self.scenario = scenario
        self.claims = claims
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
        self._found: dict[Key, Discrepancy] = {}
        self._counting = True

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
            for claim in self._spoken_of(target):
                self._count(claim.id, target, claim.check(page), None, {}, {"page": self.contract.module})

    def _frozen(self) -> None:
        for entry in self.plan.ledger.frozen(self.contract.module):
            case = entry.case
            if case is not None and self.scenario == _scenario_of(case):
                self._execute(case)

    def _boundary(self) -> None:
        for case in boundary_cases(self.contract, self.scenario):
            for key, failure in self._execute(case).items():
                if key not in self._found:
                    self._record(key, *failure, case)
                    if self.plan.shrink:
                        self._shrink(key, case)

    def _random(self) -> None:
        left, number = self.plan.random_cases, 0
        while left > 0:
            before = self.outcome.cases
            key = self._search(min(left, CHUNK), self._seed("random", number))
            number += 1
            done = self.outcome.cases - before
            left -= max(done, 1)
            if key is None and done < min(left + done, CHUNK) // 2:
                return  # the scenario has few cases and all were tried

    # -- one case ----------------------------------------------------------------------------------------------

    def _execute(self, case: Case, shrinking: bool = False) -> dict[Key, tuple[Failure, Mapping[str, Any]]]:
        """Runs the case on every target and judges it; the failures that the ledger does not explain.

        Cases tried while shrinking are not counted: "how many of how many cases" speaks of the search alone.
        """
        self.journal(case)
        self._counting = not shrinking
        self.outcome.cases += not shrinking
        broken: dict[Key, tuple[Failure, Mapping[str, Any]]] = {}
        for target, seen in self._observe(case):
            found = evidence(self.contract, case, seen, target.release, target.spec.device)
            facts = {**found.env, **case.facts()}
            for claim, judgement in judge(self._spoken_of(target), found).items():
                if self._count(claim, target, judgement, case, facts, seen):
                    broken[claim, target.spec.name] = (judgement, seen)  # type: ignore[assignment]
        return broken

    def _spoken_of(self, target: Target) -> list[Claim]:
        """The claims that the documentation of this target's release makes."""
        return [c for c in self.claims if self.outcome.tallies[c.id, target.spec.name].documented]

    def _observe(self, case: Case) -> Iterator[tuple[Target, Mapping[str, Any]]]:
        """Sends the case to all targets, then hears them one by one: they work side by side."""
        asked = [t for t in self.targets if applies(self.contract, case, t.release) and not self._deadly(case, t)]
        wires = [to_wire(self.contract.at(target.release), case) for target in asked]
        answers = []
        started = time.perf_counter()
        for target, (wire, blobs) in zip(asked, wires, strict=True):
            target.send("run", wire, blobs=blobs)
        for target in asked:
            try:
                answers.append((target, target.receive()))
            except TargetLost:
                self._lose(target)
        self.outcome.seconds["targets"] += time.perf_counter() - started
        self.outcome.seconds["torch"] += sum(seen["seconds"] for _, seen in answers)
        yield from answers

    def _deadly(self, case: Case, target: Target) -> bool:
        """Whether the ledger knows that this case kills the target, and has shown it: once is enough, each time
        costs a new process."""
        shown = {d.ledger for d in self.outcome.discrepancies if d.target == target.spec.name}
        for entry in self.plan.ledger.entries:
            if entry.severity in ("crash", "hang") and entry.id in shown:
                facts = {**self.contract.environment(case.arguments, case.sizes, case.layout), **case.facts()}
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
        if judgement is True:
            tally.kept += self._counting
        elif judgement == "unsupported":
            tally.unsupported += self._counting
        elif isinstance(judgement, Failure):
            entry = self.plan.ledger.explain(claim, judgement.observed, facts, target.release, target.spec.device)
            if entry is None:
                tally.broken += self._counting
                if case is None:
                    self._record(key, judgement, seen, None)
                return True
            tally.known[entry.id] = tally.known.get(entry.id, 0) + self._counting
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

    # -- searching ---------------------------------------------------------------------------------------------

    def _seed(self, *parts: Any) -> int:
        text = repr((self.plan.seed, self.contract.module, self.scenario, *parts))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    def _search(self, count: int, seed: int) -> Key | None:
        """Up to ``count`` random cases; the first unexplained failure is shrunk and recorded."""
        search = _Search(self, None)
        _hypothesis(search, cases(self.contract, self.scenario), count, seed)
        return search.settle()

    def _shrink(self, key: Key, case: Case) -> None:
        """Looks for a smaller case of a failure that a boundary case showed; keeps the boundary case if none is met."""
        broken = case.violation
        fixed = {"layout": case.layout, "violation": (broken.port, broken.axis)} if broken else None
        search = _Search(self, key)
        _hypothesis(search, cases(self.contract, self.scenario, fixed), CHUNK // 2, self._seed("shrink", key))
        search.settle()


class _Search:
    """One Hypothesis run: raises for one failure only, remembers verdicts, and stops shrinking when time is up."""

    def __init__(self, campaign: Campaign, focus: Key | None) -> None:
        self.campaign = campaign
        self.focus = focus
        self.best: tuple[Case, Failure, Mapping[str, Any]] | None = None
        self.memory: dict[str, tuple[Failure, Mapping[str, Any]] | None] = {}
        self.deadline = 0.0

    def __call__(self, case: Case) -> None:
        if case.hash not in self.memory if self.best else True:
            failure = self._try(case)
            if self.best is not None or failure is not None:
                self.memory[case.hash] = failure
        else:
            failure = self.memory[case.hash]
        if failure is not None:
            self.best = (case, *failure)
            raise _Broken

    def _try(self, case: Case) -> tuple[Failure, Mapping[str, Any]] | None:
        if self.deadline and time.monotonic() > self.deadline:
            return None
        broken = self.campaign._execute(case, shrinking=self.best is not None)
        if self.focus is None:
            self.focus = next((key for key in broken if key not in self.campaign._found), None)
        failure = broken.get(self.focus) if self.focus else None
        if failure is not None and not self.deadline:
            self.deadline = time.monotonic() + SHRINK_SECONDS
        return failure

    def settle(self) -> Key | None:
        """Runs the smallest failing case once more and records what it shows."""
        if self.best is None or self.focus is None:
            return None
        case, failure, seen = self.best
        again = self.campaign._execute(case, shrinking=True).get(self.focus)
        self.campaign._record(self.focus, *(again or (failure, seen)), case)
        self.campaign._found[self.focus].reproduced = again is not None
        return self.focus


def _hypothesis(test: _Search, strategy: Any, count: int, seed: int) -> None:
    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(strategy)
    def attempt(case: Case) -> None:
        test(case)

    try:
        attempt()
    except (_Broken, hypothesis.errors.Flaky, hypothesis.errors.Unsatisfiable):
        return  # what was found is in ``test``


def _scenario_of(case: Case) -> str:
    return "refused" if case.violation else case.layout


def _narrowed(contract: Contract, dtypes: tuple[str, ...]) -> Contract:
    return replace(contract, dtypes=tuple(d for d in contract.dtypes if d in dtypes))


def _discrepancy(
    key: Key, module: str, failure: Failure, seen: Mapping[str, Any], case: Case | None, entry: str | None = None
) -> Discrepancy:
    kept = {k: v for k, v in seen.items() if k != "seconds"}
    return Discrepancy(key[0], module, key[1], failure.severity, failure.expected, failure.observed,
                       case.to_json() if case else None, kept, ledger=entry)  # fmt: skip
