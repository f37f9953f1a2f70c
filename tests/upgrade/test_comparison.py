"""Two torches on the same cases: what is planted in one is found, made small and called by its name; nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.campaign import Campaign, Plan
from conformance.cases import Case
from conformance.compare.difference import Difference
from conformance.compare.levels import DEFAULTS
from conformance.compare.observer import Comparison
from conformance.ledger import Entry, Ledger
from conformance.oracle.claims import claims_of
from conformance.oracle.registry import contract_of
from conformance.targets import Target
from tests.planted.faults import execute, planted

FAULT = "output_changed({!r}, {!r}, {}, {!r})"


def compare(
    name: str, scenario: str, old: Target, new: Target, ledger: Ledger | None = None, **plan: Any
) -> Comparison:
    contract = contract_of(f"torch.nn.{name}")
    claims = [c for c in claims_of(contract) if c.scenario == scenario and c.authority == "documentation"]
    known = ledger or Ledger.load()
    found = Comparison(contract, scenario, known, DEFAULTS)
    given = Plan(**{"random_cases": 100, "shrink": False, **plan}, ledger=known)
    Campaign(contract, scenario, claims, [old, new], given, observer=found).run()
    return found


def only(found: Comparison) -> Difference:
    assert len(found.differences) == 1, [(d.bucket, d.field, d.old, d.new) for d in found.differences]
    return found.differences[0]


def case_of(row: Difference) -> Case:
    assert row.case is not None
    return Case.from_json(row.case)


SCENARIOS = [("LSTM", "documentation"), ("LSTM", "constructor"), ("GRU", "packed"), ("RNN", "misused"),
             ("RNN", "refused"), ("LSTM", "dropout"), ("RNN", "initialisation"), ("GRU", "usage"),
             ("MultiheadAttention", "batch_first")]  # fmt: skip


@pytest.mark.parametrize(("name", "scenario"), SCENARIOS)
def test_a_release_against_itself_differs_in_nothing(name: str, scenario: str, old: Target, new: Target):
    found = compare(name, scenario, old, new, random_cases=40)
    assert [(d.bucket, d.field, d.old, d.new) for d in found.differences] == []
    assert found.compared > 0 or scenario == "documentation"


def test_a_wrong_shape_in_a_corner_is_a_regression_reduced_to_that_corner(old: Target, new: Target):
    with planted(new, FAULT.format("torch.nn.LSTM", "time_first", (0,), "shape")):
        row = only(compare("LSTM", "time_first", old, new, random_cases=200))
    assert (row.bucket, row.field, row.level) == ("regressed", "shape", "gate")
    assert row.broken_new == ["lstm.output.shape.time_first"]
    assert row.broken_old == []
    assert row.hits > 1
    case = case_of(row)
    assert dict(case.arguments) == {"input_size": 1, "hidden_size": 1, "num_layers": 2, "bidirectional": True}
    assert (row.old, row.new) == ("output (1, 1, 2)", "output (1, 1, 1, 2)")


def test_what_the_old_release_broke_and_the_new_one_keeps_is_fixed(old: Target, new: Target):
    with planted(old, FAULT.format("torch.nn.LSTM", "time_first", (0,), "dtype")):
        row = only(compare("LSTM", "time_first", old, new))
    assert (row.bucket, row.field) == ("fixed", "dtype")
    assert row.broken_old == ["lstm.output.dtype.time_first"]


def test_what_raises_is_a_difference_of_status_alone(old: Target, new: Target):
    with planted(new, "call_refuses('torch.nn.GRU', 'batch_first')"):
        row = only(compare("GRU", "batch_first", old, new))
    assert (row.bucket, row.field, row.old) == ("regressed", "status", "accepted")
    assert "planted" in row.new


def test_a_death_is_a_regression_of_memory_safety(old: Target, new: Target):
    with planted(new, "call_kills('torch.nn.Linear', None)"):
        row = only(compare("Linear", "any_rank", old, new, random_cases=8))
    assert (row.bucket, row.field) == ("regressed", "memory safety")
    assert "SIGSEGV" in row.new
    assert dict(case_of(row).arguments) == {"in_features": 2, "out_features": 1}


def test_a_regression_that_the_ledger_knows_is_allowed(old: Target, new: Target):
    entry = Entry("waived", ("lstm.output.shape.*",), "implementation", "wrong", "", "", "output")
    with planted(new, FAULT.format("torch.nn.LSTM", "time_first", (0,), "shape")):
        row = only(compare("LSTM", "time_first", old, new, ledger=Ledger((entry,))))
    assert (row.bucket, row.ledger) == ("allowed", "waived")


def test_what_both_break_differently_is_broken_in_both(old: Target, new: Target):
    shape = FAULT.format("torch.nn.LSTM", "time_first", (0,), "shape")
    with planted(old, "call_refuses('torch.nn.LSTM', 'time_first')"), planted(new, shape):
        rows = compare("LSTM", "time_first", old, new).differences
    assert {row.bucket for row in rows} == {"broken in both"}


def test_another_order_of_rounding_is_a_matter_of_accuracy(old: Target, new: Target):
    """What is inside the bound of the equations informs; the pin may move."""
    body = """
import torch
plain = torch.nn.RNNCell.forward
def forward(self, input, hx=None):
    out = plain(self, input, hx)
    return torch.nextafter(out, torch.ones_like(out)) if out.dtype == torch.float32 else out
torch.nn.RNNCell.forward = forward
"""
    with _patched(new, body, "torch.nn.RNNCell.forward = plain"):
        found = compare("RNNCell", "batched", old, new)
    assert {(row.bucket, row.field, row.level) for row in found.differences} == {("changed", "accuracy", "inform")}


def test_values_and_gradients_beyond_the_bound_are_regressions(old: Target, new: Target):
    body = "import torch\nplain = torch.nn.RNNCell.forward\ntorch.nn.RNNCell.forward = lambda s, *a: {}"
    undo = "torch.nn.RNNCell.forward = plain"
    with _patched(new, body.format("plain(s, *a) + 0.5"), undo):
        row = only(compare("RNNCell", "batched", old, new, dtypes=("float32",)))
    assert (row.bucket, row.field, row.broken_new) == ("regressed", "values", ["rnncell.output.value.batched"])
    doubled = "(lambda y: (y.requires_grad and y.register_hook(lambda g: 2 * g), y)[1])(plain(s, *a))"
    with _patched(new, body.format(doubled), undo):
        row = only(compare("RNNCell", "batched", old, new, dtypes=("float32",)))
    assert (row.bucket, row.field, row.broken_new) == ("regressed", "gradients", ["rnncell.gradients.value.batched"])


def test_neighbouring_numbers_are_a_matter_of_accuracy_where_no_equations_give_a_bound(old: Target, new: Target):
    body = "import torch\nplain = torch.nn.Conv2d.forward\ntorch.nn.Conv2d.forward = lambda s, x: {}"
    undo = "torch.nn.Conv2d.forward = plain"
    for change, told in (("torch.nextafter(plain(s, x), torch.tensor(9.0, dtype=x.dtype))", {("accuracy", "inform")}),
                         ("plain(s, x) * 1.5", {("values", "gate")})):  # fmt: skip
        with _patched(new, body.format(change), undo):
            rows = compare("Conv2d", "unbatched", old, new, dtypes=("float32", "float64")).differences
        assert {(row.field, row.level) for row in rows} == told


@pytest.mark.parametrize(
    ("body", "undo", "scenario", "field"),
    [
        ("torch.nn.Linear.forward = lambda self, x: (warnings.warn('planted'), plain(self, x))[1]",
         "torch.nn.Linear.forward = plain", "any_rank", "warnings"),
        ("torch.nn.Linear.extra_repr = lambda self: 'planted'", "torch.nn.Linear.extra_repr = told", "constructor", "repr"),
        ("torch.nn.Linear.forward = lambda self, x: plain(self, x).mT.contiguous().mT if x.dim() > 1 else plain(self, x)",
         "torch.nn.Linear.forward = plain", "any_rank", "strides"),
        ("torch.nn.Linear.__init__ = lambda s, *a, **k: (made(s, *a, **k), setattr(s, 'planted', 1))[0]",
         "torch.nn.Linear.__init__ = made", "constructor", "defaults"),
        ("torch.nn.Linear.__doc__ = told + ' :math:`planted`'", "torch.nn.Linear.__doc__ = told", "documentation",
         "formulas"),
        ("torch.nn.Linear.__doc__ = told + ' planted'", "torch.nn.Linear.__doc__ = told", "documentation", "page"),
    ],
)  # fmt: skip
def test_what_accompanies_a_case_informs(body: str, undo: str, scenario: str, field: str, old: Target, new: Target):
    told = "torch.nn.Linear.__doc__" if "__doc__" in body else "torch.nn.Linear.extra_repr"
    kept = f"import torch, warnings\nplain, made, told = torch.nn.Linear.forward, torch.nn.Linear.__init__, {told}\n"
    with _patched(new, kept + body, undo):
        rows = compare("Linear", scenario, old, new).differences
    assert {(row.bucket, row.field, row.level) for row in rows} == {("changed", field, "inform")}


def test_another_random_stream_informs(old: Target, new: Target):
    body = "import torch\nplain = torch.manual_seed\ntorch.manual_seed = lambda seed: plain(seed + 7)"
    with _patched(new, body, "torch.manual_seed = plain"):
        row = only(compare("RNN", "initialisation", old, new))
    assert (row.bucket, row.field, row.level) == ("changed", "random stream", "inform")


def test_a_state_that_no_longer_loads_is_a_regression_shown_by_the_simplest_case(old: Target, new: Target):
    body = """
import torch
plain = torch.load
def load(file, *args, **kwargs):
    state = plain(file, *args, **kwargs)
    return {f'planted.{name}': value for name, value in state.items()} if isinstance(state, dict) else state
torch.load = load
"""
    with _patched(new, body, "torch.load = plain"):
        row = only(compare("Linear", "any_rank", old, new))
    assert (row.bucket, row.field, row.level) == ("regressed", "loading", "gate")
    assert "planted.weight" in row.new
    assert dict(case_of(row).arguments) == {"in_features": 1, "out_features": 1}


def test_fingerprints_survive_another_seed(old: Target, new: Target):
    """The rows of two searches that share no random case are called the same."""
    with planted(new, FAULT.format("torch.nn.LSTM", "packed", (0,), "unpacked")):
        found = [
            {row.fingerprint for row in compare("LSTM", "packed", old, new, seed=seed).differences} for seed in (1, 2)
        ]
    assert found[0] == found[1] != set()


class _patched:
    """Source run in a target for as long as the block runs, in one namespace with what takes it back."""

    def __init__(self, target: Target, body: str, undo: str) -> None:
        self.target, self.body, self.undo = target, body, undo

    def __enter__(self) -> None:
        execute(self.target, f"import sys, types\nsys.modules['patched'] = types.ModuleType('patched')\n"
                f"exec({self.body!r}, vars(sys.modules['patched']))")  # fmt: skip

    def __exit__(self, *_: object) -> None:
        execute(self.target, f"import sys\nexec({self.undo!r}, vars(sys.modules['patched']))")
