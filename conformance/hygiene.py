"""What a run says about the ledger itself: entries to retire, to look at again, or that matched nothing.

None of it changes a verdict: a known defect that is gone is good news, and the pipeline of a day must not break because
a date has passed. ``conformance ledger check --strict`` exits 1 for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from conformance.ledger import Entry
from conformance.ledger.overlaps import overlapping
from conformance.results import Run, Standing, TargetRecord

STATES = SHOWN, DIFFERENT, IMPROVED = "shown", "different", "improved"  # of several, the first counts
IMPROVEMENT, CHANGED, OVERDUE, OVERLAP, UNMATCHED, UNKNOWN = KINDS = (
    "unexpected improvement", "different signature", "review overdue", "overlap", "matched nothing", "unknown keys",
)  # fmt: skip


_FIELDS = {"id", "claims", "releases", "devices", "review_by", "overlaps", "unknown"}


@dataclass(frozen=True)
class Remark:
    """One thing about one entry: what kind of thing, the sentence, and the command that settles it."""

    entry: str
    kind: str
    text: str
    command: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def settled(found: Iterable[Standing]) -> list[Standing]:
    """One standing an entry and target, whatever order they come in: an entry for several modules shows itself once."""
    best: dict[tuple[str, str], Standing] = {}
    for one in found:
        other = best.get((one.entry, one.target))
        if other is None or STATES.index(one.state) < STATES.index(other.state):
            best[one.entry, one.target] = one
    return sorted(best.values(), key=lambda s: (s.entry, s.target))


def described(entries: Iterable[Entry], files: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The entries as a run's header carries them: what :func:`hygiene` needs, and no more."""
    all_of_them = list(entries)
    overlaps = overlapping(all_of_them, files)
    return [
        {
            "id": entry.id, "claims": list(entry.claims), "releases": entry.releases, "devices": entry.devices,
            "review_by": entry.review_by, "overlaps": overlaps.get(entry.id, []), "unknown": list(entry.unknown),
        }
        for entry in all_of_them
    ]  # fmt: skip


def hygiene(run: Run) -> list[Remark]:
    """Everything to be said, the news first. A function of the run file: "today" is the day on which it ran."""
    today = str(run.timing.get("started", ""))[:10]
    told = run.header.get("entries")
    known = [e for e in told if isinstance(e, dict) and e.keys() >= _FIELDS] if isinstance(told, list) else []
    found = [remark for entry in known for remark in _remarks(run, entry, today)]
    return sorted(found, key=lambda remark: (KINDS.index(remark.kind), remark.entry))


def _remarks(run: Run, told: dict[str, Any], today: str) -> Iterator[Remark]:
    states = {s.target: s.state for s in run.standings if s.entry == told["id"]}
    yield from _standing(told, states)
    if "" < told["review_by"] < today:
        yield Remark(told["id"], OVERDUE, f"was to be looked at again by {told['review_by']}", _show(told))
    if told["overlaps"]:
        text = f"explains the same failures as {', '.join(told['overlaps'])}"
        yield Remark(told["id"], OVERLAP, text, _show(told))
    if told["unknown"]:
        text = f"has keys that mean nothing here: {', '.join(told['unknown'])}"
        yield Remark(told["id"], UNKNOWN, text, _show(told))
    if not states and (names := _silent(run, told)):
        yield Remark(told["id"], UNMATCHED, f"explains nothing that happened on {', '.join(names)}", _show(told))


def _standing(told: dict[str, Any], states: dict[str, str]) -> Iterator[Remark]:
    gone = [target for target, state in states.items() if state == IMPROVED]
    other = [target for target, state in states.items() if state == DIFFERENT]
    if gone:
        kept = "" if any(state == SHOWN for state in states.values()) else " any more"
        text = f"its frozen case does not fail{kept} on {', '.join(sorted(gone))}, within its range {_range(told)}"
        yield Remark(told["id"], IMPROVEMENT, text, f"conformance ledger retire {told['id']}")
    if other:
        text = f"its frozen case fails on {', '.join(sorted(other))} in a way that it does not know"
        yield Remark(told["id"], CHANGED, text, _show(told))


def _silent(run: Run, told: dict[str, Any]) -> list[str]:
    """The targets that the entry speaks of and on which it explained nothing, though all its claims were judged."""
    entry = Entry(told["id"], tuple(told["claims"]), "", "", "", "", "", told["releases"], told["devices"])
    names = [target.name for target in run.targets if _speaks_of(entry, target)]
    known = dict.fromkeys(names, False)
    judged = dict.fromkeys(names, False)
    for tally in run.tallies:
        if tally.target in known and entry.names(tally.claim):
            known[tally.target] |= entry.id in tally.known
            judged[tally.target] |= tally.exercised > 0
    return [] if any(known.values()) else [name for name in names if judged[name]]


def _speaks_of(entry: Entry, target: TargetRecord) -> bool:
    return target.status == "ran" and bool(target.release) and entry.speaks_of(target.release, target.device)


def _show(told: dict[str, Any]) -> str:
    return f"conformance ledger show {told['id']}"


def _range(told: dict[str, Any]) -> str:
    return told["releases"] or "(every release)"
