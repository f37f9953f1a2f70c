"""What the page of ``PackedSequence`` promises of every one that torch makes, and of its methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from conformance.oracle.claims.call import output
from conformance.oracle.claims.claim import Claim, Evidence, Failure, Judgement
from conformance.oracle.claims.constructor import on_device
from conformance.oracle.claims.values import compare
from conformance.oracle.contract import Contract, Layout, Port
from conformance.oracle.equations.sequences import cut, packed_steps
from conformance.oracle.numerics import ROUNDOFF, TINY, Bounded
from conformance.values import exact

Check = Callable[[Any, Evidence], Judgement]


def claims(contract: Contract) -> Iterator[Claim]:
    """One set for each way to call that gives a packed sequence."""
    for layout in contract.layouts if contract.function else ():
        for port in contract.outputs:
            kind = port.kind(layout.name) if layout.name in port.by_layout else "plain"
            if port.packed and kind != "plain":
                yield from _of_packed(contract, layout, port)
            if layout.method:
                yield from _of_method(contract, layout, port)


def _of_packed(contract: Contract, layout: Layout, port: Port) -> Iterator[Claim]:
    def make(name: str, statement: str, source: str, check: Check) -> Claim:
        return Claim(f"{contract.prefix}.{port.name}.{name}.{layout.name}", contract.module, layout.name, statement,
                     source, partial(_of, port, check))  # fmt: skip

    note = "PackedSequence: note"
    yield make("is_packed", f"{port.name} is a PackedSequence", "Returns", _is_packed)
    yield make("batch_sizes", "batch_sizes are the number of elements at each sequence step", note, _batch_sizes)
    yield make("batch_sizes.kind", "batch_sizes is a CPU torch.int64 tensor", note, _batch_sizes_kind)
    yield make("indices.kind", "sorted_indices and unsorted_indices are torch.int64 tensors on the device of data",
               note, _indices_kind)  # fmt: skip
    yield make("sorted_indices", "sorted_indices order the sequences by decreasing length",
               "PackedSequence: Attributes", _sorted_indices)  # fmt: skip
    yield make("unsorted_indices", "unsorted_indices recover the original order: they invert sorted_indices",
               "PackedSequence: Attributes", _unsorted_indices)  # fmt: skip
    if layout.packed:
        yield make("indices.kept", "batch_sizes and indices stay as they are: only data are converted",
                   "PackedSequence.to", _indices_kept)  # fmt: skip
    if any(option.name == "enforce_sorted" for option in contract.options):
        yield make("indices.presence", "with enforce_sorted=False the sequences are sorted unconditionally, so there "
                   "are indices; else they are None", "Args: enforce_sorted; Example", _indices_presence)  # fmt: skip


def _of(port: Port, check: Check, e: Evidence) -> Judgement:
    found = output(e, port)
    if found is None or (found["type"] != "packed" and check is not _is_packed):
        return False
    return check(found, e)


def _is_packed(found: Any, e: Evidence) -> Judgement:
    return found["type"] == "packed" or Failure("a PackedSequence", f"a {found['type']}")


def _batch_sizes(found: Any, e: Evidence) -> Judgement:
    if found["batch_sizes"] is None:
        return False
    lengths = e.env["lengths"]
    expected = [sum(length > t for length in lengths) for t in range(max(lengths))]
    return found["batch_sizes"] == expected or Failure(
        f"batch_sizes {expected} of lengths {tuple(lengths)}", f"batch_sizes {found['batch_sizes']}", "silent"
    )


def _batch_sizes_kind(found: Any, e: Evidence) -> Judgement:
    told = found["kinds"]["batch_sizes"]
    return told == ["int64", "cpu"] or Failure("int64 on cpu", f"{told and ' on '.join(told)}", "silent")


def _indices_kind(found: Any, e: Evidence) -> Judgement:
    if not on_device(found["device"], e.device):
        return False  # another claim
    told = {name: found["kinds"][name] for name in _INDICES if found["kinds"][name] is not None}
    wrong = [f"{name} {dtype} on {device}" for name, (dtype, device) in told.items()
             if dtype != "int64" or not on_device(device, found["device"])]  # fmt: skip
    if wrong:
        return Failure(f"int64 on {found['device']}", "; ".join(wrong), "silent")
    return bool(told)


_INDICES = ("sorted_indices", "unsorted_indices")


def _sorted_indices(found: Any, e: Evidence) -> Judgement:
    order, lengths = found["sorted_indices"], e.env["lengths"]
    if order is None:
        return False
    if sorted(order) != list(range(len(lengths))):
        return Failure(f"an order of {len(lengths)} sequences", f"sorted_indices {order}", "silent")
    ordered = [lengths[n] for n in order]
    return ordered == sorted(lengths, reverse=True) or Failure(
        "lengths in decreasing order", f"sorted_indices {order} order them {tuple(ordered)}", "silent"
    )


def _unsorted_indices(found: Any, e: Evidence) -> Judgement:
    order, back = found["sorted_indices"], found["unsorted_indices"]
    if order is None or back is None:
        return False
    inverse = [n for n, _ in sorted(enumerate(order), key=lambda pair: pair[1])]
    return back == inverse or Failure(f"unsorted_indices {inverse}", f"unsorted_indices {back}", "silent")


def _indices_kept(found: Any, e: Evidence) -> Judgement:
    given = next(iter(e.seen["packs"].values()))
    changed = [name for name in ("batch_sizes", *_INDICES) if given[name] != found[name]]
    return not changed or Failure(
        "; ".join(f"{name} {given[name]}" for name in changed), "; ".join(f"{name} {found[name]}" for name in changed)
    )


def _indices_presence(found: Any, e: Evidence) -> Judgement:
    there = [name for name in _INDICES if found["kinds"][name] is not None]
    expected = [] if e.env["enforce_sorted"] else list(_INDICES)
    return there == expected or Failure(" and ".join(expected) or "no indices", " and ".join(there) or "no indices")


# -- methods -----------------------------------------------------------------------------------------------------------


def _of_method(contract: Contract, layout: Layout, port: Port) -> Iterator[Claim]:
    def make(name: str, statement: str, check: Callable[[Evidence], Judgement]) -> Claim:
        return Claim(f"{contract.prefix}.{layout.method}.{name}.{layout.name}", contract.module, layout.name,
                     statement, f"PackedSequence.{layout.method}", check)  # fmt: skip

    if layout.method == "to":
        yield make("value", "to converts the dtype of data", partial(_converted, port))
        yield make("self", "to returns self where data have that dtype and device already, else a copy",
                   partial(_itself, port))  # fmt: skip
    if layout.method in ("is_cuda", "is_pinned"):
        yield make("value", f"{layout.method} says where data are stored", partial(_stored, layout.method))


def _converted(port: Port, e: Evidence) -> Judgement:
    """Data as they were, rounded to the new dtype in either direction; of floats as integers nothing is said."""
    found, dtype = output(e, port), str(e.env["dtype"])
    if found is None or found["type"] != "packed" or found.get("blob") is None or found["dtype"] != dtype:
        return False
    if dtype == "int64" and e.case.dtype not in ("int64", "bool"):
        return False
    lengths = e.env["lengths"]
    whole = cut(exact(e.values.inputs["sequence"]), lengths, batch_first=False)
    data = whole[packed_steps(lengths, e.order or range(len(lengths)))]
    error = 2 * ROUNDOFF[dtype] * np.abs(data) + TINY[dtype]
    seen = e.array(found)
    return seen.shape == data.shape and compare("data", seen, Bounded(data, error), dtype)


def _itself(port: Port, e: Evidence) -> Judgement:
    found = output(e, port)
    if found is None or found["dtype"] != e.env["dtype"] or not on_device(found["device"], e.device) or e.env["copy"]:
        return False
    same, there = "sequence" in e.seen["identical"], e.env["dtype"] == e.case.dtype
    return same == there or Failure("self" if there else "a copy", "self" if same else "a copy")


def _stored(method: str, e: Evidence) -> Judgement:
    if not e.outputs or e.outputs["output"]["type"] != "bool":
        return False if not e.ok else Failure("a bool", str(e.seen["result"]["type"]))
    expected = method == "is_cuda" and e.device.startswith("cuda")
    found = e.outputs["output"]["value"]
    return found == expected or Failure(str(expected), str(found), "silent")
