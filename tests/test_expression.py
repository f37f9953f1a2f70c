"""Formulas: two readings that agree, a notation that lets nothing else through, shapes that are read back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest
import sympy
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from conformance.oracle.contract import Contract
from conformance.oracle.expression import FUNCTIONS, Expression, FormulaError, Shape, expression, pair, shape
from conformance.oracle.registry import builtin
from conformance.strategies.random import cases

# -- the SymPy reading, evaluated --------------------------------------------------------------------------------------


def coded(value: Any) -> Any:
    """A value as a number that SymPy can compare: what is equal has the same number, words have numbers of their own."""
    if isinstance(value, str):
        return sympy.Integer(-2_000_003 - int.from_bytes(value.encode(), "big"))
    if isinstance(value, float):
        return sympy.Rational(str(value))
    return sympy.Integer(-1_000_003 if value is None else int(value))


def meant(name: str, env: dict[str, Any]) -> Any:
    """What a symbol of the SymPy reading stands for: its name is itself a piece of the formula."""
    text = ast.parse(name, mode="eval").body
    if isinstance(text, ast.Subscript) and isinstance(value := expression(ast.unparse(text.value))(env), int):
        return pair(value)[0]  # the page's ``stride[0]`` where a single int stands for both
    return expression(name)(env)


def spells_a_truth(node: Any) -> bool:
    return isinstance(node, sympy.Eq | sympy.Ne) and {sympy.true, sympy.false} & set(node.args)


def counted(relation: Any) -> Any:
    """``reduce is not False`` where False is the number 0, as in Python."""
    return relation.func(
        *(sympy.Integer(a == sympy.true) if a in (sympy.true, sympy.false) else a for a in relation.args)
    )


def symbolic(formula: Any, env: dict[str, Any]) -> Any:
    """The value of the SymPy reading of a formula."""
    values = {s: meant(s.name, env) for s in formula.free_symbols}
    tuples = {s: v for s, v in values.items() if isinstance(v, tuple)}
    numbers = {s: coded(v) for s, v in values.items() if s not in tuples}
    found = formula.replace(spells_a_truth, counted).subs(numbers, simultaneous=True)
    return tuples.get(found, found)


def negative(value: Any) -> bool:
    """SymPy's symbols are sizes; of an option such as ``start_dim`` the symbolic reading tells nothing below zero."""
    return isinstance(value, int) and value < 0


def agree(text: str, env: dict[str, Any]) -> bool:
    formula = expression(text)
    compiled, read = formula(env), symbolic(formula.sympy, env)
    if isinstance(compiled, tuple):
        return bool(compiled == read)
    if isinstance(formula.tree.body, ast.Compare | ast.BoolOp) or read in (sympy.true, sympy.false):
        return bool(compiled) == (bool(read) if read in (sympy.true, sympy.false) else read != 0)
    return bool(coded(compiled) == read)


# -- every formula of every contract -----------------------------------------------------------------------------------


def formulas(contract: Contract, layout: str) -> Iterator[str]:
    """The texts of a contract that a case of this layout gives every symbol of."""
    yield from (contract.where[name] for name in contract.where if isinstance(contract.where[name], str))
    yield from (text for name in contract.where if not isinstance(contract.where[name], str)
                for text in contract.where[name].values())  # fmt: skip
    yield contract.layout(layout).when
    yield from contract.layout(layout).binds.values()
    yield from (argument.where for argument in contract.arguments)
    yield from (size.where for size in contract.sizes.values())
    for port in (*contract.inputs, *contract.outputs):
        yield from (part.text for star, part in shape(port.by_layout.get(layout, "()")).parts if not star)
        yield port.when
    for parameter in contract.parameters:
        yield from filter(None, (parameter.when, parameter.each, parameter.shape))


@pytest.mark.parametrize("contract", builtin(), ids=lambda contract: contract.prefix)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_compiled_and_the_symbolic_reading_of_every_formula_agree(contract: Contract, data):
    layout = data.draw(st.sampled_from(contract.layout_names))
    case = data.draw(cases(contract, layout))
    env = contract.environment({**case.arguments, **case.options}, case.sizes, layout)
    env["k"] = data.draw(st.integers(0, 1))
    read = 0
    for text in formulas(contract, layout):
        if expression(text).names <= env.keys() and not any(negative(env[name]) for name in expression(text).names):
            assert agree(text, env), f"{text} where {env}"
            read += 1
    assert read


def trees(kind: str) -> st.SearchStrategy[str]:
    """Formulas over a, b, c: numbers, and conditions (``a or b`` is a condition in the notation, never a number)."""
    leaves = st.sampled_from("abc") | st.integers(0, 4).map(str)
    numbers = st.deferred(lambda: leaves | numeric)
    truths = st.deferred(lambda: st.builds("({} {} {})".format, numbers, st.sampled_from(RELATIONS), numbers) | joined)
    numeric = (
        st.builds("({} {} {})".format, numbers, st.sampled_from(["+", "-", "*", "//", "%"]), numbers)
        | st.builds("(-{})".format, numbers)
        | st.builds("(+{})".format, numbers)
        | st.builds("{}({} / 2)".format, st.sampled_from(["floor", "ceil"]), numbers)
        | st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), numbers, numbers)
        | st.builds("({} if {} else {})".format, numbers, truths, numbers)
    )
    joined = (
        st.builds("({} {} {})".format, truths, st.sampled_from(["and", "or"]), truths)
        | st.builds("(not {})".format, truths)
        | st.builds("({} in ({}, {}))".format, numbers, numbers, numbers)
        | st.builds("({} <= {} < {})".format, numbers, numbers, numbers)
    )
    return numbers if kind == "number" else truths


RELATIONS = ["==", "!=", "<", "<=", ">", ">="]


@settings(max_examples=150, deadline=None)
@given(trees("number") | trees("truth"), st.fixed_dictionaries(dict.fromkeys("abc", st.integers(0, 9))))
@example("(+a)", {"a": 3, "b": 0, "c": 0})
def test_the_readings_agree_on_any_formula_of_the_notation(text: str, env: dict[str, int]):
    try:
        expression(text)(env)
    except ZeroDivisionError:
        assume(False)
    try:
        agreed = agree(text, env)
    except (ZeroDivisionError, TypeError):
        assume(False)  # a constant division by zero in a branch that is not taken: SymPy computes it at once
    assert agreed


# -- what is not in the notation ---------------------------------------------------------------------------------------

REFUSED = (
    "__import__('os').system('true')", "().__class__.__bases__", "a.b", "open('x')", "eval('1')", "print(1)",
    "(lambda: 1)()", "lambda: 1", "[a for a in b]", "{a}", "{a: 1}", "[a, b]", "f'{a}'", "(a := 1)", "max(a, key=len)",
    "floor.__self__(1)", "min(a)(b)", "a; b", "import os", "await a", "yield", "a =", "", "(", "a b", "a\0b", "\ud800",
    "-" * 20_000 + "1", "(" * 500 + "a" + ")" * 500,
)  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text[:24]))
def test_what_is_not_a_formula_is_refused_with_the_text_and_the_reason(text: str):
    with pytest.raises(FormulaError, match="formula|unknown function") as refusal:
        Expression(text)
    assert repr(text)[:40].rstrip("'\"") in str(refusal.value)


def test_an_unknown_function_is_refused_with_the_list_of_known_ones():
    with pytest.raises(FormulaError, match="calls an unknown function; the notation has ceil, floor"):
        expression("exec(a)")


@given(st.text(max_size=40))
def test_any_text_is_a_formula_or_a_formula_error(text: str):
    try:
        Expression(text)
    except FormulaError:
        return


@pytest.mark.parametrize("name", ["open", "__builtins__", "__import__", "exec", "print"])
def test_no_builtin_of_python_is_within_reach_of_a_formula(name: str):
    value = FUNCTIONS.get(name)
    assert value is None
    if name != "__builtins__":
        with pytest.raises(NameError):
            expression(name)({})


@pytest.mark.parametrize("text", ["N", "(N", "N, L", "[N]", "(N,, L)", "(**N)", "(N) + (L)", "(a.b)"])
def test_what_is_not_a_shape_is_refused(text: str):
    with pytest.raises(FormulaError):
        Shape(text)


def test_a_missing_symbol_is_a_name_error():
    with pytest.raises(NameError, match="num_layers"):
        expression("2 * num_layers")({"D": 2})


# -- shapes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", builtin(), ids=lambda contract: contract.prefix)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_unify_reads_back_what_a_shape_of_the_contract_gives(contract: Contract, data):
    layout = data.draw(st.sampled_from(contract.layout_names))
    case = data.draw(cases(contract, layout))
    env = contract.environment({**case.arguments, **case.options}, case.sizes, layout)
    for port in (*contract.inputs, *contract.outputs):
        if layout in port.by_layout and port.each is None:
            text = contract.shape_of(port, layout)
            sizes = text(env)
            assert text.unify(sizes, dict(env))
            assert not text.unify((*sizes, 1, 1, 1), dict(env))
            for axis in range(len(sizes)):
                assert not text.unify((*sizes[:axis], sizes[axis] + 1, *sizes[axis + 1 :]), dict(env))


@given(st.lists(st.integers(0, 5), max_size=3), st.integers(0, 5), st.integers(0, 5))
def test_unify_binds_free_symbols_to_the_sizes_that_give_the_shape_again(star: list[int], n: int, h: int):
    text = Shape("(N, *S, H)")
    bound: dict[str, Any] = {}
    assert text.unify((n, *star, h), bound)
    assert bound == {"N": n, "S": tuple(star), "H": h}
    assert text(bound) == (n, *star, h)


@given(st.integers(0, 6), st.integers(0, 6))
def test_a_symbol_that_stands_twice_has_one_size(one: int, other: int):
    assert Shape("(N, N)").unify((one, other), {}) == (one == other)


@given(st.lists(st.integers(1, 5), max_size=6))
def test_a_shape_without_a_star_has_one_rank(sizes: list[int]):
    assert Shape("(L, N, H)").unify(tuple(sizes), {}) == (len(sizes) == 3)


def test_axes_name_the_formula_behind_each_size():
    text = Shape("(*S, D * num_layers)")
    env = {"S": (4, 5), "D": 2, "num_layers": 3}
    assert text(env) == (4, 5, 6)
    assert [part.text for part in text.axes(env)] == ["S", "S", "D * num_layers"]
