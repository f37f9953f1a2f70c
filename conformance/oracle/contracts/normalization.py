"""``torch.nn.BatchNorm1d``."""

from __future__ import annotations

from conformance.oracle.contract import COUNT, NEVER, Argument, Contract, Example, Layout, Parameter, Port, Size

BatchNorm1d = Contract(
    module="torch.nn.BatchNorm1d",
    arguments=(
        Argument("num_features", (1, 2, 3, 5), domain=COUNT),
        Argument("eps", (1e-5, 1e-3), default=1e-5),
        Argument("momentum", (0.1, None, 0.5), default=0.1),
        Argument("affine", (True, False), default=True),
        Argument("track_running_stats", (True, False), default=True),
        Argument("device", default=None),
        Argument("dtype", default=None),
        Argument("bias", (True, False), default=True, by_position=None, releases=">=2.12"),
    ),
    layouts=(Layout("without_length"), Layout("with_length")),
    inputs=(Port("input", {"without_length": "(N, C)", "with_length": "(N, C, L)"}),),
    outputs=(Port("output", {"without_length": "(N, C)", "with_length": "(N, C, L)"}),),
    call="input",
    returns="output",
    sizes={"N": Size((2, 1, 3, 5)), "L": Size((1, 2, 4))},
    where={"C": "num_features"},
    parameters=(
        Parameter("weight", "(C,)", when="affine"),
        Parameter("bias", "(C,)", when="affine and bias"),
        Parameter("running_mean", "(C,)", when="track_running_stats", buffer=True),
        Parameter("running_var", "(C,)", when="track_running_stats", buffer=True),
    ),
    # The page names them in sentences, as "vectors of size `C`", and has no Attributes section.
    documents=dict.fromkeys(("weight", "bias", "running_mean", "running_var"), NEVER),
    examples=(
        Example("nn.BatchNorm1d(100)(torch.randn(20, 100))", {"num_features": 100}, "without_length", {"N": 20}),
        Example("nn.BatchNorm1d(100, affine=False)(torch.randn(20, 100))", {"num_features": 100, "affine": False},
                "without_length", {"N": 20}),
    ),
)  # fmt: skip

CONTRACTS = (BatchNorm1d,)
