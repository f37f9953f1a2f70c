"""A difference between two releases, as data: one row a root cause, known by a fingerprint."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

BUCKETS = ("regressed", "changed", "inconclusive", "allowed", "broken in both", "fixed", "unsupported")
REGRESSED, CHANGED, INCONCLUSIVE, ALLOWED, BOTH, FIXED, UNSUPPORTED = BUCKETS
LONGEST = 2000  # characters
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
_SHAPE = re.compile(r"\b\d+(?:x\d+)+\b")
_DTYPE = re.compile(r"\b(?:torch\.)?(?:b?float|u?int|complex)\d+\b|torch\.bool")
# What was passed: of a check of types, one root cause.
_GOT = re.compile(r"(\b(?:got|found|scalar type|not(?= \w+$)))\b[^\n]*")
_KIND = re.compile(r"'\w+'(?= object)")
_LACKING = re.compile(r'".*?" not implemented for \'\w+\'')
_NUMBER = re.compile(r"(?<![A-Za-z_0-9.])-?\d+(?:\.\d+)*(?:e[+-]?\d+)?")
_LIST = re.compile(r"#(?:\s*[,x]\s*#)+")


@dataclass(frozen=True)
class Difference:
    """What one field of the observation was on the old release and is on the new one, for the smallest case.

    ``bucket`` is one of :data:`BUCKETS`; ``broken_old`` and ``broken_new`` are the claims broken there; ``ledger`` is
    the entry that allows it; ``hits`` how many cases showed it.
    """

    module: str
    scenario: str
    field: str
    level: str
    bucket: str
    fingerprint: str
    old: str
    new: str
    case: dict[str, Any] | None = None
    hits: int = 1
    broken_old: Sequence[str] = ()
    broken_new: Sequence[str] = ()
    ledger: str | None = None
    used: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """What makes it a row of its own."""
        return self.fingerprint, self.bucket

    @property
    def id(self) -> str:
        """What ``conformance bisect`` and the report call it."""
        return self.fingerprint

    @property
    def rank(self) -> tuple[Any, ...]:
        """The order of rows: the worst first, then a fixed one."""
        gates = self.level == "gate" and self.used
        return (BUCKETS.index(self.bucket), not gates, self.module, self.field, self.fingerprint)


def fingerprint(module: str, field: str, cause: str, old: str, new: str) -> str:
    """Twelve hexadecimal digits that survive seeds, sizes and versions of the suite. ``cause`` tells apart what texts
    alone do not, such as a packed and a dense computation."""
    told = json.dumps([module, field, cause, normalised(old), normalised(new)])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def normalised(text: str) -> str:
    """The text without what depends on the case: numbers, how many of them, addresses, dtypes, what was passed."""
    plain = _LACKING.sub("not implemented", _KIND.sub("kind", _GOT.sub(r"\1", text)))
    plain = _SHAPE.sub("#", _ADDRESS.sub("@", _DTYPE.sub("dtype", plain)))
    plain = _NUMBER.sub("#", plain)
    return _LIST.sub("#", " ".join(plain.split()))


def plain(text: str) -> str:
    """The text without what colours a terminal, and not longer than anyone reads."""
    return clipped(_COLOUR.sub("", text), LONGEST)


def clipped(text: str, longest: int) -> str:
    """The text, or its beginning where it is longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def merged(found: Iterable[Difference]) -> list[Difference]:
    """One row a key, whatever order they come in: the hits of all, the smallest of their cases."""
    rows: dict[tuple[str, str], Difference] = {}
    for one in found:
        other = rows.get(one.key)
        rows[one.key] = one if other is None else _joined(one, other)
    return sorted(rows.values(), key=lambda row: row.rank)


def _joined(one: Difference, other: Difference) -> Difference:
    smaller = min(one, other, key=lambda d: (d.case is None, len(json.dumps(d.case)), json.dumps(d.case), d.scenario))
    return replace(smaller, hits=one.hits + other.hits)
