"""Random cases: Hypothesis chooses. Every choice shrinks to its first, simplest value."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from conformance.cases import Case
from conformance.oracle.contract import Contract, Domain, Lists
from conformance.strategies.build import Impossible, build


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


@st.composite
def cases(draw: st.DrawFn, contract: Contract, scenario: str, fixed: Mapping[str, Any] | None = None) -> Case:
    """Documented cases of a scenario; in ``refused``, cases that no documented layout admits.

    ``fixed`` answers some choices beforehand, to look for a smaller case of a failure that is known already.
    """
    known = fixed or {}

    def pick(name: str, domain: Domain) -> Any:
        return known[name] if name in known else draw(strategy_of(domain))

    try:
        return build(contract, scenario, pick)
    except Impossible:
        reject()
