"""The terminal says in little what the report says, and is silent about what is not there."""

from __future__ import annotations

import re
from io import StringIO

from rich.console import Console

from conformance.report import html
from conformance.report.view import View
from conformance.results import Discrepancy, Run, Tally, TargetRecord
from conformance.terminal import WORST, Bar, worst

FEW = ("--module", "Flatten", "--module", "Linear", "--cases", "0")


def test_a_target_says_when_it_started_and_a_module_when_it_is_done(conformance):
    done = conformance("run", *FEW, "-n", "2")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^cpu: torch \S+, started in \d+\.\d s$", done.stdout, re.MULTILINE)
    assert re.search(r"^torch\.nn\.Linear: [\d,]+ cases in \d+\.\d s: .*\d+ passed$", done.stdout, re.MULTILINE)


def test_an_optional_target_that_is_absent_prints_no_letters_and_skips_nothing(conformance):
    done = conformance("run", *FEW)
    assert "skipped" not in done.stdout
    assert re.search(r"\d+ passed, \d+ not run in", done.stdout)
    assert "cuda: not run: " in done.stdout
    assert not re.search(r"^[.sxF]+( |$)", done.stdout, re.MULTILINE)


def test_without_a_terminal_there_are_no_escape_sequences(conformance):
    done = conformance("run", *FEW, FORCE_COLOR="", PY_COLORS="0")
    assert "\x1b" not in done.stdout


def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=StringIO(), force_terminal=True)
    bar = Bar(console, 3, live=True)
    bar.running("torch.nn.LSTM packed [link=https://example.org]")
    bar.done(1234)
    bar.stop()
    assert "[link=" in console.file.getvalue()
    assert "1/3 claims, 1,234 cases" in console.file.getvalue()
    assert "\x1b[3" not in console.file.getvalue()


def _run(count: int) -> Run:
    claims = [{"id": f"linear.{n}", "module": "torch.nn.Linear", "scenario": "any_rank"} for n in range(count)]
    found = [Discrepancy(c["id"], c["module"], "cpu", "wrong", "(1,)", "(2,)\nand more", None, {}) for c in claims]
    tallies = [Tally(c["id"], c["module"], "any_rank", "cpu", broken=1) for c in claims]
    return Run({"claims": claims}, [TargetRecord("cpu", "cpu", "popen", "cpu", "eager", True)], tallies, found)


def test_the_three_worst_root_causes_are_said_in_a_line_each_and_the_others_counted():
    lines = list(worst(View(_run(5))))
    assert lines[0] == "  the worst of 5 root causes:"
    assert len(lines) == 1 + WORST
    assert lines[1] == "    ✗ wrong: linear.0 on cpu: expected (1,); (2,) and more"


def test_the_report_names_the_same_worst_causes_at_its_top():
    page = html.render(_run(5))
    top = page[page.index('<ol class="worst"') : page.index("</ol>")]
    assert re.findall(r">(linear\.\d)<", top) == ["linear.0", "linear.1", "linear.2"]


def test_nothing_is_said_to_be_worst_where_the_ledger_knows_all():
    run = _run(1)
    run.discrepancies[0].ledger = "entry"
    assert list(worst(View(run))) == []
