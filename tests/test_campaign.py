"""Campaigns: what is planted is found, reduced to its corner, and hides nothing else; the same plan finds the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from conformance.campaign import Campaign, Outcome, Plan
from conformance.cases import Case, Input
from conformance.ledger import Entry, Ledger
from conformance.oracle.claims import claims_of
from conformance.oracle.registry import contract_of
from conformance.results import Discrepancy
from conformance.targets import Target, TargetSpec
from tests.planted.faults import execute, planted

FAULT = "output_changed({!r}, {!r}, {}, {!r})"


def run(name: str, scenario: str, *targets: Target, journal: Any = None, **plan: Any) -> Outcome:
    contract = contract_of(f"torch.nn.{name}")
    claims = [c for c in claims_of(contract) if c.scenario == scenario and c.authority == "documentation"]
    watch = [journal] if journal else []
    return Campaign(contract, scenario, claims, targets, Plan(**{"random_cases": 0, **plan}), *watch).run()


def found(outcome: Outcome, claim: str) -> Discrepancy:
    one = [d for d in outcome.discrepancies if d.claim == claim and d.ledger is None]
    assert len(one) == 1, [d.claim for d in outcome.discrepancies]
    return one[0]


def case_of(discrepancy: Discrepancy) -> Case:
    assert discrepancy.case is not None
    return Case.from_json(discrepancy.case)


def broken(outcome: Outcome) -> set[str]:
    return {claim for (claim, _), tally in outcome.tallies.items() if tally.broken}


def shape_entry(**fields: Any) -> Entry:
    known = {"id": "known", "claims": ("linear.output.shape.*",), "kind": "implementation", "severity": "wrong",
             "reason": "", "upstream": "", "observed": "output"}  # fmt: skip
    return Entry(**{**known, **fields})


@pytest.fixture
def patched(own_target: Target) -> Iterator[Any]:
    """Replaces ``Linear.forward`` in a target of the test's own; the lines are its body and stay after a restart."""

    def patch(*body: str) -> Target:
        lines = ["import os, signal, torch", "original, seen = torch.nn.Linear.forward, []",
                 "def forward(self, input):", *(f"    {line}" for line in body),
                 "    return original(self, input)", "torch.nn.Linear.forward = forward"]  # fmt: skip
        own_target.prelude = "\n".join(lines)
        execute(own_target, own_target.prelude)
        return own_target

    yield patch
    own_target.prelude = ""


# -- finding and reducing ----------------------------------------------------------------------------------------------


def test_a_wrong_shape_in_a_corner_is_reduced_to_exactly_that_corner(shared_target: Target):
    """The fault is there where an LSTM is bidirectional and has two layers: so is the minimal case, and no more."""
    with planted(shared_target, FAULT.format("torch.nn.LSTM", "time_first", (0,), "shape")):
        outcome = run("LSTM", "time_first", shared_target, random_cases=200)
    assert broken(outcome) == {"lstm.output.shape.time_first"}
    discrepancy = found(outcome, "lstm.output.shape.time_first")
    case = case_of(discrepancy)
    assert dict(case.arguments) == {"input_size": 1, "hidden_size": 1, "num_layers": 2, "bidirectional": True}
    assert dict(case.sizes) == {"N": 1, "L": 1}
    assert [(item.name, item.shape, item.memory) for item in case.inputs] == [("input", (1, 1, 1), "contiguous")]
    assert (case.positional, case.dtype, case.seed) == (0, "float32", 0)
    assert (discrepancy.severity, discrepancy.reproduced) == ("wrong", True)
    assert discrepancy.hits == outcome.tallies["lstm.output.shape.time_first", "cpu"].broken > 1


def test_a_fault_of_the_constructor_is_reduced_to_its_corner(shared_target: Target):
    with planted(shared_target, "parameter_frozen('torch.nn.GRU')"):
        outcome = run("GRU", "constructor", shared_target, ledger=Ledger.load())
    assert broken(outcome) == {"gru.parameters.learnable"}
    case = case_of(found(outcome, "gru.parameters.learnable"))
    assert dict(case.arguments) == {"input_size": 1, "hidden_size": 1, "num_layers": 2, "bidirectional": True}
    assert case.positional == 0


def test_a_swallowed_refusal_is_reduced_and_keeps_its_violation(shared_target: Target):
    with planted(shared_target, "refusal_swallowed('torch.nn.Linear', 'refused')"):
        outcome = run("Linear", "refused", shared_target)
    discrepancy = found(outcome, "linear.input.refuses.dim-1.any_rank")
    case = case_of(discrepancy)
    assert discrepancy.severity == "silent"
    assert case.violation is not None
    assert (case.violation.port, case.violation.axis) == ("input", -1)
    assert dict(case.arguments)["out_features"] == 1


def test_a_failing_claim_does_not_hide_another(shared_target: Target):
    faults = [FAULT.format("torch.nn.GRU", "batch_first", (0,), "shape"),
              FAULT.format("torch.nn.GRU", "batch_first", (1,), "dtype")]  # fmt: skip
    with planted(shared_target, "; planted.".join(faults)):
        outcome = run("GRU", "batch_first", shared_target)
    assert broken(outcome) == {"gru.output.shape.batch_first", "gru.h_n.dtype.batch_first"}
    for claim in broken(outcome):
        assert case_of(found(outcome, claim)).arguments["num_layers"] == 2


def test_a_call_that_is_refused_in_one_corner_does_not_hide_what_is_wrong_in_another(patched):
    target = patched("if self.in_features == 3: raise RuntimeError('planted')",
                     "if self.out_features == 3: return original(self, input).unsqueeze(0)")  # fmt: skip
    outcome = run("Linear", "any_rank", target)
    assert broken(outcome) == {"linear.accepts.any_rank", "linear.output.shape.any_rank"}
    refused = found(outcome, "linear.accepts.any_rank")
    assert (refused.severity, refused.observed) == ("refused", "RuntimeError in call: planted")
    assert dict(case_of(refused).arguments) == {"in_features": 3, "out_features": 1}
    wrong = found(outcome, "linear.output.shape.any_rank")
    assert dict(case_of(wrong).arguments) == {"in_features": 1, "out_features": 3}


def test_a_crash_in_a_corner_is_a_discrepancy_with_a_minimal_case_and_the_other_claims_go_on(patched):
    target = patched("if self.in_features == 8 and self.bias is None and input.dim() == 1:",
                     "    signal.raise_signal(signal.SIGSEGV)")  # fmt: skip
    outcome = run("Linear", "any_rank", target)
    assert broken(outcome) == {"linear.accepts.any_rank"}
    discrepancy = found(outcome, "linear.accepts.any_rank")
    assert (discrepancy.severity, discrepancy.observed) == ("crash", "crashed: the process died of SIGSEGV")
    case = case_of(discrepancy)
    assert dict(case.arguments) == {"in_features": 8, "out_features": 1, "bias": False}
    assert [item.shape for item in case.inputs] == [(8,)]
    assert all(tally.kept for (claim, _), tally in outcome.tallies.items())
    assert target.restarts == 1  # what followed died in forks


def test_a_hang_is_a_discrepancy_of_its_own_severity(patched):
    target = patched(
        "if input.dim() == 4 and self.in_features == 8 and self.bias is None: __import__('time').sleep(60)"
    )
    target.limit = 1.0
    outcome = run("Linear", "any_rank", target, shrink=False)
    assert found(outcome, "linear.accepts.any_rank").severity == "hang"


def test_a_failure_that_does_not_come_back_is_recorded_and_said_not_to_be_reproduced(patched):
    target = patched("seen.append(1)", "if len(seen) == 12: raise RuntimeError('planted: once')")
    discrepancy = found(run("Linear", "any_rank", target), "linear.accepts.any_rank")
    assert "planted: once" in discrepancy.observed
    assert not discrepancy.reproduced
    assert discrepancy.again == [0, 5]
    assert discrepancy.hits == 1


def test_a_fault_of_one_target_is_not_held_against_the_other(shared_target: Target, patched):
    target = patched("return original(self, input).unsqueeze(0)")
    target.spec = replace(target.spec, number=2)
    outcome = run("Linear", "any_rank", shared_target, target)
    assert {(d.claim, d.target) for d in outcome.discrepancies} == {
        ("linear.output.shape.any_rank", "cpu@2"), ("linear.example.1.any_rank", "cpu@2")
    }  # fmt: skip
    assert outcome.tallies["linear.output.shape.any_rank", "cpu"].kept > 0


@pytest.fixture
def doomed(target_python: str, tmp_path) -> Target:
    """A second CPU target, every call of which ends it for good: its interpreter is gone."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{target_python}" "$@"\n')
    python.chmod(0o755)
    target = Target(replace(TargetSpec.parse("cpu", str(python)), number=2)).start()
    python.unlink()
    execute(target, "import os, torch\ntorch.nn.Linear.forward = lambda *a: os._exit(1)")
    return target


@pytest.mark.parametrize("frozen", [False, True])
def test_a_target_that_cannot_be_started_again_is_lost_and_the_other_goes_on(frozen: bool, shared_target, doomed):
    case = Case("torch.nn.Linear", "any_rank", {"in_features": 1, "out_features": 1},
                (Input("input", (1,), "float32"),), {"S": ()})  # fmt: skip
    ledger = Ledger((shape_entry(case=case),) if frozen else ())
    outcome = run("Linear", "any_rank", doomed, shared_target, ledger=ledger)
    assert outcome.tallies["linear.output.shape.any_rank", "cpu@2"].lost
    healthy = outcome.tallies["linear.accepts.any_rank", "cpu"]
    assert healthy.kept == outcome.cases > 10
    assert not healthy.lost


# -- the same plan, the same cases -------------------------------------------------------------------------------------


def executed(target: Target, **plan: Any) -> list[str]:
    hashes: list[str] = []
    run("Flatten", "any_rank", target, journal=lambda cases: hashes.extend(case.hash for case in cases), **plan)
    return hashes


def test_the_same_seed_gives_the_same_cases_and_another_seed_others(shared_target: Target):
    first, again, other = (executed(shared_target, random_cases=60, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    fixed = executed(shared_target, random_cases=0)
    assert first[: len(fixed)] == other[: len(fixed)] == fixed
    assert len(set(first[len(fixed) :])) > 20


def test_a_plan_of_some_dtypes_has_cases_of_those_only(shared_target: Target):
    seen: list[Case] = []
    run("Linear", "any_rank", shared_target, journal=seen.extend, dtypes=("float64",), random_cases=40)
    examples = [case for case in seen if case.arguments.get("in_features") == 20]
    assert {case.dtype for case in seen if case not in examples} == {"float64"}


def test_every_case_is_noted_before_it_runs(own_target: Target):
    noted: list[Case] = []
    execute(own_target, "import os, torch\ntorch.nn.Flatten.forward = lambda *a: os._exit(1)")
    run("Flatten", "any_rank", own_target, journal=noted.extend, shrink=False)
    assert noted


# -- the ledger --------------------------------------------------------------------------------------------------------


def with_ledger(target: Target, **fields: Any) -> Outcome:
    with planted(target, FAULT.format("torch.nn.Linear", "any_rank", (), "shape")):
        return run("Linear", "any_rank", target, ledger=Ledger((shape_entry(**fields),)))


def test_an_entry_explains_what_its_selector_says(shared_target: Target):
    outcome = with_ledger(shared_target, when="in_features == 2")
    assert broken(outcome) == set()
    tally = outcome.tallies["linear.output.shape.any_rank", "cpu"]
    assert tally.outcome == "known"
    [known] = outcome.discrepancies
    assert (known.ledger, known.hits) == ("known", tally.known["known"])


def test_an_entry_explains_nothing_outside_its_selector(shared_target: Target):
    outcome = with_ledger(shared_target, when="bias")
    assert broken(outcome) == {"linear.output.shape.any_rank"}
    discrepancy = found(outcome, "linear.output.shape.any_rank")
    assert dict(case_of(discrepancy).arguments) == {"in_features": 2, "out_features": 1, "bias": False}
    assert outcome.tallies["linear.output.shape.any_rank", "cpu"].known["known"] > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"observed": "another thing"}, {"releases": "<2.0"}, {"devices": "cuda*"}, {"shape": "(*S, out_features)"},
        {"claims": ("linear.output.dtype.*",)}, {"when": "L > 3"},
    ],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
def test_an_entry_that_differs_in_one_field_explains_nothing(shared_target: Target, fields: dict[str, Any]):
    assert broken(with_ledger(shared_target, **fields)) == {"linear.output.shape.any_rank"}


def test_an_entry_that_knows_the_wrong_shape_explains_that_shape_alone(shared_target: Target):
    assert broken(with_ledger(shared_target, shape="(1, *S, out_features)")) == set()


def test_a_known_failure_met_while_reducing_another_is_neither_counted_nor_shown(shared_target: Target):
    contract = contract_of("torch.nn.Linear")
    claims = [c for c in claims_of(contract) if c.id == "linear.output.shape.any_rank"]
    case = Case(contract.module, "any_rank", {"in_features": 2, "out_features": 1},
                (Input("input", (2,), "float32"),), {"S": ()})  # fmt: skip
    campaign = Campaign(contract, "any_rank", claims, [shared_target], Plan(ledger=Ledger((shape_entry(),))))
    with planted(shared_target, FAULT.format("torch.nn.Linear", "any_rank", (), "shape")):
        assert campaign.execution.execute([case], [shared_target]) == [{}]
        assert campaign.outcome.tallies["linear.output.shape.any_rank", "cpu"].outcome == "not exercised"
        assert campaign.outcome.discrepancies == []
        campaign.execution.execute([case])
    assert campaign.outcome.tallies["linear.output.shape.any_rank", "cpu"].known == {"known": 1}


def test_a_healthy_module_keeps_every_claim_that_its_cases_exercise(shared_target: Target):
    outcome = run("Flatten", "any_rank", shared_target, random_cases=50)
    assert outcome.discrepancies == []
    assert {tally.outcome for tally in outcome.tallies.values()} == {"passed"}
    assert outcome.tallies["flatten.accepts.any_rank", "cpu"].kept == outcome.cases
