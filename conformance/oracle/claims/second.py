"""Second derivatives: those of torch against differences of the first ones of the documented equations.

Only in float64, where the two ways agree to many digits. Half the sum of the squares of all outputs is differentiated
twice as inputs and parameters grow in proportion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from conformance.oracle.claims.claim import Evidence, Failure, Judgement, Within
from conformance.oracle.numerics import Array
from conformance.oracle.reference import evaluate

# A central difference over STEP is off by a multiple of STEP squared, over half of it by a quarter of that: so their
# distance is three quarters of the error of the first, and the extrapolated value is off by less than that unless the
# terms of fourth order, STEP squared times smaller, prevail: those are below what roundings are granted here.
STEP = 2.0**-14
ROUNDED = 16.0  # how many bounds of a first derivative the shifted points, and torch's own way, may add


def curvature(e: Evidence) -> Judgement:
    """Whether the second derivative that the target told is that of the equations."""
    if "gradients" not in e.seen:
        return False
    if not e.seen["told"]:
        return "unsupported"
    found = float(e.array(e.seen["told"][0]))
    expected, bound = _extrapolated(e)
    if not math.isfinite(bound):
        return False
    error = abs(found - expected)
    if error <= bound:
        return Within(error / bound if bound else 0.0)
    return Failure(
        f"the second derivative of half the sum of the squares of all outputs, as inputs and parameters grow in "
        f"proportion, is {expected:.9g}, give or take {bound:.1e}",
        f"{found:.9g}, an error of {error / bound if bound else math.inf:.3g} bounds",
        "silent",
    )


def _extrapolated(e: Evidence) -> tuple[float, float]:
    """Richardson's extrapolation of two central differences, and how far off it may be."""
    wide, rounded = _difference(e, STEP)
    narrow, more = _difference(e, STEP / 2)
    return (4 * narrow - wide) / 3, abs(narrow - wide) + ROUNDED * (rounded + more)


def _difference(e: Evidence, step: float) -> tuple[float, float]:
    (ahead, one), (behind, two) = _slope(e, 1 + step), _slope(e, 1 - step)
    return (ahead - behind) / (2 * step), (one + two) / (2 * step)


def _slope(e: Evidence, scale: float) -> tuple[float, float]:
    """The first derivative where everything has been multiplied by ``scale``, and its bound."""
    here, toward = e.values, {**e.values.inputs, **e.values.parameters}
    given = replace(here, inputs=_scaled(here.inputs, scale), parameters=_scaled(here.parameters, scale))
    found = evaluate(e.contract, e.case, e.env, given, e.order, toward)
    assert found is not None
    value = bound = 0.0
    with np.errstate(all="ignore"):
        for out in found.outputs.values():
            value += float((out.value * out.tangent).sum())
            error = np.abs(out.value) * (out.drift + found.relative * out.slope) + out.error * np.abs(out.tangent)
            bound += float(error.sum())
    return value, bound


def _scaled(arrays: Mapping[str, Array], scale: float) -> dict[str, Array]:
    return {name: array * scale for name, array in arrays.items()}
