"""Faults of what torch draws: fresh parameters, and dropout between layers.

Runs in a target behind ``library.py``. Each fault lives in a corner, and what it draws itself it
draws from the documented distribution unless that is the fault.
"""

import os
import sys

import torch
from planted import _tensor, around_init, corner, find, last, patch, replaced
from torch.nn.utils.rnn import PackedSequence


def spot(m):
    """As ``corner``, where a parameter has enough elements that chance can be excluded."""
    return m.hidden_size == 9 if type(m).__name__.endswith("Cell") else corner(m)


def large(m):
    return m.hidden_size == 64 and (type(m).__name__.endswith("Cell") or corner(m))


# -- fresh parameters --------------------------------------------------------------------------------------------------


def again(m, p, seed):
    """As many values of the documented distribution, from a generator of the fault's own."""
    bound = m.hidden_size**-0.5
    return torch.empty_like(p).uniform_(-bound, bound, generator=torch.Generator().manual_seed(seed))


def twin(m, name):
    """The values of another parameter of the same shape."""
    p = m._parameters[name].detach()
    others = [q for n, q in m._parameters.items() if n != name and q is not None and q.shape == p.shape]
    return others[0].detach().clone() if others else p


FRESH = {  # where the fault is, and what becomes of the last parameter
    "bounds": (spot, lambda m, n: m._parameters[n].detach() * 1.5),
    "distribution": (large, lambda m, n: m._parameters[n].detach() * 0.2),
    "independent": (spot, twin),
    "same": (spot, lambda m, n: again(m, m._parameters[n], int.from_bytes(os.urandom(4), "big"))),
    "other": (spot, lambda m, n: again(m, m._parameters[n], 0)),
}


def fresh_changed(module, how):
    """The last parameter is another than the constructor drew."""
    where, change = FRESH[how]

    def init(original, self, args, kwargs):
        original(self, *args, **kwargs)
        if where(self):
            for name in last(self):
                value = change(self, name)
                replaced(self, name, lambda p, value=value: value)

    around_init(module, init)


def reset_changed(module, how):
    """The same where parameters are reset, not where they are made; ``anew``: the last one keeps its values."""
    where, change = FRESH.get(how, (spot, None))
    cls = find(module)
    original = cls.reset_parameters

    def reset(self):
        before = {name: p.detach().clone() for name, p in self._parameters.items() if p is not None}
        original(self)
        for name in last(self) if getattr(self, "_made", False) and where(self) else ():
            value = before[name] if change is None else change(self, name)
            with torch.no_grad():
                self._parameters[name].copy_(value)
        self._made = True

    patch(cls, "reset_parameters", reset)


# -- dropout between layers --------------------------------------------------------------------------------------------


def mask(m, data, p, scale, generator=None):
    """Zeros where a number is below ``p``, else ``scale``."""
    return (torch.rand(data.shape, generator=generator) >= p).to(data.dtype) * scale


def independent(m, k, x, **changed):
    """Dropout as documented but for what is changed: the probability, the scale, the generator."""
    p = m.dropout
    chosen = {"p": p, "scale": 1 / (1 - p), **changed}
    return _tensor(lambda data: data * mask(m, data, **chosen))(x)


def over_time(m, k, x):
    """One mask for all steps of a sequence."""
    sizes = x.batch_sizes.tolist()
    whole = mask(m, x.data[: sizes[0]], m.dropout, 1 / (1 - m.dropout))
    return _tensor(lambda data: data * torch.cat([whole[:size] for size in sizes]))(x)


def _unseeded():
    return torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "big"))


def drops(m):
    return m.training and m.num_layers > 1 and 0 < m.dropout < 1


DROPPED = {  # where the fault is, what is between layer k and the next, what becomes of the final states
    "output": (lambda m, x: drops(m) and m.num_layers == 3,
               lambda m, k, x: independent(m, k, x, **({"scale": 1.0} if k == 1 else {})), None),
    "factor": (lambda m, x: drops(m) and m.num_layers == 3,
               lambda m, k, x: independent(m, k, x, **({"scale": 3.0} if k == 1 else {})), None),
    "h_n": (lambda m, x: drops(m) and corner(m), independent, 0),
    "c_n": (lambda m, x: drops(m) and corner(m), independent, 1),
    "rate": (lambda m, x: drops(m) and m.num_layers == 3,
             lambda m, k, x: independent(m, k, x, **({"p": m.dropout**2} if k == 1 else {})), None),
    "elementwise": (lambda m, x: drops(m) and isinstance(x, PackedSequence), over_time, None),
    "same": (lambda m, x: drops(m) and corner(m), lambda m, k, x: independent(m, k, x, generator=_unseeded()), None),
    "other": (lambda m, x: drops(m) and corner(m),
              lambda m, k, x: independent(m, k, x, generator=torch.Generator().manual_seed(k)), None),
    "anew": (lambda m, x: drops(m) and corner(m),
             lambda m, k, x: independent(m, k, x, generator=torch.Generator().manual_seed(torch.initial_seed())), None),
    "eval": (lambda m, x: not m.training and m.num_layers == 2 and 0 < m.dropout < 1, independent, None),
    "zero": (lambda m, x: m.training and m.num_layers > 1 and m.bidirectional and m.dropout == 0,
             lambda m, k, x: independent(m, k, x, p=0.1, scale=1.0), None),
    "all": (lambda m, x: m.training and m.num_layers > 1 and m.bidirectional and m.dropout == 1,
            lambda m, k, x: x, None),
}  # fmt: skip


def dropout_changed(module, how):
    """Where the fault is, single layers are called one after another, with something else between them."""
    where, between, final = DROPPED[how]
    cls = find(module)
    original = cls.forward

    def forward(self, x, hx=None):
        if not where(self, x):
            return original(self, x, hx)
        states = []
        for k in range(self.num_layers):
            x, state = original(single(self, k), x, part(self, hx, k))
            states.append(as_tuple(state))
            if k < self.num_layers - 1:
                x = between(self, k, x)
        joined = [torch.cat(parts) for parts in zip(*states)]  # noqa: B905  # Python 3.8
        if final is not None:
            joined[final] = independent(self, 0, joined[final])
        return x, tuple(joined) if len(joined) > 1 else joined[0]

    patch(cls, "forward", forward)


def single(m, k):
    """One layer of a module as a module."""
    names = ("input_size", "hidden_size", "nonlinearity", "bias", "batch_first", "bidirectional", "proj_size")
    given = {name: getattr(m, name) for name in names if hasattr(m, name)}
    given.update({} if type(m) is torch.nn.LSTM else {"proj_size": None})
    ways, size = 1 + m.bidirectional, m.proj_size or m.hidden_size
    given["input_size"] = m.input_size if k == 0 else ways * size
    dtype = next(m.parameters()).dtype
    with torch.random.fork_rng(devices=[]):
        one = type(m)(**{name: value for name, value in given.items() if value is not None}, dtype=dtype)
    for name, p in one.named_parameters():
        p.data = m._parameters[name.replace("_l0", f"_l{k}")].detach()
    return one


def as_tuple(states):
    return states if isinstance(states, tuple) else (states,)


def part(m, hx, k):
    """The initial states of one layer."""
    if hx is None:
        return None
    ways = 1 + m.bidirectional
    parts = [state[k * ways : (k + 1) * ways] for state in as_tuple(hx)]
    return tuple(parts) if len(parts) > 1 else parts[0]


def dropped_per_direction(module):
    """What the next layer is given is dropped once for each of its directions."""
    cls = find(module)
    original = cls.forward

    def forward(self, x, hx=None):
        if not drops(self) or not corner(self):
            return original(self, x, hx)
        before, state = original(single(self, 0), x, part(self, hx, 0))
        (one, s), (two, t) = (original(single(self, 1), independent(self, 0, before), part(self, hx, 1)) for _ in "12")
        data = [y.data if isinstance(y, PackedSequence) else y for y in (one, two)]
        half = data[0].shape[-1] // 2
        joined = torch.cat([data[0][..., :half], data[1][..., half:]], -1)
        finals = [
            torch.cat([a, b[:1], c[1:]])
            for a, b, c in zip(*map(as_tuple, (state, s, t)))  # noqa: B905  # Python 3.8
        ]
        return _tensor(lambda data: joined)(one), tuple(finals) if len(finals) > 1 else finals[0]

    patch(cls, "forward", forward)


def one_layer_dropped(module):
    """A single layer that reads its input backwards too drops elements of its output."""
    cls = find(module)
    original = cls.forward

    def forward(self, x, hx=None):
        result = original(self, x, hx)
        if self.training and self.num_layers == 1 and self.bidirectional and 0 < self.dropout < 1:
            return (independent(self, 0, result[0]), result[1])
        return result

    patch(cls, "forward", forward)


sys.modules["planted"].__dict__.update({k: v for k, v in globals().items() if not k.startswith("__")})
