"""Where in a tensor the error of a value exceeds its bound, small enough to be kept with a discrepancy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from conformance.oracle.numerics import Array

LONGEST = 64  # places along an axis that are told one by one
_LARGEST = 1e30  # JSON has no infinity


def beyond(name: str, ratio: Array) -> dict[str, Any]:
    """The worst element, how many are beyond their bounds, and the worst at each place of every axis."""
    place = np.unravel_index(int(ratio.argmax()), ratio.shape)
    return {
        "of": name,
        "shape": list(ratio.shape),
        "place": [int(index) for index in place],
        "ratio": rounded(float(ratio.max())),
        "beyond": int((ratio > 1).sum()),
        "axes": [_profile(ratio, axis) for axis in range(ratio.ndim)],
    }


def _profile(ratio: Array, axis: int) -> list[float]:
    if ratio.shape[axis] > LONGEST:
        return []
    others = tuple(other for other in range(ratio.ndim) if other != axis)
    return [rounded(float(worst)) for worst in ratio.max(axis=others)]


def rounded(ratio: float) -> float:
    """Three digits of a ratio; an infinite one is a very large one."""
    return float(f"{min(ratio, _LARGEST):.3g}") if not math.isnan(ratio) else _LARGEST
