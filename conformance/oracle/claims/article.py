"""The statements of a second source, judged on the same cases and shown apart: they hold or are refuted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from conformance.oracle.claims.call import accepted, output
from conformance.oracle.claims.claim import Claim, Evidence, Failure, Judgement
from conformance.oracle.claims.constructor import by_keyword, default
from conformance.oracle.contract import Contract, Statement
from conformance.oracle.expression import shape


def claims(contract: Contract) -> Iterator[Claim]:
    """One claim a statement; none of them affects a verdict."""
    for statement in contract.article:
        subject = statement.about.rpartition(" ")[2]
        yield Claim(
            f"{contract.prefix}.article.{statement.line}.{subject}",
            contract.module,
            statement.layout,
            statement.text,
            f"article, line {statement.line}",
            partial(_check(contract, statement), statement, subject),
            statement.says if statement.says.startswith("(") else None,
            authority="article",
        )


def _check(contract: Contract, statement: Statement) -> Any:
    kind = statement.about.partition(" ")[0]
    if kind == "argument":
        return _default
    if kind == "omitted":
        return _omitted
    return _given if any(port.name == statement.about for port in contract.inputs) else _returned


def _default(statement: Statement, name: str, e: Evidence) -> Judgement:
    if not e.ok or not by_keyword(e) or not e.case.twin or name in e.case.arguments:
        return False
    documented = e.contract.argument(name).default
    attributes = e.seen["config"]["attributes"]
    if name not in attributes and statement.says == repr(documented):
        return default(e.contract.argument(name), e)  # it shows in the rest of the module
    observed = attributes.get(name, repr(documented))
    return observed == statement.says or Failure(f"{name}={statement.says}", f"{name}={observed}")


def _omitted(statement: Statement, name: str, e: Evidence) -> Judgement:
    if any(item.name == name for item in e.case.inputs):
        return False
    return e.ok or Failure(statement.text, "refused without it")


def _given(statement: Statement, name: str, e: Evidence) -> Judgement:
    """An input of the shape stated must be accepted, and one that torch accepts must be of that shape."""
    item = next((item for item in e.case.inputs if item.name == name), None)
    if item is None:
        return False
    if e.ok:
        return _compare(statement, item.shape, e)
    return shape(statement.says)(e.env) == item.shape and accepted(e)


def _returned(statement: Statement, name: str, e: Evidence) -> Judgement:
    found = output(e, e.contract.port(name))
    return False if found is None else _compare(statement, tuple(found["shape"]), e)


def _compare(statement: Statement, found: tuple[int, ...], e: Evidence) -> Judgement:
    stated = shape(statement.says)(e.env)
    return stated == found or Failure(f"{statement.says} = {stated}", str(found))
