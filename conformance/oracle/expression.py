"""Formulas in the notation of PyTorch's documentation, parsed once.

A formula is a restricted Python expression: ``D * num_layers``, ``2 if bidirectional else 1``,
``floor((L_in + 2 * padding[0] - 1) / stride[0] + 1)``. It has two readings made from one syntax tree: compiled code,
which judges a case in well under a microsecond, and SymPy, which prints it and compares it with the documentation.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any

Env = Mapping[str, Any]


class FormulaError(ValueError):
    """A formula that is not in the notation: what was written and what is allowed."""


def pair(value: Any) -> Any:
    """``int or tuple of two ints``, as the convolution and pooling pages say: a single int stands for both."""
    return value if isinstance(value, tuple) else (value, value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "floor": math.floor, "ceil": math.ceil, "prod": math.prod, "sum": sum,
    "min": min, "max": max, "len": len, "pair": pair, "sorted": sorted,
    "sqrt": math.sqrt,
}  # fmt: skip

_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Subscript, ast.Slice,
    ast.Tuple, ast.Starred, ast.Name, ast.Constant, ast.Load,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


_GLOBALS: dict[str, Any] = {"__builtins__": {}, **FUNCTIONS}


class Expression:
    """One formula: its text, the names it speaks of, and its two readings."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        try:
            self.tree = ast.parse(self.text, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = getattr(error, "msg", None) or str(error) or "too deeply nested"
            raise FormulaError(f"{text!r} is not a formula: {reason}") from None
        for node in ast.walk(self.tree):
            _refuse_unknown(node, text)
        called = {node.func.id for node in ast.walk(self.tree) if isinstance(node, ast.Call)}  # type: ignore[attr-defined]
        self.names = frozenset(n.id for n in ast.walk(self.tree) if isinstance(n, ast.Name)) - called
        self._code = compile(self.tree, f"<formula {self.text}>", "eval")

    def __call__(self, env: Env) -> Any:
        """The value of the formula where ``env`` gives each name a value; NameError where one is missing."""
        # The syntax tree was checked against a list of harmless nodes, so nothing but arithmetic can run here.
        return eval(self._code, _GLOBALS, env)

    @cached_property
    def sympy(self) -> Any:
        """The formula as a SymPy expression; imported late, since judging needs no SymPy."""
        from conformance.oracle.symbolic import to_sympy

        return to_sympy(self.tree.body)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def _refuse_unknown(node: ast.AST, text: str) -> None:
    if not isinstance(node, _NODES):
        raise FormulaError(f"{text!r} is not a formula: {type(node).__name__} is not part of the notation")
    if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
        known = ", ".join(sorted(FUNCTIONS))
        raise FormulaError(f"{text!r} calls an unknown function; the notation has {known}")


@cache
def expression(text: str) -> Expression:
    """The formula of this text, parsed once."""
    return Expression(text)


class Shape:
    """A tuple of dimensions, ``(D * num_layers, N, H_out)``; ``*name`` stands for any number of dimensions."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        if not (self.text.startswith("(") and self.text.endswith(")")):
            raise FormulaError(f"{text!r} is not a shape: write a tuple such as (L, N, H_in), or () for a scalar")
        inner = self.text[1:-1].strip().rstrip(",")
        self.parts: tuple[tuple[bool, Expression], ...] = tuple(
            (part.startswith("*"), expression(part.removeprefix("*"))) for part in _split(inner)
        )

    @cached_property
    def names(self) -> frozenset[str]:
        """Every symbol of the shape."""
        return frozenset().union(*(part.names for _, part in self.parts))

    def __call__(self, env: Env) -> tuple[int, ...]:
        """The sizes, one an axis; a starred name contributes as many axes as its tuple is long."""
        sizes: list[int] = []
        for star, part in self.parts:
            value = part(env)
            sizes.extend(value) if star else sizes.append(int(value))
        return tuple(sizes)

    def axes(self, env: Env) -> list[Expression]:
        """The formula behind each axis of this instance, starred ones repeated."""
        return [part for star, part in self.parts for _ in range(len(part(env)) if star else 1)]

    def unify(self, sizes: tuple[int, ...], env: dict[str, Any]) -> bool:
        """Whether ``sizes`` can be read as this shape; binds symbols that ``env`` does not know yet."""
        stars = [i for i, (star, _) in enumerate(self.parts) if star]
        spare = len(sizes) - (len(self.parts) - len(stars))
        if spare < 0 or (spare and not stars):
            return False
        position = 0
        for i, (star, part) in enumerate(self.parts):
            width = 1 if not star else spare if i == stars[-1] else min(spare, len(env.get(part.text, ())))
            spare -= width if star else 0
            value: Any = sizes[position : position + width] if star else sizes[position]
            position += width
            if not _bind(part, value, env):
                return False
        return True

    def __repr__(self) -> str:
        return f"Shape({self.text!r})"


def _bind(part: Expression, value: Any, env: dict[str, Any]) -> bool:
    """Whether ``part`` has this value in ``env``; a bare symbol that is still free takes it."""
    unknown = part.names - env.keys()
    if not unknown:
        return bool(part(env) == value)
    if unknown == {part.text}:
        env[part.text] = value
    return True


def _split(text: str) -> list[str]:
    """The comma-separated parts of ``text``, commas inside brackets left alone."""
    if not text:
        return []
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


@cache
def shape(text: str) -> Shape:
    """The shape of this text, parsed once."""
    return Shape(text)


@cache
def call_of(text: str) -> ast.Call:
    """The arguments of a call as a contract writes them: ``input, (h_0, c_0)``."""
    tree = ast.parse(f"f({text})", mode="eval").body
    assert isinstance(tree, ast.Call)
    return tree
