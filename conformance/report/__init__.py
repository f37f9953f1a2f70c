"""Renderings of a run file and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from conformance.results import SCHEMA, Run, write_whole


def write_all(run: Run, directory: Path) -> None:
    """Writes every rendering of the run into a directory: HTML, JUnit XML, Markdown and the verdict as JSON."""
    from conformance.report import html, junit, markdown  # late: SymPy and Jinja2 are needed for nothing else
    from conformance.report.view import verdict_of

    verdict = {"schema": SCHEMA, **verdict_of(run).to_json()}
    write_whole(directory / "verdict.json", json.dumps(verdict, indent=2) + "\n")
    write_whole(directory / "junit.xml", junit.render(run))
    write_whole(directory / "report.md", markdown.render(run))
    write_whole(directory / "report.html", html.render(run))
