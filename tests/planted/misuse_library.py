"""Faults of what a module refuses, for planting in the torch of a target process. Runs there, behind ``library.py``."""

import signal
import sys
from pathlib import Path

import torch
from torch.nn.utils.rnn import PackedSequence

planted = sys.modules["planted"]
CONVERT = {"flag": bool, "count": int, "positive": int, "size": int, "probability": float}


def misuse_swallowed(module):
    """Whatever is wrong with the arguments of the constructor or of the call: no error, no word."""
    cls = planted.find(module)
    make, call = cls.__init__, cls.forward

    def init(self, *args, **kwargs):
        try:
            make(self, *args, **kwargs)
        except Exception:
            torch.nn.Module.__init__(self)

    def forward(self, *args, **kwargs):
        try:
            return call(self, *args, **kwargs)
        except Exception:
            return None

    planted.patch(cls, "__init__", init)
    planted.patch(cls, "forward", forward)


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


def refusal_kills(module, deaths):
    """The first calls that are refused kill the process instead: as often as it takes until a death is believed."""
    cls = planted.find(module)
    original = cls.forward

    def forward(self, *args, **kwargs):
        try:
            return original(self, *args, **kwargs)
        except Exception:
            count = len(Path(deaths).read_bytes()) if Path(deaths).exists() else 0
            if count < 3:
                Path(deaths).write_bytes(b"x" * (count + 1))
                signal.raise_signal(signal.SIGSEGV)
            raise

    planted.patch(cls, "forward", forward)


planted.__dict__.update({k: v for k, v in globals().items() if callable(v) and not k.startswith("__")})
