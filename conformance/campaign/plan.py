"""What a campaign is asked for, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.cases import Case
from conformance.exercised import Exercise
from conformance.ledger import Ledger
from conformance.oracle.claims import SEVERITIES, Failure
from conformance.oracle.contract import Contract
from conformance.results import Discrepancy, Standing, Tally

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


def rank(found: Failure | Discrepancy) -> int:
    """How bad it is, the worst first."""
    return SEVERITIES.index(found.severity)


def narrowed(contract: Contract, dtypes: tuple[str, ...]) -> Contract:
    """The contract with these dtypes alone."""
    return replace(contract, dtypes=tuple(d for d in contract.dtypes if d in dtypes))


def discrepancy(
    key: Key, module: str, failure: Failure, seen: Mapping[str, Any], case: Case | None, entry: str | None = None
) -> Discrepancy:
    """A failure as a record of the run file."""
    kept = {k: v for k, v in seen.items() if k not in ("seconds", "torch", "blobs")}
    return Discrepancy(key[0], module, key[1], failure.severity, failure.expected, failure.observed,
                       case.to_json() if case else None, kept, ledger=entry,
                       where=dict(failure.where()) if failure.where else None)  # fmt: skip
