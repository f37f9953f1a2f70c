"""Formulas as SymPy: to print them, and to compare them with what the installed documentation writes."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import sympy

from conformance.oracle.expression import Shape, expression

_ARITHMETIC: dict[type[ast.operator], Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
    ast.FloorDiv: lambda a, b: sympy.floor(a / b),
    ast.Mod: sympy.Mod,
}
_RELATIONS: dict[type[ast.cmpop], Any] = {
    ast.Eq: sympy.Eq, ast.NotEq: sympy.Ne, ast.Lt: sympy.Lt, ast.LtE: sympy.Le, ast.Gt: sympy.Gt, ast.GtE: sympy.Ge,
    ast.Is: sympy.Eq, ast.IsNot: sympy.Ne,
}  # fmt: skip
_FUNCTIONS = {"floor": sympy.floor, "ceil": sympy.ceiling, "min": sympy.Min, "max": sympy.Max, "gcd": sympy.gcd,
              "sqrt": sympy.sqrt}  # fmt: skip


def symbol(name: str) -> sympy.Symbol:
    """A size: a non-negative integer. Names of options are integers too, which costs nothing."""
    return sympy.Symbol(name, integer=True, nonnegative=True)


class Choice(sympy.Function):  # type: ignore[misc]
    """``body if test else orelse``.

    SymPy's own Piecewise reasons about its conditions when it is made; on a page's formula that could take for ever.
    """

    nargs = (3,)
    is_commutative = True

    def _eval_is_integer(self) -> bool | None:
        return self._both("is_integer")

    def _eval_is_extended_real(self) -> bool | None:
        return self._both("is_extended_real")

    def _both(self, what: str) -> bool | None:
        return True if all(getattr(value, what, None) for value in self.args[1:]) else None

    @classmethod
    def eval(cls, test: Any, body: Any, orelse: Any) -> Any:
        if test == sympy.true or body == orelse:
            return body
        return orelse if test == sympy.false else None


def to_sympy(node: ast.expr) -> Any:
    """The SymPy reading of a syntax tree that :class:`Expression` has accepted."""
    return comparable(node).replace(Choice, lambda test, body, orelse: sympy.Piecewise((body, test), (orelse, True)))


def comparable(node: ast.expr) -> Any:
    """As :func:`to_sympy`, but with a :class:`Choice` for each condition."""
    match node:
        case ast.Constant(value=bool(value)):
            return sympy.true if value else sympy.false
        case ast.Constant(value=int(value)):
            return sympy.Integer(value)
        case ast.Constant(value=value):
            return sympy.Symbol(repr(value) if isinstance(value, str) else str(value))
        case ast.Name(id=name):
            return symbol(name)
        case ast.Subscript(value=value, slice=ast.Constant(value=int(index))):
            return _element(value, index)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -comparable(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return comparable(operand)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return sympy.Not(truth(operand))
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](comparable(left), comparable(right))
        case ast.BoolOp(op=op, values=values):
            join = sympy.And if isinstance(op, ast.And) else sympy.Or
            return join(*map(truth, values))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return Choice(truth(test), comparable(body), comparable(orelse))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _RELATIONS:
            return _RELATIONS[type(op)](comparable(left), comparable(right))
        case ast.Compare(left=left, ops=[ast.In() | ast.NotIn() as op], comparators=[ast.Tuple(elts=members)]):
            found = sympy.Or(*(sympy.Eq(comparable(left), comparable(member)) for member in members))
            return found if isinstance(op, ast.In) else sympy.Not(found)
        case ast.Call(func=ast.Name(id="min" | "max"), args=[_]):
            return symbol(ast.unparse(node))  # the greatest of a tuple: SymPy's Max of one argument is that argument
        case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*map(comparable, args))
        case _:
            return symbol(ast.unparse(node))


def _element(value: ast.expr, index: int) -> Any:
    """``pair(stride)[0]`` is the ``stride[0]`` of the page: where it writes an index, a single int stands for both."""
    match value:
        case ast.Tuple(elts=elements) if -len(elements) <= index < len(elements):
            return comparable(elements[index])
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return Choice(truth(test), _element(body, index), _element(orelse, index))
        case ast.Call(func=ast.Name(id="pair"), args=[argument]):
            return _element(argument, index)
        case _:
            return symbol(f"{ast.unparse(value)}[{index}]")


def truth(node: ast.expr) -> Any:
    """A condition. A bare option such as ``bidirectional`` is true when it is not zero."""
    value = comparable(node)
    return value if isinstance(value, sympy.logic.boolalg.Boolean) and not value.is_Symbol else sympy.Ne(value, 0)


def shape_to_sympy(shape: Shape) -> tuple[Any, ...]:
    """One SymPy expression an axis; ``*name`` becomes the symbol ``*name``."""
    return tuple(symbol(f"*{part.text}") if star else part.sympy for star, part in shape.parts)


def expanded(node: ast.expr, where: Mapping[str, str]) -> ast.expr:
    """The formula with every symbol that a *where* clause defines replaced by that clause, down to the arguments."""
    return _Expansion(where).visit(ast.parse(ast.unparse(node), mode="eval").body)  # type: ignore[no-any-return]


class _Expansion(ast.NodeTransformer):
    def __init__(self, where: Mapping[str, str], within: frozenset[str] = frozenset()) -> None:
        self.where = where
        self.within = within

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.where or node.id in self.within:
            return node
        clause = ast.parse(self.where[node.id], mode="eval").body
        return _Expansion(self.where, self.within | {node.id}).visit(clause)  # type: ignore[no-any-return]

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.args = [self.visit(argument) for argument in node.args]
        return node


# -- comparison --------------------------------------------------------------------------------------------------------

# Formulas come from the library under test too, and a product of many sums could take algebra for ever.
_CASES, _TERMS, _SIMPLE = 64, 400, 60
_POINTS = ((2, 3, 5, 7, 11, 13, 17), (7, 2, 19, 3, 5, 23, 4), (9, 16, 4, 25, 6, 2, 35), (29, 8, 3, 11, 1, 14, 6))


def same(left: Any, right: Any, given: Any = sympy.true) -> bool:
    """Whether two formulas are proven the same for all sizes where ``given`` holds, not merely written alike.

    Conditions are split into cases until none is left, in each of which algebra decides. A proof that would be too
    long, or a formula that makes no sense (a division by zero, ``True + 1``), counts as none.
    """
    try:
        return _proven(left, right, given)
    except (TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
        return False


def _proven(left: Any, right: Any, given: Any) -> bool:
    cases, steps = [(left, right, given)], 0
    while cases:
        one, other, where = cases.pop()
        if one == other or where == sympy.false:
            continue
        test = _test(one, other, where)
        if test is None and not _equal(one, other):
            return False
        if test is not None:
            steps += 1
            if steps > _CASES:
                return False
            cases.extend(tuple(_decided(part, test, outcome) for part in (one, other, where)) for outcome in (0, 1))
    return True


def _test(*parts: Any) -> Any:
    """An innermost condition of these formulas, or None."""
    tests = set().union(*(part.atoms(sympy.core.relational.Relational) for part in parts))
    return min(tests, key=lambda test: (test.count_ops(), str(test)), default=None)


def _decided(part: Any, test: Any, outcome: int) -> Any:
    """The formula where the condition is known to hold or not. That a size is zero, or not, is known everywhere."""
    size = test.lhs if test.rhs == 0 else None
    if size is not None and size.is_Symbol and isinstance(test, (sympy.Eq, sympy.Ne, sympy.Gt, sympy.Le)):
        zero = isinstance(test, (sympy.Eq, sympy.Le)) == bool(outcome)
        return part.subs(size, 0 if zero else sympy.Symbol(size.name, integer=True, positive=True))
    known = sympy.true if outcome else sympy.false
    refuted = sympy.false if outcome else sympy.true
    return part.xreplace({test: known, test.reversed: known, test.negated: refuted, test.negated.reversed: refuted})


def _equal(one: Any, other: Any) -> bool:
    """Whether two formulas without conditions are the same."""
    if not all(isinstance(part, sympy.Expr) and part.is_finite is not False for part in (one, other)):
        return False  # a truth value, or a division by zero
    difference = one - other
    if difference.has(sympy.nan, sympy.zoo, sympy.oo) or _terms(difference) > _TERMS or _refuted(difference):
        return False
    if sympy.expand(difference) == 0:
        return True
    return bool(difference.count_ops() <= _SIMPLE and sympy.simplify(difference) == 0)


def _terms(formula: Any) -> int:
    """About how many terms the formula has once it is multiplied out, up to just above the limit."""
    counts = [_terms(argument) for argument in formula.args] or [1]
    total = 1
    if formula.is_Mul:
        for count in counts:
            total = min(total * count, _TERMS + 1)
    elif formula.is_Pow:
        power = abs(int(formula.exp)) if formula.exp.is_Integer else _TERMS + 1
        total = 1 if formula.base.is_Atom else min(counts[0] ** min(power, 9), _TERMS + 1)
    else:
        total = sum(counts) if formula.is_Add else max(counts)
    return total


def _refuted(difference: Any) -> bool:
    """Whether some sizes tell the two apart, which is quicker to see than that none do."""
    symbols = sorted(difference.free_symbols, key=str)
    for point in _POINTS:
        value = difference.subs({s: point[i % len(point)] + i // len(point) for i, s in enumerate(symbols)})
        if value.is_number and value.is_finite and value != 0:
            return True
    return False


def to_mathml(text: str) -> str:
    """Presentation MathML of a formula or of a shape ``(L, N, H_in)``; browsers show it offline."""
    if not text.startswith("("):
        return str(sympy.mathml(expression(text).sympy, printer="presentation"))
    parts = shape_to_sympy(Shape(text))
    inner = "<mo>,</mo>".join(sympy.mathml(part, printer="presentation") for part in parts)
    return f"<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>"
