"""``torch.nn.Linear``."""

from __future__ import annotations

from conformance.oracle.contract import COUNT, Argument, Contract, Example, Formula, Layout, Parameter, Port, Size

Linear = Contract(
    module="torch.nn.Linear",
    arguments=(
        Argument("in_features", (1, 2, 3, 5, 8), domain=COUNT),
        Argument("out_features", (1, 2, 3, 5, 8), domain=COUNT),
        Argument("bias", (True, False), default=True),
        Argument("device", default=None),
        Argument("dtype", default=None),
    ),
    layouts=(Layout("any_rank"),),
    inputs=(Port("input", {"any_rank": "(*S, H_in)"}),),
    outputs=(Port("output", {"any_rank": "(*S, H_out)"}),),
    call="input",
    returns="output",
    sizes={"S": Size(((), (1,), (3,), (0,), (2, 3), (4, 1, 2), (1, 2, 1, 3)))},
    where={"H_in": "in_features", "H_out": "out_features"},
    formulas=(Formula("H_in"), Formula("H_out")),
    parameters=(
        Parameter("weight", "(out_features, in_features)"),
        Parameter("bias", "(out_features,)", when="bias"),
    ),
    examples=(
        Example("nn.Linear(20, 30)(torch.randn(128, 20))", {"in_features": 20, "out_features": 30}, "any_rank",
                {"S": (128,)}, (), {"output": (128, 30)}),
    ),
)  # fmt: skip

CONTRACTS = (Linear,)
