"""Renderings of a run file and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from conformance.results import Run, write_whole

FILES = ("verdict.json", "junit.xml", "report.md", "report.html")


def forget(directory: Path) -> None:
    """Removes the renderings of an earlier run, so that nobody takes them for those of one that does not end."""
    for name in FILES:
        (directory / name).unlink(missing_ok=True)


def write_all(run: Run, directory: Path, contract_files: tuple[str, ...] = ()) -> None:
    """Writes every rendering of the run into a directory: HTML, JUnit XML, Markdown and the verdict as JSON. Modules
    that are not the suite's own have scripts and pictures where ``contract_files`` define their contracts."""
    from conformance.report import html, junit, machine, markdown  # late: SymPy and Jinja2 are needed for nothing else

    write_whole(directory / "junit.xml", junit.render(run))
    write_whole(directory / "report.md", markdown.render(run))
    write_whole(directory / "report.html", html.render(run, contract_files))
    write_whole(directory / "verdict.json", json.dumps(machine.render(run), indent=2) + "\n")  # last: it stands for all
