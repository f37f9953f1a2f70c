"""Plain values as source, for scripts."""

from __future__ import annotations

from typing import Any


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
