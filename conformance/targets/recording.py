"""Notes which modules of torch.nn a script constructs and how it calls them. Runs in the target, as its own script.

``python recording.py OUT.json MODULES SCRIPT.py [ARGUMENT …]``; it needs torch and the standard library alone and keeps
to what Python 3.8 knows.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import runpy
import sys
import weakref
from typing import Any

import torch

SEEN: dict[str, dict[str, Any]] = {}  # JSON of a configuration with its call -> the same, counted
_MADE: Any = weakref.WeakKeyDictionary()  # module -> how it was constructed
MOST = 2000  # configurations: a script that makes more has said enough


def watch(name: str) -> None:
    """Has constructions and calls of this class noted; a class that this torch lacks is none."""
    cls: Any = getattr(torch.nn, name.rpartition(".")[2], None)
    if not isinstance(cls, type):
        return
    kind: Any = cls
    init, forward = kind.__init__, kind.forward

    @functools.wraps(init)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self) is cls:
            _MADE[self] = {"module": name, "args": list(map(plain, args)), "kwargs": _plain_values(kwargs)}

    @functools.wraps(forward)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self in _MADE:
            note(self, args, kwargs)
        return forward(self, *args, **kwargs)

    kind.__init__, kind.forward = made, called


def note(module: Any, args: Any, kwargs: Any) -> None:
    """One call of a module that the script made."""
    call = {"args": list(map(given, args)), "kwargs": {k: given(v) for k, v in kwargs.items()}}
    told = dict(_MADE[module], train=module.training, call=call)
    key = json.dumps(told, sort_keys=True)
    if key in SEEN or len(SEEN) < MOST:
        SEEN.setdefault(key, dict(told, count=0))["count"] += 1


def plain(value: Any) -> Any:
    """A constructor argument: a plain value, or the name of a dtype; anything else by its type."""
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, torch.dtype):
        return str(value)[len("torch.") :]
    return {"type": type(value).__name__}


def _plain_values(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in kwargs.items()}


def given(value: Any) -> Any:
    """An input: shape, dtype and device of a tensor, the lengths of a packed sequence."""
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return _packed(value)
    if isinstance(value, torch.Tensor):
        return {"shape": list(value.shape), "dtype": str(value.dtype)[len("torch.") :], "device": str(value.device)}
    if isinstance(value, (tuple, list)):
        return [given(item) for item in value]
    return plain(value)


def _packed(value: Any) -> dict[str, Any]:
    sizes = value.batch_sizes.tolist()
    lengths = [sum(size > place for size in sizes) for place in range(sizes[0] if sizes else 0)]
    order = None if value.unsorted_indices is None else value.unsorted_indices.tolist()
    return dict(given(value.data), lengths=lengths if order is None else [lengths[i] for i in order],
                enforce_sorted=order is None)  # fmt: skip


def main() -> None:
    """Runs the script as Python would, and writes what was noted whatever its end is."""
    out, modules, script = sys.argv[1:4]
    for name in json.loads(modules):
        watch(name)
    told = {"torch": str(torch.__version__)}
    sys.argv = sys.argv[3:]
    sys.path[0] = os.path.dirname(os.path.abspath(script))  # noqa: PTH100, PTH120  # as Python itself does it
    atexit.register(lambda: _write(out, told))
    runpy.run_path(script, run_name="__main__")


def _write(out: str, told: dict[str, Any]) -> None:
    with open(out, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(dict(told, seen=list(SEEN.values())), file)


if __name__ == "__main__":
    main()
