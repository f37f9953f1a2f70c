"""More usages: second derivatives, lower precision, other defaults, other ways to pass the same.

Shipped to the target behind ``usages.py``, whose table they join. Needs torch alone and keeps to what Python 3.8 knows.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

if TYPE_CHECKING:  # in the target, all of this is in one namespace
    from conformance.targets.identities import IDENTITIES
    from conformance.targets.tensors import _flat
    from conformance.targets.usages import USAGES, Use, plain


def _composed(name: str, use: Use) -> tuple[torch.nn.Module, Any]:
    return use.module, use.call(IDENTITIES[name](use.module, use.notice))


def second(use: Use) -> tuple[torch.nn.Module, Any]:
    """Tells the second derivative of half the sum of the squares of all outputs, as inputs and parameters grow in
    proportion: so the direction is the same on both sides and need not travel."""
    given: list[torch.Tensor] = []

    def called(*args: Any) -> Any:
        given.extend(tensor for tensor in _flat(args) if tensor.requires_grad)
        return use.module(*args)

    outputs = [tensor for tensor in _flat(use.call(called)) if tensor.requires_grad]
    if given and outputs:
        squares = torch.stack([(tensor * tensor).sum() for tensor in outputs]).sum() / 2
        try:
            use.told.append(_toward(_toward(squares, given, use), given, use).detach())
        except RuntimeError as error:
            if "not implemented" not in str(error):
                raise
    return plain(use)


def _toward(value: torch.Tensor, given: list[torch.Tensor], use: Use) -> torch.Tensor:
    """The derivative of a number as everything that it is computed from grows in proportion."""
    variables = [*given, *use.module.parameters()]
    found = torch.autograd.grad(value, variables, create_graph=True, allow_unused=True)
    terms = [(g * v.detach()).sum() for g, v in zip(found, variables) if g is not None]  # noqa: B905  # Python 3.8
    return torch.stack(terms).sum()


def lowered(lower: torch.dtype, use: Use) -> tuple[torch.nn.Module, Any]:
    """Under autocast outputs have their shapes, and the type of autocast or float32; packed or not, the same."""
    module, result = plain(use)
    kind = next(module.parameters()).device.type
    if kind == "meta":
        return module, result
    with torch.autocast(device_type=kind, dtype=lower):
        found, dense = use.call(module), use.call(functools.partial(_dense, module))
    shapes, dtypes = [[tuple(t.shape) for t in _flat(r)] for r in (found, result)], [t.dtype for t in _flat(found)]
    use.notice(shapes[0] != shapes[1], f"under autocast {shapes[0]}, without {shapes[1]}")
    use.notice(not {torch.float32, lower}.issuperset(dtypes), f"under autocast to {lower} outputs are {dtypes}")
    other = [t.dtype for t in _flat(dense)]
    use.notice(other != dtypes, f"under autocast to {lower} packed outputs are {dtypes}, padded ones {other}")
    kept = {p.dtype for p in module.parameters()}
    use.notice(kept != {torch.float32}, f"autocast left parameters of {kept}")
    return module, result


def _dense(module: Any, x: Any, *state: Any) -> Any:
    """The same call with padded sequences in place of packed ones."""
    if isinstance(x, PackedSequence):
        x, _ = pad_packed_sequence(x, batch_first=module.batch_first)
    return module(x, *state)


def default_device(use: Use) -> tuple[torch.nn.Module, Any]:
    """Where another device is the default, lengths are packed and states omitted as ever: they follow the input."""

    def called(x: Any, *state: Any) -> Any:
        if isinstance(x, PackedSequence):
            x = _packed_anew(use, x)
        with torch.device("meta"):
            return use.module(x, *state)

    return use.module, use.call(called)


def _packed_anew(use: Use, x: Any) -> Any:
    padded, lengths = pad_packed_sequence(x)
    listed, in_order = lengths.tolist(), x.sorted_indices is None
    with torch.device("meta"):
        packed = pack_padded_sequence(padded, listed, enforce_sorted=in_order)
        back, told = pad_packed_sequence(packed)
    where = [packed.batch_sizes.device.type, told.device.type]
    use.notice(where != ["cpu", "cpu"], f"batch_sizes and lengths are on {where}")
    there = [packed.data.device, back.device]
    use.notice(there != [padded.device] * 2, f"packed from {padded.device}, the data are on {there}")
    return packed


def by_keyword(use: Use) -> tuple[torch.nn.Module, Any]:
    """Inputs by the names that the page gives them: only the page of RNN has one for the state as it is passed."""
    named = type(use.module).__name__ == "RNN"

    def called(x: Any, *state: Any) -> Any:
        if state and not named:
            return use.module(x, *state)
        return use.module(input=x, **({"hx": state[0]} if state else {}))

    return use.module, use.call(called)


def based(use: Use) -> tuple[torch.nn.Module, Any]:
    use.notice(not isinstance(use.module, torch.nn.RNNBase), "it is no nn.RNNBase")
    return plain(use)


def unprojected(use: Use) -> tuple[torch.nn.Module, Any]:
    """What only the page of LSTM has is refused, by whatever exception."""
    module: Any = use.module
    try:
        type(module)(module.input_size, module.hidden_size + 1, proj_size=1)
    except Exception:
        return plain(use)
    use.notice(True, "proj_size was accepted")
    return plain(use)


def packed_to(use: Use) -> tuple[torch.nn.Module, Any]:
    """``to`` of a packed sequence takes what that of a tensor takes, and returns itself where nothing changes."""

    def called(x: Any, *state: Any) -> Any:
        data, other = x.data, torch.float32 if x.data.dtype == torch.float64 else torch.float64
        same = [x.to(data.dtype), x.to(data.device), x.to(data), x.to(data.device, data.dtype), x.to(dtype=data.dtype),
                x.to(device=data.device)]  # fmt: skip
        use.notice(any(found is not x for found in same), "to what it is already, it is another packed sequence")
        like = torch.empty(1, dtype=other, device=data.device)
        changed = [x.to(other), x.to(like), x.to(data.device, other), x.to(dtype=other)]
        wrong = [found.data.dtype for found in changed if found.data.dtype != other or found.data.device != data.device]
        use.notice(bool(wrong), f"to {other} gave {wrong}")
        exact = other == torch.float64
        return use.module(changed[0].to(data.dtype) if exact else x, *state)

    return use.module, use.call(called)


USAGES.update({name: functools.partial(_composed, name) for name in IDENTITIES})
USAGES.update(
    second=second, autocast=functools.partial(lowered, torch.bfloat16),
    autocast_half=functools.partial(lowered, torch.float16), default_device=default_device, by_keyword=by_keyword,
    based=based, unprojected=unprojected, packed_to=packed_to,
)  # fmt: skip
