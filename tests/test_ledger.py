"""The ledger: every entry is about what torch does, and one that cannot be read is refused by file and field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cases import Case
from conformance.judge import applies, evidence, judge
from conformance.ledger import Entry, Ledger, LedgerError
from conformance.ledger.entry import read_entry
from conformance.ledger.ledger import OWN
from conformance.oracle.claims import Failure, claims_of
from conformance.oracle.registry import builtin, contract_of
from conformance.targets import Target
from conformance.wire import to_wire

ENTRIES = [pytest.param(entry, id=entry.id) for entry in Ledger.load().entries]
FROZEN = [found for found in ENTRIES if found.values[0].case]  # what a page says needs no case
GOOD = """id = "mine"
claims = ["linear.accepts.*"]
kind = "implementation"
severity = "refused"
releases = ">=2.0"
when = "in_features > 1"
observed = "^RuntimeError"
reason = "a reason"
upstream = "none found"
"""


def judgements(case: Case, target: Target) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the claims of a frozen case's scenario say of it on this target, and what an entry may select on."""
    contract = contract_of(case.module)
    scenario = case.scenario
    claims = [c for c in claims_of(contract) if c.scenario == scenario and c.authority == "documentation"]
    target.send_cases([to_wire(contract.at(target.release), case)])
    found = evidence(contract, case, target.receive_cases()[0], target.release, target.spec.device)
    return judge(claims, found), {**found.env, **case.facts()}


def explained(entry: Entry, found: dict[str, Any], facts: dict[str, Any], release: str) -> set[str]:
    return {claim for claim, judgement in found.items()
            if isinstance(judgement, Failure) and entry.explains(claim, judgement.observed, facts, release, "cpu")}  # fmt: skip


def written(directory: Path, text: str, name: str = "mine") -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}.toml"
    path.write_text(text)
    return path


# -- our own entries ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", FROZEN)
def test_the_frozen_case_of_an_entry_fails_as_it_says_where_it_applies_and_only_there(
    entry: Entry, shared_target: Target
):
    assert entry.case is not None
    if not applies(contract_of(entry.case.module), entry.case, shared_target.release):
        pytest.skip(f"torch {shared_target.release} says nothing about the case")
    if entry.severity == "crash":
        shared_target.close()  # a fresh process: what it reads beyond its memory depends on what ran before
    found, facts = judgements(entry.case, shared_target)
    inside = entry.range.contains(shared_target.release, prereleases=True)
    assert bool(explained(entry, found, facts, shared_target.release)) == inside
    theirs = [
        j for claim, j in found.items() if any(re.fullmatch(glob.replace("*", ".*"), claim) for glob in entry.claims)
    ]
    assert theirs
    if not inside:
        assert not [judgement for judgement in theirs if isinstance(judgement, Failure)]


@pytest.mark.parametrize("entry", FROZEN)
def test_every_failure_of_a_frozen_case_is_known(entry: Entry, shared_target: Target):
    """The case shows its own entry; whatever else fails in it must be in the ledger too."""
    assert entry.case is not None
    if not applies(contract_of(entry.case.module), entry.case, shared_target.release):
        pytest.skip(f"torch {shared_target.release} says nothing about the case")
    if entry.severity == "crash":
        shared_target.close()  # a fresh process: what it reads beyond its memory depends on what ran before
    found, facts = judgements(entry.case, shared_target)
    for claim, judgement in found.items():
        if isinstance(judgement, Failure):
            known = Ledger.load().explain(claim, judgement.observed, facts, shared_target.release, "cpu")
            assert known is not None, f"{claim}: {judgement}"


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_says_why_since_when_and_who_looks_again(entry: Entry):
    assert len(entry.reason) > 20
    assert entry.upstream == "none found" or entry.upstream.startswith("https://github.com/pytorch/pytorch/")
    assert entry.owner
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry.created)
    assert entry.created < entry.review_by


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_globs_of_an_entry_each_match_a_claim(entry: Entry):
    ids = [claim.id for contract in builtin() for claim in claims_of(contract)]
    for glob in entry.claims:
        assert [name for name in ids if re.fullmatch(re.escape(glob).replace(r"\*", ".*"), name)], glob


@pytest.mark.parametrize("entry", FROZEN)
def test_the_selector_of_an_entry_selects_its_own_frozen_case(entry: Entry):
    assert entry.case is not None
    contract = contract_of(entry.case.module)
    facts = {**contract.environment({**entry.case.arguments, **entry.case.options}, entry.case.sizes, entry.case.layout),
             **entry.case.facts()}  # fmt: skip
    assert entry.selector(facts)


def test_every_file_of_the_ledger_is_an_entry_of_it():
    assert sorted(path.stem for path in OWN.glob("*.toml")) == sorted(entry.id for entry in Ledger.load().entries)


# -- what cannot be read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "mine"', 'id = "yours"', "id is 'yours' but the file is named 'mine'; they must be the same"),
        ('id = "mine"\n', "", "missing 1 required positional argument: 'id'"),
        ('"implementation"', '"mood"', "kind is 'mood'; it must be one of documentation, implementation"),
        ('"refused"', '"bad"', "severity is 'bad'; it must be one of crash, hang, silent"),
        ("in_features > 1", "in_features >", "when: 'in_features >' is not a formula"),
        ("in_features > 1", "open('x')", "when: .*calls an unknown function"),
        ("in_features > 1", "a.b", "when: .*Attribute is not part"),
        ('">=2.0"', '"2 or later"', "releases: Invalid specifier"),
        ('"^RuntimeError"', '"("', "observed: .*(unterminated|missing)"),
        ('reason = "a reason"', 'reasons = "a reason"', "missing 1 required positional argument: 'reason'"),
        ('reason = "a reason"', "reason = a reason", "Invalid value"),
        ('upstream = "none found"', 'upstream = "none found"\nshape = "N +"', "shape: 'N \\+' is not a formula"),
        ('upstream = "none found"', 'upstream = "none found"\n[case]\nschema = 7', "not a case of schema 1"),
        ('upstream = "none found"', 'upstream = "none found"\n[case]\nschema = 1', "misses or misnames a field"),
        ('["linear.accepts.*"]', "3", "claims is 3; it must be a list of strings"),
        ('["linear.accepts.*"]', '"linear.accepts.*"', "claims is 'linear.*; it must be a list of strings"),
        ('claims = ["linear.accepts.*"]', "", "missing 1 required positional argument: 'claims'"),
        ('upstream = "none found"', 'upstream = "none found"\ncase = 3', "case is 3; it must be a table"),
        ('"a reason"', "7", "reason is 7; it must be a string"),
        ('"in_features > 1"', "true", "when is True; it must be a string"),
        ('">=2.0"', "2.0", "releases is 2.0; it must be a string"),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_read_is_refused_with_its_file_and_field(tmp_path, old: str, new: str, message: str):
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(LedgerError, match=message) as refusal:
        read_entry(path)
    assert str(refusal.value).startswith(f"{path}: ")


def test_an_entry_that_is_no_text_is_refused_with_its_file(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LedgerError, match=r"mine\.toml: .*; an entry is a TOML file"):
        read_entry(tmp_path / "mine.toml")


@given(st.text(max_size=60))
def test_no_text_makes_reading_fail_in_another_way(tmp_path_factory, text: str):
    path = tmp_path_factory.getbasetemp() / "mine.toml"
    path.write_text(text.encode("utf-8", "replace").decode(), encoding="utf-8")
    with pytest.raises(LedgerError):
        read_entry(path)


# -- whose ledger ------------------------------------------------------------------------------------------------------


def test_none_is_no_ledger():
    assert Ledger.load("none").entries == ()


def test_a_users_directory_stands_beside_ours(tmp_path):
    written(tmp_path / "known", GOOD)
    own, both = Ledger.load(), Ledger.load(str(tmp_path / "known"))
    assert [entry.id for entry in both.entries] == [*(entry.id for entry in own.entries), "mine"]


def test_an_empty_directory_adds_nothing(tmp_path):
    assert Ledger.load(str(tmp_path)).entries == Ledger.load().entries


def test_an_id_that_is_taken_is_refused(tmp_path):
    name = Ledger.load().entries[0].id
    written(tmp_path, GOOD.replace('"mine"', f'"{name}"'), name)
    with pytest.raises(LedgerError, match=f"two ledger entries are called '{name}'; ids must be unique"):
        Ledger.load(str(tmp_path))


@pytest.mark.parametrize("extra", ["nowhere", "file.toml"])
def test_what_is_no_directory_is_refused(tmp_path, monkeypatch, extra: str):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, GOOD, "file")
    with pytest.raises(LedgerError, match=f"--ledger '{extra}' is not a directory; pass a directory of .toml entries"):
        Ledger.load(extra)


def test_reading_the_ledger_changes_no_file():
    before = {path: path.stat().st_mtime_ns for path in OWN.iterdir()}
    Ledger.load()
    assert {path: path.stat().st_mtime_ns for path in OWN.iterdir()} == before


# -- explaining --------------------------------------------------------------------------------------------------------


def test_a_selector_that_asks_for_what_a_case_does_not_have_does_not_fit(tmp_path):
    entry = read_entry(written(tmp_path, GOOD.replace("in_features > 1", "L > 1")))
    assert not entry.explains("linear.accepts.any_rank", "RuntimeError", {"in_features": 2}, "2.13.0", "cpu")


@pytest.mark.parametrize(("release", "fits"), [("1.13.1", False), ("2.0.0", True), ("2.14.0.dev20260101", True)])
def test_an_entry_speaks_of_its_releases(tmp_path, release: str, fits: bool):
    entry = read_entry(written(tmp_path, GOOD))
    assert entry.explains("linear.accepts.any_rank", "RuntimeError: x", {"in_features": 2}, release, "cpu") == fits
