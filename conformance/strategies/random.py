"""Random cases: Hypothesis chooses."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

from hypothesis import strategies as st

from conformance.cases import Case
from conformance.oracle.contract import Contract, Domain, Lists
from conformance.strategies.build import Impossible
from conformance.strategies.reduce import Choices, recording
from conformance.strategies.scenarios import build


class RandomPick:
    """Answers the choices of one case, each value of a domain as likely as another.

    Hypothesis chooses the state of the generator and nothing else: with a draw for each choice it repeats itself,
    since it likes to copy parts of what it drew before, and two thirds of the cases were not new. What fails is
    reduced by its choices, so nothing is lost.
    """

    def __init__(self, random: Random) -> None:
        self.random = random

    def __call__(self, name: str, domain: Domain) -> Any:
        if isinstance(domain, Lists):
            count = self.random.randint(domain.min_size, domain.max_size)
            return tuple(self.random.choices(domain.of, k=count))
        return self.random.choice(domain)


@st.composite
def batches(draw: st.DrawFn, contract: Contract, scenario: str, size: int) -> list[tuple[Case, Choices]]:
    """Up to ``size`` cases, each with the choices that made it. What Hypothesis does around an example costs as much
    as a case does, so several cases share one."""
    pick = RandomPick(draw(st.randoms(use_true_random=True)))
    found: list[tuple[Case, Choices]] = []
    for _ in range(size):
        made: Choices = {}
        with suppress(Impossible):
            found.append((build(contract, scenario, recording(pick, made)), made))
    return found


def cases(contract: Contract, scenario: str) -> st.SearchStrategy[Case]:
    """Documented cases of a scenario; in ``refused``, cases that no documented layout admits."""
    return batches(contract, scenario, 1).filter(bool).map(lambda batch: batch[0][0])
