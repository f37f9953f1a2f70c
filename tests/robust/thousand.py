"""What joining the shards of a farm costs: ``python -m tests.robust.thousand RUN.jsonl [SHARDS]``.

A run file is made ten times as large, with new names for its claims, and dealt out to so many shards; then they are read
and merged."""

from __future__ import annotations

import copy
import resource
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance import report
from conformance.merge import merge
from conformance.results import Run, read


def shards(run: Run, count: int, times: int) -> list[Run]:
    """The parts of a run that is so many times as large."""
    parts = [Run({**copy.deepcopy(run.header), "claims": [], "shard": {"run": "farm", "index": i + 1, "of": count}},
                 run.targets, footer=run.footer) for i in range(count)]  # fmt: skip
    tallies, found = defaultdict(list), defaultdict(list)
    for tally in run.tallies:
        tallies[tally.claim].append(tally)
    for discrepancy in run.discrepancies:
        found[discrepancy.claim].append(discrepancy)
    claims: list[tuple[str, dict[str, Any]]] = [
        (f"{c['id']}.{n}", c) for n in range(times) for c in run.header["claims"]
    ]
    for place, (name, claim) in enumerate(claims):
        part = parts[place % count]
        part.header["claims"].append({**claim, "id": name, "place": place})
        part.tallies += [replace(tally, claim=name) for tally in tallies[claim["id"]]]
        part.discrepancies += [replace(one, claim=name) for one in found[claim["id"]]]
    return parts


def main(source: str, count: int = 1000, times: int = 10) -> None:
    with TemporaryDirectory() as directory:
        paths = [Path(directory) / f"{number}.jsonl" for number in range(count)]
        for path, part in zip(paths, shards(read(Path(source)), count, times), strict=True):
            part.write(path)
        size = sum(path.stat().st_size for path in paths)
        start = time.perf_counter()
        runs = {str(path): read(path) for path in paths}
        middle = time.perf_counter()
        whole = merge(runs)
        whole.write(Path(directory) / "run.jsonl")
        end = time.perf_counter()
        report.write_all(whole, Path(directory))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        written = (Path(directory) / "run.jsonl").stat().st_size
        print(f"{count} files, {size / 1e6:.1f} MB, {len(whole.tallies)} results: read {middle - start:.1f} s, merged and "
              f"written ({written / 1e6:.1f} MB) {end - middle:.1f} s, rendered {time.perf_counter() - end:.1f} s, "
              f"{memory:.0f} MB of memory: {whole.footer and whole.footer['verdict']}")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
