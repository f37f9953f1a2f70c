"""What a campaign finds broken while a fault is planted."""

from __future__ import annotations

from conformance.campaign import Campaign, Plan
from conformance.ledger import Ledger
from conformance.oracle.claims import Claim, claims_of
from conformance.oracle.contract import Contract
from conformance.targets import Target
from tests.planted.faults import planted


def broken_claims(
    contract: Contract, scenario: str, target: Target, random_cases: int, authority: str = "documentation"
) -> frozenset[str]:
    """The claims of a scenario that a campaign finds broken and that the ledger does not know."""
    claims = [c for c in claims_of(contract) if c.scenario == scenario and c.authority == authority]
    plan = Plan(random_cases, ledger=Ledger.load(), shrink=False)
    outcome = Campaign(contract, scenario, claims, [target], plan).run()
    return frozenset(claim for (claim, _), tally in outcome.tallies.items() if tally.broken)


FOUND: dict[tuple[str, str, str, str, int], frozenset[str]] = {}


def found_with(fault: str, contract: Contract, claim: Claim, target: Target, random_cases: int = 0) -> frozenset[str]:
    """The claims broken under a fault; claims that share a fault share the campaign that looks for it."""
    key = (contract.module, fault, claim.scenario, claim.authority, random_cases)
    if key not in FOUND:
        with planted(target, fault):
            FOUND[key] = broken_claims(contract, claim.scenario, target, random_cases, claim.authority)
    return FOUND[key]
