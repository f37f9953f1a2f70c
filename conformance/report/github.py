"""What GitHub Actions shows: a summary of the step, and annotations. Written only where its variables say so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from conformance.compare.difference import CHANGED, REGRESSED
from conformance.hygiene import IMPROVEMENT
from conformance.report import markdown
from conformance.report.causes import causes
from conformance.report.view import View, counted, printable
from conformance.results import Run

ANNOTATIONS = 10  # GitHub shows no more of a step
SUMMARY = 1_000_000  # bytes; above 1 MiB a step fails
_CUT = "\n\nCut here: a summary may have one megabyte. The whole report is `report.html`.\n"


def publish(run: Run, environment: Mapping[str, str] | None = None) -> None:
    """Appends the summary to the file that GitHub names, and prints the annotations where it reads them."""
    known = os.environ if environment is None else environment
    if path := known.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary(run))
    if known.get("GITHUB_ACTIONS") == "true":
        print("\n".join(["", *annotated(run)]))


def summary(run: Run) -> str:
    """The Markdown verdict, cut between lines where it would be too long."""
    text = markdown.render(run)
    if len(text.encode()) <= SUMMARY:
        return text
    kept = text.encode()[: SUMMARY - len(_CUT)].decode(errors="ignore")
    return kept[: kept.rfind("\n")] + _CUT


def annotated(run: Run) -> list[str]:
    """At most ten, the worst first, one a root cause."""
    return list(_annotations(View(run)))[:ANNOTATIONS]


def _annotations(view: View) -> Iterator[str]:
    """Errors for what fails the gate, a warning for what makes it doubtful, notices for good news."""
    run = view.run
    if run.header.get("comparison"):
        for row in sorted(run.differences, key=lambda row: row.rank):
            if row.bucket in (REGRESSED, CHANGED) and row.level == "gate" and row.used:
                yield _command("error", f"{row.bucket}: {row.field} of {row.module}", f"{row.old} → {row.new}")
    else:
        for cause in (cause for cause in causes(view) if cause.known is None):
            first = cause.lead.found
            more = f" ({counted(cause.found, 'discrepancy')} of this kind)" if len(cause.found) > 1 else ""
            text = f"expected {first.expected}; observed {first.observed}{more}\nconformance replay {first.id}"
            yield _command("error", f"{first.severity}: {first.claim} on {first.target}", text)
    if view.verdict.exit in (3, 4, 5):
        yield _command("warning", view.verdict.word, view.verdict.reason)
    for remark in view.ledger:
        if remark.kind == IMPROVEMENT:
            yield _command("notice", f"{remark.kind}: {remark.entry}", f"{remark.text}\n{remark.command}")


def _command(level: str, title: str, text: str) -> str:
    """A workflow command; whatever torch said, it is one line and one command."""
    return f"::{level} title={_escaped(title).replace(':', '%3A').replace(',', '%2C')}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
