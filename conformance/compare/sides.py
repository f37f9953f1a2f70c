"""What a person calls a torch: a release, an interpreter, a wheel, or a target; and where it is then found."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from conformance.environments import Environment

RELEASES = ("2.0.1", "2.1.2", "2.2.2", "2.3.1", "2.4.1", "2.5.1", "2.6.0", "2.7.1", "2.8.0", "2.9.1", "2.10.0",
            "2.11.0", "2.12.1", "2.13.0", "2.14.1", "2.15.0")  # fmt: skip  # the last one of each minor release
_HOW = ("name a release (2.5.1), an interpreter that has torch (/path/to/python, or its environment's directory), a "
        "wheel, or a target (popen//python=/path/to/python::cuda:0)")  # fmt: skip
_RANGE = re.compile(r"(\d+\.\d+)\S*\.\.(\d+\.\d+)\S*")


class SideError(ValueError):
    """A torch that cannot be understood: what was passed, what is allowed."""


@dataclass(frozen=True)
class Maker:
    """How environments for releases are made, and on which device they are judged."""

    device: str = "cpu"
    arguments: Sequence[str] = ()
    interpreter: str = ""

    def spec(self, text: str) -> str:
        """The target that ``text`` names, its environment made where there is none yet; :class:`SideError` where it
        names nothing."""
        text = text.strip()
        if "::" in text:
            return text
        python = _interpreter(text)
        if python is None:
            environment = Environment(_requirement(text), tuple(self.arguments), self.interpreter)
            python = environment.ensure(lambda said: print(f"conformance: {said}", file=sys.stderr, flush=True))
        return f"popen//python={python}::{self.device}"


def _interpreter(text: str) -> Path | None:
    path = Path(text)
    if path.is_dir():
        found = [p for p in (path / "bin" / "python", path / "Scripts" / "python.exe") if p.exists()]
        if not found:
            raise SideError(f"{text!r} is a directory without an interpreter; {_HOW}")
        return found[0].absolute()
    return path.absolute() if path.is_file() and path.suffix != ".whl" else None


def _requirement(text: str) -> str:
    if text.endswith(".whl"):
        if not Path(text).is_file():
            raise SideError(f"there is no wheel {text!r}; {_HOW}")
        return str(Path(text).absolute())
    version = text.removeprefix("torch==")
    try:
        Version(version)
    except InvalidVersion:
        raise SideError(f"{text!r} is no torch: {_HOW}") from None
    return f"torch=={version}"


def spread(texts: Sequence[str]) -> list[str]:
    """Releases as given, a range ``2.5..2.13`` as the last release of each minor one in it."""
    found: list[str] = []
    for text in texts:
        match = _RANGE.fullmatch(text)
        if match is None:
            found.append(text)
            continue
        low, high = (Version(end) for end in match.groups())
        inside = [r for r in RELEASES if low <= Version(r.rpartition(".")[0]) <= high]
        if not inside:
            raise SideError(f"there is no release in {text!r}; known are {RELEASES[0]} to {RELEASES[-1]}")
        found += inside
    return found
