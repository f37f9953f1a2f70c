"""The verdict in a few lines, for a comment on a pull request."""

from __future__ import annotations

import html
import re

from conformance.report.upgraded import section
from conformance.report.view import OUTCOMES, SYMBOLS, Cell, View, printable
from conformance.results import Discrepancy, Run

WORST = 10
# What Markdown, a table of it, or a forge reads as markup: links, emoji, mentions, references to issues.
_ACTIVE = re.compile(r"[\\`*\[\]|~#@!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//|[\w+-]+:)|www(?=\.)")


def render(run: Run) -> str:
    """Verdict, reason, matrix, and the worst discrepancies."""
    view = View(run)
    verdict = view.verdict
    counts = ", ".join(f"{verdict.counts[word]} {word}" for word in OUTCOMES if verdict.counts.get(word))
    blocks = [
        f"## {SYMBOLS[verdict.word]} {verdict.word}",
        f"{plain(verdict.reason)}.",
        f"Claims on all targets: {counts or 'no results'}.",
        *_doubts(view),
        *section(view),
        _matrix(view),
        *_worst(view),
        *_ledger(view),
    ]
    return printable("\n\n".join(blocks)) + "\n"


def plain(text: object) -> str:
    """Text on one line in which nothing is markup: not of Markdown, not of HTML, not of the forge."""
    line = html.escape(" ".join(str(text).split()), quote=False)
    return _ACTIVE.sub(lambda found: "".join(f"&#{ord(c)};" for c in found[0]), line.replace("&#", "&amp;#"))


def _code(text: object, limit: int = 160) -> str:
    said = str(text)
    return f"<code>{plain(said if len(said) <= limit else said[: limit - 1] + '…')}</code>"


def _doubts(view: View) -> list[str]:
    lines = [f"- {SYMBOLS.get(word, '•')} **{word}** {plain(text)}" for word, text, _ in view.doubts]
    return ["\n".join(["Before you trust a pass:", "", *lines])] if lines else []


def _matrix(view: View) -> str:
    names = [target.name for target in view.targets]
    rows = [
        "| " + " | ".join([_code(module), *(_cell(view.cells[module, name]) for name in names)]) + " |"
        for module in view.modules
    ]
    head = "| " + " | ".join(["module", *map(_code, names)]) + " |"
    return "\n".join([head, "|" + " --- |" * (len(names) + 1), *rows])


def _cell(cell: Cell) -> str:
    others = [f"{cell.counts[word]} {word}" for word in OUTCOMES if cell.counts.get(word) and word != cell.word]
    return ", ".join([f"{SYMBOLS[cell.word]} {cell.counts.get(cell.word, 0)} {cell.word}", *others])


def _worst(view: View) -> list[str]:
    shown, left = view.discrepancies[:WORST], len(view.discrepancies) - WORST
    lines = [_line(found) for found in shown]
    if left > 0:
        lines.append(f"- and {left} more, in the report")
    return ["\n".join(["The worst discrepancies:", "", *lines])] if lines else []


def _ledger(view: View) -> list[str]:
    """What is to be said of the ledger itself; it does not change the verdict."""
    remarks = view.ledger
    lines = [f"- **{plain(r.kind)}** {_code(r.entry)} {plain(r.text)}: {_code(r.command)}" for r in remarks[:WORST]]
    if len(remarks) > WORST:
        lines.append(f"- and {len(remarks) - WORST} more, in verdict.json")
    return ["\n".join(["The ledger wants a look:", "", *lines])] if lines else []


def _line(found: Discrepancy) -> str:
    known = f"known as {_code(found.ledger)}" if found.ledger else "not in the ledger"
    doubt = "" if found.reproduced else f", flaky: {found.rate or 'not reproduced'}"
    return (
        f"- {plain(found.severity)}, {known}{doubt}: {_code(found.claim)} on {_code(found.target)}: "
        f"expected {_code(found.expected)}, observed {_code(found.observed)} "
        f"({_code(f'conformance replay {found.id}')})"
    )
