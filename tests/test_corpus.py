"""The corpus: explicit data, kept as small as what it exercises allows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.campaign import Plan
from conformance.corpus import OWN, Corpus, CorpusError
from conformance.corpus.grow import grown, pruned
from conformance.judge import applies
from conformance.ledger import Ledger
from conformance.oracle.claims import scenarios_of
from conformance.oracle.registry import builtin, contract_of
from conformance.strategies.boundary import boundary_cases, edges
from conformance.strategies.essential import essential_choices, news

bears = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
CONTRACTS = [pytest.param(contract, id=contract.module) for contract in builtin()]
LINEAR = contract_of("torch.nn.Linear")


# -- the files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_stored_cases_of_a_module_are_cases_of_it_each_once(contract):
    cases = Corpus().cases(contract.module)
    assert {case.module for case in cases} <= {contract.module}
    assert {case.scenario for case in cases} <= set(scenarios_of(contract))
    assert len({case.hash for case in cases}) == len(cases)
    # What only older pages exclude is stored too: quick has to exercise every claim on every release.
    assert all(applies(contract, case, "2.13.0") or applies(contract, case, "2.0.1") for case in cases)


def test_every_file_belongs_to_a_module():
    assert {path.stem for path in OWN.glob("*.jsonl")} <= {contract.module for contract in builtin()}


@bears
@given(st.data())
def test_a_case_comes_back_from_its_file_as_it_went(tmp_path_factory, data):
    contract = data.draw(st.sampled_from(builtin()))
    scenario = data.draw(st.sampled_from([s for s in scenarios_of(contract) if s != "documentation"]))
    cases = [case for case, _ in essential_choices(contract, scenario)]
    place = tmp_path_factory.mktemp("corpus")
    (place / f"{contract.module}.jsonl").write_text(Corpus().text(contract.module, cases))
    assert [case.text for case in Corpus(place).cases(contract.module)] == [case.text for case in cases]


def test_no_corpus_and_a_module_without_a_file_have_no_cases(tmp_path):
    assert Corpus.load("none").cases("torch.nn.LSTM") == ()
    assert Corpus.load(str(tmp_path)).cases("torch.nn.LSTM") == ()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"schema": 1, "module": "torch.nn.Linear"}', "{"], "line 2: .*; remove the line, or make the file anew"),
        (['{"schema": 1}'], "line 1: 'module'"),
        (['{"schema": 7, "module": "torch.nn.Linear"}', '{"layout": "any_rank"}'], "line 2: not a case of schema 1"),
        (['{"schema": 1, "module": "torch.nn.Linear"}', '{"colour": 1}'], "line 2: a case has no field colour"),
    ],
)
def test_what_cannot_be_read_is_named_by_file_and_line(tmp_path, lines: list[str], message: str):
    (tmp_path / "torch.nn.Linear.jsonl").write_text("\n".join(lines))
    with pytest.raises(CorpusError, match=message):
        Corpus(tmp_path).cases("torch.nn.Linear")


def test_a_place_that_is_no_directory_is_refused_by_the_command_line(conformance):
    done = conformance("run", "--target", "cpu", "--corpus", "nowhere")
    assert (done.returncode, "--corpus 'nowhere' is not a directory" in done.stderr) == (2, True)


# -- essential cases ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", CONTRACTS)
def test_essential_cases_are_few_and_none_comes_twice(contract):
    for scenario in (s for s in scenarios_of(contract) if s != "documentation"):
        found = essential_choices(contract, scenario)
        assert found, scenario
        assert len({case.hash for case, _ in found}) == len(found)


def test_essential_cases_make_every_choice_of_an_edge():
    found = essential_choices(LINEAR, "any_rank")
    for argument in (a for a in LINEAR.arguments if a.values and a.name not in ("device", "dtype")):
        tried = {case.arguments.get(argument.name, argument.default) for case, _ in found}
        assert set(edges(argument.name, argument.values)) <= tried


def test_a_case_is_news_if_it_makes_a_choice_for_the_first_time():
    one, other, third, last = boundary_cases(LINEAR, "any_rank")[:4]
    made = [(one, {"a": 1, "b": 2}), (other, {"a": 1}), (third, {"a": 2}), (last, {"b": 3, "seed": 9})]
    assert [case for case, _ in news(made)] == [one, third, last]


# -- growing and pruning -----------------------------------------------------------------------------------------------


def sifted(target, stored=(), cases: int = 60):
    return grown(LINEAR, "any_rank", [target], Ledger(), stored, Plan(cases, 0))


def test_growing_again_adds_nothing_and_pruning_takes_nothing(shared_target):
    first = sifted(shared_target)
    assert first
    assert sifted(shared_target, first) == first
    assert pruned(LINEAR, "any_rank", [shared_target], Ledger(), first) == first


def test_pruning_takes_what_says_nothing_new(shared_target):
    first = sifted(shared_target)
    twins = [replace(case, seed=case.seed + 7) for case in first]
    left = pruned(LINEAR, "any_rank", [shared_target], Ledger(), [*first, *twins])
    assert len(left) < len(first) + len(twins)
    assert left[: len(first)] == first


def test_a_case_that_fails_is_not_stored(target_python):
    from conformance.targets import Target, TargetSpec

    wrong = "from torch import nn\nnn.Linear.forward = lambda self, x: x[..., :0]"
    target = Target(TargetSpec.parse("cpu", target_python), prelude=wrong).start()
    try:
        assert sifted(target) == []
    finally:
        target.close()


def test_the_commands_grow_prune_and_replay(conformance, tmp_path, target_python):
    asked = ("--python", target_python, "--module", "Linear", "--corpus", "mine")
    done = conformance("corpus", "grow", *asked, "--cases", "40")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "mine" / "torch.nn.Linear.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == {"schema": 1, "module": "torch.nn.Linear"}
    assert conformance("corpus", "prune", *asked).stdout.startswith(f"torch.nn.Linear: {len(lines) - 1} cases before")
    run = conformance("run", "--target", "cpu", "--module", "Linear", "--profile", "quick", "--corpus", "mine", "-p",
                      "no:xdist")  # fmt: skip
    assert run.returncode == 0
