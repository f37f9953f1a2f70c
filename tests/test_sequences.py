"""Functions as subjects: their cases, the reference for packing and padding, and what undoes them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.cases import Case, Input
from conformance.judge import applies, evidence, judge
from conformance.oracle.claims import Failure, claims_of, scenarios_of
from conformance.oracle.claims.documentation import Page
from conformance.oracle.claims.function import unpacked
from conformance.oracle.claims.sizes import _statements
from conformance.oracle.contract import Contract
from conformance.oracle.contracts.sequences import CONTRACTS
from conformance.oracle.equations.sequences import cut, packed_steps, padded_places
from conformance.oracle.expression import expression
from conformance.oracle.functions import Exclusion
from conformance.oracle.registry import contract_of
from conformance.report.script import ScriptError, torch_only
from conformance.strategies.boundary import boundary_cases
from conformance.strategies.build import violations
from conformance.strategies.random import cases
from conformance.strategies.reduce import reduce
from conformance.targets import Target
from conformance.wire import to_wire

FUNCTIONS = [pytest.param(contract, id=contract.prefix) for contract in CONTRACTS]
SCENARIOS = [pytest.param(c, s, id=f"{c.prefix}-{s}") for c in CONTRACTS for s in scenarios_of(c)[1:]]
REFUSING = [pytest.param(contract, id=contract.prefix) for contract in CONTRACTS if contract.refuses]
some = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
lengths_of_a_batch = st.lists(st.integers(1, 6), min_size=1, max_size=6)


def rnn(name: str) -> Contract:
    return contract_of(f"torch.nn.utils.rnn.{name}")


def environment(contract: Contract, case: Case) -> dict[str, Any]:
    return contract.environment(case.options, case.sizes, case.layout)


def fitting(contract: Contract, case: Case) -> bool:
    """Whether every input has the shape and the lengths that the page documents for it."""
    env = environment(contract, case)
    ports = [contract.port(item.name) for item in case.inputs]
    sizes = all(i.shape == contract.sizes_of(p, case.layout, env) for i, p in zip(case.inputs, ports, strict=True))
    lengths = all(i.lengths is None or i.lengths == tuple(env["lengths"]) for i in case.inputs)
    return sizes and lengths and expression(contract.layout(case.layout).when)(env)


# -- cases -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("contract", "scenario"), SCENARIOS)
@some
@given(data=st.data())
def test_a_case_is_what_the_page_documents_unless_it_is_to_be_refused(contract: Contract, scenario: str, data):
    case = data.draw(cases(contract, scenario))
    assert case.scenario == scenario
    assert (case.violation is not None) == (scenario == "refused")
    assert scenario == "refused" or fitting(contract, case)


@pytest.mark.parametrize(("contract", "scenario"), SCENARIOS)
def test_boundary_cases_are_distinct_and_the_same_each_time(contract: Contract, scenario: str):
    first = boundary_cases(contract, scenario)
    assert first == boundary_cases(contract, scenario)
    assert len({case.hash for case in first}) == len(first)


@pytest.mark.parametrize("contract", FUNCTIONS)
def test_every_layout_is_called_with_every_dtype(contract: Contract):
    for layout in contract.layout_names:
        assert {case.dtype for case in boundary_cases(contract, layout)} == set(contract.dtypes)


@pytest.mark.parametrize("contract", REFUSING)
def test_every_violation_and_every_exclusion_is_tried(contract: Contract):
    found = [(c.layout, c.violation) for c in boundary_cases(contract, "refused") if c.violation]
    tried = {(layout, v.rule or (v.port, v.axis)) for layout, v in found}
    wanted = {(x.name, v.name if isinstance(v, Exclusion) else v) for x in contract.layouts
              for v in violations(contract, x)}  # fmt: skip
    assert tried == wanted


@pytest.mark.parametrize("contract", REFUSING)
def test_a_refused_case_is_no_documented_one(contract: Contract):
    for case in boundary_cases(contract, "refused"):
        env = environment(contract, case)
        lengths = [item for item in case.inputs if item.kind == "lengths"]
        excluded = [item for item in lengths if item.form == "meta" or item.dtype != "int64"]
        kinds = [item for item in case.inputs if item.kind != contract.port(item.name).kind(case.layout)]
        total = env.get("total_length")
        short = total is not None and total < max(env["lengths"])
        assert not fitting(contract, case) or excluded or kinds or short, case


@pytest.mark.parametrize("contract", FUNCTIONS)
def test_a_case_that_always_fails_is_reduced_to_one_sequence_of_one_element(contract: Contract):
    for layout in contract.layout_names:
        simplest = reduce(contract, layout, {}, lambda smaller: True)
        assert fitting(contract, simplest)
        assert environment(contract, simplest).get("lengths", (1,)) == (1,)


@pytest.mark.parametrize("contract", [f for f in FUNCTIONS if "arguments" in scenarios_of(f.values[0])])
def test_in_one_way_to_pass_arguments_only_one_is_omitted_and_in_another_none_is_named(contract: Contract):
    names = {option.name for option in contract.options}
    found = boundary_cases(contract, "arguments")
    assert {frozenset(names - case.options.keys()) for case in found if not case.positional} >= {
        frozenset({name}) for name in names
    }
    assert {case.positional for case in found} == set(range(len(names) + 1))
    for case in found:
        wire, _ = to_wire(contract, case)
        args, kwargs = wire["call"]
        assert len(args) == len(contract.inputs) + case.positional
        assert [*case.options][: case.positional] == [option.name for option in contract.options][: case.positional]
        assert list(wire["twin"]) == [argument.name for argument in contract.signature]
        assert kwargs.keys() <= names


# -- the reference -----------------------------------------------------------------------------------------------------


@given(lengths_of_a_batch, st.integers(0, 3), st.sampled_from(["left", "right"]), st.booleans())
def test_cutting_undoes_padding_on_the_right(lengths: list[int], surplus: int, side: str, batch_first: bool):
    places = padded_places(lengths, max(lengths) + surplus, side)
    assert sorted(places[places < sum(lengths)]) == list(range(sum(lengths)))
    if side == "right":
        padded = places if batch_first else places.T
        assert cut(padded, lengths, batch_first).tolist() == list(range(sum(lengths)))


@given(lengths_of_a_batch, st.randoms())
def test_unpacking_undoes_packing_in_every_order_of_decreasing_length(lengths: list[int], random):
    order = sorted(range(len(lengths)), key=lambda n: (-lengths[n], random.random()))
    data = packed_steps(lengths, order)
    sizes = [sum(length > t for length in lengths) for t in range(max(lengths))]
    again = unpacked(data, {"batch_sizes": sizes, "sorted_indices": order})
    starts = np.cumsum([0, *lengths])
    assert again is not None
    assert [part.tolist() for part in again] == [list(range(a, b)) for a, b in itertools.pairwise(starts)]


def test_abc_and_x_are_packed_as_axbc():
    assert ["abcx"[place] for place in packed_steps((3, 1), (0, 1))] == list("axbc")


@pytest.mark.parametrize("packed", [
    {"batch_sizes": [2], "sorted_indices": [0, 0]},
    {"batch_sizes": [2], "sorted_indices": [0]},
    {"batch_sizes": [3], "sorted_indices": None},
    {"batch_sizes": None, "sorted_indices": None},
])  # fmt: skip
def test_what_is_no_packed_sequence_is_not_unpacked(packed: dict[str, Any]):
    assert unpacked(np.zeros(2), packed) is None


# -- pages -------------------------------------------------------------------------------------------------------------

OLD = """Pad.

For example, if the input is list of
sequences with size ``L x *`` and if batch_first is False, and ``T x B x *``
otherwise.

Args:
    batch_first (bool, optional): output will be in ``B x T x *`` if True, or in
        ``T x B x *`` otherwise. Default: False.

Returns:
    Tensor of size ``T x B x *`` if :attr:`batch_first` is ``False``.
    Tensor of size ``B x T x *`` otherwise
"""


def judged(doc: str) -> Any:
    claim = next(c for c in claims_of(rnn("pad_sequence")) if c.id == "pad_sequence.documentation.sizes.batch_first")
    return claim.check(Page(rnn("pad_sequence"), doc, "", [], "2.0.1"))


def test_otherwise_is_the_other_value_of_batch_first():
    assert list(_statements(OLD.partition("otherwise.")[2])) == [
        ("B x T x *", True), ("T x B x *", False), ("T x B x *", False), ("B x T x *", True),
    ]  # fmt: skip
    assert judged(OLD.replace("if batch_first is False, and", "if batch_first is True, and")) is True


def test_a_sentence_that_lost_its_middle_is_noticed():
    assert isinstance(judged(OLD), Failure)


# -- scripts -----------------------------------------------------------------------------------------------------------


def test_a_method_that_is_none_gives_no_script():
    contract = rnn("PackedSequence")
    case = boundary_cases(contract, "cast")[0]
    sizes = {**case.sizes, "cast": "double(); import os; os.abort"}
    with pytest.raises(ScriptError):
        torch_only(contract, replace(case, sizes=sizes))


def test_a_script_shows_where_elements_went_and_what_undoes_the_call():
    contract = rnn("pack_sequence")
    text = torch_only(contract, next(c for c in boundary_cases(contract, "list") if c.sizes["drawn"] == (3, 1)))
    assert "sequences = list(sequences.split([3, 1]))" in text
    assert 'print("undone:", torch.nn.utils.rnn.unpack_sequence(output))' in text


# -- with torch --------------------------------------------------------------------------------------------------------


def broken(contract: Contract, case: Case, target: Target) -> set[str]:
    """The claims of a case's scenario that fail in it, whether or not the ledger knows them."""
    assert applies(contract, case, target.release)
    target.send_cases([to_wire(contract.at(target.release), case)])
    found = evidence(contract, case, target.receive_cases()[0], target.release, "cpu")
    judgements = judge([c for c in claims_of(contract) if c.scenario == case.scenario], found)
    return {claim for claim, judgement in judgements.items() if isinstance(judgement, Failure)}


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_round_trips_give_the_sequences_back_in_every_order_of_lengths(order: tuple[int, ...], shared_target: Target):
    sequences = Input("sequences", (6, 2), "float32", lengths=order, form="list")
    sizes = {"drawn": order, "S": (2,)}
    pack, pad = rnn("pack_sequence"), rnn("pad_sequence")
    assert not broken(pack, Case(pack.module, "list", {}, (sequences,), sizes, {"enforce_sorted": False}),
                      shared_target)  # fmt: skip
    assert not broken(pad, Case(pad.module, "time_first", {}, (sequences,), sizes), shared_target)


def test_a_call_that_changes_the_order_of_a_column_is_noticed(shared_target: Target):
    """Transposed in place, a column has the same bytes as before."""
    contract = rnn("unpad_sequence")
    inputs = (Input("padded_sequences", (2, 1), "float32"),
              Input("lengths", (1,), "int64", "lengths", lengths=(2,)))  # fmt: skip
    case = Case(contract.module, "time_first", {}, inputs, {"drawn": (2,), "S": (), "surplus": 0})
    assert broken(contract, case, shared_target) <= {"unpad_sequence.inputs.unmodified.time_first"}
