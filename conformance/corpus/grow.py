"""What belongs into the corpus: the cases that exercise what no case before them does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.campaign import Campaign, Plan
from conformance.cases import Case
from conformance.compare.heard import Again, Heard
from conformance.exercised import Exercise
from conformance.ledger import Ledger
from conformance.oracle.claims import claims_of
from conformance.oracle.contract import Contract
from conformance.strategies.essential import essential_choices
from conformance.strategies.reduce import Choices
from conformance.targets import Target

CLOSE = ("0", "-1", "-2")  # an error of at least an eighth of its bound is a record


@dataclass
class Sieve:
    """Hears of every case and keeps those that bring news: a claim, a value of an option, a layout, a dtype, a usage,
    an error close to its bound. ``known`` are cases that run anyway; what they exercise is no news."""

    contract: Contract
    known: frozenset[str]
    ledger: Ledger
    kept: list[Case] = field(default_factory=list)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def saw(self, heard: Sequence[Heard], choices: Choices, again: Again) -> None:
        """One case on all targets. One that fails as no entry knows, or kills its target, belongs into the ledger."""
        if not heard or any(self._unfit(one) for one in heard):
            return
        facts = {fact for one in heard for fact in self._facts(one)}
        if heard[0].case.text not in self.known and not facts <= self._seen:
            self.kept.append(heard[0].case)
        self._seen |= facts

    def read(self, module: str, pages: Sequence[tuple[Target, Mapping[str, Any]]]) -> None:
        """Pages are no cases."""

    def _unfit(self, heard: Heard) -> bool:
        facts, target = {**heard.evidence.env, **heard.case.facts()}, heard.target
        return heard.seen["status"] in ("crashed", "hung") or any(
            self.ledger.explain(claim, failure.observed, facts, target.release, target.spec.device) is None
            for claim, failure in heard.failures.items()
        )

    def _facts(self, heard: Heard) -> Iterator[tuple[str, str]]:
        exercise = Exercise(self.contract)
        exercise.case(heard.case, heard.evidence.env)
        for claim, judgement in heard.judgements.items():
            if judgement is not False:
                yield "claim", claim
            exercise.judged(claim, judgement, heard.case, heard.evidence.env)
        for name, values in exercise.record("", "").facts.items():
            yield from ((name, value) for value in values if not name.startswith("error of") or value in CLOSE)


def grown(
    contract: Contract, scenario: str, targets: Sequence[Target], ledger: Ledger, stored: Iterable[Case], plan: Plan
) -> list[Case]:
    """The stored cases of a scenario and those that bring news among the boundary cases and the plan's random ones."""
    stored = list(stored)
    return [*stored, *_sifted(contract, scenario, targets, ledger, stored, plan, stored)]


def pruned(
    contract: Contract, scenario: str, targets: Sequence[Target], ledger: Ledger, stored: Iterable[Case]
) -> list[Case]:
    """The stored cases of a scenario that still exercise what nothing else in the quick profile does."""
    return _sifted(contract, scenario, targets, ledger, list(stored), Plan(0, boundary="none"), [])


def _sifted(
    contract: Contract, scenario: str, targets: Sequence[Target], ledger: Ledger, stored: list[Case], plan: Plan,
    known: list[Case],
) -> list[Case]:  # fmt: skip
    frozen = [entry.case for entry in ledger.frozen(contract.module) if entry.case]
    usual = [case for case, _ in essential_choices(contract, scenario)]
    sieve = Sieve(contract, frozenset(case.text for case in (*frozen, *usual, *known)), ledger)
    whole = Plan(plan.random_cases, plan.seed, ledger=ledger, shrink=False, given=(*usual, *stored),
                 boundary=plan.boundary)  # fmt: skip
    claims = [claim for claim in claims_of(contract) if claim.scenario == scenario]
    Campaign(contract, scenario, claims, targets, whole, observer=sieve).run()
    return sieve.kept
