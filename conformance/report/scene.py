"""The tensors of a case as pictures: what went in, what came out or should have, and the parameters."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.cases import Case, Input
from conformance.oracle.claims.claim import named
from conformance.oracle.contract import Contract, Port
from conformance.oracle.expression import expression, shape
from conformance.report.tensors import Axis, Tensor

MOST = 8  # parameters shown: those that differ, and only then others


def inputs(case: Case, contract: Contract) -> list[Tensor]:
    """What the call was given; of what the page excludes, the dimension that it excludes."""
    env = contract.symbols(case)
    drawn = [_input(item, case, contract, env) for item in case.inputs]
    wrong = case.misuse
    names = set(wrong.of.split(", ")) if wrong else set()
    return [replace(one, differs=True, note=wrong.kind.replace("_", " ")) if wrong and one.name in names else one
            for one in drawn]  # fmt: skip


def _input(item: Input, case: Case, contract: Contract, env: Mapping[str, Any]) -> Tensor:
    port = contract.port(item.name)
    note = "" if item.lengths is None else f"lengths {_listed(item.lengths)}"
    if item.dtype != case.dtype and item.kind == "floating":
        note = f"{item.dtype}{f', {note}' if note else ''}"
    if port.each is not None or case.layout not in port.by_layout:
        return Tensor(item.name, _plain(item.shape), note)
    return _tensor(item.name, port.by_layout[case.layout], env, item.shape, note)


def outputs(case: Case, contract: Contract, seen: Mapping[str, Any]) -> list[Tensor]:
    """What came out, beside what the page documents; the latter alone where nothing came out."""
    if case.layout not in contract.layout_names:
        return []
    env, result = contract.symbols(case), seen.get("result")
    found = named(contract.returns, result) if isinstance(result, Mapping) else None
    ports = [port for port in contract.outputs if case.layout in port.by_layout]
    return [_output(port, case.layout, env, found) for port in ports if port.kind(case.layout) != "plain"]


def _output(port: Port, layout: str, env: Mapping[str, Any], found: Mapping[str, Any] | None) -> Tensor:
    documented, told = bool(expression(port.when)(env)), (found or {}).get(port.name)
    if found is not None and (told is None or "shape" not in told):
        items = (told or {}).get("items")
        return Tensor(port.name, [], f"{len(items)} tensors" if items else "", documented and not items, not items)
    if not documented:
        return Tensor(port.name, _plain(told["shape"] if told else ()), "not documented here", bool(told), not told)
    if port.each is not None:
        return Tensor(port.name, _plain(told["shape"] if told else ()), "a list")
    return _tensor(port.name, port.by_layout[layout], env, told["shape"] if told else None)


def parameters(case: Case, contract: Contract, seen: Mapping[str, Any]) -> list[Tensor]:
    """The parameters whose dimensions are not the documented ones."""
    env = contract.symbols(case)
    told = {row[0]: row[1] for row in [*(seen.get("parameters") or ()), *(seen.get("buffers") or ())]}
    if case.layout != "constructor" or not told:
        return []
    expected = contract.expected_parameters(env)
    drawn = [_parameter(name, text.shape, env, sizes, told.get(name)) for name, (text, sizes) in expected.items()]
    extra = [Tensor(name, _plain(told[name]), "not documented here", True) for name in told if name not in expected]
    return [tensor for tensor in [*drawn, *extra] if tensor.wrong][:MOST]


def _parameter(
    name: str, text: str, env: Mapping[str, Any], documented: Sequence[int], sizes: Sequence[int] | None
) -> Tensor:
    if sizes is None:
        return Tensor(name, [], "documented, and not there", True, True)
    if len(sizes) != len(documented):
        return Tensor(name, _plain(sizes), f"not {_listed(documented)}", True)
    names = _names(text, {**env, "k": 0 if "_l0" in name else 1}, len(documented))
    return Tensor(name, [Axis(*one) for one in zip(names, documented, sizes, strict=True)])


def _names(text: str, env: Mapping[str, Any], rank: int) -> list[str]:
    """How the page writes each dimension; of a choice between two shapes, the one that applies."""
    tree = ast.parse(text, mode="eval").body
    while isinstance(tree, ast.IfExp):
        tree = tree.body if expression(ast.unparse(tree.test))(env) else tree.orelse
    nodes = tree.elts if isinstance(tree, ast.Tuple) else [tree]
    return [ast.unparse(node) for node in nodes] if len(nodes) == rank else [""] * rank


def _tensor(name: str, text: str, env: Mapping[str, Any], sizes: Sequence[int] | None, note: str = "") -> Tensor:
    documented = shape(text)
    names, promised = axis_names(text, env), documented(env)
    if sizes is None:
        return Tensor(name, [Axis(n, size, None) for n, size in zip(names, promised, strict=True)], note)
    if len(sizes) != len(promised):
        return Tensor(name, _plain(sizes), f"documented: {text}", True)
    return Tensor(name, [Axis(*one) for one in zip(names, promised, sizes, strict=True)], note)


def axis_names(text: str, env: Mapping[str, Any]) -> list[str]:
    """How the page writes each dimension of this shape."""
    return [part.text for part in shape(text).axes(env)]


def _plain(sizes: Sequence[int]) -> list[Axis]:
    return [Axis("", None, int(size)) for size in sizes]


def _listed(sizes: Sequence[Any]) -> str:
    return f"({', '.join(map(str, sizes))})"
