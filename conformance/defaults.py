"""What a compact file leaves out: fields that have their usual values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any


def unusual(told: Mapping[str, Any], known: type) -> dict[str, Any]:
    """The fields of a dataclass, as plain data, that a reader could not fill in."""
    usual = json.loads(_usual(known))
    return {name: value for name, value in told.items() if name not in usual or usual[name] != value}


@cache
def _usual(known: type) -> str:
    found: dict[str, Any] = {}
    for field in fields(known):
        if field.default is not MISSING:
            found[field.name] = field.default
        elif field.default_factory is not MISSING:
            found[field.name] = field.default_factory()
    return json.dumps(found)
