"""Where the time of a run went: generating cases, on the way to targets, in torch, judging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from conformance.report.plots import shares

PARTS = ("generating", "on the way", "in the target", "in torch", "judging")


@dataclass(frozen=True)
class Times:
    """One module, or all: seconds in all and by part."""

    name: str
    cases: int
    parts: tuple[float, ...]

    @property
    def total(self) -> float:
        return sum(self.parts)

    @property
    def picture(self) -> Markup:
        return shares(f"time spent on {self.name}", list(zip(PARTS, self.parts, strict=True)))


def times(timing: Mapping[str, Any]) -> list[Times]:
    """All modules together, then each; none where the run file does not say."""
    groups = timing.get("groups")
    told = [g for g in groups if isinstance(g, dict) and _is_told(g)] if isinstance(groups, list) else []
    if not told:
        return []
    modules = sorted({str(group.get("module", "")) for group in told})
    return [_of("all modules", told), *(_of(m, [g for g in told if str(g.get("module", "")) == m]) for m in modules)]


def _is_told(group: Mapping[str, Any]) -> bool:
    numbers = {"judging": 0.0, **group}
    names = ("cases", "total", "targets", "agent", "torch", "judging")
    return all(isinstance(numbers.get(name), (int, float)) for name in names)


def _of(name: str, groups: list[dict[str, Any]]) -> Times:
    parts = [sum(column) for column in zip(*map(_parts, groups), strict=True)]
    return Times(name, sum(int(group["cases"]) for group in groups), tuple(parts))


def _parts(group: Mapping[str, Any]) -> tuple[float, ...]:
    """The parts of one campaign. Several targets work at the same time: together, longer than one waits for them."""
    total, waited, agent, torch = (float(group[name]) for name in ("total", "targets", "agent", "torch"))
    judging = min(float(group.get("judging", 0.0)), max(total - waited, 0.0))
    share = min(waited / agent, 1.0) if agent else 1.0
    generating, travel, around = total - waited - judging, waited - agent, (agent - torch) * share
    return (max(generating, 0.0), max(travel, 0.0), max(around, 0.0), torch * share, judging)
