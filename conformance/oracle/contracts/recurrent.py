"""``torch.nn.RNN``, ``LSTM`` and ``GRU``: their pages as contracts."""

from __future__ import annotations

from functools import partial

from conformance.oracle.contract import (
    CHOICE,
    COUNT,
    NEVER,
    POSITIVE,
    PROBABILITY,
    SIZE,
    Argument,
    Contract,
    Example,
    Formula,
    Layout,
    Lists,
    Parameter,
    Port,
    Size,
    Statement,
)  # fmt: skip
from conformance.oracle.drawn import Dropped, Initialised
from conformance.oracle.equations.given import Given, Outputs
from conformance.oracle.equations.readable import readable, reads
from conformance.oracle.equations.recurrent import gru_step, layers, lstm_step, rnn_step
from conformance.oracle.numerics import Running

_SIZES = {
    # L from 1: no page says what an empty sequence gives. N from 0: an empty batch is a batch.
    "N": Size((1, 2, 3, 0, 4, 5, 9, 17)),
    "L": Size((1, 2, 3, 4, 5, 8, 10, 17)),
    "lengths": Size(Lists((1, 2, 3, 4, 5, 6, 11), 1, 6)),
}
_LAYOUTS = (
    Layout("unbatched", words="unbatched"),
    Layout("time_first", when="not batch_first"),
    Layout("batch_first", when="batch_first"),
    Layout("packed", packed="input", binds={"N": "len(lengths)", "L": "max(lengths)"}),
)


_BATCHED = "time_first batch_first packed"
_INPUT = Port("input", {
    "unbatched": "(L, H_in)", "time_first": "(L, N, H_in)", "batch_first": "(N, L, H_in)", "packed": "(L, N, H_in)",
})  # fmt: skip
_OUTPUT = Port("output", {
    "unbatched": "(L, D * H_out)", "time_first": "(L, N, D * H_out)", "batch_first": "(N, L, D * H_out)",
    "packed": "(sum(lengths), D * H_out)",
})  # fmt: skip
_HIDDEN = {"unbatched": "(D * num_layers, H_out)", _BATCHED: "(D * num_layers, N, H_out)"}
_CELL = {"unbatched": "(D * num_layers, H_cell)", _BATCHED: "(D * num_layers, N, H_cell)"}

_BEFORE = (
    Argument("input_size", (1, 2, 3, 4, 5, 8, 11), domain=COUNT),
    Argument("hidden_size", (1, 2, 3, 4, 5, 8, 9, 17), domain=COUNT),
    Argument("num_layers", (1, 2, 3, 4), default=1, domain=POSITIVE),
)
_AFTER = (
    Argument("bias", (True, False), default=True),
    Argument("batch_first", (False, True), default=False),
    Argument("dropout", (0.0, 0.5, 1.0), default=0.0, domain=PROBABILITY),
    Argument("bidirectional", (False, True), default=False),
)
# Pages before 2.1 show no signature, so the places of these two are not documented there.
_FACTORY = (Argument("device", default=None, by_position=">=2.1"), Argument("dtype", default=None, by_position=">=2.1"))


def _parameters(gates: int, *, projections: bool = False) -> tuple[Parameter, ...]:
    """The Attributes section. Only LSTM's page writes the ``_reverse`` lines; the other two say "bidirectional"."""
    rows = f"{gates} * hidden_size" if gates > 1 else "hidden_size"
    forward = [
        ("weight_ih_l{k}", f"({rows}, input_size) if k == 0 else ({rows}, D * H_out)", "True"),
        ("weight_hh_l{k}", f"({rows}, H_out)", "True"),
        ("bias_ih_l{k}", f"({rows},)", "bias"),
        ("bias_hh_l{k}", f"({rows},)", "bias"),
    ]
    if projections:
        forward.append(("weight_hr_l{k}", "(proj_size, hidden_size)", "proj_size > 0"))
    one_way = [Parameter(name, shape, when, "num_layers") for name, shape, when in forward]
    reverse = [
        Parameter(f"{name}_reverse", shape, f"bidirectional and ({when})", "num_layers")
        for name, shape, when in forward
    ]
    return (*one_way, *reverse)


# The Attributes section says "num_directions" for what the Inputs section calls D.
_D = {"D": "2 if bidirectional else 1", "H_in": "input_size", "num_directions": "D"}
_PLAIN = {**_D, "H_out": "hidden_size"}
_WRITTEN = (Formula("D"), Formula("H_in"), Formula("H_out"))
_SIGNED = {"signature": ">=2.3"}  # before, the docstring had no line of arguments and Python shows *args, **kwargs
_ONE_WAY = {f"{name}_reverse": NEVER for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
_CONFIG = {"input_size": 10, "hidden_size": 20, "num_layers": 2}
_WORKED = {"output": (5, 3, 20), "h_n": (2, 3, 20)}


def _examples(name: str, states: str, given: tuple[str, ...]) -> tuple[Example, ...]:
    """The page's own example, and the same with ``batch_first=True`` as the article calls it."""
    result = {**_WORKED, "c_n": (2, 3, 20)} if name == "LSTM" else _WORKED
    turned = {"output": (5, 3, 20), "h_n": (2, 5, 20)}
    make, call = f"nn.{name}(10, 20, 2", "(torch.randn(5, 3, 10)"
    return (
        Example(f"{make}){call}, {states})", _CONFIG, "time_first", {"L": 5, "N": 3}, given, result),
        Example(f"{make}, batch_first=True){call})", {**_CONFIG, "batch_first": True}, "batch_first", {"L": 3, "N": 5},
                (), turned, "article, worked example 4"),
    )  # fmt: skip


def _said_defaults(lines: str) -> tuple[Statement, ...]:
    """The article's argument list: names in order, each with its default."""
    pairs = (pair.split("=") for pair in lines.split())
    return tuple(Statement("arguments", f"{n} defaults to {v}", f"argument {n}", v) for n, v in pairs)


def _said_shapes(states: str) -> tuple[Statement, ...]:
    return (
        Statement("137", "as RNN: x is (batch_size, sequence_length, input_size)", "input", "(N, L, input_size)",
                  "batch_first"),
        Statement("137", f"as RNN: {states} is (D*num_layers, hidden_size)", states, "(D * num_layers, hidden_size)",
                  "batch_first"),
        Statement("137", "as RNN: output is (batch_size, sequence_length, D*hidden_size)", "output",
                  "(N, L, D * hidden_size)", "batch_first"),
        Statement("137", "as RNN: h_n is (D*num_layers, hidden_size)", "h_n", "(D * num_layers, hidden_size)",
                  "batch_first"),
    )  # fmt: skip


# "All the weights and biases are initialized from U(-sqrt(k), sqrt(k)) where k = 1/hidden_size".
_INITIALISED = Initialised("uniform", "-sqrt(k)", "sqrt(k)", where={"k": "1 / hidden_size"}, tried={
    "input_size": (1, 2, 3, 5, 32), "hidden_size": (1, 2, 3, 5, 9, 64),
})  # fmt: skip


def _dropped(keeps: int | None) -> Dropped:
    """ "Introduces a Dropout layer on the outputs of each layer except the last": ``keeps`` is the number of the gate
    that multiplies the state before. Without biases that gate cannot be shut, so nothing but one step is readable.
    The pages of LSTM and GRU write beside their equations that it is multiplied by a Bernoulli variable."""
    return Dropped("dropout", "num_layers - 1", partial(readable, keeps), reads,
                   where="True" if keeps is None else "bias or L == 1", tried={
        "dropout": (0.5, 0.5, 0.5, 0.1, 0.3, 0.8, 0.0, 1.0), "num_layers": (2, 2, 3, 3, 4, 1),
        "train": (True, True, True, True, False), "bias": (True, True, True, False), "hidden_size": (1, 2, 4, 6, 9),
        "size N": (1, 2, 6, 12, 24, 24), "size L": (1, 2, 3, 4, 8), "size lengths": Lists(range(1, 7), 1, 12),
    }, bernoulli=keeps is not None)  # fmt: skip


def _rnn(a: Running, given: Given) -> Outputs | None:
    return layers(rnn_step(given.env["nonlinearity"]), given, a, {"hx": given.env["H_out"]})


def _lstm(a: Running, given: Given) -> Outputs | None:
    return layers(lstm_step, given, a, {"h_0": given.env["H_out"], "c_0": given.env["H_cell"]})


def _gru(a: Running, given: Given) -> Outputs | None:
    return layers(gru_step, given, a, {"h_0": given.env["H_out"]})


RNN = Contract(
    module="torch.nn.RNN",
    arguments=(
        *_BEFORE,
        Argument("nonlinearity", ("tanh", "relu"), default="tanh", domain=CHOICE),
        *_AFTER,
        *_FACTORY,
    ),
    layouts=_LAYOUTS,
    inputs=(_INPUT, Port("hx", _HIDDEN, optional=True, aliases=("h_0",))),
    outputs=(_OUTPUT, Port("h_n", _HIDDEN)),
    call="input, hx",
    returns="output, h_n",
    sizes=_SIZES,
    where=_PLAIN,
    parameters=_parameters(1),
    equations=_rnn,
    initialised=(_INITIALISED,),
    dropped=_dropped(None),
    formulas=_WRITTEN,
    documents={**_SIGNED, **_ONE_WAY},
    examples=_examples("RNN", "h0", ("hx",)),
    article=(
        *_said_defaults(
            "num_layers=1 nonlinearity='tanh' bias=True batch_first=False dropout=0.0 bidirectional=False "
            "device=None dtype=None"
        ),
        Statement("51", "h_0 may be None", "omitted hx", "", "batch_first"),
        Statement("59", "x is (batch_size, sequence_length, input_size)", "input", "(N, L, input_size)", "batch_first"),
        Statement("60", "h_0 is (D*num_layers, hidden_size)", "hx", "(D * num_layers, hidden_size)", "batch_first"),
        Statement("61", "output is (batch_size, sequence_length, D*hidden_size)", "output", "(N, L, D * hidden_size)",
                  "batch_first"),
        Statement("63", "h_n is (D*num_layers, hidden_size)", "h_n", "(D * num_layers, hidden_size)", "batch_first"),
    ),
)  # fmt: skip

LSTM = Contract(
    module="torch.nn.LSTM",
    arguments=(
        *_BEFORE,
        *_AFTER,
        Argument("proj_size", (0, 1, 2, 3, 4, 7), default=0, where="proj_size == 0 or proj_size < hidden_size",
                 domain=SIZE),
        *_FACTORY,
    ),
    layouts=_LAYOUTS,
    inputs=(_INPUT, Port("h_0", _HIDDEN, optional=True), Port("c_0", _CELL, optional=True)),
    outputs=(_OUTPUT, Port("h_n", _HIDDEN), Port("c_n", _CELL)),
    call="input, (h_0, c_0)",
    returns="output, (h_n, c_n)",
    sizes=_SIZES,
    where={**_D, "H_cell": "hidden_size", "H_out": "proj_size if proj_size > 0 else hidden_size"},
    parameters=_parameters(4, projections=True),
    equations=_lstm,
    initialised=(_INITIALISED,),
    dropped=_dropped(1),
    formulas=(*_WRITTEN, Formula("H_cell")),
    documents=_SIGNED,
    examples=_examples("LSTM", "(h0, c0)", ("h_0", "c_0")),
    article=(
        *_said_defaults(
            "num_layers=1 bias=True batch_first=False dropout=0.0 bidirectional=False proj_size=0 "
            "device=None dtype=None"
        ),
        Statement("106", "h_0 and c_0 may be None", "omitted h_0", "", "batch_first"),
        Statement("110", "x is (batch_size, sequence_length, input_size)", "input", "(N, L, input_size)",
                  "batch_first"),
        Statement("113", "output is (batch_size, sequence_length, D*hidden_size)", "output", "(N, L, D * hidden_size)",
                  "batch_first"),
    ),
)  # fmt: skip

GRU = Contract(
    module="torch.nn.GRU",
    arguments=(*_BEFORE, *_AFTER, *_FACTORY),
    layouts=_LAYOUTS,
    inputs=(_INPUT, Port("h_0", _HIDDEN, optional=True)),
    outputs=(_OUTPUT, Port("h_n", _HIDDEN)),
    call="input, h_0",
    returns="output, h_n",
    sizes=_SIZES,
    where=_PLAIN,
    parameters=_parameters(3),
    equations=_gru,
    initialised=(_INITIALISED,),
    dropped=_dropped(1),
    formulas=_WRITTEN,
    documents={**_SIGNED, **_ONE_WAY},
    examples=_examples("GRU", "h0", ("h_0",)),
    article=(
        *_said_defaults(
            "num_layers=1 bias=True batch_first=False dropout=0.0 bidirectional=False device=None dtype=None"
        ),
        *_said_shapes("h_0"),
    ),
)

CONTRACTS = (RNN, LSTM, GRU)
