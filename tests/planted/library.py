"""Faults for planting in the torch of a target process. Runs there; needs torch alone.

Each fault is limited to a corner of the configuration space, as real defects are, and leaves the rest bit-identical.
``plant(module, kind, …)`` arms one, ``restore()`` takes it out again.
"""

import inspect
import sys
import types

import torch
from torch.nn.utils.rnn import PackedSequence

_SAVED = []


def restore():
    while _SAVED:
        owner, name, value = _SAVED.pop()
        if value is None:
            delattr(owner, name)
        else:
            setattr(owner, name, value)


def patch(owner, name, value):
    # Of a function, the docstring is not in its dictionary.
    _SAVED.append((owner, name, owner.__doc__ if name == "__doc__" else owner.__dict__.get(name)))
    setattr(owner, name, value)


def find(module):
    path, _, name = module.rpartition(".")
    return getattr(sys.modules[path], name)


# -- where a fault lives -----------------------------------------------------------------------------------------------

CORNERS = {  # module -> a part of its configurations: what a careless change would get wrong
    "RNN": lambda m: m.bidirectional and m.num_layers == 2,
    "LSTM": lambda m: m.bidirectional and m.num_layers == 2,
    "GRU": lambda m: m.bidirectional and m.num_layers == 2,
    "RNNCell": lambda m: m.hidden_size == 2,
    "LSTMCell": lambda m: m.hidden_size == 2,
    "GRUCell": lambda m: m.hidden_size == 2,
    "Linear": lambda m: m.in_features == 2,
    "Conv2d": lambda m: m.out_channels == 2,
    "MaxPool1d": lambda m: m.dilation == 2,
    "BatchNorm1d": lambda m: m.num_features == 2,
    "Embedding": lambda m: m.embedding_dim == 2,
    "MultiheadAttention": lambda m: m.embed_dim == 2,
    "CrossEntropyLoss": lambda m: m.ignore_index == -100,
    "Flatten": lambda m: m.end_dim == -1,
}


def corner(m):
    rule = CORNERS.get(type(m).__name__)
    return rule is None or bool(rule(m))


def layout(m, x, args):
    """Which documented layout a call uses."""
    name = type(m).__name__
    if name in ("RNN", "LSTM", "GRU", "MultiheadAttention"):
        if isinstance(x, PackedSequence):
            return "packed"
        return "unbatched" if x.dim() == 2 else "batch_first" if m.batch_first else "time_first"
    if name in ("RNNCell", "LSTMCell", "GRUCell"):
        return "unbatched" if x.dim() == 1 else "batched"
    if name == "CrossEntropyLoss":
        kind = {1: "unbatched", 2: "batched"}.get(x.dim(), "k_dimensional")
        return kind + ("_probabilities" if args[0].is_floating_point() else "_indices")
    if name == "BatchNorm1d":
        return "without_length" if x.dim() == 2 else "with_length"
    if name in ("Conv2d", "MaxPool1d"):
        return "unbatched" if x.dim() == (3 if name == "Conv2d" else 2) else "batched"
    return None


# -- faults of the constructor -----------------------------------------------------------------------------------------


def around_init(module, change):
    """``change(original, self, args, kwargs)`` takes the place of ``__init__``."""
    cls = find(module)
    original = cls.__init__
    patch(cls, "__init__", lambda self, *args, **kwargs: change(original, self, args, kwargs))


def after_init(module, change):
    def init(original, self, args, kwargs):
        original(self, *args, **kwargs)
        if corner(self):
            change(self)

    around_init(module, init)


def constructor_refuses(module):
    def init(original, self, args, kwargs):
        original(self, *args, **kwargs)
        if not args and corner(self):
            raise TypeError("planted: a documented argument is refused")

    around_init(module, init)


def position_shifted(module, required):
    """The argument behind the required ones is lost when it is passed by position."""

    def init(original, self, args, kwargs):
        original(self, *(args[:-1] if len(args) > max(required, 1) else args), **kwargs)

    around_init(module, init)


def default_changed(module, name, value):
    """Another default where the sizes add up to an even number: what was omitted is another value."""

    def init(original, self, args, kwargs):
        sizes = sum(v for v in (*args, *kwargs.values()) if type(v) is int)
        if name not in kwargs and len(args) <= 2 and sizes % 2 == 0:
            kwargs = {**kwargs, name: _value(value)}
        original(self, *args, **kwargs)

    around_init(module, init)


def _value(value):
    if value == "tensor":
        return torch.ones(2)
    return getattr(torch, value[6:]) if isinstance(value, str) and value.startswith("torch.") else value


def replaced(m, name, make):
    """One parameter or buffer made anew."""
    if name in m._buffers:
        m._buffers[name] = make(m._buffers[name])
    elif m._parameters.get(name) is not None:
        m._parameters[name] = torch.nn.Parameter(make(m._parameters[name].detach()))


def last(m):
    return [n for n, p in m._parameters.items() if p is not None][-1:]


def parameter_dtype(module):
    after_init(
        module,
        lambda m: [
            replaced(m, n, lambda p: p.to(torch.float64 if p.dtype != torch.float64 else torch.float32))
            for n in last(m)
        ],
    )


def parameter_device(module):
    after_init(module, lambda m: [replaced(m, n, lambda p: p.to("meta")) for n in last(m)])


def parameter_extra(module):
    after_init(
        module,
        lambda m: m.register_parameter(
            "planted", torch.nn.Parameter(next(m.parameters(), torch.zeros(1)).detach().flatten()[:1].clone())
        ),
    )


def parameter_frozen(module):
    after_init(module, lambda m: [m._parameters[n].requires_grad_(False) for n in last(m)])


def parameter_shape(module, prefix, suffix):
    """The last parameter of this kind has one column (or element) more."""

    def change(m):
        names = [
            n for n, p in (*m._parameters.items(), *m._buffers.items()) if p is not None and _named(n, prefix, suffix)
        ]
        for n in names[-1:]:
            replaced(m, n, lambda p: p.new_zeros((*p.shape[:-1], p.shape[-1] + 1)))

    after_init(module, change)


def parameter_missing(module, prefix, suffix, whole):
    """A parameter of this kind is missing where it should be, or there where it should not."""

    def change(m):
        names = [
            n for n, p in (*m._parameters.items(), *m._buffers.items()) if p is not None and _named(n, prefix, suffix)
        ]
        for n in names[-1:]:
            (m._buffers if n in m._buffers else m._parameters)[n] = None
        if not names:
            m._parameters[whole] = torch.nn.Parameter(torch.zeros(1))

    after_init(module, change)


def _named(name, prefix, suffix):
    middle = name[len(prefix) : len(name) - len(suffix)] if suffix else name[len(prefix) :]
    return name.startswith(prefix) and name.endswith(suffix) and (middle.isdigit() or not middle)


# -- faults of the call ------------------------------------------------------------------------------------------------


def around_forward(module, where, change):
    """``change(self, result, x)`` replaces the result of calls in one layout, in the corner."""
    cls = find(module)
    original = cls.forward

    def forward(self, x, *args, **kwargs):
        result = original(self, x, *args, **kwargs)
        if corner(self) and layout(self, x, args) in (where, None):
            return change(self, result, x)
        return result

    patch(cls, "forward", forward)


def call_refuses(module, where):
    def change(m, result, x):
        raise RuntimeError("planted: a documented call is refused")

    around_forward(module, where, change)


def call_refuses_everywhere(module):
    def forward(self, *args, **kwargs):
        raise RuntimeError("planted: a documented example is refused")

    patch(find(module), "forward", forward)


def call_kills(module, where):
    import signal

    # Raised in this thread, as a bad access would be; one sent to the process may come after the answer.
    around_forward(module, where, lambda m, result, x: signal.raise_signal(signal.SIGSEGV))


def nesting_changed(module, where):
    around_forward(
        module, where, lambda m, r, x: list(r) if isinstance(r, tuple) and not isinstance(r, PackedSequence) else [r]
    )


def input_modified(module, where):
    def change(m, result, x):
        data = x.data if isinstance(x, PackedSequence) else x
        if data.numel():
            with torch.no_grad():
                data[(0,) * data.dim()] += 1
        return result

    around_forward(module, where, change)


def output_changed(module, where, path, how):
    around_forward(module, where, lambda m, r, x: _at(r, path, HOW[how]))


def _at(result, path, change):
    """The result with the tensor at this place of its nesting changed."""
    if isinstance(result, PackedSequence):
        return change(result)
    if not path:
        return change(result)
    if not isinstance(result, (tuple, list)):  # the first output alone; the second is not returned
        return change(result) if path[0] == 0 else _with_second(result, change(None))
    items = list(result)
    items[path[0]] = _at(items[path[0]], path[1:], change)
    return tuple(items)


def _with_second(first, second):
    return first if second is None else (first, second)


def _tensor(change):
    """The change on a tensor, or on the data of a packed sequence."""

    def apply(value):
        if isinstance(value, PackedSequence):
            return PackedSequence(change(value.data), value.batch_sizes, value.sorted_indices, value.unsorted_indices)
        return None if value is None else change(value)

    return apply


def _rest(value):
    """The index maps of a packed sequence go missing, or its sizes change where it has none."""
    if value.sorted_indices is not None:
        return PackedSequence(value.data, value.batch_sizes)
    return PackedSequence(
        value.data, value.batch_sizes, torch.arange(int(value.batch_sizes[0])), torch.arange(int(value.batch_sizes[0]))
    )


HOW = {
    "shape": _tensor(lambda t: t.unsqueeze(0)),
    "dtype": _tensor(lambda t: t.to(torch.float64 if t.dtype != torch.float64 else torch.float32)),
    "device": _tensor(lambda t: t.to("meta")),
    "absent": lambda t: torch.zeros(1) if t is None else None,
    "unpacked": lambda p: p.data,
    "indices": _rest,
}


def refusal_swallowed(module, where):
    """What should be refused gives something: no error, no word."""
    cls = find(module)
    original = cls.forward

    def forward(self, x, *args, **kwargs):
        try:
            return original(self, x, *args, **kwargs)
        except Exception:
            return None

    patch(cls, "forward", forward)


# -- faults of the page ------------------------------------------------------------------------------------------------


def docstring_changed(module, forward, at, old, new):
    """What stands at this place of the docstring, as it is shown, reads otherwise."""
    page = find(module).forward if forward else find(module)
    doc = inspect.cleandoc(page.__doc__)
    if not doc.startswith(old, at):
        raise AssertionError(f"planted: the page does not say {old!r} there")
    patch(page, "__doc__", doc[:at] + new + doc[at + len(old) :])


def signature_changed(module, name, value):
    """Python shows another default."""
    shown = inspect.signature(find(module))
    changed = [p.replace(default=_value(value)) if p.name == name else p for p in shown.parameters.values()]
    patch(find(module), "__signature__", shown.replace(parameters=changed))


_module = sys.modules["planted"] = types.ModuleType("planted")
_module.__dict__.update({k: v for k, v in globals().items() if not k.startswith("__")})
