"""What becomes of a run whose disk, directory, environment or files are not as they should be."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import conformance
from conformance.lock import Lock, LockError
from conformance.results import read
from tests.robust.conftest import TINY

# -- disks and directories ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "file"), [(14_000, "run.jsonl"), (20_000, "report.html")])
def test_a_disk_that_is_full_in_the_middle_keeps_what_was_written_and_is_no_pass(begin, limit: int, file: str):
    def quota() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    whole = ("--target", "cpu", "--module", "Linear", "--cases", "0")
    done = begin(*whole, preexec_fn=quota).ended()
    assert done.code == 4, done.said
    assert f"{file} cannot be written (File too large); what was written before is kept" in done.said
    assert "Traceback" not in done.said
    assert not (done.report / "verdict.json").exists()
    assert done.run.tallies
    assert (done.run.footer is None) == (file == "run.jsonl")


@pytest.mark.parametrize("kind", ["a file is in its place", "it is read-only"])
def test_a_report_directory_that_cannot_be_written_is_refused_before_anything_runs(kind: str, begin, tmp_path):
    (tmp_path / "file").write_text("")
    report = "file/out" if kind.startswith("a file") else "/proc/out"
    done = begin(*TINY, report=report).ended()
    assert done.code == 2, done.said
    assert "cannot be written" in done.said
    assert "pass another --report DIR" in done.said


def test_nothing_of_an_earlier_run_is_left_to_be_taken_for_the_result_of_one_that_is_killed(begin, tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("verdict.json", "report.html", "report.md", "junit.xml", "in-flight-gw7.jsonl"):
        (tmp_path / "out" / name).write_text("CONFORMS")
    started = begin("--target", "cpu", "--module", "Flatten", "--module", "LSTM", "--cases", "20000").until("tally", 2)
    started.process.kill()
    started.process.wait()
    assert started.orphans() == []
    assert [path.name for path in started.report.iterdir() if path.read_text() == "CONFORMS"] == []


# -- two at once -------------------------------------------------------------------------------------------------------


def test_a_second_run_in_the_same_directory_is_refused_with_the_process_that_has_it(tmp_path, begin):
    lock = Lock(tmp_path / "out")
    lock.take()
    done = begin(*TINY).ended()
    lock.release()
    assert done.code == 2, done.said
    assert f"out is being written by another run (process {os.getpid()} on " in done.said
    assert "wait for it, or pass another --report DIR" in done.said
    assert not (tmp_path / "out" / "run.jsonl").exists()


def test_a_lock_that_was_left_behind_locks_nothing(tmp_path):
    source = "import os, sys; from pathlib import Path; from conformance.lock import Lock; Lock(Path(sys.argv[1])).take(); os._exit(9)"
    subprocess.run([sys.executable, "-c", source, str(tmp_path)], check=False)
    assert (tmp_path / ".lock").exists()
    lock = Lock(tmp_path)
    lock.take()
    with pytest.raises(LockError, match="another run"):
        Lock(tmp_path).take()
    lock.release()
    assert list(tmp_path.iterdir()) == []


# -- environment -------------------------------------------------------------------------------------------------------


def test_no_home_no_terminal_no_utf8_a_corrupt_hypothesis_database_and_an_odd_path_change_nothing(begin, tmp_path):
    odd = tmp_path / "a path with späces, ünd 数"
    odd.mkdir()
    (odd / ".hypothesis").write_text("no directory, no database")
    bare = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "TMPDIR": str(odd),
    }
    choice = ("--target", "cpu", "--module", "MaxPool1d", "--claim", "maxpool1d.output.shape.batched", "--cases", "16")
    done = begin(*choice, "--ledger", "none", cwd=odd, environment=bare, report="out put").ended()
    assert done.code == 1, done.said
    assert "DOES NOT CONFORM" in done.said
    assert "Traceback" not in done.said
    found = done.run.discrepancies[0]
    (odd / "cäse.json").write_text(json.dumps(found.case))
    python = next(target.gateway for target in done.run.targets).removeprefix("popen//python=")
    again = subprocess.run([sys.executable, "-m", "conformance", "replay", "cäse.json", "--python", python, "--target", "cpu"],
                           cwd=odd, env=bare, capture_output=True, check=False)  # fmt: skip
    assert again.returncode == 1, again.stderr
    assert b"Traceback" not in again.stderr


def test_nothing_is_measured_by_a_clock_that_can_jump():
    package = Path(conformance.__file__).parent
    sources = {path.name: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    jumping = ("time.time(", "datetime.now() -", "utcnow(")
    assert [name for name, text in sources.items() if any(call in text for call in jumping)] == []


def test_hypothesis_keeps_no_database():
    """What is found is kept in the ledger and the corpus, which people read; a database that is corrupt cannot harm."""
    source = (Path(conformance.__file__).parent / "campaign" / "campaign.py").read_text(encoding="utf-8")
    assert source.count("@given(") == source.count("database=None") == 1


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_run_that_is_to_stop_stops_with_what_it_has_and_says_that_it_is_not_whole(begin):
    done = begin(
        "--target", "cpu", "--module", "Flatten", "--module", "LSTM", "--cases", "50000", "--stop-after", "8"
    ).ended()
    assert done.code == 4, done.said
    assert done.run.footer is not None
    assert done.run.footer["reason"].startswith("the run was cut short: stopped after 8 s, as asked; ")
    assert sum(tally.kept for tally in done.run.tallies) > 0
    assert (done.report / "report.html").exists()


def test_a_run_file_whose_last_line_is_half_is_read_up_to_there(begin, tmp_path):
    done = begin(*TINY).ended()
    text = (done.report / "run.jsonl").read_text()
    half = tmp_path / "half.jsonl"
    half.write_text(text[: text.rindex('"verdict"')])
    assert read(half).footer is None
    assert read(half).tallies == done.run.tallies
