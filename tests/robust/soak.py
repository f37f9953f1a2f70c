"""A long run, watched: ``python -m tests.robust.soak PYTHON-WITH-TORCH SECONDS [options of conformance run]``.

Samples memory, file descriptors and threads of every process of a nightly run and says how they moved after the first
tenth, and how the run ended. ``--samples FILE`` keeps the samples as JSON Lines."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

PERIOD = 2.0  # seconds


def below(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for number in found:
        for children in Path(f"/proc/{number}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:
                continue
    return found


def sample(pid: int) -> dict[str, int]:
    """Sums over all processes of a run; what ends meanwhile is left out."""
    total = {"processes": 0, "memory": 0, "files": 0, "threads": 0}
    for number in below(pid):
        try:
            status = dict(line.split(":", 1) for line in Path(f"/proc/{number}/status").read_text().splitlines())
            files = len(list(Path(f"/proc/{number}/fd").iterdir()))
        except OSError:
            continue
        total["processes"] += 1
        total["memory"] += int(status.get("VmRSS", "0 kB").split()[0]) // 1024
        total["files"] += files
        total["threads"] += int(status["Threads"])
    return total


def watch(process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    """Samples until the run ends."""
    started, taken = time.monotonic(), []
    while process.poll() is None:
        taken.append({"seconds": round(time.monotonic() - started, 1), **sample(process.pid)})
        time.sleep(PERIOD)
    return taken


def told(taken: list[dict[str, Any]]) -> str:
    """The medians of the second tenth and the last one, and the largest value, of each quantity."""
    tenth = max(len(taken) // 10, 1)
    lines = [f"{len(taken)} samples over {taken[-1]['seconds']:.0f} s, the second tenth and the last:"]
    for name, unit in (("memory", " MB"), ("files", ""), ("threads", ""), ("processes", "")):
        early = median(one[name] for one in taken[tenth : 2 * tenth] or taken)
        late = median(one[name] for one in taken[-tenth:])
        change = f"{100 * (late - early) / early:+.1f} %" if early else ""
        lines.append(
            f"  {name}: {early:g}{unit}, {late:g}{unit} ({change}); at most {max(one[name] for one in taken)}{unit}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser("soak")
    parser.add_argument("python")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--samples")
    parser.add_argument("--report", default="reports/soak")
    given, rest = parser.parse_known_args()
    command = [sys.executable, "-m", "conformance", "run", "--python", given.python, "--profile", "nightly",
               "--stop-after", str(given.seconds), "--report", given.report, "-n", "2", *rest]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    started = time.monotonic()
    taken = watch(process)
    if given.samples:
        Path(given.samples).write_text("".join(json.dumps(one) + "\n" for one in taken))
    footer = json.loads((Path(given.report) / "run.jsonl").read_text().splitlines()[-1])
    print(told([one for one in taken if one["seconds"] < given.seconds]))
    print(f"asked to stop after {given.seconds:g} s, ended after {time.monotonic() - started:.0f} s with exit code "
          f"{process.returncode}: {footer.get('verdict')}: {footer.get('reason')}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
