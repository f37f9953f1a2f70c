"""``torch.nn.MultiheadAttention``."""

from __future__ import annotations

from conformance.oracle.contract import COUNT, POSITIVE, PROBABILITY, Argument, Contract, Layout, Port, Size

_BATCHED = "time_first batch_first"

MultiheadAttention = Contract(
    module="torch.nn.MultiheadAttention",
    arguments=(
        Argument("embed_dim", (2, 1, 4, 6, 8), domain=COUNT),
        Argument("num_heads", (1, 2, 3, 4), where="embed_dim % num_heads == 0", domain=POSITIVE),
        Argument("dropout", (0.0, 0.5), default=0.0, domain=PROBABILITY),
        Argument("bias", (True, False), default=True),
        Argument("add_bias_kv", (False, True), default=False),
        Argument("add_zero_attn", (False, True), default=False),
        Argument("kdim", (None, 3, 5), default=None),
        Argument("vdim", (None, 3, 5), default=None),
        Argument("batch_first", (False, True), default=False),
        Argument("device", default=None),
        Argument("dtype", default=None),
    ),
    layouts=(
        Layout("unbatched", words="unbatched"),
        Layout("time_first", when="not batch_first"),
        Layout("batch_first", when="batch_first"),
    ),
    inputs=(
        Port("query", {"unbatched": "(L, E_q)", "time_first": "(L, N, E_q)", "batch_first": "(N, L, E_q)"}),
        Port("key", {"unbatched": "(S, E_k)", "time_first": "(S, N, E_k)", "batch_first": "(N, S, E_k)"}),
        Port("value", {"unbatched": "(S, E_v)", "time_first": "(S, N, E_v)", "batch_first": "(N, S, E_v)"}),
        Port("key_padding_mask", {"unbatched": "(S)", _BATCHED: "(N, S)"}, optional=True, dtype="mask"),
        Port("attn_mask", {"unbatched": "(*M, L, S)", _BATCHED: "(*M, L, S)"}, optional=True, dtype="mask"),
    ),
    outputs=(
        Port("attn_output", {"unbatched": "(L, E)", "time_first": "(L, N, E)", "batch_first": "(N, L, E)"}),
        Port("attn_output_weights", {"unbatched": "(*heads, L, S)", _BATCHED: "(N, *heads, L, S)"},
             when="need_weights"),
    ),
    call="query, key, value, key_padding_mask=key_padding_mask, attn_mask=attn_mask",
    returns="attn_output, attn_output_weights",
    sizes={
        "N": Size((1, 2, 3), where="layout != 'unbatched' or N == 1"),
        "L": Size((1, 2, 3, 5)),
        "S": Size((1, 2, 4)),
        "mask_3d": Size((False, True)),
    },
    where={
        "E": "embed_dim",
        "E_q": "embed_dim",
        "E_k": "embed_dim if kdim is None else kdim",
        "E_v": "embed_dim if vdim is None else vdim",
        "heads": "() if average_attn_weights else (num_heads,)",
        "M": "(N * num_heads,) if mask_3d else ()",
    },
    options=(
        Argument("need_weights", (True, False), default=True),
        Argument("average_attn_weights", (True, False), default=True),
    ),
)  # fmt: skip

CONTRACTS = (MultiheadAttention,)
