"""Findings are grouped by root cause; each comes with a ledger entry that explains it and a text for an issue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.cases import Case
from conformance.ledger.entry import read_entry
from conformance.oracle.registry import contract_of
from conformance.report.causes import Cause, causes
from conformance.report.entry import draft, slug
from conformance.report.shrunk import shrunk
from conformance.report.view import View
from conformance.results import Discrepancy, Run, Tally, TargetRecord
from tests.report.strategies import real_cases, texts

RELEASES = {"old": "2.5.1", "new": "2.13.0+cpu"}


def _run(*found: Discrepancy) -> Run:
    claims = [{"id": d.claim, "module": d.module, "scenario": (d.case or {}).get("layout", "refused")} for d in found]
    targets = [TargetRecord(name, name, "popen", "cpu", "eager", True, environment={"torch": torch})
               for name, torch in RELEASES.items()]  # fmt: skip
    tallies = [Tally(c["id"], c["module"], c["scenario"], t, kept=5) for c in claims for t in RELEASES]
    return Run({"claims": list({c["id"]: c for c in claims}.values())}, targets, tallies, list(found))


def _found(claim: str = "lstm.output.shape.packed", target: str = "new", **fields: object) -> Discrepancy:
    case = Case("torch.nn.LSTM", claim.rpartition(".")[2], {"input_size": 1, "hidden_size": 1}).to_json()
    made = {"severity": "wrong", "expected": "(1, 2)", "observed": "(2, 1)", "case": case, "seen": {"status": "ok"}}
    return Discrepancy(claim, "torch.nn.LSTM", target, **{**made, **fields})


def _causes(*found: Discrepancy) -> list[Cause]:
    return causes(View(_run(*found)))


def test_what_one_module_does_alike_in_several_layouts_and_targets_is_one_cause():
    (cause,) = _causes(_found(), _found("lstm.output.shape.time_first"), _found(target="old", observed="(3, 4)"))
    assert cause.claims == ["lstm.output.shape.packed", "lstm.output.shape.time_first"]
    assert [(one.target.name, one.word) for one in cause.targets] == [("old", "shown"), ("new", "shown")]


def test_other_promises_severities_and_observations_are_other_causes():
    others = [_found("lstm.output.shape.time_first", observed="raised"), _found(target="old", severity="silent"),
              _found("lstm.h_n.shape.packed")]  # fmt: skip
    assert len(_causes(_found(), *others)) == 4


def test_an_entry_of_the_ledger_is_one_cause_whatever_it_shows():
    assert len(_causes(_found(ledger="entry"), _found("lstm.h_n.dtype.packed", ledger="entry", severity="crash"))) == 1


def test_a_target_that_keeps_the_claim_is_said_not_to_show_it():
    (cause,) = _causes(_found())
    assert [(one.word, one.text) for one in cause.targets] == [("not shown", "kept in 5 cases"),
                                                              ("shown", "1 of 5 cases")]  # fmt: skip
    assert (
        "Seen on torch 2.13.0+cpu (new: 1 of 5 cases).\nNot seen on torch 2.5.1 (old: kept in 5 cases)."
        in cause.issue[1]
    )


def test_the_unknown_and_the_severest_cause_comes_first():
    found = _causes(_found(ledger="entry", severity="crash"), _found("lstm.h_n.shape.packed"), _found(severity="hang"))
    assert [cause.lead.found.severity for cause in found] == ["hang", "wrong", "crash"]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(real_cases()), texts, texts, st.sampled_from(["wrong", "crash", "documentation"]))
def test_the_entry_to_add_can_be_read_and_explains_the_discrepancy(tmp_path_factory, real, observed, reason, severity):
    claim, data = real
    case, contract = Case.from_json(data), contract_of(claim["module"])
    target = TargetRecord("cpu", "cpu", "popen", "cpu", "eager", True, environment={"torch": "2.13.0+cpu"})
    found = Discrepancy(claim["id"], claim["module"], "cpu", severity, "", observed, data, {})
    path: Path = tmp_path_factory.mktemp("ledger") / f"{slug(found.claim)}.toml"
    path.write_text(draft(found, [found.claim], [target], case, contract, reason, "2026-11-24T01:02:03"), "utf-8")
    entry = read_entry(path)
    facts = {**contract.symbols(case), **case.facts()}
    assert entry.explains(found.claim, observed, facts, "2.13.0+cpu", "cpu")
    assert not entry.explains(found.claim, observed + " and more", facts, "2.13.0+cpu", "cpu")
    assert not entry.selects(facts, "2.12.0", "cpu")
    assert entry.case == case
    assert entry.review_by == "2027-05-25"


def test_an_entry_holds_for_other_numbers_and_not_for_another_configuration():
    contract = contract_of("torch.nn.LSTM")
    case = Case("torch.nn.LSTM", "packed", {"input_size": 1, "hidden_size": 2, "bidirectional": True},
                sizes={"lengths": (2, 1)})  # fmt: skip
    found = _found(observed="output (2, 1), an error of 3.5e+05 bounds", case=case.to_json())
    (cause,) = _causes(found)
    assert "when = \"layout == 'packed' and bidirectional == True\"" in cause.entry
    assert 'releases = "==2.13.0"' in cause.entry
    other = {**contract.symbols(replace(case, arguments={"input_size": 1, "hidden_size": 2})), **case.facts()}
    assert "bidirectional" in other


def test_what_was_shrunk_away_is_what_differs_between_the_first_case_and_the_minimal_one():
    least = Case("torch.nn.GRU", "packed", {"input_size": 1, "hidden_size": 1})
    first = replace(least, arguments={"input_size": 3, "hidden_size": 1, "bias": False}, dtype="float64")
    assert shrunk(first.to_json(), least) == [("input_size", "3", "1"), ("bias", "False", "left out"),
                                              ("dtype", "float64", "float32")]  # fmt: skip


@pytest.mark.parametrize("first", [None, {}, {"schema": 99}, {"module": "x"}])
def test_nothing_is_said_to_be_shrunk_where_the_first_case_is_not_known(first):
    assert shrunk(first, Case("torch.nn.GRU", "packed", {})) == []
