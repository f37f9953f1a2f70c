"""``torch.nn.Conv2d``."""

from __future__ import annotations

from conformance.oracle.contract import (
    CHOICE,
    COUNT,
    Argument,
    Contract,
    Example,
    Formula,
    Layout,
    Parameter,
    Port,
    Size,
)

# Below four pixels a reflected or wrapped border can be wider than the image, of which the page says nothing.
_PIXELS = Size((4, 5, 6, 7, 9))


def _out(axis: int, size: str) -> str:
    """The Shape section's formula for one axis; ``padding='same'`` keeps the input's size, as the page says."""
    i = f"[{axis}]"
    return f"{size} if same else floor(({size} + 2 * pad{i} - spread{i} * (kernel{i} - 1) - 1) / step{i} + 1)"


Conv2d = Contract(
    module="torch.nn.Conv2d",
    arguments=(
        Argument("in_channels", (1, 2, 3, 4, 6), domain=COUNT),
        Argument("out_channels", (1, 2, 3, 4, 6), domain=COUNT),
        Argument("kernel_size", (1, 2, 3, (1, 2), (3, 2))),
        Argument("stride", (1, 2, 3, (2, 1)), default=1),
        Argument("padding", (0, 1, (1, 0), (0, 2), "valid", "same"), default=0,
                 where="padding != 'same' or pair(stride) == (1, 1)"),
        Argument("dilation", (1, 2, (1, 2)), default=1),
        Argument("groups", (1, 2, 3), default=1, where="in_channels % groups == 0 and out_channels % groups == 0"),
        Argument("bias", (True, False), default=True),
        Argument("padding_mode", ("zeros", "reflect", "replicate", "circular"), default="zeros", domain=CHOICE),
        Argument("device", default=None),
        Argument("dtype", default=None),
    ),
    layouts=(Layout("batched"), Layout("unbatched")),
    inputs=(Port("input", {"batched": "(N, C_in, H_in, W_in)", "unbatched": "(C_in, H_in, W_in)"}),),
    outputs=(Port("output", {"batched": "(N, C_out, H_out, W_out)", "unbatched": "(C_out, H_out, W_out)"}),),
    call="input",
    returns="output",
    sizes={
        "N": Size((1, 2, 3)),
        "H_in": Size(_PIXELS.values, where="H_in + 2 * pad[0] > spread[0] * (kernel[0] - 1)"),
        "W_in": Size(_PIXELS.values, where="W_in + 2 * pad[1] > spread[1] * (kernel[1] - 1)"),
    },
    where={
        "C_in": "in_channels",
        "C_out": "out_channels",
        "same": "padding == 'same'",
        "pad": "(0, 0) if padding in ('same', 'valid') else pair(padding)",
        "kernel": "pair(kernel_size)",
        "step": "pair(stride)",
        "spread": "pair(dilation)",
        "H_out": _out(0, "H_in"),
        "W_out": _out(1, "W_in"),
    },
    # Of 'valid' and 'same' a note speaks, in words.
    formulas=(
        Formula("H_out", given="padding not in ('same', 'valid')"),
        Formula("W_out", given="padding not in ('same', 'valid')"),
    ),
    parameters=(
        Parameter("weight", "(out_channels, in_channels // groups, kernel[0], kernel[1])"),
        Parameter("bias", "(out_channels,)", when="bias"),
    ),
    examples=(
        Example("nn.Conv2d(16, 33, 3, stride=2)(torch.randn(20, 16, 50, 100))",
                {"in_channels": 16, "out_channels": 33, "kernel_size": 3, "stride": 2}, "batched",
                {"N": 20, "H_in": 50, "W_in": 100}),
        Example("nn.Conv2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2))(torch.randn(20, 16, 50, 100))",
                {"in_channels": 16, "out_channels": 33, "kernel_size": (3, 5), "stride": (2, 1), "padding": (4, 2)},
                "batched", {"N": 20, "H_in": 50, "W_in": 100}),
        Example("nn.Conv2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2), dilation=(3, 1))"
                "(torch.randn(20, 16, 50, 100))",
                {"in_channels": 16, "out_channels": 33, "kernel_size": (3, 5), "stride": (2, 1), "padding": (4, 2),
                 "dilation": (3, 1)}, "batched", {"N": 20, "H_in": 50, "W_in": 100}),
    ),
)  # fmt: skip

CONTRACTS = (Conv2d,)
