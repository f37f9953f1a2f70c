"""The pages of torch.nn as formulas: parsed as they are meant, compared as formulas, and never trusted."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.oracle import latex
from conformance.oracle.claims import Failure
from conformance.oracle.claims.documentation import Page, unparsed
from conformance.oracle.contract import REQUIRED
from conformance.oracle.docstrings import parse, signature
from tests.test_written_pages import CLAIMS, CONTRACTS, RELEASE, claims, faultless


def page(prefix: str, doc: str, forward: str = "", shown=(), release: str = RELEASE) -> Page:
    return Page(CONTRACTS[prefix].at(release), doc, forward, list(shown), release)


def judged(name: str, made: Page):
    return next(claim for claim in CLAIMS if claim.id == name).check(made)


# -- excerpts in the style of the pages --------------------------------------------------------------------------------

RECURRENT = r"""__init__(input_size,hidden_size,num_layers=1,bias=True,batch_first=False,dropout=0.0,bidirectional=False,device=None,dtype=None)

Inputs: input, h_0
    * **input**: tensor of shape :math:`(L, H_{in})` for unbatched input,
      :math:`(L, N, H_{in})` when ``batch_first=False`` or
      :math:`(N, L, H_{in})` when ``batch_first=True`` with the features, e.g. `(x_t)`.
    * **h_0**: tensor of shape :math:`(D * \text{num\_layers}, H_{out})` or
      :math:`(D * \text{num\_layers}, N, H_{out})` with the initial state.

    where:

    .. math::
        \begin{aligned}
            N ={} & \text{batch size} \\
            D ={} & 2 \text{ if bidirectional=True otherwise } 1 \\
            H_{in} ={} & \text{input\_size} \\
            H_{out} ={} & \text{hidden\_size}
        \end{aligned}

Attributes:
    weight_ih_l[k] : the learnable weights of the :math:`\text{k}^{th}` layer
        (W_ir|W_iz), of shape `(3*hidden_size, input_size)` for `k = 0`.
        Otherwise, the shape is `(3*hidden_size, num_directions * hidden_size)`
    bias_ih_l[k] : of shape `(3*hidden_size)`
"""


def test_a_layout_is_told_by_its_words_by_an_option_or_by_its_rank():
    for layout in ("unbatched", "time_first", "batch_first"):
        for port in ("input", "h_0"):
            assert judged(f"gru.documentation.{port}.{layout}", page("gru", RECURRENT)) is True


def test_two_symbols_swapped_in_one_layout_break_that_layout_alone():
    made = page("gru", RECURRENT.replace("(N, L, H_{in})", "(L, N, H_{in})"))
    assert judged("gru.documentation.input.time_first", made) is True
    found = judged("gru.documentation.input.batch_first", made)
    assert found.expected == "input (N, L, H_in) in batch_first"
    assert found.observed == "input (L, N, H_in) where batch_first"


def test_swapped_options_break_both_layouts():
    swapped = RECURRENT.replace("=False`` or", "=? or").replace("=True`` with", "=False`` with").replace("?", "True``")
    made = page("gru", swapped)
    assert isinstance(judged("gru.documentation.input.time_first", made), Failure)
    assert isinstance(judged("gru.documentation.input.batch_first", made), Failure)


def test_a_shape_of_a_rank_that_no_layout_has_is_not_passed_over():
    made = page("gru", RECURRENT.replace("with the initial state", r"or :math:`(N, D, L, H_{out})`"))
    assert "(N, D, L, H_out)" in judged("gru.documentation.h_0.unbatched", made).observed


def test_a_parameter_is_compared_as_a_formula_and_case_by_case():
    assert judged("gru.documentation.weight_ih", page("gru", RECURRENT)) is True
    for wrong in (("`k = 0`", "`k = 1`"), ("num_directions * ", ""), ("Otherwise", "For `k = 2`"), ("3*h", "4*h")):
        assert isinstance(judged("gru.documentation.weight_ih", page("gru", RECURRENT.replace(*wrong))), Failure), wrong


def test_a_dropped_section_is_a_failure_and_not_a_gap():
    made = page("gru", RECURRENT.partition("Attributes:")[0])
    found = judged("gru.documentation.bias_ih", made)
    assert found.observed == "nothing on the page"


def test_a_definition_that_changed_is_seen():
    assert judged("gru.documentation.D", page("gru", RECURRENT)) is True
    turned = RECURRENT.replace("bidirectional=True otherwise", "bidirectional=False otherwise")
    assert isinstance(judged("gru.documentation.D", page("gru", turned)), Failure)


def test_a_page_that_contradicts_itself_is_a_failure():
    twice = RECURRENT.replace(r"\text{hidden\_size}", r"\text{hidden\_size} \\ H_{out} ={} & \text{input\_size}")
    assert isinstance(judged("gru.documentation.H_out", page("gru", twice)), Failure)


def test_what_is_analogous_to_another_parameter_has_its_shape():
    doc = """Attributes:
    bias_ih_l[k]: of shape `(4*hidden_size)`
    bias_ih_l[k]_reverse: Analogous to `bias_ih_l[k]` for the other direction.
"""
    assert judged("lstm.documentation.bias_ih_reverse", page("lstm", doc)) is True
    assert isinstance(judged("lstm.documentation.bias_ih_reverse", page("lstm", doc.replace("4", "3"))), Failure)


def test_the_same_shape_as_the_input_is_what_the_page_says_of_the_input():
    doc = "Shape:\n    - Input: :math:`(N, C)` or :math:`(N, C, L)`\n    - Output: (same shape as input)\n"
    assert judged("batchnorm1d.documentation.output.with_length", page("batchnorm1d", doc)) is True
    wrong = doc.replace("(N, C, L)", "(N, L, C)")
    assert isinstance(judged("batchnorm1d.documentation.output.with_length", page("batchnorm1d", wrong)), Failure)


def test_a_rounding_that_changed_its_direction_is_seen():
    doc = r"""Shape:
    - Output: :math:`(N, C, L_{out})`,

      where ``ceil_mode = False``

      .. math::
          L_{out} = \left\lfloor \frac{L_{in} + 2 \times \text{padding} - \text{dilation}
              \times (\text{kernel\_size} - 1) - 1}{\text{stride}}\right\rfloor + 1

    - Then make :math:`L_{out} = L_{out} - 1` when :math:`(L_{out} - 1) * \text{stride} >= L_{in} + \text{padding}`.
"""
    names = ("maxpool1d.documentation.L_out.floor", "maxpool1d.documentation.L_out.last_window")
    assert [judged(name, page("maxpool1d", doc)) for name in names] == [True, True]
    for wrong in (("floor", "ceil"), ("False", "True"), ("- 1}", "+ 1}")):
        assert isinstance(judged(names[0], page("maxpool1d", doc.replace(*wrong))), Failure), wrong
    assert isinstance(judged(names[1], page("maxpool1d", doc.replace(">=", ">"))), Failure)
    assert isinstance(judged("maxpool1d.documentation.L_out.ceil", page("maxpool1d", doc)), Failure)


def test_a_quotient_that_the_page_asks_to_be_whole_may_be_written_as_a_fraction():
    doc = r"""Attributes:
    weight (Tensor): of shape
        :math:`(\text{out\_channels}, \frac{\text{in\_channels}}{\text{groups}},`
        :math:`\text{kernel\_size[0]}, \text{kernel\_size[1]})`. Sampled.
"""
    assert judged("conv2d.documentation.weight", page("conv2d", doc)) is True
    assert isinstance(judged("conv2d.documentation.weight", page("conv2d", doc.replace("[1]", "[0]"))), Failure)


def test_dots_between_sizes_stand_for_any_number_of_them():
    assert latex.sizes("(N, C, d_1, d_2, ..., d_K)") == ("N", "C", "*d")
    assert latex.sizes(r"(*, S_{\text{start}},..., S_{i}, ..., S_{\text{end}}, *)") == ("*S",)
    with pytest.raises(latex.Unreadable):
        latex.sizes("(N, d_1, d_3, ..., d_K)")
    with pytest.raises(latex.Unreadable):
        latex.sizes("(N, d_1, ..., d_2, d_K)")


def test_a_release_whose_page_is_known_to_be_silent_does_not_exercise_the_claim():
    silent = page("gru", RECURRENT.partition("\n")[2], shown=[["args", "VAR_POSITIONAL", None]], release="2.0.1")
    assert judged("gru.signature", silent) is False
    later = page("gru", silent.doc, shown=silent.signature)
    assert isinstance(judged("gru.signature", later), Failure)


SCALAR_OR_NOT = """Shape:
    - Output: If reduction is 'none', shape :math:`()`, :math:`(N)` or :math:`(N, d_1, ..., d_K)`. Otherwise, scalar.
"""


def test_otherwise_is_the_other_value_of_the_option_before():
    name = "crossentropyloss.documentation.loss.{}_indices"
    made = page("crossentropyloss", SCALAR_OR_NOT)
    for layout in ("unbatched", "batched", "k_dimensional"):
        assert judged(name.format(layout), made) is True
    for wrong, layout in (
        (":math:`()`, ", "unbatched"),
        ("scalar", "batched"),
        ("(N)", "batched"),
        ("'none'", "batched"),
    ):
        made = page("crossentropyloss", SCALAR_OR_NOT.replace(wrong, {"'none'": "'mean'"}.get(wrong, "")))
        assert isinstance(judged(name.format(layout), made), Failure), wrong


# -- signatures --------------------------------------------------------------------------------------------------------


def test_a_signature_is_names_in_order_with_their_defaults():
    assert judged("gru.signature", page("gru", RECURRENT)) is True
    for wrong in (("num_layers=1", "num_layers=2"), ("bias=True,", ""), ("bias=True", "bias"), ("hidden", "hiden"),
                  ("device=None,dtype=None", "dtype=None,device=None"), ("dropout=0.0", "*,dropout=0.0")):  # fmt: skip
        found = judged("gru.signature", page("gru", RECURRENT.replace(*wrong, 1)))
        assert isinstance(found, Failure), wrong


def test_where_the_page_has_no_line_of_arguments_python_shows_them():
    shown = [["start_dim", "POSITIONAL_OR_KEYWORD", "1"], ["end_dim", "POSITIONAL_OR_KEYWORD", "-1"]]
    assert judged("flatten.signature", page("flatten", "Flattens.", shown=shown)) is True
    shown[1][1] = "KEYWORD_ONLY"
    assert isinstance(judged("flatten.signature", page("flatten", "Flattens.", shown=shown)), Failure)


def test_arguments_behind_a_private_one_have_no_documented_place():
    kind = "POSITIONAL_OR_KEYWORD"
    arguments = CONTRACTS["embedding"].arguments
    names = [[a.name, kind, None if a.default is REQUIRED else repr(a.default)] for a in arguments]
    assert isinstance(judged("embedding.signature", page("embedding", "", shown=names)), Failure)
    names.insert(-2, ["_weight", kind, "None"])
    assert judged("embedding.signature", page("embedding", "", shown=names)) is True


# -- text that is not trusted ------------------------------------------------------------------------------------------

FRAGMENTS = [
    "Shape:\n", "Inputs: input, hx\n", "Attributes:\n", "Args:\n", "    - Input: ", "    * **output**: ", ":math:`",
    "`", "(", ")", "(N, C, L_{in})", "{", "}", r"\frac{", r"\text{", r"\left\lfloor ", r"\right\rfloor", ", ", "...",
    r"\prod_{i=a}^{b} S_{i}", "*", "_", "=", " if ", " otherwise ", "of shape ", ".. math::\n", "\n", "\n          ",
    "L_{out} = ", "lambda", "__import__('os')", "99999999**99999999", "\\\\", "\x00", "\x01", "\x02", "é", "1/0",
    "``batch_first=False``", "d_1, ..., d_K", "__init__(", "[", "]", "Analogous to `weight`", "same shape as input",
    "scalar", "weight_ih_l[k]: ", ">= 0", "True + 1",
]  # fmt: skip
PAGES = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join))


@settings(max_examples=400, deadline=None)
@given(PAGES, PAGES)
@example("Shape:\n    - Input: :math:`(" + "(" * 5000, "")
@example("Shape:\n    - Input: :math:`(\\text{lambda}, \\frac{1}{0}, \\text{True} + 1)`", "")
def test_no_text_whatever_makes_the_parser_raise(doc, forward):
    parse(doc, forward)
    signature(doc, [])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(CONTRACTS)), PAGES, PAGES)
def test_no_text_whatever_makes_a_claim_raise(prefix, doc, forward):
    made = page(prefix, f"{doc}\n{faultless(prefix).doc[:300]}{doc}", forward)
    for claim in claims(CONTRACTS[prefix]):
        assert isinstance(claim.check(made), (bool, Failure))
    unparsed(made)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id')",
        "().__class__",
        "[x for x in y]",
        "9**9**9",
        "a := 1",
        "open(x)",
        "f'{a}'",
        "a.b",
    ],
)
def test_what_is_not_in_the_grammar_is_reported_and_never_evaluated(text):
    with pytest.raises(latex.Unreadable):
        latex.formula(text)
    made = page("flatten", f"Shape:\n    - Input: :math:`({text}, N)`\n")
    assert any(text in line for line in unparsed(made))
    assert isinstance(judged("flatten.documentation.input.any_rank", made), Failure)


@pytest.mark.parametrize(
    "bomb",
    [
        r" \times ".join(f"(a{i} + b{i})" for i in range(11)),
        " + ".join(rf"\frac{{a{i}}}{{b{i} + L_{{in}}}}" for i in range(9)),
        " ".join(rf"a{i} \text{{ if }} b{i} > c{i} \text{{ otherwise }}" for i in range(9)) + " d",
        r"\left\lfloor " * 11 + "a" + r"\right\rfloor" * 11,
        "9" * 500, "-" * 90 + "1", "a_" * 250, r"\text{" * 90,
    ],
    ids=range(8),
)  # fmt: skip
def test_a_formula_made_to_take_for_ever_is_done_with_soon(bomb):
    made = page(
        "maxpool1d",
        rf"""Shape:
    - Input: :math:`(N, C, {bomb})`

      .. math::
          L_{{out}} = {bomb}
""",
    )
    judged("maxpool1d.documentation.input.batched", made)  # SymPy is imported here, whose time is its own
    started = time.perf_counter()
    for claim in claims(CONTRACTS["maxpool1d"]):
        assert claim.check(made) is not True or claim.id.endswith("signature")
    assert time.perf_counter() - started < 5


def test_loading_the_claims_does_not_import_sympy():
    code = (
        "import sys; from conformance.oracle.claims import claims_of; from conformance.oracle.registry import builtin\n"
        "[claims_of(contract) for contract in builtin()]; sys.exit('sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
