"""``conformance merge``: the run files of shards, or of several targets, as one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from conformance import report
from conformance.merge import MergeError, merge
from conformance.report import github
from conformance.results import Run, read
from conformance.verdict import EXIT


def add(commands: Any) -> None:
    """Declares the command."""
    parser = commands.add_parser(
        "merge", help="join the run files of shards, or of several targets, into one",
        description="In any order to the same bytes. A missing shard or footer makes the verdict INCONCLUSIVE; files "
        "that do not belong together are refused. The exit code is that of the verdict.")  # fmt: skip
    parser.add_argument("runs", nargs="+", metavar="RUN.jsonl", help="a run file, or the directory of its report")
    parser.add_argument("--report", default="reports/merged", metavar="DIR", help="where the run and its reports go")
    parser.set_defaults(action=run)


def run(given: argparse.Namespace, rest: list[str]) -> int:
    """Merges, writes, says the verdict; the exit code is its own."""
    whole = merge(read_all(given.runs))
    directory = Path(given.report)
    whole.write(directory / "run.jsonl")
    report.write_all(whole, directory)
    github.publish(whole)
    footer = whole.footer or {}
    print(f"{footer['verdict']}\n{footer['reason']}\n{directory / 'report.html'}")
    return EXIT[footer["verdict"]]


def read_all(paths: list[str]) -> dict[str, Run]:
    """The runs by the names of their files; the same file twice is one too many."""
    found: dict[str, Run] = {}
    for text in paths:
        path = Path(text) / "run.jsonl" if Path(text).is_dir() else Path(text)
        if str(path) in found:
            raise MergeError(f"{path} is given twice; pass each run file once")
        found[str(path)] = read(path)
    return found
