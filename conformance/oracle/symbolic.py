"""Formulas as SymPy: to print them, and to compare them with what the installed documentation writes."""

from __future__ import annotations

import ast
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
_FUNCTIONS = {"floor": sympy.floor, "ceil": sympy.ceiling, "min": sympy.Min, "max": sympy.Max, "gcd": sympy.gcd}


def symbol(name: str) -> sympy.Symbol:
    """A size: a non-negative integer. Names of options are integers too, which costs nothing."""
    return sympy.Symbol(name, integer=True, nonnegative=True)


def to_sympy(node: ast.expr) -> Any:
    """The SymPy reading of a syntax tree that :class:`Expression` has accepted."""
    match node:
        case ast.Constant(value=bool(value)):
            return sympy.true if value else sympy.false
        case ast.Constant(value=int(value)):
            return sympy.Integer(value)
        case ast.Constant(value=value):
            return sympy.Symbol(repr(value) if isinstance(value, str) else str(value))
        case ast.Name(id=name):
            return symbol(name)
        case ast.Subscript():
            return symbol(ast.unparse(node))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -to_sympy(operand)
        case ast.UnaryOp(operand=operand):
            return sympy.Not(_truth(operand))
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](to_sympy(left), to_sympy(right))
        case ast.BoolOp(op=op, values=values):
            join = sympy.And if isinstance(op, ast.And) else sympy.Or
            return join(*map(_truth, values))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return sympy.Piecewise((to_sympy(body), _truth(test)), (to_sympy(orelse), True))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _RELATIONS:
            return _RELATIONS[type(op)](to_sympy(left), to_sympy(right))
        case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*map(to_sympy, args))
        case _:
            return symbol(ast.unparse(node))


def _truth(node: ast.expr) -> Any:
    """A condition. A bare option such as ``bidirectional`` is true when it is not zero."""
    value = to_sympy(node)
    return value if isinstance(value, sympy.logic.boolalg.Boolean) and not value.is_Symbol else sympy.Ne(value, 0)


def shape_to_sympy(shape: Shape) -> tuple[Any, ...]:
    """One SymPy expression an axis; ``*name`` becomes the symbol ``*name``."""
    return tuple(symbol(f"*{part.text}") if star else part.sympy for star, part in shape.parts)


def same(left: Any, right: Any) -> bool:
    """Whether two formulas are the same for all sizes, not merely written alike."""
    return bool(left == right or sympy.simplify(left - right) == 0)


def to_mathml(text: str) -> str:
    """Presentation MathML of a formula or of a shape ``(L, N, H_in)``; browsers show it offline."""
    if not text.startswith("("):
        return str(sympy.mathml(expression(text).sympy, printer="presentation"))
    parts = shape_to_sympy(Shape(text))
    inner = "<mo>,</mo>".join(sympy.mathml(part, printer="presentation") for part in parts)
    return f'<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>'
