"""``conformance matrix``: run files of several releases as one page, claims by releases."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from conformance.commands.merge import read_all
from conformance.compact import compact, write_compact
from conformance.merge import merge
from conformance.results import write_whole
from conformance.verdict import ERROR, INCONCLUSIVE


def add(commands: Any) -> None:
    """Declares the command."""
    parser = commands.add_parser(
        "matrix", help="every claim over many releases, as one page",
        description="Joins run files whose targets are releases (--target 2.13.0=…), writes the joined file without "
        "what a matrix does not show, and renders it. A matrix may be joined with more releases.")  # fmt: skip
    parser.add_argument("runs", nargs="+", metavar="RUN.jsonl", help="a run file, or the directory of its report")
    parser.add_argument("--report", default="reports/matrix", metavar="DIR", help="where to (default: reports/matrix)")
    parser.set_defaults(action=run)


def run(given: argparse.Namespace, rest: list[str]) -> int:
    """Joins, writes, renders; inconclusive where a run is not whole, and otherwise no judgement."""
    from conformance.report import matrix

    whole = merge(read_all(given.runs))
    directory = Path(given.report)
    write_compact(whole, directory / "run.jsonl")
    write_whole(directory / "index.html", matrix.render(compact(whole)))
    sizes = ", ".join(
        f"{name} {(directory / name).stat().st_size / 1e6:.1f} MB" for name in ("run.jsonl", "index.html")
    )
    print(f"{', '.join(t.name for t in whole.targets)}\n{directory / 'index.html'} ({sizes})")
    footer = whole.footer or {}
    if footer["verdict"] in (ERROR, INCONCLUSIVE):
        print(f"{footer['verdict']}: {footer['reason']}")
        return int(footer["exit"])
    return 0
