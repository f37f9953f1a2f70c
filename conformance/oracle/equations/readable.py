"""Weights of recurrent layers under which the output tells which elements a dropout between the layers dropped.

The first layer keeps its drawn weights and all its memory. Every layer behind it forgets (no recurrent weights, and the
gate that keeps a state is shut) and passes each feature on by itself (one weight a unit and gate), so that an element
of the output depends on one element of the output of each layer before, at the same time and in the same sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.oracle.numerics import Array

SHUT = -256.0  # a gate's bias: its logistic function is 7e-112, which rounds away beside any value


def reads(env: Mapping[str, Any], seed: int) -> Array:
    """For each feature of the output, the feature of the layer before that it is made of: its own.

    But in every other unit of the reverse direction, that of the forward direction: what both directions of a layer are
    given is one tensor, dropped once.
    """
    forward = np.arange(env["H_out"])
    if env["D"] == 1:
        return forward
    shared = (forward + seed) % 2 == 0
    return np.concatenate([forward, np.where(shared, forward, forward + env["H_out"])])


def readable(keeps: int | None, env: Mapping[str, Any], seed: int, drawn: Mapping[str, Array]) -> Mapping[str, Array]:
    """The drawn parameters, those of the layers behind the first made readable; ``keeps`` is the number of the gate
    that multiplies the state before."""
    features = reads(env, seed)
    return {
        name: array if "_l0" in name else _part(name, array, keeps, features[_side(name, env)], env)
        for name, array in drawn.items()
    }


def _side(name: str, env: Mapping[str, Any]) -> slice:
    size = env["H_out"]
    return slice(size, 2 * size) if name.endswith("_reverse") else slice(0, size)


def _part(name: str, drawn: Array, keeps: int | None, features: Array, env: Mapping[str, Any]) -> Array:
    """One parameter; where it has an effect it is positive, and a weight between 1 and 2: a feature goes a long way."""
    size, units = env["hidden_size"], np.arange(env["H_out"])
    made = np.zeros_like(drawn)
    label = name.partition("_l")[0]
    if label == "weight_hr":
        made[units, units] = 1 + 2 * np.abs(drawn[units, units])
    elif label == "weight_ih":
        for first in range(0, len(drawn), size):
            rows = first + units
            made[rows, features] = 1 + 2 * np.abs(drawn[rows, features])
    elif label != "weight_hh":
        made = np.abs(drawn)
        if label == "bias_ih" and keeps is not None:
            made[keeps * size : (keeps + 1) * size] = SHUT
    return made
