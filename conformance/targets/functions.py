"""Functions and methods as subjects: called, called again with keywords only, undone. Shipped with the agent.

Its inputs are lists of tensors, lengths and packed sequences beside tensors. Like the agent it needs torch and the
standard library alone and keeps to what Python 3.8 knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:  # in the target, all of this is in one namespace
    from conformance.targets.agent import DEVICE, MODE, _backward, _Clock, _find, _grad_mode, _gradient, _value
    from conformance.targets.misuses import mistaken
    from conformance.targets.tensors import DTYPES, _arranged, _observed, _pack, _packed, _plain, _snapshot, _unchanged


def run_function(case: dict[str, Any], blobs: list[bytes], seen: dict[str, Any], out: list[bytes]) -> None:
    """Calls a function, or a method of its first input; says what happened, phase by phase."""
    seen["phase"] = "prepare"
    differentiated = case["gradients"] and MODE == "eager"
    tensors, inputs = _given(case, blobs, differentiated)
    before = {name: _snapshot(value) for name, value in inputs.items()}
    packs = {name: value for name, value in inputs.items() if isinstance(value, torch.nn.utils.rnn.PackedSequence)}
    seen["packs"] = {name: _packed(value) for name, value in packs.items()}
    seen["phase"] = "call"
    args, kwargs = case["call"]
    result = _called(case, [_meant(a, inputs) for a in args], {k: _meant(a, inputs) for k, a in kwargs.items()}, seen)
    if case["twin"] is not None:
        again = _given(case, blobs, False)[1]
        twin = _called(case, [], {k: _meant(a, again) for k, a in case["twin"].items()}, seen)
        seen["twin"] = _observed(twin, out)
    seen["result"] = _observed(result, out)
    seen["identical"] = [name for name, value in inputs.items() if value is result]
    seen["modified"] = [name for name, value in inputs.items() if not _unchanged(value, before[name])]
    if differentiated:
        seen["phase"] = "backward"
        _backward(result, _in_parts(result, blobs[1 + len(tensors) :], case["dtype"]), case["dtype"], seen)
        seen["gradients"] = {n: _gradient(t, out) for n, t in tensors.items() if t.is_floating_point()}
    seen["phase"] = "done"
    if case["inverse"] is not None:
        seen["inverse"] = _undone(case["inverse"], inputs, result, out)


def _called(case: dict[str, Any], args: list[Any], kwargs: dict[str, Any], seen: dict[str, Any]) -> Any:
    if case["method"]:
        call = getattr(args[0], case["method"])
        args = args[1:]
        if not callable(call):
            return call
    else:
        call = _find(case["module"])
    with _Clock(seen), _grad_mode():
        return (torch.compile(call) if MODE == "compile" else call)(*args, **kwargs)


def _given(case: dict[str, Any], blobs: list[bytes], differentiated: bool) -> Any:
    """The tensors that hold the inputs, and the inputs as the function takes them."""
    tensors, inputs = {}, {}
    for place, item in enumerate(case["inputs"]):
        plain = _flat_source(item, blobs[1 + place]).view(item["shape"])
        if item["memory"] == "expanded":  # all its rows are one, so it is itself what a gradient is taken of
            plain = _arranged(plain, "expanded")
        plain.requires_grad_(differentiated and plain.is_floating_point())
        arranged = plain if item["memory"] == "expanded" else _arranged(plain, item["memory"])
        tensors[item["name"]], inputs[item["name"]] = plain, _formed(arranged, item)
    return tensors, inputs


def _flat_source(item: dict[str, Any], data: bytes) -> torch.Tensor:
    """The numbers of an input; lengths are on the CPU."""
    if item["kind"] != "lengths" or not data:
        return _plain(data, item["dtype"])
    return torch.frombuffer(bytearray(data), dtype=DTYPES[item["dtype"]])


def _formed(tensor: torch.Tensor, item: dict[str, Any]) -> Any:
    """An input as the function takes it."""
    if item["kind"] == "lengths":
        return {"list": tensor.tolist, "meta": lambda: tensor.to("meta")}.get(item["form"], lambda: tensor)()
    if item["form"] == "list":
        return list(tensor.split(list(item["lengths"])))
    return _pack(tensor, item)


def _meant(node: Any, inputs: dict[str, Any]) -> Any:
    """An argument of a call: an input by its name, or a value."""
    if isinstance(node, dict) and "input" in node:
        value = inputs[node["input"]]
        return mistaken(node["as"], value, DEVICE) if "as" in node else value
    return _value(node)


def _undone(call: Any, inputs: dict[str, Any], result: Any, out: list[bytes]) -> dict[str, Any]:
    """What the function that undoes it makes of a result."""

    def meant(node: Any) -> Any:
        if isinstance(node, dict) and "output" in node:
            return result if node["output"] is None else result[node["output"]]
        if isinstance(node, dict) and "integers" in node:
            return torch.tensor(node["integers"])
        return _meant(node, inputs)

    name, args, kwargs = call
    try:
        with _grad_mode():
            undone = _find(name)(*[meant(a) for a in args], **{k: meant(a) for k, a in kwargs.items()})
        return _observed(undone, out)
    except Exception as error:
        return {"type": "raised", "exception": type(error).__name__, "message": str(error)[:300]}


def _in_parts(result: Any, cotangents: list[bytes], dtype: str) -> list[bytes]:
    """A cotangent for each tensor: that of a list holds those of its tensors one after another."""
    if not isinstance(result, list):
        return cotangents
    parts, start = [], 0
    for tensor in result:
        end = start + tensor.numel() * torch.empty(0, dtype=DTYPES[dtype]).element_size()
        parts.append(cotangents[0][start:end])
        start = end
    return parts
