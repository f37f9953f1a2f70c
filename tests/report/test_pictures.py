"""Pictures are well formed, escaped, and say in words what they show."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cases import Case
from conformance.oracle.contract import Contract
from conformance.oracle.registry import contract_of, contracts
from conformance.report import scene
from conformance.report.places import places, strip
from conformance.report.plots import errors, histogram, shares
from conformance.report.tensors import Axis, Tensor
from conformance.report.view import printable
from conformance.strategies.boundary import boundary_cases
from tests.report.strategies import MARK, bins, texts

sizes = st.none() | st.integers(0, 9) | st.integers(0, 10**9)
axes = st.builds(Axis, texts, sizes, sizes)
tensors = st.builds(Tensor, texts, st.lists(axes, max_size=6), texts, st.booleans(), st.booleans())
counts = st.dictionaries(texts, st.integers(0, 10**6), max_size=5)


def _checked(picture: str) -> ET.Element:
    """The picture as the page has it: well formed, with its words, and with nothing of the data in its markup."""
    root = ET.fromstring(printable(picture))
    assert root.get("aria-label") is not None
    assert MARK not in picture
    assert {node.tag for node in root.iter()} <= {"svg", "text", "rect", "polyline", "line"}
    assert all(float(root.get(name, "nan")) > 0 for name in ("width", "height"))
    return root


@given(tensors)
def test_any_tensor_can_be_drawn(tensor: Tensor):
    root = _checked(tensor.picture)
    assert (root.get("aria-label") or "").split() == printable(tensor.said).split()


@given(st.lists(st.floats(0, 1e30), min_size=1, max_size=70), texts)
def test_any_errors_along_an_axis_can_be_drawn(profile: list[float], name: str):
    root = _checked(strip(profile, name))
    wrong = [node for node in root.iter("rect") if "wrong" in node.get("class", "")]
    assert len(wrong) == sum(ratio > 1 for ratio in profile)


@given(texts, counts, st.dictionaries(texts, st.dictionaries(bins, st.integers(0, 10**6)), max_size=4))
def test_any_counts_can_be_drawn(name: str, one: dict, many: dict):
    _checked(histogram(name, one))
    _checked(errors(name, many))
    _checked(shares(name, [(value, float(count)) for value, count in one.items()]))


@pytest.mark.parametrize("contract", contracts(), ids=lambda contract: contract.prefix)
def test_the_inputs_and_outputs_of_every_boundary_case_have_a_picture(contract: Contract):
    for layout in contract.layout_names:
        for case in boundary_cases(contract, layout):
            drawn = [*scene.inputs(case, contract), *scene.outputs(case, contract, {})]
            assert len(drawn) >= len(case.inputs)
            assert not any(tensor.wrong for tensor in drawn)
            assert all(tensor.picture.startswith("<svg") for tensor in drawn)


@pytest.mark.parametrize("contract", contracts(), ids=lambda contract: contract.prefix)
def test_what_a_case_does_wrong_on_purpose_is_marked(contract: Contract):
    for case in boundary_cases(contract, "refused") if contract.refuses else ():
        if case.violation and not case.violation.rule:
            marked = {tensor.name for tensor in scene.inputs(case, contract) if tensor.wrong}
            assert case.violation.port in marked or case.layout not in contract.port(case.violation.port).by_layout


def _bidirectional() -> tuple[Case, Contract]:
    contract = contract_of("torch.nn.LSTM")
    cases = boundary_cases(contract, "time_first")
    case = next(c for c in cases if c.arguments.get("bidirectional") and c.arguments.get("num_layers", 1) > 1)
    return case, contract


def test_a_place_in_a_state_is_told_as_layer_and_direction():
    case, contract = _bidirectional()
    shape = contract.sizes_of(contract.port("h_n"), case.layout, contract.symbols(case))
    where = {"of": "h_n", "shape": [*shape], "place": [3, 0, 0], "ratio": 7.0, "beyond": 1,
             "axes": [[0.1] * 3 + [7.0], [7.0], [7.0]]}  # fmt: skip
    found = places(where, case, contract, None)
    assert "layer 1, reverse, batch item 0" in found.sentence
    assert "7 times its bound; 1 of " in found.sentence
    assert [title for title, _ in found.strips] == ["along D · num_layers"]


def test_gradients_are_told_by_parameter_layer_and_direction():
    where = {"of": "gradients", "parts": {"input": 0.2, "weight_hh_l1_reverse": 30.0}}
    found = places(where, *_bidirectional(), None)
    assert found.sentence == (
        "Beyond their bounds are the gradients of weight_hh_l1_reverse (layer 1, reverse): 30 times its bound"
    )
