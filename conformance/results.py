"""The run file: one execution as JSON Lines, with a header and a footer.

A line is an object with a ``kind``: ``header``, ``tally`` (one claim on one target), ``discrepancy``, ``exercised``
(one module on one target), ``timing``, ``footer``. Lines are written as results arrive, so an interrupted run keeps
what it has; a file without a footer is a truncated run and says so. When a run ends the file is written anew in a fixed
order, beside and then renamed, so that the same seed gives the same bytes (timing apart) whatever the number of
workers.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO, TypeVar

from conformance import schema
from conformance.compare.difference import Difference, merged

SCHEMA = 1
_Line = TypeVar("_Line")


class RunFileError(ValueError):
    """A run file that cannot be read: file, line, and what to do."""


@dataclass
class TargetRecord:
    """One target of a run. ``status``: ran, ``not run`` (an optional one that is not there) or ``lost``.
    ``role``: in a comparison, ``old`` or ``new``. ``called``: its name before files were merged, where that changed."""

    name: str
    spec: str
    gateway: str
    device: str
    mode: str
    required: bool
    status: str = "ran"
    reason: str = ""
    environment: dict[str, Any] = field(default_factory=dict)
    restarts: int = 0
    role: str = ""
    called: str = ""

    @property
    def release(self) -> str:
        """Its torch release without the local part, ``2.13.0``; empty where it did not start."""
        return str(self.environment.get("torch", "")).partition("+")[0]


@dataclass
class Tally:
    """How one claim fared on one target. ``known`` counts failures that the ledger explains, by entry;
    ``closest`` is the largest error of a value that was kept, as a multiple of its bound."""

    claim: str
    module: str
    scenario: str
    target: str
    kept: int = 0
    broken: int = 0
    unsupported: int = 0
    known: dict[str, int] = field(default_factory=dict)
    lost: bool = False
    documented: bool = True
    flaky: bool = False
    closest: float | None = None

    @property
    def exercised(self) -> int:
        """How many cases said something about the claim."""
        return self.kept + self.broken + sum(self.known.values())

    @property
    def outcome(self) -> str:
        """One word: failed, flaky, lost, known, passed, unsupported, not exercised, not documented there."""
        if self.broken:
            return "flaky" if self.flaky else "failed"
        if self.lost:
            return "lost"
        if self.known:
            return "known"
        if self.kept:
            return "passed"
        if not self.documented:
            return "not documented"
        return "unsupported" if self.unsupported else "not exercised"


@dataclass
class Discrepancy:
    """A broken claim: the minimal case, what was promised, what happened. ``ledger`` names the entry that knows it.

    ``where`` says which elements are beyond their bounds; ``first`` is the case that was reduced to the minimal one.
    ``again``: how often it came again in a fresh process, of how many runs; ``reproduced`` if every time.
    """

    claim: str
    module: str
    target: str
    severity: str
    expected: str
    observed: str
    case: dict[str, Any] | None
    seen: dict[str, Any]
    hits: int = 1
    ledger: str | None = None
    reproduced: bool = True
    where: dict[str, Any] | None = None
    first: dict[str, Any] | None = None
    again: list[int] | None = None

    @property
    def rate(self) -> str:
        """How often it came again, in words."""
        return f"it came again in {self.again[0]} of {self.again[1]} runs in a fresh process" if self.again else ""

    @property
    def id(self) -> str:
        """A name that stays the same for the same finding: claim, target, case."""
        import hashlib

        text = json.dumps([self.claim, self.target, self.case, self.ledger], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]


@dataclass
class Exercised:
    """What the cases of a module exercised on a target: of each fact, how many cases had each of its values."""

    module: str
    target: str
    cases: int = 0
    facts: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, other: Exercised) -> None:
        """Adds the counts of another part of the run."""
        self.cases += other.cases
        for name, values in other.facts.items():
            mine = self.facts.setdefault(name, {})
            for value, count in values.items():
                mine[value] = mine.get(value, 0) + count

    def to_json(self) -> dict[str, Any]:
        """Plain data in a fixed order: numbers by size, other values by their text."""
        facts = {name: dict(sorted(self.facts[name].items(), key=_by_size)) for name in sorted(self.facts)}
        return {"module": self.module, "target": self.target, "cases": self.cases, "facts": facts}


def _by_size(item: tuple[str, int]) -> tuple[float, str]:
    try:
        size = float(item[0])
    except ValueError:
        size = math.inf
    return (size if math.isfinite(size) else math.inf), item[0]


@dataclass
class Standing:
    """How a ledger entry stands on a target after its frozen case ran: ``shown``, ``different`` (the case fails in a
    way that the entry does not know) or ``improved`` (it no longer fails)."""

    entry: str
    target: str
    state: str


@dataclass
class Run:
    """A whole run file in memory; everything else is a rendering of it."""

    header: dict[str, Any]
    targets: list[TargetRecord] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    discrepancies: list[Discrepancy] = field(default_factory=list)
    timing: dict[str, Any] = field(default_factory=dict)
    footer: dict[str, Any] | None = None
    exercised: list[Exercised] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)

    @cached_property
    def claims(self) -> dict[str, dict[str, Any]]:
        """Every selected claim by id, as the header carries it."""
        return {claim["id"]: claim for claim in self.header["claims"]}

    def is_article(self, claim: str) -> bool:
        """Whether the claim comes from the second source, which never affects a verdict."""
        return bool(self.claims.get(claim, {}).get("authority") == "article")

    def in_order(self) -> tuple[list[Tally], list[Discrepancy]]:
        """Tallies and discrepancies in the order of the file, whatever order they arrived in."""
        order = {claim["id"]: n for n, claim in enumerate(self.header["claims"])}
        tallies = sorted(self.tallies, key=lambda t: (order.get(t.claim, 0), t.target))
        found = sorted(self.discrepancies, key=lambda d: (order.get(d.claim, 0), d.target, d.ledger or "", d.id))
        return tallies, found

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the file, in their fixed order."""
        tallies, found = self.in_order()
        return [
            {"kind": "header", "schema": SCHEMA, **self.header, "targets": [asdict(t) for t in self.targets]},
            *({"kind": "tally", **asdict(t), "outcome": t.outcome} for t in tallies),
            *({"kind": "discrepancy", "id": d.id, **asdict(d)} for d in found),
            *({"kind": "exercised", **e.to_json()} for e in sorted(self.exercised, key=lambda e: (e.module, e.target))),
            *({"kind": "difference", **asdict(d)} for d in merged(self.differences)),
            *({"kind": "standing", **asdict(s)} for s in sorted(self.standings, key=lambda s: (s.entry, s.target))),
            {"kind": "timing", **self.timing},
            *([{"kind": "footer", **self.footer}] if self.footer else []),
        ]

    def write(self, path: Path) -> None:
        """Writes the file beside its place, then renames it: there is never half a file."""
        write_whole(path, "".join(json.dumps(line) + "\n" for line in self.lines()))


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)
        raise


class Stream:
    """Appends lines to the run file while the run goes on."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w", encoding="utf-8", buffering=1)
        self.write("header", {"schema": SCHEMA, **header})

    def write(self, kind: str, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps({"kind": kind, **line}) + "\n")

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Run:
    """The run in a file; :class:`RunFileError` with file, line and remedy where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunFileError(f"{path}: cannot be read ({error}); pass a run.jsonl that `conformance run` wrote") from None
    run: Run | None = None
    lines = text.splitlines()
    if _ends_in_half_a_line(text):
        lines.pop()
    for number, line in enumerate(lines, 1):
        try:
            run = _take(run, json.loads(line))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RunFileError(f"{path}, line {number}: {error}; run the suite again to get a whole file") from None
    if run is None:
        raise RunFileError(f"{path}: is empty; run the suite again to get a whole file")
    return run


def _ends_in_half_a_line(text: str) -> bool:
    """Whether the last line was being written when the run, or the disk, came to its end."""
    if text.endswith("\n") or "\n" not in text:
        return False
    try:
        json.loads(text.rpartition("\n")[2])
    except (ValueError, RecursionError):
        return True
    return False


def _take(run: Run | None, line: Any) -> Run:
    """The run with one more line in it."""
    if not isinstance(line, dict) or "kind" not in line:
        raise ValueError("not a line of a run file: it has no kind")
    kind = line.pop("kind")
    if kind == "header":
        if line.pop("schema", None) != SCHEMA:
            raise ValueError(f"the schema is not {SCHEMA}: written by another version of the suite")
        if not schema.fits(line.setdefault("claims", []), list[dict[str, Any]]):
            raise ValueError("claims is no list of claims")
        if not all(isinstance(claim.get("id"), str) for claim in line["claims"]):
            raise ValueError("a claim has no id")
        return Run(line, [_made(TargetRecord, target) for target in line.pop("targets", [])])
    if run is None:
        raise ValueError("the header is missing")
    if kind == "tally":
        line.pop("outcome", None)
        run.tallies.append(_made(Tally, line))
    elif kind == "discrepancy":
        line.pop("id", None)
        run.discrepancies.append(_made(Discrepancy, line))
    elif kind == "exercised":
        _exercised(run, _made(Exercised, line))
    elif kind == "difference":
        run.differences.append(_made(Difference, line))
    elif kind == "standing":
        run.standings.append(_made(Standing, line))
    elif kind == "timing":
        run.timing = line
    elif kind == "footer":
        run.footer = line
    else:
        raise ValueError(f"unknown kind {kind!r}")
    return run


def _made(kind: type[_Line], line: Any) -> _Line:
    if not isinstance(line, dict):
        raise ValueError(f"a {kind.__name__} is {line!r}; it must be an object")
    schema.check(kind, line)
    return kind(**line)


def _exercised(run: Run, more: Exercised) -> None:
    """Adds counts to those of the same module and target: a truncated run has them in parts."""
    for known in run.exercised:
        if (known.module, known.target) == (more.module, more.target):
            known.add(more)
            return
    run.exercised.append(more)
