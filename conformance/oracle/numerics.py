"""Numbers that know how far off a correct evaluation may be, so that values have a derived bound, not a tolerance.

The documented equations are evaluated in NumPy float64 on the rounded inputs and weights of a case. Beside each value
goes a *running error bound* (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, 3.1 and 3.3):
how far a computation that rounds every operation to the dtype, in any order of summation, can end up from it.

:class:`Running` carries values and bounds. :class:`Directional` carries also the derivative in one direction of all
inputs and weights at once, which by the chain rule is what every gradient together must amount to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# Unit roundoff and smallest positive number of the dtypes: IEEE 754-2019, table 3.5; bfloat16 has 8 bits of precision.
ROUNDOFF = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53,
            "int64": 0.0, "bool": 0.0}  # fmt: skip
TINY = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149, "float64": 2.0**-1074,
        "int64": 0.0, "bool": 0.0}  # fmt: skip
LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38,
           "float64": float(np.finfo(np.float64).max), "int64": 2.0**53, "bool": 2.0}  # fmt: skip
# What one evaluation of exp or tanh may be off by, in unit roundoffs: 4, which are 2 ulp.
# (SLEEF documentation, "u10": 1 ulp; glibc manual, "Known Maximum Errors in Math Functions": tanhf 2, expf 1; CUDA
# programming guide, "Mathematical Functions": tanhf 2, expf 2.)
ULPS = 4


@dataclass(slots=True)
class Bounded:
    """Values and how far a correct evaluation may be from them; of :class:`Directional` also the derivative, the sum
    of the magnitudes of its terms and what errors of the values may do to it. All arrays are of one shape."""

    value: Array
    error: Array
    tangent: Any = None
    slope: Any = None
    drift: Any = None

    @property
    def arrays(self) -> tuple[Any, ...]:
        """All of them, None for those that are not carried."""
        return (self.value, self.error, self.tangent, self.slope, self.drift)

    def map(self, change: Callable[[Array], Array]) -> Bounded:
        """The same change of every array."""
        if self.tangent is None:
            return Bounded(change(self.value), change(self.error))
        return Bounded(*[change(array) for array in self.arrays])

    def __getitem__(self, key: Any) -> Bounded:
        """The part of every array."""
        if self.tangent is None:
            return Bounded(self.value[key], self.error[key])
        return Bounded(*[array[key] for array in self.arrays])


@dataclass(frozen=True)
class Weight:
    """A matrix as the right factor of a product, with its magnitudes and its direction."""

    value: Array
    size: Array
    toward: Array | None = None
    toward_size: Array | None = None


def joined(parts: Sequence[Bounded], axis: int) -> Bounded:
    """Concatenation along an axis."""
    return _together(parts, np.concatenate, axis)


def stacked(parts: Sequence[Bounded], axis: int = 0) -> Bounded:
    """The parts along a new axis."""
    return _together(parts, np.stack, axis)


def _together(parts: Sequence[Bounded], how: Any, axis: int) -> Bounded:
    columns = zip(*(part.arrays for part in parts), strict=True)
    return Bounded(*[None if column[0] is None else how(column, axis) for column in columns])  # type: ignore[arg-type]


class Running:
    """Operations on values with a running error bound, for one dtype."""

    def __init__(self, dtype: str) -> None:
        self.unit = ROUNDOFF[dtype]
        self.tiny = TINY[dtype]
        self.roundings = 0
        self.lost = 0.0  # what gradients may lose as products on the way back are too small for the dtype

    def deepen(self, roundings: int) -> None:
        """Says that one term of a gradient may be rounded so many times more."""
        self.roundings += roundings

    def given(self, array: Array, toward: Array | None = None) -> Bounded:
        """An input: exact."""
        return Bounded(array, np.zeros_like(array))

    def weight(self, array: Array, toward: Array | None = None) -> Weight:
        """A matrix that multiplies from the right: exact."""
        return Weight(array, np.abs(array))

    def gamma(self, terms: int) -> float:
        """The relative error of a sum of this many terms, in any order: each is rounded at most so often."""
        return terms * self.unit / (1 - terms * self.unit)

    def dot(self, x: Bounded, w: Weight, terms: int) -> Bounded:
        """``x @ w`` as a part of a sum of ``terms`` terms, which :meth:`sum` adds up."""
        error = (self.gamma(terms) * np.abs(x.value) + x.error) @ w.size
        return Bounded(x.value @ w.value, error + self.tiny * terms)

    def sum(self, *parts: Bounded) -> Bounded:
        """The sum of parts whose roundings are counted in them already."""
        return Bounded(sum(p.value for p in parts), sum(p.error for p in parts))  # type: ignore[arg-type]

    def bias(self, x: Bounded, terms: int) -> Bounded:
        """A part of a sum of ``terms`` terms."""
        return Bounded(x.value, self.gamma(terms) * np.abs(x.value))

    def sigmoid(self, z: Bounded) -> Bounded:
        """``1 / (1 + exp(-z))``: the error of the exponential weighs as much as it does in the sum, which is rounded,
        and so is the quotient. Its slope is at most what it is at z plus a tenth of the distance."""
        value = 1 / (1 + np.exp(-z.value))
        rest = 1 - value
        error = np.minimum(z.error * (value * rest + 0.1 * z.error), 1)
        return Bounded(value, error + self.unit * (2 + ULPS * rest) * value + self.tiny)

    def tanh(self, z: Bounded) -> Bounded:
        """The hyperbolic tangent; its slope changes by at most 0.77 a unit."""
        value = np.tanh(z.value)
        slope = 1 - value * value
        error = np.minimum(z.error * (slope + 0.4 * z.error), 2)
        return Bounded(value, error + (ULPS * self.unit) * np.abs(value) + self.tiny)

    def relu(self, z: Bounded) -> Bounded:
        """``max(0, z)``, which rounds nothing."""
        return Bounded(np.maximum(z.value, 0), z.error)

    def times(self, a: Bounded, b: Bounded) -> Bounded:
        """The elementwise product: each error weighs as much as the other factor, and the product is rounded."""
        left, right = np.abs(a.value), np.abs(b.value)
        error = left * (b.error + self.unit * right) + a.error * (right + b.error)
        return Bounded(a.value * b.value, error + self.tiny)

    def plus(self, a: Bounded, b: Bounded) -> Bounded:
        """The elementwise sum."""
        value = a.value + b.value
        error = a.error + b.error
        return Bounded(value, error + self.unit * (np.abs(value) + error))

    def one_minus(self, a: Bounded) -> Bounded:
        """``1 - a``."""
        value = 1 - a.value
        return Bounded(value, a.error + self.unit * (np.abs(value) + a.error))

    def scaled(self, x: Bounded, factor: float) -> Bounded:
        """What a dropout makes of all elements: 0, nothing, or a product with a quotient, three roundings in all."""
        if factor == 0:
            return x.map(np.zeros_like)
        if factor == 1:
            return x
        found = x.map(lambda array: array * factor)
        found.error = found.error + self.gamma(3) * (np.abs(found.value) + found.error) + self.tiny
        return found


class Directional(Running):
    """The same, with the derivative in one direction.

    A gradient is a sum of products along paths; whatever the order, each product is rounded at most ``roundings``
    times, so the error is at most that many roundoffs times ``slope``, the sum of the magnitudes, plus ``drift``, what
    the errors of the factors amount to.
    """

    def given(self, array: Array, toward: Array | None = None) -> Bounded:
        zero = np.zeros_like(array)
        if toward is None:
            return Bounded(array, zero, zero, zero, zero)
        return Bounded(array, zero, toward, np.abs(toward), zero)

    def weight(self, array: Array, toward: Array | None = None) -> Weight:
        toward = np.zeros_like(array) if toward is None else toward
        return Weight(array, np.abs(array), toward, np.abs(toward))

    def dot(self, x: Bounded, w: Weight, terms: int) -> Bounded:
        plain = super().dot(x, w, terms)
        tangent = x.tangent @ w.value + x.value @ w.toward
        slope = x.slope @ w.size + np.abs(x.value) @ w.toward_size
        self._lose(x.slope, w.size.shape[-1])
        self._lose(w.toward_size, x.value.shape[-2])
        return Bounded(plain.value, plain.error, tangent, slope, x.drift @ w.size + x.error @ w.toward_size)

    def sum(self, *parts: Bounded) -> Bounded:
        columns = zip(*(part.arrays for part in parts), strict=True)
        return Bounded(*(sum(column) for column in columns))

    def bias(self, x: Bounded, terms: int) -> Bounded:
        plain = super().bias(x, terms)
        return Bounded(plain.value, plain.error, x.tangent, x.slope, x.drift)

    def sigmoid(self, z: Bounded) -> Bounded:
        plain = super().sigmoid(z)
        return self._through(z, plain, plain.value * (1 - plain.value), plain.error + 4 * ULPS * self.unit)

    def tanh(self, z: Bounded) -> Bounded:
        plain = super().tanh(z)
        return self._through(z, plain, 1 - plain.value**2, 2 * plain.error + ULPS * self.unit)

    def relu(self, z: Bounded) -> Bounded:
        """At its kink the derivative is anything between 0 and 1."""
        return self._through(z, super().relu(z), (z.value > 0) * 1.0, (np.abs(z.value) <= z.error) * 1.0)

    def _lose(self, slope: Any, products: int = 1) -> None:
        """Each product on the way back to what has this slope may be off by the smallest number."""
        self.lost += self.tiny * products * float(np.sum(slope))

    def _through(self, z: Bounded, plain: Bounded, factor: Array, error: Array) -> Bounded:
        """The chain rule for an elementwise function with this derivative, known up to an error."""
        self._lose(z.slope, 2)
        return Bounded(
            plain.value,
            plain.error,
            factor * z.tangent,
            factor * z.slope,
            factor * z.drift + error * (z.slope + z.drift),
        )

    def times(self, a: Bounded, b: Bounded) -> Bounded:
        plain = super().times(a, b)
        self._lose(a.slope)
        self._lose(b.slope)
        left, right = np.abs(a.value), np.abs(b.value)
        return Bounded(
            plain.value,
            plain.error,
            a.value * b.tangent + b.value * a.tangent,
            left * b.slope + right * a.slope,
            (left + a.error) * b.drift + (right + b.error) * a.drift + a.error * b.slope + b.error * a.slope,
        )

    def plus(self, a: Bounded, b: Bounded) -> Bounded:
        plain = super().plus(a, b)
        return Bounded(plain.value, plain.error, a.tangent + b.tangent, a.slope + b.slope, a.drift + b.drift)

    def one_minus(self, a: Bounded) -> Bounded:
        plain = super().one_minus(a)
        return Bounded(plain.value, plain.error, -a.tangent, a.slope, a.drift)
