"""From a failing case to a minimal one, choice by choice.

A case is a sequence of named choices (:mod:`.build`), each from a domain whose first value is the simplest. Reducing
tries simpler values of one choice after another and keeps what still fails. That works alike for random, boundary and
frozen cases, and needs tens of executions where shrinking raw bytes needs hundreds: it counts, where each execution of
a crash costs a new process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from conformance.cases import Case
from conformance.oracle.contract import Contract, Domain, Lists
from conformance.strategies.build import Impossible, Pick
from conformance.strategies.scenarios import build

Choices = dict[str, Any]

# How many cases a reduction may run: a number, not a time, so that the same seed gives the same case anywhere. One that
# hangs takes as long as a case may.
TRIES, HANGS = 400, 8


def recording(pick: Pick, choices: Choices) -> Pick:
    """The same pick, which also notes every choice."""

    def note(name: str, domain: Domain) -> Any:
        choices[name] = pick(name, domain)
        return choices[name]

    return note


def rebuilt(contract: Contract, scenario: str, wanted: Choices) -> tuple[Case, Choices, dict[str, Domain]]:
    """The case of these choices, the choices really made (the simplest where a wanted one is not on offer), and the
    domains they came from."""
    made: Choices = {}
    domains: dict[str, Domain] = {}

    def pick(name: str, domain: Domain) -> Any:
        domains[name] = domain
        made[name] = _closest(wanted.get(name), domain)
        return made[name]

    return build(contract, scenario, pick), made, domains


def _closest(wanted: Any, domain: Domain) -> Any:
    if isinstance(domain, Lists):
        return wanted if wanted is not None else (domain.of[0],) * domain.min_size
    return wanted if any(type(wanted) is type(v) and wanted == v for v in domain) else domain[0]


def reduce(
    contract: Contract, scenario: str, choices: Choices, fails: Callable[[Case], bool], tries: int = TRIES
) -> Case:
    """The simplest case that still fails, no single choice of which can be made simpler, as far as so many tries go."""
    case, choices, domains = rebuilt(contract, scenario, choices)
    progress = True
    while progress:
        progress = False
        for name in list(choices):
            for value in simpler(choices.get(name), domains.get(name, ())):
                try:
                    smaller, made, offered = rebuilt(contract, scenario, {**choices, name: value})
                except Impossible:
                    continue
                if made == choices:
                    continue
                if not tries:
                    return case
                tries -= 1
                if fails(smaller):
                    case, choices, domains, progress = smaller, made, offered, True
                    break
    return case


def simpler(value: Any, domain: Domain) -> Iterator[Any]:
    """Values before this one in its domain, simplest first; for a list, fewer and smaller numbers."""
    if isinstance(domain, Lists):
        yield from _shorter(value, domain)
        return
    place = next((i for i, v in enumerate(domain) if type(v) is type(value) and v == value), 0)
    if len(domain) > 64:  # a range such as that of the seeds: only its first value is simpler
        yield from domain[: min(place, 1)]
    else:
        yield from domain[:place]


def _shorter(value: tuple[int, ...], domain: Lists) -> Iterator[tuple[int, ...]]:
    if len(value) > domain.min_size:
        yield value[: domain.min_size]
        yield from (value[:i] + value[i + 1 :] for i in range(len(value)))
    for i, number in enumerate(value):
        if number > domain.of[0]:
            yield (*value[:i], domain.of[0], *value[i + 1 :])
            yield (*value[:i], number - 1, *value[i + 1 :])
