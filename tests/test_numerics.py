"""The bound of a value is sound (no correct evaluation is beyond it) and useful (a small error is)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from conformance.oracle.claims import Failure, Within
from conformance.oracle.claims.values import compare
from conformance.oracle.equations.given import Given
from conformance.oracle.numerics import ULPS, Bounded, Directional, Running
from conformance.oracle.reference import evaluate, values_of
from conformance.oracle.registry import contract_of
from conformance.strategies.boundary import boundary_cases
from conformance.strategies.build import Impossible
from conformance.strategies.random import RandomPick, cases
from conformance.strategies.scenarios import build
from conformance.values import directions, exact

MODULES = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")
SUBJECTS = [(name, layout) for name in MODULES for layout in contract_of(f"torch.nn.{name}").layout_names]
DTYPES = {"float16": np.float16, "float32": np.float32, "float64": np.float64, "bfloat16": ml_dtypes.bfloat16}
some = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class Rounded:
    """An honest device: every operation rounds to the dtype, sums are added up in an order of its own, and functions
    are off by as much as vector libraries state. It has the methods of :class:`Running` and carries no bounds."""

    dtype: str
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def round(self, array: np.ndarray) -> np.ndarray:
        return array.astype(DTYPES[self.dtype]).astype(np.float64)

    def deepen(self, roundings: int) -> None:
        pass

    def given(self, array: np.ndarray, toward: np.ndarray | None = None) -> Bounded:
        return Bounded(array, array)

    weight = Running.weight

    def dot(self, x: Bounded, w, terms: int) -> Bounded:
        products = self.round(x.value[..., :, None] * w.value[..., None, :, :])
        order = self.rng.permutation(products.shape[-2])
        total = np.zeros_like(products[..., 0, :])
        for place in order:
            total = self.round(total + products[..., place, :])
        return self.given(total)

    def sum(self, *parts: Bounded) -> Bounded:
        total = parts[0].value
        for part in parts[1:]:
            total = self.round(total + part.value)
        return self.given(total)

    def bias(self, x: Bounded, terms: int) -> Bounded:
        return x

    def _function(self, values: np.ndarray, roundoffs: float) -> Bounded:
        unit = Running(self.dtype).unit
        off = 1 + (roundoffs - 1) * unit * self.rng.uniform(-1, 1, values.shape)
        return self.given(self.round(values * off))

    def sigmoid(self, z: Bounded) -> Bounded:
        exponential = self._function(np.exp(-z.value), ULPS)
        return self.given(self.round(1 / self.round(1 + exponential.value)))

    def tanh(self, z: Bounded) -> Bounded:
        return self._function(np.tanh(z.value), ULPS)

    def relu(self, z: Bounded) -> Bounded:
        return self.given(np.maximum(z.value, 0))

    def times(self, a: Bounded, b: Bounded) -> Bounded:
        return self.given(self.round(a.value * b.value))

    def plus(self, a: Bounded, b: Bounded) -> Bounded:
        return self.given(self.round(a.value + b.value))

    def one_minus(self, a: Bounded) -> Bounded:
        return self.given(self.round(1 - a.value))

    def scaled(self, x: Bounded, factor: float) -> Bounded:
        return self.given(self.round(x.value * factor))


class RoundedDirectional(Directional):
    """The derivative as an honest device computes it: what each operation gives is rounded."""

    def _rounded(self, found: Bounded) -> Bounded:
        tangent = found.tangent.astype(DTYPES[self.dtype]).astype(np.float64)
        return Bounded(found.value, found.error, tangent, found.slope, found.drift)

    def __init__(self, dtype: str) -> None:
        super().__init__(dtype)
        self.dtype = dtype

    def dot(self, x, w, terms):
        return self._rounded(super().dot(x, w, terms))

    def _through(self, z, plain, factor, error):
        return self._rounded(super()._through(z, plain, factor, error))

    def times(self, a, b):
        return self._rounded(super().times(a, b))

    def plus(self, a, b):
        return self._rounded(super().plus(a, b))


def arrays(contract, case, toward=None):
    """The symbols and the arrays of a case, as the equations take them."""
    env = contract.environment(case.arguments, case.sizes, case.layout)
    made = values_of(contract, case)
    inputs, parameters = ({n: exact(a) for n, a in group.items()} for group in (made.inputs, made.parameters))
    return env, made, Given(env, case.layout, inputs, parameters, case.train, None, toward)


def documented(name: str, layout: str):
    contract = contract_of(f"torch.nn.{name}")
    return cases(contract, layout).map(lambda case: (contract, case))


@pytest.mark.parametrize(("name", "layout"), SUBJECTS)
def test_no_correct_evaluation_is_beyond_the_bound(name: str, layout: str):
    @some
    @given(documented(name, layout), st.integers(0, 2**32))
    def check(found, seed):
        contract, case = found
        env, made, handed = arrays(contract, case)
        expected = evaluate(contract, case, env, made, None)
        assume(expected is not None)
        with np.errstate(all="ignore"):
            rounded = contract.equations(Rounded(case.dtype, np.random.default_rng(seed)), handed)
        for output, value in rounded.items():
            assert not isinstance(compare(output, value.value, expected.outputs[output], case.dtype), Failure)

    check()


@pytest.mark.parametrize(("name", "layout"), SUBJECTS)
def test_no_correct_derivative_is_beyond_the_bound(name: str, layout: str):
    @some
    @given(documented(name, layout))
    def check(found):
        contract, case = found
        assume(case.gradients)
        env, made, _ = arrays(contract, case)
        shapes = {n: a.shape for n, a in {**made.inputs, **made.parameters}.items()}
        toward = directions(case, shapes)
        found = evaluate(contract, case, env, made, None, toward)
        assume(found is not None)
        told = found.derivative(made.cotangents)
        handed = arrays(contract, case, toward)[2]
        with np.errstate(all="ignore"):
            outputs = contract.equations(RoundedDirectional(case.dtype), handed)
        total = sum(float((exact(c) * outputs[n].tangent).sum()) for n, c in made.cotangents.items())
        assert abs(total - told[0]) <= told[1]

    check()


def test_the_derivative_is_that_of_the_values_by_numerical_differences():
    for name, layout in SUBJECTS:
        contract = contract_of(f"torch.nn.{name}")
        for case in [c for c in boundary_cases(contract, layout) if c.gradients and c.dtype == "float64"][:8]:
            env, made, handed = arrays(contract, case)
            toward = directions(case, {n: a.shape for n, a in {**made.inputs, **made.parameters}.items()})
            found = evaluate(contract, case, env, made, None, toward)
            if found is None or env.get("nonlinearity") == "relu":  # a kink between the two ends has no derivative
                continue
            told = found.derivative(made.cotangents)
            ends = []
            for step in (1e-6, -1e-6):
                moved = [{n: a + step * toward[n] for n, a in group.items()} for group in
                         (handed.inputs, handed.parameters)]  # fmt: skip
                outputs = contract.equations(Running("float64"), Given(env, case.layout, *moved, case.train))
                ends.append(sum(float((exact(c) * outputs[n].value).sum()) for n, c in made.cotangents.items()))
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(told[0], rel=1e-4, abs=1e-6), case


def profile(contract) -> list:
    """Cases as a pull-request run has them, from a few seeds."""
    made = []
    for layout in contract.layout_names:
        for seed in range(600):
            with suppress(Impossible):
                made.append(build(contract, layout, RandomPick(Random(seed))))
    return made


@pytest.mark.parametrize("name", MODULES)
def test_an_error_of_eight_roundoffs_is_beyond_the_bound_of_some_case_in_every_dtype(name: str):
    contract = contract_of(f"torch.nn.{name}")
    caught: dict[str, set[type]] = {dtype: set() for dtype in DTYPES}
    for case in profile(contract):
        env, made, _ = arrays(contract, case)
        found = evaluate(contract, case, env, made, None)
        for output, value in found.outputs.items() if found else ():
            wrong = value.value * (1 + 8 * Running(case.dtype).unit)
            caught[case.dtype].add(type(compare(output, wrong, value, case.dtype)))
    assert {dtype: Failure in kinds for dtype, kinds in caught.items()} == dict.fromkeys(DTYPES, True)
    assert {dtype: Within in kinds for dtype, kinds in caught.items()} == dict.fromkeys(DTYPES, True)
