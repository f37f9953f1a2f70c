"""Renderings of a run file and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from conformance.results import Run, write_whole
from conformance.verdict import verdict


def write_all(run: Run, directory: Path) -> None:
    """Writes every rendering of the run into a directory."""
    write_whole(directory / "verdict.json", json.dumps(verdict(run).to_json(), indent=2) + "\n")
