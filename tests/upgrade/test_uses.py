"""A usage profile narrows the gate to what is used, and brings cases of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases import Case, Misuse
from conformance.compare.difference import Difference
from conformance.compare.uses import Uses, UsesError, load

CASE = Case("torch.nn.LSTM", "time_first", {"input_size": 3, "hidden_size": 5})


def row(case: Case | None, module: str = "torch.nn.LSTM") -> Difference:
    return Difference(module, "", "values", "gate", "changed", "0a", "", "", case.to_json() if case else None)


def of(**fields: object) -> Case:
    return Case(**{**{name: getattr(CASE, name) for name in ("module", "layout", "arguments")}, **fields})  # type: ignore


@pytest.mark.parametrize(
    ("uses", "case", "covered"),
    [
        (Uses(), CASE, True),
        (Uses(modules=("LSTM",)), CASE, True),
        (Uses(modules=("torch.nn.GRU",)), CASE, False),
        (Uses(modules=("LSTM",)), None, True),
        (Uses(dtypes=("float32",)), CASE, True),
        (Uses(dtypes=("float32",)), of(dtype="float16"), False),
        (Uses(features=()), CASE, True),
        (Uses(features=()), of(arguments={"input_size": 1, "hidden_size": 1, "bidirectional": True}), False),
        (Uses(features=("bidirectional=True",)), of(arguments={"hidden_size": 1, "bidirectional": True}), True),
        (Uses(features=("num_layers",)), of(arguments={"hidden_size": 1, "num_layers": 3}), True),
        (Uses(features=("num_layers=2",)), of(arguments={"hidden_size": 1, "num_layers": 3}), False),
        (Uses(features=()), of(arguments={"hidden_size": 1, "bidirectional": False}), True),
        (Uses(features=()), of(usage="deepcopy"), False),
        (Uses(features=("usage=deepcopy",)), of(usage="deepcopy"), True),
        (Uses(features=()), of(misuse=Misuse("input", "dtype", "int64")), False),
        (Uses(features=("errors",)), of(misuse=Misuse("input", "dtype", "int64")), True),
        (Uses(features=()), of(layout="unbatched"), False),
    ],
)
def test_a_row_counts_where_its_minimal_case_shows_nothing_that_is_not_used(
    uses: Uses, case: Case | None, covered: bool
):
    assert uses.covers(row(case)) is covered


PROFILE = """
modules = ["LSTM"]
dtypes = ["float64"]
devices = ["cpu"]
features = ["packed"]
[[configuration]]
module = "torch.nn.LSTM"
layout = "packed"
dtype = "float64"
lengths = [4, 2, 3]
enforce_sorted = false
train = false
arguments = { input_size = 7, hidden_size = 5, bidirectional = true }
inputs = { input = [4, 3, 7] }
[[configuration]]
module = "torch.nn.Linear"
layout = "any_rank"
arguments = { in_features = 2, out_features = 3 }
inputs = { input = [5, 6, 2] }
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "uses.toml"
    path.write_text(text)
    return str(path)


def test_a_profile_is_read_and_its_configurations_are_cases(tmp_path: Path):
    uses = load(written(tmp_path, PROFILE))
    assert (uses.modules, uses.dtypes, uses.features) == (("LSTM",), ("float64",), ("packed",))
    lstm, linear = uses.cases
    assert (lstm.layout, lstm.dtype, lstm.train) == ("packed", "float64", False)
    assert dict(lstm.arguments) == {"input_size": 7, "hidden_size": 5, "bidirectional": True, "dtype": "float64"}
    assert dict(lstm.sizes) == {"lengths": (4, 2, 3)}
    assert (lstm.inputs[0].lengths, lstm.inputs[0].enforce_sorted) == ((4, 2, 3), False)
    assert linear.inputs[0].shape == (5, 6, 2)
    assert Case.from_json(lstm.to_json()) == lstm


def test_a_profile_of_other_devices_says_nothing_of_this_one():
    assert Uses(devices=("cuda",)).runs_on("cuda:1")
    assert not Uses(devices=("cuda",)).runs_on("cpu")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modules = 3", "modules is 3; it must be a list of strings"),
        ('modules = ["Lstm"]', "no contract is called 'Lstm'"),
        ('dtypes = ["float8"]', "dtype 'float8' is not tested"),
        ("colours = []", "colours is no field"),
        ("configuration = 1", "must be written as [[configuration]]"),
        ("[[configuration]]", "configuration 1 lacks module, layout, arguments, inputs"),
        (
            '[[configuration]]\nmodule="LSTM"\nlayout="packed"\narguments={}\ninputs={}\nspeed=1',
            "speed = 1 is not understood",
        ),
        (PROFILE.replace("[4, 3, 7]", "[4, 3, 8]"), "configuration 1: input (4, 3, 8) is not"),
        (PROFILE.replace('"packed"\ndtype', '"sideways"\ndtype'), "'sideways' is no layout of torch.nn.LSTM"),
        (PROFILE.replace("bidirectional = true", "sideways = true"), "documents no argument sideways"),
        ("modules = ", "cannot be read as TOML"),
    ],
)
def test_nonsense_is_refused_with_what_is_allowed(tmp_path: Path, text: str, said: str):
    with pytest.raises(UsesError) as told:
        load(written(tmp_path, text))
    assert said in str(told.value)
