"""Other ways to compute what a recurrent module computes, which follow from the text of its page.

Shipped to the target, before the usages. Each takes a module and ``notice``, which hears of what is wrong, and gives
what is to be called in the module's place. Parameters are the module's own, so gradients reach them. Needs torch alone
and keeps to what Python 3.8 knows; the report shows these functions as they stand here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

if TYPE_CHECKING:  # in the target, all of this is in one namespace
    from conformance.targets.parts import (
        _backwards,
        _batch,
        _beside,
        _cell_of,
        _differ,
        _each,
        _joined,
        _kin,
        _like,
        _narrowed,
        _one_layer,
        _packed_as,
        _result,
        _selected,
        _sequences,
        _sharing,
        _state_batch,
        _time,
        _with_data,
    )


def omitted(module: Any, notice: Any) -> Any:
    """An omitted state is a state of zeros."""

    def called(x: Any) -> Any:
        result = module(x)
        last = result[1] if isinstance(module, torch.nn.RNNBase) else result
        given = module(x, _each(last, torch.zeros_like))
        notice(_differ(result, given), "the result with a state of zeros is not that without a state")
        return given

    return called


def evaluated(module: Any, notice: Any) -> Any:
    """Evaluated, a module with dropout is one without."""
    twin = _sharing(_like(module, module.input_size, dropout=0.0), module)

    def called(*args: Any) -> Any:
        result = twin(*args)
        notice(_differ(result, module(*args)), "evaluated, the result with dropout is not that without")
        return result

    return called


def split(module: Any, notice: Any) -> Any:
    """A sequence in two parts, the state carried from the first to the second."""

    def called(x: Any, *state: Any) -> Any:
        axis = _time(module, x)
        half = x.shape[axis] // 2
        if not half:
            return module(x, *state)
        first, carried = module(x.narrow(axis, 0, half), *state)
        second, last = module(x.narrow(axis, half, x.shape[axis] - half), carried)
        return torch.cat([first, second], axis), last

    return called


def sliced(module: Any, notice: Any) -> Any:
    """The two halves of a batch."""

    def called(x: Any, *state: Any) -> Any:
        axis, states = _batch(module, x), _state_batch(module)
        count = x.shape[axis]
        if count < 2:
            return module(x, *state)
        spans = [(0, count // 2), (count // 2, count - count // 2)]
        parts = [module(x.narrow(axis, *span), *_narrowed(state, states, *span))
                 for span in spans]  # fmt: skip
        return _result(module, parts, axis, torch.cat)

    return called


def unbatched(module: Any, notice: Any) -> Any:
    """The samples of a batch, each without a dimension for the batch."""

    def called(x: Any, *state: Any) -> Any:
        axis, states = _batch(module, x), _state_batch(module)
        if not x.shape[axis]:
            return module(x, *state)
        parts = [module(x.select(axis, n), *_selected(state, states, n))
                 for n in range(x.shape[axis])]  # fmt: skip
        return _result(module, parts, axis, torch.stack)

    return called


def batch_of_one(module: Any, notice: Any) -> Any:
    """A batch that has the sample alone."""

    def called(x: Any, *state: Any) -> Any:
        layers, states = isinstance(module, torch.nn.RNNBase), _state_batch(module)
        axis = 1 if layers and not module.batch_first else 0
        result = module(x.unsqueeze(axis), *[_each(s, lambda t: t.unsqueeze(states)) for s in state])
        if not layers:
            return _each(result, lambda t: t.squeeze(0))
        return result[0].squeeze(axis), _each(result[1], lambda t: t.squeeze(1))

    return called


def permuted(module: Any, notice: Any) -> Any:
    """The batch in the reverse order, and its results in the order of before."""

    def called(x: Any, *state: Any) -> Any:
        states = _state_batch(module)
        turned = [_each(s, lambda t: t.flip(states)) for s in state]
        if isinstance(x, PackedSequence):
            output, last = module(pack_sequence(_sequences(x)[::-1], enforce_sorted=False), *turned)
            return _packed_as(x, _sequences(output)[::-1]), _each(last, lambda t: t.flip(1))
        axis = _batch(module, x)
        result = module(x.flip(axis), *turned)
        if not states:
            return _each(result, lambda t: t.flip(0))
        return result[0].flip(axis), _each(result[1], lambda t: t.flip(1))

    return called


def transposed(module: Any, notice: Any) -> Any:
    """The same with the other value of batch_first."""
    twin = _sharing(_like(module, module.input_size, batch_first=not module.batch_first), module)

    def called(x: Any, *state: Any) -> Any:
        output, last = twin(x.transpose(0, 1), *state)
        return output.transpose(0, 1), last

    return called


def stacked(module: Any, notice: Any, between: Any = None) -> Any:
    """Modules of one layer, one on the other."""
    layers = [_one_layer(module, k) for k in range(module.num_layers)]
    ways = 2 if module.bidirectional else 1

    def called(x: Any, *state: Any) -> Any:
        finals = []
        for k, layer in enumerate(layers):
            x, last = layer(x, *_narrowed(state, 0, k * ways, ways))
            finals.append(last)
            if between is not None and layer is not layers[-1]:
                x = _with_data(x, between)
        return x, _joined(finals, torch.cat, 0)

    return called


def silenced(module: Any, notice: Any) -> Any:
    """With a dropout of 1, every layer but the first sees zeros."""
    return stacked(module, notice, torch.zeros_like)


def both_ways(module: Any, notice: Any) -> Any:
    """A module of one direction beside one of the reversed sequence, which has the reverse weights."""
    layers = [[_one_layer(module, k, suffix, bidirectional=False) for suffix in ("", "_reverse")]
              for k in range(module.num_layers)]  # fmt: skip

    def called(x: Any, *state: Any) -> Any:
        finals = []
        for k, (ahead, back) in enumerate(layers):
            there, first = ahead(x, *_narrowed(state, 0, 2 * k, 1))
            home, second = back(_backwards(module, x), *_narrowed(state, 0, 2 * k + 1, 1))
            x = _beside(there, _backwards(module, home))
            finals += [first, second]
        return x, _joined(finals, torch.cat, 0)

    return called


def unrolled(module: Any, notice: Any) -> Any:
    """The cell of the same name, one step after another, layer by layer."""
    cells = [_cell_of(module, k) for k in range(module.num_layers)]

    def called(x: Any, *state: Any) -> Any:
        axis, finals = _time(module, x), []
        for k, cell in enumerate(cells):
            carried, outputs = _selected(state, 0, k), []
            for step in x.unbind(axis):
                carried = [cell(step, *carried)]
                outputs.append(carried[0][0] if isinstance(carried[0], tuple) else carried[0])
            x = torch.stack(outputs, axis)
            finals.append(carried[0])
        return x, _joined(finals, torch.stack, 0)

    return called


def one_step(module: Any, notice: Any) -> Any:
    """The layer of the same name on a sequence of one step."""
    layer = _kin(module, type(module).__name__[: -len("Cell")], module.input_size, lambda label: label[: -len("_l0")])

    def called(x: Any, *state: Any) -> Any:
        _, last = layer(x.unsqueeze(0), *[_each(s, lambda t: t.unsqueeze(0)) for s in state])
        return _each(last, lambda t: t.squeeze(0))

    return called


def packed(module: Any, notice: Any) -> Any:
    """A batch of sequences of one length, packed."""

    def called(x: Any, *state: Any) -> Any:
        time, batch = _time(module, x), _batch(module, x)
        if not x.shape[batch]:
            return module(x, *state)  # no page speaks of packing nothing
        together = pack_padded_sequence(x, [x.shape[time]] * x.shape[batch], batch_first=module.batch_first)
        output, last = module(together, *state)
        return pad_packed_sequence(output, batch_first=module.batch_first)[0], last

    return called


def padded(module: Any, notice: Any) -> Any:
    """In one direction what is padding comes last: the valid part of a padded batch."""

    def called(x: Any, *state: Any) -> Any:
        whole, lengths = pad_packed_sequence(x, batch_first=module.batch_first)
        output, _ = module(whole, *state)
        options = {"batch_first": module.batch_first, "enforce_sorted": x.sorted_indices is None}
        valid = pack_padded_sequence(output, lengths, **options)
        return valid, module(x, *state)[1]

    return called


def apart(module: Any, notice: Any) -> Any:
    """The sequences of a packed batch, each in a batch of its own."""

    def called(x: Any, *state: Any) -> Any:
        axis = 0 if module.batch_first else 1
        parts = [module(sequence.unsqueeze(axis), *_narrowed(state, 1, n, 1))
                 for n, sequence in enumerate(_sequences(x))]  # fmt: skip
        outputs = _packed_as(x, [output.squeeze(axis) for output, _ in parts])
        return outputs, _joined([last for _, last in parts], torch.cat, 1)

    return called


IDENTITIES: dict[str, Callable[[Any, Any], Any]] = {
    made.__name__: made
    for made in (
        omitted, evaluated, split, sliced, unbatched, batch_of_one, permuted, transposed, stacked, silenced, both_ways,
        unrolled, one_step, packed, padded, apart,
    )
}  # fmt: skip
