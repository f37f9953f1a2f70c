"""One entry: which failures it explains, why, and the frozen case that shows them."""

from __future__ import annotations

import re
import tomllib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from conformance.cases import Case, CaseError
from conformance.oracle.claims import SEVERITIES
from conformance.oracle.expression import FormulaError
from conformance.oracle.selector import Selector, selector

KINDS = ("documentation", "implementation")


class LedgerError(ValueError):
    """A ledger that cannot be read: which file, which field, what is allowed."""


@dataclass(frozen=True)
class Entry:
    """A known discrepancy. A failure is explained by it only if *everything* here fits: the claim, the release, the
    device, the selector on the configuration, and what was observed (a pattern; for a wrong shape also the formula of
    the shape that comes out instead), so that an entry cannot hide another defect of the same module.

    ``unknown`` are the keys of its file, ``path``, that mean nothing here: kept, and named by ``ledger check``."""

    id: str
    claims: tuple[str, ...]
    kind: str
    severity: str
    reason: str
    upstream: str
    observed: str
    releases: str = ""
    devices: str = "*"
    when: str = "True"
    owner: str = ""
    created: str = ""
    review_by: str = ""
    shape: str | None = None
    case: Case | None = None
    unknown: tuple[str, ...] = ()
    path: Path | None = None

    @cached_property
    def selector(self) -> Selector:
        """The condition on the configuration, in the notation of the contracts."""
        return selector(self.when)

    @cached_property
    def range(self) -> SpecifierSet:
        """The releases in which it is known."""
        return SpecifierSet(self.releases)

    def explains(self, claim: str, observed: str, facts: Mapping[str, Any], release: str, device: str) -> bool:
        """Whether this failure is the one that the entry knows, and no other."""
        return (
            self.names(claim)
            and self.selects(facts, release, device)
            and re.search(self.observed, observed) is not None
            and (self.shape is None or observed.endswith(str(selector(self.shape)(facts))))
        )

    def selects(self, facts: Mapping[str, Any], release: str, device: str) -> bool:
        """Whether the entry speaks of this configuration on this target. A selector that asks for something the case
        does not have (``L`` where there is no length) does not fit."""
        return self.speaks_of(release, device) and self.fits(facts)

    def names(self, claim: str) -> bool:
        """Whether the claim is one of its claims."""
        return any(fnmatchcase(claim, glob) for glob in self.claims)

    def speaks_of(self, release: str, device: str) -> bool:
        """Whether the entry is about this target."""
        return self.range.contains(release, prereleases=True) and fnmatchcase(device, self.devices)

    def fits(self, facts: Mapping[str, Any]) -> bool:
        """Whether its selector selects a configuration."""
        try:
            return bool(self.selector(facts))
        except (NameError, TypeError, ValueError, ArithmeticError, LookupError):
            return False


FIELDS = tuple(name for name in Entry.__dataclass_fields__ if name not in ("unknown", "path"))


def read_entry(path: Path) -> Entry:
    """The entry in a file; :class:`LedgerError` naming the file and the field."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LedgerError(f"{path}: {error}; an entry is a TOML file, see conformance/ledger/entries") from None
    try:
        _check_types(data, path)
        unknown = tuple(name for name in data if name not in FIELDS)
        known = {name: _value(name, value) for name, value in data.items() if name in FIELDS}
        entry = Entry(**known, unknown=unknown, path=path)
    except (TypeError, CaseError) as error:
        raise LedgerError(f"{path}: {error}") from None
    _check(entry, path)
    return entry


def _check_types(data: Mapping[str, Any], path: Path) -> None:
    """A single glob instead of a list would be read letter by letter, and its ``*`` would explain everything."""
    for name, value in data.items():
        if name not in FIELDS:
            continue
        wanted = {"claims": list, "case": dict}.get(name, str)
        if not isinstance(value, wanted) or (wanted is list and not all(isinstance(item, str) for item in value)):
            said = {list: "a list of strings", dict: "a table", str: "a string"}[wanted]
            raise LedgerError(f"{path}: {name} is {value!r}; it must be {said}")


def _value(name: str, value: Any) -> Any:
    if name == "case":
        return Case.from_json(_nulls(value))
    return tuple(value) if name == "claims" else value


def _nulls(value: Any) -> Any:
    """TOML has no null: a frozen case writes the string ``null`` where JSON has one."""
    if isinstance(value, Mapping):
        return {k: _nulls(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_nulls(v) for v in value]
    return None if value == "null" else value


def _check(entry: Entry, path: Path) -> None:
    if entry.id != path.stem:
        raise LedgerError(f"{path}: id is {entry.id!r} but the file is named {path.stem!r}; they must be the same")
    if entry.kind not in KINDS:
        raise LedgerError(f"{path}: kind is {entry.kind!r}; it must be one of {', '.join(KINDS)}")
    if entry.severity not in SEVERITIES:
        raise LedgerError(f"{path}: severity is {entry.severity!r}; it must be one of {', '.join(SEVERITIES)}")
    readers: dict[str, Callable[[str], Any]] = {"when": selector, "releases": SpecifierSet, "observed": re.compile,
                                               "shape": selector}  # fmt: skip
    for name, read in readers.items():
        try:
            with warnings.catch_warnings():  # of a pattern that Python may read in another way one day
                warnings.simplefilter("error", FutureWarning)
                read(getattr(entry, name) or ("0" if name == "shape" else ""))
        except (FormulaError, InvalidSpecifier, re.error, FutureWarning) as error:
            raise LedgerError(f"{path}: {name}: {error}") from None
