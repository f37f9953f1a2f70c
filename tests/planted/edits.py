r"""Careless edits of an installed page, generated from the claim that must catch them.

A claim rests on passages: the bullets of a port or a parameter, the right side of a formula, the line of arguments,
the sizes that a function's sentences give.
What a slip of the pen makes of them is tried one by one: two axes in the wrong order, ``hidden_size`` for
``input_size``, ``+`` for ``-``, a rule written down once more for each layout and wrongly for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from conformance.oracle.claims import Claim
from conformance.oracle.contract import REQUIRED, Contract, Formula, Layout, Parameter, Port
from tests.planted.faults import other_default

Page = Mapping[str, Any]  # as the agent describes it
Slips = Iterator[tuple["Passage", str]]  # where, and what it reads then

_SECTION = r"(?m)^(?:{})\b.*:.*\n(?:[ \t]+.*\n?|\n)*"
_BULLET = r"(?mi)^( *)(?:[-*] )?\**(?:{})\**(?![\w\[']).*\n?(?:\1 +.*\n?|[ \t]*\n)*"
_SHAPE = re.compile(r"(?P<open>(?::math:)?`|\bshape\s+)(?P<shape>\((?:[^()]|\([^()]*\))*\))(?P<close>`?)")
_LEFT_OUT = re.compile(rf"{_SHAPE.pattern}(?:,| or) ")
_TO_THE_LAST = re.compile(rf"(?s){_SHAPE.pattern}(?:.*`\([^`]*\)`)?")
_LIKE = re.compile(r"\bsame shape (?:as )?(?:the )?input\b")
_SIZE = re.compile(r"(?<=``)[A-Z](?: x [A-Z*])+(?=``)")
_ANALOGOUS = re.compile(r"(?<=Analogous to `).+?(?=`)")
_RIGHT_SIDE = r"(?s){}(?:`|\s|\{{\}}|&)*=(?!=)(?P<right>.*?)(?=\\\\|\\end|\n\s*\n|`[.,\s]|\Z)"
_TOKENS = {
    r"\[0\]": "[1]", "True": "False", " - ": " + ", ">=": ">", r"(?<=[`({ \n])2(?!\w)": "3", r"(?<=[`(])[34](?=\*)": "2",
}  # fmt: skip


class Passage(NamedTuple):
    """A piece of the class's docstring, or of its ``forward``'s."""

    forward: bool
    at: int
    text: str

    def find(self, pattern: str | re.Pattern[str], group: int | str = 0) -> list[Passage]:
        """The pieces of this one that match."""
        matches = re.finditer(pattern, self.text)
        return [Passage(self.forward, self.at + match.start(group), match[group]) for match in matches]


def edits(claim: Claim, contract: Contract, page: Page) -> Iterator[str]:
    """The calls that plant careless edits of what this claim rests on."""
    subject = claim.id.removeprefix(f"{contract.prefix}.").removeprefix("documentation.")
    if subject == "signature":
        yield _signature_edit(contract, page)
    for passage, new in _slips(subject, contract, page):
        yield f"docstring_changed({contract.module!r}, {passage.forward}, {passage.at}, {passage.text!r}, {new!r})"


def _signature_edit(contract: Contract, page: Page) -> str:
    """Another default, in the page's line of arguments or, where it has none, in what Python shows."""
    defaults = {a.name: other_default(a) for a in (*contract.arguments, *contract.options) if a.default is not REQUIRED}
    name, other = next(iter(defaults.items()), (page["signature"][-1][0], None))
    if not page["doc"].startswith("__init__("):
        return f"signature_changed({contract.module!r}, {name!r}, {other!r})"
    shown = Passage(False, 0, page["doc"]).find(rf"(?<=\b{name}=)[^,)]+")[0]
    return f"docstring_changed({contract.module!r}, False, {shown.at}, {shown.text!r}, {repr(other)!r})"


def _slips(subject: str, contract: Contract, page: Page) -> Slips:
    for formula in contract.formulas:
        if subject == (formula.name or formula.clause):
            yield from _formula_slips(formula, contract, page)
    for parameter in contract.parameters:
        if subject == parameter.label:
            yield from _parameter_slips(parameter, contract, page)
    for port in (*contract.inputs, *contract.outputs):
        for layout in contract.layouts:
            if subject == f"{port.name}.{layout.name}":
                yield from _port_slips(port, layout, contract, page)
    if subject in ("sizes", "sizes.batch_first"):
        yield from _size_slips(page)


# -- where a claim's words stand ---------------------------------------------------------------------------------------


def _bullets(page: Page, names: Sequence[str], sections: str, *, forward: bool = False) -> list[Passage]:
    whole = Passage(forward, 0, page["forward" if forward else "doc"])
    bullet = _BULLET.format("|".join(map(re.escape, names)))
    return [found for section in whole.find(_SECTION.format(sections)) for found in section.find(bullet)]


def _of_port(port: Port, page: Page) -> list[Passage]:
    names = (port.name, *port.aliases)
    of_class = _bullets(page, names, "Inputs|Outputs|Shape")
    return [*of_class, *_bullets(page, names, "Args|Inputs|Outputs|Shape", forward=True)]


def _shapes(port: Port, page: Page) -> list[Passage]:
    return [shape for bullet in _of_port(port, page) for shape in bullet.find(_SHAPE, "shape")]


def _when(layout: Layout) -> str:
    """How a page speaks of a layout."""
    option = layout.when.removeprefix("not ")
    if layout.words:
        return f"for {layout.words}"
    return f"when ``{option}={layout.when == option}``" if option.isidentifier() and option != "True" else ""


# -- slips of a claim's passages ---------------------------------------------------------------------------------------


def _formula_slips(formula: Formula, contract: Contract, page: Page) -> Slips:
    base, _, index = (formula.symbol or formula.clause).partition("_")
    symbol = rf"\b{base}" + (rf"_(?:\\text)?\{{(?:\\text\{{)?{index}\}}+" if index else "")
    for right in Passage(False, 0, page["doc"]).find(_RIGHT_SIDE.format(symbol), "right"):
        yield right, right.text.replace("floor", "ceil")
        yield from ((right, new) for new in _token_slips(right.text, contract))


def _parameter_slips(parameter: Parameter, contract: Contract, page: Page) -> Slips:
    name, *others = (p.name.replace("{k}", "[k]") for p in (parameter, *contract.parameters))
    for bullet in _bullets(page, [name], "Attributes"):
        for shape in bullet.find(_SHAPE, "shape"):
            yield from ((shape, new) for new in _shape_slips(shape.text, contract))
        for other in bullet.find(_ANALOGOUS):
            yield from ((other, new) for new in others if new != other.text)


def _port_slips(port: Port, layout: Layout, contract: Contract, page: Page) -> Slips:
    for shape in _shapes(port, page):
        yield from ((shape, new) for new in _shape_slips(shape.text, contract))
        yield from ((shape, new) for new in _other_axis(shape.text, contract, page))
    for bullet in _of_port(port, page):
        yield from ((shape, "") for shape in bullet.find(_LEFT_OUT))
        for said in bullet.find(_TO_THE_LAST) if _when(layout) else ():
            yield from ((said, new) for new in _repeated(said.text, layout, contract))
        for like in bullet.find(_LIKE):
            yield from ((like, new) for new in _copied_out(contract, page))


def _size_slips(page: Page) -> Slips:
    """``T x B x *`` becomes ``B x T x *`` or ``N x B x *``."""
    for size in Passage(False, 0, page["doc"]).find(_SIZE):
        first, second, *others = size.text.split(" x ")
        yield size, " x ".join((second, first, *others))
        yield size, " x ".join(("N", second, *others))


def _other_axis(shape: str, contract: Contract, page: Page) -> Iterator[str]:
    """``(H_{in})`` becomes ``(H_{out})``: the only axis is one of another shape of the page."""
    shapes = chain.from_iterable(_shapes(port, page) for port in (*contract.inputs, *contract.outputs))
    axes = dict.fromkeys(axis for other in shapes for axis in _axes(other.text) if axis)
    if len(_axes(shape)) == 1:
        yield from (f"({axis})" for axis in axes if f"({axis})" != shape)


def _repeated(said: str, layout: Layout, contract: Contract) -> Iterator[str]:
    """What is said of all layouts is said of each: ``(N, C)`` becomes ``for this one (C, N). for the other (N, C)``."""
    names = dict.fromkeys(filter(None, map(_when, contract.layouts)))
    for shape in _SHAPE.finditer(said):
        for wrong in _shape_slips(shape["shape"], contract):
            slipped = said[: shape.start("shape")] + wrong + said[shape.end("shape") :]
            yield ". ".join(f"{name} {slipped if name == _when(layout) else said}" for name in names)


def _copied_out(contract: Contract, page: Page) -> Iterator[str]:
    """Where the page points at the shapes of the input, they are written down again, one of them wrongly."""
    said = _shapes(contract.port("input"), page)
    for wrong in said:
        for new in _shape_slips(wrong.text, contract):
            texts = (f":math:`{new if shape is wrong else shape.text}`" for shape in said)
            yield f"shape {' or '.join(texts)}"


# -- slips of the pen --------------------------------------------------------------------------------------------------


def _shape_slips(shape: str, contract: Contract) -> Iterator[str]:
    """Two axes in the wrong order; where there are no two, one symbol for another or an axis left out."""
    axes = _axes(shape)
    pairs = [i for i in range(len(axes) - 1) if axes[i] != axes[i + 1]] if "`" not in shape else []
    for i in pairs:
        yield f"({', '.join((*axes[:i], axes[i + 1], axes[i], *axes[i + 2 :]))})"
    if not pairs:
        yield from _token_slips(shape, contract)
        yield f"({', '.join(axes[:-1])})" if axes[0] else "(1)"


def _axes(shape: str) -> list[str]:
    return re.split(r",\s*(?![^{]*\})", shape[1:-1])


def _token_slips(text: str, contract: Contract) -> Iterator[str]:
    """One number, sign, index or argument for another."""
    for old, new in (_TOKENS | _neighbours(contract)).items():
        for match in re.finditer(old, text):
            yield text[: match.start()] + new + text[match.end() :]


def _neighbours(contract: Contract) -> dict[str, str]:
    """Each argument and the one before it (or, for the first, behind it), as code and as LaTeX write them."""
    names = [argument.name for argument in contract.arguments]
    pairs = list(zip(names, (*names[1:2], *names), strict=False))
    latex = {re.escape(old.replace("_", r"\_")): new.replace("_", r"\_") for old, new in pairs}
    return {rf"(?<!\w){old}(?!\w)": new for old, new in pairs} | latex
