"""Where in a tensor the error exceeds its bound: in words (layer, direction, time, batch) and as a strip an axis."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from conformance.cases import Case
from conformance.oracle.contract import Contract
from conformance.oracle.equations.given import steps_of
from conformance.report.scene import axis_names
from conformance.report.svg import box, element, label, length_of, line, picture

_WORDS = {"L": "time step", "N": "batch item", "S": "position"}
_LAYER = re.compile(r"_l(?P<layer>\d+)(?P<reverse>_reverse)?$")
_CELL, _BOUND, _TALLEST = 13.0, 12.0, 44.0  # of the strips: the width of a place, the height of the bound, of all


@dataclass(frozen=True)
class Places:
    """The sentence and the strips of one discrepancy."""

    sentence: str
    strips: Sequence[tuple[str, Markup]]


def places(where: Mapping[str, Any], case: Case, contract: Contract, order: Sequence[int] | None) -> Places:
    """What is known of the place of an error."""
    if "parts" in where:
        return _of_gradients({str(name): float(ratio) for name, ratio in where["parts"].items()})
    env = contract.symbols(case)
    names = axis_names(contract.port(str(where["of"])).by_layout[case.layout], env)
    place, profiles = [int(index) for index in where["place"]], where["axes"]
    told = [_told(name, index, env, case, order) for name, index in zip(names, place, strict=True)]
    total = math.prod(int(size) for size in where["shape"])
    worst = f"{where['of']}[{', '.join(map(str, place))}] ({', '.join(told)})"
    sentence = (
        f"The worst is {worst}, {_times(float(where['ratio']))} its bound; {int(where['beyond'])} of {total} elements "
        "are beyond theirs"
    )
    strips = [(f"along {name.replace('*', '·')}", strip(profile, name)) for name, profile in
              zip(names, profiles, strict=True) if len(profile) > 1]  # fmt: skip
    return Places(sentence, strips)


def _told(name: str, index: int, env: Mapping[str, Any], case: Case, order: Sequence[int] | None) -> str:
    """What an index along an axis of this name means."""
    way = ("forward", "reverse")
    if name == "D * num_layers" and "D" in env:
        return f"layer {index // env['D']}, {way[index % env['D']]}"
    if name.startswith("D * H") and "D" in env:
        size = env.get(name.removeprefix("D * ")) or 1
        return f"feature {index % size}, {way[min(index // size, 1)]}"
    if name == "sum(lengths)" and env.get("lengths"):
        rows, steps = steps_of(env["lengths"], order or range(len(env["lengths"])))
        return f"sequence {rows[index]}, time step {steps[index]}"
    return f"{_WORDS.get(name, name.replace('*', '·'))} {index}"


def _of_gradients(ratios: Mapping[str, float]) -> Places:
    wrong = [name for name, ratio in ratios.items() if ratio > 1]
    said = "; ".join(f"{name}{_layer(name)}: {_times(ratios[name])} its bound" for name in wrong)
    sentence = f"Beyond their bounds are the gradients of {said}" if wrong else "No single gradient is beyond its bound"
    return Places(sentence, [("by gradient", _bars(ratios))] if ratios else [])


def _layer(name: str) -> str:
    found = _LAYER.search(name)
    return f" (layer {found['layer']}, {'reverse' if found['reverse'] else 'forward'})" if found else ""


def _times(ratio: float) -> str:
    return "beyond any multiple of" if ratio >= 1e9 else f"{ratio:.3g} times"


def strip(profile: Sequence[float], name: str) -> Markup:
    """One bar a place along an axis: the worst error there; what stands above the line is beyond its bound."""
    beyond = [place for place, ratio in enumerate(profile) if ratio > 1]
    said = f"along {name}: beyond the bound at {', '.join(map(str, beyond)) or 'no place'} of {len(profile)}"
    floor = _TALLEST + 4
    bars = [mark for place, ratio in enumerate(profile) for mark in _bar(place, float(ratio), floor, len(profile))]
    width = _CELL * len(profile) + 44
    bound = floor - _BOUND
    limit = [line([(0, bound), (_CELL * len(profile), bound)], "bound"),
             label(_CELL * len(profile) + 4, bound + 4, "bound", "label note")]  # fmt: skip
    return picture(width, floor + 16, said, [*bars, *limit])


def _bar(place: int, ratio: float, floor: float, count: int) -> list[Markup]:
    high = height_of(ratio)
    tone = "bar wrong" if ratio > 1 else "bar"
    marks = [box(place * _CELL + 1.5, floor - high, _CELL - 3, high, tone, filled=True)]
    if count <= 16 or place % 8 == 0:
        marks.append(label((place + 0.5) * _CELL, floor + 13, str(place), "label tick", "middle"))
    return marks


def height_of(ratio: float) -> float:
    """Up to the bound in proportion, beyond it by powers of two."""
    if ratio <= 1:
        return max(_BOUND * ratio, 1.0)
    return min(_BOUND + 4 * math.log2(ratio) + 4, _TALLEST)


def _bars(ratios: Mapping[str, float]) -> Markup:
    """One bar a gradient, by name."""
    left = max(map(length_of, ratios)) + 8
    rows = []
    for row, (name, ratio) in enumerate(ratios.items()):
        y, long = row * 18, 4 * height_of(ratio)
        tone = " wrong" if ratio > 1 else ""
        rows += [label(left - 6, y + 13, name, f"label{tone}", "end"), box(left, y + 4, long, 11, f"bar{tone}", True),
                 label(left + long + 5, y + 13, f"{ratio:.3g}", f"label{tone}")]  # fmt: skip
    bound = element("line", x1=left + 4 * _BOUND, x2=left + 4 * _BOUND, y1=0, y2=18 * len(ratios), class_="bound",
                    stroke="currentColor")  # fmt: skip
    said = f"error of each gradient in bounds: {', '.join(f'{name} {ratio:.3g}' for name, ratio in ratios.items())}"
    return picture(left + 4 * _TALLEST + 70, 18 * len(ratios) + 2, said, [*rows, bound])
