"""A run file to be kept for years: what a matrix shows, and nothing of the machine on which it was made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.defaults import unusual
from conformance.results import Discrepancy, Run, Tally, TargetRecord, write_whole

_TIMES = ("started", "finished")
_OF_A_PLACE = ("--python", "--report", "--ledger", "--target", "--corpus", "--contracts")
_KINDS: dict[str, type] = {"tally": Tally, "discrepancy": Discrepancy}


def compact(run: Run) -> Run:
    """The run without what its targets answered word by word, without interpreters' places and without times."""
    return replace(
        run,
        header={**run.header, "command": _plain(run.header.get("command", []))},
        targets=[replace(target, spec=target.name, gateway="popen") for target in run.targets],
        discrepancies=[replace(found, seen={}, where=None, first=None) for found in run.discrepancies],
        timing={key: run.timing[key] for key in _TIMES if key in run.timing},
        exercised=[],
    )


def write_compact(run: Run, path: Path) -> None:
    """Writes the run without the fields that have their usual values."""
    lines = [_short(line) for line in compact(run).lines()]
    write_whole(path, "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def _short(line: dict[str, Any]) -> dict[str, Any]:
    if line["kind"] == "header":
        return {**line, "targets": [unusual(target, TargetRecord) for target in line["targets"]]}
    known = _KINDS.get(line["kind"])
    if known is None:
        return line
    return {k: v for k, v in unusual(line, known).items() if k not in ("outcome", "id")}


def _plain(command: Any) -> Any:
    """The command without the places of this machine."""
    if isinstance(command, str):
        return " && ".join(dict.fromkeys(" ".join(_plain(part.split())) for part in command.split(" && ")))
    kept: list[str] = []
    skip = False
    for word in map(str, command):
        if not skip and not word.startswith(tuple(f"{option}=" for option in _OF_A_PLACE)) and word not in _OF_A_PLACE:
            kept.append(word)
        skip = word in _OF_A_PLACE
    return kept
