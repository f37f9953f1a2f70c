"""A case in the form in which it goes to a target: JSON for the agent, the bytes of its tensors beside it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from typing import Any

from conformance.cases import Case
from conformance.oracle.contract import Contract
from conformance.oracle.expression import expression
from conformance.oracle.reference import values_of


def to_wire(contract: Contract, case: Case) -> tuple[dict[str, Any], list[bytes]]:
    """What the agent needs to execute the case, without knowing any contract: the contract as its release has it."""
    if contract.function:
        return _function(contract, case)
    passed = {name: _argument(name, case.arguments[name], case) for name in contract.ordered(case.arguments)}
    names = list(passed)
    wire: dict[str, Any] = {
        "module": case.module,
        "args": [passed[name] for name in names[: case.positional]],
        "kwargs": {name: passed[name] for name in names[case.positional :]},
        "twin": _explicit(contract, case) if case.twin else None,
        "dtype": case.dtype,
        "draws": case.draws,
        "call": None,
    }
    if case.layout == "constructor":
        return wire, []
    wire["train"] = case.train
    wire["inputs"] = [
        {"name": i.name, "shape": i.shape, "dtype": i.dtype, "memory": i.memory, "lengths": i.lengths,
         "enforce_sorted": i.enforce_sorted}
        for i in case.inputs
    ]  # fmt: skip
    wire["call"] = _call(contract.call, case)
    wire["usage"] = case.usage
    wire["gradients"] = case.gradients
    made = values_of(contract, case)
    wire["parameters"] = {name: array.size for name, array in made.parameters.items()}
    return wire, made.blobs


def _argument(name: str, value: Any, case: Case) -> Any:
    if name == "dtype" and value is not None:
        return {"dtype": value}
    if name == "device" and value is not None:
        return {"device": "target"}
    if isinstance(value, Mapping) and "tensor" in value:
        return {**value, "of": case.dtype}
    return value


def _explicit(contract: Contract, case: Case) -> dict[str, Any]:
    """Every argument by keyword, documented defaults written out: the construction that all others must equal."""
    full = {a.name: case.arguments.get(a.name, a.default) for a in contract.arguments}
    return {name: _argument(name, value, case) for name, value in full.items()}


@cache
def _parsed(call: str) -> ast.Call:
    return ast.parse(f"f({call})", mode="eval").body  # type: ignore[return-value]


def _call(call: str, case: Case) -> list[Any]:
    """Positional arguments and keywords of the call; what is not given is left out at the end, None in between."""
    given = {item.name for item in case.inputs}
    tree = _parsed(call)
    args = [_node(node, given) for node in tree.args]
    while args and args[-1] is None:
        args.pop()
    kwargs = {str(k.arg): _node(k.value, given) for k in tree.keywords}
    return [args, {k: v for k, v in kwargs.items() if v is not None} | dict(case.options)]


def _node(node: ast.expr, given: set[str]) -> Any:
    if isinstance(node, ast.Tuple):
        items = [_node(item, given) for item in node.elts]
        return None if all(item is None for item in items) else items
    name = node.id  # type: ignore[attr-defined]
    return {"input": name} if name in given else None


# -- functions ---------------------------------------------------------------------------------------------------------


def _function(contract: Contract, case: Case) -> tuple[dict[str, Any], list[bytes]]:
    """What the agent needs to call a function, or a method of its first input."""
    env = contract.environment(case.options, case.sizes, case.layout)
    options = {a.name: _argument(a.name, case.options[a.name], case) for a in contract.options
               if a.name in case.options}  # fmt: skip
    names = list(options)
    args = [{"input": item.name} for item in case.inputs] + [options[name] for name in names[: case.positional]]
    explicit = {item.name: {"input": item.name} for item in case.inputs} | {
        a.name: _argument(a.name, case.options.get(a.name, a.default), case) for a in contract.options
    }
    wire = {
        "module": case.module,
        "function": True,
        "method": contract.layout(case.layout).method.format_map(env),
        "dtype": case.dtype,
        "inputs": [vars(item) for item in case.inputs],
        "call": [args, {name: options[name] for name in names[case.positional :]}],
        "twin": explicit if case.twin else None,
        "inverse": _inverse(contract, case, env),
        "gradients": case.gradients,
    }
    return wire, values_of(contract, case).blobs


def _inverse(contract: Contract, case: Case, env: Mapping[str, Any]) -> Any:
    """The call of the inverse: outputs by their place in the result, symbols as numbers."""
    inverse = contract.inverse
    if inverse is None or case.twin or case.violation or not expression(inverse.when)(env):
        return None
    outputs = [port.name for port in contract.outputs]

    def node(tree: Any) -> Any:
        if isinstance(tree, ast.Constant):
            return tree.value
        if tree.id in outputs:
            return {"output": outputs.index(tree.id) if len(outputs) > 1 else None}
        value = env[tree.id]
        return {"integers": value} if isinstance(value, tuple) else value

    call = _parsed(inverse.call)
    return [inverse.module, [node(arg) for arg in call.args], {str(k.arg): node(k.value) for k in call.keywords}]
