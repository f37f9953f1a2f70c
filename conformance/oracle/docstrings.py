"""Docstrings in the style of ``torch.nn``, read as statements about shapes. Pure functions; they never raise.

A page states shapes in bullets (``Inputs:``, ``Outputs:``, ``Shape:``, the ``Args:`` of ``forward``), parameters under
``Attributes:``, and formulas in ``.. math::`` blocks or within a sentence. What a statement is about, under which
conditions, is read off the sentence around it; what could not be read is kept with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from conformance.oracle import latex
from conformance.oracle.latex import Unreadable

# Characters of a page, and statements of one kind on it; the longest of torch.nn have a tenth and a fourth of that.
_LONGEST, _MOST = 200_000, 80
_PORTS = ("Inputs", "Outputs", "Shape")
_HEADER = re.compile(r"^(Args|Inputs|Outputs|Shape|Attributes)[ \t]*::?(?:[ \t].*)?$")
_NAME = r"^\*{0,2}([A-Za-z_][\w\[\]]*'?)\*{0,2}[ \t]*"
# "**input** of shape `(batch, input_size)`: tensor …": what comes before the colon belongs to the text.
_ENTRY = re.compile(rf"{_NAME}(?:(?:\([^()]*\))?[ \t]*(?::|-)(?!:)[ \t]*|(?=of shape\b))")
_ROLE = re.compile(r":math:`([^`]*)`")
# In the flattened text of an entry a formula stands between these two, which no docstring has.
_OPEN, _CLOSE = "\x01", "\x02"
_MATH = re.compile(rf"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")
_EQUALS = re.compile(rf"{_CLOSE}\s*=\s*`{{1,2}}(\w+)`{{1,2}}")
_SENTENCE_END = re.compile(r"\.(?=\s|$)|\n")
_CONDITION = re.compile(r"`{1,2}([A-Za-z_]\w*)\s*(=|==|!=|>|>=|<|<=)\s*(True|False|None|\d{1,9})`{1,2}")
_IS_WORD = re.compile(r"([A-Za-z_]\w*) is '(\w+)'")
_PROSE = re.compile(r"(?:\{\}|[\s&])*\\text\{[A-Za-z]+(?: [A-Za-z]+)+\}\s*$")


@dataclass(frozen=True)
class Stated:
    """One statement of a page: the axes of a shape, or a formula as the only part.

    ``clause`` is the part of the sentence around it, ``conditions`` what it says of options (``not batch_first``),
    ``like`` another subject whose shape this one is said to have; ``problem`` is why it could not be read.
    """

    section: str
    subject: str
    source: str
    parts: tuple[str, ...] = ()
    clause: str = ""
    conditions: tuple[str, ...] = ()
    like: str = ""
    problem: str = ""
    equation: bool = False

    @property
    def corrects(self) -> bool:
        """Whether a formula speaks of the symbol that it defines, ``L_out - 1 if … else L_out``."""
        return any(self.subject in re.findall(r"\w+", part) for part in self.parts)

    @property
    def text(self) -> str:
        """How it is shown: the shape with what was said of it."""
        body = self.problem and f"{self.source!r} ({self.problem})"
        body = body or (f"the shape of {self.like}" if self.like else self._written())
        return f"{body} where {' and '.join(self.conditions)}" if self.conditions else body

    def _written(self) -> str:
        inner = ", ".join(self.parts)
        return inner if self.equation else f"({inner},)" if len(self.parts) == 1 else f"({inner})"


@dataclass(frozen=True)
class Document:
    """Everything a page states: shapes of inputs and outputs, of parameters, and formulas of symbols."""

    ports: tuple[Stated, ...] = ()
    attributes: tuple[Stated, ...] = ()
    formulas: tuple[Stated, ...] = ()

    def unparsed(self) -> list[str]:
        """What looks like a formula and could not be read, each with the reason."""
        kinds = {"shapes": self.ports, "parameters": self.attributes, "formulas": self.formulas}
        found = [said for statements in kinds.values() for said in statements if said.problem]
        over = [f"-: -: {kind}: only the first {_MOST} are read" for kind, said in kinds.items() if len(said) == _MOST]
        return [f"{s.section}: {s.subject or '-'}: {s.source}: {s.problem}" for s in found] + over


class Shown(NamedTuple):
    """An argument as a signature shows it; the default as it is written, None where there is none."""

    name: str
    by_position: bool
    default: str | None


@lru_cache(maxsize=64)
def parse(doc: str, forward: str = "") -> Document:
    """The statements of a class's docstring and of its ``forward``; an odd page gives fewer, never an exception."""
    called = [("forward" if name == "Args" else name, body) for name, body in _sections(forward)]
    sections = [*_sections(doc), *called]
    ports = (s for name, body in sections if name in (*_PORTS, "forward") for s in _port_statements(name, body))
    attributes = (s for name, body in sections if name == "Attributes" for s in _attribute_statements(body))
    formulas = (s for name, body in sections if name in _PORTS for s in _formula_statements(name, body))
    return Document(*(tuple(islice(statements, _MOST)) for statements in (ports, attributes, formulas)))


# -- sections and entries ----------------------------------------------------------------------------------------------


def _sections(doc: str) -> list[tuple[str, list[str]]]:
    """Each section's name with its lines; a line at the margin ends it."""
    found: list[tuple[str, list[str]]] = []
    inside = False
    for line in doc[:_LONGEST].replace(_OPEN, " ").replace(_CLOSE, " ").expandtabs().splitlines():
        if header := _HEADER.match(line):
            found.append((header[1], []))
            inside = True
        elif line[:1].strip():
            inside = False
        elif inside:
            found[-1][1].append(line)
    return found


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    """``(name, text)`` of every entry: a line at the section's own indentation and what is indented below it."""
    base = min((_indent(line) for line in lines if line.strip()), default=0)
    name, text = "", [""]
    for line in lines:
        if line.strip() and _indent(line) <= base:
            yield name, _flat(text)
            content = re.sub(r"^[-*]\s+", "", line.strip())
            entry = _ENTRY.match(content)
            name, text = (entry[1], [content[entry.end() :]]) if entry else ("", [content])
        else:
            text.append(line.strip())
    yield name, _flat(text)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _flat(lines: list[str]) -> str:
    """One line a paragraph, formulas marked; a shape or an equation that the page broke over two roles is one again."""
    text = _ROLE.sub(lambda role: f"{_OPEN}{role[1]}{_CLOSE}", " ".join(line or "\n" for line in lines))
    text = _EQUALS.sub(rf" = \1{_CLOSE}", text)
    pieces = re.split(rf"{_CLOSE}\s*{_OPEN}", text)
    joined = pieces[0]
    for piece in pieces[1:]:
        last = joined.rpartition(_OPEN)[2]
        joined += (" " if last.count("(") > last.count(")") else f"{_CLOSE} {_OPEN}") + piece
    return joined


# -- shapes of inputs and outputs --------------------------------------------------------------------------------------

# "All but the last dimension are the same shape as the input" says less than "must be the same shape as the input".
_SHAPE_LIKE = re.compile(
    rf"{_OPEN}\s*(?P<math>\([^{_OPEN}{_CLOSE}]*){_CLOSE}|(?:(?<=of shape )|(?<=` or ))`(?P<code>\([^`]*\))`"
    r"|(?<!are the )\b(?P<like>same shape (?:as )?(?:the )?input)\b|\b[Ss]calar\b"
)


def _port_statements(section: str, lines: list[str]) -> Iterator[Stated]:
    for name, text in _entries(lines):
        if name:
            for match, clause, conditions in _clauses(text, list(_SHAPE_LIKE.finditer(text))):
                source = match[0].strip(f"{_OPEN}{_CLOSE}` ")
                said = Stated(section, name, source, clause=clause, conditions=conditions)
                if shape := match["math"] or match["code"]:
                    yield _read(said, shape.strip())
                elif match["like"]:
                    yield replace(said, like="input")
                elif section == "Shape":
                    yield said


def _clauses(text: str, matches: list[re.Match[str]]) -> Iterator[tuple[re.Match[str], str, tuple[str, ...]]]:
    """Each statement with the words that qualify it, and the conditions that they name.

    Those are the beginning of its sentence up to the sentence's first statement, and what follows the statement
    itself up to the next one or to the end of the sentence.
    """
    opening, end = "", 0
    conditions: tuple[str, ...] = ()
    for index, match in enumerate(matches):
        between = text[end : match.start()]
        stops = list(_SENTENCE_END.finditer(between))
        if stops or not index:
            opening = between[stops[-1].end() if stops else 0 :]
        end = match.end()
        following = text[end : matches[index + 1].start() if index + 1 < len(matches) else len(text)]
        stop = _SENTENCE_END.search(following)
        clause = f"{opening} {following[: stop.start() if stop else len(following)]}"
        conditions = _conditions(clause) or (_negated(conditions) if "otherwise" in opening.lower() else ())
        yield match, clause, conditions


def _conditions(clause: str) -> tuple[str, ...]:
    """What a clause says of options: ``when ``batch_first=False``` is ``not batch_first``."""
    said = [_condition(*match.groups()) for match in _CONDITION.finditer(clause)]
    return (*said, *(f"{name} == '{word}'" for name, word in _IS_WORD.findall(clause)))


def _negated(conditions: tuple[str, ...]) -> tuple[str, ...]:
    """What "otherwise" means after a statement under one condition; after several it is left open."""
    if len(conditions) != 1:
        return ()
    name, _, rest = conditions[0].partition(" ")
    if name == "not":
        return (rest,)
    return (f"{name} != {rest.removeprefix('== ')}",) if rest.startswith("== ") else (f"not {name}",) * (not rest)


def _condition(name: str, relation: str, value: str) -> str:
    if relation in ("=", "=="):
        return {"True": name, "False": f"not {name}"}.get(value, f"{name} == {value}")
    return f"{name} {relation} {value}"


def _read(said: Stated, text: str) -> Stated:
    try:
        return replace(said, parts=latex.sizes(text))
    except Unreadable as error:
        return replace(said, problem=str(error))


# -- parameters --------------------------------------------------------------------------------------------------------

_OF_SHAPE = re.compile(rf"\bshape(?:\s+is|\s+will\s+be)?\s+[`{_OPEN}]{{0,3}}\s*(?=\()")
_ANALOGOUS = re.compile(r"Analogous to `{1,2}([\w\[\]]+)`{1,2}")


def _attribute_statements(lines: list[str]) -> Iterator[Stated]:
    for name, text in _entries(lines):
        label = name.replace("[", "{").replace("]", "}")
        if not name:
            continue
        for match, clause, conditions in _clauses(text, list(_OF_SHAPE.finditer(text))):
            shape = _bracketed(text[match.end() : match.end() + latex.LONGEST])
            said = Stated("Attributes", label, shape, clause=clause, conditions=conditions)
            yield _read(said, shape)
        if other := _ANALOGOUS.search(text):
            like = other[1].replace("[", "{").replace("]", "}")
            yield Stated("Attributes", label, other[0], like=like)


def _bracketed(text: str) -> str:
    """The text up to the bracket that closes its first one."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if not depth:
            return text[: position + 1]
    return text


# -- formulas ----------------------------------------------------------------------------------------------------------

_WHEN = re.compile(rf"\s*when\s*{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")
_EQUATION = re.compile(r"^[^=<>!]*=(?!=)")


def _formula_statements(section: str, lines: list[str]) -> Iterator[Stated]:
    for context, body in _blocks(lines):
        for row in re.split(r"\\\\", re.sub(r"\\(?:begin|end)\{\w+\}", " ", body)):
            yield from _equation(Stated(section, "", row.strip(), conditions=_conditions(context)))
    for _, text in _entries(lines):
        for match in _MATH.finditer(text):
            when = _WHEN.match(text, match.end())
            yield from _equation(Stated(section, "", match[1].strip()), when[1] if when else "")


def _blocks(lines: list[str]) -> Iterator[tuple[str, str]]:
    """The ``.. math::`` blocks, each with the line of text before it."""
    context, margin = "", -1
    body: list[str] = []
    for line in [*lines, "."]:
        text = line.strip()
        if margin >= 0 and text and _indent(line) <= margin:
            yield context, " ".join(body)
            context, margin = "", -1
        if text.startswith(".. math::"):
            margin, body = _indent(line), [text.removeprefix(".. math::")]
        elif margin >= 0:
            body.append(text)
        elif text:
            # "where ``ceil_mode = False``" is said of the block; the end of a bullet is said of the bullet.
            context = text if text.lower().startswith(("where ", "when ", "if ", "for ")) else ""


def _equation(said: Stated, when: str = "") -> Iterator[Stated]:
    """``D = 2 if bidirectional=True otherwise 1``; ``N = batch size`` is prose and no formula."""
    left, _, right = said.source.partition("=")
    if said.source.startswith("(") or not _EQUATION.match(said.source) or _PROSE.match(right):
        return
    try:
        name, formula = latex.definition(said.source)
        if when:  # ``make L_out = L_out - 1 when ...``: else it stays as it was
            formula = f"{formula} if {latex.condition(when)} else {name}"
        yield replace(said, subject=name, parts=(formula,), equation=True)
    except Unreadable as error:
        yield replace(said, subject=_guess(left), problem=str(error))


def _guess(left: str) -> str:
    """The symbol that a formula that cannot be read seems to define."""
    try:
        return latex.formula(left)
    except Unreadable:
        return ""


# -- signatures --------------------------------------------------------------------------------------------------------


def signature(doc: str, shown: list[list[str | None]]) -> list[Shown] | None:
    """The documented arguments: the page's ``__init__(…)`` line, else what Python shows; None where neither says."""
    if doc.startswith("__init__("):
        return _written(doc.partition("\n")[0][: latex.LONGEST])
    if not shown or any("VAR_" in str(kind) for _, kind, _ in shown):
        return None
    return [Shown(str(name), kind != "KEYWORD_ONLY", default) for name, kind, default in shown]


def _written(line: str) -> list[Shown] | None:
    inner = _bracketed(line.removeprefix("__init__"))
    try:
        parts = latex.split(inner[1:-1])
    except Unreadable:
        return None
    found: list[Shown] = []
    by_position = True
    for part in parts:
        name, equals, default = (text.strip() for text in part.partition("="))
        if name.startswith("*"):
            by_position = False
        elif name not in ("self", "/"):
            found.append(Shown(name.partition(":")[0].strip(), by_position, default if equals else None))
    return found
