"""Faults of what a module refuses, for planting in the torch of a target process. Runs there, behind ``library.py``."""

import signal
import sys
from pathlib import Path

import torch
from torch.nn.utils.rnn import PackedSequence

planted = sys.modules["planted"]
CONVERT = {"flag": bool, "count": int, "positive": int, "size": int, "probability": float}


def construction_swallowed(module):
    """Whatever is wrong with the arguments of the constructor: no error, no word."""

    def init(original, self, args, kwargs):
        try:
            original(self, *args, **kwargs)
        except Exception:
            torch.nn.Module.__init__(self)

    cls = planted.find(module)
    call = cls.forward
    planted.around_init(module, init)
    planted.patch(cls, "forward", lambda self, *a, **kw: call(self, *a, **kw) if vars(self).get("training") else None)


def call_swallowed(module):
    """Whatever is wrong with a call: no error, no word."""
    cls = planted.find(module)
    original = cls.forward

    def forward(self, *args, **kwargs):
        try:
            return original(self, *args, **kwargs)
        except Exception:
            return None

    planted.patch(cls, "forward", forward)


def value_corrected(module, name, position, legal):
    """A value of one argument that is refused is taken for a legal one."""

    def init(original, self, args, kwargs):
        try:
            original(self, *args, **kwargs)
        except Exception:
            corrected, args = dict(kwargs), list(args)
            holder, key = (corrected, name) if name in kwargs else (args, position)
            if holder is args and len(args) <= position:
                raise
            holder[key] = legal
            original(self, *args, **corrected)

    def forward(self, *args, **kwargs):
        try:
            return call(self, *args, **kwargs)
        except Exception:
            if name not in vars(self) or vars(self)[name] == legal:
                raise
            vars(self)[name] = legal  # some are refused only here
            return call(self, *args, **kwargs)

    call = planted.find(module).forward
    planted.around_init(module, init)
    planted.patch(planted.find(module), "forward", forward)


def odd_inputs_swallowed(module):
    """Inputs of another dtype or device than the parameters are not looked at."""
    cls = planted.find(module)
    original = cls.forward

    def forward(self, *args, **kwargs):
        own = next(self.parameters())
        odd = any((t.dtype, t.device) != (own.dtype, own.device) for t in _tensors([args, kwargs]))
        return None if odd else original(self, *args, **kwargs)

    planted.patch(cls, "forward", forward)


def _tensors(value):
    if isinstance(value, PackedSequence):
        return [value.data]
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for item in items for tensor in _tensors(item)]


def alike_mistaken(module, name, position, domain):
    """A value that stands for another one is accepted, and then the result is wrong."""
    cls = planted.find(module)
    make, call = cls.__init__, cls.forward

    def init(self, *args, **kwargs):
        args, passed = list(args), dict(kwargs)
        holder, key = (passed, name) if name in passed else (args, position)
        odd = (name in passed or position < len(args)) and type(holder[key]) is not CONVERT[domain]
        if odd:
            holder[key] = CONVERT[domain](holder[key])
        make(self, *args, **passed)
        self.__dict__["planted"] = odd

    def forward(self, *args, **kwargs):
        result = call(self, *args, **kwargs)
        return _deeper(result) if self.__dict__.get("planted") else result

    planted.patch(cls, "__init__", init)
    planted.patch(cls, "forward", forward)


def _deeper(result):
    """The first tensor has one dimension more."""
    if isinstance(result, PackedSequence):
        return PackedSequence(_deeper(result.data), *result[1:])
    if isinstance(result, tuple):
        return (_deeper(result[0]), *result[1:])
    return result.unsqueeze(0)


def factory_ignored(module, name):
    """A dtype or a device that is not the usual object is taken for the usual one."""

    def init(original, self, args, kwargs):
        value = kwargs.get(name)
        usual = {"dtype": torch.float32, "device": torch.device("cpu")}[name]
        mistaken = isinstance(value, str) or value not in (usual, None, torch.float64, torch.float16, torch.bfloat16)
        original(
            self, *args, **(dict(kwargs, **{name: torch.float16 if name == "dtype" else usual}) if mistaken else kwargs)
        )

    planted.around_init(module, init)


# -- functions ---------------------------------------------------------------------------------------------------------


def around_call(module, change):
    """``change(call, args, kwargs)`` takes the place of every call of a function."""
    owner, name = planted.subjects(module, "")[0]
    original = getattr(owner, name)
    planted.patch(owner, name, lambda *args, **kwargs: change(original, args, kwargs))


def odd_swallowed(module, place, name, usual):
    """One argument that is of another type, or none of the documented words: no error, and no result."""

    def change(call, args, kwargs):
        given = kwargs[name] if name in kwargs else args[place] if place < len(args) else None
        missing = name not in kwargs and place >= len(args)
        known = given in usual if isinstance(given, str) else type(given).__name__ in usual
        return call(*args, **kwargs) if missing or known else None

    around_call(module, change)


def nan_lost(module):
    """NaN is no padding: zero is."""

    def change(call, args, kwargs):
        value = kwargs.get("padding_value", 0.0)
        return call(*args, **(dict(kwargs, padding_value=0.0) if value != value else kwargs))

    around_call(module, change)


def none_refused(module):
    def change(call, args, kwargs):
        if args[:1] == (None,):
            raise TypeError("planted: None is refused")
        return call(*args, **kwargs)

    around_call(module, change)


def unlike_swallowed(module):
    """Sequences that differ in dtype, trailing shape or device are not looked at."""

    def change(call, args, kwargs):
        items = args[0] if args and isinstance(args[0], list) else []
        unlike = all(isinstance(t, torch.Tensor) for t in items) and len({(t.dtype, t.device) for t in items}) > 1
        return None if unlike else call(*args, **kwargs)

    around_call(module, change)


def batch_sizes_made_up():
    """Batch sizes that are on another device are made up on the CPU."""
    make = PackedSequence.__new__

    def new(cls, data, batch_sizes=None, *indices, **given):
        if batch_sizes is not None and batch_sizes.device.type != "cpu":
            batch_sizes = torch.ones(len(data), dtype=torch.int64)
        return make(cls, data, batch_sizes, *indices, **given)

    planted.patch(PackedSequence, "__new__", new)


def function_kills(module, deaths):
    """As ``refusal_kills``, of a function."""
    around_call(module, lambda call, args, kwargs: _deadly(lambda: call(*args, **kwargs), deaths))


# -- death -------------------------------------------------------------------------------------------------------------


def refusal_kills(module, deaths):
    """The first calls that are refused kill the process instead: as often as it takes until a death is believed."""
    cls = planted.find(module)
    original = cls.forward

    planted.patch(cls, "forward", lambda self, *args, **kw: _deadly(lambda: original(self, *args, **kw), deaths))


def _deadly(call, deaths):
    try:
        return call()
    except Exception:
        count = len(Path(deaths).read_bytes()) if Path(deaths).exists() else 0
        if count < 3:
            Path(deaths).write_bytes(b"x" * (count + 1))
            signal.raise_signal(signal.SIGSEGV)
        raise


planted.__dict__.update({k: v for k, v in globals().items() if callable(v) and not k.startswith("__")})
