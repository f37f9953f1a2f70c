"""Plain values and tensors as source, for scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from conformance.cases import Input


class ScriptError(ValueError):
    """A case that is not one of its contract; a script made from it could run anything."""


def literal(value: Any) -> str:
    """A plain value as source; anything that Python could not read back is refused."""
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, float) and value * 0 != 0:
        return f'float("{value}")'
    if value is None or isinstance(value, (bool, int, float, str)):
        return ascii(value)
    raise ScriptError(f"{type(value).__name__} is no value of an argument")


def sizes(shape: Iterable[Any]) -> str:
    """A shape as arguments."""
    return ", ".join(str(int(size)) for size in shape)


def arranged(item: Input, make: Callable[[tuple[int, ...]], str]) -> str:
    """An input with its memory written out, as a view of a tensor of another shape that ``make`` makes."""
    shape, rank = tuple(map(int, item.shape)), len(item.shape)
    if item.memory == "transposed" and rank > 1:
        return f"{make((shape[-1], *shape[1:-1], shape[0]))}.transpose(0, -1)"
    if item.memory == "sliced" and rank:
        return f"{make((*shape[:-1], 2 * shape[-1] + 1))}[..., 1::2]"
    if item.memory == "expanded" and rank and shape[0] > 1:
        return f"{make((1, *shape[1:]))}.expand({sizes(shape)})"
    return make(shape)
