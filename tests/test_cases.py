"""Cases: data that survives JSON, with a name of its own, and values that are the same everywhere."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conformance.cases import SCHEMA, Case, CaseError, Input
from conformance.oracle.claims import scenarios_of
from conformance.oracle.registry import builtin, contract_of
from conformance.strategies.random import cases
from conformance.values import DTYPES, values
from conformance.wire import to_wire

few = settings(max_examples=60, deadline=None)
FLOATS = ["float16", "bfloat16", "float32", "float64"]


@st.composite
def documented(draw) -> Case:
    """A case of any scenario of any contract."""
    contract = draw(st.sampled_from(builtin()))
    scenarios = [scenario for scenario in scenarios_of(contract) if scenario != "documentation"]
    return draw(cases(contract, draw(st.sampled_from(scenarios))))


def shuffled(value, seed: int):
    """The same JSON with the keys of every object in another order."""
    if isinstance(value, list):
        return [shuffled(item, seed) for item in value]
    if not isinstance(value, dict):
        return value
    keys = sorted(value)
    random.Random(seed).shuffle(keys)
    return {key: shuffled(value[key], seed) for key in keys}


def array(*items: Input, seed: int = 0) -> list[np.ndarray]:
    """The values of these inputs, without any parameters before them."""
    case = Case("torch.nn.Linear", "any_rank", {}, tuple(items), seed=seed)
    return [np.frombuffer(blob, DTYPES[item.dtype]).reshape(item.shape)
            for blob, item in zip(values(case, {}, {}).blobs[1:], items, strict=True)]  # fmt: skip


# -- JSON --------------------------------------------------------------------------------------------------------------


@few
@given(documented())
def test_a_case_comes_back_from_json_as_it_went(case: Case):
    again = Case.from_json(json.loads(json.dumps(case.to_json())))
    assert again == case
    assert again.hash == case.hash
    assert again.to_json() == case.to_json()


@few
@given(documented(), st.integers(0, 100))
def test_the_hash_does_not_depend_on_the_order_of_keys(case: Case, seed: int):
    assert Case.from_json(shuffled(case.to_json(), seed)).hash == case.hash


@few
@given(documented())
def test_the_hash_tells_cases_apart(case: Case):
    assert len(case.hash) == 12
    assert set(case.hash) <= set("0123456789abcdef")
    others = [replace(case, seed=case.seed + 1), replace(case, train=not case.train), replace(case, layout="other"),
              replace(case, positional=case.positional + 1), replace(case, arguments={**case.arguments, "x": 1})]  # fmt: skip
    assert case.hash not in {other.hash for other in others}


def test_a_true_and_a_one_are_different_content():
    assert Case("m", "l", {"bias": True}).hash != Case("m", "l", {"bias": 1}).hash


@few
@given(documented(), st.integers(0, 100))
def test_the_order_of_arguments_survives_json(case: Case, seed: int):
    """What is passed by position goes out in the documented order, whatever order the JSON had."""
    contract = contract_of(case.module)
    again = Case.from_json(shuffled(case.to_json(), seed))
    assert contract.ordered(again.arguments) == contract.ordered(case.arguments) == list(case.arguments)
    assert to_wire(contract, again) == to_wire(contract, case)


@few
@given(documented())
def test_positional_arguments_are_the_first_in_the_documented_order(case: Case):
    contract = contract_of(case.module)
    assume(not contract.function and not case.misuse)
    wire, _ = to_wire(contract, case)
    names = contract.ordered(case.arguments)
    assert len(wire["args"]) == case.positional
    assert list(wire["kwargs"]) == names[case.positional :]
    assert names[: case.positional] == [argument.name for argument in contract.arguments][: case.positional]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": SCHEMA + 1}, f"not a case of schema {SCHEMA} .found {SCHEMA + 1}.; it was written by another"),
        ({"schema": None}, "not a case of schema"),
        ({"colour": "red"}, "a case has no field colour; it has arguments, draws, dtype, gradients, inputs"),
        ({"inputs": [{"name": "input"}]}, "a case misses or misnames a field: .*shape"),
        ({"inputs": [{"name": "i", "shape": [1], "dtype": "float32", "size": 1}]}, "misnames a field: .*size"),
        ({"inputs": 3}, "a case misses or misnames"),
        ({"inputs": ["input"]}, "a case misses or misnames"),
        ({"violation": {"port": "input"}}, "a case misses or misnames a field: .*axis"),
        ({"violation": "all"}, "a case misses or misnames"),
    ],
)
def test_a_case_that_cannot_be_read_is_refused_with_the_field(change: dict, message: str):
    good = Case("torch.nn.Linear", "any_rank", {"in_features": 1}).to_json()
    with pytest.raises(CaseError, match=message):
        Case.from_json({**good, **change})


@pytest.mark.parametrize("data", [[], "case", None, 3])
def test_what_is_no_object_is_no_case(data):
    with pytest.raises(CaseError, match=f"found '{type(data).__name__}'"):
        Case.from_json(data)


def test_a_case_without_its_module_is_refused_by_name():
    data = Case("torch.nn.Linear", "any_rank", {}).to_json()
    del data["module"]
    with pytest.raises(CaseError, match="module"):
        Case.from_json(data)


# -- values ------------------------------------------------------------------------------------------------------------


@few
@given(documented())
def test_the_same_case_has_the_same_bits(case: Case):
    contract = contract_of(case.module)
    assert to_wire(contract, case)[1] == to_wire(contract, Case.from_json(case.to_json()))[1]


@few
@given(documented())
def test_every_blob_has_the_size_of_its_tensor(case: Case):
    _, found = to_wire(contract_of(case.module), case)
    sizes = [int(np.prod(i.shape)) * np.dtype(DTYPES[i.dtype]).itemsize for i in case.inputs]
    assert list(map(len, found[1 : 1 + len(sizes)])) == sizes


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_bits_of_a_seed_never_change(dtype: str):
    """Philox is specified; were these to change, no frozen case would be what it was."""
    recorded = {
        "float16": "193119bf4e3dd23c", "bfloat16": "233ee3bfaa3f9a3f",
        "float32": "5a1e233e9c18e3bf24cba93f2f379a3f",
        "float64": "bdec7238cb63c43f1c839c801363fcbfb017e7856439f53f61d999e7e546f33f",
    }  # fmt: skip
    found = array(Input("input", (4,), dtype))[0]
    assert found.tobytes().hex() == recorded[dtype]


def test_other_seeds_and_other_inputs_have_other_values():
    one, two = array(Input("a", (8,), "float32"), Input("b", (8,), "float32"))
    other, _ = array(Input("a", (8,), "float32"), Input("b", (8,), "float32"), seed=1)
    assert not (one == two).any()
    assert not (one == other).any()


def test_weights_and_inputs_have_other_values():
    contract = contract_of("torch.nn.Linear")
    case = Case("torch.nn.Linear", "any_rank", {"in_features": 4, "out_features": 4},
                (Input("input", (3, 4), "float32"),), {"S": (3,)})  # fmt: skip
    weights, values = (np.frombuffer(blob, np.float32) for blob in to_wire(contract, case)[1])
    assert weights.size == 4 * 4 + 4
    assert np.abs(weights).max() <= 0.5
    assert not set(weights) & set(values)


@given(st.integers(0, 2**16 - 1), st.integers(1, 64))
def test_a_narrow_value_is_the_wide_one_rounded_once(seed: int, count: int):
    """All dtypes of a seed are roundings of the same float64 numbers; of bfloat16 the bits are those of ml_dtypes."""
    wide = array(Input("input", (count,), "float64"), seed=seed)[0]
    for dtype in ("float16", "float32", "bfloat16"):
        narrow = array(Input("input", (count,), dtype), seed=seed)[0]
        assert narrow.tobytes() == wide.astype(DTYPES[dtype]).tobytes()


@given(st.integers(0, 2**16 - 1))
def test_bfloat16_is_the_upper_half_of_a_float32(seed: int):
    narrow = array(Input("input", (32,), "bfloat16"), seed=seed)[0]
    upper = narrow.view(np.uint16).astype(np.uint32) << 16
    assert (upper.view(np.float32) == narrow.astype(np.float32)).all()
    wide = array(Input("input", (32,), "float64"), seed=seed)[0]
    assert (
        np.abs(upper.view(np.float32) - wide) <= np.abs(wide) * float(ml_dtypes.finfo(ml_dtypes.bfloat16).eps)
    ).all()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.integers(0, 99))
def test_expanded_memory_repeats_the_first_row(shape: list[int], seed: int):
    found = array(Input("input", tuple(shape), "float32", memory="expanded"), seed=seed)[0]
    assert found.shape == tuple(shape)
    assert all((row == found[0]).all() for row in found)


@pytest.mark.parametrize("memory", ["transposed", "sliced"])
def test_other_memory_does_not_change_the_values(memory: str):
    plain, other = (array(Input("input", (3, 4), "float32", memory=m))[0] for m in ("contiguous", memory))
    assert (plain == other).all()


@given(st.integers(1, 9), st.integers(0, 99))
def test_indices_are_below_their_bound(below: int, seed: int):
    found = array(Input("input", (40,), "int64", kind="index", below=below), seed=seed)[0]
    assert found.min() >= 0
    assert found.max() < below


@given(st.integers(0, 3), st.integers(1, 5), st.integers(0, 99))
def test_no_row_of_a_mask_is_masked_whole(rows: int, columns: int, seed: int):
    found = array(Input("mask", (rows, columns), "bool", kind="mask"), seed=seed)[0]
    assert not found.all(axis=1).any() if rows else found.size == 0
