"""``torch.nn.Flatten``."""

from __future__ import annotations

from conformance.oracle.contract import Argument, Contract, Example, Layout, Port, Size

_ANY = ((2, 3), (1, 1), (2, 3, 4), (1, 2, 1, 3), (0, 3), (2, 1, 3, 1, 2))

Flatten = Contract(
    module="torch.nn.Flatten",
    arguments=(
        Argument("start_dim", (1, 0, -1, -2, 2), default=1),
        Argument("end_dim", (-1, 1, 0, -2, 2), default=-1),
    ),
    layouts=(Layout("any_rank"),),
    inputs=(Port("input", {"any_rank": "(*S)"}),),
    outputs=(Port("output", {"any_rank": "(*before, prod(flattened), *after)"}),),
    call="input",
    returns="output",
    sizes={"S": Size(_ANY, where="-len(S) <= start_dim < len(S) and -len(S) <= end_dim < len(S) and start <= end")},
    where={
        "start": "start_dim if start_dim >= 0 else len(S) + start_dim",
        "end": "end_dim if end_dim >= 0 else len(S) + end_dim",
        "before": "S[:start]",
        "flattened": "S[start:end + 1]",
        "after": "S[end + 1:]",
    },
    examples=(
        Example("nn.Flatten()(torch.randn(32, 1, 5, 5))", {}, "any_rank", {"S": (32, 1, 5, 5)}, (),
                {"output": (32, 25)}),
        Example("nn.Flatten(0, 2)(torch.randn(32, 1, 5, 5))", {"start_dim": 0, "end_dim": 2}, "any_rank",
                {"S": (32, 1, 5, 5)}, (), {"output": (160, 5)}),
    ),
    refuses=False,  # the page excludes no shape
)  # fmt: skip

CONTRACTS = (Flatten,)
