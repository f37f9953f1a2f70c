"""The boundary cases of the quick profile: each edge value of each choice once, without meeting every other."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator

from conformance.cases import Case
from conformance.oracle.contract import Contract, Domain
from conformance.strategies.boundary import LISTED, boundary_choices, edges, examples
from conformance.strategies.build import Impossible, Pick
from conformance.strategies.reduce import Choices, recording
from conformance.strategies.scenarios import build

STEPS = 96
IDLE = 8  # steps without news after which there is none to come
Made = tuple[Case, Choices]


def essential_choices(contract: Contract, scenario: str) -> list[Made]:
    """The cases that make a choice for the first time, each with its choices; no case twice."""
    if scenario in LISTED:
        return list(news(boundary_choices(contract, scenario)))
    return list(news([*examples(contract, scenario), *_walk(contract, scenario)]))


def news(found: Iterable[Made]) -> Iterator[Made]:
    """The cases that make a choice for the first time. An example of a page, which no choices made, is always news."""
    seen: set[tuple[str, str]] = set()
    hashes: set[str] = set()
    for case, choices in found:
        made = _made(choices)
        if case.hash not in hashes and (not choices or made - seen):
            yield case, choices
        seen |= made
        hashes.add(case.hash)


def _made(choices: Choices) -> set[tuple[str, str]]:
    """What was chosen, apart from the numbers."""
    return {(name, repr(value)) for name, value in choices.items() if name != "seed"}


def _walk(contract: Contract, scenario: str) -> Iterator[Made]:
    """Cases in which every choice goes through its edge values; it ends when that brings nothing new."""
    seen: set[tuple[str, str]] = set()
    idle = 0
    for step in range(STEPS):
        choices: Choices = {}
        with contextlib.suppress(Impossible):
            yield build(contract, scenario, recording(_at(step), choices)), choices
        made = _made(choices)
        idle = 0 if made - seen else idle + 1
        seen |= made
        if idle > IDLE:
            return


def _at(step: int) -> Pick:
    """Answers with the next edge value at each step. At each turn some choices move on, so that flags do not always
    go together."""

    def pick(name: str, domain: Domain) -> object:
        values = edges(name, domain)
        turns = step // len(values) * (zlib.crc32(name.encode()) % 2)
        return values[(step + turns) % len(values)]

    return pick
