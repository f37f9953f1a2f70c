"""A usage: what is done with a module around a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.oracle.contract import FLOATING, Contract

LAYERS = ("torch.nn.RNN", "torch.nn.LSTM", "torch.nn.GRU")
CELLS = ("torch.nn.RNNCell", "torch.nn.LSTMCell", "torch.nn.GRUCell")


@dataclass(frozen=True)
class Usage:
    """Something that is done with a module around a call: what the documentation says of it, and where.

    ``of`` names the classes whose pages say it (all where empty), ``tried`` the choices to which it is confined.
    """

    name: str
    statement: str
    source: str
    releases: str = ">=2.0"
    differentiable: bool = True
    dtypes: tuple[str, ...] = FLOATING
    of: tuple[str, ...] = ()
    tried: Mapping[str, Any] = field(default_factory=dict)

    def choices(self, contract: Contract) -> Mapping[str, Any]:
        """What is tried of this contract, which may not have every layout."""
        layouts = tuple(name for name in self.tried.get("layout", ()) if name in contract.layout_names)
        return {**self.tried, **({"layout": layouts} if layouts else {})}
