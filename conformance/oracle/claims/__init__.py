"""The claims of a contract: one generic set, derived from its data, so that a new module is a new contract only."""

from __future__ import annotations

from dataclasses import replace

from conformance.oracle.claims import (
    article,
    call,
    constructor,
    documentation,
    dropout,
    function,
    initialisation,
    miscall,
    misuse,
    packed,
    refusal,
    sizes,
    usage,
    values,
)
from conformance.oracle.claims.claim import SEVERITIES, Claim, Evidence, Failure, Judgement, Within
from conformance.oracle.contract import Contract

__all__ = ["SEVERITIES", "Claim", "Evidence", "Failure", "Judgement", "Within", "claims_of", "scenarios_of"]

_FAMILIES = (documentation, sizes, constructor, call, function, packed, values, usage, initialisation, dropout, refusal,
             misuse, miscall, article)  # fmt: skip
_CACHE: dict[int, tuple[Claim, ...]] = {}
_SCENARIOS: dict[int, tuple[str, ...]] = {}


def claims_of(contract: Contract) -> tuple[Claim, ...]:
    """Every claim of this contract, in the order of its scenarios."""
    if id(contract) not in _CACHE:
        found = [_released(contract, claim) for family in _FAMILIES for claim in family.claims(contract)]
        order = {name: position for position, name in enumerate(scenarios_of(contract))}
        _CACHE[id(contract)] = tuple(sorted(found, key=lambda claim: order[claim.scenario]))
    return _CACHE[id(contract)]


def scenarios_of(contract: Contract) -> tuple[str, ...]:
    """The scenarios of a contract: what its page says, constructing, each layout, usages, what must be refused."""
    key = id(contract)
    if key not in _SCENARIOS:
        uses = (usage.SCENARIO,) if usage.usages_of(contract) else ()
        fresh = (initialisation.SCENARIO,) if contract.initialised else ()
        drops = (dropout.SCENARIO,) if contract.dropped else ()
        refuses = (refusal.SCENARIO,) if contract.refuses else ()
        before = ("constructor",) if not contract.function else ("arguments",) if function.written(contract) else ()
        wrong = (misuse.SCENARIO,) if misuse.judged(contract) or miscall.judged(contract) else ()
        _SCENARIOS[key] = ("documentation", *before, *contract.layout_names, *uses, *fresh, *drops, *refuses, *wrong)
    return _SCENARIOS[key]


def _released(contract: Contract, claim: Claim) -> Claim:
    """The claim limited to the releases whose pages have its function, or its way to call, at all."""
    layout = claim.id.rpartition(".")[2]
    ranges = [contract.releases, contract.layout(layout).releases if layout in contract.layout_names else ""]
    later = ",".join(filter(None, ranges))
    if not later:
        return claim
    return replace(claim, releases=later if claim.releases == ">=2.0" else f"{claim.releases},{later}")
