"""What the equations of a contract are evaluated on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.oracle.numerics import Array, Bounded, Running, Weight


@dataclass(frozen=True)
class Given:
    """One call: symbols by name, inputs in their documented shapes, parameters, all as float64 arrays.

    ``order`` is how a packed input sorts its sequences: the place in the batch of the first, the second, …
    ``toward`` are the directions of inputs and parameters, in which a derivative is taken. ``factors`` are what a
    dropout multiplies all elements with at each of its places, where that is asked for.
    """

    env: Mapping[str, Any]
    layout: str
    inputs: Mapping[str, Array]
    parameters: Mapping[str, Array]
    train: bool = False
    order: Sequence[int] | None = None
    toward: Mapping[str, Array] | None = None
    factors: Sequence[float] | None = None

    def input(self, a: Running, name: str) -> Bounded | None:
        """An input by its documented name; None where it is omitted."""
        found = self.inputs.get(name)
        return None if found is None else a.given(found, (self.toward or {}).get(name))

    def bias(self, a: Running, names: Sequence[str]) -> Bounded | None:
        """Parameters that are added, one after another on a new axis, each to all rows; None where there are none."""
        if names[0] not in self.parameters:
            return None
        values, toward = self._stacked(names)
        return a.given(values[:, None], None if toward is None else toward[:, None])

    def weight(self, a: Running, names: Sequence[str]) -> Weight:
        """Documented ``W`` as factors of ``x W^T``, one after another on a new axis."""
        values, toward = self._stacked(names)
        return a.weight(values.swapaxes(-1, -2), None if toward is None else toward.swapaxes(-1, -2))

    def dropout(self, probability: float, places: int) -> Sequence[float] | None:
        """What a dropout multiplies all elements with at each of its places; None where that is left to chance."""
        if self.factors is not None:
            return self.factors
        if not self.train or probability == 0:
            return [1.0] * places
        return [0.0] * places if probability == 1 else None if places else []

    @property
    def sorted_order(self) -> Sequence[int]:
        """The order of packed sequences, where none is told as they are."""
        return range(len(self.env["lengths"])) if self.order is None else self.order

    def _stacked(self, names: Sequence[str]) -> tuple[Array, Array | None]:
        values = np.stack([self.parameters[name] for name in names])
        toward = [(self.toward or {}).get(name) for name in names]
        return values, None if toward[0] is None else np.stack(toward)  # type: ignore[arg-type]


def steps_of(lengths: Sequence[int], order: Sequence[int]) -> tuple[Array, Array]:
    """The sequence and the time of each row of packed data: step after step of the sequences in this order."""
    places = [(n, t) for t in range(max(lengths)) for n in order if t < lengths[n]]
    rows, steps = np.array(places, np.intp).T
    return rows, steps


Outputs = Mapping[str, Bounded]
Equations = Callable[[Running, Given], Outputs | None]
