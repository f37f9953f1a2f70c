"""What was exercised is counted, and adds up whatever the order."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from conformance.campaign import Campaign, Plan
from conformance.exercised import Exercise
from conformance.oracle.claims import Failure, Within, claims_of
from conformance.oracle.registry import contract_of
from conformance.results import Exercised, Run, read
from conformance.strategies.boundary import boundary_cases

LSTM = contract_of("torch.nn.LSTM")
facts = st.dictionaries(st.sampled_from("abc"), st.dictionaries(st.sampled_from(["1", "2", "x"]), st.integers(0, 9)))
parts = st.lists(st.builds(Exercised, st.just("M"), st.just("cpu"), st.integers(0, 9), facts), min_size=1, max_size=4)


def _sum(found: list[Exercised]) -> dict:
    def add(one: Exercised, other: Exercised) -> Exercised:
        one.add(other)
        return one

    return reduce(add, deepcopy(found)).to_json()


@given(parts, st.randoms())
def test_parts_add_up_to_the_same_in_any_order(found: list[Exercised], random):
    shuffled = random.sample(found, len(found))
    assert json.dumps(_sum(found)) == json.dumps(_sum(shuffled))


def test_parts_of_a_truncated_run_are_added_when_it_is_read(tmp_path):
    run = Run({"claims": []})
    run.exercised = [Exercised("M", "cpu", 2, {"dtype": {"float32": 2}}), Exercised("M", "cpu", 1, {"dtype": {"x": 1}})]
    run.write(tmp_path / "run.jsonl")
    (part,) = read(tmp_path / "run.jsonl").exercised
    assert (part.cases, part.facts) == (3, {"dtype": {"float32": 2, "x": 1}})


def test_values_are_in_the_order_of_their_size():
    part = Exercised("M", "cpu", 0, {"size N": {"10": 1, "9": 1, "nan": 1, "0": 1}})
    assert list(part.to_json()["facts"]["size N"]) == ["0", "9", "10", "nan"]


def _counted(**fields: object) -> dict:
    exercise = Exercise(LSTM)
    case = replace(next(c for c in boundary_cases(LSTM, "packed") if not c.inputs[0].enforce_sorted), **fields)
    exercise.case(case, LSTM.symbols(case))
    return exercise.record("torch.nn.LSTM", "cpu").facts


def test_every_option_of_a_case_is_counted_with_its_documented_default():
    found = _counted(arguments={"input_size": 2, "hidden_size": 3}, train=True)
    assert found["option bidirectional"] == {"False": 1}
    assert found["option hidden_size"] == {"3": 1}
    assert found["packed"] == {"in any order": 1}
    assert found["mode"] == {"training": 1}


def test_the_configuration_of_a_case_that_is_wrong_on_purpose_is_not_exercised():
    exercise = Exercise(LSTM)
    for case in boundary_cases(LSTM, "refused")[:5]:
        exercise.case(case, LSTM.symbols(case))
    assert exercise.record("torch.nn.LSTM", "cpu").facts == {"scenario": {"refused": 5}}


def test_errors_are_counted_by_powers_of_two_of_their_bound():
    exercise, case = Exercise(LSTM), boundary_cases(LSTM, "time_first")[0]
    for judgement in (Within(0.0), Within(0.3), Within(1.0), Within(1e-30), True, Failure("", "", "", dict), False):
        exercise.judged("lstm.output.value.time_first", judgement, case, {"L": 4})
    found = exercise.record("torch.nn.LSTM", "cpu").facts["error of values, L 4"]
    assert found == {"exact": 1, "-1": 1, "0": 1, "-24": 1, "beyond": 1}


def test_a_campaign_counts_every_case_and_and_how_close_its_values_came(shared_target):
    claims = [claim for claim in claims_of(LSTM) if claim.scenario == "time_first"]
    outcome = Campaign(LSTM, "time_first", claims, [shared_target], Plan(200, shrink=False)).run()
    part = outcome.exercised["cpu"].record("torch.nn.LSTM", "cpu")
    assert part.cases == outcome.cases == sum(part.facts["layout"].values())
    assert sum(n for name, bins in part.facts.items() if name.startswith("error of values, d") for n in bins.values())
