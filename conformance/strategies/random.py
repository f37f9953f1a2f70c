"""Random cases: Hypothesis chooses."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from conformance.cases import Case
from conformance.oracle.contract import Contract, Domain, Lists
from conformance.strategies.build import Impossible, build
from conformance.strategies.reduce import Choices, recording

# Options with few values are drawn together, as the digits of one number: a draw costs more than a call of torch.
# Hypothesis draws uniformly below 2**24; beyond, it prefers small numbers, which would make the last digits zero.
_FEW = 4
_DIGITS = st.integers(0, 2**24 - 1)


def strategy_of(domain: Domain) -> st.SearchStrategy[Any]:
    """The strategy for a domain of a contract: its values, its range, or lists from its range."""
    # The types are part of the key: (0, 1) and (False, True) are equal and hash alike.
    return _strategy(domain, tuple(map(type, domain)) if isinstance(domain, tuple) else None)


@lru_cache(maxsize=4096)
def _strategy(domain: Any, types: tuple[type, ...] | None) -> st.SearchStrategy[Any]:
    """Making a strategy costs more than drawing from it, so each is made once."""
    if isinstance(domain, Lists):
        numbers = st.integers(domain.of.start, domain.of.stop - 1)
        return st.lists(numbers, min_size=domain.min_size, max_size=domain.max_size).map(tuple)
    if isinstance(domain, range):
        return st.integers(domain.start, domain.stop - 1)
    return st.sampled_from(domain)


class _Picker:
    """Answers the choices of one case."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.digits = 0
        self.room = 1

    def __call__(self, name: str, domain: Domain) -> Any:
        if isinstance(domain, (Lists, range)) or len(domain) > _FEW:
            return self.draw(strategy_of(domain))
        if self.room < len(domain):
            self.digits, self.room = self.draw(_DIGITS), 2**24
        self.room //= len(domain)
        self.digits, digit = divmod(self.digits, len(domain))
        return domain[digit]


@st.composite
def batches(draw: st.DrawFn, contract: Contract, scenario: str, size: int) -> list[tuple[Case, Choices]]:
    """Up to ``size`` cases, each with the choices that made it. What Hypothesis does around an example costs as much
    as a case does, so several cases share one."""
    found: list[tuple[Case, Choices]] = []
    for _ in range(size):
        made: Choices = {}
        with suppress(Impossible):
            found.append((build(contract, scenario, recording(_Picker(draw), made)), made))
    return found


def cases(contract: Contract, scenario: str) -> st.SearchStrategy[Case]:
    """Documented cases of a scenario; in ``refused``, cases that no documented layout admits."""
    return batches(contract, scenario, 1).filter(bool).map(lambda batch: batch[0][0])
