"""Whether a refusal speaks of what the user passed, and what became of something that was not to be accepted.

The worst comes first: a dead process, silence, a misleading error. Of messages the promise is read narrowly, so that a
terse one is no discrepancy. An error is *misleading* only if it is one of these:

- an internal assertion, a request to report a bug, a failed allocation, a tensor that is none (``tensor does not have
  a device``), or a library that could not make its kernel (``could not create a primitive``): it speaks of torch's
  inside, where a value from outside was wrong;
- an error without a message;
- an ``AttributeError`` of an object of another type than those that the user passed;
- a tuple, list or dimension that torch indexed and that has no such place, which the user never indexed;
- an error of a program that is wrong in itself: ``NameError``, ``UnboundLocalError``, ``KeyError``, ``RecursionError``,
  ``SystemError``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from conformance.cases import Case
from conformance.oracle.claims.claim import Evidence, Failure, Judgement, died, happened

_INTERNAL = re.compile(
    "INTERNAL ASSERT FAILED|report a bug|could not create a primitive|CUDNN_STATUS_|[aA]llocat|out of memory|bad_alloc"
    "|tensor does not have a device"
)
_INDEXED = re.compile(r"^(list|tuple|string) index out of range|^index -?\d+ is out of bounds for dimension")
_ATTRIBUTE = re.compile(r"^'([\w.]+)' object has no attribute")
_WRONG_PROGRAM = ("NameError", "UnboundLocalError", "KeyError", "RecursionError", "SystemError", "MemoryError")
_TYPES = {  # what stands for a tensor, and its type
    "list": "list", "ndarray": "numpy.ndarray", "tuple": "tuple", "none": "NoneType", "number": "float",
    "string": "str", "stacked": "Tensor", "absent": "NoneType", "generator": "generator", "strings": "str",
    "numbers": "float", "with none": "NoneType",
}  # fmt: skip
_NESTED = ("tuple", "list")


def refused(expected: str, e: Evidence) -> Judgement:
    """What must not be accepted was not, and the error speaks of it."""
    status = e.seen["status"]
    if status == "ok" or died(status):
        return Failure(expected, happened(e.seen), died(status) or "silent")
    return cleared(expected, e)


def cleared(expected: str, e: Evidence) -> Judgement:
    """That the error with which the case ended speaks of what was passed."""
    return not misleading(e.seen, e.case) or Failure(expected, happened(e.seen), "misleading")


def misleading(seen: Mapping[str, Any], case: Case) -> bool:
    """Whether an error says nothing of what was passed, by the rule above."""
    name, message = str(seen["exception"]), str(seen["message"]).strip()
    if not message or name in _WRONG_PROGRAM or _INTERNAL.search(message):
        return True
    if name == "IndexError":
        return _INDEXED.search(message) is not None
    if name == "AttributeError":
        found = _ATTRIBUTE.search(message)
        return found is None or found[1] not in _passed(case)
    return False


def _passed(case: Case) -> set[str]:
    """The names of the types that the case passes."""
    names = {"Tensor", "PackedSequence"}
    if case.misuse is None:
        return names
    value = case.misuse.value
    if case.misuse.kind in ("type", "nesting"):
        return names | {_TYPES.get(str(value), "tuple"), *_NESTED}
    plain = value["as"] if isinstance(value, Mapping) else type(value).__name__
    return names | {{"nan": "float", "inf": "float"}.get(str(plain), str(plain))}
