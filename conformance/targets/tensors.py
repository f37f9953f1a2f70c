"""Tensors, on their way in and out: from a blob to an input as the case wants it, from a result to plain data.

Shipped with the agent, before it. Like it, it needs torch and the standard library alone and keeps to what Python 3.8
knows.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:  # in the target, all of this is in one namespace
    from conformance.targets.agent import DEVICE
    from conformance.targets.misuses import hand_made

_NAMES = ("float16", "float32", "float64", "bfloat16", "int32", "int64", "bool", "complex64")
DTYPES = {name: getattr(torch, name) for name in _NAMES}


# -- in --------------------------------------------------------------------------------------------------------------


def _plain(data: bytes, dtype: str) -> torch.Tensor:
    """The numbers of a blob, on the device, in one dimension."""
    flat = torch.frombuffer(bytearray(data), dtype=DTYPES[dtype]) if data else torch.empty(0, dtype=DTYPES[dtype])
    return flat.to(DEVICE)


def _tensor(item: dict[str, Any], data: bytes) -> torch.Tensor:
    """The tensor of an input: its bits from the case, its memory as the case says."""
    return _arranged(_plain(data, item["dtype"]).view(item["shape"]), item["memory"])


def _arranged(plain: torch.Tensor, memory: str) -> torch.Tensor:
    shape = plain.shape
    if memory == "transposed" and plain.dim() > 1:
        return plain.transpose(0, -1).contiguous().transpose(0, -1)
    if memory == "expanded" and plain.dim() and shape[0] > 1:
        return plain[:1].clone().expand(shape)
    if memory == "sliced" and plain.dim():
        wide = plain.new_zeros((*shape[:-1], shape[-1] * 2 + 1))
        wide[..., 1::2] = plain
        return wide[..., 1::2]
    return plain


def _pack(tensor: torch.Tensor, item: dict[str, Any]) -> Any:
    if item["lengths"] is None:
        return tensor
    pack = torch.nn.utils.rnn.pack_padded_sequence
    packed = pack(tensor, torch.tensor(item["lengths"]), enforce_sorted=item["enforce_sorted"])
    return hand_made(packed, item["hand_made"]) if "hand_made" in item else packed


def _moved(value: Any, device: Any) -> Any:
    """The same on another device, where one is given."""
    if device is None or not isinstance(value, (tuple, torch.Tensor)):
        return value
    return tuple(_moved(item, device) for item in value) if isinstance(value, tuple) else value.to(device)


# -- out -------------------------------------------------------------------------------------------------------------


def _observed(value: Any, out: list[bytes]) -> dict[str, Any]:
    """What a value is, as data; the bytes of a tensor go to ``out``, ``blob`` is their place there."""
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return {"type": "packed", **_packed(value), "blob": _keep(value.data, out)}
    if isinstance(value, torch.Tensor):
        described = {"shape": tuple(value.shape), "dtype": _dtype(value), "device": str(value.device)}
        return {"type": "tensor", **described, "strides": value.stride(), "blob": _keep(value, out)}
    if isinstance(value, (tuple, list)):
        return {"type": type(value).__name__, "items": [_observed(item, out) for item in value]}
    if isinstance(value, bool):
        return {"type": "bool", "value": value}
    return {"type": type(value).__name__}


def _keep(tensor: torch.Tensor, out: list[bytes]) -> Any:
    if tensor.device.type == "meta" or _dtype(tensor) not in DTYPES:
        return None
    out.append(_bytes(tensor))
    return len(out) - 1


def _packed(value: Any) -> dict[str, Any]:
    """A packed sequence: its data described, its index tensors in full."""
    data = value.data
    described: dict[str, Any] = {"shape": tuple(data.shape), "dtype": _dtype(data), "device": str(data.device)}
    described["kinds"] = {}
    for name in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        indices = getattr(value, name)
        described["kinds"][name] = None if indices is None else [_dtype(indices), str(indices.device)]
        readable = indices is not None and indices.device.type != "meta"
        described[name] = indices.tolist() if readable else None
    return described


def _described(name: str, tensor: torch.Tensor) -> list[Any]:
    learnable = isinstance(tensor, torch.nn.Parameter) and tensor.requires_grad
    return [name, tuple(tensor.shape), _dtype(tensor), str(tensor.device), learnable]


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype)[len("torch.") :]


def _flat(result: Any) -> list[torch.Tensor]:
    """The tensors of a result in the order of its nesting."""
    if isinstance(result, torch.nn.utils.rnn.PackedSequence):
        return [result.data]
    if isinstance(result, torch.Tensor):
        return [result]
    return [tensor for item in result for tensor in _flat(item)] if isinstance(result, (tuple, list)) else []


# -- unchanged? ------------------------------------------------------------------------------------------------------


def _pieces(value: Any) -> list[Any]:
    """What of an input a call must leave as it is: its tensors and, of a packed one, its indices."""
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return [value.data, _packed(value)]
    return list(value) if type(value) is list else [value]


def _snapshot(value: Any) -> list[Any]:
    """A copy of an input's pieces, from before a call."""
    return [piece.detach().clone() if isinstance(piece, torch.Tensor) else piece for piece in _pieces(value)]


def _unchanged(value: Any, before: list[Any]) -> bool:
    now = _pieces(value)
    return len(now) == len(before) and all(map(_same, now, before))


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.shape == two.shape and _same_bits(one, two)
    return bool(one == two)


def _same_bits(left: torch.Tensor, right: torch.Tensor) -> bool:
    if left.device.type == "meta":
        return True
    if torch.equal(left, right):
        return True
    return _bytes(left) == _bytes(right)  # NaN differs from itself, its bits do not


def _bytes(tensor: torch.Tensor) -> bytes:
    plain = tensor.detach().cpu().contiguous()
    return ctypes.string_at(plain.data_ptr(), plain.numel() * plain.element_size())
