"""Conditions that come from files: formulas that can exhaust neither time nor memory, whoever wrote them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from typing import Any

from conformance.oracle.expression import _GLOBALS, Env, Expression, FormulaError

LONGEST = 2000  # characters
_BITS = 4096


class Selector(Expression):
    """A formula in which multiplication, power, shift and remainder take numbers of a sane size alone."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise FormulaError(f"a formula of {len(text)} characters; write at most {LONGEST}")
        super().__init__(text)
        guarded = ast.fix_missing_locations(_Guard().visit(ast.parse(self.text, mode="eval")))
        self._guarded = compile(guarded, f"<selector {self.text}>", "eval")

    def __call__(self, env: Env) -> Any:
        """As a formula; ValueError where it would grow beyond all bounds."""
        return eval(self._guarded, _KNOWN, env)  # the tree was checked like that of any formula


class _Guard(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        name = _NAMES.get(type(node.op))
        return ast.Call(ast.Name(name, ast.Load()), [node.left, node.right], []) if name else node


def _bounded(grows: Callable[[int, int], int], compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def bounded(one: Any, other: Any) -> Any:
        if not all(isinstance(value, (int, float)) for value in (one, other)):
            raise ValueError("a selector multiplies, raises and divides numbers alone")
        if isinstance(one, int) and isinstance(other, int) and grows(one, other) > _BITS:
            raise ValueError("a number in a selector is too large")
        return compute(one, other)

    return bounded


_NAMES: dict[type[ast.operator], str] = {ast.Mult: "*", ast.Pow: "**", ast.LShift: "<<", ast.Mod: "%"}
_KNOWN: dict[str, Any] = {
    **_GLOBALS,
    "*": _bounded(lambda a, b: a.bit_length() + b.bit_length(), lambda a, b: a * b),
    "**": _bounded(lambda a, b: a.bit_length() * abs(b), lambda a, b: a**b),
    "<<": _bounded(lambda a, b: a.bit_length() + b, lambda a, b: a << b),
    "%": _bounded(lambda a, b: 0, lambda a, b: a % b),
}


@cache
def selector(text: str) -> Selector:
    """The selector of this text, parsed once."""
    return Selector(text)
