"""Inline SVG, made of escaped elements. No library: a picture is a dozen shapes and has to be the same byte for byte.

Strokes and fills stand as attributes, so that a picture reads without the stylesheet, which only colours it.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

Attribute = str | float | None
GLYPH = 6.7  # how wide a letter of the pictures' font is at most, in pixels


def element(tag: str, content: Iterable[str] | str = "", **attributes: Attribute) -> Markup:
    """``<tag …>content</tag>``; ``stroke_width`` becomes ``stroke-width`` and ``class_`` becomes ``class``."""
    written = "".join(_attribute(name, value) for name, value in attributes.items() if value is not None)
    inside = escape(content) if isinstance(content, str) else Markup("").join(content)
    return Markup(f"<{tag}{written}>{inside}</{tag}>")


def _attribute(name: str, value: Attribute) -> str:
    shown = value if isinstance(value, str) else f"{value:.6g}"
    return f' {name.rstrip("_").replace("_", "-")}="{escape(shown)}"'


def picture(width: float, height: float, said: str, content: Iterable[str], class_: str = "picture") -> Markup:
    """A whole picture; ``said`` is what it shows in words, for whoever cannot see it."""
    return element("svg", content, class_=class_, viewBox=f"0 0 {width:.6g} {height:.6g}", width=width, height=height,
                   role="img", aria_label=said, font_family="monospace", font_size=11)  # fmt: skip


def label(x: float, y: float, text: str, class_: str = "label", anchor: str = "start") -> Markup:
    """A line of text."""
    return element("text", text, x=x, y=y, class_=class_, fill="currentColor", text_anchor=anchor)


def box(x: float, y: float, width: float, height: float, class_: str, filled: bool = False) -> Markup:
    """A rectangle."""
    return element("rect", x=x, y=y, width=width, height=height, class_=class_,
                   fill="currentColor" if filled else "none", stroke=None if filled else "currentColor")  # fmt: skip


def line(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """Straight lines through these points."""
    path = " ".join(f"{x:.6g},{y:.6g}" for x, y in points)
    return element("polyline", points=path, class_=class_, fill="none", stroke="currentColor")


def length_of(text: str) -> float:
    """How much room a line of text takes at most."""
    return len(text) * GLYPH
