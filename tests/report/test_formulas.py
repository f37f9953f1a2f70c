"""Formulas are shown as MathML, or as text where that cannot be had."""

from __future__ import annotations

import pytest

from conformance.oracle.claims import claims_of
from conformance.oracle.registry import contracts
from conformance.report.mathml import formula


def test_every_formula_of_every_contract_is_mathml():
    texts = {claim.formula for contract in contracts() for claim in claims_of(contract) if claim.formula}
    texts |= {said for contract in contracts() for said in contract.where.values() if isinstance(said, str)}
    assert not [text for text in sorted(texts) if not formula(text).startswith("<math")]


@pytest.mark.parametrize("text", ["9**9**9**9", "(", "", "<script>", "a" * 1000, "lambda: 1", "1/0/0", "x.y"])
def test_what_is_no_formula_is_shown_as_escaped_text(text: str):
    shown = formula(text)
    assert "<script>" not in shown
    assert shown.startswith(("<code>", "<math"))


def test_a_name_of_two_words_stays_one_name():
    assert "<mi>hidden_size</mi>" in formula("(4 * hidden_size, H_out)")
    assert "<msub><mi>H</mi><mi>out</mi></msub>" in formula("(4 * hidden_size, H_out)")


def test_a_choice_reads_as_a_sentence():
    assert "if proj_size &gt; 0, otherwise" in formula("proj_size if proj_size > 0 else hidden_size")
