r"""The LaTeX of PyTorch's pages, turned into the project's notation: ``D * \text{num\_layers}`` is ``D * num_layers``.

The text comes from the library under test, so it is hostile: it is never evaluated, nothing but the short grammar
below is read, lengths and depths are bounded, and whatever else is found raises :class:`Unreadable` and nothing else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

LONGEST, _TOKENS, _DEPTH = 600, 100, 12
_Read = TypeVar("_Read")


class Unreadable(ValueError):
    """A text that is not a formula in this notation, and why."""


class Token(NamedTuple):
    """``kind`` is name, number, op, or a LaTeX command; ``rest`` are the bounds of a product."""

    kind: str
    text: str
    rest: tuple[str, str] = ("", "")


_NAME = r"[A-Za-z][A-Za-z0-9]*(?:\\?_[A-Za-z0-9]+)*"
_LEXER = re.compile(
    r"(?P<space>\s+|\{\}|&|~|\\(?:left|right|quad|,|;|:|!| )(?![A-Za-z]))|(?P<number>\d{1,9}(?![\d.]))"
    rf"|(?P<name>{_NAME})"
    r"|(?P<command>\\[A-Za-z]+)|(?P<op>\.\.\.|[<>!=]=|//|[-+*/<>=()\[\]{}])|(?P<sub>_)"
)
_OPERATORS = {
    r"\times": "*", r"\cdot": "*", r"\div": "/", r"\ge": ">=", r"\geq": ">=", r"\le": "<=", r"\leq": "<=",
    r"\ne": "!=", r"\neq": "!=", r"\ldots": "...", r"\dots": "...", r"\cdots": "...",
}  # fmt: skip
_UPRIGHT = (r"\text", r"\mathrm", r"\texttt", r"\mathit", r"\textit", r"\operatorname")
_STRUCTURE = (r"\frac", r"\lfloor", r"\rfloor", r"\lceil", r"\rceil")
_SUM: dict[str, ast.operator] = {"+": ast.Add(), "-": ast.Sub()}
_PRODUCT: dict[str, ast.operator] = {"*": ast.Mult(), "/": ast.Div(), "//": ast.FloorDiv()}
_RELATION: dict[str, ast.cmpop] = {
    "=": ast.Eq(), "==": ast.Eq(), "!=": ast.NotEq(), "<": ast.Lt(), ">": ast.Gt(), "<=": ast.LtE(), ">=": ast.GtE(),
}  # fmt: skip
_WORDS = {"if", "otherwise", "else"}
_CONSTANTS: dict[str, bool | None] = {"True": True, "False": False, "None": None}
_ELLIPSIS = "..."
_MARKS = {_ELLIPSIS: ".", "*": "*"}


def formula(text: str) -> str:
    """One formula, ``\\frac{a}{b} + 1`` as ``a / b + 1``."""
    return _whole(text, _Reader.choice)


def condition(text: str) -> str:
    """A relation, ``bidirectional=True`` as ``bidirectional``."""
    return _whole(text, _Reader.condition)


def definition(text: str) -> tuple[str, str]:
    """``H_{out} = \\text{hidden\\_size}`` as ``("H_out", "hidden_size")``."""
    left, equals, right = text.partition("=")
    name = formula(left)
    if not equals or not name.isidentifier():
        raise Unreadable(f"{name} is not a single symbol")
    return name, formula(right)


def sizes(text: str) -> tuple[str, ...]:
    """The axes of a shape: ``(N, C, d_1, ..., d_K)`` as ``("N", "C", "*d")``; a bare ``*`` is kept as it is."""
    text = text.strip()
    if len(text) > LONGEST or not text.startswith("(") or not text.endswith(")"):
        raise Unreadable("a shape is written in brackets")
    pieces = split(text[1:-1])
    return _joined([part if part in ("*", _ELLIPSIS) else formula(part) for part in map(_plain, pieces)])


def _whole(text: str, read: Callable[[_Reader], ast.expr]) -> str:
    reader = _Reader(_tokens(text))
    node = _bounded(lambda: read(reader))
    reader.finish()
    written = _bounded(lambda: ast.unparse(node))
    _bounded(lambda: ast.parse(written, mode="eval"))
    return written


def _bounded(act: Callable[[], _Read]) -> _Read:
    """A Python keyword as a name, or depth that the counters let through, is unreadable and nothing worse."""
    try:
        return act()
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise Unreadable(f"not a formula: {type(error).__name__}") from None


# -- tokens ------------------------------------------------------------------------------------------------------------


def _tokens(text: str, depth: int = 0) -> list[Token]:
    if len(text) > LONGEST or depth > _DEPTH:
        raise Unreadable(f"longer than {LONGEST} characters, or nested too deep")
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _LEXER.match(text, position)
        if match is None:
            raise Unreadable(f"{text[position]!r} is not part of the notation")
        position = match.end()
        kind, written = str(match.lastgroup), match.group()
        if kind == "command":
            position = _command(written, text, position, found, depth)
        elif kind == "sub":
            position = _subscript(text, position, found)
        elif kind != "space":
            found.append(Token(kind, written.replace("\\", "")))
    if len(found) > _TOKENS:
        raise Unreadable(f"more than {_TOKENS} tokens")
    return found


def _command(command: str, text: str, position: int, found: list[Token], depth: int) -> int:
    if command in _UPRIGHT:
        inner, position = _group(text, position)
        found.extend(_tokens(inner, depth + 1))
    elif command == r"\prod":
        below, above, position = _bounds(text, position)
        index, _, first = below.partition("=")
        found.append(Token(r"\prod", _word(index), (_word(first), _word(above))))
    elif command in _OPERATORS:
        found.append(Token("op", _OPERATORS[command]))
    elif command in _STRUCTURE:
        found.append(Token(command, command))
    else:
        raise Unreadable(f"{command} is not part of the notation")
    return position


def _subscript(text: str, position: int, found: list[Token]) -> int:
    r"""``H_{in}``, ``H_\text{in}`` and ``H_{\text{in}}`` are one name, ``H_in``."""
    if not found or found[-1].kind != "name":
        raise Unreadable("an index without a name before it")
    inner, position = _group(text, position)
    found[-1] = Token("name", f"{found[-1].text}_{_word(inner)}")
    return position


def _word(text: str) -> str:
    for upright in _UPRIGHT:
        text = text.replace(upright + "{", "")
    word = text.replace("}", "").replace("\\_", "_").strip()
    if not re.fullmatch(r"[A-Za-z0-9_]{1,40}", word):
        raise Unreadable(f"{text!r} is not an index")
    return word


def _group(text: str, position: int) -> tuple[str, int]:
    r"""What is in the braces here, ``{…}`` or ``\text{…}``, and where it ends."""
    start = re.compile(r"\s*(?:\\[A-Za-z]+)?\s*\{").match(text, position)
    if start is None:
        raise Unreadable("braces are missing")
    depth = 1
    for end in range(start.end(), len(text)):
        depth += (text[end] == "{") - (text[end] == "}")
        if not depth:
            return text[start.end() : end], end + 1
    raise Unreadable("braces are not closed")


def _bounds(text: str, position: int) -> tuple[str, str, int]:
    marks = []
    for mark in "_^":
        position += len(text[position:]) - len(text[position:].lstrip())
        if not text.startswith(mark, position):
            raise Unreadable("a product without bounds")
        inner, position = _group(text, position + 1)
        marks.append(inner)
    return marks[0], marks[1], position


# -- grammar -----------------------------------------------------------------------------------------------------------


class _Reader:
    """A recursive descent over the tokens that builds a Python syntax tree, so that unparsing sets the brackets."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0

    def finish(self) -> None:
        if self.position < len(self.tokens):
            raise Unreadable(f"{self.tokens[self.position].text!r} does not continue a formula")

    def accept(self, *texts: str) -> str | None:
        if self.position < len(self.tokens) and (found := self.tokens[self.position].text) in texts:
            self.position += 1
            return found
        return None

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise Unreadable(f"{text!r} is missing")

    def choice(self) -> ast.expr:
        """``2 if bidirectional=True otherwise 1``."""
        self.depth += 1
        if self.depth > _DEPTH:
            raise Unreadable("nested too deep")
        value = self.sum()
        if self.accept("if"):
            test = self.condition()
            if not self.accept("otherwise", "else"):
                raise Unreadable("a choice without its other half")
            value = ast.IfExp(test, value, self.choice())
        self.depth -= 1
        return value

    def condition(self) -> ast.expr:
        left = self.sum()
        if not (relation := self.accept(*_RELATION)):
            return left
        right = self.sum()
        if relation in ("=", "==") and isinstance(right, ast.Constant) and isinstance(right.value, bool):
            return left if right.value else ast.UnaryOp(ast.Not(), left)
        return ast.Compare(left, [_RELATION[relation]], [right])

    def sum(self) -> ast.expr:
        return self.chain(_SUM, lambda: self.chain(_PRODUCT, self.atom))

    def chain(self, operators: dict[str, ast.operator], operand: Callable[[], ast.expr]) -> ast.expr:
        value = operand()
        while found := self.accept(*operators):
            value = ast.BinOp(value, operators[found], operand())
        return value

    def atom(self) -> ast.expr:
        if self.accept("-"):
            self.depth += 1
            if self.depth > _DEPTH:
                raise Unreadable("nested too deep")
            value: ast.expr = ast.UnaryOp(ast.USub(), self.atom())
            self.depth -= 1
            return value
        token = self.next()
        match token.kind:
            case "number":
                return ast.Constant(int(token.text))
            case "name":
                return self.name(token.text)
            case r"\frac":
                return ast.BinOp(self.between("{", "}"), ast.Div(), self.between("{", "}"))
            case r"\lfloor" | r"\lceil":
                return self.rounded(token.kind)
            case r"\prod":
                return self.product(token)
        if token.text in ("(", "{"):
            self.position -= 1
            return self.between(token.text, ")" if token.text == "(" else "}")
        raise Unreadable(f"{token.text!r} does not begin a formula")

    def next(self) -> Token:
        if self.position == len(self.tokens):
            raise Unreadable("the formula ends too early")
        self.position += 1
        return self.tokens[self.position - 1]

    def between(self, opening: str, closing: str) -> ast.expr:
        self.expect(opening)
        value = self.choice()
        self.expect(closing)
        return value

    def name(self, text: str) -> ast.expr:
        if text in _WORDS:
            raise Unreadable(f"{text!r} does not begin a formula")
        if text in _CONSTANTS:
            return ast.Constant(_CONSTANTS[text])
        value: ast.expr = ast.Name(text)
        if self.accept("["):
            value = ast.Subscript(value, self.choice())
            self.expect("]")
        return value

    def rounded(self, opening: str) -> ast.expr:
        function = opening.removeprefix(r"\l")
        value = self.choice()
        self.expect(rf"\r{function}")
        return ast.Call(ast.Name(function), [value], [])

    def product(self, bounds: Token) -> ast.expr:
        r"""``\prod_{i=a}^{b} S_i``: the product of the sizes from ``a`` up to and with ``b``."""
        over = self.next()
        base, _, index = over.text.rpartition("_")
        if over.kind != "name" or not base or index != bounds.text:
            raise Unreadable("a product of something other than S_i")
        return ast.parse(f"prod({_slice(base, *bounds.rest)})", mode="eval").body


# -- shapes ------------------------------------------------------------------------------------------------------------


def _plain(part: str) -> str:
    part = part.strip()
    return _ELLIPSIS if part in ("...", r"\ldots", r"\dots", r"\cdots") else part


def split(text: str) -> list[str]:
    """The parts between commas that are in no bracket; a comma at the end adds none."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            raise Unreadable("brackets that do not match")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    if depth:
        raise Unreadable("brackets that do not match")
    return parts[:-1] if not parts[-1].strip() else parts


def _joined(parts: list[str]) -> tuple[str, ...]:
    """``d_1, ..., d_K`` is ``*d``; ``*, S_a, ..., S_b, *`` is all of ``*S``, whose ends the bare stars are."""
    if _ELLIPSIS not in parts:
        return tuple(parts)
    base = parts[parts.index(_ELLIPSIS) - 1].rpartition("_")[0]
    kinds = "".join("s" if part.startswith(f"{base}_") else _MARKS.get(part, " ") for part in parts)
    run = re.fullmatch(r"([^.s]*?)(\*?)(s+)\.(?:s\.)?s(\*?)([^.s]*)", kinds)
    if run is None or not base.isidentifier():
        raise Unreadable("dots that do not stand between two sizes of one kind")
    first, *counted = (part.removeprefix(f"{base}_") for part in parts[run.start(3) : run.end(3)])
    last = parts[run.start(4) - 1].removeprefix(f"{base}_")
    if counted and (not first.isdecimal() or counted != [str(int(first) + i + 1) for i in range(len(counted))]):
        raise Unreadable("sizes that are not counted one by one")
    if first == "1":
        return (*parts[: run.start(3)], f"*{base}", *parts[run.start(4) :])
    sizes = _slice(base, "" if run[2] else first, "" if run[4] else last)
    return (*parts[: run.start(2)], f"*{sizes}", *parts[run.end(4) :])


def _slice(base: str, first: str, last: str) -> str:
    if not (first or last):
        return base
    if not all(part == "" or part.isidentifier() or part.isdecimal() for part in (base, first, last)):
        raise Unreadable("bounds that are not names")
    return f"{base}[{first}:{last} + 1]" if last else f"{base}[{first}:]"
