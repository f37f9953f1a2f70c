"""What a difference means: which promises each release kept, and what the ledger knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from conformance.compare.difference import ALLOWED, BOTH, CHANGED, FIXED, REGRESSED, UNSUPPORTED
from conformance.compare.fields import DEADLY, Found
from conformance.compare.heard import Heard
from conformance.ledger import Ledger
from conformance.oracle.claims import Within


class Meaning(NamedTuple):
    """A bucket, and the ledger entry that allows what is broken."""

    bucket: str
    ledger: str | None = None


def meaning(found: Found, old: Heard, new: Heard, ledger: Ledger) -> Meaning:
    """Regressed where the new release breaks what the old one kept on this very case; fixed the other way; changed
    where both keep their documentation, differently."""
    before, after = set(old.failures), set(new.failures)
    died, dies = old.seen["status"] in DEADLY, new.seen["status"] in DEADLY
    worse = {claim for claim in after - before if _kept(old, claim)} or (after if dies and not died else set())
    if worse or (dies and not died):
        entries = known(new, worse, ledger)
        return Meaning(ALLOWED, entries) if worse and entries else Meaning(REGRESSED)
    if not new.documented:
        return Meaning(CHANGED)
    if before and after:
        return Meaning(BOTH, known(new, after, ledger))
    if before or (died and not dies):
        return Meaning(FIXED)
    return Meaning(UNSUPPORTED if _lacking(old) else CHANGED)


def _kept(heard: Heard, claim: str) -> bool:
    told = heard.judgements.get(claim)
    return told is True or isinstance(told, Within)


def _lacking(old: Heard) -> bool:
    """Whether the old release refuses what it does not document, or what it plainly says that it does not support: a
    new release that has more takes nothing away."""
    refused = old.seen["status"] == "raised"
    return refused and (not old.documented or "unsupported" in old.judgements.values())


def known(heard: Heard, claims: set[str], ledger: Ledger) -> str | None:
    """The entries that explain all of these failures; None where one of them is unknown."""
    found: dict[str, None] = {}
    for claim in sorted(claims):
        observed = heard.failures[claim].observed
        facts: Mapping[str, object] = {**heard.evidence.env, **heard.case.facts()}
        entry = ledger.explain(claim, observed, facts, heard.target.release, heard.evidence.device)
        if entry is None:
            return None
        found[entry.id] = None
    return ", ".join(found) or None
