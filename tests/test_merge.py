"""Merging: any order gives the same bytes, the shards of a run give the run, and what is not whole never passes."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.hygiene import settled
from conformance.merge import MergeError, merge, natural
from conformance.results import Discrepancy, Exercised, Run, Standing, Tally, TargetRecord
from conformance.shards import Shard, ShardError, shard
from conformance.verdict import verdict

bears = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
MODULES = ("torch.nn.A", "torch.nn.B", "torch.nn.C")
SCENARIOS = ("constructor", "batched", "refused")
ENVIRONMENT = {"torch": "2.13.0+cpu", "python": "3.11.7", "device": "cpu", "mode": "eager"}


def target(name: str = "cpu", **environment: str) -> TargetRecord:
    return TargetRecord(name, name, "popen", "cpu", "eager", True, environment={**ENVIRONMENT, **environment})


def claim(module: str, scenario: str, place: int) -> dict:
    return {"id": f"{module[9:].lower()}.{scenario}", "module": module, "scenario": scenario, "statement": "a promise",
            "authority": "documentation", "place": place}  # fmt: skip


CLAIMS = [claim(m, s, 3 * i + j) for i, m in enumerate(MODULES) for j, s in enumerate(SCENARIOS)]


def part(claims: list[dict], targets: list[TargetRecord], found: dict, **header) -> Run:
    """A run of these claims; ``found`` says how each fared."""
    names = [t.name for t in targets]
    run = Run({"suite": "1", "seed": 0, "profile": "pr", "random_cases": 9, "command": ["conformance", "run"], **header,
               "entries": [], "claims": claims}, targets)  # fmt: skip
    for c in claims:
        for name in names:
            kept, broken, known = found.get(c["id"], (1, 0, 0))
            run.tallies.append(Tally(c["id"], c["module"], c["scenario"], name, kept, broken,
                                     known={"entry": known} if known else {}))  # fmt: skip
            if broken:
                run.discrepancies.append(Discrepancy(c["id"], c["module"], name, "wrong", "1", "2", None, {}))
            if known:
                run.standings.append(Standing("entry", name, "shown" if kept else "improved"))
    for module in dict.fromkeys(c["module"] for c in claims):
        mine = [c for c in claims if c["module"] == module]
        facts = {"scenario": {c["scenario"]: sum(found.get(c["id"], (1, 0, 0))) for c in mine}}
        run.exercised += [Exercised(module, name, len(mine), deepcopy(facts)) for name in names]
    run.standings = settled(run.standings)
    run.header["cases"] = {m: sum(c["module"] == m for c in claims) for m in dict.fromkeys(c["module"] for c in claims)}
    run.header["ledger"] = {"entry": {"reason": "why"}} if any(t.known for t in run.tallies) else {}
    run.timing = {"started": "2026-11-24", "finished": "2026-11-25", "groups": []}
    run.footer = verdict(run).to_json()
    return run


def shards(count: int, found: dict, targets: list[TargetRecord]) -> dict[str, Run]:
    parts = {}
    for index in range(1, count + 1):
        mine = Shard(index, count, "run")
        claims = [c for c in CLAIMS if mine.has(c["module"], c["scenario"])]
        parts[f"{index}.jsonl"] = part(claims, targets if claims else [], found, shard=mine.to_json())
    return parts


def text(run: Run) -> str:
    return "".join(json.dumps(line) + "\n" for line in run.lines())


counts = st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 2))
fates = st.dictionaries(st.sampled_from([c["id"] for c in CLAIMS]), counts)
places = st.sampled_from([[target()], [target(), target("cuda")], [target("cuda"), target()]])


# -- shards ------------------------------------------------------------------------------------------------------------


@bears
@given(st.integers(1, 6), fates, places)
def test_the_shards_of_a_run_are_the_run(count: int, found: dict, targets: list[TargetRecord]):
    assert text(merge(shards(count, found, targets))) == text(part(CLAIMS, targets, found))


@bears
@given(st.integers(2, 6), fates, places, st.randoms())
def test_the_order_of_the_files_does_not_matter(count: int, found: dict, targets: list[TargetRecord], random):
    parts = list(shards(count, found, targets).items())
    before = text(merge(dict(parts)))
    random.shuffle(parts)
    assert text(merge(dict(parts))) == before


@bears
@given(st.integers(2, 6), fates, places, st.data())
def test_merging_some_first_comes_to_the_same(count: int, found: dict, targets: list[TargetRecord], data):
    parts = shards(count, found, targets)
    some = data.draw(st.lists(st.sampled_from(sorted(parts)), min_size=1, unique=True))
    first = merge({name: parts[name] for name in some})
    rest = {name: run for name, run in parts.items() if name not in some}
    assert text(merge({"first": first, **rest})) == text(merge(parts))


@bears
@given(st.integers(2, 6), st.data())
def test_a_missing_shard_is_inconclusive_and_named(count: int, data):
    parts = shards(count, {}, [target()])
    gone = data.draw(st.sampled_from(sorted(parts)))
    del parts[gone]
    footer = merge(parts).footer
    assert footer
    assert footer["verdict"] == "INCONCLUSIVE"
    assert f"shard {gone[0]}/{count} is missing" in footer["reason"]


def test_a_missing_footer_is_inconclusive():
    parts = shards(3, {}, [target()])
    parts["2.jsonl"].footer = None
    footer = merge(parts).footer
    assert footer
    assert footer["verdict"] == "INCONCLUSIVE"
    assert "has no footer" in footer["reason"]


def test_a_doubt_of_a_part_is_a_doubt_of_the_whole_and_stays_one():
    parts = shards(2, {}, [target()])
    parts["1.jsonl"].footer = {"verdict": "INCONCLUSIVE", "reason": "the run was cut short: interrupted", "exit": 4}
    once = merge(parts)
    assert once.footer
    assert "interrupted" in once.footer["reason"]
    assert merge({"again": once}).footer == once.footer


def test_discrepancies_outweigh_a_missing_shard():
    parts = shards(2, {c["id"]: (0, 1, 0) for c in CLAIMS}, [target()])
    del parts["1.jsonl"]
    assert (merge(parts).footer or {})["verdict"] == "DOES NOT CONFORM"


def test_a_shard_that_comes_twice_is_refused():
    parts = shards(2, {}, [target()])
    with pytest.raises(MergeError, match="both judge|are both shard 1/2; pass each run file once"):
        merge({**parts, "copy.jsonl": parts["1.jsonl"]})


def test_an_empty_shard_that_comes_twice_is_refused_too():
    empty = part([], [], {}, shard=Shard(1, 9, "run").to_json())
    with pytest.raises(MergeError, match="are both shard 1/9"):
        merge({"one": empty, "two": deepcopy(empty)})


@pytest.mark.parametrize(("field", "value"), [("suite", "2"), ("seed", 1), ("profile", "quick"), ("random_cases", 3)])
def test_runs_that_answer_different_questions_are_refused(field: str, value: object):
    one, other = part(CLAIMS, [target("a")], {}), part(CLAIMS, [target("b")], {})
    other.header[field] = value
    with pytest.raises(MergeError, match=f"one.jsonl and other.jsonl differ in {field}"):
        merge({"one.jsonl": one, "other.jsonl": other})


def test_claims_that_mean_something_else_are_refused():
    one, other = part(CLAIMS, [target("a")], {}), deepcopy(part(CLAIMS, [target("b")], {}))
    other.header["claims"][0]["statement"] = "another promise"
    with pytest.raises(MergeError, match="mean different claims by a.constructor"):
        merge({"one": one, "other": other})


def test_nothing_is_refused():
    with pytest.raises(MergeError, match="nothing to merge"):
        merge({})


# -- targets -----------------------------------------------------------------------------------------------------------

RELEASES = ("2.0.1+cu117", "2.5.1+cpu", "2.9.1", "2.13.0+cpu")


def test_targets_of_one_name_and_different_torch_get_distinct_names():
    runs = {release: part(CLAIMS, [target(torch=release)], {}) for release in RELEASES}
    assert [t.name for t in merge(runs).targets] == [f"cpu@{release}" for release in RELEASES]


@bears
@given(st.lists(st.sampled_from(RELEASES), min_size=2, unique=True), st.data())
def test_targets_may_be_joined_in_any_order_and_step_by_step(releases: list[str], data):
    runs = {release: part(CLAIMS, [target(torch=release)], {}) for release in releases}
    order = data.draw(st.permutations(releases))
    whole = runs[order[0]]
    for release in order[1:]:
        whole = merge({"whole": whole, release: runs[release]})
    assert text(whole) == text(merge(runs))


def test_a_target_that_is_the_same_on_another_machine_is_the_same_target():
    parts = shards(3, {}, [target()])
    parts["2.jsonl"] = replace(parts["2.jsonl"], targets=[target(python="3.12.1")])
    whole = merge(parts)
    assert [t.name for t in whole.targets] == ["cpu"]
    assert whole.targets[0].environment["python"] == "3.11.7 | 3.12.1"


def test_the_same_target_judged_twice_is_refused():
    runs = {name: part(CLAIMS, [target()], {}) for name in ("one", "other")}
    with pytest.raises(MergeError, match="both judge a.constructor on cpu"):
        merge(runs)


def test_claims_that_one_target_lacks_are_inconclusive():
    footer = merge({"a": part(CLAIMS, [target("a")], {}), "b": part(CLAIMS[:4], [target("b")], {})}).footer
    assert footer
    assert footer["verdict"] == "INCONCLUSIVE"
    assert "5 claims were not judged on b" in footer["reason"]


def test_releases_come_in_their_order():
    assert sorted(["2.13.0", "2.9.1", "2.0.1", "cpu"], key=natural) == ["2.0.1", "2.9.1", "2.13.0", "cpu"]


# -- what a shard is ---------------------------------------------------------------------------------------------------


@given(st.integers(1, 9), st.text(), st.text())
def test_every_campaign_is_in_exactly_one_shard(count: int, module: str, scenario: str):
    assert sum(Shard(index, count).has(module, scenario) for index in range(1, count + 1)) == 1


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("2/4", {}, "2/4"),
        ("ci", {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "3"}, "1/3"),
        ("ci", {"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "3"}, "1/3"),
    ],
)
def test_a_shard_is_written_or_asked_of_the_ci_system(text: str, environment: dict, expected: str):
    assert str(shard(text, environment)) == expected


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("0/4", {}, "the index goes from 1"),
        ("5/4", {}, "the index goes from 1"),
        ("half", {}, "write INDEX/COUNT"),
        ("ci", {}, "neither CI_NODE_INDEX and CI_NODE_TOTAL nor CIRCLE_NODE_INDEX and CIRCLE_NODE_TOTAL are set"),
        ("ci", {"CI_NODE_INDEX": "x", "CI_NODE_TOTAL": "3"}, "are not numbers"),
    ],
)
def test_what_is_no_shard_is_refused(text: str, environment: dict, message: str):
    with pytest.raises(ShardError, match=message):
        shard(text, environment)


def test_shards_run_and_merged_are_the_whole_run(conformance, tmp_path):
    """The real thing: two shards of two small modules against the run of both."""
    asked = ("run", "--target", "cpu", "--module", "Flatten", "--module", "Linear", "--cases", "30", "-p", "no:xdist")
    assert conformance(*asked, "--report", "whole").returncode == 0
    for index in "12":
        assert conformance(*asked, "--report", index, "--shard", f"{index}/2").returncode == 0
    done = conformance("merge", "2", "1", "--report", "merged")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "CONFORMS")
    both = [[json.loads(line) for line in (tmp_path / name / "run.jsonl").read_text().splitlines()] for name in
            ("whole", "merged")]  # fmt: skip
    for lines in both:
        lines[0].pop("command")
    assert [x for x in both[0] if x["kind"] != "timing"] == [x for x in both[1] if x["kind"] != "timing"]
    assert conformance("merge", "1", "--report", "half").returncode == 4
    twice = conformance("merge", "1", "1")
    assert (twice.returncode, twice.stderr) == (2, "conformance: 1/run.jsonl is given twice; pass each run file once\n")
