"""The part of a script that makes a module, and nodes of a case's wire form as source."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conformance.cases import Case
from conformance.oracle.contract import Contract
from conformance.report import draws
from conformance.report.source import ScriptError, literal, sizes
from conformance.wire import to_wire

_WIDTH = 96
_LARGEST = 10_000_000  # elements: more than any case has, and few enough to be held
_KEPT = "batch_sizes", "sorted_indices", "unsorted_indices"


def wired(contract: Contract, case: Case) -> Mapping[str, Any]:
    """What is passed to the constructor and to the call, as the target gets it."""
    env = contract.symbols(case)
    shapes = [item.shape for item in case.inputs]
    if case.layout != "constructor":
        shapes += [shape for _, shape in contract.expected_parameters(env).values()]
    if sum(map(math.prod, shapes)) > _LARGEST:
        raise ScriptError("a case of this size is none that was run")
    return to_wire(contract, case)[0]


def construction(contract: Contract, case: Case, device: str) -> Iterator[str]:
    """The construction and what came of it, beside the same with every argument written out."""
    wire = wired(contract, case)
    lines = list(constructor(case.module, wire, device))
    yield from draws.made(case.draws, lines) if case.draws else lines
    yield 'print("observed:", module)'
    yield "for name, tensor in [*module.named_parameters(), *module.named_buffers()]:"
    yield '    print("observed:", name, tuple(tensor.shape), tensor.dtype, tensor.device)'
    if case.twin:
        yield "# The same with every argument by keyword and the documented defaults written out:"
        yield from assigned("explicit", case.module, _keywords(wire["twin"], device))
        yield 'print("explicit:", explicit)'
        yield "for name, value in vars(explicit).items():"
        yield '    if not name.startswith("_") and repr(getattr(module, name, None)) != repr(value):'
        yield '        print("differs:", name, "is", getattr(module, name, None), "and explicitly", value)'


def constructor(module: str, wire: Mapping[str, Any], device: str, name: str = "module") -> Iterator[str]:
    """The constructor exactly as the case calls it."""
    given = [source(node, device) for node in wire["args"]]
    return assigned(name, module, [*given, *_keywords(wire["kwargs"], device)])


def _keywords(arguments: Mapping[str, Any], device: str) -> list[str]:
    return [f"{name}={source(node, device)}" for name, node in arguments.items()]


def assigned(name: str, function: str, arguments: list[str]) -> Iterator[str]:
    """``name = function(arguments)`` on one line, or on several where it is long."""
    line = f"{name} = {function}({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"{name} = {function}("
    yield from rows(arguments)
    yield ")"


def rows(items: Iterable[str]) -> Iterator[str]:
    """Indented lines of items, each followed by a comma."""
    row = ""
    for item in items:
        if row and len(row) + len(item) > _WIDTH:
            yield row
            row = ""
        row = f"{row} {item}," if row else f"    {item},"
    if row:
        yield row


# -- nodes -------------------------------------------------------------------------------------------------------------


def source(node: Any, device: str) -> str:
    """A node of the wire form as source: an input by its name, a tuple, what JSON has not, or a plain value."""
    if isinstance(node, (list, tuple)):
        items = [source(item, device) for item in node]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if not isinstance(node, Mapping):
        return literal(node)
    if "as" in node:
        return _passed(node, device) if "input" in node or "items" in node else _made(node)
    if "input" in node:
        return str(node["input"])
    if "dtype" in node:
        return f"torch.{_identifier(node['dtype'])}"
    return f'"{device}"' if "device" in node else ones(node["tensor"], node["of"], device)


def _made(node: Mapping[str, Any]) -> str:
    """A value that JSON has not."""
    kind, value = str(node["as"]), node.get("value")
    if kind in ("nan", "inf"):
        return f'float("{kind}")'
    if kind == "numpy":
        return f"numpy.{_identifier(node['of'])}({literal(value)})"
    if kind == "dtype":
        return f"torch.{_identifier(value)}"
    if kind == "complex" and isinstance(value, tuple):
        return f"complex({', '.join(map(literal, value))})"
    if kind == "list" and isinstance(value, tuple):
        return f"[{', '.join(map(literal, value))}]"
    if kind in ("tensor", "device"):
        return f"torch.{kind}({literal(value)})"
    raise ScriptError(f"{kind[:40]!r} is nothing that is passed")


def _passed(node: Mapping[str, Any], device: str) -> str:
    """What stands for a tensor, or for several."""
    kind = node["as"]
    if "items" in node:
        tensors = f"[{', '.join(source(item, device) for item in node['items'])}]"
        if kind == "repeated":
            tensors = f"[t.expand(t.shape[-1], *t.shape) for t in {tensors}]"
        return tensors if kind == "items" else f"torch.stack({tensors})"
    name = str(node["input"])
    if kind in ("list", "ndarray"):
        return f"{name}.tolist()" if kind == "list" else f"numpy.array({name}.tolist())"
    return f'{name}.to("{"meta" if device == "cpu" else "cpu"}")'


def hand_made(name: str, changed: Mapping[str, Any]) -> Iterator[str]:
    """A packed sequence with other batch sizes or indices than those that belong to it."""
    parts = {part: f"{part}={name}.{part}" for part in _KEPT}
    parts |= {part: f"{part}=torch.tensor({literal(value)})" for part, value in changed.items() if part in _KEPT}
    yield from assigned(name, "torch.nn.utils.rnn.PackedSequence", [f"{name}.data", *parts.values()])


def _identifier(text: Any) -> str:
    if not isinstance(text, str) or not text.isidentifier() or not text.isascii():
        raise ScriptError(f"{str(text)[:40]!r} is no name")
    return text


# -- tensors without values --------------------------------------------------------------------------------------------


def ones(shape: Iterable[Any], dtype: str, device: str) -> str:
    """A tensor of ones."""
    return _filled("ones", shape, dtype, device)


def zeros(shape: Iterable[Any], dtype: str, device: str) -> str:
    """Zero is in the range of every index, and a mask of zeros hides nothing."""
    return _filled("zeros", shape, dtype, device)


def _filled(function: str, shape: Iterable[Any], dtype: str, device: str) -> str:
    rest = "" if dtype == "float32" else f", dtype=torch.{dtype}"
    rest += "" if device == "cpu" else f', device="{device}"'
    return f"torch.{function}({sizes(shape) or '()'}{rest})"
