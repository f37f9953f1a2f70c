"""``torch.nn.CrossEntropyLoss``."""

from __future__ import annotations

from conformance.oracle.contract import PROBABILITY, Argument, Contract, Example, Layout, Port, Size, TensorOf

_INPUT = {"unbatched": "(C)", "batched": "(N, C)", "k_dimensional": "(N, C, *d)"}
_LOSSES = {"unbatched": "()", "batched": "(N)", "k_dimensional": "(N, *d)"}
_KINDS = ("unbatched", "batched", "k_dimensional")

CrossEntropyLoss = Contract(
    module="torch.nn.CrossEntropyLoss",
    arguments=(
        Argument("weight", (None, TensorOf("(C)")), default=None),
        Argument("size_average", (None, True, False), default=None),
        Argument("ignore_index", (-100, 0), default=-100),
        Argument("reduce", (None, True, False), default=None),
        Argument("reduction", ("mean", "sum", "none"), default="mean"),
        Argument("label_smoothing", (0.0, 0.1, 1.0), default=0.0, domain=PROBABILITY),
    ),
    layouts=(
        *(Layout(f"{kind}_indices", words="class indices") for kind in _KINDS),
        # "ignore_index is only applicable when the target contains class indices"
        *(
            Layout(f"{kind}_probabilities", when="ignore_index == -100", words="class probabilities")
            for kind in _KINDS
        ),
    ),
    inputs=(
        Port("input", {f"{kind}_indices {kind}_probabilities": _INPUT[kind] for kind in _KINDS}),
        Port("target", {f"{kind}_indices": _LOSSES[kind] for kind in _KINDS}
             | {f"{kind}_probabilities": _INPUT[kind] for kind in _KINDS},
             dtype={f"{kind}_indices": "index" for kind in _KINDS}, below="C"),
    ),
    outputs=(Port("loss", {
        "unbatched_indices unbatched_probabilities": "()",
        "batched_indices batched_probabilities": "(*batch_losses)",
        "k_dimensional_indices k_dimensional_probabilities": "(*all_losses)",
    }, aliases=("output",)),),
    call="input, target",
    returns="loss",
    sizes={"N": Size((1, 2, 3)), "C": Size((1, 2, 5)), "d": Size(((1,), (2,), (2, 3)))},
    where={
        # "specifying either of those two args will override reduction"
        "reduced": "reduction != 'none' if size_average is None and reduce is None else reduce is not False",
        "batch_losses": "() if reduced else (N,)",
        "all_losses": "() if reduced else (N, *d)",
    },
    examples=(
        Example("nn.CrossEntropyLoss()(torch.randn(3, 5), torch.empty(3, dtype=torch.long).random_(5))", {},
                "batched_indices", {"N": 3, "C": 5}, (), {"loss": ()}),
        Example("nn.CrossEntropyLoss()(torch.randn(3, 5), torch.randn(3, 5).softmax(dim=1))", {},
                "batched_probabilities", {"N": 3, "C": 5}, (), {"loss": ()}),
    ),
)  # fmt: skip

CONTRACTS = (CrossEntropyLoss,)
