"""Every claim over many releases, "can I use" for ``torch.nn``: a page that needs no scripts and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from conformance.report.html import _environment, _hash
from conformance.report.view import SYMBOLS, View, printable
from conformance.results import Discrepancy, Run, TargetRecord

BROKEN = ("failed", "flaky", "lost", "known")
SILENT = ("not documented", "unsupported", "not exercised", "not run", "no result")
DIFFERS, SINCE, SAME = "differs", "since", "same"


@dataclass(frozen=True)
class Span:
    """Neighbouring releases on which the same is so: its word, and the entries of the ledger that know it."""

    word: str
    entries: tuple[str, ...]
    releases: tuple[str, ...]

    @property
    def text(self) -> str:
        """``2.0.1``, or ``2.0.1 to 2.5.1``."""
        return self.releases[0] if len(self.releases) == 1 else f"{self.releases[0]} to {self.releases[-1]}"


@dataclass(frozen=True)
class Shown:
    """What breaks the claims of a row on some releases, by the smallest case of one of them."""

    releases: tuple[str, ...]
    found: Discrepancy

    @property
    def case(self) -> str:
        """The configuration and inputs of the case, in a line."""
        case = self.found.case or {}
        arguments = [*_pairs(case.get("arguments")), *_pairs(case.get("options"))]
        inputs = [f"{i.get('name')} {_sized(i.get('shape'))} {i.get('dtype')}" for i in case.get("inputs") or ()]
        return "; ".join(filter(None, [str(case.get("layout", "")), ", ".join(arguments), ", ".join(inputs)]))


def _pairs(given: Any) -> list[str]:
    return [f"{name}={value!r}" for name, value in given.items()] if isinstance(given, Mapping) else []


def _sized(shape: Any) -> str:
    return f"({', '.join(map(str, shape))})" if isinstance(shape, (list, tuple)) else ""


@dataclass
class Row:
    """The claims of a module that fare alike on every release."""

    spans: tuple[Span, ...]
    claims: list[Mapping[str, Any]] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Broken somewhere, made by some releases only, or everywhere the same."""
        words = {span.word for span in self.spans}
        if words & {*BROKEN}:
            return DIFFERS
        return SAME if len(words) == 1 else SINCE


class Module:
    """The rows of one module, those that differ first."""

    def __init__(self, name: str, rows: list[Row]) -> None:
        self.name = name
        self._rows = rows

    def of(self, kind: str) -> list[Row]:
        """The rows of a kind, the latest news first: what is broken on the newest release, then on the one before."""
        return [row for row in self._rows if row.kind == kind]

    def claims(self, kind: str) -> int:
        """How many claims these rows have."""
        return sum(len(row.claims) for row in self.of(kind))


class Matrix:
    """A merged run, read as claims by releases. Its targets are the releases, in their order."""

    def __init__(self, run: Run) -> None:
        self.view = View(run)
        self.run = self.view.run
        self.targets = self.view.targets
        self._found = {(d.claim, d.target): d for d in reversed(self.view.discrepancies)}

    @property
    def names(self) -> list[str]:
        return [target.name for target in self.targets]

    @cached_property
    def modules(self) -> list[Module]:
        return [Module(name, self._rows(name)) for name in self.view.modules]

    def total(self, kind: str) -> int:
        """How many claims are of a kind, over all modules."""
        return sum(module.claims(kind) for module in self.modules)

    def _rows(self, module: str) -> list[Row]:
        rows: dict[tuple[Span, ...], Row] = {}
        for claim in self.view.of(module):
            spans = self._spans(claim["id"])
            rows.setdefault(spans, Row(spans)).claims.append(claim)
        found = sorted(rows.values(), key=lambda row: [span.word not in BROKEN for span in reversed(row.spans)])
        for row in found:
            row.shown = self._shown(row)
        return found

    def _spans(self, claim: str) -> tuple[Span, ...]:
        spans: list[Span] = []
        for target in self.targets:
            word, entries = self._cell(claim, target)
            if spans and (spans[-1].word, spans[-1].entries) == (word, entries):
                spans[-1] = Span(word, entries, (*spans[-1].releases, target.name))
            else:
                spans.append(Span(word, entries, (target.name,)))
        return tuple(spans)

    def _cell(self, claim: str, target: TargetRecord) -> tuple[str, tuple[str, ...]]:
        tally = self.view.tallies.get((claim, target.name))
        return self.view.outcome(claim, target), tuple(sorted(tally.known)) if tally else ()

    def _shown(self, row: Row) -> list[Shown]:
        """A finding for each span that is broken; one text for spans that break in the same words."""
        found: dict[tuple[str, str], Shown] = {}
        for span in (span for span in row.spans if span.word in BROKEN):
            first = next((d for c in row.claims for r in span.releases if (d := self._found.get((c["id"], r)))), None)
            if first is not None:
                key = (first.observed, first.expected)
                known = found.get(key)
                found[key] = Shown((*known.releases, *span.releases) if known else span.releases, first)
        return list(found.values())


def render(run: Run) -> str:
    """The page: a function of the run file, byte for byte."""
    matrix = Matrix(run)
    environment = _environment()
    style = environment.get_template("style.css").render() + _filters(matrix)
    page = environment.get_template("matrix.html.j2").render(
        matrix=matrix,
        view=matrix.view,
        run=matrix.run,
        legend=[(word, SYMBOLS[word]) for word in _LEGEND],
        reasons=_reasons(run),
        facts=[(name, [_fact(t, name) for t in matrix.targets]) for name in _FACTS],
        style=style,
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}",
    )
    return printable(page)


_LEGEND = ("passed", "known", "failed", "flaky", "lost", "not documented", "unsupported", "not exercised", "not run")
_FACTS = ("torch", "python", "platform", "cpu_capability", "threads", "cuda")


def _fact(target: TargetRecord, name: str) -> str:
    return str(target.environment.get(name, "")) or target.reason


def _reasons(run: Run) -> dict[str, Mapping[str, Any]]:
    """What the ledger says of its entries."""
    known = run.header.get("ledger")
    return known if isinstance(known, dict) else {}


def _filters(matrix: Matrix) -> str:
    """One rule a module: the page is filtered by its radio buttons, without a script."""
    width = f".spans {{ min-width: {21 + 4.5 * len(matrix.names):g}rem; }}"
    rules = [f"body:has(#only-{n}:checked) .mod:not(.mod-{n}) {{ display: none; }}" for n in range(len(matrix.modules))]
    return "\n".join([_STYLE, width, *rules, ""])


_STYLE = """
.filter { display: flex; flex-wrap: wrap; gap: .3rem .9rem; margin: .8rem 0; padding: 0; border: 0; }
.filter label { font-size: 13px; white-space: nowrap; }
.spans { width: 100%; table-layout: fixed; }
.spans th:first-child, .spans td:first-child { width: 21rem; overflow-wrap: anywhere; }
.spans td.span { border-left: 1px solid var(--line); padding: .3rem .45rem; overflow-wrap: anywhere; }
.spans thead th { white-space: nowrap; padding: .3rem .3rem .3rem .45rem; overflow: hidden; text-overflow: ellipsis; }
.c-flaky, .c-lost { background: var(--doubt-tint); }
.spans .claim { font: 600 12px/1.4 var(--mono); }
.spans details { margin: .1rem 0; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; padding: 0; margin: .5rem 0; }
.mod > h2 { font-size: 1.05rem; }
.plain { font: 12px/1.6 var(--mono); }
"""
