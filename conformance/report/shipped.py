"""Usages whose script is the very code that the target runs, read as text and never imported.

Of each function that a usage needs, the script gets the source without annotations.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from conformance.oracle.claims.identity import IDENTITIES

_FOLDER = Path(__file__).parents[1] / "targets"
_FILES = ("tensors.py", "parts.py", "identities.py", "usages.py", "contexts.py")
_CONTEXTS = {
    "second": "second",
    "autocast": "functools.partial(lowered, torch.bfloat16)",
    "autocast_half": "functools.partial(lowered, torch.float16)",
    "default_device": "default_device",
    "by_keyword": "by_keyword",
    "based": "based",
    "unprojected": "unprojected",
    "packed_to": "packed_to",
}
_USES = {usage.name: f"lambda use: (use.module, use.call({usage.name}(use.module, use.notice)))"
         for usage in IDENTITIES} | _CONTEXTS  # fmt: skip
NAMES = frozenset(_USES)

_IMPORTS = (
    "import functools",
    "from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence",
)
_USE = (
    "class Use:",
    "    told = []",
    "    def notice(self, wrong, what):",
    "        if wrong:",
    '            print("observed:", what)',
    "    def call(self, called):",
    "        return called(*self.args, **self.kwargs)",
    "def called(*args, **kwargs):",
    "    use = Use()",
    "    use.module, use.args, use.kwargs = module, args, kwargs",
    "    result = usage(use)[1]",
    "    for told in use.told:",
    '        print("observed: told", told.item())',
    "    return result",
)


def lines(usage: str) -> Iterator[str]:
    """What a script needs to do with ``module`` what the usage does; it then calls ``called``."""
    yield from _IMPORTS
    for name in _needed(usage):
        yield from ast.unparse(_definitions()[name]).splitlines()
    yield f"usage = {_USES[usage]}"
    yield from _USE


def _needed(usage: str) -> list[str]:
    """The functions that it calls, directly or not, in the order of the files."""
    found: set[str] = set()
    new = _names(ast.parse(_USES[usage]))
    while new:
        found |= new
        new = {name for known in new for name in _names(_definitions()[known])} - found
    return [name for name in _definitions() if name in found]


def _names(node: ast.AST) -> set[str]:
    used = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return used & _definitions().keys()


@cache
def _definitions() -> dict[str, ast.FunctionDef]:
    """Every function that is shipped for usages, by its name."""
    trees = [ast.parse((_FOLDER / name).read_text(encoding="utf-8")) for name in _FILES]
    found = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name: _Bare().visit(node) for node in found}


class _Bare(ast.NodeTransformer):
    """A function without annotations, whose names a script does not have."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:  # the name that ast wants
        self.generic_visit(node)
        node.returns = None
        for argument in (*node.args.args, node.args.vararg, node.args.kwarg):
            if argument is not None:
                argument.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return node
        return ast.copy_location(ast.Assign([node.target], node.value), node)
