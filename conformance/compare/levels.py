"""Which fields stop an upgrade: the suite's own choice, and what the user says in pyproject.toml or a file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

GATE, INFORM = "gate", "inform"
LEVELS = (GATE, INFORM)
# What stops an upgrade by itself, unless the user says otherwise; a broken promise always does.
DEFAULTS: dict[str, str] = {
    "status": GATE, "memory safety": GATE, "exception": GATE, "phase": INFORM, "message": INFORM, "shape": GATE,
    "dtype": GATE, "strides": INFORM, "device": INFORM, "values": GATE, "accuracy": INFORM, "gradients": GATE,
    "effects": INFORM, "state": GATE, "loading": GATE, "defaults": INFORM, "repr": INFORM, "warnings": INFORM,
    "random stream": INFORM, "promise": INFORM, "signature": INFORM, "formulas": INFORM, "page": INFORM,
}  # fmt: skip
_HOW = f"the fields are {', '.join(DEFAULTS)}; the levels are {' and '.join(LEVELS)}"


class GateError(ValueError):
    """A gate that cannot be understood: which file, which field, what is allowed."""


def levels(file: str | None = None, directory: Path | None = None) -> dict[str, str]:
    """The level of every field. ``file`` is the user's; without one ``[tool.conformance.gate]`` of the
    ``pyproject.toml`` in the directory counts."""
    beside = (directory or Path.cwd()) / "pyproject.toml"
    if file is None and not beside.is_file():
        return dict(DEFAULTS)
    path = Path(file) if file else beside
    return {**DEFAULTS, **_checked(_gate(_read(path), path, required=file is not None), path)}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise GateError(f"{path}: cannot be read as TOML ({error}); write a table [gate] with lines such as "
                        'values = "inform"') from None  # fmt: skip


def _gate(data: Mapping[str, Any], path: Path, required: bool) -> Mapping[str, Any]:
    """The table of the gate: of a pyproject under ``tool.conformance``, of any other file at its top or in ``gate``."""
    tool = data.get("tool")
    own = tool.get("conformance", {}) if isinstance(tool, Mapping) else {}
    found = own.get("gate") if isinstance(own, Mapping) else None
    if found is None and required:
        found = data.get("gate", data)
    if found is not None and not isinstance(found, Mapping):
        raise GateError(f"{path}: gate is {found!r}; it must be a table of fields and levels; {_HOW}")
    return found or {}


def _checked(given: Mapping[str, Any], path: Path) -> dict[str, str]:
    for field, level in given.items():
        if field not in DEFAULTS:
            raise GateError(f"{path}: {field!r} is no field of an observation; {_HOW}")
        if level not in LEVELS:
            raise GateError(f"{path}: {field} is {level!r}, which is no level; {_HOW}")
    return dict(given)
