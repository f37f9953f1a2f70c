"""Documentation drift: what the installed page writes, held against the oracle.

Formulas are compared as formulas: ``(4*hidden_size, num_directions * hidden_size)`` is what the oracle writes as
``(4 * hidden_size, D * H_out)``. The page's text is never evaluated.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from conformance.oracle import pages
from conformance.oracle.claims.claim import Claim, Failure, Judgement
from conformance.oracle.contract import NEVER, REQUIRED, Argument, Contract, Formula, Layout, Parameter, Port, in_range
from conformance.oracle.docstrings import Document, Shown, Stated, parse, signature


@dataclass(frozen=True)
class Page:
    """The page of one class as one release ships it; the contract is the one ``at`` that release."""

    contract: Contract
    doc: str
    forward: str
    signature: list[list[str | None]]
    release: str

    @property
    def document(self) -> Document:
        return parse(self.doc, self.forward)


def unparsed(page: Page) -> list[str]:
    """What looks like a formula on this page and could not be read, each with the reason."""
    found = page.document.unparsed()
    if page.doc.startswith("__init__(") and signature(page.doc, page.signature) is None:
        found.append(f"signature: {page.doc.partition(chr(10))[0][:200]}: brackets that do not match")
    return found


def claims(contract: Contract) -> Iterator[Claim]:
    """One claim for everything that some release's page states."""
    make = partial(_claim, contract)
    yield from make("signature", f"the page shows {_signature_text(contract)}", "signature", "signature", _signature)
    for port, layout in product((*contract.inputs, *contract.outputs), contract.layouts):
        # Of packed sequences the pages give no shape; those of functions write it in their sentences (sizes.py).
        if layout.name in port.by_layout and not (layout.packed or contract.function):
            text = port.by_layout[layout.name]
            source = f"{'Inputs' if port in contract.inputs else 'Outputs'}: {port.name}"
            yield from make(port.name, f"the page gives {port.name} the shape {text} in {layout.name}", source,
                            f"documentation.{port.name}.{layout.name}", partial(_port, port, layout), text)  # fmt: skip
    for parameter in contract.parameters:
        said = f"the page gives {parameter.name} the shape {parameter.shape}"
        yield from make(parameter.label, said, "Attributes", f"documentation.{parameter.label}",
                        partial(_parameter, parameter), parameter.shape)  # fmt: skip
    for formula in contract.formulas:
        symbol, name = formula.symbol or formula.clause, formula.name or formula.clause
        said = f"the page gives {symbol} the oracle's formula" + (f" where {formula.given}" * (formula.given != "True"))
        yield from make(name, said, "Shape", f"documentation.{name}", partial(_formula, formula))


def _claim(
    contract: Contract, subject: str, statement: str, source: str, name: str, check: Any, formula: str | None = None
) -> Iterator[Claim]:
    releases = contract.documents.get(subject, "")
    if releases != NEVER:
        yield Claim(f"{contract.prefix}.{name}", contract.module, "documentation", statement, source,
                    partial(_where_stated, releases, check), formula, releases or ">=2.0")  # fmt: skip


def _where_stated(releases: str, check: Any, page: Page) -> Judgement:
    """False where this release's page is known to be silent; where it is expected to speak, silence is a failure."""
    if not in_range(releases, page.release):
        return False
    judgement: Judgement = check(page)
    return judgement


def _differs(expected: str, found: Iterable[str]) -> Failure:
    return Failure(expected, "; ".join(found) or "nothing on the page", "documentation")


# -- signature ---------------------------------------------------------------------------------------------------------


def _signature_text(contract: Contract) -> str:
    return ", ".join(a.name if a.default is REQUIRED else f"{a.name}={a.default!r}" for a in contract.signature)


def _signature(page: Page) -> Judgement:
    found = signature(page.doc, page.signature)
    if found is None:
        return _differs(_signature_text(page.contract), ())
    public = [shown for shown in found if not shown.name.startswith("_")]
    documented = page.contract.signature
    if len(public) == len(documented) and all(
        _same_argument(argument, shown, page.release, found) for argument, shown in zip(documented, public, strict=True)
    ):
        return True
    text = ", ".join(s.name if s.default is None else f"{s.name}={s.default}" for s in public)
    return _differs(_signature_text(page.contract), (text,))


def _same_argument(argument: Argument, shown: Shown, release: str, found: Sequence[Shown]) -> bool:
    before = found[: found.index(shown)]
    # Behind a private argument no place is documented, whatever Python shows.
    by_position = shown.by_position and not any(other.name.startswith("_") for other in before)
    documented = argument.by_position is not None and in_range(argument.by_position, release)
    return argument.name == shown.name and documented == by_position and _same_default(argument.default, shown.default)


def _same_default(documented: Any, shown: str | None) -> bool:
    if documented is REQUIRED or shown is None:
        return documented is REQUIRED and shown is None
    if isinstance(documented, (int, float)) and not isinstance(documented, bool):
        try:
            return float(shown[:40]) == float(documented)
        except ValueError:
            return False
    return repr(documented) == shown.replace('"', "'")


# -- shapes and formulas -----------------------------------------------------------------------------------------------


def _port(port: Port, layout: Layout, page: Page) -> Judgement:
    stated = _of_port(page.document, port, page.contract)
    wrong = pages.compare_port(page.contract, port, layout, stated)
    return wrong is None or _differs(
        f"{port.name} {port.by_layout[layout.name]} in {layout.name}", (f"{port.name} {said}" for said in wrong)
    )


def _of_port(document: Document, port: Port, contract: Contract, within: frozenset[str] = frozenset()) -> list[Stated]:
    """What the page says of this port; "same shape as the input" is what it says of the input."""
    names = {port.name.lower(), *port.aliases}
    found: list[Stated] = []
    for said in document.ports:
        if said.subject.lower() not in names:
            continue
        if not said.like:
            found.append(said)
            continue
        for other in contract.inputs:
            if other.name == said.like and other.name not in within:
                found += [
                    pages.joined(said, theirs)
                    for theirs in _of_port(document, other, contract, within | {port.name, other.name})
                ]
    return found


def _parameter(parameter: Parameter, page: Page) -> Judgement:
    document = page.document
    stated = [said for said in document.attributes if said.subject == parameter.name]
    likes = {said.like for said in stated if said.like}
    stated = [said for said in stated if not said.like]
    stated += [said for said in document.attributes if said.subject in likes and not said.like]
    oracle = ast.parse(parameter.shape, mode="eval").body
    if pages.compare(page.contract, stated, oracle, parameter.when):
        return True
    return _differs(f"{parameter.name} {parameter.shape}", (f"{parameter.name} {said.text}" for said in stated))


def _formula(formula: Formula, page: Page) -> Judgement:
    contract, oracle = pages.as_written(page.contract, formula)
    symbol = formula.symbol or formula.clause
    # ``make L_out = L_out - 1 when …`` corrects what another formula gives, and speaks of itself.
    corrects = symbol in pages.names(oracle)
    stated = [said for said in page.document.formulas if said.subject == symbol and said.corrects == corrects]
    if pages.compare(contract, stated, oracle, formula.given):
        return True
    given = f" where {formula.given}" if formula.given != "True" else ""
    return _differs(f"{symbol} = {ast.unparse(oracle)}{given}", (f"{symbol} = {said.text}" for said in stated))
