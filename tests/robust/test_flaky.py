"""A discrepancy is one only if it repeats in a fresh process; what does not is flaky, and says how often it came."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.campaign import Campaign, Outcome, Plan
from conformance.oracle.claims import Failure, claims_of
from conformance.oracle.registry import contract_of
from conformance.strategies.boundary import boundary_cases
from conformance.targets import Target
from tests.test_campaign import found, run

# Counts its calls in a file, since each run is in a process of its own.
COUNTED = """
import os, torch
original = torch.nn.Linear.forward
def forward(self, input):
    with open({path!r}, 'a') as file:
        file.write('.')
    if os.path.getsize({path!r}) % {every} == 0:
        {fault}
    return original(self, input)
torch.nn.Linear.forward = forward
"""


@pytest.fixture
def flaky(own_target: Target, tmp_path: Path):
    def make(every: int, fault: str) -> Target:
        own_target.prelude = COUNTED.format(path=str(tmp_path / "calls"), every=every, fault=fault)
        own_target.execute(own_target.prelude)
        return own_target

    yield make
    own_target.prelude = ""


def test_what_comes_again_now_and_then_is_flaky_and_says_how_often(flaky):
    outcome: Outcome = run("Linear", "any_rank", flaky(3, "raise RuntimeError('planted')"))
    discrepancy, tally = found(outcome, "linear.accepts.any_rank"), outcome.tallies["linear.accepts.any_rank", "cpu"]
    assert tally.outcome == "flaky"
    assert not discrepancy.reproduced
    assert discrepancy.again is not None
    assert 0 < discrepancy.again[0] < discrepancy.again[1] == 5
    assert discrepancy.rate == f"it came again in {discrepancy.again[0]} of 5 runs in a fresh process"


def test_what_comes_every_time_is_a_discrepancy(flaky):
    outcome = run("Linear", "any_rank", flaky(1, "raise RuntimeError('planted')"))
    assert found(outcome, "linear.accepts.any_rank").again == [3, 3]
    assert outcome.tallies["linear.accepts.any_rank", "cpu"].outcome == "failed"


@pytest.mark.parametrize(
    ("claim", "times", "outcome"),
    [
        ("rnncell.usage.repeated", 1, "failed"), ("rnncell.usage.repeated", 0, "flaky"),
        ("rnncell.usage.deepcopy", 1, "flaky"), ("rnncell.usage.deepcopy", 3, "failed"),
    ],
)  # fmt: skip
def test_what_breaks_a_claim_of_determinism_now_and_then_is_a_discrepancy(claim, times, outcome, shared_target):
    contract = contract_of("torch.nn.RNNCell")
    campaign = Campaign(contract, "usage", claims_of(contract), [shared_target], Plan())
    key, case, failure = (claim, "cpu"), boundary_cases(contract, "usage")[0], Failure("one", "another", "wrong")
    campaign.outcome.tallies[key].broken = 1
    campaign.execution.again = lambda key, case, target, runs: [(failure, {})] * min(times, runs)
    campaign.findings.add(key, failure, {}, case, {})
    assert campaign.outcome.tallies[key].outcome == outcome
