"""What becomes of a run whose processes die, hang, run out of memory or are stopped by hand."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from conformance.cases import Case
from tests.robust.conftest import TINY
from tests.test_cli import lines

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for orphans in Linux's /proc")
CORNER = """
import ctypes, os, resource, signal
original = torch.nn.Linear.forward
def forward(self, input):
    if self.in_features == 8 and self.bias is None:
        {}
    return original(self, input)
torch.nn.Linear.forward = forward
"""
# Enough cases to be in the middle of a run for as long as a test needs.
FEW = ("--target", "cpu", "--module", "Flatten", "--module", "Linear")
LONG = (*FEW, "--module", "LSTM", "--cases", "20000")


def test_a_target_that_dies_is_a_discrepancy_with_its_smallest_case_and_the_other_claims_are_judged(
    begin, planted_python
):
    done = begin(*TINY, python=planted_python(CORNER.format("signal.raise_signal(signal.SIGSEGV)"))).ended()
    assert done.code == 1, done.said
    assert done.run.footer is not None
    [found] = [d for d in done.run.discrepancies if d.ledger is None]
    assert (found.claim, found.severity) == ("linear.accepts.any_rank", "crash")
    assert (found.observed, found.again) == ("crashed: the process died of SIGSEGV", [3, 3])
    assert found.case is not None
    assert found.case["arguments"] == {"in_features": 8, "out_features": 1, "bias": False}
    assert {t.claim: t.outcome for t in done.run.tallies if t.claim != found.claim} == {
        "linear.output.shape.any_rank": "passed", "linear.output.dtype.any_rank": "passed",
        "linear.output.device.any_rank": "passed",
    } | {t.claim: t.outcome for t in done.run.tallies if t.claim.endswith("value.any_rank")}  # fmt: skip


def test_one_two_and_four_workers_write_the_same_bytes_although_a_target_dies(begin, planted_python):
    python = planted_python(CORNER.format("os._exit(3)"))
    choice = (*TINY, "--module", "Flatten", "--claim", "flatten.*.any_rank")
    ended = [begin(*choice, "-n", workers, python=python, report=f"with-{workers}").ended() for workers in "124"]
    assert {done.code for done in ended} == {1}, ended[0].said
    first, *others = [lines(done.report / "run.jsonl") for done in ended]
    assert others == [first, first]
    assert ended[0].run.targets[0].restarts > 0


def test_memory_that_a_target_does_not_get_is_no_discrepancy_of_torch_and_no_pass(begin, planted_python):
    limited = ("resource.setrlimit(resource.RLIMIT_AS, (4 << 30, -1)); "
               "torch.empty(8 << 30, dtype=torch.uint8)")  # fmt: skip
    done = begin(*TINY, python=planted_python(CORNER.format(limited).replace("self.in_features == 8 and", ""))).ended()
    assert done.code == 0, done.said
    assert [d.observed for d in done.run.discrepancies] == []
    assert all(
        tally.unsupported and tally.kept for tally in done.run.tallies if tally.claim == "linear.accepts.any_rank"
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_ctrl_c_twice_is_as_good_as_once(begin, workers: str):
    started = begin(*LONG, "-n", workers).until("tally", 6)
    for _ in range(2):
        os.killpg(started.process.pid, signal.SIGINT)
        time.sleep(0.3)
    done = started.ended()
    assert done.code == 4, done.said
    assert sum(tally.kept for tally in done.run.tallies) > 0
    if done.run.footer is not None:  # the second came while the report was written
        assert done.run.footer["verdict"] == "INCONCLUSIVE"
    assert not (done.report / "verdict.json").exists() or '"INCONCLUSIVE"' in (done.report / "verdict.json").read_text()


def test_a_worker_that_is_killed_leaves_its_cases_and_makes_the_run_inconclusive(begin):
    started = begin(*FEW, "--cases", "400", "-n", "2").until("tally", 6)
    worker = min(number for number in _below(started.process.pid) if b"conformance" not in _command(number))
    os.kill(worker, signal.SIGKILL)
    done = started.ended()
    assert done.code == 4, done.said
    assert done.run.footer is not None
    assert "worker gw0 died" in done.run.footer["reason"]
    assert sum(tally.kept for tally in done.run.tallies) > 0
    [left] = done.report.glob("in-flight-*")
    assert Case.from_json(json.loads(left.read_text().splitlines()[0])).module.startswith("torch.nn.")


def test_a_judge_that_is_killed_while_its_target_hangs_in_c_leaves_no_process(begin, planted_python):
    hang = CORNER.format("ctypes.PyDLL(None).sleep(600)").replace("self.in_features == 8 and self.bias is None", "True")
    python = planted_python(hang + "signal_after = signal.setitimer\n"
                            "signal.setitimer = lambda which, seconds: signal_after(which, min(seconds, 2))\n")  # fmt: skip
    started = begin(*TINY, python=python)
    _wait_for(lambda: list(started.report.glob("in-flight-*")))
    time.sleep(0.5)
    assert len(started.living()) == 2
    started.process.kill()
    started.process.wait()
    assert started.orphans(8) == []
    assert not (started.report / "verdict.json").exists()


def _below(pid: int) -> list[int]:
    """The children of a process, the oldest first."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _command(number: int) -> bytes:
    return Path(f"/proc/{number}/cmdline").read_bytes()


def _wait_for(condition, within: float = 60.0) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
