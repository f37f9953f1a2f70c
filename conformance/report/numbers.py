"""The part of a script that is about numbers: the weights and inputs of a case, and what its equations make of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from conformance.cases import Case, Input
from conformance.oracle.contract import Contract, Port
from conformance.oracle.equations.given import Outputs
from conformance.oracle.numerics import LARGEST, Array
from conformance.oracle.reference import Evaluated, evaluate, values_of
from conformance.report.construction import rows
from conformance.report.source import sizes
from conformance.report.usages import AS_LEFT, NEGATED
from conformance.values import Values

MOST = 2000  # numbers that a script writes out
_MOST_GRADIENTS = 100  # the equations are evaluated once for each

COMPARE = '''
def compare(name, seen, expected, bounds):
    """Each element beside what the documented equations give and how far rounding may take it from that."""
    if seen is None:
        return print("observed:", name, "none")
    elements = seen.detach().cpu().double().flatten().tolist()
    print("observed:", name, elements)
    for place, (x, y, bound) in enumerate(zip(elements, expected, bounds)):
        verdict = "not compared" if bound is None else "within" if abs(x - y) <= bound else "BEYOND"
        print(f"{name}.flatten()[{place}] = {x}, documented {y}, give or take {bound}: {verdict}")
'''


@dataclass(frozen=True)
class Numbers:
    """The numbers of a case; ``order`` is how a packed input sorts its sequences."""

    contract: Contract
    case: Case
    order: Sequence[int] | None = None

    @cached_property
    def env(self) -> Mapping[str, Any]:
        return self.contract.symbols(self.case)

    @cached_property
    def count(self) -> int:
        """How many numbers the case has."""
        outputs = [self.contract.sizes_of(port, self.case.layout, self.env) for port in self._outputs]
        parameters = [shape for _, shape in self.contract.expected_parameters(self.env).values()]
        return sum(math.prod(shape) for shape in (*outputs, *parameters, *(item.shape for item in self.case.inputs)))

    @property
    def _outputs(self) -> list[Port]:
        return [port for port in self.contract.outputs if self.case.layout in port.by_layout]

    @cached_property
    def values(self) -> Values:
        """The arrays of the case."""
        return values_of(self.contract, self.case)

    @cached_property
    def given(self) -> Values:
        """The arrays that are computed with, after the usage."""
        if self.case.usage not in NEGATED:
            return self.values
        return replace(self.values, parameters={name: -array for name, array in self.values.parameters.items()})

    def _evaluated(self, toward: Mapping[str, Array] | None = None) -> Evaluated | None:
        if self.contract.equations is None or self.case.usage in AS_LEFT or self.case.misuse or self.case.violation:
            return None
        return evaluate(self.contract, self.case, self.env, self.given, self._order, toward)

    @property
    def _order(self) -> Sequence[int] | None:
        lengths = next((item.lengths for item in self.case.inputs if item.lengths is not None), None)
        if lengths is None or self.order is not None:
            return self.order
        return sorted(range(len(lengths)), key=lambda place: -lengths[place])

    @cached_property
    def outputs(self) -> Outputs:
        """What the equations give; nothing where the page leaves it to chance or the target made the weights."""
        found = self._evaluated()
        return found.outputs if found else {}

    # -- what is given -------------------------------------------------------------------------------------------------

    def weights(self, device: str) -> Iterator[str]:
        """The parameters of the case, written into those of the module."""
        if not self.values.parameters:
            return
        yield "weights = {}"
        for name, array in self.values.parameters.items():
            yield from tensor(f'weights["{name}"]', array, self.case.dtype, device)
        yield "with torch.no_grad():"
        yield "    for name, p in module.named_parameters():"
        yield "        p.copy_(weights[name])"

    def input(self, item: Input, name: str, device: str) -> Iterator[str]:
        """An input with its numbers, in the memory that the case says."""
        yield from tensor(name, self.values.inputs[item.name], item.dtype, device)
        yield from _arranged(item, name)

    # -- what comes out ------------------------------------------------------------------------------------------------

    def compared(self, port: str, name: str) -> Iterator[str]:
        """An output beside what the equations give."""
        found = self.outputs.get(port)
        if found is None:
            yield f'print("observed: {name}", {name}.flatten().tolist())'
        else:
            yield from _comparison(name, name, found.value, found.error, self.case.dtype)

    def backward(self, outputs: Mapping[str, str], inputs: Mapping[str, str], device: str) -> Iterator[str]:
        """All outputs, each times its cotangent, differentiated; ``outputs`` and ``inputs`` say what is called how."""
        names = [name for name in self.values.cotangents if name in outputs]
        for name in names:
            yield from tensor(f"d_{name}", self.values.cotangents[name], self.case.dtype, device)
        listed = ", ".join(outputs[name] for name in names)
        yield f"torch.autograd.backward([{listed}], [{', '.join(f'd_{name}' for name in names)}])"
        yield "grads = {name: p.grad for name, p in module.named_parameters()}"
        for name, called in inputs.items():
            yield f'grads["{name}"] = {called}.grad'
        frozen = {} if self.case.usage == "frozen" else self.given.parameters
        arrays = {**{name: self.given.inputs[name] for name in inputs}, **frozen}
        found = self._gradients(arrays)
        for name in found:
            label = f'grads["{name}"]'
            yield from _comparison(f"gradient of {name}", label, *found[name], self.case.dtype)
        if not found:
            yield "for name, g in grads.items():"
            yield '    print("observed: gradient of", name, "none" if g is None else g.flatten().tolist())'

    def _gradients(self, arrays: Mapping[str, Array]) -> Mapping[str, tuple[Array, Array]]:
        """The gradient of each array with its bounds, element by element; none of more than can be had in a second."""
        if sum(array.size for array in arrays.values()) > _MOST_GRADIENTS or not self.outputs:
            return {}
        every = {**self.given.inputs, **self.given.parameters}
        toward = {name: np.zeros(array.shape) for name, array in every.items()}
        found = {name: (np.zeros(array.shape), np.zeros(array.shape)) for name, array in arrays.items()}
        for name, (value, bound) in found.items():
            for place in np.ndindex(value.shape):
                toward[name][place] = 1.0
                evaluated = self._evaluated(toward)
                assert evaluated is not None
                value[place], bound[place] = evaluated.derivative(self.values.cotangents)
                toward[name][place] = 0.0
        return found


def order(seen: Mapping[str, Any]) -> Sequence[int] | None:
    """How the target sorted the sequences of a packed input."""
    packs = (seen.get("packs") or {}).values()
    return next((tuple(pack["sorted_indices"]) for pack in packs if pack.get("sorted_indices")), None)


# -- source ------------------------------------------------------------------------------------------------------------


def tensor(name: str, array: Array, dtype: str, device: str) -> Iterator[str]:
    """``name = torch.tensor(…)`` with every element written out."""
    on = "" if device == "cpu" else f', device="{device}"'
    items = [_element(value, dtype) for value in array.reshape(-1)]
    end = f"], dtype=torch.{dtype}{on}).reshape({sizes(array.shape) or '()'})"
    line = f"{name} = torch.tensor([{', '.join(items)}{end}"
    if len(line) <= 96:
        yield line
        return
    yield f"{name} = torch.tensor(["
    yield from rows(items)
    yield end


def _element(value: Any, dtype: str) -> str:
    """The shortest text that gives the element again: a float32 needs fewer digits than its value in float64."""
    if dtype in ("bool", "int32", "int64"):
        return repr(value.item())
    if dtype == "complex64":
        return repr(complex(value))
    short = str(value) if dtype == "float32" else ""
    return short if short and np.float32(float(short)) == value else _float(float(value))


def _float(value: float) -> str:
    return repr(value) if math.isfinite(value) else f'float("{value}")'


def _comparison(name: str, seen: str, value: Array, bound: Array, dtype: str) -> Iterator[str]:
    value, bound = value.reshape(-1), bound.reshape(-1)
    comparable = (np.abs(value) + bound < LARGEST[dtype]) & np.isfinite(bound)
    bounds = [_float(float(b)) if good else "None" for b, good in zip(bound, comparable, strict=True)]
    yield f'compare("{name}", {seen}, ['
    yield from rows(_float(float(v)) for v in value)
    yield "], ["
    yield from rows(bounds)
    yield "])"


def _arranged(item: Input, name: str) -> Iterator[str]:
    rank = len(item.shape)
    if item.memory == "transposed" and rank > 1:
        yield f"{name} = {name}.transpose(0, -1).contiguous().transpose(0, -1)"
    if item.memory == "sliced" and rank:
        yield f"wide = {name}.new_zeros({sizes((*item.shape[:-1], 2 * item.shape[-1] + 1))})"
        yield f"wide[..., 1::2] = {name}"
        yield f"{name} = wide[..., 1::2]"
    if item.memory == "expanded" and rank and item.shape[0] > 1:
        yield f"{name} = {name}[:1].clone().expand({sizes(item.shape)})"
