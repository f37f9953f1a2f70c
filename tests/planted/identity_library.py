"""Faults that show when what a recurrent module computes is computed in another way, or around it.

Runs in a target behind ``usage_library.py``. Each lives in a half of the configurations and spoils what the other way
leads to, wherever possible nothing else.
"""

import sys

import torch
from planted import USAGES, after_method, around_init, odd, off, patch
from torch.nn.utils.rnn import PackedSequence


def off_when(cls, when):
    """The result is off where ``when(module, input, state)`` holds; a state is a list of tensors, perhaps empty."""
    original = cls.forward

    def forward(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        x, *state = (*args, *kwargs.values())
        state = [t for s in state for t in (s if isinstance(s, tuple) else (s,)) if t is not None]
        return off(result) if odd(self) and when(self, x, state) else result

    patch(cls, "forward", forward)


def marked(cls):
    """Modules in which a parameter has been put in the place of another know of it."""
    original = cls.__setattr__

    def setattr_(self, name, value):
        if name in self.__dict__.get("_parameters", {}):
            self.__dict__["_marked"] = True
        original(self, name, value)

    patch(cls, "__setattr__", setattr_)


def is_marked(m):
    return "_marked" in m.__dict__


def off_marked(cls, when=lambda m, x, s: True):
    marked(cls)
    off_when(cls, lambda m, x, s: is_marked(m) and when(m, x, s))


def dense(x):
    return not isinstance(x, PackedSequence)


def further(x):
    """A part of a tensor that begins behind its first element."""
    return dense(x) and x.storage_offset() > 0 and x.stride(-1) == 1


def axes(m):
    """How many axes an input with a batch has."""
    return 2 if type(m).__name__.endswith("Cell") else 3


def count(m, x):
    return x.shape[0 if axes(m) == 2 or m.batch_first else 1] if dense(x) and x.dim() == axes(m) else 0


def fresh(x):
    return isinstance(x, PackedSequence) or x._base is None


def relative(cls, name):
    """The cell of a layer, the layer of a cell."""
    return getattr(torch.nn, name(cls.__name__))


def _ended(m, x, s):
    """Some sequence ends in zeros, as padding does."""
    return dense(x) and x.dim() == 3 and bool((x[:, -1] if m.batch_first else x[-1]).eq(0).all(-1).any())


def _carried(cls):
    """A state that it gave itself is another when it comes back."""

    def note(result, m, args, kwargs):
        m.__dict__["_last"] = result[1][0] if isinstance(result[1], tuple) else result[1]
        return result

    off_when(cls, lambda m, x, s: bool(s) and s[0] is m.__dict__.get("_last"))
    after_method(cls, "forward", note)


def _last(cls):
    """The last state of the layer of a cell is off, where parameters have been put in the place of others."""

    def change(result, m, args, kwargs):
        last = result[1]
        wrong = tuple(t + 1 for t in last) if isinstance(last, tuple) else last + 1
        return (result[0], wrong) if odd(m) and is_marked(m) else result

    layer = relative(cls, lambda name: name[: -len("Cell")])
    marked(layer)
    after_method(layer, "forward", change)


class Once(torch.autograd.Function):
    """The identity, which can be differentiated once: what comes of it does not depend on how."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.detach() + 0


def _once(cls):
    original = cls.forward

    def through(result):
        if isinstance(result, PackedSequence):
            return PackedSequence(Once.apply(result.data), *result[1:])
        return tuple(map(through, result)) if isinstance(result, tuple) else Once.apply(result)

    def forward(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        return through(result) if odd(self) else result

    patch(cls, "forward", forward)


def _lowered(dtype):
    """Under autocast a packed result, or that of a cell, has a type of its own."""

    def build(cls):
        def change(result, m, args, kwargs):
            on = torch.is_autocast_cpu_enabled() and torch.get_autocast_cpu_dtype() == dtype
            if not on or not odd(m):
                return result
            if isinstance(result, torch.Tensor):
                return result.double()
            first = result[0]
            wide = PackedSequence(first.data.double(), *first[1:]) if not dense(first) else first.double()
            return (wide, *result[1:])

        after_method(cls, "forward", change)

    return build


def _keyword(cls):
    original = cls.forward

    def forward(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        return off(result) if kwargs and odd(self) else result

    patch(cls, "forward", forward)


def _unprojected(cls):
    def init(original, self, args, kwargs):
        original(self, *args, **{k: v for k, v in kwargs.items() if k != "proj_size"})

    around_init(f"torch.nn.{cls.__name__}", init)


def _moved_like(cls):
    """Where another tensor says where to, a packed sequence stays as it is."""
    original = PackedSequence.to

    def to(self, *args, **kwargs):
        return self if args and isinstance(args[0], torch.Tensor) else original(self, *args, **kwargs)

    patch(PackedSequence, "to", to)


USAGES.update({
    "omitted": lambda cls: off_when(cls, lambda m, x, s: bool(s) and not any(t.any() for t in s)),
    "evaluated": lambda cls: off_when(cls, lambda m, x, s: not m.training and m.dropout > 0 and m.num_layers > 1),
    "split": _carried,
    "sliced": lambda cls: off_when(cls, lambda m, x, s: further(x) and x.dim() == axes(m)),
    "unbatched": lambda cls: off_when(cls, lambda m, x, s: dense(x) and x.dim() == axes(m) - 1),
    "batch_of_one": lambda cls: off_when(cls, lambda m, x, s: count(m, x) == 1),
    "permuted": lambda cls: off_when(cls, lambda m, x, s: fresh(x)),
    "transposed": lambda cls: off_marked(cls, lambda m, x, s: m.batch_first),
    "stacked": lambda cls: off_marked(cls, lambda m, x, s: m.bidirectional and m.num_layers == 1),
    "silenced": lambda cls: off_marked(cls, lambda m, x, s: not (x if dense(x) else x.data).any()),
    "both_ways": lambda cls: off_marked(cls, lambda m, x, s: not m.bidirectional),
    "unrolled": lambda cls: off_marked(relative(cls, lambda name: f"{name}Cell")),
    "one_step": _last,
    "packed": lambda cls: off_when(
        cls, lambda m, x, s: not dense(x) and x.sorted_indices is None and len(x.batch_sizes.unique()) == 1
    ),
    "padded": lambda cls: off_when(cls, _ended),
    "apart": lambda cls: off_when(cls, lambda m, x, s: count(m, x) == 1 and m.num_layers > 1),
    "second": _once,
    "autocast": _lowered(torch.bfloat16),
    "autocast_half": _lowered(torch.float16),
    "default_device": lambda cls: off_when(cls, lambda m, x, s: torch.empty(0).device.type == "meta"),
    "by_keyword": _keyword,
    "based": lambda cls: patch(torch.nn, "RNNBase", type("RNNBase", (torch.nn.Module,), {})),
    "unprojected": _unprojected,
    "packed_to": _moved_like,
})  # fmt: skip


sys.modules["planted"].__dict__.update({k: v for k, v in globals().items() if not k.startswith("__")})
