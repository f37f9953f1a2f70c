"""The ledger: the known discrepancies, one small TOML file each."""

from conformance.ledger.entry import Entry, LedgerError
from conformance.ledger.ledger import Ledger

__all__ = ["Entry", "Ledger", "LedgerError"]
