"""Differences as data: fingerprints, rows, and their way through a run file."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from conformance.compare.difference import BUCKETS, Difference, fingerprint, merged, normalised, plain
from conformance.compare.levels import DEFAULTS, LEVELS
from conformance.results import Run, read

TEXTS = st.text(max_size=40)
CASES = st.none() | st.fixed_dictionaries({"seed": st.integers(0, 9), "arguments": st.dictionaries(st.sampled_from("abc"),
                                           st.integers(0, 3), max_size=2)})  # fmt: skip
ROWS = st.builds(
    Difference,
    module=st.sampled_from(("torch.nn.RNN", "torch.nn.GRU")),
    scenario=st.sampled_from(("packed", "constructor")),
    field=st.sampled_from(sorted(DEFAULTS)),
    level=st.sampled_from(LEVELS),
    bucket=st.sampled_from(BUCKETS),
    fingerprint=st.sampled_from(("0a", "1b", "2c")),
    old=TEXTS,
    new=TEXTS,
    case=CASES,
    hits=st.integers(1, 5),
    broken_old=st.lists(st.sampled_from(("rnn.a", "rnn.b")), max_size=2),
    broken_new=st.lists(st.sampled_from(("rnn.a", "rnn.b")), max_size=2),
    ledger=st.none() | st.just("known"),
    used=st.booleans(),
)  # fmt: skip


@given(st.lists(ROWS, max_size=8))
def test_rows_pass_unchanged_through_a_run_file(rows: list[Difference]):
    import tempfile

    rows = merged(rows)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "run.jsonl"
        Run({"claims": []}, differences=rows, footer={"verdict": "GO"}).write(path)
        assert [asdict(row) for row in read(path).differences] == [asdict(row) for row in rows]


@given(st.lists(ROWS, max_size=8), st.integers(0, 99))
def test_rows_do_not_depend_on_the_order_in_which_they_come(rows: list[Difference], seed: int):
    other = list(rows)
    random.Random(seed).shuffle(other)
    keys = [(row.key, row.hits) for row in merged(rows)]
    assert sorted(keys) == sorted((row.key, row.hits) for row in merged(other))
    assert sum(row.hits for row in merged(rows)) == sum(row.hits for row in rows)


def test_the_smallest_case_stands_for_the_row():
    row = Difference("torch.nn.RNN", "packed", "shape", "gate", "changed", "0a", "", "", {"arguments": {"a": 1}})
    larger = replace(row, case={"arguments": {"a": 1, "b": 2}})
    assert merged([larger, row]) == merged([row, larger]) == [replace(row, hits=2)]


@given(st.integers(0, 10**6), st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_numbers_and_their_count_are_no_part_of_a_fingerprint(number: int, sizes: list[int]):
    text = f"expected ({', '.join(map(str, sizes))}), got 0x7f{number:06x} of size {number}"
    assert normalised(text) == normalised("expected (3), got 0x7fabcdef of size 5")


def test_what_was_passed_to_a_check_is_no_part_of_a_fingerprint():
    texts = [f"TypeError in construct: bias should be of type bool, got: {kind}" for kind in ("int", "Tensor")]
    assert len({fingerprint("torch.nn.RNN", "status", "", "accepted", text) for text in texts}) == 1
    other = "TypeError in construct: batch_first should be of type bool, got: int"
    assert fingerprint("torch.nn.RNN", "status", "", "accepted", other) != fingerprint("torch.nn.RNN", "status", "",
                                                                                       "accepted", texts[0])  # fmt: skip


def test_names_with_digits_stay_what_they_are_and_dtypes_are_all_alike():
    assert normalised("output float32") == normalised("output torch.bfloat16")
    assert normalised("weight_ih_l0 (3, 1)") == normalised("weight_ih_l0 (9, 2, 4)")


def test_what_colours_a_terminal_is_taken_out():
    assert plain("two options, \x1b[1mdo those steps\x1b[0m") == "two options, do those steps"
