"""Edits of entries as text: whatever a person wrote, comments and unknown keys included, stays as it is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import tomlkit
from packaging.specifiers import SpecifierSet
from packaging.version import Version

_UPPER = re.compile(r"<=?(.*)")


def changed(text: str, fields: Mapping[str, Any]) -> str:
    """The text of an entry with other values for some fields."""
    document = tomlkit.parse(text)
    for name, value in fields.items():
        document[name] = value
    return tomlkit.dumps(document)


def ended(text: str, since: str) -> str:
    """The text of an entry whose range ends before a release, on which its case no longer fails."""
    releases = SpecifierSet(str(tomlkit.parse(text).get("releases", "")))
    kept = [str(part) for part in releases if not _is_beyond(str(part), since)]
    return changed(text, {"releases": ",".join([*sorted(kept, reverse=True), f"<{since}"])})


def _is_beyond(specifier: str, since: str) -> bool:
    """Whether an upper bound is above the new one, and therefore says nothing any more."""
    found = _UPPER.fullmatch(specifier)
    return found is not None and Version(found[1]) >= Version(since)


def difference(old: str, new: str, name: str) -> str:
    """What an edit changes, as a unified diff."""
    lines = difflib.unified_diff(
        old.splitlines(True), new.splitlines(True), f"a/{name}", f"b/{name}" if new else "gone"
    )
    return "".join(lines)
