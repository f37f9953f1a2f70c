"""The run file and its verdict: what is written is read, half a file is said to be half, doubts come before a pass."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.results import Discrepancy, Run, RunFileError, Stream, Tally, TargetRecord, read, write_whole
from conformance.verdict import CONFORMS, ERROR, EXIT, FAILS, INCONCLUSIVE, KNOWN, NOTHING, verdict
from tests.report.strategies import runs

bears = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
CLAIMS = [{"id": name, "authority": "article" if name == "a.article" else "documentation"}
          for name in ("a.one", "a.two", "a.three", "a.article")]  # fmt: skip


def tally(claim: str, **counts) -> Tally:
    return Tally(claim, "torch.nn.A", "call", counts.pop("target", "cpu"), **counts)


def target(**fields) -> TargetRecord:
    return TargetRecord(**{"name": "cpu", "spec": "cpu", "gateway": "popen", "device": "cpu", "mode": "eager",
                           "required": True, **fields})  # fmt: skip


def run(*tallies: Tally, targets: tuple[TargetRecord, ...] = (), found: tuple[Discrepancy, ...] = ()) -> Run:
    return Run({"claims": CLAIMS}, list(targets or [target()]), list(tallies), list(found))


def discrepancy(claim: str = "a.one", **fields) -> Discrepancy:
    known = {"module": "torch.nn.A", "target": "cpu", "severity": "wrong", "expected": "1", "observed": "2",
             "case": None, "seen": {}}  # fmt: skip
    return Discrepancy(claim, **{**known, **fields})


PASSED, BROKEN = tally("a.one", kept=3), tally("a.two", kept=3, broken=1)
IDLE, EXPLAINED, LOST = tally("a.two"), tally("a.two", known={"entry": 2}), tally("a.two", kept=1, lost=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A whole run file."""
    whole = run(PASSED, BROKEN, found=(discrepancy("a.two"),))
    whole.timing, whole.footer = {"started": "then"}, {"verdict": FAILS}
    whole.write(tmp_path / "run.jsonl")
    return tmp_path / "run.jsonl"


# -- the file ----------------------------------------------------------------------------------------------------------


@bears
@given(runs())
def test_a_run_comes_back_from_its_file_as_it_went(tmp_path_factory, whole: Run):
    path = tmp_path_factory.getbasetemp() / "run.jsonl"
    whole.write(path)
    again = read(path)
    assert again.lines() == json.loads(json.dumps(whole.lines()))
    text = path.read_bytes()
    again.write(path)
    assert path.read_bytes() == text


@bears
@given(runs(), st.integers(0, 99))
def test_neither_the_lines_nor_the_verdict_depend_on_the_order_in_which_results_arrived(whole: Run, seed: int):
    shuffled = replace(whole, tallies=list(whole.tallies), discrepancies=list(whole.discrepancies))
    random.Random(seed).shuffle(shuffled.tallies)
    random.Random(seed).shuffle(shuffled.discrepancies)
    distinct = {d.id: d for d in whole.discrepancies}
    if len(distinct) == len(whole.discrepancies):
        assert shuffled.lines() == whole.lines()
        assert verdict(shuffled) == verdict(whole)


def test_tallies_stand_in_the_order_of_the_claims(file: Path):
    lines = run(BROKEN, tally("a.one", target="b"), tally("a.one", target="a")).lines()
    assert [(x["claim"], x["target"]) for x in lines if x["kind"] == "tally"] == [
        ("a.one", "a"), ("a.one", "b"), ("a.two", "cpu")
    ]  # fmt: skip


def test_a_file_that_was_cut_off_between_lines_has_no_footer(file: Path):
    lines = file.read_text().splitlines(keepends=True)
    for end in range(1, len(lines)):
        file.write_text("".join(lines[:end]))
        assert read(file).footer is None


def test_a_file_that_was_cut_off_inside_its_last_line_keeps_what_it_has_or_says_where_it_ends(file: Path):
    text = file.read_text()
    for end in (len(text) - 5, len(text) - 50):
        file.write_text(text[:end])
        try:
            assert read(file).footer is None
        except RunFileError as refusal:
            assert f"{file}, line {text[:end].count(chr(10)) + 1}: " in str(refusal)


@pytest.mark.parametrize(
    ("line", "new", "message"),
    [
        (2, '{"kind": "tally", "claim": ', "line 2: .*; run the suite again"),
        (2, '{"kind": "tally", "claim": "a"}', "line 2: .*missing"),
        (2, '{"kind": "tally", "colour": 1}', "line 2: .*colour"),
        (2, "[]", "line 2: not a line of a run file: it has no kind"),
        (2, '{"claim": "a"}', "line 2: not a line of a run file"),
        (3, '{"kind": "song"}', "line 3: unknown kind 'song'"),
        (1, '{"kind": "header", "schema": 99, "claims": []}', "line 1: the schema is not 1: written by another version"),
        (1, '{"kind": "footer"}', "line 1: the header is missing"),
        (1, '{"kind": "header", "schema": 1, "claims": [], "targets": [{"name": 1}]}', "line 1: name is 1; it must be str"),
        (1, '{"kind": "header", "schema": 1, "claims": [], "targets": 4}', "line 1: "),
        (4, "", "line 4: "),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_refused_with_file_line_and_remedy(file: Path, line: int, new: str, message: str):
    lines = file.read_text().splitlines()
    lines[line - 1] = new
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunFileError, match=message) as refusal:
        read(file)
    assert str(refusal.value).startswith(f"{file}, line {line}: ")


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty"), (b"\xff\xfe", "cannot be read"), (b"\n\n", "line 1")]
)
def test_what_is_no_run_file_is_refused(file: Path, content: bytes, message: str):
    file.write_bytes(content)
    with pytest.raises(RunFileError, match=message):
        read(file)


def test_a_file_that_is_not_there_is_refused_with_what_to_pass(tmp_path: Path):
    with pytest.raises(
        RunFileError, match=r"run\.jsonl: cannot be read .*pass a run\.jsonl that `conformance run` wrote"
    ):
        read(tmp_path / "run.jsonl")


def test_a_stream_that_is_never_closed_keeps_what_was_written(tmp_path: Path):
    stream = Stream(tmp_path / "run.jsonl", {"claims": CLAIMS})
    stream.write("tally", vars(PASSED))
    kept = read(tmp_path / "run.jsonl")
    assert (kept.tallies, kept.footer) == ([PASSED], None)
    stream.close()


@pytest.mark.parametrize("step", ["write_text", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch, step: str):
    path = tmp_path / "verdict.json"
    write_whole(path, "old")
    half = Path.write_text

    def full(self: Path, *arguments, **keywords):
        if step == "write_text":
            half(self, "ne", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, step, full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["verdict.json"]


def test_the_id_of_a_discrepancy_names_claim_target_and_case():
    one = discrepancy()
    assert one.id == discrepancy(observed="3", hits=9).id
    others = [discrepancy("a.two"), discrepancy(target="cuda:0"), discrepancy(case={"module": "m"})]
    assert len({one.id, *(other.id for other in others)}) == 4


# -- the verdict -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (run(PASSED), CONFORMS),
        (run(PASSED, EXPLAINED), KNOWN),
        (run(PASSED, BROKEN), FAILS),
        (run(PASSED, IDLE), INCONCLUSIVE),
        (run(PASSED, LOST), INCONCLUSIVE),
        (run(PASSED, targets=(target(status="lost"),)), INCONCLUSIVE),
        (run(PASSED, targets=(target(), target(name="cuda", status="not run", required=False))), CONFORMS),
        (run(PASSED, targets=(target(), target(name="cuda", status="not run"))), INCONCLUSIVE),
        (run(), NOTHING),
        (run(IDLE), NOTHING),
        (run(tally("a.one", unsupported=3)), NOTHING),
        (run(PASSED, tally("a.two", unsupported=3)), CONFORMS),
        (run(PASSED, tally("a.two", documented=False)), CONFORMS),
        (run(PASSED, tally("a.article", broken=5)), CONFORMS),
        (run(PASSED, tally("a.article")), CONFORMS),
        (run(tally("a.article", kept=5)), NOTHING),
        (run(EXPLAINED, BROKEN, IDLE, LOST), FAILS),
        (run(PASSED, EXPLAINED, IDLE), INCONCLUSIVE),
    ],
)
def test_a_run_amounts_to_this_word(made: Run, word: str):
    found = verdict(made)
    assert (found.word, found.exit) == (word, EXIT[word])
    assert found.reason
    assert found.to_json() == {"verdict": word, "reason": found.reason, "exit": EXIT[word], "counts": found.counts}


def test_the_exit_codes_are_those_that_the_help_states():
    of_a_run = {CONFORMS: 0, KNOWN: 0, FAILS: 1, ERROR: 3, INCONCLUSIVE: 4, NOTHING: 5}
    assert {**of_a_run, "GO": 0, "GO WITH WAIVERS": 0, "NO-GO": 1} == EXIT


def test_a_run_that_was_cut_short_is_never_a_pass_but_may_be_a_failure():
    assert verdict(run(PASSED), "interrupted by the user").word == INCONCLUSIVE
    assert "interrupted by the user" in verdict(run(PASSED), "interrupted by the user").reason
    assert verdict(run(PASSED, BROKEN), "interrupted by the user").word == FAILS
    assert verdict(run(), "interrupted by the user").word == INCONCLUSIVE


tallied = st.builds(tally, st.sampled_from([claim["id"] for claim in CLAIMS]), kept=st.integers(0, 2),
                    broken=st.integers(0, 1), unsupported=st.integers(0, 1), lost=st.booleans(),
                    known=st.dictionaries(st.just("entry"), st.integers(1, 2)))  # fmt: skip


@bears
@given(st.lists(tallied, max_size=6))
def test_what_is_broken_comes_before_what_is_doubtful_before_what_passed(tallies: list[Tally]):
    counting = [one for one in tallies if one.claim != "a.article"]
    outcomes = {one.outcome for one in counting}
    word = verdict(run(*tallies)).word
    assert (word == FAILS) == ("failed" in outcomes)
    if word in (CONFORMS, KNOWN):
        assert not outcomes & {"failed", "lost", "not exercised"}
        assert outcomes & {"passed", "known"}
    assert (word == KNOWN) <= ("known" in outcomes)


@bears
@given(st.lists(tallied, max_size=6))
def test_a_second_source_never_affects_a_verdict(tallies: list[Tally]):
    documented = [one for one in tallies if one.claim != "a.article"]
    assert verdict(run(*tallies)) == verdict(run(*documented))


@given(tallied)
def test_a_tally_that_no_case_exercised_is_never_passed(one: Tally):
    assert (one.outcome == "passed") <= (one.exercised > 0)
    assert (one.outcome == "not exercised") <= (one.exercised == 0)
