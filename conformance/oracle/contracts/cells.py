"""``torch.nn.RNNCell``, ``LSTMCell`` and ``GRUCell``: one step of a recurrence."""

from __future__ import annotations

from collections.abc import Mapping

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
from conformance.oracle.drawn import Initialised
from conformance.oracle.equations.given import Given, Outputs
from conformance.oracle.equations.recurrent import cell, gru_step, lstm_step, rnn_step
from conformance.oracle.numerics import Running

_BATCH = Size((1, 2, 3, 0, 4, 5, 7, 9, 17))
_LAYOUTS = (Layout("unbatched"), Layout("batched"))
_BEFORE = (
    Argument("input_size", (1, 2, 3, 4, 5, 8, 11), domain=COUNT),
    Argument("hidden_size", (1, 2, 3, 4, 5, 8, 9, 17), domain=COUNT),
    Argument("bias", (True, False), default=True),
)
_FACTORY = (Argument("device", default=None), Argument("dtype", default=None))

# The Shape section of RNNCell and GRUCell, in the symbols H_in and H_out; LSTMCell's page names the arguments instead.
_INPUT = {"unbatched": "(H_in)", "batched": "(N, H_in)"}
_HIDDEN = {"unbatched": "(H_out)", "batched": "(N, H_out)"}
_NAMED_INPUT = {"unbatched": "(input_size)", "batched": "(batch, input_size)"}
_NAMED_HIDDEN = {"unbatched": "(hidden_size)", "batched": "(batch, hidden_size)"}
_SHAPE = {"H_in": "input_size", "H_out": "hidden_size", "batch": "N"}
_WRITTEN = (Formula("H_in"), Formula("H_out"))
# The page's example walks through six time steps; this is one of them.
_CONFIG = {"input_size": 10, "hidden_size": 20}


def _parameters(gates: str) -> tuple[Parameter, ...]:
    return (
        Parameter("weight_ih", f"({gates}hidden_size, input_size)"),
        Parameter("weight_hh", f"({gates}hidden_size, hidden_size)"),
        Parameter("bias_ih", f"({gates}hidden_size,)", when="bias"),
        Parameter("bias_hh", f"({gates}hidden_size,)", when="bias"),
    )


# "All the weights and biases are initialized from U(-sqrt(k), sqrt(k)) where k = 1/hidden_size".
_INITIALISED = Initialised("uniform", "-sqrt(k)", "sqrt(k)", where={"k": "1 / hidden_size"}, tried={
    "input_size": (1, 2, 3, 5, 32), "hidden_size": (1, 2, 3, 5, 9, 64),
})  # fmt: skip


def _example(name: str, states: str, given: tuple[str, ...], sizes: Mapping[str, int], outputs: str) -> Example:
    text = f"nn.{name}(10, 20)(torch.randn(3, 10), {states})"
    return Example(text, _CONFIG, "batched", sizes, given, dict.fromkeys(outputs.split(), (3, 20)))


def _rnn(a: Running, given: Given) -> Outputs:
    (output,) = cell(rnn_step(given.env["nonlinearity"]), given, a, ("hidden",), given.env["hidden_size"])
    return {"output": output}


def _lstm(a: Running, given: Given) -> Outputs:
    h_1, c_1 = cell(lstm_step, given, a, ("h_0", "c_0"), given.env["hidden_size"])
    return {"h_1": h_1, "c_1": c_1}


def _gru(a: Running, given: Given) -> Outputs:
    (output,) = cell(gru_step, given, a, ("hidden",), given.env["hidden_size"])
    return {"output": output}


RNNCell = Contract(
    module="torch.nn.RNNCell",
    arguments=(*_BEFORE, Argument("nonlinearity", ("tanh", "relu"), default="tanh", domain=CHOICE), *_FACTORY),
    layouts=_LAYOUTS,
    inputs=(Port("input", _INPUT), Port("hidden", _HIDDEN, optional=True)),
    outputs=(Port("output", _HIDDEN, aliases=("h'",)),),
    call="input, hidden",
    returns="output",
    sizes={"N": _BATCH},
    where=_SHAPE,
    parameters=_parameters(""),
    equations=_rnn,
    initialised=(_INITIALISED,),
    formulas=_WRITTEN,
    examples=(_example("RNNCell", "torch.randn(3, 20)", ("hidden",), {"N": 3}, "output"),),
)

LSTMCell = Contract(
    module="torch.nn.LSTMCell",
    arguments=(*_BEFORE, *_FACTORY),
    layouts=_LAYOUTS,
    inputs=(
        Port("input", _NAMED_INPUT),
        Port("h_0", _NAMED_HIDDEN, optional=True),
        Port("c_0", _NAMED_HIDDEN, optional=True),
    ),
    outputs=(Port("h_1", _NAMED_HIDDEN), Port("c_1", _NAMED_HIDDEN)),
    call="input, (h_0, c_0)",
    returns="(h_1, c_1)",
    sizes={"batch": _BATCH},
    parameters=_parameters("4 * "),
    equations=_lstm,
    initialised=(_INITIALISED,),
    examples=(
        _example("LSTMCell", "(torch.randn(3, 20), torch.randn(3, 20))", ("h_0", "c_0"), {"batch": 3}, "h_1 c_1"),
    ),
)

GRUCell = Contract(
    module="torch.nn.GRUCell",
    arguments=(*_BEFORE, *_FACTORY),
    layouts=_LAYOUTS,
    inputs=(Port("input", _INPUT), Port("hidden", _HIDDEN, optional=True)),
    outputs=(Port("output", _HIDDEN, aliases=("h'",)),),
    call="input, hidden",
    returns="output",
    sizes={"N": _BATCH},
    where=_SHAPE,
    parameters=_parameters("3 * "),
    equations=_gru,
    initialised=(_INITIALISED,),
    formulas=_WRITTEN,
    examples=(_example("GRUCell", "torch.randn(3, 20)", ("hidden",), {"N": 3}, "output"),),
)

CONTRACTS = (RNNCell, LSTMCell, GRUCell)
