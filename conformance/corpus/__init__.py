"""Stored cases, as explicit data: every profile replays them. One file of JSON Lines a module lies beside this one.

They take the place of Hypothesis's example database: here Hypothesis chooses the state of a generator and nothing else,
and such a state means another case as soon as a contract changes. A stored case stays the case that it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from conformance.cases import SCHEMA, Case, CaseError, Input
from conformance.defaults import unusual

OWN = Path(__file__).parent


class CorpusError(ValueError):
    """A corpus that cannot be read: which file, which line, what to do."""


@dataclass(frozen=True)
class Corpus:
    """The stored cases in a directory; none without one."""

    directory: Path | None = OWN

    @classmethod
    def load(cls, place: str | None) -> Corpus:
        """The corpus in a directory; the suite's own without one, ``none`` for no corpus."""
        if place == "none":
            return cls(None)
        if place is not None and not Path(place).is_dir():
            raise CorpusError(f"--corpus {place!r} is not a directory; make it with `conformance corpus grow`, or pass "
                              "none")  # fmt: skip
        return cls(Path(place) if place else OWN)

    @cached_property
    def _read(self) -> dict[str, tuple[Case, ...]]:
        return {}

    def cases(self, module: str, scenario: str | None = None) -> tuple[Case, ...]:
        """The cases of a module, in their order."""
        if module not in self._read:
            self._read[module] = tuple(_cases(self._path(module)))
        return tuple(case for case in self._read[module] if scenario in (None, case.scenario))

    def text(self, module: str, cases: Iterable[Case]) -> str:
        """The text of a module's file."""
        lines = [{"schema": SCHEMA, "module": module}, *(_short(case.to_json()) for case in cases)]
        return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)

    def _path(self, module: str) -> Path | None:
        return self.directory and self.directory / f"{module}.jsonl"


def _cases(path: Path | None) -> Iterator[Case]:
    if path is None or not path.is_file():
        return
    head: dict[str, Any] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: cannot be read ({error}); make it anew with `conformance corpus grow`") from None
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            if head:
                yield Case.from_json({**head, **told})
            else:
                head = {"schema": told["schema"], "module": told["module"]}
        except (ValueError, TypeError, KeyError, CaseError, RecursionError) as error:
            raise CorpusError(f"{path}, line {number}: {error}; remove the line, or make the file anew with "
                              "`conformance corpus grow`") from None  # fmt: skip


def _short(case: dict[str, Any]) -> dict[str, Any]:
    """A case without what its file says once and without what is as usual."""
    kept = unusual({k: v for k, v in case.items() if k not in ("schema", "module")}, Case)
    if "inputs" in kept:
        kept["inputs"] = [unusual(item, Input) for item in kept["inputs"]]
    return kept
