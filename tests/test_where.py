"""A discrepancy of values says where they are wrong, and every one what it was reduced from."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from conformance.campaign import Campaign, Plan
from conformance.oracle.claims import claims_of
from conformance.oracle.registry import contract_of
from conformance.oracle.where import LONGEST, beyond
from conformance.results import Discrepancy
from conformance.targets import Target
from tests.planted.faults import fault_for, planted

ratios = arrays.arrays(np.float64, arrays.array_shapes(max_side=5), elements=st.floats(0, allow_nan=False))


@given(ratios)
def test_the_worst_place_and_the_worst_along_every_axis_are_told(ratio):
    told = json.loads(json.dumps(beyond("output", ratio), allow_nan=False))
    assert ratio[tuple(told["place"])] == ratio.max()
    assert told["beyond"] == np.count_nonzero(ratio > 1)
    assert [len(profile) for profile in told["axes"]] == list(ratio.shape)
    assert all(max(profile) == told["ratio"] for profile in told["axes"])


def test_a_long_axis_is_not_told_place_by_place():
    assert beyond("output", np.zeros((LONGEST + 1, 2)))["axes"] == [[], [0.0, 0.0]]


def _found(target: Target, module: str, name: str) -> Discrepancy:
    """What a campaign finds of a claim whose fault is planted."""
    contract = contract_of(module)
    claim = next(claim for claim in claims_of(contract) if claim.id == name)
    with planted(target, fault_for(claim, contract)):
        outcome = Campaign(contract, claim.scenario, [claim], [target], Plan(600)).run()
    return next(found for found in outcome.discrepancies if found.claim == name)


def test_a_wrong_value_is_placed_and_the_case_that_it_was_first_seen_on_is_kept(shared_target: Target):
    found = _found(shared_target, "torch.nn.GRU", "gru.h_n.value.batch_first")
    assert found.where is not None
    assert (found.where["of"], len(found.where["shape"])) == ("h_n", 3)
    assert found.where["ratio"] > 1
    assert f"h_n[{', '.join(map(str, found.where['place']))}]" in found.observed
    assert found.first is not None
    assert found.first != found.case


def test_a_wrong_gradient_is_named(shared_target: Target):
    found = _found(shared_target, "torch.nn.LSTM", "lstm.gradients.value.time_first")
    assert found.where is not None
    wrong = [name for name, ratio in found.where["parts"].items() if ratio > 1]
    assert len(wrong) == 1
    assert set(found.where["parts"]) > {"input", "weight_ih_l0"}
