"""Things that are passed by mistake and that JSON has not. Shipped to the target with the agent, which asks for them.

NumPy is imported only for what is NumPy's: a target need not have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def made(node: dict[str, Any]) -> Any:
    """An argument from its wire form ``{"as": …}``."""
    value = node.get("value")
    kind = node["as"]
    if kind in ("nan", "inf"):
        return float(kind)
    if kind == "numpy":
        import numpy

        return getattr(numpy, node["of"])(value)
    makers: dict[str, Callable[[Any], Any]] = {
        "list": list,
        "complex": lambda parts: complex(*parts),
        "tensor": torch.tensor,
        "dtype": lambda name: getattr(torch, name),
        "device": torch.device,
    }
    return makers[kind](value)


def passed(node: dict[str, Any], inputs: dict[str, Any], device: str) -> Any:
    """What stands for an input of a call: ``{"as": …, "input": name}`` or ``{"as": …, "items": [nodes]}``."""
    kind = node["as"]
    if kind == "items":
        return [inputs[item["input"]] for item in node["items"]]
    if kind in ("stacked", "repeated"):
        found = [inputs[item["input"]] for item in node["items"]]
        if kind == "repeated":  # as often as there are features: an axis more that fits those that there are
            found = [tensor.expand(tensor.shape[-1], *tensor.shape) for tensor in found]
        return torch.stack(found)
    value = inputs[node["input"]]
    if kind == "list":
        return value.tolist()
    if kind == "ndarray":
        import numpy

        return numpy.array(value.tolist())
    return _elsewhere(value, device)


def _elsewhere(tensor: torch.Tensor, device: str) -> torch.Tensor:
    return tensor.to("meta" if torch.device(device).type == "cpu" else "cpu")


def _numbers(value: Any) -> Any:
    return [tensor.tolist() for tensor in value] if isinstance(value, list) else value.tolist()


def _ndarray(value: Any) -> Any:
    import numpy

    return numpy.array(value.tolist())


def _with_first(value: torch.Tensor, number: int) -> torch.Tensor:
    return torch.cat([torch.full_like(value[:1], number), value[1:]])


# What stands for an input of a function: a tensor, lengths, a list of tensors or a packed sequence.
_STANDS: dict[str, Callable[[Any], Any]] = {
    "numbers": _numbers,
    "ndarray": _ndarray,
    "alone": lambda value: (value,),
    "number": lambda value: 1.0,
    "string": lambda value: "tensor",
    "none": lambda value: None,
    "list": lambda value: value.tolist(),
    "tuple": lambda value: tuple(value if isinstance(value, list) else value.tolist()),
    "parts": tuple,
    "data": lambda value: value.data,
    "listed": lambda value: [value],
    "generator": lambda value: (tensor for tensor in value),
    "stacked": lambda value: torch.stack(list(value)),
    "empty": lambda value: [],
    "empty one": lambda value: value,
    "nested": lambda value: [value if isinstance(value, list) else value.tolist()],
    "with none": lambda value: [*value[:-1], None],
    "other dtype": lambda value: [*value[:-1], value[-1].double()],
    "other shape": lambda value: [*value[:-1], value[-1][:, :1]],
    "other rank": lambda value: [*value[:-1], value[-1][:, 0]],
    "strings": lambda value: [str(number) for number in value.tolist()],
    "int32": lambda value: value.int(),
    "whole": lambda value: value.float(),
    "negative": lambda value: _with_first(value, -1),
    "beyond": lambda value: _with_first(value, len(value)),
    "huge": lambda value: _with_first(value, 1 << 62),
}


def mistaken(what: str, value: Any, device: str) -> Any:
    """What is passed to a function in place of an input."""
    if what == "elsewhere":
        return _elsewhere(value, device)
    if what == "other device":
        return [*value[:-1], _elsewhere(value[-1], device)]
    return _STANDS[what](value)


def _part(value: Any, own: Any, device: Any) -> Any:
    """A part of a packed sequence: of these numbers, or of its own in another form."""
    if not isinstance(value, dict):
        return torch.tensor(value)
    what = str(value["as"])
    return mistaken({"float32": "whole"}.get(what, what), own, str(device))


def hand_made(packed: Any, changed: dict[str, Any]) -> Any:
    """A packed sequence with other batch sizes or indices than those that belong to it."""
    given = {name: _part(value, getattr(packed, name), packed.data.device) for name, value in changed.items()}
    if "batch_sizes" not in changed:
        given = {name: value.to(packed.data.device) for name, value in given.items()}
    kept = {name: getattr(packed, name) for name in ("batch_sizes", "sorted_indices", "unsorted_indices")}
    return torch.nn.utils.rnn.PackedSequence(packed.data, **dict(kept, **given))
