"""A picture of a tensor: a box whose edges have the documented names and sizes; the edge that differs is marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from conformance.report.svg import element, label, length_of, line, picture

_SLANT = 0.45  # how much of its length the edge that goes back takes to the right and upwards
_SPACE = 16.0  # around the box, for one line of text
Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """One dimension: how the page writes it, what size it documents here, and what it is; either may be unknown."""

    name: str
    documented: int | None
    size: int | None

    @property
    def differs(self) -> bool:
        return self.documented is not None and self.size is not None and self.documented != self.size

    @property
    def text(self) -> str:
        """``N = 2``; where they differ, what it is and what the page says."""
        known = self.size if self.size is not None else self.documented
        named = f"{self.name} = {known}" if self.name and not self.name.isdigit() else str(known)
        return f"✗ {self.size}, not {self._promised}" if self.differs else named.replace("*", "·")

    @property
    def _promised(self) -> str:
        plain = self.name.isdigit() or not self.name
        return str(self.documented) if plain else f"{self.name.replace('*', '·')} = {self.documented}"


@dataclass(frozen=True)
class Tensor:
    """A tensor of a case: its name, its dimensions, and what else is to be said of it."""

    name: str
    axes: Sequence[Axis]
    note: str = ""
    differs: bool = False
    absent: bool = False

    @property
    def wrong(self) -> bool:
        return self.differs or any(axis.differs for axis in self.axes)

    @property
    def said(self) -> str:
        """The picture in words."""
        sizes = ", ".join(axis.text for axis in self.axes) or "a scalar"
        return f"{self.name}: {'none' if self.absent else sizes}{f'; {self.note}' if self.note else ''}"

    @property
    def picture(self) -> Markup:
        """The box with its labels: the last axis goes right, the one before it down, the one before that back; any
        others are counted above."""
        if self.absent or not self.axes:
            return self._flat("none" if self.absent else "a scalar")
        *others, right = self.axes
        down = others.pop() if others else None
        back = others.pop() if others else None
        return _Box(self, others, back, down, right).picture

    def _flat(self, text: str) -> Markup:
        width = max(length_of(self.name), length_of(text)) + 2
        tone = "label wrong" if self.wrong else "label"
        return picture(width, 34, self.said, [label(0, 12, self.name, "label name"), label(0, 28, text, tone)])


@dataclass(frozen=True)
class _Box:
    tensor: Tensor
    others: Sequence[Axis]
    back: Axis | None
    down: Axis | None
    right: Axis

    @property
    def picture(self) -> Markup:
        across, high, deep = _edge(self.right), _edge(self.down), _edge(self.back) * _SLANT
        left = length_of(self.down.text) + 6 if self.down else 1.0
        top = _SPACE * (1 + len(self.others)) + 4 + deep
        corner = (left, top)
        wide = left + max(across + deep + self._beyond(), length_of(self.right.text))
        height = top + high + _SPACE + (_SPACE if self.tensor.note else 0)
        noted = [label(0, height - 4, self.tensor.note, "label note")] if self.tensor.note else []
        width = max(wide, length_of(self.tensor.name), length_of(self.tensor.note)) + 2
        content = [*self._titles(), *self._faces(corner, across, high, deep), *self._labels(corner, across, high, deep)]
        return picture(width, height + 2, self.tensor.said, [*content, *noted])

    def _beyond(self) -> float:
        """The room of the label behind the edge that goes back."""
        return length_of(self.back.text) + 4 if self.back else 0.0

    def _titles(self) -> list[Markup]:
        names = [label(0, 12, self.tensor.name, "label name")]
        return names + [
            label(0, 12 + _SPACE * (place + 1), axis.text, _tone(axis)) for place, axis in enumerate(self.others)
        ]

    def _faces(self, corner: Point, across: float, high: float, deep: float) -> list[Markup]:
        (x, y), empty = corner, any(axis.size == 0 for axis in self.tensor.axes)
        tone = f"face{' wrong' if self.tensor.wrong else ''}{' empty' if empty else ''}"
        front = [(x, y), (x + across, y), (x + across, y + high), (x, y + high), (x, y)]
        above = [(x, y), (x + deep, y - deep), (x + across + deep, y - deep), (x + across, y)]
        side = [(x + across + deep, y - deep), (x + across + deep, y + high - deep), (x + across, y + high)]
        shown = [front, above, side] if self.back and self.down else [front]
        dashes = "3 3" if empty else None
        return [_shape(points, tone, dashes) for points in shown]

    def _labels(self, corner: Point, across: float, high: float, deep: float) -> list[Markup]:
        x, y = corner
        found = [label(x, y + high + 13, self.right.text, _tone(self.right))]
        marks = [(self.right, [(x, y + high), (x + across, y + high)])]
        if self.down:
            found.append(label(x - 5, y + high / 2 + 4, self.down.text, _tone(self.down), "end"))
            marks.append((self.down, [(x, y), (x, y + high)]))
        if self.back:
            found.append(label(x + across + deep + 4, y - deep / 2 + 2, self.back.text, _tone(self.back)))
            marks.append((self.back, [(x + across, y), (x + across + deep, y - deep)]))
        return found + [line(points, "edge wrong") for axis, points in marks if axis.differs]


def _shape(points: Sequence[Point], class_: str, dashes: str | None) -> Markup:
    path = " ".join(f"{x:.6g},{y:.6g}" for x, y in points)
    return element("polyline", points=path, class_=class_, fill="none", stroke="currentColor", stroke_dasharray=dashes)


def _edge(axis: Axis | None) -> float:
    """How long an edge is drawn: sizes differ by orders of magnitude, and even none has to be seen."""
    size = axis.size if axis and axis.size is not None else axis.documented if axis else 1
    return 14.0 + 13.0 * math.log2(1 + min(max(size or 0, 0), 255))


def _tone(axis: Axis) -> str:
    return "label wrong" if axis.differs else "label"
