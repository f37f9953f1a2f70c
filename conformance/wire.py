"""A case in the form in which it goes to a target: JSON for the agent, the bytes of its tensors beside it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from conformance.cases import Case, Misuse
from conformance.oracle.claims.misuse import HAND_MADE
from conformance.oracle.contract import REQUIRED, Contract
from conformance.oracle.expression import call_of, expression
from conformance.oracle.reference import values_of

TOO_MANY = 24  # positional arguments: no module takes so many


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
    if case.misuse:
        _pass_wrong(contract, case, wire)
    if case.layout == "constructor":
        return wire, []
    wire["train"] = case.train
    wire["inputs"] = [
        {"name": i.name, "shape": i.shape, "dtype": i.dtype, "memory": i.memory, "lengths": i.lengths,
         "enforce_sorted": i.enforce_sorted}
        for i in case.inputs
    ]  # fmt: skip
    wire["call"] = _call(contract.call, case)
    if case.misuse:
        _call_wrong(contract, case, wire)
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


def _call(call: str, case: Case) -> list[Any]:
    """Positional arguments and keywords of the call; what is not given is left out at the end, None in between."""
    given = {item.name for item in case.inputs}
    tree = call_of(call)
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


# -- misuse ------------------------------------------------------------------------------------------------------------


def _pass_wrong(contract: Contract, case: Case, wire: dict[str, Any]) -> None:
    """The arguments of the constructor with what is wrong of them."""
    assert case.misuse is not None
    args, kwargs, wrong = wire["args"], wire["kwargs"], case.misuse
    wire["described"] = wrong.kind in ("excluded", "constraint", "alike")
    if wire["described"]:
        place = contract.ordered(case.arguments).index(wrong.of)
        args, kwargs = [*args], {**kwargs}
        if place < len(args):
            args[place] = wrong.value
        else:
            kwargs[wrong.of] = wrong.value
    elif wrong.of == "constructor":
        args, kwargs = _signed_wrong(contract, case, wrong.kind, kwargs)
    wire["args"], wire["kwargs"] = args, kwargs


def _signed_wrong(
    contract: Contract, case: Case, kind: str, kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    explicit = _explicit(contract, case)
    if kind == "keyword":
        return [], {**kwargs, "no_such_argument": 1}
    if kind == "positional":
        known = [explicit[a.name] for a in contract.arguments if a.by_position is not None]
        return known + [1] * TOO_MANY, {}  # behind those of the page there may be others that it does not show
    required = [a.name for a in contract.arguments if a.default is REQUIRED]
    if kind == "twice":
        return [explicit[required[0]]], kwargs
    return [], {name: value for name, value in kwargs.items() if name != required[-1]}


def _call_wrong(contract: Contract, case: Case, wire: dict[str, Any]) -> None:
    """The call with what is wrong of it."""
    assert case.misuse is not None
    wrong, (args, kwargs) = case.misuse, wire["call"]
    first = {"input": case.inputs[0].name}
    if wrong.of == "call":
        args, kwargs = {
            "keyword": (args, {**kwargs, "no_such_input": first}),
            "positional": ([first] * TOO_MANY, kwargs),
            "missing": ([], kwargs),
        }[wrong.kind]
    elif wrong.kind == "type":
        args, kwargs = _replaced([args, kwargs], {"input": wrong.of}, _no_tensor(wrong))
    elif wrong.kind == "device":
        args, kwargs = _replaced([args, kwargs], {"input": wrong.of}, {"as": "elsewhere", "input": wrong.of})
    elif wrong.kind == "nesting":
        group = [{"input": name} for name in wrong.of.split(", ")]
        args, kwargs = _replaced([args, kwargs], group, _nested(group, wrong.value))
    wire["call"] = [args, kwargs]
    for item in wire["inputs"]:
        if wrong.of == item["name"] and wrong.kind in HAND_MADE:
            item["hand_made"] = {wrong.kind: wrong.value}


def _no_tensor(wrong: Misuse) -> Any:
    node = {"input": wrong.of}
    plain: dict[str, Any] = {"tuple": [node], "number": 1.0, "string": "tensor", "none": None}
    return plain.get(wrong.value, {"as": wrong.value, "input": wrong.of})


def _nested(group: list[Any], how: str) -> Any:
    """Some tensors in another container than a tuple, or in another number."""
    return {
        "list": {"as": "items", "items": group},
        "stacked": {"as": "stacked", "items": group},
        "repeated": {"as": "repeated", "items": group},
        "fewer": group[:-1],
        "more": [*group, group[-1]],
        "alone": group[0],
        "nested": [group],
        "empty": [],
    }[how]


def _replaced(node: Any, old: Any, new: Any) -> Any:
    """The call with one node of it replaced."""
    if node == old:
        return new
    if isinstance(node, list):
        return [_replaced(item, old, new) for item in node]
    return {k: _replaced(v, old, new) for k, v in node.items()} if isinstance(node, dict) else node


# -- functions ---------------------------------------------------------------------------------------------------------


def _function(contract: Contract, case: Case) -> tuple[dict[str, Any], list[bytes]]:
    """What the agent needs to call a function, or a method of its first input."""
    env = contract.symbols(case)
    options = {a.name: _argument(a.name, case.options[a.name], case) for a in contract.options
               if a.name in case.options}  # fmt: skip
    names = list(options)
    args = [{"input": item.name} for item in case.inputs] + [options[name] for name in names[: case.positional]]
    explicit = {item.name: {"input": item.name} for item in case.inputs} | {
        a.name: _argument(a.name, case.options.get(a.name, a.default), case) for a in contract.options
    }
    kwargs = {name: options[name] for name in names[case.positional :]}
    wire = {
        "module": case.module,
        "function": True,
        "method": contract.layout(case.layout).method.format_map(env),
        "dtype": case.dtype,
        "inputs": [vars(item) for item in case.inputs],
        "call": _miscall(case.misuse, args, kwargs) if case.misuse else [args, kwargs],
        "twin": explicit if case.twin else None,
        "inverse": _inverse(contract, case, env),
        "gradients": case.gradients,
    }
    if case.misuse:
        wire["inputs"] = [_with_parts(item, case.misuse) for item in wire["inputs"]]
    return wire, values_of(contract, case).blobs


def _miscall(wrong: Misuse, args: list[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The call of a function with what is wrong of it."""
    if wrong.of == "call":
        return {
            "keyword": [args, {**kwargs, "no_such_argument": 1}],
            "positional": [args[:1] * TOO_MANY, {}],
            "twice": [args, {**kwargs, wrong.value: args[0]}],
            "missing": [args[:-1], kwargs],
        }[wrong.kind]
    if wrong.kind in ("excluded", "alike", "nan"):
        return [args, {**kwargs, wrong.of: {"as": "nan"} if wrong.kind == "nan" else wrong.value}]
    if wrong.kind in ("type", "absent"):
        node = {"as": "none" if wrong.kind == "absent" else wrong.value, "input": wrong.of}
        return list(_replaced([args, kwargs], {"input": wrong.of}, node))
    return [args, kwargs]


def _with_parts(item: Mapping[str, Any], wrong: Misuse) -> Mapping[str, Any]:
    """An input with the parts of a packed sequence that were made by hand."""
    made = {"batch_sizes": {"as": wrong.value}} if wrong.kind == "batch_sizes_kind" else {wrong.kind: wrong.value}
    by_hand = item["name"] == wrong.of and wrong.kind in ("batch_sizes_kind", *HAND_MADE)
    return {**item, "hand_made": made} if by_hand else item


def _inverse(contract: Contract, case: Case, env: Mapping[str, Any]) -> Any:
    """The call of the inverse: outputs by their place in the result, symbols as numbers."""
    inverse = contract.inverse
    if inverse is None or case.twin or case.violation or case.misuse or not expression(inverse.when)(env):
        return None
    outputs = [port.name for port in contract.outputs]

    def node(tree: Any) -> Any:
        if isinstance(tree, ast.Constant):
            return tree.value
        if tree.id in outputs:
            return {"output": outputs.index(tree.id) if len(outputs) > 1 else None}
        value = env[tree.id]
        return {"integers": value} if isinstance(value, tuple) else value

    call = call_of(inverse.call)
    return [inverse.module, [node(arg) for arg in call.args], {str(k.arg): node(k.value) for k in call.keywords}]
