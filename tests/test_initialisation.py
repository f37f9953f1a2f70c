"""Fresh parameters: the tests of chance err as seldom as they say, and tell what is drawn wrongly from what is not."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.cases import Case
from conformance.judge import evidence, judge
from conformance.oracle.chance import ERROR, beyond_all, deviation, too_few, too_many
from conformance.oracle.claims import Failure, claims_of
from conformance.oracle.numerics import ROUNDOFF
from conformance.oracle.registry import contract_of
from conformance.strategies.boundary import boundary_cases
from conformance.values import DTYPES
from conformance.wire import to_wire

FLOATS = ["float16", "bfloat16", "float32", "float64"]
CELL = contract_of("torch.nn.GRUCell")
CLAIMS = [claim for claim in claims_of(CELL) if claim.scenario == "initialisation"]


# -- chance ------------------------------------------------------------------------------------------------------------


def at_least(count: int, trials: int, p: Fraction) -> Fraction:
    """The exact probability of so many successes or more."""
    return sum(math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(count, trials + 1))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.fractions(0, 1, max_denominator=50), st.data())
def test_a_count_that_counts_against_a_claim_is_as_improbable_as_stated(trials: int, p: Fraction, data):
    count = data.draw(st.integers(0, trials))
    if too_many(count, trials, float(p)):
        assert at_least(count, trials, p) <= ERROR
    if too_few(count, trials, float(p)):
        assert 1 - at_least(count + 1, trials, p) <= ERROR


def test_counts_that_are_all_but_impossible_count_against_a_claim():
    assert too_many(41, 41, 0.5)
    assert too_few(0, 41, 0.5)
    assert not too_many(39, 39, 0.5)
    assert too_many(1, 10, 0.0)
    assert not too_many(10, 10, 1.0)
    assert too_few(9, 10, 1.0)


@pytest.mark.parametrize("samples", [1, 7, 64, 100_000])
def test_the_bounds_of_distributions_are_those_of_their_theorems(samples: int):
    assert 2 * math.exp(-2 * samples * deviation(samples) ** 2) == pytest.approx(ERROR)
    assert math.log1p(-beyond_all(samples)) * samples == pytest.approx(math.log(ERROR))


# -- claims, on draws made up by NumPy ---------------------------------------------------------------------------------


def drawn(hidden: int, dtype: str, seed: int, change=lambda draws: None) -> dict[str, bool]:
    """The claims on a cell whose parameters NumPy draws under (s, s, t) and anew; whether each of them holds."""
    case = Case(CELL.module, "constructor", {"input_size": 4, "hidden_size": hidden, "dtype": dtype}, dtype=dtype,
                draws=(seed, seed, seed + 1))  # fmt: skip
    shapes = {
        name: shape
        for name, (_, shape) in CELL.expected_parameters(CELL.environment(case.arguments, {}, "constructor")).items()
    }
    draws = [_parameters(shapes, hidden, number) for number in (2 * seed, 2 * seed, 2 * seed + 1, 3 * seed + 10**6)]
    change(draws)
    blobs, seen = [], []
    for draw in draws:
        seen.append({})
        for name, array in draw.items():
            blobs.append(array.astype(DTYPES[dtype]).tobytes())
            seen[-1][name] = {"dtype": dtype, "shape": array.shape, "blob": len(blobs) - 1}
    told = {"status": "ok", "phase": "reset", "draws": seen, "blobs": blobs}
    judged = judge(CLAIMS, evidence(CELL, case, told, "2.13.0", "cpu"))
    return {claim.removeprefix("grucell."): not isinstance(found, Failure) for claim, found in judged.items()}


def _parameters(shapes: dict, hidden: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.Generator(np.random.Philox(seed))
    return {name: rng.uniform(-(hidden**-0.5), hidden**-0.5, shape) for name, shape in shapes.items()}


def refuted(found: dict[str, bool]) -> set[str]:
    return {claim for claim, holds in found.items() if not holds}


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 70), st.sampled_from(FLOATS), st.integers(0, 10**6))
def test_what_is_drawn_as_documented_is_never_accused(hidden: int, dtype: str, seed: int):
    assert refuted(drawn(hidden, dtype, seed)) == set()


def changed(place: int, name: str, how):
    def change(draws: list) -> None:
        draws[place][name] = how(draws[place][name])

    return change


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("how", "broken"), [
    (lambda a: a * 1.5, "bounds"),
    (lambda a: np.full_like(a, np.nan), "bounds"),
    (lambda a: a * 0.5, "distribution"),
    (lambda a: np.abs(a), "distribution"),
    (lambda a: a**3 * 64, "distribution"),
])  # fmt: skip
def test_one_parameter_drawn_otherwise_is_found(dtype: str, how, broken: str):
    for place in (0, 2):
        assert f"initialised.{broken}" in refuted(drawn(64, dtype, 1, changed(place, "weight_hh", how)))
    found = refuted(drawn(64, dtype, 1, changed(3, "weight_hh", how)))
    assert f"reset_parameters.{broken}" in found
    assert not any(claim.startswith("initialised") for claim in found)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("how", [lambda a: a, lambda a: -a], ids=["copied", "negated"])
def test_two_parameters_of_the_same_draw_are_found(dtype: str, how):
    def change(draws: list) -> None:
        for draw in draws[:2]:
            draw["bias_hh"] = how(draw["bias_ih"])

    assert refuted(drawn(9, dtype, 1, change)) == {"initialised.independent"}


def test_a_gate_that_repeats_another_is_found():
    def change(draws: list) -> None:
        for draw in draws[:2]:
            draw["weight_hh"][18:] = draw["weight_hh"][:9]

    assert refuted(drawn(9, "float32", 1, change)) == {"initialised.independent"}


@pytest.mark.parametrize("dtype", FLOATS)
def test_draws_that_should_differ_or_agree_are_told_apart(dtype: str):
    def repeat(place: int, before: int):
        return lambda draws: draws[place].update(bias_hh=draws[before]["bias_hh"])

    assert refuted(drawn(9, dtype, 1, repeat(2, 0))) == {"initialised.seed.other"}
    assert refuted(drawn(9, dtype, 1, repeat(3, 2))) == {"reset_parameters.anew"}
    assert refuted(drawn(9, dtype, 1, repeat(1, 2))) == {"initialised.seed.same"}


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_number_rounded_up_to_the_dtype_is_within_its_bound_and_the_next_one_is_not(dtype: str):
    bound, beyond = DTYPES[dtype](3**-0.5).astype(np.float64), 3**-0.5 * (1 + 4 * ROUNDOFF[dtype])
    assert "initialised.bounds" not in refuted(drawn(3, dtype, 1, changed(0, "bias_hh", lambda a: a * 0 + bound)))
    assert "initialised.bounds" in refuted(drawn(3, dtype, 1, changed(0, "bias_hh", lambda a: a * 0 - beyond)))


def test_a_reset_that_fails_is_said():
    case = boundary_cases(CELL, "initialisation")[0]
    told = {
        "status": "raised",
        "phase": "reset",
        "exception": "RuntimeError",
        "message": "no",
        "draws": [{}] * 3,
        "blobs": [],
    }
    judged = judge(CLAIMS, evidence(CELL, case, told, "2.13.0", "cpu"))
    assert [claim for claim, found in judged.items() if found is not False] == ["grucell.reset_parameters.anew"]


# -- cases -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"])
def test_cases_reach_every_corner_and_sizes_with_power(name: str):
    contract = contract_of(f"torch.nn.{name}")
    cases = boundary_cases(contract, "initialisation")
    assert {case.dtype for case in cases} == set(FLOATS)
    assert {case.arguments["hidden_size"] for case in cases} >= {1, 64}
    for case in cases:
        assert case.scenario == "initialisation"
        assert to_wire(contract, case)[0]["draws"] == case.draws == (case.seed, case.seed, case.seed + 1)
        assert Case.from_json(case.to_json()) == case
