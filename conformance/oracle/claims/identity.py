"""Identities of recurrent modules: what a page says can be computed in another way, with the same result.

The agent computes it in that way; what comes out is held against the equations of the page, as for any usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.oracle.claims.uses import CELLS, LAYERS, Usage

_BATCHED = ("time_first", "batch_first", "batched")
_DENSE = ("time_first", "batch_first", "unbatched")
_KEPT: Mapping[str, Any] = {"dropout": (0.0,)}
_STATELESS = {"give hx": (False,), "give h_0": (False,), "give hidden": (False,)}
_RECURRENT = (*LAYERS, *CELLS)
_FILLED = dict.fromkeys(("size N", "size batch"), (1, 2, 3, 4, 5, 9))  # an empty batch is the layer's own affair


def _usage(name: str, statement: str, source: str, of: tuple[str, ...], **tried: Any) -> Usage:
    return Usage(name, statement, source, of=of, tried={**_KEPT, **tried})


IDENTITIES = (
    _usage("omitted", "a state that is omitted is a state of zeros, to the bit", "Inputs: defaults to zeros",
           _RECURRENT, **_STATELESS),
    _usage("evaluated", "evaluated, a module with dropout computes what one without does, to the bit",
           "Args: dropout; nn.Dropout", LAYERS, dropout=(0.5, 0.1, 1.0), train=(False,), num_layers=(2, 3, 4)),
    _usage("split", "a sequence split in two, with the state carried, gives what the whole does",
           "Outputs: h_n; equations", LAYERS, layout=_DENSE, bidirectional=(False,)),
    _usage("sliced", "the halves of a batch give what the whole does", "Shape; equations", _RECURRENT,
           layout=_BATCHED),
    _usage("unbatched", "each sample without a batch gives what it does in the batch", "Inputs: unbatched",
           _RECURRENT, layout=_BATCHED),
    _usage("batch_of_one", "in a batch of its own, a sample gives what it does without one", "Inputs: unbatched",
           _RECURRENT, layout=("unbatched",)),
    _usage("permuted", "the samples of a batch in another order give the same in that order", "Shape; equations",
           _RECURRENT, layout=(*_BATCHED, "packed", "packed")),
    _usage("transposed", "batch_first transposes input and output and nothing else", "Args: batch_first", LAYERS,
           layout=("time_first", "batch_first")),
    _usage("stacked", "several layers are modules of one layer, one on the other", "Args: num_layers", LAYERS,
           num_layers=(2, 3, 4)),
    _usage("silenced", "with a dropout of 1, every layer but the first sees zeros", "Args: dropout", LAYERS,
           num_layers=(2, 3, 4), dropout=(1.0,), train=(True,)),
    _usage("both_ways", "two directions are a module, and one of the reverse weights on the reversed sequence",
           "Args: bidirectional; Outputs: output", LAYERS, bidirectional=(True,)),
    _usage("unrolled", "the cell, step by step, gives what the layer does", "equations of the cell", LAYERS,
           layout=_DENSE, bidirectional=(False,), proj_size=(0,)),
    _usage("one_step", "a layer on a sequence of one step gives what the cell does", "equations of the layer", CELLS,
           **_FILLED),
    _usage("packed", "packed, sequences of one length give what they do together", "Inputs: packed", LAYERS,
           layout=("time_first", "batch_first")),
    _usage("padded", "the valid part of a padded batch gives what the packed one does", "Inputs: packed", LAYERS,
           layout=("packed",), bidirectional=(False,)),
    _usage("apart", "each packed sequence alone gives what it does in the batch", "Inputs: packed", LAYERS,
           layout=("packed",)),
)  # fmt: skip
