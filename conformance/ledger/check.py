"""What can be said of a ledger without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from conformance.ledger.entry import Entry
from conformance.ledger.overlaps import overlapping
from conformance.oracle.claims import claims_of
from conformance.oracle.registry import ContractError, contract_of, contracts


def checked(entries: Iterable[Entry], today: str, files: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Every entry that wants a look, with the reason."""
    found = list(entries)
    claims = [claim.id for contract in contracts(files) for claim in claims_of(contract)]
    overlaps = overlapping(found, files)
    remarks = [(entry.id, text) for entry in found for text in _remarks(entry, claims, today, files)]
    remarks += [(entry, f"explains the same failures as {', '.join(others)}") for entry, others in overlaps.items()]
    return sorted(remarks)


def _remarks(entry: Entry, claims: list[str], today: str, files: tuple[str, ...]) -> Iterator[str]:
    if entry.unknown:
        yield f"has keys that mean nothing here: {', '.join(entry.unknown)}"
    if "" < entry.review_by < today:
        yield f"was to be looked at again by {entry.review_by}"
    if entry.reason.startswith("TODO"):
        yield "has no reason yet"
    for glob in entry.claims:
        if not any(fnmatchcase(claim, glob) for claim in claims):
            yield f"names a claim that does not exist: {glob}"
    yield from _frozen(entry, files)


def _frozen(entry: Entry, files: tuple[str, ...]) -> Iterator[str]:
    """An entry whose own case it would not explain can never be shown."""
    if entry.case is None:
        return
    try:
        contract = contract_of(entry.case.module, files)
    except ContractError:
        yield f"has a frozen case of {entry.case.module}, for which there is no contract"
        return
    if not entry.fits({**contract.symbols(entry.case), **entry.case.facts()}):
        yield "does not select its own frozen case"
    if not any(entry.names(c.id) for c in claims_of(contract) if c.scenario == entry.case.scenario):
        yield f"names no claim that its frozen case exercises ({entry.case.scenario})"
