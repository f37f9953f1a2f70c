"""Which entries speak of the same: of two that explain the same failures, one is needless and hides the other."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from conformance.ledger.entry import Entry
from conformance.oracle.claims import claims_of
from conformance.oracle.registry import ContractError, contract_of


def overlapping(entries: Iterable[Entry], files: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """For each entry that overlaps others, their ids."""
    found: dict[str, list[str]] = {}
    for one, other in itertools.combinations(entries, 2):
        if overlap(one, other, files):
            found.setdefault(one.id, []).append(other.id)
            found.setdefault(other.id, []).append(one.id)
    return {entry: sorted(others) for entry, others in found.items()}


def overlap(one: Entry, other: Entry, files: tuple[str, ...] = ()) -> bool:
    """Whether both may explain the same failure: the same claim, a release in both ranges, a device, the same
    signature, and selectors that both select a frozen case of either."""
    return (
        _same_signature(one, other)
        and (fnmatchcase(one.devices, other.devices) or fnmatchcase(other.devices, one.devices))
        and ranges_overlap(one.range, other.range)
        and bool({*one.claims} & {*other.claims} or _claims(one, files) & _claims(other, files))
        and _selected_together(one, other, files)
    )


def ranges_overlap(one: SpecifierSet, other: SpecifierSet) -> bool:
    """Whether a release lies in both ranges. If one does, so does a bound of either, a release just above a bound, or
    the very first."""
    both = one & other
    return any(both.contains(version, prereleases=True) for version in (Version("0"), *_bounds(both)))


def _bounds(ranges: SpecifierSet) -> Iterator[Version]:
    for specifier in ranges:
        bound = Version(specifier.version.removesuffix(".*"))
        yield bound
        yield Version(f"{bound.base_version}.0.0.1")


def _same_signature(one: Entry, other: Entry) -> bool:
    """Whether what one entry looks for is found in the plain text of the other's pattern."""
    texts = [re.sub(r"\\(.)|[\^$]", r"\1", entry.observed) for entry in (one, other)]
    found = one.observed == other.observed or re.search(one.observed, texts[1]) or re.search(other.observed, texts[0])
    return bool(found) and one.shape == other.shape


def _claims(entry: Entry, files: tuple[str, ...]) -> set[str]:
    """The claims of the frozen case's module that the entry names."""
    if entry.case is None:
        return set()
    try:
        found = claims_of(contract_of(entry.case.module, files))
    except ContractError:
        return set()
    return {claim.id for claim in found if any(fnmatchcase(claim.id, glob) for glob in entry.claims)}


def _selected_together(one: Entry, other: Entry, files: tuple[str, ...]) -> bool:
    """Whether a frozen case of either is selected by both; without any, whether the selectors are the same."""
    cases = [entry.case for entry in (one, other) if entry.case is not None]
    if not cases:
        return one.when == other.when
    for case in cases:
        try:
            facts = {**contract_of(case.module, files).symbols(case), **case.facts()}
        except ContractError:
            continue
        if one.fits(facts) and other.fits(facts):
            return True
    return False
