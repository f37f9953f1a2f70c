"""The release matrix: claims by releases from run files alone, small enough to be committed, quick to render."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings

from conformance.compact import compact, write_compact
from conformance.merge import merge
from conformance.report import matrix
from conformance.results import Discrepancy, Run, Tally, TargetRecord, read
from conformance.verdict import verdict
from tests.report.strategies import MARK, runs
from tests.report.test_renderings import Page

RELEASES = ("2.0.1", "2.5.1", "2.9.1", "2.13.0")
bears = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def claim(name: str, place: int) -> dict:
    return {"id": name, "module": f"torch.nn.{name[0].upper()}", "scenario": "call", "statement": f"promise {name}",
            "formula": None, "source": "Shape", "releases": "", "authority": "documentation", "place": place}  # fmt: skip


def release(name: str, fates: dict[str, str], gateway: str = "popen//python=/home/someone/bin/python") -> Run:
    """A run on one release; ``fates`` says what became of each claim."""
    claims = [claim(c, n) for n, c in enumerate(fates)]
    header = {"suite": "1", "seed": 0, "profile": "pr", "random_cases": 9, "claims": claims, "cases": {},
              "command": ["conformance", "run", "--python", "/home/someone/bin/python", "--profile", "pr"]}  # fmt: skip
    place = TargetRecord(name, f"{name}=cpu", gateway, "cpu", "eager", True, environment={"torch": f"{name}+cpu"})
    run = Run(header, [place], timing={"started": "2026-11-24T10:00:00", "finished": "2026-11-24T10:00:01"})
    for c, word in fates.items():
        module = f"torch.nn.{c[0].upper()}"
        run.tallies.append(Tally(c, module, "call", name, kept=3 * (word == "passed"), broken=int(word == "failed"),
                                 known={"entry": 1} if word == "known" else {}, documented=word != "not documented"))  # fmt: skip
        if word in ("failed", "known"):
            run.discrepancies.append(Discrepancy(
                c, module, name, "wrong", "1", f"2 on {name}", {"layout": "batched", "arguments": {"k": 1}, "inputs": []},
                {"status": "ok", "blob": "x" * 500}, ledger="entry" if word == "known" else None))  # fmt: skip
    run.header["ledger"] = {"entry": {"reason": "why", "upstream": "none found", "releases": "<2.9"}}
    run.footer = verdict(run).to_json()
    return run


@pytest.fixture
def whole() -> Run:
    words = {"a.gone": ["failed", "failed", "passed", "passed"], "a.new": ["not documented", "passed", "passed", "passed"],
             "a.same": ["passed"] * 4, "b.known": ["known", "known", "passed", "failed"]}  # fmt: skip
    return merge({name: release(name, {c: w[n] for c, w in words.items()}) for n, name in enumerate(RELEASES)})


def test_rows_that_differ_are_open_and_the_rest_is_folded(whole: Run):
    modules = {module.name: module for module in matrix.Matrix(whole).modules}
    gone = modules["torch.nn.A"].of(matrix.DIFFERS)
    assert [[c["id"] for c in row.claims] for row in gone] == [["a.gone"]]
    assert [(span.word, span.text) for span in gone[0].spans] == [
        ("failed", "2.0.1 to 2.5.1"),
        ("passed", "2.9.1 to 2.13.0"),
    ]
    assert [row.claims[0]["id"] for row in modules["torch.nn.A"].of(matrix.SINCE)] == ["a.new"]
    assert [row.claims[0]["id"] for row in modules["torch.nn.A"].of(matrix.SAME)] == ["a.same"]
    page = matrix.render(whole)
    assert page.index("a.gone") < page.index("<details><summary>1 made by some releases only") < page.index("a.new")


def test_claims_that_fare_alike_share_a_row():
    runs_ = {
        n: release(n, {"a.one": w, "a.two": w, "a.three": "passed"})
        for n, w in (("2.0.1", "failed"), ("2.1.0", "passed"))
    }
    rows = matrix.Matrix(merge(runs_)).modules[0].of(matrix.DIFFERS)
    assert [[c["id"] for c in row.claims] for row in rows] == [["a.one", "a.two"]]


def test_what_happens_is_shown_with_the_releases_and_the_case(whole: Run):
    row = matrix.Matrix(whole).modules[1].of(matrix.DIFFERS)[0]
    assert [(one.releases, one.found.observed) for one in row.shown] == [
        (("2.0.1", "2.5.1"), "2 on 2.0.1"), (("2.13.0",), "2 on 2.13.0")]  # fmt: skip
    assert row.shown[0].case == "batched; k=1"


def test_the_page_is_whole_offline_and_needs_no_script(whole: Run):
    text = matrix.render(whole)
    page = Page(text)
    assert "<script" not in text
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", text)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert [name for name in RELEASES if f">{name}</th>" in text] == list(RELEASES)
    assert text == matrix.render(whole)


@bears
@given(runs())
def test_any_run_makes_a_page_in_which_nothing_of_it_is_markup(whole: Run):
    text = matrix.render(whole)
    Page(text)
    assert MARK not in text


def test_sixteen_releases_and_two_thousand_claims_take_less_than_two_seconds():
    fates = ("passed", "failed", "known", "passed", "passed", "not documented")
    parts = {}
    for n in range(16):
        words = {
            f"{'abcdefgh'[c % 8]}.c{c}": fates[(c + (n > c % 16)) % 6] if c % 5 == 0 else "passed" for c in range(2000)
        }
        parts[f"2.{n}.0"] = release(f"2.{n}.0", words)
    merged = merge(parts)
    matrix.render(merged)  # the first one compiles the template
    started = time.process_time()
    text = matrix.render(merged)
    assert time.process_time() - started < 2
    assert len(text) < 4_000_000


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_a_compact_file_has_nothing_of_the_machine_and_renders_alike(whole: Run, tmp_path):
    write_compact(whole, tmp_path / "run.jsonl")
    text = (tmp_path / "run.jsonl").read_text()
    assert "/home/someone" not in text
    assert "blob" not in text
    assert matrix.render(read(tmp_path / "run.jsonl")) == matrix.render(compact(whole))


def test_a_compact_file_may_be_joined_with_another_release(whole: Run, tmp_path):
    write_compact(whole, tmp_path / "run.jsonl")
    fates = {"a.gone": "passed", "a.new": "passed", "a.same": "passed", "b.known": "passed"}
    more = merge({"before": read(tmp_path / "run.jsonl"), "new": release("2.10.0", fates)})
    assert [t.name for t in more.targets] == ["2.0.1", "2.5.1", "2.9.1", "2.10.0", "2.13.0"]


def test_the_command_joins_and_renders(conformance, whole: Run, tmp_path):
    for name in ("2.5.1", "2.13.0"):
        release(name, {"a.one": "passed", "b.two": "failed"}).write(tmp_path / name / "run.jsonl")
    done = conformance("matrix", "2.13.0", "2.5.1", "--report", "matrix")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "2.5.1, 2.13.0")
    assert (tmp_path / "matrix" / "index.html").is_file()
    first = (tmp_path / "matrix" / "run.jsonl").read_bytes()
    assert conformance("matrix", "2.5.1", "2.13.0", "--report", "matrix").returncode == 0
    assert (tmp_path / "matrix" / "run.jsonl").read_bytes() == first
