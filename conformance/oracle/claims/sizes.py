"""Documentation drift on the pages of functions, which write sizes as ``T x B x *`` in their sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from conformance.oracle.claims.claim import Claim, Failure, Judgement
from conformance.oracle.claims.documentation import Page
from conformance.oracle.contract import NEVER, Contract

_SIZES = re.compile(r"``([A-Z](?: x [A-Z*])+)``")
_SENTENCE = re.compile(r"\.(?=\s)|\n\s*\n")
_OPTION = re.compile(r"(?i:\bif\b)[^.]*?\b(True|False)\b")


def claims(contract: Contract) -> Iterator[Claim]:
    """Which sizes a page gives, and for which layout."""
    if contract.function and contract.documents.get("sizes") != NEVER:
        shown = ", ".join(sorted(_documented(contract)))
        yield Claim(f"{contract.prefix}.documentation.sizes", contract.module, "documentation",
                    f"the page gives the sizes {shown} and no others", "text", partial(_given, contract))  # fmt: skip
        if any(option.name == "batch_first" for option in contract.options):
            yield Claim(f"{contract.prefix}.documentation.sizes.batch_first", contract.module, "documentation",
                        "the page gives T x B x * where batch_first is False and B x T x * where it is True", "text",
                        _told_apart)  # fmt: skip


def _documented(contract: Contract) -> set[str]:
    """The oracle's sizes in the notation of these pages: ``(T, B, *S)`` is ``T x B x *``."""
    texts = {text for port in (*contract.inputs, *contract.outputs) for text in port.by_layout.values()
             if not (port.name in ("lengths", "sequence") or port.packed)}  # fmt: skip
    return {text.strip("()").replace(", ", " x ").replace("*S", "*").replace("T_out", "T") for text in texts
            if not text.startswith("(*")}  # fmt: skip


def _given(contract: Contract, page: Page) -> Judgement:
    expected, found = _documented(contract), set(_SIZES.findall(page.doc))
    return found == expected or Failure(
        ", ".join(sorted(expected)), ", ".join(sorted(found)) or "nothing on the page", "documentation"
    )


def _told_apart(page: Page) -> Judgement:
    """What each sentence says of ``batch_first``, held against the layouts; "otherwise" is the other value."""
    stated = list(_statements(page.doc))
    wrong = [f"{size} where batch_first is {value}" for size, value in stated if size.startswith("B") != value]
    if wrong or not any(value for _, value in stated):
        expected = "T x B x * where batch_first is False, B x T x * where it is True"
        return Failure(expected, "; ".join(wrong) or "nothing on the page", "documentation")
    return True


def _statements(doc: str) -> Iterator[tuple[str, bool]]:
    """Each size of a padded tensor with the value of ``batch_first`` that its sentence names."""
    last: bool | None = None
    for sentence in _SENTENCE.split(doc):
        matches = list(_SIZES.finditer(sentence))
        for number, match in enumerate(matches):
            before = sentence[matches[number - 1].end() if number else 0 : match.start()]
            after = sentence[match.end() : matches[number + 1].start() if number + 1 < len(matches) else len(sentence)]
            said = _OPTION.search(after)
            if said is None and "otherwise" in after and last is not None:
                value: bool | None = not last
            else:
                said = said or _OPTION.search(before)
                value = said[1] == "True" if said else None
            last = value if value is not None else last
            if value is not None and "B" in match[1]:
                yield match[1], value
