"""``torch.nn.Embedding``."""

from __future__ import annotations

from conformance.oracle.contract import COUNT, Argument, Contract, Example, Formula, Layout, Parameter, Port, Size

Embedding = Contract(
    module="torch.nn.Embedding",
    arguments=(
        Argument("num_embeddings", (1, 2, 5, 10), domain=COUNT),
        Argument("embedding_dim", (1, 2, 3, 8), domain=COUNT),
        Argument("padding_idx", (None, 0, -1), default=None),
        Argument("max_norm", (None, 1.0), default=None),
        Argument("norm_type", (2.0, 1.0), default=2.0),
        Argument("scale_grad_by_freq", (False, True), default=False),
        Argument("sparse", (False, True), default=False),
        Argument("device", default=None, by_position=None),
        Argument("dtype", default=None, by_position=None),
    ),
    layouts=(Layout("any_shape"),),
    inputs=(Port("input", {"any_shape": "(*S)"}, dtype="index", below="num_embeddings"),),
    outputs=(Port("output", {"any_shape": "(*S, H)"}),),
    call="input",
    returns="output",
    sizes={"S": Size(((1,), (), (3,), (0,), (2, 3), (2, 1, 3)))},
    where={"H": "embedding_dim"},
    formulas=(Formula("H"),),
    parameters=(Parameter("weight", "(num_embeddings, embedding_dim)"),),
    examples=(
        Example("nn.Embedding(10, 3)(torch.LongTensor([[1, 2, 4, 5], [4, 3, 2, 9]]))",
                {"num_embeddings": 10, "embedding_dim": 3}, "any_shape", {"S": (2, 4)}, (), {"output": (2, 4, 3)}),
        Example("nn.Embedding(10, 3, padding_idx=0)(torch.LongTensor([[0, 2, 0, 5]]))",
                {"num_embeddings": 10, "embedding_dim": 3, "padding_idx": 0}, "any_shape", {"S": (1, 4)}, (),
                {"output": (1, 4, 3)}),
    ),
    refuses=False,  # the input has an arbitrary shape
)  # fmt: skip

CONTRACTS = (Embedding,)
