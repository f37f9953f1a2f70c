"""Which statements that another reader found on the pages are covered by which claims of the suite.

The statements are known by that reader's ids alone; the table beside this file gives each of them globs of claims.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import filter as matching
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("coverage.toml")


class CoverageError(ValueError):
    """A table that cannot be read: which file, which id, what is allowed."""


def read_table(path: Path = TABLE) -> Mapping[str, tuple[str, ...]]:
    """The globs of each statement; none where no claim covers it."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CoverageError(f'{path}: {error}; a table has lines like "rnn.eq.step" = ["rnn.output.value.*"]') from None
    return {statement: _globs(statement, value, path) for statement, value in data.items()}


def _globs(statement: str, value: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(glob, str) for glob in value):
        hint = "; put an id with dots in quotes" if isinstance(value, dict) else ""
        raise CoverageError(f"{path}: {statement} is {value!r}; it must be a list of globs of claims{hint}")
    if unclear := [glob for glob in value if not _module(glob).isidentifier()]:
        raise CoverageError(f"{path}: {statement} has {unclear[0]!r}; a glob names its module in full: rnn.accepts.*")
    return tuple(value)


def covers(claims: Iterable[str], path: Path = TABLE) -> Mapping[str, list[str]]:
    """For each of these claims, the statements that it covers, in the order of the table.

    A glob names its module in full, so that it need be tried on the claims of that module alone.
    """
    found: dict[str, list[str]] = {claim: [] for claim in claims}
    of_module: dict[str, list[str]] = {}
    for claim in found:
        of_module.setdefault(_module(claim), []).append(claim)
    matched = cache(lambda glob: [glob] if glob in found else matching(of_module.get(_module(glob), []), glob))
    for statement, globs in read_table(path).items():
        for claim in dict.fromkeys(claim for glob in globs for claim in matched(glob)):
            found[claim].append(statement)
    return found


def _module(name: str) -> str:
    return name.partition(".")[0]
