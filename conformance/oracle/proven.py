"""What proves that a claim can fail: the fault that it catches when the suite tests itself."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("proven.toml")


@cache
def faults() -> Mapping[str, str]:
    """The planted fault of each claim of the suite's own contracts."""
    data = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {claim: fault for fault, claims in data.items() for claim in claims}
