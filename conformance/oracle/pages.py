"""What a page states, compared with a contract. SymPy is imported when something is compared, not before."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

from conformance.oracle.contract import REQUIRED, Contract, Formula, Layout, Port
from conformance.oracle.docstrings import Stated
from conformance.oracle.expression import expression

_VALUES: Mapping[str, bool | None] = {"True": True, "False": False, "None": None}


class Axis(NamedTuple):
    """One axis, or with ``star`` any number of them; a bare ``*`` of the page has no formula."""

    star: bool
    formula: ast.expr | None


class Alternative(NamedTuple):
    """One of the shapes that a port has in a layout, and the conditions under which it is the one."""

    conditions: tuple[ast.expr, ...]
    axes: tuple[Axis, ...]

    @property
    def rank(self) -> tuple[int, int]:
        return _rank(self.axes)


def _rank(axes: Sequence[Axis]) -> tuple[int, int]:
    stars = sum(axis.star for axis in axes)
    return len(axes) - stars, stars


# -- inputs and outputs ------------------------------------------------------------------------------------------------


def compare_port(contract: Contract, port: Port, layout: Layout, stated: Sequence[Stated]) -> list[str] | None:
    """None where the page gives this port exactly the oracle's shapes in this layout, else what it gives instead.

    A sentence that names the layout ("for unbatched input", "when ``batch_first=True``") speaks of it; one that names
    none speaks of the layouts in which the port has as many axes.
    """
    oracle = alternatives(contract, port, layout)
    spoken = [said for said in stated if speaks(contract, said, layout) is not False]
    explicit = [said for said in spoken if speaks(contract, said, layout)]
    of_rank = [said for said in explicit or spoken if not said.problem and _fits_rank(contract, said, oracle)]
    ranks = {alternative.rank for other in contract.layouts for alternative in _of(contract, port, other)}
    unknown = [said for said in spoken if not said.problem and _rank(_axes(said)) not in ranks]
    cases = {said.conditions for said in explicit or spoken if said.conditions}
    missing = any(_missing(contract, case, of_rank, oracle) for case in (None, *cases))
    wrong = [said for said in of_rank if not any(_matches(contract, said, one) for one in oracle)]
    if (explicit or spoken) and not missing and not wrong and not unknown:
        return None
    return [said.text for said in dict.fromkeys((*wrong, *unknown) or (explicit or stated))]


def _missing(
    contract: Contract, case: tuple[str, ...] | None, stated: Sequence[Stated], oracle: Sequence[Alternative]
) -> bool:
    """Whether a shape of the oracle is left out: altogether, or under conditions that the page distinguishes."""
    speaking = stated if case is None else [said for said in stated if said.conditions in ((), case)]
    expected = [one for one in oracle if not _excluded(contract, case or (), one)]
    return not all(any(_matches(contract, said, one) for said in speaking) for one in expected)


def _of(contract: Contract, port: Port, layout: Layout) -> list[Alternative]:
    return alternatives(contract, port, layout) if layout.name in port.by_layout and not layout.packed else []


def alternatives(contract: Contract, port: Port, layout: Layout) -> list[Alternative]:
    """The shapes of a port in a layout: one, unless a starred symbol is a choice between several."""
    found = [Alternative((), ())]
    for star, part in contract.shape_of(port, layout.name).parts:
        choices = list(_choices(_expand(contract, part.tree.body), ())) if star else []
        ends = choices or [Alternative((), (Axis(False, part.tree.body),))]
        found = [Alternative((*a.conditions, *b.conditions), (*a.axes, *b.axes)) for a in found for b in ends]
    return found


def _choices(node: ast.expr, conditions: tuple[ast.expr, ...]) -> Iterator[Alternative]:
    match node:
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield from _choices(body, (*conditions, test))
            yield from _choices(orelse, (*conditions, ast.UnaryOp(ast.Not(), test)))
        case ast.Tuple(elts=elements):
            yield Alternative(conditions, tuple(map(_element, elements)))
        case _:
            yield Alternative(conditions, (Axis(True, node),))


def _element(node: ast.expr) -> Axis:
    return Axis(True, node.value) if isinstance(node, ast.Starred) else Axis(False, node)


def speaks(contract: Contract, said: Stated, layout: Layout) -> bool | None:
    """Whether a statement is about this layout; None where it names none."""
    clause = said.clause.lower()
    named = [other.name for other in contract.layouts if other.words and other.words in clause]
    if named and layout.name not in named:
        return False
    holds = _decide(layout.when, _settings(contract, said.conditions)) if layout.when != "True" else None
    return False if holds is False else holds or (True if named else None)


def _settings(contract: Contract, conditions: Sequence[str]) -> dict[str, Any]:
    """The options whose values conditions give: ``not batch_first`` is ``{"batch_first": False}``.

    Where only a value is excluded, the default stands for the others.
    """
    defaults = {a.name: a.default for a in (*contract.arguments, *contract.options) if a.default is not REQUIRED}
    found: dict[str, Any] = {}
    for condition in conditions:
        name, relation, value = (*condition.split(" ", 2), "", "")[:3]
        if name == "not":
            found[relation] = False
        elif not relation:
            found[name] = True
        elif relation == "==":
            found[name] = _value(value)
        elif relation == "!=" and name in defaults and defaults[name] != _value(value):
            found[name] = defaults[name]
    return found


def _value(text: str) -> Any:
    return _VALUES.get(text, int(text) if text.isdecimal() else text.strip("'"))


def _decide(condition: str, env: Mapping[str, Any]) -> bool | None:
    """Whether a condition of the contract holds with these values; None where they do not say."""
    try:
        return bool(expression(condition)(env))
    except (NameError, TypeError):
        return None


def _fits_rank(contract: Contract, said: Stated, oracle: Sequence[Alternative]) -> bool:
    rank = _rank(_axes(said))
    return any(one.rank == rank and not _excluded(contract, said.conditions, one) for one in oracle)


def _excluded(contract: Contract, conditions: Sequence[str], one: Alternative) -> bool:
    """Whether what is said of options rules this alternative out; what is left unsaid is the default."""
    settings = _settings(contract, conditions)
    if not settings:
        return False
    defaults = {a.name: a.default for a in (*contract.arguments, *contract.options) if a.default is not REQUIRED}
    return any(_decide(ast.unparse(test), {**defaults, **settings}) is False for test in one.conditions)


def _axes(said: Stated) -> tuple[Axis, ...]:
    """The axes of a statement; it was read by a grammar of ours, so parsing it once more is safe."""
    return tuple(
        Axis(part.startswith("*"), _parsed(part.removeprefix("*")) if part != "*" else None) for part in said.parts
    )


def _matches(contract: Contract, said: Stated, one: Alternative) -> bool:
    axes = _axes(said)
    if len(axes) != len(one.axes) or _excluded(contract, said.conditions, one):
        return False
    return all(_same_axis(contract, left, right) for left, right in zip(axes, one.axes, strict=True))


def _same_axis(contract: Contract, page: Axis, oracle: Axis) -> bool:
    if page.star != oracle.star:
        return False
    if page.formula is None or oracle.formula is None:
        return True  # a bare star: any number of dimensions, whatever the oracle calls them
    if page.star:
        return ast.unparse(_expand(contract, page.formula)) == ast.unparse(_expand(contract, oracle.formula))
    return _same(contract, _sympy(contract, page.formula), _sympy(contract, oracle.formula))


def joined(said: Stated, theirs: Stated) -> Stated:
    """``said`` to have the shape that ``theirs`` gives: what both say of layouts and options holds."""
    clause = f"{said.clause} {theirs.clause}"
    return replace(said, parts=theirs.parts, problem=theirs.problem, clause=clause, like="",
                   conditions=(*said.conditions, *theirs.conditions))  # fmt: skip


# -- parameters and formulas -------------------------------------------------------------------------------------------


def compare(contract: Contract, stated: Sequence[Stated], oracle: ast.expr, given: str) -> bool:
    """Whether what the page states, its conditions taken together, is the oracle's formula wherever ``given`` holds.

    Two statements under the same conditions must both be: a page that contradicts itself is not the oracle.
    """
    readable = [said for said in stated if not said.problem]
    assumed = _truth(contract, _parsed(given))
    return bool(readable) and all(
        _agrees(contract, [o for o in readable if o.conditions != said.conditions or o is said], oracle, assumed)
        for said in readable
    )


def _agrees(contract: Contract, stated: Sequence[Stated], oracle: ast.expr, given: Any) -> bool:
    expected = _tuple(_expand(contract, oracle))
    if any(len(said.parts) != len(expected) or any(part[0] == "*" for part in said.parts) for said in stated):
        return False
    return all(
        _same(contract, _combined(contract, stated, axis), _sympy(contract, formula), given)
        for axis, formula in enumerate(expected)
    )


def _tuple(node: ast.expr) -> list[ast.expr]:
    """The axes of ``(a, b) if c else (a, d)``, the choice taken into each."""
    match node:
        case ast.Tuple(elts=elements):
            return elements
        case ast.IfExp(test=test, body=body, orelse=orelse):
            pairs = zip(_tuple(body), _tuple(orelse), strict=True)
            return [ast.IfExp(test, left, right) for left, right in pairs]
        case _:
            return [node]


def _combined(contract: Contract, stated: Sequence[Stated], axis: int) -> Any:
    """One formula: what is said without a condition, unless a condition that is said holds; the last one wins."""
    import sympy

    from conformance.oracle.symbolic import Choice

    value: Any = sympy.Symbol("what the page does not state")
    for said in sorted(stated, key=lambda said: bool(said.conditions)):
        formula = _sympy(contract, _parsed(said.parts[axis]))
        tests = [_truth(contract, _parsed(condition)) for condition in said.conditions]
        if formula is None:
            return None
        value = Choice(sympy.And(*tests), formula, value)
    return value


def as_written(contract: Contract, formula: Formula) -> tuple[Contract, ast.expr]:
    """The oracle's formula in the page's symbols; the contract without the clauses that the page has symbols for."""
    called = {other.clause: other.symbol or other.clause for other in contract.formulas}
    where = {name: clause for name, clause in _where(contract).items() if name not in {*called, *called.values()}}
    renamed = {clause: symbol for clause, symbol in called.items() if clause != symbol}
    oracle = _expand(contract, _parsed(_where(contract)[formula.clause]), {**where, **renamed})
    return replace(contract, where=where), oracle


def names(node: ast.expr) -> set[str]:
    """The symbols of a formula."""
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


# -- symbols -----------------------------------------------------------------------------------------------------------


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _where(contract: Contract) -> dict[str, str]:
    """The clauses of this release: :meth:`Contract.at` has chosen."""
    return {name: cast(str, clause) for name, clause in contract.where.items()}


def _expand(contract: Contract, node: ast.expr, where: Mapping[str, str] | None = None) -> ast.expr:
    from conformance.oracle.symbolic import expanded

    return expanded(node, _where(contract) if where is None else where)


def _sympy(contract: Contract, node: ast.expr) -> Any:
    """The formula in the arguments' symbols, or None where it makes no sense (``True + 1``)."""
    from conformance.oracle.symbolic import comparable

    try:
        return _whole_quotients(contract, comparable(_expand(contract, node)))
    except (TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
        return None


def _truth(contract: Contract, node: ast.expr) -> Any:
    from conformance.oracle.symbolic import truth

    return truth(_expand(contract, node))


def _same(contract: Contract, page: Any, oracle: Any, given: Any = None) -> bool:
    from conformance.oracle.symbolic import same

    if page is None:
        return False
    return same(page, oracle) if given is None else same(page, oracle, given)


def _whole_quotients(contract: Contract, formula: Any) -> Any:
    """Where the page asks that ``in_channels % groups == 0``, their quotient is whole: ``a / b`` is ``a // b``."""
    from conformance.oracle.symbolic import symbol

    for argument in contract.arguments:
        for node in ast.walk(_parsed(argument.where)):
            match node:
                case ast.Compare(
                    left=ast.BinOp(left=ast.Name(id=above), op=ast.Mod(), right=ast.Name(id=below)),
                    ops=[ast.Eq()],
                    comparators=[ast.Constant(value=0)],
                ):
                    formula = formula.subs(symbol(above), symbol(below) * symbol(f"{above}/{below}"))
    return formula
