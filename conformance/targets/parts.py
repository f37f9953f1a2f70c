"""Parts of states, modules and batches: what identities of recurrent modules are made of.

Shipped to the target, before them. Needs torch alone and keeps to what Python 3.8 knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence

# -- states: a tensor, or a tuple of them ----------------------------------------------------------------------------


def _each(state: Any, change: Callable[[Any], Any]) -> Any:
    return tuple(map(change, state)) if isinstance(state, tuple) else change(state)


def _narrowed(state: Any, axis: int, start: int, count: int) -> list[Any]:
    """A part of what is passed behind the input: nothing or a state."""
    return [_each(s, lambda t: t.narrow(axis, start, count)) for s in state]


def _selected(state: Any, axis: int, place: int) -> list[Any]:
    return [_each(s, lambda t: t.select(axis, place)) for s in state]


def _joined(states: list[Any], how: Any, axis: int) -> Any:
    """Several states as one, by ``torch.cat`` or ``torch.stack``."""
    if isinstance(states[0], tuple):
        return tuple(how(list(parts), axis) for parts in zip(*states))  # noqa: B905  # Python 3.8 knows no strict
    return how(states, axis)


def _tensors(result: Any) -> list[Any]:
    if isinstance(result, PackedSequence):
        return [result.data]
    return [result] if isinstance(result, torch.Tensor) else [t for part in result for t in _tensors(part)]


def _differ(one: Any, two: Any) -> bool:
    """Whether two results are not the same to the bit, apart from what is not a number."""
    pairs = zip(_tensors(one), _tensors(two))  # noqa: B905
    return any(a.device.type != "meta" and bool(((a != b) & ~((a != a) & (b != b))).any()) for a, b in pairs)


# -- modules that share parameters -----------------------------------------------------------------------------------


def _like(module: Any, features: int, **changed: Any) -> Any:
    """A layer of the same kind with other options."""
    names = ("num_layers", "batch_first", "bidirectional", "nonlinearity", "proj_size", "dropout")
    given = {name: getattr(module, name) for name in names if getattr(module, name, False)}  # others are the defaults
    return type(module)(features, module.hidden_size, **{"bias": module.bias, **_factory(module), **given, **changed})


def _factory(module: Any) -> dict[str, Any]:
    parameter = next(module.parameters())
    return {"device": parameter.device, "dtype": parameter.dtype}


def _sharing(made: Any, module: Any, named: Callable[[str], str] = str) -> Any:
    """``made`` with the parameters that ``module`` has under these names."""
    for name in [name for name, _ in made.named_parameters()]:
        setattr(made, name, getattr(module, named(name)))
    return made.train(module.training)


def _one_layer(module: Any, k: int, suffix: str = "", **changed: Any) -> Any:
    features = getattr(module, f"weight_ih_l{k}").shape[1]
    made = _like(module, features, **{"num_layers": 1, "dropout": 0.0, **changed})
    return _sharing(made, module, lambda name: name.replace("_l0", f"_l{k}{suffix}"))


def _kin(module: Any, name: str, features: int, named: Callable[[str], str]) -> Any:
    """The cell of a layer, or the layer of a cell, with its parameters."""
    options = {"nonlinearity": module.nonlinearity} if hasattr(module, "nonlinearity") else {}
    made = getattr(torch.nn, name)(features, module.hidden_size, bias=module.bias, **options, **_factory(module))
    return _sharing(made, module, named)


def _cell_of(module: Any, k: int) -> Any:
    features = getattr(module, f"weight_ih_l{k}").shape[1]
    return _kin(module, type(module).__name__ + "Cell", features, lambda label: f"{label}_l{k}")


# -- sequences -------------------------------------------------------------------------------------------------------


def _time(module: Any, x: Any) -> int:
    return 1 if module.batch_first and x.dim() == 3 else 0


def _batch(module: Any, x: Any) -> int:
    """The axis of the batch: of a cell's input the first."""
    return 1 - _time(module, x) if isinstance(module, torch.nn.RNNBase) else 0


def _state_batch(module: Any) -> int:
    return 1 if isinstance(module, torch.nn.RNNBase) else 0


def _sequences(x: Any) -> list[Any]:
    whole, lengths = pad_packed_sequence(x)
    return [whole[:length, place] for place, length in enumerate(lengths.tolist())]


def _packed_as(x: Any, sequences: list[Any]) -> Any:
    """Sequences of the same lengths, packed in the same order."""
    return pack_sequence(sequences, enforce_sorted=x.sorted_indices is None)


def _backwards(module: Any, x: Any) -> Any:
    """Each sequence from its own end to its beginning."""
    if isinstance(x, PackedSequence):
        return _packed_as(x, [sequence.flip(0) for sequence in _sequences(x)])
    return x.flip(_time(module, x))


def _with_data(x: Any, change: Callable[[Any], Any]) -> Any:
    return PackedSequence(change(x.data), *x[1:]) if isinstance(x, PackedSequence) else change(x)


def _beside(x: Any, y: Any) -> Any:
    """The features of two sequences together."""
    (other,) = _tensors(y)
    return _with_data(x, lambda t: torch.cat([t, other], -1))


def _result(module: Any, parts: list[Any], axis: int, how: Any) -> Any:
    """The results of parts of a batch as that of the whole."""
    states = [part[1] if isinstance(module, torch.nn.RNNBase) else part for part in parts]
    state = _joined(states, how, _state_batch(module))
    return (how([part[0] for part in parts], axis), state) if isinstance(module, torch.nn.RNNBase) else state
