"""The claims of a contract: one generic set, derived from its data, so that a new module is a new contract only."""

from __future__ import annotations

from functools import cache

from conformance.oracle.claims import article, call, constructor, documentation, refusal, values
from conformance.oracle.claims.claim import SEVERITIES, Claim, Evidence, Failure, Judgement, Within
from conformance.oracle.contract import Contract

__all__ = ["SEVERITIES", "Claim", "Evidence", "Failure", "Judgement", "Within", "claims_of", "scenarios_of"]

_FAMILIES = (documentation, constructor, call, values, refusal, article)
_CACHE: dict[int, tuple[Claim, ...]] = {}


def claims_of(contract: Contract) -> tuple[Claim, ...]:
    """Every claim of this contract, in the order of its scenarios."""
    if id(contract) not in _CACHE:
        found = [claim for family in _FAMILIES for claim in family.claims(contract)]
        order = {name: position for position, name in enumerate(scenarios_of(contract))}
        _CACHE[id(contract)] = tuple(sorted(found, key=lambda claim: order[claim.scenario]))
    return _CACHE[id(contract)]


@cache
def _scenarios(layouts: tuple[str, ...], refuses: bool) -> tuple[str, ...]:
    return ("documentation", "constructor", *layouts, *(("refused",) if refuses else ()))


def scenarios_of(contract: Contract) -> tuple[str, ...]:
    """The scenarios of a contract: what its page says, constructing, each layout, and what must be refused."""
    return _scenarios(contract.layout_names, contract.refuses)
