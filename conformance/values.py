"""The values of a case, bit for bit the same on every machine: NumPy's Philox, rounded to the dtype by ml_dtypes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from conformance.cases import Case, Input

DTYPES: dict[str, Any] = {
    "float16": np.float16, "float32": np.float32, "float64": np.float64, "bfloat16": ml_dtypes.bfloat16,
    "int64": np.int64, "bool": np.bool_,
}  # fmt: skip


def blobs(case: Case, parameters: Sequence[tuple[int, ...]]) -> list[bytes]:
    """The bytes of all parameters in one stream, then those of each input, in the dtypes that the case states."""
    rng = np.random.Generator(np.random.Philox(key=case.seed))
    arrays = [_weights(rng, case, parameters), *(_values(rng, item) for item in case.inputs)]
    return [array.tobytes() for array in arrays]


def _weights(rng: np.random.Generator, case: Case, shapes: Sequence[tuple[int, ...]]) -> np.ndarray[Any, Any]:
    """Uniform in (-1/2, 1/2), so that no sum of a test's size saturates a gate."""
    return (rng.random(sum(map(math.prod, shapes))) - 0.5).astype(DTYPES[case.dtype])


def _values(rng: np.random.Generator, item: Input) -> np.ndarray[Any, Any]:
    """The array of an input, in the shape and dtype that the case states; an expanded one repeats its first row."""
    array = _draw(rng, item)
    if item.memory == "expanded" and item.shape and item.shape[0] > 1:
        array = np.broadcast_to(array[:1], item.shape)
    return array


def _draw(rng: np.random.Generator, item: Input) -> np.ndarray[Any, Any]:
    if item.kind == "index":
        return rng.integers(0, max(item.below, 1), item.shape, dtype=np.int64)
    if item.kind == "mask":
        mask = rng.integers(0, 2, item.shape, dtype=np.int64).astype(np.bool_)
        if mask.ndim:
            mask[..., 0:1] = False  # never a row in which everything is masked: its softmax is 0/0
        return mask
    return rng.standard_normal(item.shape).astype(DTYPES[item.dtype])
