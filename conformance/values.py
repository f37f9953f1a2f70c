"""The values of a case, bit for bit the same on every machine: NumPy's Philox, rounded to the dtype by ml_dtypes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from conformance.cases import Case, Input

Array = np.ndarray[Any, Any]
DTYPES: dict[str, Any] = {
    "float16": np.float16, "float32": np.float32, "float64": np.float64, "bfloat16": ml_dtypes.bfloat16,
    "int32": np.int32, "int64": np.int64, "bool": np.bool_, "complex64": np.complex64,
}  # fmt: skip
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Values:
    """All that a case computes with: parameters, inputs, and for a gradient the cotangents of its outputs."""

    parameters: Mapping[str, Array]
    inputs: Mapping[str, Array]
    cotangents: Mapping[str, Array]

    @property
    def blobs(self) -> list[bytes]:
        """The bytes of all parameters in one stream, then those of each input, then those of each cotangent."""
        stream = b"".join(array.tobytes() for array in self.parameters.values())
        return [stream, *(array.tobytes() for array in (*self.inputs.values(), *self.cotangents.values()))]


def values(case: Case, parameters: Shapes, outputs: Shapes) -> Values:
    """The arrays of a case, in the dtypes that it states."""
    rng = np.random.Generator(np.random.Philox(key=case.seed))
    weights = _weights(rng, case, parameters)
    inputs = {item.name: _values(rng, item, case.scale) for item in case.inputs}
    wanted = outputs if case.gradients else {}
    cotangents = {name: rng.standard_normal(shape).astype(DTYPES[case.dtype]) for name, shape in wanted.items()}
    return Values(weights, inputs, cotangents)


def _weights(rng: np.random.Generator, case: Case, shapes: Shapes) -> dict[str, Array]:
    """Uniform in (-1/2, 1/2), so that no sum of a test's size saturates a gate; a larger scale of the inputs does."""
    sizes = [math.prod(shape) for shape in shapes.values()]
    stream = (rng.random(sum(sizes)) - 0.5).astype(DTYPES[case.dtype])
    ends = np.cumsum([0, *sizes])
    return {name: stream[ends[i] : ends[i + 1]].reshape(shape) for i, (name, shape) in enumerate(shapes.items())}


def directions(case: Case, shapes: Shapes) -> dict[str, Array]:
    """A direction in float64 for each array of these shapes, in which the judge takes a derivative."""
    rng = np.random.Generator(np.random.Philox(key=[case.seed, 1]))
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def exact(array: Array) -> Array:
    """The same numbers as float64."""
    return array.astype(np.float64)


def decode(data: bytes, dtype: str, shape: Sequence[int]) -> Array:
    """The numbers of a tensor that a target sent, as float64."""
    return np.frombuffer(data, DTYPES[dtype]).reshape(tuple(shape)).astype(np.float64)


def _values(rng: np.random.Generator, item: Input, scale: float) -> Array:
    """The array of an input, in the shape and dtype that the case states; an expanded one repeats its first row."""
    array = _draw(rng, item, scale)
    if item.memory == "expanded" and item.kind not in ("lengths", "permutation") and item.shape and item.shape[0] > 1:
        array = np.broadcast_to(array[:1], item.shape)
    return array


def _draw(rng: np.random.Generator, item: Input, scale: float) -> Array:
    if item.kind == "lengths":
        given = np.array(item.lengths, np.float64) - (0.5 if item.dtype != "int64" else 0)
        return np.resize(given, item.shape).astype(DTYPES[item.dtype])
    if item.kind == "permutation":
        return rng.permutation(math.prod(item.shape)).astype(np.int64).reshape(item.shape)
    if item.kind == "index":
        return rng.integers(0, max(item.below, 1), item.shape, dtype=np.int64)
    if item.kind == "mask":
        mask = rng.integers(0, 2, item.shape, dtype=np.int64).astype(np.bool_)
        if mask.ndim:
            mask[..., 0:1] = False  # never a row in which everything is masked: its softmax is 0/0
        return mask
    if item.dtype in ("int32", "int64", "bool"):  # labels
        low, high = (0, 2) if item.dtype == "bool" else (-99, 100)
        return rng.integers(low, high, item.shape).astype(DTYPES[item.dtype])
    return (scale * rng.standard_normal(item.shape)).astype(DTYPES[item.dtype])
