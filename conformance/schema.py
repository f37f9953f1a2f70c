"""Data from files held against the annotations of the dataclass that it is to become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def check(cls: type, data: Mapping[str, Any]) -> None:
    """Raises :class:`TypeError` naming the field of ``data`` that is not what ``cls`` says it is."""
    fields = _fields(cls)
    for name, value in data.items():
        if name in fields and not fits(value, fields[name]):
            raise TypeError(f"{name} is {_short(value)}; it must be {_said(fields[name])}")


@cache
def _fields(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def fits(value: Any, wanted: Any) -> bool:
    """Whether a value is of an annotated type: those that JSON and TOML have, and dataclasses made of them."""
    origin, of = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return True
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in of)
    if origin in (tuple, list, Sequence):
        kind = of[0] if of else Any
        return isinstance(value, (tuple, list)) and all(fits(item, kind) for item in value)
    if origin in _TABLES or wanted in _TABLES:
        kind = of[1] if of else Any
        return isinstance(value, dict) and all(isinstance(k, str) and fits(v, kind) for k, v in value.items())
    return _PLAIN.get(wanted, lambda value: isinstance(value, wanted))(value)


_TABLES = (dict, Mapping)
_PLAIN: dict[Any, Callable[[Any], bool]] = {
    int: lambda value: type(value) is int,
    float: lambda value: type(value) in (int, float),
    type(None): lambda value: value is None,
}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _said(wanted: Any) -> str:
    return str(getattr(wanted, "__name__", wanted)) if not get_args(wanted) else str(wanted).replace("typing.", "")
