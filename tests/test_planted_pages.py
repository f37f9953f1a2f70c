"""Every claim of an installed page catches a careless edit of that page; every statement of the article, a fault."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from conformance.oracle.claims import Claim, claims_of
from conformance.oracle.registry import builtin
from conformance.targets import Target
from tests.planted.edits import edits
from tests.planted.faults import fault_for
from tests.planted.search import found_with
from tests.test_planted_faults import CLAIMS

# What torch itself refutes is seen to be able to fail.
REFUTED = {
    "rnn.article.60.hx", "rnn.article.63.h_n", "lstm.article.113.output", "gru.article.137.h_0", "gru.article.137.h_n",
}  # fmt: skip

EVERY = [pytest.param(contract, claim, id=claim.id) for contract in builtin() for claim in claims_of(contract)]
OF_PAGES = [p for p in EVERY if p.values[1].scenario == "documentation"]
HELD = [p for p in EVERY if p.values[1].authority == "article" and p.id not in REFUTED]


def test_no_claim_is_without_a_fault():
    assert sorted(p.id for p in EVERY) == sorted([*(p.id for p in (*CLAIMS, *OF_PAGES, *HELD)), *REFUTED])


@cache
def page_of(contract: str, target: Target) -> dict[str, Any]:
    return target.ask("describe", contract)


@pytest.mark.parametrize(("contract", "claim"), OF_PAGES)
def test_the_claim_catches_a_careless_edit_of_its_page(contract, claim: Claim, shared_target: Target):
    formulas = {other.id: other.formula for other in claims_of(contract)}
    together = set()
    for edit in edits(claim, contract, page_of(contract.module, shared_target)):
        broken = found_with(edit, contract, claim, shared_target)
        if broken == {claim.id}:
            return
        if claim.id in broken:
            together.add(frozenset(formulas[other] for other in broken))
    # No edit breaks it alone where one sentence speaks for several claims; then they all state its formula.
    assert claim.formula is not None
    assert {claim.formula} in together


@pytest.mark.parametrize(("contract", "claim"), HELD)
def test_a_statement_that_holds_is_refuted_by_its_planted_fault(contract, claim: Claim, shared_target: Target):
    assert claim.id in found_with(fault_for(claim, contract), contract, claim, shared_target)


@pytest.mark.parametrize("contract", [c for c in builtin() if c.article], ids=lambda c: c.prefix)
def test_torch_itself_refutes_these_statements_and_no_other(contract, shared_target: Target):
    statements = [claim for claim in claims_of(contract) if claim.authority == "article"]
    refuted = {c.id for c in statements if c.id in found_with("restore()", contract, c, shared_target)}
    assert refuted == {c.id for c in statements if c.id in REFUTED}
