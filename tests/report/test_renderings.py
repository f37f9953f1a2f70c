"""Every rendering bears every run, and all of them say the same."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from conformance.cases import Case, Input
from conformance.oracle.claims import SEVERITIES
from conformance.report import html, junit, markdown, write_all
from conformance.report.view import View
from conformance.results import Discrepancy, Run, Tally, TargetRecord, read
from tests.report.strategies import MARK, runs

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")
OWN = Path(__file__).parents[1] / "example_contracts.py"
_VOID = {"meta", "link", "br", "wbr", "img", "input", "hr"}
bears = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


class Page(HTMLParser):
    """Parses a page and refuses what a browser would have to guess at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name == "href"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def of(page: Page, name: str) -> list[str | None]:
    return [value for _, key, value in page.attributes if key == name]


@bears
@given(runs())
def test_the_page_is_well_formed_and_lets_nothing_through(run: Run):
    text = html.render(run)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert all(link.startswith(("#", "https://")) or link == "data:," for link in page.links)
    assert MARK not in text
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert not {tag for tag, _, _ in page.attributes} & {"img", "iframe", "object", "form"}


@bears
@given(runs())
def test_headings_follow_one_another_without_gaps(run: Run):
    levels = Page(html.render(run)).headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@bears
@given(runs())
def test_junit_is_well_formed_and_has_a_test_case_for_every_claim_on_every_target(run: Run):
    root = ET.fromstring(junit.render(run).encode())
    view = View(run)
    assert len(root.findall(".//testcase")) == len(view.claims) * len(view.targets) == int(root.get("tests", ""))


@bears
@given(runs())
def test_markdown_is_free_of_markup_that_came_with_the_data(run: Run):
    text = markdown.render(run)
    assert MARK not in text
    assert not re.search(r"<(?!/?code>)", text)
    assert not re.search(r"\]\(|(?<!&)#\d|@", text)


@bears
@given(runs())
def test_all_renderings_agree_on_verdict_and_counts(run: Run):
    verdict = View(run).verdict
    page = Page(html.render(run))
    assert of(page, "data-verdict") == [verdict.word]
    assert dict(zip(of(page, "data-count"), map(int, of(page, "data-value")), strict=True)) == verdict.counts
    text = markdown.render(run)
    assert text.splitlines()[0].endswith(f" {verdict.word}")
    said = re.search(r"Claims on all targets: (.*)\.$", text, re.MULTILINE)
    assert said is not None
    assert {w: int(n) for n, w in re.findall(r"(\d+) ([a-z ]+)", said[1])} == verdict.counts
    assert _counted(ET.fromstring(junit.render(run).encode()), run) == verdict.counts


def _counted(root: ET.Element, run: Run) -> dict[str, int]:
    """The outcomes of the documented claims that have a result, as JUnit tells them."""
    suites = [suite for suite in root.findall("testsuite") if suite.get("name") != junit.ARTICLE]
    verdicts = {p.get("value") for s in suites for p in s.findall("properties/property[@name='verdict']")}
    assert verdicts <= {View(run).verdict.word}
    told = [p.get("value", "") for s in suites for p in s.findall(".//property[@name='outcome']")]
    absent = Counter(View(run).outcome(c["id"], t) for c in View(run).documented for t in View(run).targets
                     if (c["id"], t.name) not in View(run).tallies)  # fmt: skip
    return dict(Counter(told) - absent)


@bears
@given(runs())
def test_rendering_again_gives_the_same_bytes_and_so_does_the_file(tmp_path_factory, run: Run):
    path: Path = tmp_path_factory.mktemp("run") / "run.jsonl"
    run.write(path)
    for render in (html.render, junit.render, markdown.render):
        assert render(run) == render(run) == render(read(path))


@bears
@given(runs())
def test_a_run_that_was_written_reads_back_the_same(tmp_path_factory, run: Run):
    path: Path = tmp_path_factory.mktemp("run") / "run.jsonl"
    run.write(path)
    again = read(path)
    assert again.lines() == json.loads(json.dumps(run.lines()))
    again.write(path.with_name("again.jsonl"))
    assert path.with_name("again.jsonl").read_bytes() == path.read_bytes()


@bears
@given(runs())
def test_everything_is_written_and_can_be_encoded(tmp_path_factory, run: Run):
    directory: Path = tmp_path_factory.mktemp("report")
    write_all(run, directory)
    assert {path.name for path in directory.iterdir()} == {"report.html", "verdict.json", "junit.xml", "report.md"}
    assert json.loads((directory / "verdict.json").read_text())["schema"] == 1


def _claim(name: str = "linear.weight.shape", **fields: object) -> dict:
    return {"id": name, "module": "torch.nn.Linear", "scenario": "constructor", "statement": "a shape", "formula": None,
            "source": "Attributes", "releases": ">=2.0", "authority": "documentation", **fields}  # fmt: skip


def _cpu(**fields: object) -> TargetRecord:
    return TargetRecord("cpu", "cpu", "popen", "cpu", "eager", True, environment={"torch": "2.13.0+cpu"}, **fields)


def _run(**fields: object) -> Run:
    tally = Tally("linear.weight.shape", "torch.nn.Linear", "constructor", "cpu", kept=3)
    made = {"targets": [_cpu()], "tallies": [tally], "footer": {"verdict": "CONFORMS"}}
    return Run({"claims": [_claim()], "command": ["conformance", "run"]}, **{**made, **fields})


def test_a_run_without_a_footer_is_inconclusive_in_every_rendering():
    run = _run(footer=None)
    assert "INCONCLUSIVE" in html.render(run)
    assert "no footer" in html.render(run)
    assert markdown.render(run).startswith("## ? INCONCLUSIVE")
    assert 'value="INCONCLUSIVE"' in junit.render(run)


def test_a_target_that_did_not_run_is_said_with_its_reason_before_the_matrix():
    absent = TargetRecord("cuda", "cuda", "popen", "cuda", "eager", False, "not run", "no CUDA device")
    text = html.render(_run(targets=[_cpu(), absent]))
    assert text.index("no CUDA device") < text.index('id="matrix"')
    assert "not run: no CUDA device" in junit.render(_run(targets=[_cpu(), absent]))


def test_an_interrupted_run_stays_inconclusive_when_it_is_rendered_again():
    run = _run(footer={"verdict": "INCONCLUSIVE", "reason": "the run was cut short: interrupted by the user"})
    assert View(run).verdict.exit == 4


def test_a_refuted_statement_of_the_article_leaves_the_verdict_alone():
    said = _claim("linear.article.1.x", authority="article")
    run = _run()
    run.header["claims"].append(said)
    run.tallies.append(Tally(said["id"], said["module"], "constructor", "cpu", broken=2))
    assert View(run).verdict.exit == 0
    assert "refuted" in html.render(run)
    assert ET.fromstring(junit.render(run).encode()).get("failures") == "0"


def _found(number: int, module: str = "torch.nn.Linear", **fields: object) -> Discrepancy:
    case = Case(module, "any_rank", {"out_features": 2, "in_features": number + 1}, positional=2).to_json()
    made = {"severity": "wrong", "expected": "(1, 2)", "observed": "(2, 1)", "seen": {"status": "ok"}}
    return Discrepancy("linear.weight.shape", module, "cpu", case=case, **{**made, **fields})


def test_a_module_without_a_contract_is_shown_without_a_script():
    claim = _claim("foreign.shape", module="foreign.Module")
    found = replace(_found(1, "foreign.Module"), claim="foreign.shape")
    run = _run(discrepancies=[found])
    run.header["claims"].append(claim)
    text = html.render(run)
    assert "there is no contract for foreign.Module in this installation" in text
    assert "in_features" in text


def test_a_module_of_a_users_own_contract_has_script_pictures_and_entry(tmp_path):
    case = Case("scale.Scale", "any_rank", {"features": 2}, (Input("input", (3, 2), "float32"),), {"S": (3,)})
    seen = {"status": "ok", "result": {"type": "tensor", "shape": [3, 1], "dtype": "float32"}}
    found = Discrepancy("scale.output.shape.any_rank", "scale.Scale", "cpu", "wrong", "(3, 2)", "(3, 1)",
                        case.to_json(), seen)  # fmt: skip
    run = _run(discrepancies=[found])
    run.header["claims"].append(_claim(found.claim, module="scale.Scale"))
    text = html.render(run, (str(OWN),))
    assert "module = scale.Scale(features=2)" in text
    assert "output: S = 3, ✗ 1, not H = 2" in text
    assert "[case]" in text
    assert "there is no contract for scale.Scale in this installation" in html.render(run)


def test_arguments_by_position_are_shown_in_the_order_of_the_signature():
    assert "Linear(2, 2)" in html.render(_run(discrepancies=[_found(1)]))


def test_the_unknown_come_first_and_then_the_severest():
    known, wrong, crash = _found(1, ledger="entry", severity="crash"), _found(2), _found(3, severity="crash")
    assert View(_run(discrepancies=[known, wrong, crash])).discrepancies == [crash, wrong, known]


def test_more_discrepancies_than_anyone_reads_are_counted_instead_of_shown():
    claims = [_claim(f"linear.weight.shape.{number}") for number in range(html.CARDS + 7)]
    found = [replace(_found(number), claim=claim["id"]) for number, claim in enumerate(claims)]
    run = _run(discrepancies=found)
    run.header["claims"] += claims
    text = html.render(run)
    assert text.count('<article class="card') == html.CARDS
    assert "7 more are in the run file" in text
    assert f"and {html.CARDS + 7 - markdown.WORST} more" in markdown.render(run)


def test_cards_with_more_text_than_anyone_loads_are_counted_instead_of_shown(monkeypatch):
    monkeypatch.setattr(html, "CARD_BYTES", 10_000)
    run = _run(discrepancies=[replace(_found(number), severity=word) for number, word in enumerate(SEVERITIES)])
    text = html.render(run)
    shown = text.count('<article class="card')
    assert 0 < shown < len(SEVERITIES)
    assert f"{len(SEVERITIES) - shown} more are in the run file" in text


def test_a_known_discrepancy_passes_in_junit_and_names_its_entry():
    tally = Tally("linear.weight.shape", "torch.nn.Linear", "constructor", "cpu", kept=3, known={"entry-7": 2})
    root = ET.fromstring(junit.render(_run(tallies=[tally])).encode())
    assert root.get("failures") == "0"
    assert "entry-7 (2 cases)" in (root.findtext(".//system-out") or "")


def test_a_failure_in_junit_carries_expected_and_observed():
    tally = Tally("linear.weight.shape", "torch.nn.Linear", "constructor", "cpu", kept=3, broken=1)
    failure = ET.fromstring(junit.render(_run(tallies=[tally], discrepancies=[_found(1)])).encode()).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "expected (1, 2); observed (2, 1)"
