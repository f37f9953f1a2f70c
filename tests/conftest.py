"""What the tests share: the target interpreter with torch, and a running target."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from conformance.targets import Target, TargetSpec


@pytest.fixture(scope="session")
def target_python() -> str:
    """An interpreter that has torch; ``nox -s tests`` makes one and names it."""
    python = os.environ.get("CONFORMANCE_TEST_PYTHON")
    if not python:
        pytest.fail("set CONFORMANCE_TEST_PYTHON to an interpreter with torch, or run `nox -s tests`, which does")
    return python


@pytest.fixture(scope="session")
def shared_target(target_python: str) -> Iterator[Target]:
    """One CPU target for all tests that leave it as they found it."""
    target = Target(TargetSpec.parse("cpu", target_python)).start()
    target.keep_fresh()  # so that what a test plants is there too
    yield target
    target.close()


@pytest.fixture
def own_target(target_python: str) -> Iterator[Target]:
    """A CPU target of the test's own, to be killed."""
    target = Target(TargetSpec.parse("cpu", target_python), limit=5.0).start()
    yield target
    target.close()


@pytest.fixture
def conformance(target_python: str, tmp_path, monkeypatch):
    """Runs the command line as a user does; answers with the finished process."""
    import subprocess

    def call(*arguments: str, **environment: str):
        run = [sys.executable, "-m", "conformance", *arguments]
        if arguments and arguments[0] in ("run", "replay"):
            run += ["--python", target_python]
        return subprocess.run(
            run,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
            env={**os.environ, **environment},
            check=False,
        )

    return call
