"""A part of a run: ``--shard 2/4``, or what a CI system says about its parallel jobs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

_SHARD = re.compile(r"(\d+)/(\d+)")
# What a system calls the number of a job and of all jobs, and the first number.
_SYSTEMS = (("CI_NODE_INDEX", "CI_NODE_TOTAL", 1), ("CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0))


class ShardError(ValueError):
    """A shard that makes no sense: what was passed, what is allowed."""


@dataclass(frozen=True)
class Shard:
    """Part ``index`` (from 1) of ``of`` parts; ``run`` is a name that all parts of the same run have."""

    index: int
    of: int
    run: str = ""

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"

    def of_run(self, asked: str) -> Shard:
        """The same part, named after what the whole run was asked for."""
        return replace(self, run=hashlib.sha256(asked.encode()).hexdigest()[:12])

    def to_json(self) -> dict[str, int | str]:
        return asdict(self)

    def has(self, module: str, scenario: str) -> bool:
        """Whether a campaign belongs to this part. The items of a campaign share its execution: they stay together."""
        digest = hashlib.sha256(f"{module}::{scenario}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.index - 1


def shard(text: str, environment: Mapping[str, str]) -> Shard:
    """The shard that ``text`` names, ``2/4``; ``ci`` stands for what the CI system's variables say.

    They are not heeded without being asked: a job of a matrix has them too, and would judge a part for the whole.
    """
    if text == "ci":
        return _of_ci(environment)
    found = _SHARD.fullmatch(text)
    if not found:
        raise ShardError(f"--shard {text!r} is not a shard; write INDEX/COUNT, for example 1/4, or ci")
    return _checked(int(found[1]), int(found[2]), f"--shard {text!r}")


def _of_ci(environment: Mapping[str, str]) -> Shard:
    for index, total, first in _SYSTEMS:
        if index in environment and total in environment:
            said = f"{index}={environment[index]} {total}={environment[total]}"
            try:
                numbers = int(environment[index]) + 1 - first, int(environment[total])
            except ValueError:
                raise ShardError(f"--shard ci: {said} are not numbers") from None
            return _checked(*numbers, f"--shard ci: {said}")
    known = " nor ".join(f"{index} and {total}" for index, total, _ in _SYSTEMS)
    raise ShardError(f"--shard ci: neither {known} are set; write INDEX/COUNT, for example 1/4")


def _checked(index: int, of: int, said: str) -> Shard:
    if not 1 <= index <= of:
        raise ShardError(f"{said} is not a shard; the index goes from 1 to the number of shards")
    return Shard(index, of)
