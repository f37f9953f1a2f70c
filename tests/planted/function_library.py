"""Faults for planting in functions and in the methods of packed sequences. Runs after ``library.py``, in the target."""

import sys

import torch
from planted import HOW, _at, find, patch
from torch.nn.utils.rnn import PackedSequence

CASTS = ("double", "float", "half", "long", "int", "short", "char", "byte", "cpu")


def subjects(module, where):
    """Where the callables of a layout live."""
    if find(module) is PackedSequence:
        return [(PackedSequence, name) for name in (CASTS if where == "cast" else [where])]
    path, _, name = module.rpartition(".")
    return [(sys.modules[path], name)]


def count(x, args):
    """How many sequences a call is about."""
    if isinstance(x, PackedSequence):
        return int(x.batch_sizes[0])
    return len(args[0]) if args and isinstance(args[0], (torch.Tensor, list)) else len(x)


def way(name, x, args, kwargs):
    """Which documented layout a call uses."""
    layout = "batch_first" if kwargs.get("batch_first") else "time_first"
    if name == "pack_padded_sequence" and x.shape[layout == "batch_first"] > max(int(n) for n in args[0]):
        return f"truncated_{layout}"
    return layout


def around_function(module, where, change):
    """``change(call, x, args, kwargs)`` takes the place of the calls with two sequences in one layout."""
    for owner, name in subjects(module, where):
        original = getattr(owner, name)

        def function(x, *args, original=original, name=name, **kwargs):
            here = not where.endswith("_first") or way(name, x, args, kwargs) == where
            return (change if here and count(x, args) == 2 else _plainly)(original, x, args, kwargs)

        if isinstance(original, property):
            get = original.fget
            patch(owner, name, property(lambda self, get=get: change(get, self, (), {})))
        else:
            patch(owner, name, function)


def _plainly(original, x, args, kwargs):
    return original(x, *args, **kwargs)


def after_function(module, where, change):
    around_function(module, where, lambda call, x, args, kwargs: change(call(x, *args, **kwargs), x, args))


# -- arguments ---------------------------------------------------------------------------------------------------------


def argument_lost(module, inputs):
    """The last argument is lost when it is passed by position behind the inputs."""
    owner, name = subjects(module, "")[0]
    original = getattr(owner, name)
    patch(owner, name, lambda *args, **kw: original(*(args[:-1] if len(args) > inputs else args), **kw))


def option_changed(module, name, value):
    """Another default where there are two sequences."""
    owner, function = subjects(module, "")[0]
    original = getattr(owner, function)

    def call(*args, **kwargs):
        if name not in kwargs and args and count(args[0], args[1:]) == 2:
            kwargs = dict(kwargs, **{name: value})
        return original(*args, **kwargs)

    patch(owner, function, call)


# -- calls -------------------------------------------------------------------------------------------------------------


def function_refuses(module, where):
    def change(call, x, args, kwargs):
        raise RuntimeError("planted: a documented call is refused")

    around_function(module, where, change)


def function_refuses_everywhere(module, where):
    def refuse(*args, **kwargs):
        raise RuntimeError("planted: a documented example is refused")

    for owner, name in subjects(module, where):
        patch(owner, name, refuse)


def function_swallows(module, where):
    """What should be refused gives something: no error, no word."""
    for owner, name in subjects(module, where):
        original = getattr(owner, name)

        def call(*args, original=original, **kwargs):
            try:
                return original(*args, **kwargs)
            except Exception:
                return None

        patch(owner, name, call)


def function_nests(module, where):
    def nested(result, x, args):
        if isinstance(result, list) or (isinstance(result, tuple) and not isinstance(result, PackedSequence)):
            return (list if isinstance(result, tuple) else tuple)(result)
        return [result]

    after_function(module, where, nested)


def argument_modified(module, where):
    """The last argument that is a tensor, or the data of the first, is another afterwards."""

    def change(result, x, args):
        tensors = [a for a in args if isinstance(a, torch.Tensor)]
        first = x[0] if isinstance(x, list) else x.data if isinstance(x, PackedSequence) else x
        data = tensors[-1] if tensors else first
        if result is not x and data.numel() and data.dim() and not data.requires_grad:
            with torch.no_grad():
                data[(0,) * data.dim()] = data[(0,) * data.dim()].logical_not() if data.dtype == torch.bool else (
                    data[(0,) * data.dim()] + 1)  # fmt: skip
        return result

    after_function(module, where, change)


def result_changed(module, where, path, how):
    changes = dict(HOW, **CHANGES)

    def change(result, x, args):
        if isinstance(result, list):
            changed = len(result) if how == "detached" else 1
            return [*map(changes[how], result[:changed]), *result[changed:]]
        return _at(result, path, changes[how])

    after_function(module, where, change)


def padding_changed(module, where):
    def change(call, x, args, kwargs):
        return call(x, *args, **dict(kwargs, padding_value=kwargs.get("padding_value", 0.0) == 0.0))

    around_function(module, where, change)


# -- what becomes of a result ------------------------------------------------------------------------------------------


class Broken(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        raise RuntimeError("planted: no derivative")


def _data(change):
    """The change on a tensor, or on the data of a packed sequence."""

    def apply(value):
        if isinstance(value, PackedSequence):
            return _packed(value, data=change(value.data))
        return change(value)

    return apply


def _packed(value, **parts):
    """A packed sequence with some of its parts replaced, whatever they are."""
    return tuple.__new__(PackedSequence, {**value._asdict(), **parts}.values())


def _floating(change):
    return _data(lambda t: change(t) if t.is_floating_point() and t.requires_grad else t)


def _indices(change):
    def apply(value):
        if value.sorted_indices is None:
            return value
        return _packed(value, **change(value))

    return apply


def _wider(t):
    return t if t.dtype == torch.float64 or t.requires_grad else t.to(torch.float64)


CHANGES = {
    "dtype": _data(_wider),
    "device": _data(lambda t: t if t.requires_grad else t.to("meta")),
    "reversed": _data(lambda t: t.flip(0) if t.dim() else t),
    "other": _data(lambda t: t.logical_not() if t.dtype == torch.bool else t + 1),
    "underived": _floating(Broken.apply),
    "detached": _floating(lambda t: t.detach()),
    "doubled": _floating(lambda t: 2 * t - t.detach()),
    "batch_sizes": lambda p: _packed(p, batch_sizes=p.batch_sizes.flip(0) + 1),
    "batch_sizes_kind": lambda p: _packed(p, batch_sizes=p.batch_sizes.int()),
    "indices_kind": _indices(lambda p: {"sorted_indices": p.sorted_indices.int()}),
    "sorted_indices": _indices(lambda p: {"sorted_indices": p.sorted_indices.flip(0)}),
    "unsorted_indices": _indices(lambda p: {"unsorted_indices": p.unsorted_indices.flip(0)}),
    "indices_lost": _indices(lambda p: {"sorted_indices": None, "unsorted_indices": None}),
    "copied": lambda p: _packed(p),
    "negated": lambda flag: not flag,
}

sys.modules["planted"].__dict__.update({k: v for k, v in globals().items() if not k.startswith("__")})
