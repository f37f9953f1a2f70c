"""Pages written from contracts: they say what the contract says, and each claim fails on the page that breaks it."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from functools import cache
from itertools import product

import pytest

from conformance.oracle import pages
from conformance.oracle.claims import Claim, Failure, claims_of
from conformance.oracle.claims.documentation import Page, unparsed
from conformance.oracle.contract import REQUIRED, Contract
from conformance.oracle.registry import builtin

RELEASE = "2.13.0"
CONTRACTS = {contract.prefix: contract for contract in builtin()}


def claims(contract: Contract) -> list[Claim]:
    return [claim for claim in claims_of(contract) if claim.scenario == "documentation"]


CLAIMS = [claim for contract in CONTRACTS.values() for claim in claims(contract)]


def tex(node: ast.expr, contract: Contract) -> str:
    """A formula as a page would write it."""
    again = lambda child: tex(child, contract)  # noqa: E731
    operators = {ast.Add: "+", ast.Sub: "-", ast.Mult: r"\times"}
    relations = {ast.Gt: ">", ast.GtE: ">=", ast.Is: "=", ast.Eq: "="}
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.Name(id=name) if re.fullmatch("[A-Z]_[a-z]+", name):
            return f"{name[0]}_{{{name[2:]}}}"
        case ast.Name(id=name):
            return rf"\text{{{name}}}".replace("_", r"\_")
        case ast.Subscript(value=value, slice=index):
            return f"{again(value)}[{again(index)}]"
        case ast.BinOp(left=left, op=ast.Div() | ast.FloorDiv(), right=right):
            return rf"\frac{{{again(left)}}}{{{again(right)}}}"
        case ast.BinOp(left=left, op=op, right=right):
            inner = (f"({again(n)})" if isinstance(n, (ast.BinOp, ast.IfExp)) else again(n) for n in (left, right))
            return f" {operators[type(op)]} ".join(inner)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return rf"{again(body)} \text{{ if }} {again(test)} \text{{ otherwise }} {again(orelse)}"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return f"{again(left)} {relations[type(op)]} {again(right)}"
        case ast.Call(func=ast.Name(id="prod"), args=[ast.Name(id=name)]):
            base, first, last = re.match(r"(\w)\[(\w+):(\w+) \+ 1\]", contract.where[name]).groups()
            return rf"\prod_{{i=\text{{{first}}}}}^{{\text{{{last}}}}} {base}_{{i}}"
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return rf"\left\l{name} {again(argument)} \right\r{name}"
    raise AssertionError(ast.dump(node))


def qualified(contract: Contract, layout) -> str:
    if layout.words:
        return f"for {layout.words}"
    name = layout.when.removeprefix("not ")
    return "" if layout.when == "True" else f"when ``{name}={layout.when == name}``"


def damaged(shape: str) -> str:
    """The same axes in another order where there are two that differ, else another axis."""
    first, comma, rest = shape[1:-1].partition(", ")
    second, _, others = rest.partition(", ")
    if comma and first != second and "*" not in (first, second):
        return f"({second}, {first}, {others})" if others else f"({second}, {first})"
    return f"(Z, {rest})"


def written(contract: Contract, broken: str = "") -> Page:
    """A page that states everything that the contract says is stated; ``broken`` names the claim that it breaks."""
    lines = [f"__init__({', '.join(_arguments(contract, broken))})", ""]
    if contract.function:
        return Page(contract, "\n".join([*lines, *_sizes(contract, broken)]), "", [], RELEASE)
    lines.append("Shape:")
    for port in (*contract.inputs, *contract.outputs):
        lines.append(f"    - {port.name}: " + " ".join(_sentences(contract, port, broken)))
    for formula in contract.formulas:
        name, symbol = formula.name or formula.clause, formula.symbol or formula.clause
        clause = contract.where[formula.clause].replace("windows", "L_out")
        right = tex(ast.parse(clause, mode="eval").body, contract)
        plus = " + 1" if broken.endswith(f".documentation.{name}") else ""
        lines += ["", "      .. math::", f"          {tex(ast.Name(symbol), contract)} = ({right}){plus}"]
    lines += ["", "Attributes:"]
    for parameter in contract.parameters:
        node = ast.parse(parameter.shape, mode="eval").body
        ends = [(node.body, " for `k = 0`"), (node.orelse, "")] if isinstance(node, ast.IfExp) else [(node, "")]
        shapes = [f"({', '.join(tex(axis, contract) for axis in end.elts)})" for end, _ in ends]
        if broken.endswith(f".documentation.{parameter.label}"):
            shapes[-1] = f"(Z, {shapes[-1].partition(', ')[2].removesuffix(')')})"
        said = (f"Of shape :math:`{text}`{when}." for text, (_, when) in zip(shapes, ends, strict=True))
        lines.append(f"    {parameter.name.replace('{k}', '[k]')}: " + " ".join(said))
    return Page(contract, "\n".join(lines), "", [], RELEASE)


def _arguments(contract: Contract, broken: str):
    star = False
    for index, argument in enumerate(contract.signature):
        if argument.by_position is None and not star:
            star = True
            yield "*"
        default = "" if argument.default is REQUIRED else f"={argument.default!r}"
        changed = broken.endswith(".signature") and index == len(contract.signature) - 1
        yield argument.name + ("='something else'" if changed else default)


def _sizes(contract: Contract, broken: str):
    """The sentences of a function's page: one size is wrong, or every option."""
    wrong_size, wrong_option = broken.endswith(".sizes"), broken.endswith(".batch_first")
    for port, layout in product((*contract.inputs, *contract.outputs), contract.layouts):
        axes = port.by_layout.get(layout.name, "()")[1:-1].replace("T_out", "T").split(", ")
        if axes[-1] == "*S" and axes[0].isidentifier() and not (port.packed or layout.packed == port.name):
            option = (layout.when == "batch_first") != wrong_option
            size = " x ".join(("Z" if wrong_size else axes[0], *axes[1:-1], "*"))
            yield f"If ``batch_first`` is ``{option}``, {port.name} is of size ``{size}``."
            wrong_size = False


def _sentences(contract: Contract, port, broken: str):
    for layout in contract.layouts:
        if layout.name not in port.by_layout or layout.packed:
            continue
        for alternative in pages.alternatives(contract, port, layout):
            axes = ["*" if axis.star else tex(axis.formula, contract) for axis in alternative.axes]
            shape = f"({', '.join(axes)})"
            if broken.endswith(f".documentation.{port.name}.{layout.name}"):
                shape = damaged(shape)
            options = (_option(test) for test in alternative.conditions)
            yield f"If {' and '.join(filter(None, options))} it is :math:`{shape}` {qualified(contract, layout)}."


def _option(test: ast.expr) -> str:
    match test:
        case ast.IfExp():  # of CrossEntropyLoss: it is reduced, or it is not
            return "reduction is 'mean'"
        case ast.UnaryOp(operand=ast.IfExp()):
            return "reduction is 'none'"
        case ast.Name(id=name) if name != "mask_3d":
            return f"``{name}=True``"
        case ast.UnaryOp(operand=ast.Name(id=name)) if name != "mask_3d":
            return f"``{name}=False``"
    return ""


@cache
def faultless(prefix: str) -> Page:
    return written(CONTRACTS[prefix].at(RELEASE))


@pytest.mark.parametrize("prefix", CONTRACTS)
def test_a_page_written_from_a_contract_says_what_the_contract_says(prefix):
    made = faultless(prefix)
    assert unparsed(made) == []
    assert {claim.id: claim.check(made) for claim in claims(CONTRACTS[prefix])} == {
        claim.id: True for claim in claims(CONTRACTS[prefix])
    }


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_fails_on_a_page_that_breaks_it_and_only_it(claim):
    contract = CONTRACTS[claim.id.partition(".")[0]]
    made = written(contract.at(RELEASE), claim.id)
    failed = {other.id for other in claims(contract) if isinstance(other.check(made), Failure)}
    assert claim.id in failed
    assert failed <= {claim.id, *_beside(claim, contract)}


def _beside(claim: Claim, contract: Contract) -> set[str]:
    """A shape that belongs to no layout, and two formulas of one symbol, are wrong wherever they are looked for."""
    stem = claim.id.rpartition(".")[0]
    return {other.id for other in claims(contract) if other.id.startswith(stem) and stem.count(".") == 2}


@pytest.mark.parametrize("prefix", CONTRACTS)
def test_a_page_that_states_nothing_breaks_every_claim(prefix):
    made = replace(faultless(prefix), doc="Does something.", forward="")
    for claim in claims(CONTRACTS[prefix]):
        found = claim.check(made)
        assert isinstance(found, Failure), claim.id
        assert found.observed == "nothing on the page"
        assert found.severity == "documentation"
