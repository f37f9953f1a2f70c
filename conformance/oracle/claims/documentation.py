"""Documentation drift: what the installed page writes, held against the oracle."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.oracle.claims.claim import Claim
from conformance.oracle.contract import Contract


def claims(contract: Contract) -> Iterator[Claim]:
    """The claims about the page itself."""
    yield from ()
