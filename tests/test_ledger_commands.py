"""The ledger's maintenance: strict both ways, edited only on request, with comments and unknown keys kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from conformance.campaign import Campaign, Plan
from conformance.cli import main
from conformance.hygiene import described, hygiene, settled
from conformance.ledger import Entry, Ledger
from conformance.ledger.check import checked
from conformance.ledger.edit import changed, difference, ended
from conformance.ledger.entry import read_entry
from conformance.ledger.overlaps import overlap, overlapping, ranges_overlap
from conformance.oracle.claims import claims_of
from conformance.oracle.registry import contract_of
from conformance.results import Run, Standing, Tally, TargetRecord
from conformance.strategies.boundary import boundary_cases
from conformance.verdict import verdict
from tests.test_ledger import GOOD, written

LINEAR = contract_of("torch.nn.Linear")
CASE = boundary_cases(LINEAR, "any_rank")[1]
MINE = Entry("mine", ("linear.output.shape.any_rank",), "implementation", "wrong", "a reason", "none found", "^output ",
             releases=">=2.0,<3", review_by="2027-01-01", case=CASE)  # fmt: skip
WRONG = (
    "from torch import nn\noriginal = nn.Linear.forward\nnn.Linear.forward = lambda self, x: original(self, x)[..., :0]"
)


def campaign(target, *entries: Entry, claims: str = "linear.output.*") -> Campaign:
    from fnmatch import fnmatchcase

    chosen = [c for c in claims_of(LINEAR) if c.scenario == "any_rank" and fnmatchcase(c.id, claims)]
    plan = Plan(0, ledger=Ledger(entries), boundary="none")
    done = Campaign(LINEAR, "any_rank", chosen, [target], plan)
    done.run()
    return done


# -- strict both ways --------------------------------------------------------------------------------------------------


def test_an_entry_whose_case_no_longer_fails_within_its_range_is_an_improvement(shared_target):
    assert campaign(shared_target, MINE).outcome.standings == [Standing("mine", "cpu", "improved")]


def test_an_entry_whose_case_fails_as_it_says_is_shown(target_python):
    with faulty(target_python) as target:
        assert campaign(target, MINE).outcome.standings == [Standing("mine", "cpu", "shown")]


def test_a_case_that_fails_in_another_way_is_a_discrepancy_and_no_improvement(target_python):
    with faulty(target_python) as target:
        done = campaign(target, replace(MINE, observed="^something else"))
    assert done.outcome.standings == [Standing("mine", "cpu", "different")]
    assert [d.ledger for d in done.outcome.discrepancies] == [None]


@pytest.mark.parametrize("other", [{"releases": "<2.0"}, {"devices": "cuda*"}, {"when": "in_features == -1"}])
def test_an_entry_that_does_not_speak_of_the_target_or_the_case_has_no_standing(shared_target, other: dict):
    assert campaign(shared_target, replace(MINE, **other)).outcome.standings == []


def test_an_entry_is_no_improvement_where_not_all_its_claims_were_judged(shared_target):
    broad = replace(MINE, claims=("linear.*",))
    assert campaign(shared_target, broad).outcome.standings == []


def faulty(python: str):
    from contextlib import contextmanager

    from conformance.targets import Target, TargetSpec

    @contextmanager
    def started():
        target = Target(TargetSpec.parse("cpu", python), prelude=WRONG).start()
        yield target
        target.close()

    return started()


# -- what a run says of it ---------------------------------------------------------------------------------------------


def run(
    *entries: Entry, standings: tuple[Standing, ...] = (), known: dict | None = None, day: str = "2026-06-01"
) -> Run:
    place = TargetRecord("cpu", "cpu", "popen", "cpu", "eager", True, environment={"torch": "2.13.0+cpu"})
    tally = Tally("linear.output.shape.any_rank", "torch.nn.Linear", "any_rank", "cpu", kept=3, known=known or {})
    header = {"claims": [{"id": tally.claim}], "entries": described(entries)}
    return Run(header, [place], [tally], timing={"started": f"{day}T00:00:00"}, standings=list(standings))


def kinds(whole: Run) -> list[tuple[str, str]]:
    return [(remark.entry, remark.kind) for remark in hygiene(whole)]


def test_an_improvement_is_said_with_the_command_that_retires_it_and_changes_no_verdict():
    whole = run(MINE, standings=(Standing("mine", "cpu", "improved"),))
    remark = hygiene(whole)[0]
    assert (remark.kind, remark.command) == ("unexpected improvement", "conformance ledger retire mine")
    assert verdict(whole).exit == 0


def test_an_entry_that_matches_nothing_is_said():
    assert kinds(run(replace(MINE, case=None))) == [("mine", "matched nothing")]
    assert kinds(run(replace(MINE, case=None), known={"mine": 2})) == []


def test_an_entry_for_other_releases_is_not_expected_to_match():
    assert kinds(run(replace(MINE, case=None, releases="<2.6"))) == []


def test_an_entry_past_its_review_is_said_on_the_day_of_the_run_whenever_it_is_rendered():
    shown = (Standing("mine", "cpu", "shown"),)
    assert kinds(run(MINE, standings=shown, day="2027-01-01")) == []
    assert kinds(run(MINE, standings=shown, day="2027-01-02")) == [("mine", "review overdue")]


def test_overlaps_and_unknown_keys_are_said():
    twin = replace(MINE, id="twin", unknown=("team",))
    shown = tuple(Standing(name, "cpu", "shown") for name in ("mine", "twin"))
    assert kinds(run(MINE, twin, standings=shown)) == [
        ("mine", "overlap"),
        ("twin", "overlap"),
        ("twin", "unknown keys"),
    ]


@given(st.lists(st.builds(Standing, st.sampled_from("ab"), st.sampled_from("xy"),
                          st.sampled_from(["shown", "different", "improved"]))), st.randoms())  # fmt: skip
def test_standings_settle_alike_in_any_order(found: list[Standing], random):
    before = settled(found)
    random.shuffle(found)
    assert settled(found) == before == settled([*before, *found])


# -- overlaps ----------------------------------------------------------------------------------------------------------

bounds = st.sampled_from(["2.0", "2.1", "2.5", "2.5.1", "2.13", "3.0"])
specifiers = st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), bounds).map("".join)
ranges = st.lists(specifiers, max_size=3).map(",".join).map(SpecifierSet)
POINTS = ("1.0", "2.0", "2.0.1", "2.1", "2.3", "2.5", "2.5.1", "2.5.2", "2.7", "2.13", "2.14", "3.0", "4.0")


@given(ranges, ranges)
def test_ranges_overlap_if_a_release_lies_in_both(one: SpecifierSet, other: SpecifierSet):
    if any(point in one and point in other for point in POINTS):
        assert ranges_overlap(one, other)
    assert ranges_overlap(one, other) == ranges_overlap(other, one)


@pytest.mark.parametrize(("one", "other"), [(">=2.6", "<2.6"), ("==2.5.1", "==2.5.2"), (">2.5", "<=2.5")])
def test_ranges_that_only_touch_do_not_overlap(one: str, other: str):
    assert not ranges_overlap(SpecifierSet(one), SpecifierSet(other))


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [
        ({}, True),
        ({"releases": ">=2.9"}, True),
        ({"releases": ">=3"}, False),
        ({"devices": "cuda*"}, False),
        ({"when": "in_features == -1"}, False),
        ({"observed": "^another"}, False),
        ({"observed": "output"}, True),
        ({"claims": ("linear.*",)}, True),
        ({"claims": ("linear.constructor.*",)}, False),
    ],
)
def test_entries_overlap_if_they_explain_the_same(other: dict, overlaps: bool):
    mine = replace(MINE, devices="cpu")
    assert overlap(mine, replace(mine, id="other", **other)) == overlaps


def test_our_own_entries_do_not_overlap_and_want_no_look():
    entries = Ledger.load().entries
    assert overlapping(entries) == {}
    assert checked(entries, "2026-11-24") == []


# -- editing -----------------------------------------------------------------------------------------------------------

COMMENTED = f"# why we care\n{GOOD}team = 'mine'  # ours\n"


def test_an_edit_keeps_comments_and_unknown_keys():
    text = changed(COMMENTED, {"owner": "someone"})
    assert text == COMMENTED + 'owner = "someone"\n'


@pytest.mark.parametrize(
    ("before", "since", "after"),
    [(">=2.0", "2.14.0", ">=2.0,<2.14.0"), (">=2.0,<3", "2.14.0", ">=2.0,<2.14.0"), ("", "2.14.0", "<2.14.0"),
     (">=2.0,<=2.13", "2.14", ">=2.0,<=2.13,<2.14")],
)  # fmt: skip
def test_an_entry_ends_before_the_release_that_mends_it(before: str, since: str, after: str):
    text = ended(COMMENTED.replace('">=2.0"', f'"{before}"'), since)
    assert f'releases = "{after}"' in text
    assert text.startswith("# why we care\n")
    assert text.endswith("team = 'mine'  # ours\n")


def test_a_difference_shows_what_goes_and_what_comes():
    assert difference("a\nb\n", "a\nc\n", "x.toml").splitlines()[-2:] == ["-b", "+c"]


def test_unknown_keys_are_kept_and_named(tmp_path):
    entry = read_entry(written(tmp_path, COMMENTED))
    assert entry.unknown == ("team",)
    assert ("mine", "has keys that mean nothing here: team") in checked([entry], "2026-01-01")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"review_by": "2026-01-01"}, "was to be looked at again by 2026-01-01"),
        ({"claims": ("linear.nothing",)}, "names a claim that does not exist: linear.nothing"),
        ({"when": "in_features == -1"}, "does not select its own frozen case"),
        ({"claims": ("linear.constructor.*",)}, "names no claim that its frozen case exercises (any_rank)"),
        ({"reason": "TODO: say why"}, "has no reason yet"),
    ],
)
def test_check_names_what_wants_a_look(other: dict, message: str):
    assert ("mine", message) in checked([replace(MINE, **other)], "2026-06-01")


# -- the commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    written(tmp_path / "known", COMMENTED)
    return tmp_path / "known"


def call(*words: object) -> int:
    return main(["ledger", *map(str, words)])


def test_retire_asks_shows_and_writes_only_when_told(ledger: Path, monkeypatch, capsys):
    before = (ledger / "mine.toml").read_text()
    asked = ("retire", "mine", "--since", "2.14.0", "--ledger", ledger)
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    assert call(*asked) == call(*asked, "--dry-run") == 0
    assert '+releases = ">=2.0,<2.14.0"' in capsys.readouterr().out
    assert (ledger / "mine.toml").read_text() == before
    assert call(*asked, "--yes") == 0
    assert (ledger / "mine.toml").read_text() == before.replace('">=2.0"', '">=2.0,<2.14.0"')


def test_retire_may_remove_the_whole_entry(ledger: Path):
    assert call("retire", "mine", "--delete", "--yes", "--ledger", ledger) == 0
    assert list(ledger.iterdir()) == []


def test_retire_takes_the_release_from_the_last_run(ledger: Path, tmp_path):
    whole = run(MINE, standings=(Standing("mine", "cpu", "improved"),))
    whole.write(tmp_path / "report" / "run.jsonl")
    assert call("retire", "mine", "--yes", "--ledger", ledger, "--report", tmp_path / "report") == 0
    assert read_entry(ledger / "mine.toml").releases == ">=2.0,<2.13.0"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("retire", "nothing"), "no entry 'nothing'; `conformance ledger show` lists them"),
        (("retire", "mine"), "cannot be read"),
        (("retire", "mine", "--since", "later"), "Invalid version: 'later'; write a release"),
        (("add", "0123456789"), "cannot be read"),
        (("show", "nothing"), "no entry 'nothing'"),
    ],
)
def test_nonsense_exits_2_with_the_remedy(ledger: Path, tmp_path, capsys, words: tuple, message: str):
    assert call(*words, "--ledger", ledger, "--report", tmp_path / "nowhere") == 2
    assert message in capsys.readouterr().err


def test_check_is_strict_only_when_told(ledger: Path, tmp_path, capsys):
    asked = ("check", "--ledger", ledger, "--report", tmp_path / "nowhere")
    assert (call(*asked), call(*asked, "--strict")) == (0, 1)
    assert "mine: has keys that mean nothing here: team" in capsys.readouterr().out


def test_show_lists_and_shows_a_file_as_it_is(ledger: Path, capsys):
    assert call("show", "--ledger", ledger) == 0
    assert "mine  [implementation, refused, torch >=2.0]" in capsys.readouterr().out
    assert call("show", "mine", "--ledger", ledger) == 0
    assert capsys.readouterr().out.endswith(COMMENTED)


def test_from_a_discrepancy_to_an_entry_that_explains_it(conformance, tmp_path):
    """As a user does: a run that fails, an entry, a run that knows it, and nothing written in between."""
    asked = (
        "run",
        "--target",
        "cpu",
        "--module",
        "MaxPool1d",
        "--profile",
        "quick",
        "--ledger",
        "none",
        "-p",
        "no:xdist",
    )
    assert conformance(*asked).returncode == 1
    found = json.loads((tmp_path / "reports/latest/verdict.json").read_text())["discrepancies"]
    (tmp_path / "known").mkdir()
    done = conformance("ledger", "add", found[0]["id"], "--ledger", "known", "--yes",
                       "--id", "mine", "--reason", "a window too few")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read_entry(tmp_path / "known" / "mine.toml").reason == "a window too few"
    again = conformance("ledger", "add", found[0]["id"], "--ledger", "known", "--id", "mine")
    assert "there is an entry 'mine' already" in again.stderr
