"""A case as a script that needs torch alone: what a person pastes into an issue upstream."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from conformance.cases import Case, Input
from conformance.oracle.contract import Contract, Port
from conformance.oracle.expression import expression
from conformance.report import draws
from conformance.report.calls import calling, packs
from conformance.report.construction import construction, constructor, hand_made, ones, source, wired, zeros
from conformance.report.numbers import COMPARE, MOST, Numbers
from conformance.report.source import ScriptError, arranged
from conformance.report.usages import AS_LEFT, CALLED, CONTEXTS, afterwards, prepared
from conformance.values import DTYPES

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
    values: bool = False,
    order: Sequence[int] | None = None,
) -> str:
    """A script that repeats the case and prints what is documented beside what is observed.

    ``expected`` is what the documentation promises (its output shapes, where empty); ``observed`` goes into a comment.
    ``modified`` names inputs that the call changed, so that the script shows it. With ``values`` it has the numbers of
    the case and what has to come of them; ``order`` is how a packed input sorts its sequences.
    """
    _check(contract, case, device)
    case = in_order(contract, case)
    numbers = Numbers(contract, case, order) if values and _numeric(contract, case) else None
    small = numbers is None or numbers.count <= MOST
    body = list(_body(contract, case, device, mode, modified, numbers if small else None))
    if any("numpy." in line for line in body):
        body = ["import numpy", *body]
    lines = [
        "import torch",
        *_imports(contract, case),
        *(COMPARE.splitlines() if any(line.startswith("compare(") for line in body) else []),
        "",
        *([] if small else ["# All numbers are ones: those of the case are too many to be written out."]),
        *([f"# Observed when this was reported: {_one_line(observed)}"] if observed else []),
        'print("torch", torch.__version__)',
        f'print("documented:", {_text(expected or _promised(contract, case))})',
        "try:",
        *(f"    {line}" for line in body),
        "except Exception as error:",
        '    print("observed:", type(error).__name__, "-", error)',
    ]
    return "\n".join(lines) + "\n"


def _numeric(contract: Contract, case: Case) -> bool:
    return not contract.function and case.layout != "constructor"


def _body(
    contract: Contract, case: Case, device: str, mode: str, modified: Sequence[str], numbers: Numbers | None
) -> Iterator[str]:
    if contract.function:
        return calling(contract, case, device, mode, modified)
    if case.layout == "constructor":
        return construction(contract, case, device)
    return _Call(contract, case, device, mode, modified, numbers).lines()


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
    if case.misuse:
        return "an error, or what the documented value gives"
    if case.layout == "constructor":
        return "the documented arguments are accepted"
    env = _env(contract, case)
    shapes = (
        f"{port.name} {port.by_layout[case.layout]} = {contract.sizes_of(port, case.layout, env)}"
        for port in _returned(contract, case)
    )
    return ", ".join(shapes)


def _env(contract: Contract, case: Case) -> dict[str, Any]:
    return contract.symbols(case)


def _returned(contract: Contract, case: Case) -> list[Port]:
    """The outputs that the page documents for this configuration."""
    env = _env(contract, case)
    return [p for p in contract.outputs if case.layout in p.by_layout and expression(p.when)(env)]


# -- calling ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Call:
    """One call of a module; ``numbers`` are those of the case where the script writes them out."""

    contract: Contract
    case: Case
    device: str
    mode: str
    modified: Sequence[str]
    numbers: Numbers | None

    @cached_property
    def wire(self) -> Mapping[str, Any]:
        return wired(self.contract, self.case)

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """What is called how in the script: the outputs, of a packed one its data."""
        packed = self.contract.layout(self.case.layout).packed
        names = [port.name for port in _returned(self.contract, self.case)]
        return {name: f"{name}.data" if packed and not place else name for place, name in enumerate(names)}

    @property
    def differentiates(self) -> bool:
        return self.case.gradients and self.numbers is not None and self.mode == "eager"

    @property
    def context(self) -> str:
        """The block in which the call stands, if any."""
        return _MODES.get(self.mode) or CONTEXTS.get(self.case.usage, "")

    @property
    def text(self) -> str:
        """The call nested as the page nests it."""
        args, kwargs = self.wire["call"]
        given = [source(node, self.device) for node in args]
        given += [f"{name}={source(node, self.device)}" for name, node in kwargs.items()]
        called = CALLED.get(self.case.usage, "module")
        return f"{f'torch.compile({called})' if self.mode == 'compile' else called}({', '.join(given)})"

    def lines(self) -> Iterator[str]:
        """The module, what is done with it, the call, and what comes out."""
        case = self.case
        yield from constructor(case.module, self.wire, self.device)
        if self.device != "cpu" and "device" not in case.arguments:
            yield f'module = module.to("{self.device}")'
        if self.numbers:
            yield from self.numbers.weights(self.device)
        if not case.train:
            yield "module.eval()"
        for item, node in zip(case.inputs, self.wire["inputs"], strict=True):
            yield from self._given(item, node)
        watched = [i.name for i in case.inputs if i.name in self.modified and i.lengths is None]
        yield from (f"{name}_before = {name}.detach().clone()" for name in watched)
        if case.draws:
            packed = self.contract.layout(case.layout).packed is not None
            yield from draws.called(case.draws, self.text, self.contract.returns, packed)
        yield from prepared(case.usage, case.module, self.wire, self.device, self.text)
        if case.usage in AS_LEFT:
            yield from self._beside()
        yield from self._called()
        yield from (f'print("observed:", "{n} unchanged:", torch.equal({n}, {n}_before))' for n in watched)
        if self.differentiates and self.numbers:
            floating = {i.name: _plain_name(i) for i in case.inputs if i.kind == "floating"}
            yield from self.numbers.backward(self.outputs, floating, self.device)
        yield from afterwards(case.usage, next(iter(self.outputs.values())))

    def _given(self, item: Input, node: Mapping[str, Any]) -> Iterator[str]:
        name = _plain_name(item)
        if self.numbers:
            yield from self.numbers.input(item, name, self.device)
        else:
            yield f"{name} = {_tensor(item, self.device)}"
        if self.differentiates and item.kind == "floating":
            yield f"{name}.requires_grad_()"
        if item.lengths is not None:
            lengths = [int(length) for length in item.lengths]
            how = "" if item.enforce_sorted else ", enforce_sorted=False"
            yield f"{item.name} = pack_padded_sequence({name}, torch.tensor({lengths}){how})"
            yield from hand_made(item.name, node.get("hand_made", {}))

    def _beside(self) -> Iterator[str]:
        """What a module gives that was made with these parameters."""
        yield from self._result(self.text.replace("module", "fresh", 1))
        for name, called in self.outputs.items():
            yield f'print("a module with these parameters gives {name}", {called}.flatten().tolist())'

    def _called(self) -> Iterator[str]:
        """The call and what came out of it, under the documented names."""
        yield from self._result(self.text)
        if self.case.violation or self.case.misuse:
            yield 'print("observed: accepted")'
        for name, called in self.outputs.items():
            where = "" if self.device == "cpu" else f", {called}.device"
            yield f'print("observed: {called}", tuple({called}.shape), {called}.dtype{where})'
            if self.numbers:
                yield from self.numbers.compared(name, called)
            if called != name:
                yield f'print("observed: {name}.batch_sizes", {name}.batch_sizes.tolist())'

    def _result(self, call: str) -> Iterator[str]:
        every = len(self.outputs) == len(self.contract.outputs)
        indent = "    " if self.context else ""
        if indent:
            yield self.context
        yield f"{indent}{self.contract.returns if every else 'result'} = {call}"
        if not every:  # an output that the configuration leaves out may be absent or None
            yield f"{next(iter(self.outputs))} = result[0] if isinstance(result, tuple) else result"


def _plain_name(item: Input) -> str:
    """What the tensor of an input is called before it is packed."""
    return item.name if item.lengths is None else f"{item.name}_padded"


def _tensor(item: Input, device: str) -> str:
    """The input with its memory written out: a view of a larger or turned tensor says so."""
    make = ones if item.kind == "floating" else zeros
    return arranged(item, lambda shape: make(shape, item.dtype, device))


# -- text ------------------------------------------------------------------------------------------------------------


def _one_line(text: str) -> str:
    """Text that stays inside a comment: one line of ASCII without control characters."""
    plain = " ".join(text.split()).encode("ascii", "backslashreplace").decode()
    return "".join(c if c.isprintable() else "?" for c in plain)[:300]


def _text(text: str) -> str:
    """Text as a literal: ASCII, so that nothing in it can pass for code."""
    return ascii(text[:1000])
