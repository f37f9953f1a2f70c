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
from fnmatch import fnmatchcase
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from conformance.cases import Case
from conformance.compare.heard import Heard, Observer, documents
from conformance.exercised import Exercise
from conformance.judge import applies, evidence, judge
from conformance.ledger import Ledger
from conformance.oracle.claims import SEVERITIES, Claim, Failure, Judgement, Within
from conformance.oracle.contract import Contract, in_range
from conformance.results import Discrepancy, Standing, Tally
from conformance.standings import standings
from conformance.strategies.boundary import boundary_choices
from conformance.strategies.essential import essential_choices
from conformance.strategies.random import batches
from conformance.strategies.reduce import Choices, reduce
from conformance.targets import Target, TargetLost
from conformance.targets.target import Wired
from conformance.wire import to_wire

BATCH = 16  # cases a message: the way to a target and back costs as much as a small case
CHUNK = 400  # random cases a Hypothesis run: its memory of what it tried grows with every one
REDUCE_SECONDS = 45.0
CONFIRM, COUNT = 3, 5  # how often a discrepancy must come again to be one; of how many runs the rate of a flaky one is
# Claims that something is the same every time: what breaks them once, breaks them.
DETERMINISM = ("*.usage.repeated*", "*.seed.same*")
DEADLY = ("crash", "hang")
Key = tuple[str, str]  # claim id, target name
Broken = dict[Key, tuple[Failure, Mapping[str, Any]]]


@dataclass(frozen=True)
class Plan:
    """What to run: how many random cases, from which seed, of which dtypes, explained by which ledger, and whether
    to look for the smallest case of what is found. ``given`` are stored cases and those of the user's own;
    ``boundary``: pairwise, essential or none."""

    random_cases: int = 200
    seed: int = 0
    dtypes: tuple[str, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    shrink: bool = True
    given: tuple[Case, ...] = ()
    boundary: str = "pairwise"


class Stopped(BaseException):
    """The time of the run is over. No Exception: Hypothesis would take it for a failure and try it again."""


@dataclass
class Outcome:
    """What a campaign found: a tally a claim and target, the discrepancies, where the time went."""

    tallies: dict[Key, Tally]
    discrepancies: list[Discrepancy] = field(default_factory=list)
    cases: int = 0
    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("total", "targets", "agent", "torch", "judging"), 0.0)
    )
    exercised: dict[str, Exercise] = field(default_factory=dict)
    standings: list[Standing] = field(default_factory=list)
    stopped: bool = False
    lost: dict[str, str] = field(default_factory=dict)  # the targets that died and did not come back -> why


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
        self.contract = contract if not plan.dtypes or scenario == "constructor" else _narrowed(contract, plan.dtypes)
        self.scenario = scenario
        self.targets = list(targets)
        self.plan = plan
        self.journal = journal
        self.observer = observer
        self.over = over
        self._article = {claim.id for claim in claims if claim.authority == "article"}
        self._insists = False  # whether what is known to kill runs all the same
        self._heard: list[list[Heard]] = []  # what the observer is told of the cases that ran last
        self.outcome = Outcome({
            (claim.id, target.spec.name): Tally(
                claim.id, claim.module, scenario, target.spec.name, documented=in_range(claim.releases, target.release)
            )
            for claim in claims
            for target in targets
        })  # fmt: skip
        self.outcome.exercised = {t.spec.name: Exercise(self.contract.at(t.release)) for t in targets}
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
            with contextlib.suppress(Stopped):
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

        pages = [(t, told) for t in [*self.targets] if (told := self._described(t)) is not None]
        if self.observer:
            self.observer.read(self.contract.module, pages)
        for target, told in pages:
            if "doc" not in told:
                continue
            contract = self.contract.at(target.release)
            page = Page(contract, told["doc"], told["forward"], told["signature"], target.release)
            for claim in self._spoken[target.spec.name]:
                self._count(claim.id, target, claim.check(page), None, {}, {"page": self.contract.module})
        self._stand()

    def _described(self, target: Target) -> dict[str, Any] | None:
        try:
            return target.ask("describe", self.contract.module)
        except TargetLost as error:
            self._lose(target, error)
            return None

    def _frozen(self) -> None:
        for entry in self.plan.ledger.frozen(self.contract.module):
            case = entry.case
            if case is not None and self.scenario == case.scenario:
                self._apart = entry.severity in DEADLY
                self._try([(case, {})])  # it may fail in a way that its entry does not know
        self._apart = False
        self._stand()
        place = (self.contract.module, self.scenario)
        self._all([(case, {}) for case in self.plan.given if (case.module, case.scenario) == place])

    def _stand(self) -> None:
        """Notes how the ledger stands, while nothing but its own cases has been counted."""
        found = standings(self.contract, self.scenario, self.plan.ledger, self.targets, self.outcome.tallies)
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

    def _try(self, batch: list[tuple[Case, Choices]]) -> None:
        """Executes some cases; what breaks for the first time, or worse than before, is reduced and recorded, then the
        search goes on for what it may have been hiding. No case is tried twice."""
        if self.over():
            self.outcome.stopped = True
            raise Stopped
        batch = [(case, choices) for case, choices in batch if self._is_new(case)]
        found = self._execute([case for case, _ in batch])
        heard = self._heard
        for (case, choices), broken in zip(batch, found, strict=True):
            for key, (failure, seen) in broken.items():
                if key not in self._found or _rank(failure) < _rank(self._found[key]):
                    self._record(key, failure, seen, case)
                    if self.plan.shrink:
                        self._make_sure(key, case, choices)
        if self.observer:
            for (_, choices), pair in zip(batch, heard, strict=True):
                self.observer.saw(pair, choices, self._once_more)

    def _once_more(self, case: Case, apart: bool = False) -> list[Heard]:
        """A case on all targets, uncounted; also one that kills, for what it did is to be seen again."""
        self._apart, self._insists = apart, True
        try:
            self._execute([case], self.targets)
        finally:
            self._apart = self._insists = False
        return self._heard[0]

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
        self._heard = []
        started = time.perf_counter()
        broken = [self._judged(c, [(t, seen[i]) for t, seen in answers if i in seen]) for i, c in enumerate(cases)]
        self.outcome.seconds["judging"] += time.perf_counter() - started
        return broken

    def _judged(self, case: Case, observed: list[tuple[Target, Mapping[str, Any]]]) -> Broken:
        broken: Broken = {}
        self._heard.append([])
        for target, seen in observed:
            found = evidence(self.contract, case, seen, self._release(case, target), target.spec.device)
            if self.observer and not documents(self.contract, case, target.release):
                self._heard[-1].append(Heard(target, found, {}, documented=False))
                continue
            facts = {**found.env, **case.facts()}
            exercise = self.outcome.exercised[target.spec.name]
            if self._counting:
                exercise.case(case, found.env)
            judgements = judge(self._spoken[target.spec.name], found)
            self._heard[-1].append(Heard(target, found, self._documented(judgements)))
            for claim, judgement in judgements.items():
                if self._counting and judgement is not True and judgement is not False:
                    exercise.judged(claim, judgement, case, found.env)
                if self._count(claim, target, judgement, case, facts, seen):
                    broken[claim, target.spec.name] = (judgement, seen)  # type: ignore[assignment]
        return broken

    def _documented(self, judgements: Mapping[str, Judgement]) -> Mapping[str, Judgement]:
        """Those of the documentation's own claims: a second source decides nothing."""
        return {claim: told for claim, told in judgements.items() if claim not in self._article}

    def _observe(self, cases: list[Case], targets: list[Target]) -> list[tuple[Target, dict[int, Mapping[str, Any]]]]:
        """What happened on each target, by the position of the case. All targets work at the same time."""
        asked: list[tuple[Target, list[int]]] = []
        started = time.perf_counter()
        for target in [*targets]:
            places = [i for i, case in enumerate(cases) if self._runs(case, target)]
            try:
                target.send_cases([self._wire(cases[i], target) for i in places], self._apart)
            except TargetLost as error:
                self._lose(target, error)
            else:
                asked.append((target, places))
        answers: list[tuple[Target, dict[int, Mapping[str, Any]]]] = []
        for target, places in asked:
            try:
                answers.append((target, dict(zip(places, target.receive_cases(), strict=True))))
            except TargetLost as error:
                self._lose(target, error)
        self.outcome.seconds["targets"] += time.perf_counter() - started
        for seen in (seen for _, found in answers for seen in found.values()):
            self.outcome.seconds["agent"] += seen["seconds"]
            self.outcome.seconds["torch"] += seen.get("torch", 0.0)
        return answers

    def _wire(self, case: Case, target: Target) -> Wired:
        return to_wire(self.contract.at(self._release(case, target)), case)

    def _runs(self, case: Case, target: Target) -> bool:
        return applies(self.contract, case, self._release(case, target)) and not self._deadly(case, target)

    def _release(self, case: Case, target: Target) -> str:
        """The release whose page a case on this target is understood by: its own; where an observer compares targets,
        that of another one where its own does not document the case."""
        others = self.targets if self.observer else ()
        releases = (target.release, *(other.release for other in others))
        return next((r for r in releases if applies(self.contract, case, r)), target.release)

    def _deadly(self, case: Case, target: Target) -> bool:
        """Whether the ledger knows that this case kills the target, and has shown it: once is enough, each time
        costs a new process."""
        deaths = [d for d in self.outcome.discrepancies if d.severity in DEADLY and not self._insists]
        shown = {d.ledger for d in deaths if d.target == target.spec.name}
        for entry in self.plan.ledger.entries if shown else ():
            if entry.id in shown:
                facts = {**self.contract.symbols(case), **case.facts()}
                if entry.selects(facts, target.release, target.spec.device):
                    return True
        return False

    def _lose(self, target: Target, error: TargetLost) -> None:
        self.targets.remove(target)
        self.outcome.lost[target.spec.name] = str(error)
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

    def _make_sure(self, key: Key, case: Case, choices: Choices) -> None:
        """Reduces what is new and runs it again; where its target was lost meanwhile, nobody can tell."""
        if all(target.spec.name != key[1] for target in self.targets):
            self._found[key].reproduced, self.outcome.tallies[key].flaky = False, True
        elif choices:
            self._reduce(key, choices)
        else:
            self._confirm(key, [case])

    def _reduce(self, key: Key, choices: Choices) -> None:
        """The minimal case of a failure, confirmed in a fresh process."""
        target = next(target for target in self.targets if target.spec.name == key[1])
        deadline = time.perf_counter() + REDUCE_SECONDS
        worst = _rank(self._found[key])
        last: dict[str, tuple[Failure, Mapping[str, Any]]] = {}

        def fails(case: Case) -> bool:
            if time.perf_counter() > deadline or target not in self.targets or self.over():
                return False
            broken = self._execute([case], [target])[0].get(key)
            if broken is None or _rank(broken[0]) > worst:
                return False
            last[case.hash] = broken
            return True

        first = self._found[key].case
        self._apart = self._found[key].severity in DEADLY
        smallest = reduce(self.contract, self.scenario, choices, fails)
        self._apart = False
        if shown := last.get(smallest.hash):
            self._record(key, *shown, smallest)
        self._confirm(key, [smallest, *([Case.from_json(first)] if first else [])])
        self._found[key].first = None if self._found[key].case == first else first

    def _confirm(self, key: Key, cases: list[Case]) -> None:
        """Runs the minimal case again in a fresh process, and the first one if that breaks nothing there: what does not
        come every time is flaky."""
        target = next(target for target in self.targets if target.spec.name == key[1])
        for case in {case.text: case for case in cases}.values():
            shown = self._again(key, case, target, CONFIRM)
            if shown:
                self._record(key, *min(shown, key=lambda found: _rank(found[0])), case)
                break
        else:
            case = cases[0]
        tries = CONFIRM
        if len(shown) < CONFIRM:
            shown, tries = [*shown, *self._again(key, case, target, COUNT - CONFIRM)], COUNT
        found = self._found[key]
        found.again, found.reproduced = [len(shown), tries], len(shown) == tries
        every_time = any(fnmatchcase(key[0], glob) for glob in DETERMINISM)
        self.outcome.tallies[key].flaky = not found.reproduced and not (every_time and shown)

    def _again(self, key: Key, case: Case, target: Target, times: int) -> list[tuple[Failure, Mapping[str, Any]]]:
        """The failures among some runs of a case in a fresh process; none where no process can be had."""
        try:
            runs = target.again(self._wire(case, target), times)
        except TargetLost:
            return []
        self._counting, self._heard = False, []
        return [found for seen in runs if (found := self._judged(case, [(target, seen)]).get(key))]


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
                       case.to_json() if case else None, kept, ledger=entry,
                       where=dict(failure.where()) if failure.where else None)  # fmt: skip
