"""Which dtypes a device may refuse to compute in, release by release: the others it must compute in.

No page says which device computes in which dtype. A page that takes ``dtype`` states its equations for all floating
ones, so each is held against them, and a refusal is accepted only where a row of this table knows of it. float32 and
float64 are computed everywhere (torch.set_default_dtype: "supports torch.float32 and torch.float64").
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from conformance.oracle.contract import in_range

_NO_CPU = "[!c]*|cuda*"
_CELLS = ("torch.nn.RNNCell", "torch.nn.LSTMCell", "torch.nn.GRUCell")
RECURRENT = ("torch.nn.RNN", "torch.nn.LSTM", "torch.nn.GRU", *_CELLS)


@dataclass(frozen=True)
class Refusal:
    """A dtype that devices (globs, with ``|`` between them) may refuse in some releases, and who says so; ``modules``
    is empty for all others."""

    dtype: str
    devices: str
    releases: str
    source: str
    modules: tuple[str, ...] = ()


REFUSALS = (
    Refusal("float16", "cpu", "<2.3", "refused by 2.0.1, computed by every release from 2.3.1 to 2.15.0 that was run",
            RECURRENT),
    Refusal("bfloat16", _NO_CPU, ">=2.0", "depends on the device: upstream issue 116925", RECURRENT),
    Refusal("float16", _NO_CPU, ">=2.0", "depends on the device: upstream issue 116925", RECURRENT),
    Refusal("float64", "mps*", ">=2.0", "the framework has no float64: upstream issue 122602", RECURRENT),
    Refusal("float64", "mps*", ">=2.0", "the framework has no float64: upstream issue 122602"),
    Refusal("float16", "*", ">=2.0", "no page speaks of it"),
    Refusal("bfloat16", "*", ">=2.0", "no page speaks of it"),
)  # fmt: skip


def may_refuse(module: str, dtype: str, device: str, release: str) -> bool:
    """Whether this release may refuse to compute this module in this dtype on this device."""
    return any(
        row.dtype == dtype
        and any(fnmatchcase(device, glob) for glob in row.devices.split("|"))
        and in_range(row.releases, release)
        and (module in row.modules if row.modules else module not in RECURRENT)
        for row in REFUSALS
    )
