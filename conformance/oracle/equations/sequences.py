"""What packing, padding and their inverses give, as their pages say it: elements are moved and nothing is computed.

Between them a batch is all its sequences one after another, ``(sum(lengths), *S)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.oracle.equations.given import Given, Outputs, steps_of
from conformance.oracle.numerics import Array, Bounded, Running, joined


def packed_steps(lengths: Sequence[int], order: Sequence[int]) -> Array:
    """Which of all elements stand where in a packed sequence: step after step of the sequences in this order."""
    sequences, times = steps_of(lengths, order)
    return np.asarray(np.cumsum([0, *lengths])[sequences] + times)


def padded_places(lengths: Sequence[int], steps: int, side: str = "right") -> Array:
    """Which of all elements stand where in ``(B, T)``; ``sum(lengths)`` where there is padding."""
    places = np.full((len(lengths), steps), sum(lengths), np.intp)
    for n, (start, length) in enumerate(zip(np.cumsum([0, *lengths]), lengths, strict=False)):
        first = steps - length if side == "left" else 0
        places[n, first : first + length] = np.arange(start, start + length)
    return places


def cut(array: Array, lengths: Sequence[int], batch_first: bool) -> Array:
    """All sequences, one after another, of a padded tensor."""
    rows = array if batch_first else array.swapaxes(0, 1)
    return np.concatenate([rows[n, :length] for n, length in enumerate(lengths)])


def _cut(x: Bounded, env: Any, batch_first: bool) -> Bounded:
    return x.map(lambda array: cut(array, env["lengths"], batch_first))


def _pack(x: Bounded, given: Given) -> Outputs:
    return {"output": x[packed_steps(given.env["lengths"], given.sorted_order)]}


def _pad(a: Running, x: Bounded, places: Array, given: Given) -> Bounded:
    padding = a.given(np.full((1, *x.value.shape[1:]), given.env["padding_value"]))
    padded = joined([x, padding], 0)[places]
    return padded if given.env["batch_first"] else padded.map(lambda array: array.swapaxes(0, 1))


def _given(a: Running, given: Given, name: str) -> Bounded:
    found = given.input(a, name)
    assert found is not None
    return found


def pack_padded_sequence(a: Running, given: Given) -> Outputs:
    """The elements within the lengths, step after step."""
    return _pack(_cut(_given(a, given, "input"), given.env, given.env["batch_first"]), given)


def pack_sequence(a: Running, given: Given) -> Outputs:
    """``pad_sequence`` and then ``pack_padded_sequence``."""
    return _pack(_given(a, given, "sequences"), given)


def pad_packed_sequence(a: Running, given: Given) -> Outputs:
    """The sequences as they were ordered originally, padded on the right, and their lengths."""
    env = given.env
    sequences = _cut(_given(a, given, "sequence"), env, batch_first=False)
    output = _pad(a, sequences, padded_places(env["lengths"], env["T_out"]), given)
    return {"output": output, "lengths": a.given(np.array(env["lengths"], np.float64))}


def pad_sequence(a: Running, given: Given) -> Outputs:
    """The sequences along a new dimension, padded to the longest."""
    places = padded_places(given.env["lengths"], given.env["T"], given.env["padding_side"])
    return {"output": _pad(a, _given(a, given, "sequences"), places, given)}


def unpad_sequence(a: Running, given: Given) -> Outputs:
    """Each sequence up to its length."""
    return {"sequences": _cut(_given(a, given, "padded_sequences"), given.env, given.env["batch_first"])}


def unpack_sequence(a: Running, given: Given) -> Outputs:
    """The sequences that were packed."""
    return {"sequences": _cut(_given(a, given, "packed_sequences"), given.env, batch_first=False)}


def invert_permutation(a: Running, given: Given) -> Outputs:
    """``inverse[permutation[i]] = i``."""
    return {"inverse": a.given(np.argsort(_given(a, given, "permutation").value).astype(np.float64))}
