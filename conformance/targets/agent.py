"""The agent: runs in a target's interpreter and executes cases there. What is shipped to it, and nothing else here,
imports torch.

Its source is shipped by execnet, so it needs torch and the standard library, nothing of this package and no NumPy, and
it keeps to what Python 3.8 knows, the oldest that torch 2.0 runs on.
It receives and sends plain data only: JSON text (its parser is in C, execnet's serialiser is not) and the bytes of
tensors beside it. It knows no contract and judges nothing: it says what happened.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import time
import warnings
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:  # in the target, the sources of these have run before this one
    from conformance.targets.apart import apart, ends_in, forks
    from conformance.targets.functions import run_function
    from conformance.targets.misuses import made, passed
    from conformance.targets.tensors import (
        DTYPES,
        _described,
        _flat,
        _moved,
        _observed,
        _pack,
        _packed,
        _plain,
        _snapshot,
        _tensor,
        _unchanged,
    )
    from conformance.targets.usages import USAGES, Use, effective

DEVICE = "cpu"
MODE = "eager"


def hello(device: str, mode: str) -> dict[str, Any]:
    """Takes this device and mode; answers with the environment, or with why the device cannot be had."""
    global DEVICE, MODE
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    DEVICE, MODE = device, mode
    try:
        torch.empty(1, device=device)
    except Exception as error:
        return {"absent": f"no {device} device: {_first_line(error)}"}
    return {"environment": environment(), "forks": forks(DEVICE, MODE)}


def environment() -> dict[str, Any]:
    """Everything about this interpreter that a result may depend on."""
    import platform

    kind = DEVICE.partition(":")[0]
    known: dict[str, Any] = {
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": DEVICE,
        "mode": MODE,
        "threads": torch.get_num_threads(),
        "default_dtype": str(torch.get_default_dtype()),
        "cuda": str(torch.version.cuda),
        "cpu_capability": _attempt(lambda: torch.backends.cpu.get_cpu_capability()),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "float32_matmul_precision": _attempt(torch.get_float32_matmul_precision),
    }
    if kind == "cuda":
        known["device_name"] = torch.cuda.get_device_name(DEVICE)
        known["cudnn"] = torch.backends.cudnn.version()
        known["cudnn_allow_tf32"] = torch.backends.cudnn.allow_tf32
        known["cudnn_benchmark"] = torch.backends.cudnn.benchmark
        known["matmul_allow_tf32"] = torch.backends.cuda.matmul.allow_tf32
    return known


def describe(module: str) -> dict[str, Any]:
    """The documentation of a class as this release ships it: docstrings and the signature that Python shows."""
    try:
        cls = _find(module)
    except (ImportError, AttributeError) as error:
        return {"absent": _first_line(error)}
    signature = inspect.signature(cls)
    return {
        "doc": inspect.cleandoc(cls.__doc__ or ""),
        "forward": inspect.cleandoc(getattr(cls, "forward", None).__doc__ or ""),
        "signature": [
            [p.name, p.kind.name, None if p.default is p.empty else repr(p.default)]
            for p in signature.parameters.values()
        ],
    }


def run(cases: list[dict[str, Any]], limit: float | None, blobs: list[list[bytes]], out: list[Any]) -> dict[str, Any]:
    """Executes the cases in their order; ``out`` receives a list of bytes for each. With a ``limit`` in seconds each
    runs apart, where this process can be forked."""
    out.extend([] for _ in cases)
    if limit is None or not forks(DEVICE, MODE):
        return {"answers": list(map(_run_one, cases, blobs, out))}
    return {"answers": [_run_apart(*each, limit) for each in zip(cases, blobs, out)]}  # noqa: B905  # Python 3.8


def _run_apart(case: dict[str, Any], blobs: list[bytes], out: list[bytes], limit: float) -> dict[str, Any]:
    seen: dict[str, Any]
    seen, made = apart(lambda: (_run_one(case, blobs, out), out), limit)
    out.extend(made)
    return seen


def _run_one(case: dict[str, Any], blobs: list[bytes], out: list[bytes]) -> dict[str, Any]:
    """Constructs and calls; says what happened, phase by phase."""
    seen: dict[str, Any] = {"status": "ok", "phase": "construct", "torch": 0.0}
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _run(case, blobs, seen, out)
        except Exception as error:
            seen["status"] = "raised"
            seen["exception"] = type(error).__name__
            seen["message"] = str(error)[:2000]
            if _poisoned(error):
                seen["poisoned"] = True
    seen["warnings"] = sorted({f"{w.category.__name__}: {str(w.message)[:300]}" for w in caught})
    seen["seconds"] = time.perf_counter() - started
    return seen


def _poisoned(error: Exception) -> bool:
    """Whether the device's context is lost, as after an assertion on the device: then every later call fails too."""
    if "CUDA error" not in str(error) and "HIP error" not in str(error) and DEVICE.partition(":")[0] != "cuda":
        return False
    try:
        torch.zeros(1, device=DEVICE).tolist()
    except Exception:
        return True
    return False


def _run(case: dict[str, Any], blobs: list[bytes], seen: dict[str, Any], out: list[bytes]) -> None:
    if case.get("function"):
        run_function(case, blobs, seen, out)
        return
    with _Clock(seen):
        module = _construct(case["module"], case["args"], case["kwargs"])
    if case["twin"] is not None:
        seen["config"] = _config(module)
        with _Clock(seen):
            twin = _construct(case["module"], (), case["twin"])
        seen["twin"] = _config(twin)
    if case["call"] is None or case.get("described"):
        seen["parameters"] = [_described(n, p) for n, p in module.named_parameters()]
        seen["buffers"] = [_described(n, b) for n, b in module.named_buffers()]
    if case["call"] is None:
        _draw(case, seen, out)
        return
    seen["phase"] = "prepare"
    if DEVICE != "cpu" and "device" not in case["kwargs"]:
        module = module.to(DEVICE)
    _fill(module, blobs[0], case)
    module.train(case["train"])
    if case.get("file"):  # comes behind all others
        case["file"] = blobs[-1]
    tensors = {item["name"]: _tensor(item, blobs[1 + place]) for place, item in enumerate(case["inputs"])}
    differentiated = case["gradients"] and MODE == "eager"
    if differentiated:
        for tensor in tensors.values():
            tensor.requires_grad_(tensor.is_floating_point())
    inputs = {item["name"]: _pack(tensors[item["name"]], item) for item in case["inputs"]}
    packs = {name: value for name, value in inputs.items() if not isinstance(value, torch.Tensor)}
    seen["packs"] = {name: _packed(value) for name, value in packs.items()}
    watched = [(name, value, _snapshot(value)) for name, value in (*tensors.items(), *packs.items())]
    use, module, result = _use(case, module, inputs, seen)
    seen["result"] = _observed(result, out)
    seen["draws"] = [_observed(drawn, out) for drawn in use.drawn]
    seen["told"] = [_observed(told, out) for told in use.told]
    seen["modified"] = [name for name, value, before in watched if not _unchanged(value, before)]
    if differentiated:
        seen["phase"] = "backward"
        _backward(result, blobs[1 + len(tensors) :], case["dtype"], seen)
        named = (*tensors.items(), *module.named_parameters())
        seen["gradients"] = {n: _gradient(t, out) for n, t in named if t.is_floating_point()}
        for check in use.after:
            check()
    seen["phase"] = "done"
    seen["noticed"] = use.noticed
    if use.kept:
        out.append(use.kept)
        seen["kept"] = len(out) - 1
    seen["effective"] = {name: _observed(tensor, out) for name, tensor in effective(use, module).items()}


def _use(case: dict[str, Any], module: torch.nn.Module, inputs: dict[str, Any], seen: dict[str, Any]) -> Any:
    """Calls the module in the way that the case says: the use, the module that was called, the result."""
    args, kwargs = case["call"]
    args, kwargs = [_resolve(a, inputs) for a in args], {k: _resolve(a, inputs) for k, a in kwargs.items()}

    def call(called: Any, device: Any = None) -> Any:
        seen["phase"] = "call"
        there = [_moved(value, device) for value in args], {k: _moved(v, device) for k, v in kwargs.items()}
        with _grad_mode():
            return (torch.compile(called) if MODE == "compile" else called)(*there[0], **there[1])

    def again(device: Any = DEVICE, **changed: Any) -> torch.nn.Module:
        given = {k: v for k, v in case["kwargs"].items() if k not in changed}
        if "device" in given:
            return _construct(case["module"], case["args"], dict(given, device=torch.device(device)))
        with torch.device(device):
            return _construct(case["module"], case["args"], given)

    def seeded(seed: int) -> Any:
        torch.manual_seed(seed)
        return call(module)

    packed = any(not isinstance(value, torch.Tensor) for value in inputs.values())
    use = Use(module, again, call, packed)
    use.file = case.get("file", b"")
    seen["phase"] = case["usage"] if case["usage"] != "plain" else "call"
    with _Clock(seen):
        use.drawn = [seeded(seed) for seed in case["draws"]]
        module, result = USAGES[case["usage"]](use)
    return use, module, result


def _draw(case: dict[str, Any], seen: dict[str, Any], out: list[bytes]) -> None:
    """The parameters of the module as it is made under each seed of the case, and after it was then reset."""
    seen["draws"] = []
    for seed in case["draws"]:
        with _Clock(seen):
            torch.manual_seed(seed)
            module = _construct(case["module"], case["args"], case["kwargs"])
        seen["draws"].append({name: _observed(p, out) for name, p in module.named_parameters()})
    if case["draws"]:
        seen["phase"] = "reset"
        with _Clock(seen):
            module.reset_parameters()
        seen["draws"].append({name: _observed(p, out) for name, p in module.named_parameters()})


def _backward(result: Any, cotangents: list[bytes], dtype: str, seen: dict[str, Any]) -> None:
    """Differentiates the sum of the outputs, each times its cotangent."""
    outputs = [tensor for tensor in _flat(result) if tensor.is_floating_point()]
    pairs = [(o, _plain(c, dtype)) for o, c in zip(outputs, cotangents)]  # noqa: B905  # Python 3.8 knows no strict
    pairs = [(o, c.view(o.shape)) for o, c in pairs if c.numel() == o.numel() and o.requires_grad]
    with _Clock(seen):
        torch.autograd.backward([o for o, _ in pairs], [c for _, c in pairs])


def _gradient(tensor: torch.Tensor, out: list[bytes]) -> dict[str, Any]:
    return {"type": "NoneType"} if tensor.grad is None else _observed(tensor.grad, out)


class _Clock:
    """Adds to ``seen["torch"]`` the seconds that torch itself takes, apart from what this agent does around it."""

    def __init__(self, seen: dict[str, Any]) -> None:
        self.seen = seen

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *exception: object) -> None:
        self.seen["torch"] += time.perf_counter() - self.started


def _grad_mode() -> Any:
    if MODE == "inference":
        return torch.inference_mode()
    return torch.no_grad() if MODE == "no_grad" else contextlib.nullcontext()


def _find(module: str) -> Any:
    path, _, name = module.rpartition(".")
    return getattr(importlib.import_module(path), name)


def _construct(module: str, args: Any, kwargs: dict[str, Any]) -> torch.nn.Module:
    return _find(module)(*[_value(v) for v in args], **{k: _value(v) for k, v in kwargs.items()})


def _value(value: Any) -> Any:
    """A constructor argument from its wire form: ``{"dtype": …}``, ``{"device": …}``, ``{"tensor": shape}``."""
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, dict):
        return value
    if "as" in value:
        return made(value)
    if "dtype" in value:
        return DTYPES[value["dtype"]]
    if "device" in value:
        return torch.device(DEVICE)
    return torch.ones(value["tensor"], dtype=DTYPES[value["of"]], device=DEVICE)


def _config(module: torch.nn.Module) -> dict[str, Any]:
    """What tells two instances apart from outside: repr, plain public attributes, parameters."""
    plain = (bool, int, float, str, type(None), tuple)
    public = {k: repr(v) for k, v in vars(module).items() if k[0] != "_" and isinstance(v, plain)}
    tensors = [_described(n, t) for n, t in (*module.named_parameters(), *module.named_buffers())]
    public.update((name, repr(description)) for name, *description in tensors)
    return {"repr": repr(module), "attributes": public, "parameters": tensors}


def _fill(module: torch.nn.Module, data: bytes, case: dict[str, Any]) -> None:
    """Writes the case's weights into the parameters that it names."""
    if not data or torch.device(DEVICE).type == "meta":
        return
    source, position = _plain(data, case["dtype"]), 0
    found = dict(module.named_parameters())
    with torch.no_grad():
        for name, count in case["parameters"].items():
            if name in found and found[name].numel() == count:
                found[name].copy_(source[position : position + count].view(found[name].shape))
            position += count


def _resolve(node: Any, inputs: dict[str, Any]) -> Any:
    """The call's own nesting: ``{"input": name}``, a list for a tuple, anything else a value."""
    if isinstance(node, list):
        return tuple(_resolve(item, inputs) for item in node)
    if isinstance(node, dict) and "as" in node:
        return passed(node, inputs, DEVICE)
    return inputs[node["input"]] if isinstance(node, dict) else node


def _attempt(read: Any) -> Any:
    try:
        return read()
    except Exception:
        return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def serve(channel: Any) -> None:
    """Answers requests ``(name, JSON, blobs, seconds)`` one by one until the other side closes the channel.

    After so many seconds the process dies of SIGALRM: one that hangs in C notices neither a judge that died nor a line
    that was cut, and would stay for ever."""
    handlers: dict[str, Any] = {"hello": hello, "describe": describe, "run": run}
    for name, arguments, blobs, seconds in channel:
        out: list[Any] = []
        ends_in(seconds)
        try:
            answer = handlers[name](*json.loads(arguments), *([blobs, out] if name == "run" else []))
        except Exception as error:
            import traceback

            answer = {"broken": f"{_first_line(error)}\n{traceback.format_exc()}"}
        ends_in(0)
        channel.send((json.dumps(answer), out))


if __name__ == "__channelexec__":
    serve(channel)  # type: ignore[name-defined]  # noqa: F821  # execnet binds it
