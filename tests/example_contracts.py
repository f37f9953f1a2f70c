"""The contract of a third party's module, as it is passed to ``--contracts`` or named by an entry point."""

from __future__ import annotations

from conformance.oracle.contract import Argument, Contract, Layout, Parameter, Port, Size

Scale = Contract(
    module="scale.Scale",
    arguments=(
        Argument("features", (1, 2, 3, 5)),
        Argument("bias", (True, False), default=True),
        Argument("device", default=None),
        Argument("dtype", default=None),
    ),
    layouts=(Layout("any_rank"),),
    inputs=(Port("input", {"any_rank": "(*S, H)"}),),
    outputs=(Port("output", {"any_rank": "(*S, H)"}),),
    call="input",
    returns="output",
    sizes={"S": Size(((), (1,), (3,), (0,), (2, 3)))},
    where={"H": "features"},
    parameters=(
        Parameter("weight", "(features,)"),
        Parameter("bias", "(features,)", when="bias"),
    ),
)  # fmt: skip

CONTRACTS = (Scale,)
