"""The verdict of a run: one word, one sentence, one exit code. Everything that shows a verdict shows this one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from conformance.compare.gate import GO, STOP, WAIVED, decided
from conformance.oracle.claims import SEVERITIES
from conformance.results import Run

CONFORMS, KNOWN, FAILS = "CONFORMS", "CONFORMS WITH KNOWN DISCREPANCIES", "DOES NOT CONFORM"
ERROR, INCONCLUSIVE, NOTHING = "ERROR OF THE SUITE", "INCONCLUSIVE", "NOTHING RAN"
EXIT = {CONFORMS: 0, KNOWN: 0, FAILS: 1, ERROR: 3, INCONCLUSIVE: 4, NOTHING: 5, GO: 0, WAIVED: 0, STOP: 1}


@dataclass(frozen=True)
class Verdict:
    """What a run amounts to; ``counts`` are claims by outcome, over all targets that ran; ``differences``, in
    a comparison, are rows by bucket."""

    word: str
    reason: str
    counts: dict[str, int]
    differences: dict[str, int] | None = None

    @property
    def exit(self) -> int:
        """0 conforms, 1 does not, 3 the suite failed, 4 inconclusive, 5 nothing ran."""
        return EXIT[self.word]

    def to_json(self) -> dict[str, Any]:
        told = {"verdict": self.word, "reason": self.reason, "exit": self.exit, "counts": self.counts}
        return told if self.differences is None else {**told, "differences": self.differences}


def verdict(run: Run, interrupted: str = "", error: str = "") -> Verdict:
    """An error of the suite first, for then nothing else can be believed; discrepancies; what makes a pass doubtful;
    only then a pass."""
    judged, found = run.in_order()
    tallies = [t for t in judged if not run.is_article(t.claim)]
    counts = Counter(t.outcome for t in tallies)
    said = dict(sorted(counts.items()))
    broken = [d for d in found if d.ledger is None and not run.is_article(d.claim)]
    broken.sort(key=lambda d: (*SEVERITIES, d.severity).index(d.severity))
    if error:
        return Verdict(ERROR, f"the suite itself failed {error}", said)
    if run.header.get("comparison"):
        word, reason, rows = decided(run, interrupted)
        return Verdict(word, reason, said, rows)
    if counts["failed"]:
        worst = f"; the worst: {broken[0].claim} on {broken[0].target}" if broken else ""
        return Verdict(FAILS, f"{counts['failed']} of {len(tallies)} claims are broken by discrepancies that the "
                       f"ledger does not know{worst}", said)  # fmt: skip
    if doubt := _doubt(run, counts, interrupted):
        return Verdict(INCONCLUSIVE, doubt, said)
    if not counts["passed"] + counts["known"]:
        return Verdict(NOTHING, "no claim was exercised by any case", said)
    if counts["known"]:
        return Verdict(KNOWN, f"{counts['passed']} claims hold; {counts['known']} are broken in ways that the ledger "
                       "knows, and in no other", said)  # fmt: skip
    return Verdict(CONFORMS, f"all {counts['passed']} claims hold", said)


def _doubt(run: Run, counts: Counter[str], interrupted: str) -> str:
    """Why a run without discrepancies is no pass."""
    if interrupted:
        return f"the run was cut short: {interrupted}"
    for target in run.targets:
        if target.status == "lost" or (target.status == "not run" and target.required):
            return f"target {target.name} was asked for and is not there: {target.reason}"
    if counts["flaky"]:
        return f"{counts['flaky']} claims are flaky: they broke, and not every time when the same case was run again"
    if counts["lost"]:
        return f"{counts['lost']} claims lost their target in the middle"
    ran = {target.name for target in run.targets if target.status == "ran"}
    if ran and counts["not exercised"] and counts["passed"] + counts["known"]:
        idle = [t.claim for t in run.in_order()[0] if t.outcome == "not exercised" and not run.is_article(t.claim)]
        return f"{len(idle)} selected claims were exercised by no case, among them {idle[0]}"
    return ""
