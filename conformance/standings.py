"""How the entries of the ledger stand after a campaign replayed their frozen cases: strict in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from conformance.hygiene import DIFFERENT, IMPROVED, SHOWN
from conformance.judge import applies
from conformance.ledger import Entry, Ledger
from conformance.oracle.claims import claims_of
from conformance.oracle.contract import Contract, in_range
from conformance.results import Standing, Tally
from conformance.targets import Target


def standings(
    contract: Contract,
    scenario: str,
    ledger: Ledger,
    targets: Iterable[Target],
    tallies: Mapping[tuple[str, str], Tally],
) -> list[Standing]:
    """The standing of every entry whose frozen case, or page, this scenario has just replayed on a target that the
    entry speaks of. Call it before any other case runs: it looks at what was counted."""
    found = []
    for entry in ledger.entries:
        claims = _claims(entry, contract, scenario)
        for target in targets if claims else ():
            name, release = target.spec.name, target.release
            mine = {claim for claim, releases in claims.items() if in_range(releases, release)}
            counted = [tallies[claim, name] for claim in mine if (claim, name) in tallies]
            if _concerned(entry, contract, target):
                state = _state(entry.id, counted, whole=len(counted) == len(mine) > 0)
                found += [Standing(entry.id, name, state)] if state else []
    return found


def _claims(entry: Entry, contract: Contract, scenario: str) -> dict[str, str]:
    """The claims that the replay of an entry judges here, with their releases; a page is its own frozen case."""
    if entry.case is not None and (entry.case.module, entry.case.scenario) != (contract.module, scenario):
        return {}
    if entry.case is None and scenario != "documentation":
        return {}
    return {c.id: c.releases for c in claims_of(contract) if c.scenario == scenario and entry.names(c.id)}


def _concerned(entry: Entry, contract: Contract, target: Target) -> bool:
    case, release = entry.case, target.release
    if not entry.speaks_of(release, target.spec.device):
        return False
    return case is None or (
        applies(contract, case, release) and entry.fits({**contract.at(release).symbols(case), **case.facts()})
    )


def _state(entry: str, counted: list[Tally], whole: bool) -> str:
    """What the counts say; nothing where not all claims of the entry were judged."""
    if any(entry in tally.known for tally in counted):
        return SHOWN
    if any(tally.broken for tally in counted):
        return DIFFERENT
    judged = any(tally.kept or tally.known for tally in counted)
    return IMPROVED if whole and judged and not any(tally.lost for tally in counted) else ""
