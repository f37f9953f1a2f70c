"""All entries together: the suite's own and the user's, asked for every failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.ledger.entry import Entry, LedgerError, read_entry

OWN = Path(__file__).parent / "entries"


@dataclass(frozen=True)
class Ledger:
    """The known discrepancies that apply to a run. Reading it never writes it."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def load(cls, extra: str | None = None) -> Ledger:
        """The suite's ledger and, beside it, the one in directory ``extra``; ``none`` stands for no ledger at all."""
        if extra == "none":
            return cls()
        directories = [OWN] + ([Path(extra)] if extra else [])
        for directory in directories:
            if directory != OWN and not directory.is_dir():
                raise LedgerError(f"--ledger {extra!r} is not a directory; pass a directory of .toml entries, or none")
        paths = [path for directory in directories for path in sorted(directory.glob("*.toml"))]
        return cls(_unique(read_entry(path) for path in paths))

    def explain(self, claim: str, observed: str, facts: Mapping[str, Any], release: str, device: str) -> Entry | None:
        """The entry that knows this failure, if there is one."""
        for entry in self.entries:
            if entry.explains(claim, observed, facts, release, device):
                return entry
        return None

    def frozen(self, module: str) -> list[Entry]:
        """The entries of a module that carry a case, to be replayed first."""
        return [entry for entry in self.entries if entry.case is not None and entry.case.module == module]


def _unique(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.id in found:
            raise LedgerError(f"two ledger entries are called {entry.id!r}; ids must be unique")
        found[entry.id] = entry
    return tuple(found.values())
