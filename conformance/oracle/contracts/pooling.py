"""``torch.nn.MaxPool1d``: its formula taken literally, release by release."""

from __future__ import annotations

from conformance.oracle.contract import NEVER, Argument, Contract, Example, Formula, Layout, Port, Size

_SPAN = "L_in + 2 * padding - dilation * (kernel_size - 1) - 1"

MaxPool1d = Contract(
    module="torch.nn.MaxPool1d",
    arguments=(
        Argument("kernel_size", (1, 2, 3, 4, 5)),
        Argument("stride", (None, 1, 2, 3, 4), default=None),
        Argument("padding", (0, 1, 2), default=0, where="padding <= kernel_size / 2"),
        Argument("dilation", (1, 2, 3), default=1),
        Argument("return_indices", (False, True), default=False),
        Argument("ceil_mode", (False, True), default=False),
    ),
    layouts=(Layout("batched"), Layout("unbatched")),
    inputs=(Port("input", {"batched": "(N, C, L_in)", "unbatched": "(C, L_in)"}),),
    outputs=(
        Port("output", {"batched": "(N, C, L_out)", "unbatched": "(C, L_out)"}),
        Port("indices", {"batched": "(N, C, L_out)", "unbatched": "(C, L_out)"}, when="return_indices", dtype="index"),
    ),
    call="input",
    returns="output, indices",
    sizes={
        "N": Size((1, 2, 3)),
        "C": Size((1, 2, 3)),
        # One whole window fits: what is pooled where none does, the page does not say.
        "L_in": Size((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13), where=f"{_SPAN} >= 0"),
    },
    where={
        "step": "kernel_size if stride is None else stride",
        "windows": {
            # "will use `ceil` instead of `floor` to compute the output shape", applied to the page's one formula.
            "<2.8": f"ceil(({_SPAN}) / step + 1) if ceil_mode else floor(({_SPAN}) / step + 1)",
            "<2.14": f"ceil(({_SPAN} + (step - 1)) / step) + 1 if ceil_mode else floor(({_SPAN}) / step) + 1",
            "": f"floor(({_SPAN} + (step - 1)) / step) + 1 if ceil_mode else floor(({_SPAN}) / step) + 1",
        },
        # "Ensure that the last pooling starts inside the image" (older pages say so in a note).
        "L_out": "windows - 1 if (windows - 1) * step >= L_in + padding else windows",
    },
    dtypes=("float32", "float64", "float16", "bfloat16"),
    # The page's stride is a number; that it is kernel_size where none is given, the Args say.
    formulas=(
        Formula("windows", "L_out", "not ceil_mode and stride is not None", "L_out.floor"),
        Formula("windows", "L_out", "ceil_mode and stride is not None", "L_out.ceil"),
        Formula("L_out", given="stride is not None", name="L_out.last_window"),
    ),
    # Up to 2.7 ceil_mode and the last window are told in words; the shape of indices no page states.
    documents={"L_out.ceil": ">=2.8", "L_out.last_window": ">=2.8", "indices": NEVER},
    examples=(
        Example("nn.MaxPool1d(3, stride=2)(torch.randn(20, 16, 50))", {"kernel_size": 3, "stride": 2}, "batched",
                {"N": 20, "C": 16, "L_in": 50}),
    ),
)  # fmt: skip

CONTRACTS = (MaxPool1d,)
