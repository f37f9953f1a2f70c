"""The table of what another reader found on the pages: what is said to be covered is, and gaps are named."""

from __future__ import annotations

import json
import re
from fnmatch import filter as matching
from pathlib import Path

import pytest

from conformance.oracle.claims import claims_of
from conformance.oracle.coverage import CoverageError, covers, read_table
from conformance.oracle.registry import builtin

STATEMENTS = read_table()
CLAIMS = [claim.id for contract in builtin() for claim in claims_of(contract)]
SUBJECTS = (
    "rnn", "lstm", "gru", "rnncell", "lstmcell", "grucell", "rnnbase", "packed", "invert_permutation", "pad_sequence",
    "pack_padded", "pad_packed", "unpad", "pack_sequence", "unpack",
)  # fmt: skip
GAPS: dict[str, str] = {}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "coverage.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("glob", sorted({glob for globs in STATEMENTS.values() for glob in globs}))
def test_every_glob_matches_a_claim(glob):
    assert matching(CLAIMS, glob), f"{glob} matches no claim; `conformance claims` lists them"


def test_every_id_names_its_subject_and_a_topic():
    strange = [s for s in STATEMENTS if not re.fullmatch(rf"({'|'.join(SUBJECTS)})(\.\w+)+", s)]
    assert not strange


def test_no_statement_is_lost():
    assert len(STATEMENTS) == 294


def test_what_no_claim_covers_is_named_with_the_reason():
    assert {statement for statement, globs in STATEMENTS.items() if not globs} == GAPS.keys()


def test_a_claim_covers_the_statements_whose_globs_match_it_once_each_in_the_order_of_the_table(tmp_path):
    path = written(tmp_path, '"b.one" = ["x.*", "x.y"]\n"a.two" = ["x.?"]\n"c.none" = []\n')
    assert covers(["x.y", "x.z", "w"], path) == {"x.y": ["b.one", "a.two"], "x.z": ["b.one", "a.two"], "w": []}


def test_the_claims_as_json_carry_what_they_cover(capsys):
    from conformance.cli import main

    assert main(["claims", "--json", "--claim", "rnn.output.value.packed", "--claim", "linear.signature"]) == 0
    listed = {claim["id"]: claim["covers"] for claim in json.loads(capsys.readouterr().out)}
    assert "rnn.packed.values" in listed["rnn.output.value.packed"]
    assert listed["linear.signature"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"a.b" = "rnn.*"', "a.b is 'rnn.*'; it must be a list of globs"),
        ('"a.b" = [1]', "a.b is [1]; it must be a list of globs"),
        ('"a.b" = ["*.value.*"]', "a.b has '*.value.*'; a glob names its module in full"),
        ('a.b = ["rnn.*"]', "put an id with dots in quotes"),
        ('"a.b" = [', 'a table has lines like "rnn.eq.step" ='),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_by_file_and_id(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(CoverageError) as refused:
        read_table(path)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CoverageError, match="No such file"):
        read_table(tmp_path / "coverage.toml")
