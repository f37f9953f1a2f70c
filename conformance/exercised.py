"""What the cases of a campaign exercised: option values, sizes, and how close values came to their bounds.

Counts only, so that those of two campaigns, workers or shards add up to those of one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from conformance.cases import Case
from conformance.oracle.claims import Failure, Judgement, Within
from conformance.oracle.contract import REQUIRED, Contract
from conformance.results import Exercised

WRONG = ("refused", "misused")  # scenarios whose configuration is not what they are about
CLOSEST = -24  # the finest bin of errors: 2**-24 of the bound
_PLAIN = (bool, int, float, str, type(None))


class Exercise:
    """The counts of one module on one target; adding a case takes some microseconds."""

    def __init__(self, contract: Contract) -> None:
        self._counts: Counter[tuple[str, Any]] = Counter()
        self._cases = 0
        self._defaults = [
            (f"option {a.name}", a.name, a.default)
            for a in (*contract.arguments, *contract.options)
            if a.name not in ("device", "dtype")
        ]
        self._optional = frozenset(port.name for port in contract.inputs if port.optional)
        self._sizes = {
            layout.name: [(f"size {name}", name) for name in {**contract.sizes, **layout.binds}]
            for layout in contract.layouts
        }

    def case(self, case: Case, env: Mapping[str, Any]) -> None:
        """Counts the facts of a case that ran."""
        count, scenario = self._counts, case.scenario
        self._cases += 1
        count["scenario", scenario] += 1
        if scenario in WRONG:
            return
        for fact, name, default in self._defaults:
            value = case.arguments.get(name, case.options.get(name, default))
            if value is not REQUIRED:
                count[fact, value if type(value) in _PLAIN else _named(value)] += 1
        count["dtype", case.dtype] += 1
        if case.layout in self._sizes:
            self._call(case, env)

    def _call(self, case: Case, env: Mapping[str, Any]) -> None:
        """Counts what a call adds to a configuration."""
        count = self._counts
        count["layout", case.layout] += 1
        count["mode", "training" if case.train else "evaluation"] += 1
        count["usage", case.usage] += 1
        count["gradients", "taken" if case.gradients else "not taken"] += 1
        if self._optional:
            given = any(item.name in self._optional for item in case.inputs)
            count["state", "given" if given else "omitted"] += 1
        for item in case.inputs:
            count["memory", item.memory] += 1
            if item.kind == "floating" and item.lengths is not None:
                count["packed", "sorted" if item.enforce_sorted else "in any order"] += 1
        if type(env.get("N")) is int:
            count["batch", "empty" if env["N"] == 0 else "of one" if env["N"] == 1 else "of several"] += 1
        for fact, name in self._sizes[case.layout]:
            size = env.get(name)
            if type(size) is int:
                count[fact, size] += 1

    def judged(self, claim: str, judgement: Judgement, case: Case, env: Mapping[str, Any]) -> None:
        """Counts how close a value came to its bound, by powers of two."""
        if isinstance(judgement, Within):
            near: Any = min(max(math.frexp(judgement)[1], CLOSEST), 0) if judgement else "exact"
        elif isinstance(judgement, Failure) and judgement.where is not None:
            near = "beyond"
        else:
            return
        kind = "gradients" if ".gradients." in claim else "values"
        self._counts[f"error of {kind}, dtype {case.dtype}", near] += 1
        if type(env.get("L")) is int:
            self._counts[f"error of {kind}, L {env['L']}", near] += 1

    def record(self, module: str, target: str) -> Exercised:
        """The counts as a run file has them."""
        facts: dict[str, dict[str, int]] = {}
        for (name, value), count in self._counts.items():
            facts.setdefault(name, {})[str(value)] = count
        return Exercised(module, target, self._cases, facts)


def _named(value: Any) -> str:
    """A value that is no number and no word, by what it is."""
    return "a tensor" if isinstance(value, Mapping) and "tensor" in value else repr(value)
