"""Dropout: under readable weights the output tells every mask, whatever it is, and chance is judged on those alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.cases import Case
from conformance.oracle.claims import claims_of
from conformance.oracle.contract import Contract
from conformance.oracle.equations.given import Given
from conformance.oracle.expression import expression
from conformance.oracle.fates import DROPPED, KEPT, UNKNOWN, factors, pairs, unpacked
from conformance.oracle.numerics import Bounded, Running
from conformance.oracle.reference import fates, values_of
from conformance.oracle.registry import builtin, contract_of
from conformance.strategies.boundary import boundary_cases
from conformance.strategies.build import Impossible
from conformance.strategies.scenarios import build
from conformance.values import exact
from conformance.wire import to_wire

LAYERED = [contract_of(f"torch.nn.{name}") for name in ("RNN", "LSTM", "GRU")]
some = settings(max_examples=60, deadline=None)


class Masked(Running):
    """Drops elements between layers as torch may: each by itself. The masks are batch first."""

    def __init__(self, dtype: str, seed: int, probability: float) -> None:
        super().__init__(dtype)
        self.rng = np.random.Generator(np.random.Philox(seed))
        self.probability = probability
        self.dropped: list[np.ndarray] = []

    def scaled(self, x: Bounded, factor: float) -> Bounded:
        self.dropped.append(self.rng.random(x.value.shape) < self.probability)
        return x.map(lambda array: np.where(self.dropped[-1], 0, array / (1 - self.probability)))


def by_chance(contract: Contract, seed: int) -> Case:
    """A batched case in which something is left to chance."""
    random = Random(seed)
    fixed = {"layout": "batch_first", "train": True, "num_layers": random.choice((2, 3, 4)),
             "dropout": random.choice((0.1, 0.3, 0.5, 0.8))}  # fmt: skip
    while True:
        with suppress(Impossible):
            return build(contract, "dropout", lambda name, domain: fixed.get(name) or random.choice(domain))


CASES = st.builds(
    lambda contract, seed: (contract, by_chance(contract, seed)), st.sampled_from(LAYERED), st.integers(0, 10**6)
)


def masked(contract: Contract, case: Case, seed: int):
    """The outputs of the case with these elements dropped, and its alternatives."""
    env, made = contract.environment(case.arguments, case.sizes, case.layout), values_of(contract, case)
    inputs, parameters = ({n: exact(a) for n, a in part.items()} for part in (made.inputs, made.parameters))
    a = Masked(case.dtype, seed, case.arguments["dropout"])
    given_ = Given(env, case.layout, inputs, parameters, True, factors=[1.0] * (env["num_layers"] - 1))
    with np.errstate(all="ignore"):
        outputs = contract.equations(a, given_)
    return a.dropped, outputs, fates(contract, case, env, made, None), contract.dropped.reads(env, case.seed)


@some
@given(CASES, st.integers(0, 1000))
def test_whatever_is_dropped_each_element_is_one_of_its_alternatives(chosen, seed: int):
    _, outputs, alternatives, _ = masked(*chosen, seed)
    for name, found in alternatives.items():
        assert found.ratios(outputs[name].value).max(initial=0) <= 1


@some
@given(CASES, st.integers(0, 1000))
def test_what_an_output_tells_of_an_element_is_what_happened_to_it(chosen, seed: int):
    dropped, outputs, alternatives, reads = masked(*chosen, seed)
    for place, mask in enumerate(dropped):
        told = alternatives["output"].at(place, outputs["output"].value)
        happened = np.where(mask[..., reads], DROPPED, KEPT)
        assert np.array_equal(told[told != UNKNOWN], happened[told != UNKNOWN])


@some
@given(CASES, st.integers(0, 1000))
def test_what_is_known_does_not_depend_on_what_was_dropped_there(chosen, seed: int):
    """Else what is known would be a biased sample."""
    one, two = masked(*chosen, seed), masked(*chosen, seed + 1)
    behind = np.zeros(one[1]["output"].value.shape, bool)
    for place in reversed(range(len(one[0]))):
        known = [found[2]["output"].at(place, found[1]["output"].value) != UNKNOWN for found in (one, two)]
        assert np.array_equal(known[0][~behind], known[1][~behind])
        behind |= one[0][place][..., one[3]] | two[0][place][..., two[3]]


@pytest.mark.parametrize("contract", LAYERED, ids=lambda c: c.prefix)
def test_most_elements_behind_the_last_dropout_are_known_in_the_wide_dtypes(contract: Contract):
    known = []
    for seed in range(60):
        case = by_chance(contract, seed)
        if case.dtype in ("float32", "float64") and case.arguments["bias"]:
            dropped, outputs, alternatives, _ = masked(contract, case, 1)
            told = alternatives["output"].at(len(dropped) - 1, outputs["output"].value)
            known.append((told != UNKNOWN).mean())
    assert np.mean(known) > 0.5


# -- parts -------------------------------------------------------------------------------------------------------------


def test_alternatives_drop_at_one_place_each_and_at_none():
    assert factors(2, 4.0) == [[0.0, 4.0], [4.0, 0.0], [4.0, 4.0]]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_packed_fates_go_to_their_step_and_sequence_and_the_rest_is_unknown(lengths: list[int]):
    lengths = sorted(lengths, reverse=True)
    sizes = [sum(length > step for length in lengths) for step in range(lengths[0])]
    rows = [[step * 10 + n] for step, size in enumerate(sizes) for n in range(size)]
    whole = unpacked(np.array(rows), sizes)
    for step, n in np.ndindex(whole.shape[:2]):
        assert whole[step, n, 0] == (step * 10 + n if step < lengths[n] else UNKNOWN)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.data())
def test_pairs_share_no_element_and_differ_in_one_axis(shape: list[int], data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    numbers = np.arange(np.prod(shape)).reshape(shape)
    for one, two in pairs(numbers, axis):
        used = [*one.ravel(), *two.ravel()]
        assert len(set(used)) == len(used) == (shape[axis] // 2) * 2 * numbers.size // shape[axis]
        for a, b in zip(one.ravel(), two.ravel(), strict=True):
            differ = [
                i
                for i, (x, y) in enumerate(zip(np.unravel_index(a, shape), np.unravel_index(b, shape), strict=True))
                if x != y
            ]
            assert differ == [axis]


# -- cases -------------------------------------------------------------------------------------------------------------


def layered_cases() -> Iterator[tuple[Contract, Case]]:
    yield from ((contract, case) for contract in LAYERED for case in boundary_cases(contract, "dropout"))


def test_cases_are_readable_and_come_back_from_json():
    for contract, case in layered_cases():
        env = contract.environment(case.arguments, case.sizes, case.layout)
        assert expression(contract.dropped.where)(env)
        assert (case.scenario, case.gradients) == ("dropout", False)
        assert to_wire(contract, case)[0]["draws"] == case.draws
        assert Case.from_json(case.to_json()) == case


def test_every_layout_is_met_in_training():
    met = {(contract.prefix, case.layout) for contract, case in layered_cases() if case.train}
    assert met == {(contract.prefix, layout) for contract in LAYERED for layout in contract.layout_names}


def test_only_modules_that_drop_have_claims_of_dropout():
    for contract in builtin():
        drops = any(claim.scenario == "dropout" for claim in claims_of(contract))
        assert drops == (contract.dropped is not None)
