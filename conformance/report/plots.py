"""Plots of counts: people look rather than read. Each says in words what it shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from conformance.report.svg import box, element, label, length_of, line, picture

Bins = Mapping[str, int]
_COARSEST, _BEYOND = -24, "beyond"  # the first bin of errors and what comes after the last, as the campaign counts them
_CELL, _ROW = 13.0, 20.0


def histogram(name: str, counts: Bins) -> Markup:
    """One bar a value, its count above it."""
    wide = max(max(map(length_of, (*counts, *map(str, counts.values()))), default=0.0) + 4, 22.0)
    most = max(counts.values(), default=1)
    bars = [mark for place, (value, count) in enumerate(counts.items())
            for mark in _column(place * wide, wide, value, count, most)]  # fmt: skip
    said = f"{name}: {', '.join(f'{value} in {count} cases' for value, count in counts.items())}"
    return picture(max(wide * len(counts), 1), 92, said, bars)


def _column(x: float, wide: float, value: str, count: int, most: int) -> list[Markup]:
    high = 54.0 * count / most if count else 0.0
    middle = x + wide / 2
    return [label(middle, 70 - high - 3, str(count), "label tick", "middle"),
            box(x + 3, 70 - high, wide - 6, max(high, 0.5), "bar", filled=True),
            label(middle, 85, value, "label", "middle")]  # fmt: skip


def errors(name: str, rows: Mapping[str, Bins]) -> Markup:
    """How close values came to their bounds: a row each, from far below the bound on the left to the bound and beyond
    on the right; the darker, the more values."""
    left = max(map(length_of, rows), default=0.0) + 8
    bins = ["exact", *map(str, range(_COARSEST, 1)), _BEYOND]
    content = [mark for row, (title, counts) in enumerate(rows.items())
               for mark in _spread(left, row * _ROW, title, [counts.get(one, 0) for one in bins])]  # fmt: skip
    foot = _ROW * len(rows)
    bound = left + _CELL * (len(bins) - 1)
    ticks = [("exact", 0), ("2⁻¹⁶", 9), ("2⁻⁸", 17), ("bound", len(bins) - 1)]
    content += [label(left + _CELL * place, foot + 14, text, "label tick", "middle" if place else "start")
                for text, place in ticks]  # fmt: skip
    content.append(line([(bound, 0), (bound, foot)], "bound"))
    said = f"{name}: {'; '.join(f'{title}, {_closest(counts)}' for title, counts in rows.items())}"
    return picture(left + _CELL * len(bins) + 90, foot + 20, said, content)


def _spread(left: float, y: float, title: str, counts: Sequence[int]) -> list[Markup]:
    most = max(counts, default=0) or 1
    cells = [
        element("rect", x=left + place * _CELL, y=y + 3, width=_CELL - 1, height=_ROW - 6, fill="currentColor",
                class_="bar wrong" if place == len(counts) - 1 else "bar",
                fill_opacity=round(0.15 + 0.85 * math.sqrt(count / most), 2))
        for place, count in enumerate(counts) if count
    ]  # fmt: skip
    end = left + _CELL * len(counts) + 6
    return [label(left - 6, y + 14, title, "label", "end"), *cells,
            label(end, y + 14, f"{sum(counts)} values", "label tick")]  # fmt: skip


def _closest(counts: Bins) -> str:
    """The worst of a row in words."""
    if counts.get(_BEYOND):
        return f"{counts[_BEYOND]} beyond the bound"
    powers = [int(one) for one in counts if one not in ("exact", _BEYOND) and counts[one]]
    return f"at most 2^{max(powers)} of the bound" if powers else "exact"


def shares(name: str, parts: Sequence[tuple[str, float]]) -> Markup:
    """What a whole consists of, as one bar: each part has its name and its percentage below it where there is room."""
    total, wide = sum(part for _, part in parts) or 1.0, 760.0
    content, x = [], 0.0
    for place, (title, part) in enumerate(parts):
        long = wide * part / total
        content.append(box(x, 1, max(long - 1, 0.5), 22, f"share share-{place}", filled=True))
        said = next((s for s in (f"{title} {part / total:.0%}", f"{part / total:.0%}") if length_of(s) < long), "")
        content.append(label(x + 2, 38, said))
        x += long
    words = f"{name}: {', '.join(f'{title} {part / total:.0%}' for title, part in parts)}"
    return picture(wide, 42, words, content)
