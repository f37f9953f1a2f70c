"""Looks at every case on both releases, gathers what differs into rows and makes the first case of each minimal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.cases import Case
from conformance.compare.buckets import Meaning, meaning
from conformance.compare.difference import CHANGED, INCONCLUSIVE, REGRESSED, UNSUPPORTED, Difference, plain
from conformance.compare.fields import Found, beside, ended
from conformance.compare.heard import Again, Heard
from conformance.compare.levels import GATE
from conformance.compare.loading import loadable, loading
from conformance.compare.numbers import FREE, numbers
from conformance.compare.pages import differing
from conformance.ledger import Ledger
from conformance.oracle.contract import Contract
from conformance.strategies.reduce import HANGS, TRIES, Choices, rebuilt, reduce
from conformance.targets import Target

DOUBTS = 12  # how often a field that is not the same twice on one release is given another chance
LOADED = 6  # cases a campaign whose state goes from one release to the other
TWICE = 3  # repetitions of what no page fixes: it may depend on what memory happens to hold
DEATH = "memory safety"
_FLIPPED = "promise"

Pair = tuple[Heard, Heard]
Row = tuple[Found, Meaning]


class Comparison:
    """The rows of one campaign. Rows are told by :attr:`differences`, how long each side took by :attr:`seconds`."""

    def __init__(self, contract: Contract, scenario: str, ledger: Ledger, levels: Mapping[str, str]) -> None:
        self.contract = contract
        self.scenario = scenario
        self.ledger = ledger
        self.levels = levels
        self.rows: dict[tuple[str, str], Difference] = {}
        self.compared = 0
        self.seconds = [0.0, 0.0]
        self._loads = 0
        self._deaths: set[str] = set()
        self._doubted: Counter[tuple[str, str]] = Counter()

    @property
    def differences(self) -> list[Difference]:
        return sorted(self.rows.values(), key=lambda row: row.rank)

    def saw(self, heard: Sequence[Heard], choices: Choices, again: Again) -> None:
        """One case on both releases. A case that only one of them ran says nothing."""
        if len(heard) != 2:
            return
        old, new = heard
        self.compared += 1
        if old.seen["status"] == new.seen["status"] == "ok":
            for side, one in enumerate(heard):
                self.seconds[side] += one.seen.get("torch", 0.0)
        for found, told in rows(old, new, self.ledger):
            self._take(found, told, (old, new), choices, again)
        if self._loads < LOADED and loadable(old, new):
            self._loads += 1
            self._load(old, new, again)

    def read(self, module: str, pages: Sequence[tuple[Target, Mapping[str, Any]]]) -> None:
        """The page of the module on both releases."""
        if len(pages) != 2:
            return
        (_, old), (_, new) = pages
        for found in differing(old, new):
            gone = "absent" in new
            self._add(self._row(found, Meaning(CHANGED if gone or "absent" not in old else UNSUPPORTED), None))

    def _load(self, old: Heard, new: Heard, again: Again) -> None:
        """Whether states and modules can still be loaded; shown by the simplest case on which they cannot."""
        for found, told in loading(old, new):
            simplest = _pair(again(rebuilt(self.contract, self.scenario, {})[0], False))
            rows = {self._key(*row): row for row in loading(*simplest)} if simplest and loadable(*simplest) else {}
            shown = (found, told, (old, new))
            if simplest and (row := rows.get(self._key(found, told))):
                shown = (*row, simplest)
            self._add(self._row(*shown))

    def _take(self, found: Found, told: Meaning, pair: Pair, choices: Choices, again: Again) -> None:
        key = self._key(found, told)
        if key in self.rows:
            self.rows[key] = replace(self.rows[key], hits=self.rows[key].hits + 1)
        elif self._doubted[key] < DOUBTS:
            self._first(found, told, pair, choices, again)

    def _first(self, found: Found, told: Meaning, pair: Pair, choices: Choices, again: Again) -> None:
        """The first case of a row: it must show itself again, and each release must be the same twice."""
        key, case = self._key(found, told), pair[0].case
        for _ in range(TWICE if case.scenario in FREE else 1):
            second = _pair(again(case, found.field == DEATH))
            steady = second and not any(self._varies(found.field, pair[side], second[side]) for side in (0, 1))
            if second is None or not steady or key not in {self._key(*row) for row in rows(*second, self.ledger)}:
                before = second and self._varies(found.field, pair[0], second[0])
                self._doubt(key, found, told, pair, before)
                return
        self._add(self._row(found, told, pair))
        if found.field == DEATH:
            self._deaths.add(key[0])
        if choices:
            self._shrink(key, choices, again)

    def _varies(self, field: str, first: Heard, second: Heard) -> bool:
        """Whether a release differs from itself in this field."""
        return any(found.field == field for found, _ in rows(first, second, self.ledger))

    def _doubt(self, key: tuple[str, str], found: Found, told: Meaning, pair: Pair, before: bool | None) -> None:
        """What does not come again is said to be inconclusive where it would have counted; what varies on the old
        release already is no difference."""
        self._doubted[key] += 1
        free = pair[0].case.scenario in FREE  # what no page fixes may depend on what memory holds
        gates = told.bucket == CHANGED and self.levels[found.field] == GATE and not free
        if (told.bucket == REGRESSED or gates) and not before:
            self._add(self._row(found, Meaning(INCONCLUSIVE), pair))

    def _shrink(self, key: tuple[str, str], choices: Choices, again: Again) -> None:
        row = self.rows[key]
        tries = HANGS if "hung" in f"{row.old} {row.new}" else TRIES
        shown: dict[str, tuple[Found, Meaning, Pair]] = {}

        def differs(case: Case) -> bool:
            pair = _pair(again(case, key[0] in self._deaths))
            for row in rows(*pair, self.ledger) if pair else ():
                if pair and self._key(*row) == key:
                    shown[case.hash] = (*row, pair)
                    return True
            return False

        smallest = reduce(self.contract, self.scenario, choices, differs, tries)
        if smallest.hash in shown or differs(smallest):
            self.rows[key] = replace(self._row(*shown[smallest.hash]), hits=self.rows[key].hits)

    # -- rows --------------------------------------------------------------------------------------------------

    def _key(self, found: Found, told: Meaning) -> tuple[str, str]:
        return found.fingerprint(self.contract.module), told.bucket

    def _row(self, found: Found, told: Meaning, pair: Pair | None) -> Difference:
        old, new = pair or (None, None)
        return Difference(
            module=self.contract.module,
            scenario=self.scenario,
            field=found.field,
            level=self.levels[found.field],
            bucket=told.bucket,
            fingerprint=self._key(found, told)[0],
            old=plain(found.old),
            new=plain(found.new),
            case=old.case.to_json() if old else None,
            broken_old=sorted(old.failures) if old else (),
            broken_new=sorted(new.failures) if new else (),
            ledger=told.ledger,
        )

    def _add(self, row: Difference) -> None:
        known = self.rows.get(row.key)
        self.rows[row.key] = replace(row, hits=known.hits + 1) if known else row


def _pair(heard: Sequence[Heard]) -> Pair | None:
    return (heard[0], heard[1]) if len(heard) == 2 else None


def rows(old: Heard, new: Heard, ledger: Ledger) -> Iterator[Row]:
    """What differs between two executions of a case, each with its meaning: the cause first, then what accompanies
    it, which no promise hangs on."""
    found = ended(old, new)
    if found is None and old.seen["status"] == new.seen["status"] == "ok":
        found = numbers(old, new)
    flipped = {*old.failures} != {*new.failures}
    others = list(beside(old, new))
    if found is None and flipped and old.documented and new.documented:
        found = next((other for other in others if other.field == "effects"), None) or _promise(old, new)
    if found is not None:
        yield found, Meaning(CHANGED) if _reworded(found, old, new) else meaning(found, old, new, ledger)
    yield from ((other, Meaning(CHANGED)) for other in others if other != found)


def _reworded(found: Found, old: Heard, new: Heard) -> bool:
    """Whether it is the page that changed and not what happened."""
    return found.field == _FLIPPED and old.evidence.contract.where != new.evidence.contract.where


def _promise(old: Heard, new: Heard) -> Found | None:
    """A promise that only one of them breaks, by an observation that is the same or differs in what is no field."""
    for claim in sorted({*old.failures} ^ {*new.failures}):
        if claim in old.judgements and claim in new.judgements:
            before, after = (side.failures[claim].observed if claim in side.failures else "kept" for side in (old, new))
            return Found(_FLIPPED, before, after, claim.removesuffix(f".{old.case.layout}"))
    return None
