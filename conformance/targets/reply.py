"""A target's reply is data from a process that may have gone mad: held against its form before anyone uses it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_STATUSES = ("ok", "raised", "crashed", "hung", "unsupported")
_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "int32": 4, "int64": 8, "bool": 1, "complex64": 8}


class Garbled(ValueError):
    """A reply that is not in the form of one; the message says where."""


def read(message: Any, cases: int) -> dict[str, Any]:
    """The reply in a message: answers to so many cases, each with its bytes; :class:`Garbled` for anything else."""
    if not (isinstance(message, tuple) and len(message) == 2 and isinstance(message[0], str)):
        raise Garbled("it is no reply")
    text, blobs = message
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Garbled(f"it is not JSON ({error})") from None
    if not isinstance(answer, dict):
        raise Garbled("it is no object")
    if "answers" in answer:
        _check_answers(answer["answers"], blobs, cases)
        for seen, kept in zip(answer["answers"], blobs, strict=True):
            seen["blobs"] = kept
    return answer


def _check_answers(answers: Any, blobs: Any, cases: int) -> None:
    if not (isinstance(answers, list) and isinstance(blobs, list) and len(answers) == len(blobs) == cases):
        raise Garbled(f"it does not answer to {cases} cases")
    for seen, kept in zip(answers, blobs, strict=True):
        if not isinstance(seen, dict) or seen.get("status") not in _STATUSES or not isinstance(seen.get("phase"), str):
            raise Garbled("it does not say what became of a case")
        if not _is_number(seen.get("seconds")) or not isinstance(seen.get("warnings"), list):
            raise Garbled("it does not say how long a case took and what it warned of")
        if not isinstance(kept, list) or not all(isinstance(blob, bytes) for blob in kept):
            raise Garbled("the bytes of a tensor are none")
        _check_tensors(seen, kept)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check_tensors(node: Any, kept: list[bytes]) -> None:
    """Every tensor in an observation: as many bytes as its shape and dtype say."""
    if isinstance(node, list):
        for item in node:
            if isinstance(item, (dict, list)):
                _check_tensors(item, kept)
    elif isinstance(node, dict):
        if "blob" in node:
            _check_tensor(node, kept)
        for value in node.values():
            if isinstance(value, (dict, list)):
                _check_tensors(value, kept)


def _check_tensor(told: Mapping[str, Any], kept: list[bytes]) -> None:
    place, shape = told["blob"], told.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise Garbled(f"a tensor has the shape {shape!r}")
    if place is None:
        return
    if type(place) is not int or not 0 <= place < len(kept):
        raise Garbled(f"a tensor has its bytes at {place!r}, of {len(kept)}")
    wanted = math.prod(shape) * _BYTES.get(str(told.get("dtype")), -1)
    if len(kept[place]) != wanted:
        raise Garbled(f"a tensor of shape {shape} and dtype {told.get('dtype')} has {len(kept[place])} bytes")
