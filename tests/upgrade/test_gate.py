"""The gate: which rows stop a pin, what the verdict says, and what is refused as nonsense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.compare.difference import Difference
from conformance.compare.levels import DEFAULTS, GateError, levels
from conformance.results import Run, Tally, TargetRecord
from conformance.verdict import verdict

ROW = Difference("torch.nn.RNN", "packed", "values", "gate", "changed", "0a", "1.0", "2.0")


def run(*rows: Difference, compared: int = 9, **changed: str) -> Run:
    targets = [TargetRecord(role, role, "popen", "cpu", "eager", True, role=role, environment={"torch": release})
               for role, release in (("old", "2.5.1+cpu"), ("new", "2.13.0+cpu"))]  # fmt: skip
    targets[1] = replace(targets[1], **changed)
    header = {"claims": [{"id": "rnn.a"}], "comparison": {"levels": DEFAULTS, "uses": None}}
    tally = Tally("rnn.a", "torch.nn.RNN", "packed", "new", kept=1)
    return Run(header, targets, [tally], timing={"groups": [{"compared": compared}]}, differences=list(rows))


@pytest.mark.parametrize(
    ("row", "word", "code"),
    [
        (replace(ROW, bucket="regressed", level="inform"), "NO-GO", 1),
        (ROW, "NO-GO", 1),
        (replace(ROW, level="inform"), "GO", 0),
        (replace(ROW, bucket="fixed"), "GO", 0),
        (replace(ROW, bucket="broken in both"), "GO", 0),
        (replace(ROW, bucket="unsupported"), "GO", 0),
        (replace(ROW, bucket="allowed", ledger="waived"), "GO WITH WAIVERS", 0),
        (replace(ROW, bucket="inconclusive"), "INCONCLUSIVE", 4),
        (replace(ROW, bucket="regressed", used=False), "GO", 0),
    ],
)
def test_a_row_decides_by_its_bucket_and_level(row: Difference, word: str, code: int):
    found = verdict(run(row))
    assert (found.word, found.exit) == (word, code)


def test_the_sentence_names_the_worst_and_both_texts():
    reason = verdict(run(ROW, replace(ROW, bucket="regressed", fingerprint="1b", old="kept", new="lost"))).reason
    assert reason.startswith("1 regression and 1 change that the gate does not let pass; the worst: values")
    assert "kept before, lost now (1b)" in reason


def test_a_go_says_how_much_was_compared_and_what_no_case_exercised():
    whole = run()
    whole.header["claims"].append({"id": "rnn.idle"})
    whole.tallies.append(Tally("rnn.idle", "torch.nn.RNN", "packed", "new"))
    reason = verdict(whole).reason
    assert "torch 2.5.1+cpu to torch 2.13.0+cpu" in reason
    assert "9 cases" in reason
    assert "1 claims were exercised by no case, among them rnn.idle" in reason


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        (run(compared=0), "no case ran on both"),
        (run(status="lost", reason="cannot import torch"), "the new torch is not there: cannot import torch"),
    ],
)
def test_what_was_not_compared_is_inconclusive(whole: Run, said: str):
    found = verdict(whole)
    assert (found.word, found.exit) == ("INCONCLUSIVE", 4)
    assert said in found.reason


def test_a_comparison_that_was_cut_short_is_inconclusive_unless_something_stops_the_pin():
    assert verdict(run(), "interrupted").word == "INCONCLUSIVE"
    assert verdict(run(ROW), "interrupted").word == "NO-GO"


def test_an_error_of_the_suite_comes_first():
    assert verdict(run(ROW), error="while judging").word == "ERROR OF THE SUITE"


# -- levels ------------------------------------------------------------------------------------------------------------


def test_without_a_file_the_levels_are_the_suites_own(tmp_path: Path):
    assert levels(directory=tmp_path) == DEFAULTS


@pytest.mark.parametrize("head", ["", "[gate]", "[tool.conformance.gate]"])
def test_a_file_changes_the_levels_that_it_names(tmp_path: Path, head: str):
    path = tmp_path / "gate.toml"
    path.write_text(f'{head}\nvalues = "inform"\n"random stream" = "gate"\n')
    assert levels(str(path)) == {**DEFAULTS, "values": "inform", "random stream": "gate"}


def test_the_pyproject_beside_it_counts(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.conformance.gate]\nwarnings = "gate"\n')
    assert levels(directory=tmp_path)["warnings"] == "gate"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('speed = "gate"', "'speed' is no field"),
        ('values = "maybe"', "values is 'maybe', which is no level"),
        ("values = 3", "values is 3, which is no level"),
        ("gate = 1", "it must be a table"),
        ("values = ", "cannot be read as TOML"),
    ],
)
def test_nonsense_is_refused_with_what_is_allowed(tmp_path: Path, text: str, said: str):
    path = tmp_path / "gate.toml"
    path.write_text(text)
    with pytest.raises(GateError, match="gate.toml") as told:
        levels(str(path))
    assert said in str(told.value)


def test_a_gate_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(GateError, match="cannot be read"):
        levels(str(tmp_path / "none.toml"))
