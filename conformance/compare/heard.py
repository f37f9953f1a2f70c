"""What a comparison hears of each executed case: the seam between a campaign and whoever looks at pairs of targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from conformance.cases import Case
from conformance.judge import applies
from conformance.oracle.claims import Evidence, Failure, Judgement
from conformance.oracle.claims.usage import BY_NAME
from conformance.oracle.contract import Contract, in_range
from conformance.strategies.reduce import Choices
from conformance.targets import Target


@dataclass(frozen=True)
class Heard:
    """One case on one target: what happened, and every claim's judgement. ``documented``: whether the target's release
    documents what the case does; where it does not, nothing is judged."""

    target: Target
    evidence: Evidence
    judgements: Mapping[str, Judgement]
    documented: bool = True

    @property
    def seen(self) -> Mapping[str, Any]:
        return self.evidence.seen

    @property
    def case(self) -> Case:
        return self.evidence.case

    @property
    def failures(self) -> dict[str, Failure]:
        """The claims that are broken."""
        return {claim: told for claim, told in self.judgements.items() if isinstance(told, Failure)}


def documents(contract: Contract, case: Case, release: str) -> bool:
    """Whether this release documents what the case does: its arguments, its way to call, its usage."""
    usage = BY_NAME.get(case.usage)
    return applies(contract, case, release) and (usage is None or in_range(usage.releases, release))


# Executes a case once more on all targets, in a process of its own if it may kill; nothing of it is counted.
Again = Callable[[Case, bool], Sequence[Heard]]


class Observer(Protocol):
    """Is told of every case that a campaign counts, and of every page that it reads."""

    def saw(self, heard: Sequence[Heard], choices: Choices, again: Again) -> None:
        """A case on all targets that ran it, with the choices that made it."""

    def read(self, module: str, pages: Sequence[tuple[Target, Mapping[str, Any]]]) -> None:
        """A module's page on every target."""
