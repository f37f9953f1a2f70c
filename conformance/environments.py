"""Environments with torch alone, made on demand, kept between runs, verified before they are used.

``python -m conformance.environments REQUIREMENT [PIP-ARGUMENT …]`` prints the interpreter of one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

LEAST = 1 << 30  # bytes: less does not hold any torch
_SIZES = "about 1 GB for a CPU build of torch, 3 to 8 GB with CUDA"
_TELL = "import torch; print(torch.__version__)"
_LIMIT = 300.0


class EnvironmentFailure(RuntimeError):
    """An environment that cannot be made: what was asked for, what went wrong, what may help."""


def cache() -> Path:
    """Where environments are kept: ``CONFORMANCE_CACHE``, or the user's cache directory."""
    own = os.environ.get("CONFORMANCE_CACHE")
    return (Path(own) if own else Path(platformdirs.user_cache_dir("torch-nn-conformance"))) / "environments"


@dataclass(frozen=True)
class Environment:
    """One torch, as pip is asked for it: a requirement or a wheel's path, with the user's own arguments for pip."""

    requirement: str
    arguments: tuple[str, ...] = ()
    interpreter: str = ""  # this one

    @property
    def key(self) -> str:
        """A hash of all that it is made from; of a wheel also its size and date, and never the text of an argument,
        which may hold a password."""
        wheel = Path(self.requirement)
        dated = [wheel.stat().st_size, wheel.stat().st_mtime_ns] if wheel.is_file() else []
        text = json.dumps([self.requirement, dated, self.arguments, self.interpreter, sys.version])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def place(self) -> Path:
        name = re.sub(r"[^A-Za-z0-9.+]+", "-", Path(self.requirement).name)[:60]
        return cache() / f"{name}-{self.key}"

    @property
    def python(self) -> Path:
        return self.place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def _marker(self) -> Path:
        return self.place / "ready.json"

    def ensure(self, say: Callable[[str], None]) -> Path:
        """Its interpreter; made if it is not there or is broken. Where it is whole, nothing is fetched."""
        if self._marker.is_file():
            if self._whole():
                return self.python
            say(f"{self.place} is broken: it is made anew")
        self._make(say)
        return self.python

    def _whole(self) -> bool:
        try:
            told = json.loads(self._marker.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(told, dict) and told.get("key") == self.key and told.get("torch") == self._version()

    def _version(self) -> str | None:
        """The version of torch that the environment really has; None where it cannot be imported."""
        try:
            done = subprocess.run([str(self.python), "-c", _TELL], capture_output=True, text=True, timeout=_LIMIT,
                                  check=False)  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 and done.stdout.strip() else None

    def _make(self, say: Callable[[str], None]) -> None:
        self.place.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.place.parent).free
        say(f"making an environment with {self.requirement} in {self.place}: once; {_SIZES}; {free / 1e9:.0f} GB free")
        if free < LEAST:
            raise EnvironmentFailure(f"{self.place.parent} has {free / 1e9:.1f} GB free, too little for any torch; "
                                     "make room, or name another place in CONFORMANCE_CACHE")  # fmt: skip
        self._run([self.interpreter or sys.executable, "-m", "venv", "--clear", str(self.place)])
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        self._run([*pip, *self.arguments, self.requirement])
        version = self._version()
        if version is None:
            raise EnvironmentFailure(f"{self.requirement} is installed in {self.place}, but cannot be imported there")
        # Written last: without it, an installation was interrupted and is made again.
        self._marker.write_text(json.dumps({"key": self.key, "torch": version}) + "\n", encoding="utf-8")

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = "\n  ".join(line for line in done.stderr.strip().splitlines()[-5:])
            raise EnvironmentFailure(
                f"no environment with {self.requirement} for Python {sys.version.split()[0]}:\n  {said}\n"
                "name an interpreter that has this torch instead, another Python with --interpreter, or an index of "
                "your own with --pip-arg=--index-url=…"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes one environment; prints its interpreter, and whatever else there is to say on standard error."""
    parser = argparse.ArgumentParser("python -m conformance.environments")
    parser.add_argument("requirement", help="torch==VERSION or the path of a wheel")
    given, rest = parser.parse_known_args(arguments)
    try:
        python = Environment(given.requirement, tuple(rest)).ensure(lambda text: print(text, file=sys.stderr))
    except EnvironmentFailure as error:
        print(error, file=sys.stderr)
        return 2
    print(python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
