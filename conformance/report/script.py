"""A case as a script that needs torch alone: what a person pastes into an issue upstream."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.cases import Case, Input
from conformance.oracle.contract import Contract, Port
from conformance.oracle.expression import expression
from conformance.report import draws
from conformance.report.calls import calling, packs
from conformance.report.source import ScriptError, literal
from conformance.values import DTYPES

_FACTORY = ("device", "dtype")
_WIDTH = 96
_DEVICE = re.compile(r"[a-z][a-z0-9_]*(:\d+)?")
_MODES = {"no_grad": "with torch.no_grad():", "inference": "with torch.inference_mode():"}


def torch_only(
    contract: Contract,
    case: Case,
    *,
    expected: str = "",
    observed: str = "",
    device: str = "cpu",
    mode: str = "eager",
    modified: Sequence[str] = (),
) -> str:
    """A script that repeats the case and prints what is documented beside what is observed.

    ``expected`` is what the documentation promises (its output shapes, where empty); ``observed`` goes into a comment.
    ``modified`` names inputs that the call changed, so that the script shows it.
    """
    _check(contract, case, device)
    case = in_order(contract, case)
    body = _body(contract, case, device, mode, modified)
    lines = [
        "import torch",
        *_imports(contract, case),
        "",
        *([f"# Observed when this was reported: {_one_line(observed)}"] if observed else []),
        'print("torch", torch.__version__)',
        f'print("documented:", {_text(expected or _promised(contract, case))})',
        "try:",
        *(f"    {line}" for line in body),
        "except Exception as error:",
        '    print("observed:", type(error).__name__, "-", error)',
    ]
    return "\n".join(lines) + "\n"


def _body(contract: Contract, case: Case, device: str, mode: str, modified: Sequence[str]) -> Iterator[str]:
    if contract.function:
        return calling(contract, case, device, mode, modified)
    if case.layout == "constructor":
        return _construction(contract, case, device)
    return _calling(contract, case, device, mode, modified)


def _check(contract: Contract, case: Case, device: str) -> None:
    """Every name that reaches the script must be one that the contract knows: a run file may come from anywhere."""
    names = {a.name for a in (*contract.arguments, *contract.options)} | {port.name for port in contract.inputs}
    used = {*case.arguments, *case.options, *(item.name for item in case.inputs)}
    dtypes = {case.dtype, *(item.dtype for item in case.inputs)}
    if case.module != contract.module or not used <= names or not dtypes <= DTYPES.keys():
        raise ScriptError(f"the case does not fit the contract of {contract.module}")
    if case.layout not in ("constructor", *contract.layout_names) or not _DEVICE.fullmatch(device):
        raise ScriptError(f"{case.layout!r} on {device!r} is no documented way to use {contract.module}")


def in_order(contract: Contract, case: Case) -> Case:
    """The case with its arguments in the order of the signature: JSON with sorted keys forgets it."""
    arguments = {name: case.arguments[name] for name in contract.ordered(case.arguments)}
    options = {a.name: case.options[a.name] for a in contract.options if a.name in case.options}
    return replace(case, arguments=arguments, options=options)


def _imports(contract: Contract, case: Case) -> Iterator[str]:
    package = contract.module.rpartition(".")[0]
    if package.partition(".")[0] != "torch":
        yield f"import {package}"
    if packs(contract, case) if contract.function else any(item.lengths is not None for item in case.inputs):
        yield "from torch.nn.utils.rnn import pack_padded_sequence"


def _promised(contract: Contract, case: Case) -> str:
    """What the page says of this case, where no claim in particular is meant."""
    if case.violation:
        return "an error"
    if case.layout == "constructor":
        return "the documented arguments are accepted"
    env = _env(contract, case)
    shapes = (
        f"{port.name} {port.by_layout[case.layout]} = {contract.sizes_of(port, case.layout, env)}"
        for port in _returned(contract, case)
    )
    return ", ".join(shapes)


def _env(contract: Contract, case: Case) -> dict[str, Any]:
    return contract.environment({**case.arguments, **case.options}, case.sizes, case.layout)


def _returned(contract: Contract, case: Case) -> list[Port]:
    """The outputs that the page documents for this configuration."""
    env = _env(contract, case)
    return [p for p in contract.outputs if case.layout in p.by_layout and expression(p.when)(env)]


# -- constructing ----------------------------------------------------------------------------------------------------


def _construction(contract: Contract, case: Case, device: str) -> Iterator[str]:
    constructor = list(_constructor(contract, case, device))
    yield from draws.made(case.draws, constructor) if case.draws else constructor
    yield 'print("observed:", module)'
    yield "for name, tensor in [*module.named_parameters(), *module.named_buffers()]:"
    yield '    print("observed:", name, tuple(tensor.shape), tensor.dtype, tensor.device)'
    if case.twin:
        yield "# The same with every argument by keyword and the documented defaults written out:"
        yield from _assigned("explicit", contract.module, _keywords(_explicit(contract, case), case, device))
        yield 'print("explicit:", explicit)'
        yield "for name, value in vars(explicit).items():"
        yield '    if not name.startswith("_") and repr(getattr(module, name, None)) != repr(value):'
        yield '        print("differs:", name, "is", getattr(module, name, None), "and explicitly", value)'


def _constructor(contract: Contract, case: Case, device: str) -> Iterator[str]:
    """The constructor exactly as the case calls it."""
    names = list(case.arguments)
    by_position = [_value(name, case.arguments[name], case, device) for name in names[: case.positional]]
    by_keyword = _keywords({name: case.arguments[name] for name in names[case.positional :]}, case, device)
    return _assigned("module", contract.module, [*by_position, *by_keyword])


def _keywords(arguments: Mapping[str, Any], case: Case, device: str) -> list[str]:
    return [f"{name}={_value(name, value, case, device)}" for name, value in arguments.items()]


def _assigned(name: str, function: str, arguments: list[str]) -> Iterator[str]:
    """``name = function(arguments)`` on one line, or on several where it is long."""
    line = f"{name} = {function}({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"{name} = {function}("
    row = ""
    for argument in arguments:
        if row and len(row) + len(argument) > _WIDTH:
            yield row
            row = ""
        row = f"{row} {argument}," if row else f"    {argument},"
    yield row
    yield ")"


def _explicit(contract: Contract, case: Case) -> dict[str, Any]:
    full = {a.name: case.arguments.get(a.name, a.default) for a in contract.arguments if a.name not in _FACTORY}
    return full | {name: case.arguments[name] for name in _FACTORY if name in case.arguments}


def _value(name: str, value: Any, case: Case, device: str) -> str:
    """An argument as source: a dtype, the device, a tensor of the case's dtype, or a plain value."""
    if name == "dtype" and value is not None:
        return f"torch.{case.dtype}"
    if name == "device" and value is not None:
        return f'"{device}"'
    if isinstance(value, Mapping):
        return _ones(value["tensor"], case.dtype, device)
    return literal(value)


# -- calling ---------------------------------------------------------------------------------------------------------


def _calling(contract: Contract, case: Case, device: str, mode: str, modified: Sequence[str]) -> Iterator[str]:
    yield from _constructor(contract, case, device)
    if device != "cpu" and "device" not in case.arguments:
        yield f'module = module.to("{device}")'
    if not case.train:
        yield "module.eval()"
    if mode == "compile":
        yield "module = torch.compile(module)"
    for item in case.inputs:
        yield from _given(item, device)
    watched = [item.name for item in case.inputs if item.name in modified and item.lengths is None]
    yield from (f"{name}_before = {name}.clone()" for name in watched)
    if case.draws:
        packed = contract.layout(case.layout).packed is not None
        yield from draws.called(case.draws, _call(contract, case), contract.returns, packed)
    yield from _called(contract, case, device, mode)
    yield from (f'print("observed:", "{n} unchanged:", torch.equal({n}, {n}_before))' for n in watched)


def _given(item: Input, device: str) -> Iterator[str]:
    yield f"{item.name} = {_tensor(item, device)}"
    if item.lengths is not None:
        lengths = [int(length) for length in item.lengths]
        how = "" if item.enforce_sorted else ", enforce_sorted=False"
        yield f"{item.name} = pack_padded_sequence({item.name}, torch.tensor({lengths}){how})"


def _tensor(item: Input, device: str) -> str:
    """The input with its memory written out: a view of a larger or turned tensor says so."""
    shape, rank = tuple(item.shape), len(item.shape)
    make = _ones if item.kind == "floating" else _zeros
    if item.memory == "transposed" and rank > 1:
        return f"{make((shape[-1], *shape[1:-1], shape[0]), item.dtype, device)}.transpose(0, -1)"
    if item.memory == "sliced" and rank:
        return f"{make((*shape[:-1], 2 * shape[-1] + 1), item.dtype, device)}[..., 1::2]"
    if item.memory == "expanded" and rank and shape[0] > 1:
        return f"{make((1, *shape[1:]), item.dtype, device)}.expand({_sizes(shape)})"
    return make(shape, item.dtype, device)


def _ones(shape: Iterable[Any], dtype: str, device: str) -> str:
    return _filled("ones", shape, dtype, device)


def _zeros(shape: Iterable[Any], dtype: str, device: str) -> str:
    """Zero is in the range of every index, and a mask of zeros hides nothing."""
    return _filled("zeros", shape, dtype, device)


def _filled(function: str, shape: Iterable[Any], dtype: str, device: str) -> str:
    rest = "" if dtype == "float32" else f", dtype=torch.{dtype}"
    rest += "" if device == "cpu" else f', device="{device}"'
    return f"torch.{function}({_sizes(shape) or '()'}{rest})"


def _sizes(shape: Iterable[Any]) -> str:
    return ", ".join(str(int(size)) for size in shape)


def _called(contract: Contract, case: Case, device: str, mode: str) -> Iterator[str]:
    """The call and what came out of it, under the documented names."""
    outputs = _returned(contract, case)
    every = len(outputs) == len(contract.outputs)
    indent = "    " if mode in _MODES else ""
    if indent:
        yield _MODES[mode]
    yield f"{indent}{contract.returns if every else 'result'} = {_call(contract, case)}"
    if not every:  # an output that the configuration leaves out may be absent or None
        yield f"{outputs[0].name} = result[0] if isinstance(result, tuple) else result"
    if case.violation:
        yield 'print("observed: accepted")'
    packed = contract.layout(case.layout).packed
    for position, port in enumerate(outputs):
        where = "" if device == "cpu" else f", {port.name}.device"
        name = f"{port.name}.data" if packed and position == 0 else port.name
        yield f'print("observed: {name}", tuple({name}.shape), {name}.dtype{where})'
    if packed:
        yield f'print("observed: {outputs[0].name}.batch_sizes", {outputs[0].name}.batch_sizes.tolist())'


def _call(contract: Contract, case: Case) -> str:
    """The call nested as the page nests it: what is not given is left out at the end, None in between."""
    given = {item.name for item in case.inputs}
    tree: Any = ast.parse(f"f({contract.call})", mode="eval").body
    args = [_passed(node, given) for node in tree.args]
    while args and args[-1] == "None":
        args.pop()
    keywords = {str(k.arg): _passed(k.value, given) for k in tree.keywords}
    options = {name: literal(value) for name, value in case.options.items()}
    named = [f"{k}={v}" for k, v in ({k: v for k, v in keywords.items() if v != "None"} | options).items()]
    return f"module({', '.join([*args, *named])})"


def _passed(node: Any, given: set[str]) -> str:
    if isinstance(node, ast.Tuple):
        items = [_passed(item, given) for item in node.elts]
        return "None" if set(items) <= {"None"} else f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    return node.id if node.id in given else "None"


# -- text ------------------------------------------------------------------------------------------------------------


def _one_line(text: str) -> str:
    """Text that stays inside a comment: one line of ASCII without control characters."""
    plain = " ".join(text.split()).encode("ascii", "backslashreplace").decode()
    return "".join(c if c.isprintable() else "?" for c in plain)[:300]


def _text(text: str) -> str:
    """Text as a literal: ASCII, so that nothing in it can pass for code."""
    return ascii(text[:1000])
