"""What a page excludes: a shape that no layout admits gives a Python error that speaks of it, never silence or a dead
process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from conformance.oracle.claims.claim import Claim, Evidence, Judgement
from conformance.oracle.claims.clarity import refused
from conformance.oracle.contract import Contract, Layout, Port
from conformance.oracle.expression import Shape, shape

SCENARIO = "refused"


def claims(contract: Contract) -> Iterator[Claim]:
    """One claim for each axis that the page pins, and one for the rank, of every input in every layout."""
    for layout in contract.layouts if contract.refuses else ():
        for port in contract.inputs:
            if layout.name in port.by_layout:
                for axis in breakable(contract, layout, port):
                    yield _claim(contract, layout, port, axis)


def breakable(contract: Contract, layout: Layout, port: Port) -> list[int | None]:
    """The axes whose size something else fixes (the configuration, or another input), and None for the rank.

    The axes of a packed input that its own lengths fix are left out: packing them wrongly is not the module's affair.
    """
    text = shape(port.by_layout[layout.name])
    others = _symbols_of_others(contract, layout, port)
    starred = next((index for index, (star, _) in enumerate(text.parts) if star), len(text.parts))
    own = frozenset(layout.binds) if layout.packed == port.name else frozenset()
    pinned: list[int | None] = [
        index if index < starred else index - len(text.parts)  # behind a star, axes are counted from the end
        for index, (star, part) in enumerate(text.parts)
        if not star and part.names and part.names <= (contract.configured | others) - own
    ]
    ranked = not any(star for star, _ in text.parts)
    return [*pinned, None] if ranked else pinned


def _symbols_of_others(contract: Contract, layout: Layout, port: Port) -> frozenset[str]:
    others = [p for p in contract.inputs if p is not port and layout.name in p.by_layout]
    return frozenset(name for p in others for name in shape(p.by_layout[layout.name]).names)


def dimension(text: Shape, axis: int) -> str:
    """What the page calls this axis, ``D * num_layers``."""
    return text.parts[axis][1].text


def _claim(contract: Contract, layout: Layout, port: Port, axis: int | None) -> Claim:
    text = port.by_layout[layout.name]
    what = "rank" if axis is None else f"dim{axis}"
    said = "of another rank" if axis is None else f"whose dimension {axis} is not {dimension(shape(text), axis)}"
    return Claim(
        f"{contract.prefix}.{port.name}.refuses.{what}.{layout.name}",
        contract.module,
        SCENARIO,
        f"{port.name} {said} is refused where {text} is documented",
        f"Inputs: {port.name}",
        partial(_refused, port.name, axis, layout.name),
        text,
    )


def _refused(port: str, axis: int | None, layout: str, e: Evidence) -> Judgement:
    broken = e.case.violation
    if broken is None or broken.rule or (broken.port, broken.axis, e.case.layout) != (port, axis, layout):
        return False
    given = next(item.shape for item in e.case.inputs if item.name == port)
    said = e.contract.port(port).by_layout[layout]
    return refused(f"an error: {port} {said} cannot be {given}", e)
