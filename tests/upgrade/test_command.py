"""``conformance upgrade``, ``record`` and ``bisect`` as a user runs them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from conformance.results import read

QUICK = ("--module", "Linear", "--claim", "linear.*.any_rank", "--claim", "linear.documentation*", "--cases", "16")
FAULT = """
import torch
plain = torch.nn.Linear.forward
def forward(self, x):
    return plain(self, x).double() if self.out_features == 2 else plain(self, x)
forward.__doc__ = plain.__doc__
torch.nn.Linear.forward = forward
"""


@pytest.fixture
def command(tmp_path: Path) -> Any:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "conformance", *arguments], cwd=tmp_path, capture_output=True,
                              text=True, timeout=300, check=False)  # fmt: skip

    return call


@pytest.fixture
def faulty(tmp_path: Path, target_python: str) -> str:
    """An interpreter whose torch is like the other, but for a corner of Linear."""
    place = tmp_path / "faulty"
    place.mkdir()
    (place / "sitecustomize.py").write_text(FAULT)
    python = place / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={place} exec {target_python} "$@"\n')
    python.chmod(0o755)
    return str(python)


def verdict(tmp_path: Path) -> dict[str, Any]:
    return json.loads((tmp_path / "reports/upgrade/verdict.json").read_text())


def test_a_pin_moves_to_itself(command, tmp_path: Path, target_python: str):
    done = command("upgrade", "--from", target_python, "--to", target_python, *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    told = verdict(tmp_path)
    assert (told["verdict"], told["exit"], told["differences"]) == ("GO", 0, {})
    run = read(tmp_path / "reports/upgrade/run.jsonl")
    assert run.footer is not None
    assert run.footer["verdict"] == "GO"
    assert [target.role for target in run.targets] == ["old", "new"]
    assert "Nothing differs" in (tmp_path / "reports/upgrade/report.html").read_text()


def test_a_fault_in_a_corner_keeps_the_pin_and_is_shown_everywhere(command, tmp_path: Path, target_python: str, faulty):
    done = command("upgrade", "--from", target_python, "--to", faulty, *QUICK, "-n", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    run = read(tmp_path / "reports/upgrade/run.jsonl")
    (row,) = run.differences
    assert (row.bucket, row.field, row.old, row.new) == ("regressed", "dtype", "output float32", "output float64")
    assert row.case is not None
    assert row.case["arguments"] == {"in_features": 1, "out_features": 2}
    for text in (done.stdout, (tmp_path / "reports/upgrade/report.md").read_text(),
                 (tmp_path / "reports/upgrade/report.html").read_text()):  # fmt: skip
        assert "NO-GO" in text
        assert row.id in text
    bisected = command("bisect", row.id, target_python, target_python, faulty)
    assert bisected.returncode == 0, bisected.stdout + bisected.stderr
    assert bisected.stdout.splitlines()[-1].startswith(f"{row.id}: since torch")


def test_a_profile_that_does_not_use_the_corner_lets_the_pin_move(command, tmp_path: Path, target_python: str, faulty):
    (tmp_path / "uses.toml").write_text('modules = ["GRU"]\n')
    done = command("upgrade", "--from", target_python, "--to", faulty, *QUICK, "--uses", "uses.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = read(tmp_path / "reports/upgrade/run.jsonl").differences
    assert (row.bucket, row.used) == ("regressed", False)


def test_bisect_says_where_nothing_changed(command, target_python: str):
    done = command("bisect", "rnn-page-code", target_python, target_python)
    assert done.returncode == 4, done.stderr
    assert "ends alike on" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("upgrade", "--to", "2.5.1"), "needs both --from and --to"),
        (("upgrade", "--from", "yesterday", "--to", "2.5.1"), "'yesterday' is no torch"),
        (("upgrade", "--from", "PYTHON", "--to", "PYTHON", "--gate", "none.toml"), "none.toml: cannot be read"),
        (("upgrade", "--from", "PYTHON", "--to", "PYTHON", "--uses", "none.toml"), "none.toml: cannot be read"),
        (("upgrade", "--from", "PYTHON", "--to", "PYTHON", "--target", "cpu"), "two targets, --from and --to"),
        (("bisect", "nothing", "PYTHON", "PYTHON"), "'nothing' is neither"),
        (("bisect", "rnn-page-code", "PYTHON"), "two torches or more"),
        (("record", "none.py", "--python", "PYTHON"), "there is no script 'none.py'"),
    ],
)
def test_nonsense_is_said_in_one_line_with_a_remedy(command, target_python: str, arguments: tuple[str, ...], said: str):
    done = command(*(target_python if a == "PYTHON" else a for a in arguments))
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# -- record ------------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
lstm = nn.LSTM(4, 6, num_layers=2, batch_first=True, bidirectional=True)
x = torch.zeros(3, 5, 4)
lstm(x)
lstm(x, (torch.zeros(4, 3, 6), torch.zeros(4, 3, 6)))
lstm(pack_padded_sequence(x, torch.tensor([2, 5, 1]), batch_first=True, enforce_sorted=False))
gru = nn.GRU(4, 2).double().eval()
gru(torch.zeros(5, 3, 4).double(), hx=torch.zeros(1, 3, 2).double())
nn.Linear(4, 4)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("code", ["0", "3"])
def test_what_a_script_calls_becomes_a_profile_whatever_its_end(command, tmp_path: Path, target_python: str, code: str):
    (tmp_path / "model.py").write_text(SCRIPT)
    done = command("record", "model.py", "--python", target_python, "--", code)
    assert done.returncode == 0, done.stderr
    told = tomllib.loads((tmp_path / "uses.toml").read_text())
    assert told["modules"] == ["torch.nn.GRU", "torch.nn.LSTM"]
    assert told["dtypes"] == ["float32", "float64"]
    assert told["features"] == ["batch_first=True", "bidirectional=True", "num_layers", "packed"]
    seen = {(c["module"], c["layout"], c["train"], tuple(c["inputs"])) for c in told["configuration"]}
    assert seen == {
        ("torch.nn.LSTM", "batch_first", True, ("input",)),
        ("torch.nn.LSTM", "batch_first", True, ("input", "h_0", "c_0")),
        ("torch.nn.LSTM", "packed", True, ("input",)),
        ("torch.nn.GRU", "time_first", False, ("input", "h_0")),
    }
    packed = next(c for c in told["configuration"] if c["layout"] == "packed")
    assert (packed["lengths"], packed["enforce_sorted"], packed["inputs"]) == ([2, 5, 1], False, {"input": [5, 3, 4]})
    assert ("exit code 3" in done.stderr) is (code == "3")


def test_a_recorded_profile_is_one_that_an_upgrade_takes(command, tmp_path: Path, target_python: str):
    (tmp_path / "model.py").write_text(SCRIPT)
    assert command("record", "model.py", "--python", target_python, "--", "0").returncode == 0
    done = command("upgrade", "--from", target_python, "--to", target_python, "--module", "GRU", "--claim",
                   "gru.*.time_first", "--cases", "0", "--uses", "uses.toml")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    run = read(tmp_path / "reports/upgrade/run.jsonl")
    assert run.header["comparison"]["uses"]["configurations"] == 4
    assert re.search(r"4 configurations among the cases", (tmp_path / "reports/upgrade/report.html").read_text())


def test_a_script_that_uses_nothing_known_leaves_no_profile(command, tmp_path: Path, target_python: str):
    (tmp_path / "model.py").write_text("import torch\ntorch.nn.Tanh()(torch.zeros(1))\n")
    done = command("record", "model.py", "--python", target_python)
    assert done.returncode == 2
    assert "called no module that has a contract" in done.stderr
    assert not (tmp_path / "uses.toml").exists()
