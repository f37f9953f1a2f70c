"""What all renderings show alike: the run ordered, counted and put into words, once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from conformance.compare.gate import GO, STOP, WAIVED
from conformance.hygiene import CHANGED, IMPROVEMENT, OVERDUE, Remark, hygiene
from conformance.oracle.claims.claim import SEVERITIES
from conformance.results import Discrepancy, Exercised, Run, Tally, TargetRecord
from conformance.verdict import CONFORMS, ERROR, FAILS, INCONCLUSIVE, KNOWN, NOTHING, Verdict, verdict

# Every status is a word and a symbol, so that no one needs its colour.
SYMBOLS = {
    "passed": "✓", "known": "◆", "failed": "✗", "lost": "‡", "not exercised": "○", "no result": "…",
    "unsupported": "\u2013", "not documented": "\u2013", "flaky": "?", "not run": "⊘", "holds": "✓", "refuted": "✗",
    "truncated": "!", "inconclusive": "?", "error of the suite": "!", "not reproduced": "?", "restarted": "↻",
    CONFORMS: "✓", KNOWN: "◆", FAILS: "✗", ERROR: "!", INCONCLUSIVE: "?", NOTHING: "○",
    GO: "✓", WAIVED: "◆", STOP: "✗",
}  # fmt: skip
# The worst first: a cell is called after the worst that is in it.
OUTCOMES = (
    "failed", "flaky", "lost", "not run", "known", "no result", "not exercised", "unsupported", "not documented",
    "passed",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One module on one target: its claims by outcome."""

    module: str
    target: str
    counts: dict[str, int]
    checks: int
    discrepancies: tuple[Discrepancy, ...]

    @property
    def word(self) -> str:
        """The outcome that the cell is called after."""
        if self.counts.get("passed") and self.worst in ("not exercised", "unsupported", "not documented"):
            return "passed"
        return self.worst

    @property
    def worst(self) -> str:
        return next((word for word in OUTCOMES if self.counts.get(word)), "no result")


class View:
    """A run, indexed. It adds nothing: everything here is counted from the file.

    ``contract_files`` define the contracts of modules that are not the suite's own.
    """

    def __init__(self, run: Run, contract_files: tuple[str, ...] = ()) -> None:
        self.contract_files = contract_files
        self.run = run = _in_order(run)
        self.verdict = verdict_of(run)
        self.by_id = run.claims
        self.tallies = {(t.claim, t.target): t for t in run.tallies}

    @cached_property
    def claims(self) -> list[dict[str, Any]]:
        """The claims of the header in its order, then those that only a tally speaks of."""
        known = dict(self.by_id)
        for tally in self.run.tallies:
            known.setdefault(tally.claim, {"id": tally.claim, "module": tally.module, "scenario": tally.scenario})
        return list(known.values())

    @cached_property
    def documented(self) -> list[dict[str, Any]]:
        """The claims that the verdict rests on."""
        return [claim for claim in self.claims if claim.get("authority") != "article"]

    @cached_property
    def article(self) -> list[dict[str, Any]]:
        """The statements of the second source."""
        return [claim for claim in self.claims if claim.get("authority") == "article"]

    @cached_property
    def modules(self) -> list[str]:
        return list(dict.fromkeys(str(claim.get("module", "")) for claim in self.documented))

    @cached_property
    def targets(self) -> list[TargetRecord]:
        """The targets of the header, then those that only a tally or a discrepancy speaks of."""
        known = {t.name: t for t in self.run.targets}
        spoken = [t.target for t in self.run.tallies] + [d.target for d in self.run.discrepancies]
        for name in dict.fromkeys(spoken):
            known.setdefault(name, TargetRecord(name, "", "", "", "", True, "ran", "not in the header of the run file"))
        return list(known.values())

    def of(self, module: str) -> list[dict[str, Any]]:
        """The documented claims of a module."""
        return [claim for claim in self.documented if str(claim.get("module", "")) == module]

    def outcome(self, claim: str, target: TargetRecord) -> str:
        """One word for one claim on one target; ``not run`` and ``no result`` where there is no tally."""
        tally = self.tallies.get((claim, target.name))
        if tally is not None:
            return tally.outcome
        return target.status if target.status in ("not run", "lost") else "no result"

    def article_outcome(self, claim: str, target: TargetRecord) -> str:
        """``holds`` or ``refuted``: a second source neither passes nor fails."""
        word = self.outcome(claim, target)
        return {"failed": "refuted", "known": "refuted", "passed": "holds"}.get(word, word)

    @cached_property
    def cells(self) -> dict[tuple[str, str], Cell]:
        """The matrix, module x target."""
        found = self._by_cell
        return {
            (module, target.name): self._cell(module, target, found.get((module, target.name), []))
            for module in self.modules
            for target in self.targets
        }

    def _cell(self, module: str, target: TargetRecord, found: list[Discrepancy]) -> Cell:
        claims = self.of(module)
        counts = Counter(self.outcome(claim["id"], target) for claim in claims)
        tallies = [t for claim in claims if (t := self.tallies.get((claim["id"], target.name)))]
        return Cell(module, target.name, dict(counts), sum(t.exercised for t in tallies), tuple(found))

    @cached_property
    def _by_cell(self) -> dict[tuple[str, str], list[Discrepancy]]:
        cells: dict[tuple[str, str], list[Discrepancy]] = {}
        for found in self.discrepancies:
            cells.setdefault((self.module_of(found), found.target), []).append(found)
        return cells

    def module_of(self, found: Discrepancy) -> str:
        return str(self.by_id.get(found.claim, {}).get("module", found.module))

    @cached_property
    def discrepancies(self) -> list[Discrepancy]:
        """Those the verdict rests on: unknown before known, then the severest, then in a fixed order."""
        order = {claim["id"]: position for position, claim in enumerate(self.claims)}
        documented = [d for d in self.run.discrepancies if not self.run.is_article(d.claim)]
        return sorted(
            documented,
            key=lambda d: (d.ledger is not None, _rank(d.severity), order.get(d.claim, len(order)), d.target, d.id),
        )

    @cached_property
    def refutations(self) -> dict[tuple[str, str], Discrepancy]:
        """The counterexample of an article's statement on a target."""
        found = [d for d in self.run.discrepancies if self.run.is_article(d.claim)]
        return {(d.claim, d.target): d for d in sorted(found, key=lambda d: d.id, reverse=True)}

    def hits(self, found: Discrepancy) -> int:
        """How many cases showed the discrepancy."""
        tally: Tally | None = self.tallies.get((found.claim, found.target))
        counted = 0 if tally is None else tally.known.get(found.ledger, 0) if found.ledger else tally.broken
        return max(found.hits, counted)

    @cached_property
    def ledger(self) -> list[Remark]:
        """What the run says about the ledger itself."""
        return hygiene(self.run)

    @cached_property
    def doubts(self) -> list[tuple[str, str, list[str]]]:
        """What makes a pass doubtful: a word, a sentence, and what it is about."""
        return [(word, text, list(about)) for word, text, about in self._doubts() if text]

    def _doubts(self) -> Iterable[tuple[str, str, list[str]]]:
        if self.run.footer is None:
            yield "truncated", "The run file has no footer: the run was cut short and more may have been found.", []
        elif self.verdict.word in (INCONCLUSIVE, ERROR):
            yield self.verdict.word.lower(), self.verdict.reason[:1].upper() + self.verdict.reason[1:] + ".", []
        for target in self.targets:
            if target.status != "ran":
                asked = "asked for" if target.required else "optional"
                yield target.status, f"Target {target.name} ({asked}): {target.reason or 'no reason recorded'}", []
            if target.restarts:
                yield "restarted", f"Target {target.name} died or hung; fresh starts: {target.restarts}.", []
        for kind in (IMPROVEMENT, CHANGED, OVERDUE):
            entries = [remark.entry for remark in self.ledger if remark.kind == kind]
            if entries:
                yield kind, f"{_OF_THE_LEDGER[kind]}: {counted(entries, 'entry')}.", entries
        again = [f"{d.claim} on {d.target}" for d in self.discrepancies if not d.reproduced]
        if again:
            yield "not reproduced", f"Not shown again when repeated: {counted(again, 'discrepancy')}.", again
        for word, said in _SAID.items():
            about = [f"{claim} on {target}" for claim, target in self._with(word)]
            if about:
                yield word, f"{said}: {counted(about, 'claim')}.", about

    def _with(self, word: str) -> Iterable[tuple[str, str]]:
        """The documented claims with this outcome on the targets that ran."""
        for target in self._ran:
            yield from ((c["id"], target.name) for c in self.documented if self.outcome(c["id"], target) == word)

    @property
    def _ran(self) -> list[TargetRecord]:
        return [target for target in self.targets if target.status == "ran"]


_OF_THE_LEDGER = {
    IMPROVEMENT: "Frozen cases of the ledger that do not fail any more",
    CHANGED: "Frozen cases of the ledger that fail in another way than it knows",
    OVERDUE: "Entries of the ledger whose review date has passed",
}
_SAID = {
    "lost": "The target was lost in the middle of",
    "no result": "Without any result in the run file",
    "not exercised": "Exercised by no case, so that nothing is known about them",
    "flaky": "Broken once, and kept when the same case was run again",
    "unsupported": "The target says plainly that it lacks the operation for the dtype",
}


def counted(things: Sequence[object], noun: str) -> str:
    """``1 claim``, ``2 discrepancies``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{len(things)} {noun if len(things) == 1 else plural}"


def _in_order(run: Run) -> Run:
    """The run as its file has it: in memory the results are in the order in which they came. No finding twice."""
    order = {claim["id"]: position for position, claim in enumerate(run.header["claims"])}
    tallies = sorted(run.tallies, key=lambda t: (order.get(t.claim, 0), t.target))
    found = sorted(run.discrepancies, key=lambda d: (order.get(d.claim, 0), d.target, d.ledger or "", d.id))
    exercised = [Exercised(**part.to_json()) for part in sorted(run.exercised, key=lambda e: (e.module, e.target))]
    once = list({d.id: d for d in reversed(found)}.values())[::-1]
    return replace(run, tallies=tallies, discrepancies=once, exercised=exercised)


def verdict_of(run: Run) -> Verdict:
    """The verdict of a run file. It is counted anew; only a doubt of the run itself is taken from the footer."""
    if run.footer is None:
        return verdict(run, "the run file has no footer")
    found, reason = verdict(run), str(run.footer.get("reason", "the run was cut short"))
    if run.footer.get("verdict") == ERROR:
        return Verdict(ERROR, reason, found.counts)
    if run.footer.get("verdict") == INCONCLUSIVE and found.word not in (INCONCLUSIVE, FAILS):
        return Verdict(INCONCLUSIVE, reason, found.counts)
    return found


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


# What XML forbids, what UTF-8 cannot carry, and what turns the direction of text round.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    """The text with every character that cannot be shown written as its escape, ``\\x00``."""
    return UNPRINTABLE.sub(lambda found: _escaped(ord(found[0])), text.replace("\r\n", "\n").replace("\r", "\n"))


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
