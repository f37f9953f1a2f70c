"""The values of a case, bit for bit the same on every machine: NumPy's Philox, rounded to the dtype by ml_dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from conformance.cases import Case, Input

DTYPES: dict[str, Any] = {
    "float16": np.float16, "float32": np.float32, "float64": np.float64, "bfloat16": ml_dtypes.bfloat16,
    "int64": np.int64, "bool": np.bool_,
}  # fmt: skip


def generator(seed: int, stream: int) -> np.random.Generator:
    """An independent stream of a case's seed: one for each input, one for the weights."""
    return np.random.Generator(np.random.Philox(key=[seed, stream]))


def values(case: Case, position: int) -> np.ndarray[Any, Any]:
    """The array of the input at this position, in the shape and dtype that the case states."""
    item = case.inputs[position]
    rng = generator(case.seed, position)
    array = _draw(rng, item)
    if item.memory == "expanded" and item.shape and item.shape[0] > 1:
        array = np.broadcast_to(array[:1], item.shape)
    return np.ascontiguousarray(array)


def _draw(rng: np.random.Generator, item: Input) -> np.ndarray[Any, Any]:
    if item.kind == "index":
        return rng.integers(0, max(item.below, 1), item.shape, dtype=np.int64)
    if item.kind == "mask":
        mask = rng.integers(0, 2, item.shape, dtype=np.int64).astype(np.bool_)
        if mask.ndim:
            mask[..., 0:1] = False  # never a row in which everything is masked: its softmax is 0/0
        return mask
    return rng.standard_normal(item.shape).astype(DTYPES[item.dtype])


def weights(case: Case, shapes: Sequence[tuple[int, ...]]) -> bytes:
    """The values of all parameters in one stream of the case's dtype, uniform in (-1/2, 1/2)."""
    count = sum(int(np.prod(shape)) for shape in shapes)
    return (generator(case.seed, 1_000).random(count) - 0.5).astype(DTYPES[case.dtype]).tobytes()
