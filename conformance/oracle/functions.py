"""What the page of a function says beside the shapes of its arguments: what it excludes, what undoes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Exclusion:
    """A call that the page excludes, as what tells it from a documented one: symbols and options (formulas), shapes,
    dtypes, kinds and forms of inputs.

    ``subject`` is the argument that is wrong in it, ``raises`` the class of the error where the page names it.
    """

    name: str
    subject: str
    statement: str
    source: str
    where: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, str] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    raises: str = ""
    releases: str = ">=2.0"
    layouts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inverse:
    """The function that a page calls the inverse: its call in the names of the outputs, options and symbols, and which
    input each thing that it returns gives back."""

    module: str
    call: str
    gives: Mapping[str, str]
    statement: str
    source: str
    when: str = "True"

    @property
    def returns(self) -> str:
        """What it returns, as a user writes it."""
        return ", ".join(self.gives)
