"""What a page promises of numbers that torch draws, as data of a contract.

Both forms say which values are ``tried`` in their scenario instead of a contract's own: sizes at which statistics tell
something. A value that stands there twice is tried twice as often.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.oracle.numerics import Array

Tried = Mapping[str, Any]


@dataclass(frozen=True)
class Initialised:
    """How parameters begin: every element is drawn from a distribution between two bounds, in symbols of the
    configuration and of its own ``where`` clauses. ``of`` is a glob on the names of the parameters it speaks of."""

    distribution: str
    low: str
    high: str
    where: Mapping[str, str] = field(default_factory=dict)
    of: str = "*"
    tried: Tried = field(default_factory=dict)


@dataclass(frozen=True)
class Dropped:
    """Where a module drops elements in training: at ``places`` places, one behind another, each element is set to 0
    with ``probability``, else divided by 1 - ``probability``.

    ``readable`` makes of drawn parameters some under which the first output tells what was dropped: each of its
    elements depends on one element at each place. ``reads`` says, for each feature of that output, in which feature
    the same elements are read; ``where`` is the condition on a case that all this needs. ``bernoulli`` says that the
    page also writes the factor of an element as a Bernoulli variable, which is 0 or 1.
    """

    probability: str
    places: str
    readable: Callable[[Mapping[str, Any], int, Mapping[str, Array]], Mapping[str, Array]]
    reads: Callable[[Mapping[str, Any], int], Array]
    where: str = "True"
    tried: Tried = field(default_factory=dict)
    bernoulli: bool = False
