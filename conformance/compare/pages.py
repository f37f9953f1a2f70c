"""A page as two releases ship it: the signature that Python shows, the formulas, the rest of the text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.compare.fields import Found

LINES = 12  # of a change, as many as a reader takes in; the script prints the page
_FORMULA = re.compile(r":math:`([^`]*)`|`{1,2}(\([^`()]*(?:\([^`]*\)[^`()]*)*\))`{1,2}")
_DISPLAY = re.compile(r"\.\. math::[^\n]*\n((?:[ \t]+[^\n]*\n|[ \t]*\n)*)")


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Found]:
    """What of a page differs. A class that one release has not is a difference of status and of nothing else."""
    if "absent" in old or "absent" in new:
        if ("absent" in old) != ("absent" in new):
            yield Found("status", *("absent" if "absent" in page else "documented" for page in (old, new)))
        return
    if old["signature"] != new["signature"]:
        yield Found("signature", signature(old), signature(new))
    before, after = _formulas(old), _formulas(new)
    if before != after:
        yield Found("formulas", *_lines(before, after))
    if before == after and _text(old) != _text(new):
        yield Found("page", *_lines(_text(old), _text(new)))


def signature(page: Mapping[str, Any]) -> str:
    """The arguments as Python writes them."""
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}
    said = [f"{stars.get(kind, '')}{name}{'' if default is None else f'={default}'}" for name, kind, default in
            page["signature"]]  # fmt: skip
    return f"({', '.join(said)})"


def _formulas(page: Mapping[str, Any]) -> list[str]:
    """Every formula and every shape of a page, once each, in their order."""
    text = f"{page['doc']}\n{page['forward']}\n"
    displayed = [" ".join(line.split()) for block in _DISPLAY.findall(text) for line in block.splitlines()]
    inline = [" ".join((one or two).split()) for one, two in _FORMULA.findall(text)]
    return list(dict.fromkeys(filter(None, [*displayed, *inline])))


def _text(page: Mapping[str, Any]) -> list[str]:
    lines = [*page["doc"].splitlines(), *page["forward"].splitlines()]
    return [" ".join(line.split()) for line in lines if line.strip()]


def _lines(before: list[str], after: list[str]) -> tuple[str, str]:
    """The lines that are only in one of both."""
    told = list(difflib.ndiff(before, after))
    sides = ([line[2:] for line in told if line.startswith(sign)] for sign in "-+")
    one, two = ("\n".join([*side[:LINES], *(["…"] if len(side) > LINES else [])]) for side in sides)
    return one or "nothing in their place", two or "nothing in their place"
