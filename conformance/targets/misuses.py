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
    return value.to("meta" if torch.device(device).type == "cpu" else "cpu")


def hand_made(packed: Any, changed: dict[str, Any]) -> Any:
    """A packed sequence with other batch sizes or indices than those that belong to it."""
    given = {name: torch.tensor(value) for name, value in changed.items()}
    if "batch_sizes" not in changed:
        given = {name: value.to(packed.data.device) for name, value in given.items()}
    kept = {name: getattr(packed, name) for name in ("batch_sizes", "sorted_indices", "unsorted_indices")}
    return torch.nn.utils.rnn.PackedSequence(packed.data, **dict(kept, **given))
