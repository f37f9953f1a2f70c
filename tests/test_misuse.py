"""Misuse: the zoo and what becomes of it, which errors are misleading, and that a death is told once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from conformance.campaign import Campaign, Plan
from conformance.cases import Case, Misuse
from conformance.judge import applies, evidence, judge
from conformance.oracle.claims import Failure, claims_of, miscall
from conformance.oracle.claims.clarity import misleading
from conformance.oracle.claims.misuse import SCENARIO, judged, layouts_of, subjects
from conformance.oracle.contract import Contract
from conformance.oracle.expression import expression
from conformance.oracle.registry import builtin, contract_of
from conformance.oracle.zoo import ALIKE, EXCLUDED
from conformance.strategies.boundary import boundary_cases
from conformance.strategies.random import cases
from conformance.targets import Target
from conformance.wire import to_wire
from tests.planted.faults import planted

JUDGED = [contract for contract in builtin() if judged(contract)]
FUNCTIONS = [contract for contract in builtin() if miscall.judged(contract)]
LSTM = contract_of("torch.nn.LSTM")
PAD = contract_of("torch.nn.utils.rnn.pad_sequence")


def misuse(of: str = "input", kind: str = "type", value: Any = "none") -> Case:
    return Case("torch.nn.LSTM", "time_first", {}, misuse=Misuse(of, kind, value))


def ended(status: str, exception: str = "", message: str = "") -> dict[str, Any]:
    return {"status": status, "phase": "call", "exception": exception, "message": message}


# -- cases -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", JUDGED, ids=lambda contract: contract.prefix)
def test_everything_that_can_be_misused_is_misused_by_a_boundary_case(contract: Contract):
    made = {(case.misuse.of, case.misuse.kind) for case in boundary_cases(contract, SCENARIO)}
    assert made == set(subjects(contract))


@pytest.mark.parametrize("contract", JUDGED, ids=lambda contract: contract.prefix)
def test_every_exhibit_of_an_argument_is_passed_by_a_boundary_case(contract: Contract):
    made = boundary_cases(contract, SCENARIO)
    passed = {repr(c.misuse.value) for c in made if c.misuse.of == contract.arguments[0].name}
    assert passed == {repr(e.value) for e in (*EXCLUDED["count"], *ALIKE["count"])}


@given(case=cases(LSTM, SCENARIO))
def test_a_random_case_of_misuse_keeps_its_scenario_and_goes_through_json(case: Case):
    assert case.scenario == SCENARIO
    assert Case.from_json(case.to_json()) == case


@given(case=cases(LSTM, SCENARIO))
def test_beside_its_misuse_a_case_is_a_documented_one(case: Case):
    wrong = case.misuse
    asked = expression(LSTM.argument("proj_size").where)
    env = LSTM.environment(case.arguments, case.sizes, case.layout)
    assert asked(env) or wrong.kind == "constraint"
    if case.layout != "constructor":
        assert LSTM.layout(case.layout) in layouts_of(LSTM, wrong.of, wrong.kind)
        assert expression(LSTM.layout(case.layout).when)(env)


def test_a_value_is_replaced_where_it_stands_and_nowhere_else():
    case = next(c for c in boundary_cases(LSTM, SCENARIO) if c.misuse.value == -1 and c.misuse.of == "hidden_size")
    wire, _ = to_wire(LSTM, replace(case, positional=2))
    plain, _ = to_wire(LSTM, replace(case, positional=2, misuse=None))
    assert wire["args"] == [plain["args"][0], -1]
    assert wire["kwargs"] == plain["kwargs"]


# -- cases of functions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", FUNCTIONS, ids=lambda contract: contract.prefix)
def test_everything_that_can_be_misused_of_a_function_is_misused_by_a_boundary_case(contract: Contract):
    made = boundary_cases(contract, SCENARIO)
    assert {(case.misuse.of, case.misuse.kind) for case in made} == set(miscall.subjects(contract))
    for port in contract.inputs:
        passed = {case.misuse.value for case in made if (case.misuse.of, case.misuse.kind) == (port.name, "type")}
        assert passed == set(miscall.mistakes(contract, port.name))


@pytest.mark.parametrize("contract", FUNCTIONS, ids=lambda contract: contract.prefix)
def test_one_thing_of_a_misused_call_is_another_and_nothing_else(contract: Contract):
    for case in boundary_cases(contract, SCENARIO):
        (args, kwargs), (plain, named) = (to_wire(contract, c)[0]["call"] for c in (case, replace(case, misuse=None)))
        if case.misuse.of != "call":
            different = [a for a, b in zip(args, plain, strict=True) if a != b]
            assert len(different) + len([k for k in kwargs if kwargs[k] != named.get(k, "nothing")]) <= 1


def test_sequences_of_different_trailing_shapes_differ_in_it():
    case = next(c for c in boundary_cases(PAD, SCENARIO) if c.misuse.value == "other shape")
    assert case.sizes["S"] == (2,)
    assert len(case.sizes["drawn"]) == 2


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("exception", "message"), [
    ("TypeError", "hidden_size should be of type int, got: str"),
    ("RuntimeError", "mat1 and mat2 must have the same dtype, but got Double and Float"),
    ("IndexError", "Dimension out of range (expected to be in range of [-1, 0], but got 2)"),
    ("AssertionError", "embed_dim must be divisible by num_heads"),
    ("AttributeError", "'NoneType' object has no attribute 'dim'"),
])  # fmt: skip
def test_an_error_that_speaks_of_what_was_passed_is_not_misleading(exception: str, message: str):
    assert not misleading(ended("raised", exception, message), misuse())


@pytest.mark.parametrize(("exception", "message"), [
    ("RuntimeError", 'x INTERNAL ASSERT FAILED at "a.h":75, please report a bug to PyTorch.'),
    ("RuntimeError", "could not create a primitive descriptor for the LSTM forward propagation primitive"),
    ("RuntimeError", "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory"),
    ("RuntimeError", "tensor does not have a device"),
    ("AssertionError", ""),
    ("IndexError", "tuple index out of range"),
    ("AttributeError", "'LSTM' object has no attribute 'bias'"),
    ("AttributeError", "module 'torch' has no attribute 'lstm'"),
    ("UnboundLocalError", "local variable 'x' referenced before assignment"),
])  # fmt: skip
def test_an_error_that_speaks_of_the_inside_is_misleading(exception: str, message: str):
    assert misleading(ended("raised", exception, message), misuse())


def test_a_none_that_the_user_did_not_pass_is_no_explanation():
    error = ended("raised", "AttributeError", "'NoneType' object has no attribute 'dim'")
    assert misleading(error, misuse("h_0, c_0", "nesting", "empty"))


# -- judging -----------------------------------------------------------------------------------------------------------


def judgements(case: Case, seen: dict[str, Any]) -> dict[str, Failure]:
    claims = [claim for claim in claims_of(LSTM) if claim.scenario == case.scenario]
    found = judge(claims, evidence(LSTM, case, seen, "2.13.0", "cpu"))
    return {claim: judgement for claim, judgement in found.items() if isinstance(judgement, Failure)}


@pytest.mark.parametrize("scenario", ["refused", SCENARIO])
@pytest.mark.parametrize(("status", "severity"), [("crashed", "crash"), ("hung", "hang")])
def test_a_death_is_told_once_and_by_its_own_claim(scenario: str, status: str, severity: str):
    for case in boundary_cases(LSTM, scenario)[::20]:
        found = judgements(case, ended(status, message="the process died of SIGSEGV"))
        assert [(claim, failure.severity) for claim, failure in found.items()] == [
            (f"lstm.memory_safety.{scenario}", severity)
        ]


def test_without_the_claim_on_memory_a_death_breaks_what_was_to_be_refused():
    case = boundary_cases(LSTM, "refused")[0]
    claims = [claim for claim in claims_of(LSTM) if claim.scenario == "refused" and not claim.cause]
    found = judge(claims, evidence(LSTM, case, ended("crashed", message="SIGSEGV"), "2.13.0", "cpu"))
    assert [j.severity for j in found.values() if isinstance(j, Failure)] == ["crash"]


def test_numpy_that_a_target_lacks_is_unsupported():
    case = next(c for c in boundary_cases(LSTM, SCENARIO) if "numpy" in repr(c.misuse.value))
    claims = [claim for claim in claims_of(LSTM) if claim.scenario == SCENARIO]
    seen = ended("raised", "ModuleNotFoundError", "No module named 'numpy'")
    found = judge(claims, evidence(LSTM, case, seen, "2.13.0", "cpu"))
    assert found[f"lstm.{case.misuse.of}.alike"] == "unsupported"


# -- with torch --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", JUDGED, ids=lambda contract: contract.prefix)
def test_the_agent_makes_everything_that_is_passed_by_mistake(contract: Contract, shared_target: Target):
    release = shared_target.release
    chosen = [c for c in boundary_cases(contract, SCENARIO) if applies(contract, c, release)]
    chosen = [case for case in chosen if case.misuse.kind in ("excluded", "alike", "type", "dtype")]
    shared_target.send_cases([to_wire(contract.at(release), case) for case in chosen])
    for case, seen in zip(chosen, shared_target.receive_cases(), strict=True):
        assert seen["status"] in ("ok", "raised")
        without_numpy = seen.get("exception") == "ModuleNotFoundError"
        assert seen["phase"] != "prepare" or without_numpy, f"{case.misuse}: {seen}"


def told(contract: Contract, case: Case, target: Target) -> set[str]:
    """The claims on misuse that a case breaks on a target."""
    target.send_cases([to_wire(contract.at(target.release), case)])
    found = evidence(contract, case, target.receive_cases()[0], target.release, "cpu")
    judged = judge([claim for claim in claims_of(contract) if claim.scenario == SCENARIO], found)
    return {claim for claim, judgement in judged.items() if isinstance(judgement, Failure)}


@pytest.mark.parametrize("contract", FUNCTIONS, ids=lambda contract: contract.prefix)
def test_the_agent_makes_everything_that_stands_for_an_argument_of_a_function(contract, shared_target: Target):
    chosen = [c for c in boundary_cases(contract, SCENARIO) if applies(contract, c, shared_target.release)]
    chosen = [case for case in chosen if case.misuse.kind in ("excluded", "alike", "type", "absent", "nan")]
    shared_target.send_cases([to_wire(contract.at(shared_target.release), case) for case in chosen])
    for case, seen in zip(chosen, shared_target.receive_cases(), strict=True):
        assert seen["status"] in ("ok", "raised")
        assert seen["phase"] != "prepare", f"{case.misuse}: {seen}"


def test_a_result_that_is_missing_is_not_what_the_documented_call_gives():
    case = next(c for c in boundary_cases(PAD, SCENARIO) if c.misuse.value == "tuple")
    seen = {"status": "ok", "phase": "done", "result": {"type": "NoneType"}, "blobs": []}
    judged = judge(claims_of(PAD)[-8:], evidence(PAD, case, seen, "2.13.0", "cpu"))
    assert isinstance(judged["pad_sequence.sequences.alike"], Failure)


def test_padding_with_nan_is_kept_only_where_all_padding_is_nan(shared_target: Target):
    case = next(c for c in boundary_cases(PAD, SCENARIO) if c.misuse.kind == "nan" and c.sizes["drawn"] == (2, 1))
    assert not told(PAD, case, shared_target)
    with planted(shared_target, f"nan_lost({PAD.module!r})"):
        assert told(PAD, case, shared_target) == {"pad_sequence.padding_value.nan"}


def test_silence_takes_the_place_of_a_misleading_error_that_was_found_before(shared_target: Target):
    claim = next(claim for claim in claims_of(LSTM) if claim.id == "lstm.h_0_c_0.refuses.nesting")
    found = Campaign(LSTM, SCENARIO, [claim], [shared_target], Plan(random_cases=0)).run().discrepancies
    assert [discrepancy.severity for discrepancy in found] == ["silent"]
    assert found[0].case["misuse"]["value"] == "more"
