"""What was shrunk away: how the case that first failed differs from the minimal one that fails alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.cases import Case

Shrunk = list[tuple[str, str, str]]  # what, in the first case, in the minimal one


def shrunk(first: Mapping[str, Any] | None, least: Case | None) -> Shrunk:
    """Everything in which the two differ; nothing where the case was minimal, or where one of them is not known."""
    try:
        before = Case.from_json(first) if first and least else None
        if before is None or least is None:
            return []
        was, now = _facts(before), _facts(least)
    except Exception:  # a run file of another version: the card does without
        return []
    rows = [(name, was.get(name, "left out"), now.get(name, "left out")) for name in dict.fromkeys([*was, *now])]
    return [row for row in rows if row[1] != row[2]]


def _facts(case: Case) -> dict[str, str]:
    facts = {str(name): repr(value) for name, value in (*case.arguments.items(), *case.options.items())}
    facts |= {str(name): repr(value) for name, value in case.sizes.items()}
    facts |= {"layout": case.layout, "dtype": case.dtype, "mode": "training" if case.train else "evaluation"}
    facts |= {"usage": case.usage, "gradients": "taken" if case.gradients else "not taken"}
    facts |= {"by position": str(case.positional), "scale of inputs": f"{case.scale:g}"}
    for item in case.inputs:
        facts[f"{item.name} memory"] = item.memory
        facts[f"{item.name} dtype"] = item.dtype
    return facts
