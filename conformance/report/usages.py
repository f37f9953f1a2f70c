"""The part of a script that does with a module what a usage does, as :mod:`conformance.targets.usages` does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.report import shipped
from conformance.report.construction import constructor
from conformance.report.source import ScriptError

_NO_GRAD = "with torch.no_grad():"
CONTEXTS = {"no_grad": _NO_GRAD, "written_out": _NO_GRAD, "inference_mode": "with torch.inference_mode():"}
CALLED = {
    "functional_call": "called",
    "on_meta": "called",
    "written_out": "called",
    "nested": "parent.part",
    **dict.fromkeys(shipped.NAMES, "called"),
}  # what is called, where that is not the module
NEGATED = ("replaced", "deleted", "data", "functional_call")  # these compute with the negative of each parameter
AS_LEFT = ("weight_norm", "orthogonal", "pruned")  # these compute with what they make of a matrix

_LOAD = (
    'print("observed:", fresh.load_state_dict(module.state_dict()))',
    "module = fresh.train(module.training)",
)
_MATRICES = (
    "names = [name for name, p in module.named_parameters() if p.dim() > 1]",
    "for name in dict.fromkeys(names[:1] + names[-1:]):",
)
_DEVICES = 'print("observed: parameters are on", {p.device.type for p in fresh.parameters()})'
_DTYPES = 'print("observed: parameters are", {p.dtype for p in module.parameters()})'

# What comes before the call; ``{again}`` stands for the constructor of another module like it.
_LINES: Mapping[str, tuple[str, ...]] = {
    "plain": (),
    "no_grad": (),
    "inference_mode": (),
    "repeated": ("{call}",),
    "state_dict": (
        "{again}",
        "state = module.state_dict()",
        "own = [name for name, _ in (*module.named_parameters(), *module.named_buffers())]",
        'print("observed: the keys of the state_dict are those of the module:", list(state) == own)',
        "last = own[-1]",
        "for what, changed in {",
        '    "a missing key": {k: v for k, v in state.items() if k != last},',
        '    "another shape": dict(state, **{last: state[last].new_zeros((*state[last].shape, 2))}),',
        '    "an unexpected key": dict(state, unexpected=torch.zeros(1)),',
        "}.items():",
        "    try:",
        "        fresh.load_state_dict(changed)",
        '        print("observed: accepted", what)',
        "    except RuntimeError:",
        '        print("observed: refused", what)',
        *_LOAD,
    ),
    "assigned": (
        "{again}",
        'print("observed:", fresh.load_state_dict(module.state_dict(), assign=True))',
        "module = fresh.train(module.training)",
    ),
    "meta": (
        "{meta}",
        _DEVICES,
        "fresh = fresh.to_empty(device=next(module.parameters()).device)",
        *_LOAD,
    ),
    "default_dtype": (
        "torch.set_default_dtype(next(module.parameters()).dtype)",
        "{untyped}",
        "torch.set_default_dtype(torch.float32)",
        *_LOAD,
        _DTYPES,
    ),
    "deepcopy": (
        "import copy",
        "original, module = module, copy.deepcopy(module)",
        "memory = {p.data_ptr() for p in original.parameters() if p.numel()}",
        'print("observed: shares memory:", any(p.data_ptr() in memory for p in module.parameters() if p.numel()))',
    ),
    "pickle": ("import pickle", "module = pickle.loads(pickle.dumps(module))"),
    "save": (
        "import io",
        "file = io.BytesIO()",
        "torch.save(module.state_dict(), file)",
        "file.seek(0)",
        "{again}",
        'print("observed:", fresh.load_state_dict(torch.load(file)))',
        "module = fresh.train(module.training)",
    ),
    "cast": (
        "dtype = next(module.parameters()).dtype",
        "module = module.double()",
        _DTYPES,
        "module = module.to(dtype)",
        _DTYPES,
    ),
    "moved": (
        "there = module.to(next(module.parameters()).device)",
        'print("observed: the same module:", there is module)',
    ),
    "replaced": (
        "for name, p in list(module.named_parameters()):",
        "    value = torch.nn.Parameter(-p.detach())",
        "    setattr(module, name, value)",
        '    print("observed:", name, "is what was set:", getattr(module, name) is value)',
    ),
    "deleted": (
        "values = {name: -p.detach() for name, p in module.named_parameters()}",
        "for name in values:",
        "    delattr(module, name)",
        "for name, value in values.items():",
        "    module.register_parameter(name, torch.nn.Parameter(value))",
        'print("observed: has", [name for name, _ in module.named_parameters()])',
    ),
    "data": ("for p in module.parameters():", "    p.data = -p.data"),
    "functional_call": (
        "other = {name: -p.detach() for name, p in module.named_parameters()}",
        "def called(*args, **kwargs):",
        "    return torch.func.functional_call(module, other, args, kwargs)",
    ),
    "parametrized": (
        "class Identity(torch.nn.Module):",
        "    def forward(self, x):",
        "        return x.clone()",
        *_MATRICES,
        "    torch.nn.utils.parametrize.register_parametrization(module, name, Identity())",
    ),
    "weight_norm": (
        *_MATRICES,
        "    torch.nn.utils.parametrizations.weight_norm(module, name)",
        "    getattr(module.parametrizations, name).original0.data.mul_(2)",
        "{plain}",
    ),
    "orthogonal": (*_MATRICES, "    torch.nn.utils.parametrizations.orthogonal(module, name)", "{plain}"),
    "pruned": (
        "import torch.nn.utils.prune",
        *_MATRICES,
        "    torch.nn.utils.prune.l1_unstructured(module, name, amount=0.5)",
        "{plain}",
    ),
    "frozen": (
        "there = module.requires_grad_(False)",
        'print("observed: the same module:", there is module)',
    ),
    "hooks": (
        "fired = []",
        'module.register_forward_pre_hook(lambda *_: fired.append("forward pre-hook"))',
        'module.register_forward_hook(lambda *_: fired.append("forward hook"))',
        "for name, p in module.named_parameters():",
        "    p.register_hook(lambda _, name=name: fired.append(name))",
    ),
    "flattened": ("module.flatten_parameters()",),
    "on_meta": (
        "{meta}",
        "fresh.train(module.training)",
        "def moved(x):",
        '    return tuple(map(moved, x)) if type(x) is tuple else x.to("meta") if hasattr(x, "to") else x',
        "def called(*args, **kwargs):",
        '    print("observed: on meta", fresh(*map(moved, args), **kwargs))',
        "    return module(*args, **kwargs)",
    ),
    "written_out": (
        "import functools, inspect, itertools, textwrap",
        'block = inspect.cleandoc(type(module).__doc__).partition(".. code-block:: python")[2].splitlines()[1:]',
        'block = itertools.takewhile(lambda line: not line or line.startswith(" "), block)',
        "names = dict(vars(module), torch=torch, nn=torch.nn)",
        'for label in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):',
        '    names[label] = [getattr(module, f"{label}_l{k}") for k in range(module.num_layers)]',
        'exec(textwrap.dedent("\\n".join(block)), names)  # the code that the page shows',
        "names.update({name: module for name, value in names.items() if type(value) is type(module)})",
        'names["params"] = dict(module.named_parameters())',
        'called = names["forward"]',
        'if "batch_first" in inspect.signature(called).parameters:',
        "    called = functools.partial(called, batch_first=module.batch_first)",
    ),
    "nested": (
        "parent = torch.nn.Module()",
        "parent.part = module",
        'print("observed: in a part", [name for name, _ in parent.named_parameters()])',
    ),
}  # fmt: skip
_AFTER = {
    "hooks": ('print("observed: hooks were called in this order:", fired)',),
    "frozen": (
        "graded = [name for name, p in module.named_parameters() if p.grad is not None]",
        'print("observed: parameters with a gradient:", graded)',
    ),
    "no_grad": ('print("observed: requires_grad", {first}.requires_grad)',),
    "inference_mode": ('print("observed: requires_grad", {first}.requires_grad)',),
}


def prepared(usage: str, module: str, wire: Mapping[str, Any], device: str, call: str) -> Iterator[str]:
    """What is done with the module before it is called."""
    if usage in shipped.NAMES:
        yield from shipped.lines(usage)
        return
    if usage not in _LINES:
        raise ScriptError(f"{usage[:40]!r} is no usage that is known here")
    for line in _LINES[usage]:
        if line in _MAKERS:
            yield from _MAKERS[line](module, wire, device)
        else:
            yield line.replace("{call}", call)


def afterwards(usage: str, first: str) -> Iterator[str]:
    """What shows when all else is done; ``first`` is the first output, as a tensor."""
    yield from (line.replace("{first}", first) for line in _AFTER.get(usage, ()))


def _again(module: str, wire: Mapping[str, Any], device: str) -> Iterator[str]:
    if device == "cpu" or "device" in wire["kwargs"]:
        yield from constructor(module, wire, device, "fresh")
        return
    yield f'with torch.device("{device}"):'
    yield from (f"    {line}" for line in constructor(module, wire, device, "fresh"))


def _on_meta(module: str, wire: Mapping[str, Any], device: str) -> Iterator[str]:
    return _again(module, wire, "meta")


def _untyped(module: str, wire: Mapping[str, Any], device: str) -> Iterator[str]:
    kwargs = {name: value for name, value in wire["kwargs"].items() if name != "dtype"}
    return _again(module, {**wire, "kwargs": kwargs}, device)


def _beside(module: str, wire: Mapping[str, Any], device: str) -> Iterator[str]:
    """A module that nothing was done with, given what this one made of its parameters."""
    yield from _again(module, wire, device)
    yield "with torch.no_grad():"
    yield "    for name, p in fresh.named_parameters():"
    yield "        p.copy_(getattr(module, name))"
    yield "fresh.train(module.training)"


_MAKERS = {"{again}": _again, "{meta}": _on_meta, "{untyped}": _untyped, "{plain}": _beside}
