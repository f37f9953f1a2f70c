"""Where an output stands in a result, so that a fault can be planted there."""

from __future__ import annotations

import ast

from conformance.oracle.contract import Contract


def path(contract: Contract, port: str) -> tuple[int, ...]:
    """Where an output stands in the nesting of the result."""

    def walk(node: ast.expr) -> tuple[int, ...] | None:
        if isinstance(node, ast.Name):
            return () if node.id == port else None
        if isinstance(node, ast.List):  # it is changed as a whole
            return walk(node.elts[0])
        for index, item in enumerate(node.elts):  # type: ignore[attr-defined]
            if (inner := walk(item)) is not None:
                return (index, *inner)
        return None

    found = walk(ast.parse(contract.returns, mode="eval").body)
    assert found is not None
    return found
