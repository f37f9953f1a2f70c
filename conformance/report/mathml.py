"""Formulas as MathML, which browsers show without any script; as code text where SymPy cannot write them."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ET
from functools import cache

from markupsafe import Markup, escape

_TAGS = {
    "mrow", "mo", "mi", "mn", "msub", "msup", "mfrac", "msqrt", "mroot", "mtext", "mtable", "mtr", "mtd", "mfenced",
}  # fmt: skip
# SymPy reads ``hidden_size`` as *hidden* with an index; on the page it is one name.
_SPLIT_NAME = re.compile(r"<msub><mi>([^<]{2,})</mi><mi>([^<]+)</mi></msub>")
_LONGEST = 400


@cache
def formula(text: str) -> Markup:
    """The formula as it is shown in a page. Formulas repeat a lot: each is written once."""
    try:
        inner = _mathml(text)
    except Exception:
        # A run file may come from another version of the suite or from anywhere; its text can always be shown.
        return Markup("<code>{}</code>").format(text)
    return Markup('<math alttext="{}">{}</math>').format(text, Markup(inner))


def _mathml(text: str) -> str:
    if len(text) > _LONGEST or "**" in text:
        raise ValueError("a power or a long formula could take SymPy for ever")
    body = ast.parse(text, mode="eval").body if " if " in text else None
    if isinstance(body, ast.IfExp):  # SymPy would write piecewise(...), and turn conditions round
        chosen, other = (_mathml(ast.unparse(part)) for part in (body.body, body.orelse))
        return f"{chosen}<mtext>\u00a0if {escape(ast.unparse(body.test))}, otherwise\u00a0</mtext>{other}"
    from conformance.oracle.symbolic import to_mathml  # late: it brings SymPy, and half of what imports this needs none

    written = to_mathml(text).replace("&InvisibleTimes;", "·").replace("<mo>-</mo>", "<mo>\u2212</mo>")
    root = ET.fromstring(f"<mrow>{_SPLIT_NAME.sub(_joined, written)}</mrow>")
    return ET.tostring(_checked(root), encoding="unicode")


def _joined(found: re.Match[str]) -> str:
    return f"<mi>{found[1]}_{found[2]}</mi>"


def _checked(node: ET.Element) -> ET.Element:
    """The tree without attributes; ``mfenced``, which browsers no longer know, as the brackets that it stands for."""
    if node.tag not in _TAGS:
        raise ValueError(f"{node.tag} is not part of MathML as SymPy writes it")
    if node.tag == "mfenced":
        _unfence(node)
    node.attrib.clear()
    for child in node:
        _checked(child)
    return node


def _unfence(node: ET.Element) -> None:
    brackets = [node.get("open", "("), node.get("close", ")")]
    inside = list(node)
    for position in range(len(inside) - 1, 0, -1):
        inside.insert(position, _operator(","))
    node[:] = [_operator(brackets[0]), *inside, *([_operator(brackets[1])] if brackets[1] else [])]
    node.tag = "mrow"


def _operator(text: str) -> ET.Element:
    element = ET.Element("mo")
    element.text = text
    return element
