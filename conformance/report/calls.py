"""The body of a script that calls a function, or a method of a packed sequence, with torch alone.

Elements are 1, 2, 3, …, so that what is printed shows where each of them went.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from conformance.cases import Case, Input
from conformance.oracle.claims.misuse import HAND_MADE
from conformance.oracle.contract import Contract, Port
from conformance.oracle.expression import call_of, expression
from conformance.report.construction import hand_made, source
from conformance.report.source import ScriptError, arranged, literal
from conformance.wire import to_wire

_COPIED = ("transposed", "sliced")  # memory that is a copy of the tensor of which the gradient is taken
_SHOWN = 24  # elements that are printed


def packs(contract: Contract, case: Case) -> bool:
    """Whether the script needs ``pack_padded_sequence`` to make an input."""
    return any(contract.layout(case.layout).packed == item.name for item in case.inputs)


def calling(contract: Contract, case: Case, device: str, mode: str, modified: Sequence[str]) -> Iterator[str]:
    """The inputs, the call, and what came out of it under the documented names."""
    env = contract.symbols(case)
    packed = contract.layout(case.layout).packed
    for item in case.inputs:
        yield f"{item.name} = {_input(item, device)}"
        if case.gradients and item.kind == "floating":
            yield f"{(leaf := _leaf(item, contract, case))} = {item.name}.detach().requires_grad_()"
            if leaf != item.name:
                yield f"{item.name} = {leaf}{'.clone()' if item.memory in _COPIED else ''}"
        yield from _formed(item, packed == item.name)
        yield from _by_hand(item, case, device)
    watched = [item.name for item in case.inputs if item.name in modified and _is_tensor(item, packed)]
    yield from (f"{name}_before = {name}.clone()" for name in watched)
    outputs = [port for port in contract.outputs if case.layout in port.by_layout]
    names = ", ".join(port.name for port in outputs)
    if mode in ("no_grad", "inference"):
        yield f"with torch.{'no_grad' if mode == 'no_grad' else 'inference_mode'}():"
    yield f"{'    ' * (mode in ('no_grad', 'inference'))}{names} = {_call(contract, case, env, mode, device)}"
    if case.violation or case.misuse:
        yield 'print("observed: accepted")'
    for port in outputs:
        yield from _shown(port, case.layout)
    if case.gradients and mode == "eager" and not case.misuse:
        yield from _differentiated(contract, case, outputs)
    for name in watched:
        same = f"{name}.shape == {name}_before.shape and torch.equal({name}, {name}_before)"
        yield f'print("observed: {name} unchanged:", {same})'
    yield from _beside(contract, case, env)


def _differentiated(contract: Contract, case: Case, outputs: Sequence[Port]) -> Iterator[str]:
    """The gradients where the cotangents are 1, 2, 3, … too: where each of them went."""
    floating = [port for port in outputs if port.kind(case.layout) == "floating"]
    for port in floating:
        data = f"torch.cat({port.name})" if port.each else f"{port.name}.data" if port.packed else port.name
        yield f"outcome = {data}"
        yield "weights = torch.arange(1, outcome.numel() + 1, dtype=outcome.dtype, device=outcome.device)"
        yield "(outcome * weights.view_as(outcome)).sum().backward()"
    for item in case.inputs:
        if item.kind == "floating":
            yield f'print("observed: gradient of {item.name}", {_leaf(item, contract, case)}.grad)'


def _leaf(item: Input, contract: Contract, case: Case) -> str:
    """The name of the tensor of which the gradient is taken, before it becomes a list or is packed."""
    packed = contract.layout(case.layout).packed == item.name
    return f"{item.name}_plain" if packed or item.form == "list" or item.memory in _COPIED else item.name


def _beside(contract: Contract, case: Case, env: Any) -> Iterator[str]:
    """The same call with every argument written out, or what undoes it."""
    if case.twin:
        yield "# The same with every argument by keyword and the documented defaults written out:"
        given = [f"{item.name}={item.name}" for item in case.inputs]
        given += [f"{o.name}={_value(o.name, case.options.get(o.name, o.default))}" for o in contract.options]
        yield f'print("explicit:", {contract.module}({", ".join(given)}))'
    inverse = contract.inverse
    if inverse is not None and not (case.violation or case.misuse or case.twin) and expression(inverse.when)(env):
        yield f'print("undone:", {inverse.module}({_undoing(inverse.call, contract, env)}))'


def _undoing(call: str, contract: Contract, env: Any) -> str:
    """The call of the inverse, symbols and options by their values."""
    outputs = {port.name for port in contract.outputs}
    tree = call_of(call)

    def text(node: Any) -> str:
        if isinstance(node, ast.Constant):
            return repr(node.value)
        if node.id in outputs:
            return str(node.id)
        value = env[node.id]
        return f"torch.tensor({list(map(int, value))})" if isinstance(value, tuple) else literal(value)

    return ", ".join([*map(text, tree.args), *(f"{k.arg}={text(k.value)}" for k in tree.keywords)])


def _call(contract: Contract, case: Case, env: Any, mode: str, device: str) -> str:
    if case.misuse:
        args, kwargs = to_wire(contract, case)[0]["call"]
        given = [_node(node, device) for node in args] + [f"{k}={_node(v, device)}" for k, v in kwargs.items()]
        return f"{contract.module}({', '.join(given)})"
    options = [(o.name, _value(o.name, case.options[o.name])) for o in contract.options if o.name in case.options]
    passed = [value for _, value in options[: case.positional]]
    passed += [f"{name}={value}" for name, value in options[case.positional :]]
    names = [item.name for item in case.inputs]
    method = contract.layout(case.layout).method.format_map(env)
    if method and not method.isidentifier():
        raise ScriptError(f"{method[:40]!r} is no method")
    if method.startswith("is_"):
        return f"{names[0]}.{method if method == 'is_cuda' else method + '()'}"
    if method:
        return f"{names[0]}.{method}({', '.join([*names[1:], *passed])})"
    function = f"torch.compile({contract.module})" if mode == "compile" else contract.module
    return f"{function}({', '.join([*names, *passed])})"


def _shown(port: Port, layout: str) -> Iterator[str]:
    name = port.name
    if port.kind(layout) == "plain":
        yield f'print("observed:", {name})'
    elif port.each:
        yield f"for tensor in {name}:"
        yield f'    print("observed: {name}", tuple(tensor.shape), tensor.dtype, tensor.flatten()[:{_SHOWN}].tolist())'
    else:
        data = f"{name}.data" if port.packed else name
        yield f'print("observed: {data}", tuple({data}.shape), {data}.dtype, {data}.flatten()[:{_SHOWN}].tolist())'
    if port.packed and port.kind(layout) != "plain":
        yield f'print("observed: {name}", *{name}[1:])'


# -- misuse ------------------------------------------------------------------------------------------------------------


def _node(node: Any, device: str) -> str:
    """An argument of a misused call: what stands for an input, or a value."""
    if not isinstance(node, Mapping) or "as" not in node or "input" not in node:
        return source(node, device)
    elsewhere = f'to("{"meta" if device == "cpu" else "cpu"}")'
    return _STANDS[node["as"]].format(node["input"], elsewhere=elsewhere)


_STANDS = {
    "numbers": "[t.tolist() for t in {0}]", "ndarray": "numpy.array({0}.tolist())", "alone": "({0},)",
    "number": "1.0", "string": '"tensor"', "none": "None", "list": "{0}.tolist()", "parts": "tuple({0})",
    "tuple": "tuple({0})", "data": "{0}.data", "listed": "[{0}]", "generator": "(t for t in {0})",
    "stacked": "torch.stack(list({0}))", "empty": "[]", "empty one": "{0}", "nested": "[[*{0}]]",
    "with none": "[*{0}[:-1], None]", "other dtype": "[*{0}[:-1], {0}[-1].double()]",
    "other shape": "[*{0}[:-1], {0}[-1][:, :1]]", "other rank": "[*{0}[:-1], {0}[-1][:, 0]]",
    "strings": "[str(n) for n in {0}.tolist()]", "int32": "{0}.int()", "whole": "{0}.float()",
    "negative": "torch.cat([torch.full_like({0}[:1], -1), {0}[1:]])",
    "beyond": "torch.cat([torch.full_like({0}[:1], len({0})), {0}[1:]])",
    "huge": "torch.cat([torch.full_like({0}[:1], 1 << 62), {0}[1:]])",
    "elsewhere": "{0}.{elsewhere}", "other device": "[*{0}[:-1], {0}[-1].{elsewhere}]",
}  # fmt: skip


def _by_hand(item: Input, case: Case, device: str) -> Iterator[str]:
    """A packed sequence with a part that does not belong to it."""
    wrong = case.misuse
    if wrong is None or wrong.of != item.name:
        return
    if wrong.kind == "batch_sizes_kind":
        how = {"elsewhere": "elsewhere", "int32": "int32", "float32": "whole"}[wrong.value]
        sizes = _node({"as": how, "input": f"{item.name}.batch_sizes"}, device)
        yield f"{item.name} = torch.nn.utils.rnn.PackedSequence({item.name}.data, {sizes}, *{item.name}[2:])"
    elif wrong.kind in HAND_MADE:
        yield from hand_made(item.name, {wrong.kind: wrong.value})


# -- inputs ------------------------------------------------------------------------------------------------------------


def _is_tensor(item: Input, packed: str | None) -> bool:
    return item.form == "tensor" and item.name != packed


def _formed(item: Input, packed: bool) -> Iterator[str]:
    """What makes a list or a packed sequence of a tensor."""
    lengths = [int(length) for length in item.lengths or ()]
    if packed:
        how = "" if item.enforce_sorted else ", enforce_sorted=False"
        yield f"{item.name} = pack_padded_sequence({item.name}, torch.tensor({lengths}){how})"
    elif item.form == "list" and item.kind != "lengths":
        yield f"{item.name} = list({item.name}.split({lengths}))"


def _input(item: Input, device: str) -> str:
    if item.kind == "lengths":
        return _lengths(item)
    shape, on = ", ".join(str(int(size)) for size in item.shape), "" if device == "cpu" else f', device="{device}"'
    if item.kind == "permutation":
        return f"torch.arange({math.prod(item.shape)}{on}).flip(0).view({shape or '()'})"
    if item.kind == "index":
        return f"torch.zeros({shape or '()'}, dtype=torch.int64{on})"
    return _elements(item, on)


def _elements(item: Input, on: str) -> str:
    """1, 2, 3, … in the memory that the case says; of a bool every second is true."""

    def made(sizes: tuple[int, ...]) -> str:
        count, view = math.prod(sizes), f".view({', '.join(map(str, sizes)) or '()'})"
        if item.dtype == "bool":
            return f"(torch.arange(1, {count + 1}{on}) % 2 == 0){view}"
        return f"torch.arange(1, {count + 1}, dtype=torch.{item.dtype}{on}){view}"

    return arranged(item, made)


def _lengths(item: Input) -> str:
    """The values of lengths as a list or a tensor; such as are no integers end in a half."""
    half = 0.0 if item.dtype == "int64" else 0.5
    values = np.resize(np.array(item.lengths, np.float64) - half, item.shape)
    text = repr((values if half else values.astype(np.int64)).tolist())
    if item.form == "list":
        return text
    dtype = "" if values.size else ", dtype=torch.int64"
    return f"torch.tensor({text}{dtype}{', device=' + repr('meta') if item.form == 'meta' else ''})"


# -- values ------------------------------------------------------------------------------------------------------------


def _value(name: str, value: Any) -> str:
    return f"torch.{value}" if name == "dtype" and isinstance(value, str) and value.isidentifier() else literal(value)
