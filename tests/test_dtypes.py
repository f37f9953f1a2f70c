"""Which dtypes may be refused: a table, and what a refusal amounts to where no row knows of it."""

from __future__ import annotations

import pytest

from conformance.judge import evidence
from conformance.oracle.claims import Failure, claims_of
from conformance.oracle.dtypes import REFUSALS, may_refuse
from conformance.oracle.registry import builtin
from conformance.strategies.boundary import boundary_cases

REFUSED = {
    "status": "raised",
    "phase": "call",
    "exception": "RuntimeError",
    "message": "\"addmm_impl_cpu_\" not implemented for 'Half'",
}


@pytest.mark.parametrize(
    ("module", "dtype", "device", "release", "allowed"),
    [
        ("torch.nn.LSTM", "float16", "cpu", "2.0.1", True),
        ("torch.nn.LSTM", "float16", "cpu", "2.13.0", False),
        ("torch.nn.GRUCell", "bfloat16", "cpu", "2.0.1", False),
        ("torch.nn.RNN", "bfloat16", "cuda:0", "2.13.0", True),
        ("torch.nn.RNN", "float32", "cuda:0", "2.13.0", False),
        ("torch.nn.RNN", "float64", "cpu", "2.0.1", False),
        ("torch.nn.LSTM", "bfloat16", "xpu", "2.13.0", True),
        ("torch.nn.LSTM", "float64", "mps", "2.13.0", True),
        ("torch.nn.Linear", "float64", "xpu", "2.13.0", False),
        ("torch.nn.Linear", "float16", "cpu", "2.13.0", True),
    ],
)
def test_a_dtype_may_be_refused_where_a_row_knows_of_it(module, dtype, device, release, allowed):
    assert may_refuse(module, dtype, device, release) is allowed


def test_every_row_says_who_says_so():
    assert all(row.source for row in REFUSALS)


@pytest.mark.parametrize(("release", "unsupported"), [("2.0.1", True), ("2.13.0", False)])
def test_a_clear_refusal_is_a_discrepancy_where_no_row_knows_of_it(release, unsupported):
    contract = next(c for c in builtin() if c.module == "torch.nn.LSTM")
    case = next(c for c in boundary_cases(contract, "time_first") if c.dtype == "float16")
    claim = next(c for c in claims_of(contract) if c.id == "lstm.accepts.time_first")
    judged = claim.check(evidence(contract, case, REFUSED, release, "cpu"))
    assert judged == "unsupported" if unsupported else isinstance(judged, Failure)
