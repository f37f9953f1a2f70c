"""What a dropout did to each element, read off an output that was made readable.

Under readable weights (:class:`conformance.oracle.drawn.Dropped`) an element of the output depends on one element at
each of the places of dropout. It therefore has one of ``places + 1`` values: for each place, that of an element which
was dropped there and nowhere behind it; and that of one which was dropped nowhere. The equations give each of these
alternatives for all elements at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conformance.oracle.numerics import LARGEST, Array, Bounded

UNKNOWN, KEPT, DROPPED = -1, 0, 1


def factors(places: int, scale: float) -> list[list[float]]:
    """What each alternative multiplies all elements with at each place: 0 where it drops them, else ``scale``. The last
    one drops nothing."""
    return [[0.0 if place == dropped else scale for place in range(places)] for dropped in range(places + 1)]


@dataclass(frozen=True)
class Fates:
    """The alternatives of one output, each a value with its bound."""

    alternatives: Sequence[Bounded]
    dtype: str

    @cached_property
    def _values(self) -> Array:
        return np.stack([a.value for a in self.alternatives])

    @cached_property
    def _errors(self) -> Array:
        return np.stack([a.error for a in self.alternatives])

    @cached_property
    def comparable(self) -> Array:
        """The elements whose alternatives are all within the range of the dtype."""
        fits = (np.abs(self._values) + self._errors < LARGEST[self.dtype]) & np.isfinite(self._errors)
        return np.asarray(fits.all(axis=0))

    def ratios(self, output: Array) -> Array:
        """How far each element is from its nearest alternative, as a multiple of the bound of that one."""
        with np.errstate(all="ignore"):
            error = np.abs(output - self._values)
            ratio = np.where(error == 0, 0.0, error / self._errors)
        nearest = np.where(np.isnan(ratio), np.inf, ratio).min(axis=0)
        return np.where(self.comparable, nearest, 0.0)

    def at(self, place: int, output: Array) -> Array:
        """The fate of each element at one place: dropped or kept, unknown where it was dropped behind it.

        Unknown are also elements whose alternatives could not be told apart, whatever happened to them: that depends on
        the alternatives alone, so what is known is no biased sample.
        """
        inside = (np.abs(output - self._values) <= self._errors) & self._told_apart(place)
        last = len(self.alternatives) - 1
        kept = inside[:place].any(axis=0) | inside[last]
        return np.where(inside[place], DROPPED, np.where(kept, KEPT, UNKNOWN))

    def _told_apart(self, place: int) -> Array:
        """The elements of which no value could be of two of these: dropped there; kept there and behind; the rest."""
        last = len(self.alternatives) - 1
        group = [0 if i == last or i < place else 1 if i == place else 2 for i in range(last + 1)]
        apart = self.comparable.copy()
        for i in range(last + 1):
            for j in range(i):
                if group[i] != group[j]:
                    apart &= np.abs(self._values[i] - self._values[j]) > self._errors[i] + self._errors[j]
        return apart


def unpacked(data: Array, batch_sizes: Sequence[int]) -> Array:
    """The fates of the data of a packed sequence as (L, N, features); what is padding is unknown."""
    whole = np.full((len(batch_sizes), max(batch_sizes), data.shape[-1]), UNKNOWN)
    position = 0
    for step, size in enumerate(batch_sizes):
        whole[step, :size] = data[position : position + size]
        position += size
    return whole


def pairs(fates: Array, axis: int) -> list[tuple[Array, Array]]:
    """Disjoint pairs of elements along an axis: neighbours, and those half of its length apart."""
    size = fates.shape[axis] // 2
    ahead = np.moveaxis(fates, axis, 0)
    return [(ahead[0 : 2 * size : 2], ahead[1 : 2 * size : 2]), (ahead[:size], ahead[size : 2 * size])]
