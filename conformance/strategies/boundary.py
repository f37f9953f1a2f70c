"""Boundary cases: every two options meet, sizes at their edges, and the documentation's own examples; enumerated."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from allpairspy import AllPairs

from conformance.cases import Case, Input
from conformance.oracle.claims.misuse import HAND_MADE
from conformance.oracle.contract import Contract, Domain, Example, Lists
from conformance.oracle.expression import expression
from conformance.strategies.build import Impossible, Pick, violations
from conformance.strategies.calls import input_of
from conformance.strategies.miscall import all_miscalls
from conformance.strategies.misuse import all_misuses
from conformance.strategies.reduce import Choices, recording
from conformance.strategies.scenarios import build

VARIANTS = 6
HAND_MADE_VARIANTS = 16
_LENGTHS = ((1,), (2, 1), (1, 2), (3, 3), (4, 2, 3))


def boundary_cases(contract: Contract, scenario: str) -> list[Case]:
    """The documentation's examples in this scenario, then a pairwise cover of its choices; no case twice."""
    return [case for case, _ in boundary_choices(contract, scenario)]


def boundary_choices(contract: Contract, scenario: str) -> list[tuple[Case, Choices]]:
    """The boundary cases, each with the choices that made it (none for an example of a page)."""
    found = examples(contract, scenario)
    picks = LISTED[scenario](contract) if scenario in LISTED else map(_pick_from, _rows(contract, scenario))
    for pick in picks:
        made: Choices = {}
        with contextlib.suppress(Impossible):
            found.append((build(contract, scenario, recording(pick, made)), made))
    return list({case.hash: (case, made) for case, made in found}.values())


def examples(contract: Contract, scenario: str) -> list[tuple[Case, Choices]]:
    """The examples of the page as cases."""
    return [(_example(contract, example), {}) for example in contract.examples if example.layout == scenario]


def _refused(contract: Contract) -> Iterator[Pick]:
    """Every violation there is, each with several wrong shapes and configurations."""
    for layout in contract.layouts:
        for violation in violations(contract, layout):
            for step in range(VARIANTS):
                yield _pick_step({"layout": layout.name, "violation": violation}, step)


def _misused(contract: Contract) -> Iterator[Pick]:
    """Everything that can be passed by mistake; where that is made of the case, often enough to see all of it."""
    for chosen in all_miscalls(contract) if contract.function else all_misuses(contract):
        for step in range(HAND_MADE_VARIANTS if chosen["misuse"][1] in HAND_MADE else 2):
            yield _pick_step(chosen, step)


LISTED = {"refused": _refused, "misused": _misused}  # scenarios whose cases are listed, not combined


def _pick_step(fixed: Mapping[str, Any], step: int) -> Pick:
    """Answers a choice with another of its edge values at each step; coprime strides keep them from moving in step."""
    asked = itertools.count(1)

    def pick(name: str, domain: Domain) -> Any:
        values = edges(name, domain)
        if name in fixed and isinstance(domain, Sequence) and fixed[name] not in domain:
            raise Impossible(f"{name} cannot be {fixed[name]} here")
        return fixed[name] if name in fixed else values[(step * (next(asked) % 5 or 1)) % len(values)]

    return pick


def _pick_from(row: dict[str, Any]) -> Pick:
    """The row's value, or the first one allowed where a constraint took that away."""

    def pick(name: str, domain: Domain) -> Any:
        if isinstance(domain, Lists):
            return row.get(name, _LENGTHS[0])
        wanted = row.get(name, domain[0])
        return wanted if any(wanted is v or wanted == v for v in domain) else domain[0]

    return pick


def _rows(contract: Contract, scenario: str) -> Iterator[dict[str, Any]]:
    """A pairwise table over the choices that this scenario asks for, discovered by walking through it."""
    choices: dict[str, list[Any]] = {}
    for step in range(64):
        before = sum(map(len, choices.values()))
        try:
            build(contract, scenario, partial(_note, choices, step))
        except Impossible:
            continue
        if step > 4 and sum(map(len, choices.values())) == before:
            break
    names = list(choices)
    if len(names) < 2:
        yield from ({name: value} for name in names for value in choices[name])
        return
    for values in AllPairs([choices[name] for name in names]):
        yield dict(zip(names, values, strict=True))


def _note(choices: dict[str, list[Any]], step: int, name: str, domain: Domain) -> Any:
    """Remembers the edge values of a choice and answers with another one at each walk."""
    values = edges(name, domain)
    known = choices.setdefault(name, [])
    known.extend(value for value in values if value not in known)
    return values[step % len(values)]


def edges(name: str, domain: Domain) -> list[Any]:
    """The values of a choice at which things go wrong: the first few, the least, the greatest, the empty ones."""
    if isinstance(domain, Lists):
        return list(_LENGTHS)
    if name == "seed":
        return [0]
    values = list(domain)
    if name.startswith("size ") or all(type(v) is int for v in values):
        empty = [value for value in values if isinstance(value, tuple) and 0 in value]
        return list(dict.fromkeys([*values[:3], min(values), max(values), *empty]))
    return values


def _example(contract: Contract, example: Example) -> Case:
    """An example of a page as a case, with its own arguments and sizes and nothing else."""
    if contract.function:
        return _called(contract, example)
    env = contract.environment(example.arguments, example.sizes, example.layout)
    ports = [p for p in contract.inputs if not p.optional or p.name in example.given]
    kinds = {p.name: p.kind(example.layout) for p in ports}
    dtypes = {"floating": "float32", "index": "int64", "mask": "bool"}
    inputs = tuple(
        Input(p.name, contract.shape_of(p, example.layout)(env), dtypes[kinds[p.name]], kinds[p.name],
              expression(p.below)(env) if kinds[p.name] == "index" else 1)
        for p in ports
    )  # fmt: skip
    return Case(contract.module, example.layout, dict(example.arguments), inputs, dict(example.sizes))


def _called(contract: Contract, example: Example) -> Case:
    """An example of the page of a function: its arguments are passed in the call."""
    layout = contract.layout(example.layout)
    env = contract.environment(example.arguments, example.sizes, example.layout)
    inputs = tuple(
        input_of(contract, layout, port, env, "float32", lambda name, domain: domain[0])  # type: ignore[index]
        for port in contract.inputs
    )
    return Case(contract.module, example.layout, {}, inputs, dict(example.sizes), dict(example.arguments))
