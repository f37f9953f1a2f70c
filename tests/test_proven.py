"""The package says of every claim which fault it catches, and says what the tests really plant."""

from __future__ import annotations

from conformance.oracle.claims import claims_of
from conformance.oracle.proven import TABLE, faults
from conformance.oracle.registry import builtin
from tests.planted.proven import table, written
from tests.test_planted_pages import REFUTED


def test_the_table_is_what_the_tests_plant():
    again = "run `python -m tests.planted.proven` and look at the difference"
    assert TABLE.read_text(encoding="utf-8") == written(table(REFUTED)), again


def test_every_claim_has_its_proof():
    assert {claim.id for contract in builtin() for claim in claims_of(contract)} == faults().keys()
