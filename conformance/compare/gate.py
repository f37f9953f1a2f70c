"""The verdict of a comparison: may the pin move?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from conformance.compare.difference import ALLOWED, BUCKETS, CHANGED, INCONCLUSIVE, REGRESSED, Difference, clipped
from conformance.compare.levels import GATE
from conformance.results import Run

GO, WAIVED, STOP, UNSURE = "GO", "GO WITH WAIVERS", "NO-GO", "INCONCLUSIVE"


def decided(run: Run, interrupted: str = "") -> tuple[str, str, dict[str, int]]:
    """One word, the sentence why, and the number of rows in each bucket."""
    found = [row for row in run.differences if row.used]
    counts = Counter(row.bucket for row in found)
    said = {bucket: counts[bucket] for bucket in BUCKETS if counts[bucket]}
    stopping = [row for row in sorted(found, key=lambda row: row.rank) if stops(row)]
    if stopping:
        return STOP, _stopped(stopping, counts), said
    if doubt := _doubt(run, interrupted, found):
        return UNSURE, doubt, said
    moved = f"{name_of(run, 'old')} to {name_of(run, 'new')}"
    if counts[ALLOWED]:
        names = sorted({entry for row in found if row.bucket == ALLOWED for entry in (row.ledger or "").split(", ")})
        return WAIVED, f"from {moved}, {_count(counts[ALLOWED], 'regression')}, allowed by the ledger: "\
                       f"{', '.join(names)}{_idle(run)}", said  # fmt: skip
    return GO, f"from {moved}, nothing regressed in {compared(run)} cases, and what changed does not stop a pin"\
               f"{_idle(run)}", said  # fmt: skip


def stops(row: Difference) -> bool:
    """Whether this row alone keeps the pin where it is."""
    return row.used and (row.bucket == REGRESSED or (row.bucket == CHANGED and row.level == GATE))


def compared(run: Run) -> int:
    """How many cases ran on both releases."""
    return sum(int(group.get("compared", 0)) for group in run.timing.get("groups", ()))


def name_of(run: Run, role: str) -> str:
    """The full version string of a side."""
    record = next((target for target in run.targets if target.role == role), None)
    return f"torch {record.environment.get('torch', '?')}" if record else f"the {role} torch"


def _stopped(stopping: list[Difference], counts: Counter[str]) -> str:
    worst = stopping[0]
    changed = sum(row.bucket == CHANGED for row in stopping)
    parts = [_count(counts[REGRESSED], "regression")] if counts[REGRESSED] else []
    parts += [f"{_count(changed, 'change')} that the gate does not let pass"] if changed else []
    return f"{' and '.join(parts)}; the worst: {worst.field} of {worst.module}, {_short(worst.old)} before, "\
           f"{_short(worst.new)} now ({worst.id})"  # fmt: skip


def _short(text: str) -> str:
    return clipped(" ".join(text.split()), 120)


def _doubt(run: Run, interrupted: str, found: Iterable[Difference]) -> str:
    """Why a comparison without regressions is no GO."""
    if interrupted:
        return f"the run was cut short: {interrupted}"
    for role in ("old", "new"):
        record = next((target for target in run.targets if target.role == role), None)
        if record is None or record.status != "ran":
            return f"the {role} torch is not there: {record.reason if record else 'it is not in the run file'}"
    if lost := _lost(run):
        return f"{len(lost)} claims lost their target in the middle, the first {lost[0]}"
    doubtful = [row for row in found if row.bucket == INCONCLUSIVE]
    if doubtful:
        return f"{_count(len(doubtful), 'difference')} did not come again when the case was repeated, the first: "\
               f"{doubtful[0].field} of {doubtful[0].module} ({doubtful[0].id})"  # fmt: skip
    return "" if compared(run) else "no case ran on both releases"


def _lost(run: Run) -> list[str]:
    return [tally.claim for tally in run.in_order()[0] if tally.lost]


def _idle(run: Run) -> str:
    """What the sentence of a GO must not keep to itself."""
    exercised = {t.claim for t in run.tallies if t.exercised or t.unsupported}
    spoken = {t.claim for t in run.tallies if t.documented}
    idle = [c for c in run.claims if c in spoken - exercised and not run.is_article(c)]
    return f"; {len(idle)} claims were exercised by no case, among them {idle[0]}" if idle else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def told(rows: Sequence[Difference], most: int = 10) -> Iterator[str]:
    """The rows in the terminal: those that stop the pin in full, the others counted."""
    shown = [row for row in rows if stops(row)]
    for row in shown[:most]:
        yield f"  {row.bucket}: {row.field} of {row.module}, {row.hits} cases   [{row.id}]"
        yield f"      before  {_short(row.old)}"
        yield f"      now     {_short(row.new)}"
    if len(shown) > most:
        yield f"  and {len(shown) - most} more that stop the pin, in the report"
    counts = Counter(row.bucket for row in rows)
    yield f"  differences: {', '.join(f'{counts[b]} {b}' for b in BUCKETS if counts[b]) or 'none'}"
