"""What a pipeline reads: terminal, HTML, Markdown, JUnit, verdict.json and GitHub's pages agree on one run."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from conformance.fingerprint import fingerprint
from conformance.report import github, html, junit, machine, markdown, write_all
from conformance.results import Discrepancy, Run, Standing, Tally, TargetRecord
from conformance.verdict import verdict
from tests.report.strategies import runs

SCHEMA = json.loads((Path(machine.__file__).with_name("verdict.schema.json")).read_text())
bears = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
ENTRY = {"id": "known-one", "claims": ["a.known"], "releases": ">=2.0", "devices": "*", "review_by": "2030-01-01",
         "overlaps": [], "unknown": []}  # fmt: skip


def target(**other: object) -> TargetRecord:
    fields = {"name": "cpu", "spec": "cpu", "gateway": "popen", "device": "cpu", "mode": "eager", "required": True,
              "environment": {"torch": "2.13.0+cpu"}}  # fmt: skip
    return TargetRecord(**{**fields, **other})


def discrepancy(claim: str = "a.broken", **other: object) -> Discrepancy:
    fields = {"module": "torch.nn.A", "target": "cpu", "severity": "wrong", "expected": "(1, 2)", "observed": "(1, 1)",
              "case": None, "seen": {}}  # fmt: skip
    return Discrepancy(claim, **{**fields, **other})


def run(*found: Discrepancy, kept: tuple[str, ...] = ("a.kept",), improved: bool = False) -> Run:
    names = dict.fromkeys([*kept, *(d.claim for d in found)])
    claims = [{"id": name, "module": "torch.nn.A", "scenario": "call", "statement": "a promise", "formula": None,
               "source": "Shape", "releases": "", "authority": "documentation"} for name in names]  # fmt: skip
    tallies = []
    for name in names:
        mine = [d for d in found if d.claim == name]
        known = {d.ledger: 1 for d in mine if d.ledger}
        tallies.append(Tally(name, "torch.nn.A", "call", "cpu", 3, sum(d.ledger is None for d in mine), known=known))
    header = {
        "claims": claims,
        "entries": [ENTRY],
        "suite": "1",
        "seed": 0,
        "profile": "pr",
        "command": ["conformance"],
    }
    standings = [Standing("known-one", "cpu", "improved")] if improved else []
    whole = Run(header, [target()], tallies, list(found), {"started": "2026-11-24T10:00:00"}, standings=standings)
    whole.footer = verdict(whole).to_json()
    return whole


BROKEN = run(discrepancy(), discrepancy("a.known", ledger="known-one"))


# -- agreement ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [run(), BROKEN, run(discrepancy("a.known", ledger="known-one")), run(kept=())],
                         ids=["conforms", "broken", "known", "nothing"])  # fmt: skip
def test_all_renderings_say_the_same_verdict_and_counts(whole: Run, tmp_path):
    write_all(whole, tmp_path)
    told = json.loads((tmp_path / "verdict.json").read_text())
    page, text = (tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()
    suites = ET.parse(tmp_path / "junit.xml").getroot()
    assert told["verdict"] in page
    assert text.startswith("## ")
    assert told["verdict"] in text.splitlines()[0]
    assert told["reason"] in text
    assert {p.get("value") for p in suites.iter("property") if p.get("name") == "verdict"} <= {told["verdict"]}
    outcomes = [p.get("value") for p in suites.iter("property") if p.get("name") == "outcome"]
    assert {word: outcomes.count(word) for word in outcomes} == told["counts"]
    assert int(suites.get("failures", "0")) == told["counts"].get("failed", 0)
    assert {d["id"] for d in told["discrepancies"]} == {d.id for d in whole.discrepancies}
    assert all(d["id"] in text for d in told["discrepancies"])


def test_the_terminal_and_the_files_of_a_real_run_agree(conformance, tmp_path):
    done = conformance("run", "--target", "cpu", "--module", "MaxPool1d", "--profile", "quick", "-p", "no:xdist")
    told = json.loads((tmp_path / "reports/latest/verdict.json").read_text())
    jsonschema.validate(told, SCHEMA)
    assert done.returncode == told["exit"]
    assert told["verdict"] in done.stdout
    assert told["reason"] in done.stdout
    assert ", ".join(f"{n} {word}" for word, n in told["counts"].items()) in done.stdout
    assert told["verdict"] in (tmp_path / "reports/latest/report.html").read_text()


# -- verdict.json ------------------------------------------------------------------------------------------------------


@bears
@given(runs())
def test_verdict_json_always_fits_its_schema(whole: Run):
    jsonschema.validate(json.loads(json.dumps(machine.render(whole))), SCHEMA)


def test_an_improvement_is_in_every_rendering_with_its_command(tmp_path):
    whole = run(improved=True)
    write_all(whole, tmp_path)
    for name in ("verdict.json", "report.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "unexpected improvement" in text, name
        assert "conformance ledger retire known-one" in text, name
    assert json.loads((tmp_path / "verdict.json").read_text())["exit"] == 0


# -- fingerprints ------------------------------------------------------------------------------------------------------


def test_a_fingerprint_survives_seeds_and_sizes():
    one, other = discrepancy(observed="output (3, 5), not 0.25"), discrepancy(observed="output (1, 2, 4), not 1e-05")
    assert fingerprint(one, target()) == fingerprint(other, target(name="here", device="cpu"))


@pytest.mark.parametrize(
    ("other", "place"),
    [({"claim": "a.other"}, {}), ({"severity": "silent"}, {}), ({"observed": "nothing"}, {}), ({}, {"device": "cuda:1"}),
     ({}, {"mode": "compile"})],
)  # fmt: skip
def test_another_finding_has_another_fingerprint(other: dict, place: dict):
    assert fingerprint(discrepancy(**other), target(**place)) != fingerprint(discrepancy(), target())


def test_which_of_several_devices_is_no_other_finding():
    assert fingerprint(discrepancy(), target(device="cuda:0")) == fingerprint(discrepancy(), target(device="cuda:1"))


def test_junit_carries_claim_module_target_and_fingerprint():
    cases = {case.get("name"): case for case in ET.fromstring(junit.render(BROKEN)).iter("testcase")}
    properties = {p.get("name"): p.get("value") for p in cases["a.broken[cpu]"].iter("property")}
    assert properties["claim"] == "a.broken"
    assert properties["module"] == "torch.nn.A"
    assert properties["target"] == "cpu"
    assert properties["fingerprint"] == fingerprint(BROKEN.discrepancies[0], target())


# -- GitHub ------------------------------------------------------------------------------------------------------------


def test_annotations_are_the_worst_first_one_a_root_cause_and_at_most_ten():
    many = [discrepancy(f"a.c{n}", observed=f"what{'x' * n}") for n in range(15)]
    worst = discrepancy("a.worst", severity="crash", observed="the process died")
    same = [discrepancy(f"a.d{n}", observed="the same") for n in range(3)]
    lines = github.annotated(run(*many, *same, worst))
    assert len(lines) == 10
    assert lines[0].startswith("::error title=crash%3A a.worst on cpu::")


def test_what_the_ledger_knows_is_no_annotation_and_an_improvement_is_a_notice():
    assert github.annotated(run(discrepancy("a.known", ledger="known-one"))) == []
    notice = github.annotated(run(improved=True))[0]
    assert notice.startswith("::notice title=unexpected improvement%3A known-one::")


@bears
@given(runs())
def test_an_annotation_is_one_line_and_one_command_whatever_torch_said(whole: Run):
    for line in github.annotated(whole):
        assert "\n" not in line
        assert "\r" not in line
        assert line.startswith(("::error title=", "::warning title=", "::notice title="))
        title = line.partition("title=")[2].partition("::")[0]
        assert ":" not in title
        assert "," not in title


def test_a_summary_stays_below_one_megabyte(monkeypatch):
    monkeypatch.setattr(markdown, "render", lambda run: "line é\n" * 400_000)
    text = github.summary(BROKEN)
    assert len(text.encode()) <= 1_000_000
    assert text.endswith("The whole report is `report.html`.\n")
    assert "\ufffd" not in text


def test_they_are_written_where_github_asks_for_them_and_nowhere_else(tmp_path, capsys):
    github.publish(BROKEN, {})
    assert capsys.readouterr().out == ""
    github.publish(BROKEN, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")})
    assert "::error title=wrong%3A a.broken on cpu::" in capsys.readouterr().out
    assert (tmp_path / "summary.md").read_text() == markdown.render(BROKEN)


def test_a_rendering_is_a_function_of_the_run():
    assert html.render(BROKEN) == html.render(BROKEN)
    assert machine.render(BROKEN) == machine.render(BROKEN)
