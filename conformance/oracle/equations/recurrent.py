"""The equations of the recurrent layers and cells, as their pages write them.

``dot`` and ``sum`` count every term of a gate's sum, because the pages do not say in which order it is added up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from conformance.oracle.equations.given import Given, steps_of
from conformance.oracle.numerics import Bounded, Running, Weight, joined, stacked

GATE_ROUNDINGS = 16  # elementwise operations that a path through one step may pass, forward and back
States = tuple[Bounded, ...]


class Layer(NamedTuple):
    """The parameters of one layer: ``x W_ih^T + b_ih`` and ``h W_hh^T + b_hh``, perhaps ``W_hr``.

    Its directions are computed side by side: every array has them as its first axis. ``terms`` is how many terms a
    gate's sum has.
    """

    w_ih: Weight
    w_hh: Weight
    b_ih: Bounded | None
    b_hh: Bounded | None
    w_hr: Weight | None
    terms: int

    @classmethod
    def of(cls, given: Given, a: Running, suffixes: Sequence[str]) -> Layer:
        """The layer whose parameters end in one of these, a suffix a direction."""

        def named(label: str) -> list[str]:
            return [f"{label}{suffix}" for suffix in suffixes]

        w_ih, w_hh = given.weight(a, named("weight_ih")), given.weight(a, named("weight_hh"))
        biases = [given.bias(a, named("bias_ih")), given.bias(a, named("bias_hh"))]
        terms = int(w_ih.value.shape[-2] + w_hh.value.shape[-2]) + sum(b is not None for b in biases)
        b_ih, b_hh = (None if b is None else a.bias(b, terms) for b in biases)
        projected = named("weight_hr")[0] in given.parameters
        return cls(w_ih, w_hh, b_ih, b_hh, given.weight(a, named("weight_hr")) if projected else None, terms)

    def from_input(self, a: Running, x: Bounded) -> Bounded:
        """``x_t W_ih^T + b_ih``, for as many rows as there are."""
        part = a.dot(x, self.w_ih, self.terms)
        return part if self.b_ih is None else a.sum(part, self.b_ih)

    def from_state(self, a: Running, h: Bounded) -> Bounded:
        """``h_{t-1} W_hh^T + b_hh``."""
        part = a.dot(h, self.w_hh, self.terms)
        return part if self.b_hh is None else a.sum(part, self.b_hh)

    def deepen(self, a: Running, steps: int, rows: int) -> None:
        """How often a term of a gradient is rounded: in each step that its path passes, once for every term of a
        gate's sum, forward and back, and a few times in the gates; and once for each row that adds to a weight."""
        a.deepen(steps * (self.terms + int(self.w_ih.value.shape[-1]) + GATE_ROUNDINGS) + rows)


Step = Callable[[Running, Layer, Bounded, States], States]


def rnn_step(nonlinearity: str) -> Step:
    """``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``, or ReLU in its place."""

    def step(a: Running, layer: Layer, x: Bounded, states: States) -> States:
        z = a.sum(x, layer.from_state(a, states[0]))
        return (a.tanh(z) if nonlinearity == "tanh" else a.relu(z),)

    return step


def lstm_step(a: Running, layer: Layer, x: Bounded, states: States) -> States:
    """Gates in the documented order (i | f | g | o); the projection multiplies ``h`` last."""
    h, c = states
    size = c.value.shape[-1]
    z = a.sum(x, layer.from_state(a, h))
    gates = a.sigmoid(z)
    i, f, o = gates[..., :size], gates[..., size : 2 * size], gates[..., 3 * size :]
    g = a.tanh(z[..., 2 * size : 3 * size])
    c = a.plus(a.times(f, c), a.times(i, g))
    h = a.times(o, a.tanh(c))
    return (h if layer.w_hr is None else a.dot(h, layer.w_hr, size), c)


def gru_step(a: Running, layer: Layer, x: Bounded, states: States) -> States:
    """Gates in the documented order (r | z | n); the reset gate multiplies after the matrix product and its bias."""
    (h,) = states
    size = h.value.shape[-1]
    y = layer.from_state(a, h)
    gates = a.sigmoid(a.sum(x[..., : 2 * size], y[..., : 2 * size]))
    r, z = gates[..., :size], gates[..., size:]
    n = a.tanh(a.plus(x[..., 2 * size :], a.times(r, y[..., 2 * size :])))
    return (a.plus(a.times(a.one_minus(z), n), a.times(z, h)),)


def cell(step: Step, given: Given, a: Running, states: Sequence[str], size: int) -> States:
    """One step of a cell; hidden states that are omitted are zeros."""
    x = given.input(a, "input")
    assert x is not None
    batched = x.value.ndim == 2
    rows = x.map(lambda array: array.reshape(1, math.prod(array.shape[:-1]), array.shape[-1]))
    count = rows.value.shape[1]
    layer = Layer.of(given, a, [""])
    layer.deepen(a, 1, count)
    found = [given.input(a, name) for name in states]
    initial = tuple(
        a.given(np.zeros((1, count, size))) if s is None else s.map(lambda array: array.reshape(1, count, size))
        for s in found
    )
    final = step(a, layer, layer.from_input(a, rows), initial)
    return tuple(state[0] if batched else state[0, 0] for state in final)


def layers(step: Step, given: Given, a: Running, states: Mapping[str, int]) -> Mapping[str, Bounded] | None:
    """All layers in all directions: ``output`` in the call's layout, and the final value of each state.

    ``states`` are the initial states by name, with their sizes. None where dropout makes the values random.
    """
    env = given.env
    factors = given.dropout(env["dropout"], env["num_layers"] - 1)
    if factors is None:
        return None
    x, ways = _batch_first(given, a), env["D"]
    lengths = np.asarray(env["lengths"]) if given.layout == "packed" else None
    initial = [_initial(given, a, name, size, x.value.shape[0]) for name, size in states.items()]
    final: list[States] = []
    for k in range(env["num_layers"]):
        if k:
            x = a.scaled(x, factors[k - 1])
        layer = Layer.of(given, a, [f"_l{k}", f"_l{k}_reverse"][:ways])
        batch, length = x.value.shape[:2]
        # In one direction a path visits every time once, whatever the layer; in two it may run to and fro.
        layer.deepen(a, length if k == 0 or ways == 2 else 1, batch * length)
        sides = [x, _reversed(x, lengths)][:ways]
        start = tuple(state[k * ways : (k + 1) * ways] for state in initial)
        out, last = _unroll(step, a, layer, stacked(sides), start, lengths)
        x = out[0] if ways == 1 else joined([out[0], _reversed(out[1], lengths)], -1)
        final.append(last)
    return {"output": _as_called(x, given), **_final(final, given, list(states))}


def _batch_first(given: Given, a: Running) -> Bounded:
    x = given.input(a, "input")
    assert x is not None
    if given.layout == "unbatched":
        return x.map(lambda array: array[None])
    return x if given.layout == "batch_first" else x.map(lambda array: array.swapaxes(0, 1))


def _initial(given: Given, a: Running, name: str, size: int, batch: int) -> Bounded:
    """An initial state as (D * num_layers, N, size): zeros where it is omitted."""
    found = given.input(a, name)
    if found is None:
        return a.given(np.zeros((given.env["D"] * given.env["num_layers"], batch, size)))
    return found.map(lambda array: array[:, None]) if given.layout == "unbatched" else found


def _unroll(
    step: Step, a: Running, layer: Layer, x: Bounded, states: States, lengths: np.ndarray[Any, Any] | None
) -> tuple[Bounded, States]:
    """One layer over (D, N, L, features); a sequence that has ended keeps its state."""
    *before, features = x.value.shape
    rows = x.map(lambda array: array.reshape(before[0], math.prod(before[1:]), features))
    parts = layer.from_input(a, rows).map(lambda array: array.reshape(*before, array.shape[-1]))
    outputs = []
    for t in range(before[2]):
        new = step(a, layer, parts[:, :, t], states)
        if lengths is not None and not (alive := t < lengths).all():
            new = tuple(_where(alive[:, None], *pair) for pair in zip(new, states, strict=True))
        states = new
        outputs.append(states[0])
    return stacked(outputs, 2), states


def _where(alive: np.ndarray[Any, Any], new: Bounded, old: Bounded) -> Bounded:
    if new.tangent is None:
        return Bounded(np.where(alive, new.value, old.value), np.where(alive, new.error, old.error))
    return Bounded(*[np.where(alive, n, o) for n, o in zip(new.arrays, old.arrays, strict=True)])


def _reversed(x: Bounded, lengths: np.ndarray[Any, Any] | None) -> Bounded:
    """Each sequence of (N, L, features) backwards, within its own length."""
    if lengths is None:
        return x.map(lambda array: array[:, ::-1])
    steps = np.arange(x.value.shape[1])
    order = np.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return x.map(lambda array: np.take_along_axis(array, order[..., None], 1))


def _as_called(x: Bounded, given: Given) -> Bounded:
    """(N, L, features) in the layout of the call; a packed output holds step after step of the sorted sequences."""
    if given.layout == "unbatched":
        return x[0]
    if given.layout == "batch_first":
        return x
    if given.layout == "time_first":
        return x.map(lambda array: array.swapaxes(0, 1))
    return x[steps_of(given.env["lengths"], given.sorted_order)]


def _final(final: list[States], given: Given, names: list[str]) -> Mapping[str, Bounded]:
    """The final states as (D * num_layers, N, size), named ``h_n`` and ``c_n``."""
    found = {}
    for place, name in enumerate(names):
        whole = joined([states[place] for states in final], 0)
        found["c_n" if name == "c_0" else "h_n"] = whole[:, 0] if given.layout == "unbatched" else whole
    return found
