"""Faults are injected from outside: into the torch of the target, the interpreter, the files, the environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conformance.results import Run, read

TINY = ("--target", "cpu", "--module", "Linear", "--cases", "0", "--claim", "linear.accepts.any_rank",
        "--claim", "linear.output.*.any_rank")  # fmt: skip
# Runs when torch has been imported, in whatever process imports it.
_SITE = """
import importlib.util, sys
class Plant:
    def find_spec(self, name, path=None, target=None):
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("torch")
        load = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (load(module), exec(BODY, {"torch": module}))
        return spec
sys.meta_path.insert(0, Plant())
"""


@dataclass
class Ended:
    """A command that ended: its exit code, what it said, and the run file it left."""

    code: int
    said: str
    report: Path

    @property
    def run(self) -> Run:
        return read(self.report / "run.jsonl")


@dataclass
class Started:
    """A command that runs; every process below it carries its mark, wherever it goes."""

    process: subprocess.Popen[bytes]
    output: Path
    report: Path
    mark: str = field(repr=False, default="")

    def until(self, kind: str, count: int = 1, within: float = 60.0) -> Started:
        """Waits for so many lines of this kind in the run file."""
        path, end = self.report / "run.jsonl", time.monotonic() + within
        while time.monotonic() < end and self.process.poll() is None:
            if path.exists() and path.read_text(errors="replace").count(f'"kind": "{kind}"') >= count:
                return self
            time.sleep(0.02)
        pytest.fail(f"no {kind}: {self.output.read_text()}")

    def ended(self, within: float = 90.0) -> Ended:
        code = self.process.wait(within)
        assert self.orphans() == []
        return Ended(code, self.output.read_text(errors="replace"), self.report)

    def living(self) -> list[int]:
        """The processes with the mark that are not dead yet."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (path / "environ").read_bytes() and "\tZ" not in _state(path):
                    found.append(int(path.name))
            except OSError:
                continue
        return found

    def orphans(self, within: float = 5.0) -> list[int]:
        """The processes of a command that ended, after some time to end themselves."""
        end = time.monotonic() + within
        while (found := self.living()) and time.monotonic() < end:
            time.sleep(0.05)
        return found


def _state(path: Path) -> str:
    return next(line for line in (path / "status").read_text().splitlines() if line.startswith("State:"))


@pytest.fixture
def planted_python(target_python: str, tmp_path: Path) -> Callable[..., str]:
    """An interpreter in whose torch some lines have run; ``packages`` are files that it finds before its own."""

    def make(body: str = "", **packages: str) -> str:
        site = tmp_path / f"site-{len(list(tmp_path.glob('site-*')))}"
        site.mkdir()
        if body:
            (site / "sitecustomize.py").write_text(f"BODY = {body!r}\n{_SITE}")
        for name, text in packages.items():
            (site / f"{name}.py").write_text(text)
        python = site / "python"
        python.write_text(f'#!/bin/sh\nPYTHONPATH="{site}" exec "{target_python}" "$@"\n')
        python.chmod(0o755)
        return str(python)

    return make


@pytest.fixture
def begin(target_python: str, tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Starts ``conformance run`` in a process group of its own."""
    running: list[Started] = []

    def start(*arguments: str, python: str = target_python, cwd: Path = tmp_path, report: str = "out",
              environment: dict[str, str] | None = None, **keywords: Any) -> Started:  # fmt: skip
        output, mark = tmp_path / f"output-{len(running)}", f"CONFORMANCE_MARK={uuid.uuid4().hex}"
        own = (
            {**os.environ, **dict([mark.split("=", 1)])}
            if environment is None
            else {**environment, **dict([mark.split("=", 1)])}
        )
        command = [sys.executable, "-m", "conformance", "run", "--python", python, "--report", report, *arguments]
        with output.open("wb") as file:
            process = subprocess.Popen(command, cwd=cwd, stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=own,
                                       start_new_session=True, **keywords)  # fmt: skip
        running.append(Started(process, output, cwd / report, mark))
        return running[-1]

    yield start
    for started in running:
        for number in started.living():
            os.kill(number, signal.SIGKILL)
        started.process.wait()
