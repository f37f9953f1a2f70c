"""Every claim has a fault that it catches, planted in the torch of the target in a part of the configuration space."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from conformance.campaign import Campaign, Plan
from conformance.ledger import Ledger
from conformance.oracle.claims import Claim, claims_of
from conformance.oracle.contract import in_range
from conformance.oracle.registry import builtin
from conformance.strategies.boundary import boundary_cases
from conformance.targets import Target
from tests.planted.faults import fault_for
from tests.planted.search import broken_claims, found_with

CLAIMS = [
    pytest.param(contract, claim, id=claim.id)
    for contract in builtin()
    for claim in claims_of(contract)
    if claim.authority == "documentation" and claim.scenario != "documentation"
]
# Faults that nothing but their own claim may notice. Others have consequences: what is refused has no shape.
ALONE = (".dtype", ".device", ".learnable", ".unmodified", ".names", ".indices")


def explained(claim: Claim) -> bool:
    """Whether the ledger knows that torch itself breaks this claim in part of its cases."""
    return any(fnmatchcase(claim.id, glob) for entry in Ledger.load().entries for glob in entry.claims)


def broken_by_torch_itself(contract, claim: Claim, target: Target) -> bool:
    """Whether, without the ledger, the claim breaks on the torch that it accuses."""
    campaign = Campaign(contract, claim.scenario, [claim], [target], Plan(shrink=False))
    return any(campaign.execution.execute([case])[0] for case in boundary_cases(contract, claim.scenario))


@pytest.mark.parametrize(("contract", "claim"), CLAIMS)
def test_the_claim_catches_its_planted_fault(contract, claim: Claim, shared_target: Target):
    if not in_range(claim.releases, shared_target.release):
        pytest.skip(f"torch {shared_target.release} does not document it")
    fault = fault_for(claim, contract)
    broken = found_with(fault, contract, claim, shared_target)
    if claim.id not in broken:
        broken = found_with(fault, contract, claim, shared_target, 1000)
    if claim.id not in broken and explained(claim):
        # The ledger explains every failure of this claim that the fault brings about, since torch has the same defect.
        assert broken_by_torch_itself(contract, claim, shared_target)
        return
    assert claim.id in broken
    if claim.id.removesuffix(f".{claim.scenario}").endswith(ALONE):
        assert broken == {claim.id}


@pytest.mark.parametrize("contract", builtin(), ids=lambda c: c.prefix)
def test_nothing_is_broken_where_no_fault_is_planted(contract, shared_target: Target):
    scenarios = dict.fromkeys(c.scenario for c in claims_of(contract))
    assert {s: broken_claims(contract, s, shared_target, 100) for s in scenarios} == {s: set() for s in scenarios}
