"""Two targets of one release: whatever they differ in was planted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from conformance.targets import Target, TargetSpec


def side(python: str, role: str) -> Target:
    return Target(replace(TargetSpec.parse("cpu", python), role=role), limit=10.0)


@pytest.fixture(scope="session")
def old(target_python: str) -> Iterator[Target]:
    target = side(target_python, "old").start()
    yield target
    target.close()


@pytest.fixture(scope="session")
def new(target_python: str) -> Iterator[Target]:
    target = side(target_python, "new").start()
    yield target
    target.close()
