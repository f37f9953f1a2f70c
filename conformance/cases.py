"""A case: one configuration, its inputs and how they are made, as immutable data.

A case is the same on every torch release and machine: its values come from NumPy's Philox, never from torch's
generator. It round-trips through JSON and is known by the hash of its content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from conformance import schema

SCHEMA = 1
_Part = TypeVar("_Part")


class CaseError(ValueError):
    """A case file that cannot be read: which field, what it holds, what it must hold."""


@dataclass(frozen=True)
class Input:
    """One tensor that the case passes: ``kind`` is floating, index (``range(below)``), mask, lengths or permutation.

    ``lengths`` are those of a packed sequence; or of the tensors of a list (``form``), which ``shape`` holds one after
    another along its first axis; or the values themselves, which come as a tensor, as a list or on the meta device.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: str = "floating"
    below: int = 1
    memory: str = "contiguous"
    lengths: tuple[int, ...] | None = None
    enforce_sorted: bool = True
    form: str = "tensor"


@dataclass(frozen=True)
class Violation:
    """What the case does that the documentation excludes: ``axis`` of ``port`` has ``size``, or the rank is wrong, or
    a ``rule`` of the page of a function is broken."""

    port: str
    axis: int | None
    size: int
    rule: str = ""


@dataclass(frozen=True)
class Misuse:
    """What the case passes that no page documents: ``value`` in place of what ``of`` names, in the way of its ``kind``
    (:mod:`conformance.oracle.claims.misuse`)."""

    of: str
    kind: str
    value: Any = None


@dataclass(frozen=True)
class Case:
    """One execution. ``arguments`` are those passed explicitly; the first ``positional`` of them by position.

    With ``draws``, the module is made under each of these seeds of torch's generator and then reset, or is called under
    each of them and then once more: what torch draws is the thing to be judged, never a part of the case.
    ``scale`` is the standard deviation of its floating inputs. ``usage`` is what is done with the module before it is
    called (:mod:`conformance.oracle.claims.usage`); with ``gradients``, it is called and then differentiated.
    """

    module: str
    layout: str
    arguments: Mapping[str, Any]
    inputs: tuple[Input, ...] = ()
    sizes: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    positional: int = 0
    dtype: str = "float32"
    train: bool = True
    twin: bool = False
    seed: int = 0
    scale: float = 1.0
    draws: tuple[int, ...] = ()
    usage: str = "plain"
    gradients: bool = False
    violation: Violation | None = None
    misuse: Misuse | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data, with the version of its schema."""
        data: dict[str, Any] = json.loads(self.text)
        return data

    @cached_property
    def text(self) -> str:
        """The case as JSON text."""
        # Not dataclasses.asdict: it copies deeply, which would cost more than running a small module.
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data["inputs"] = [vars(item) for item in self.inputs]
        data["violation"] = self.violation and vars(self.violation)
        data["misuse"] = self.misuse and vars(self.misuse)
        return json.dumps({"schema": SCHEMA, **data})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Case:
        """The case that :meth:`to_json` wrote; raises :class:`CaseError` naming what is wrong."""
        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, Mapping) else type(data).__name__
            raise CaseError(f"not a case of schema {SCHEMA} (found {found!r}); it was written by another version")
        known = cls.__dataclass_fields__.keys() | {"schema"}
        if unknown := sorted(data.keys() - known):
            raise CaseError(f"a case has no field {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        values = {key: _tuples(value) for key, value in data.items() if key != "schema"}
        try:
            values["inputs"] = tuple(_made(Input, item) for item in values.get("inputs", ()))
            values["violation"] = _made(Violation, values["violation"]) if values.get("violation") else None
            values["misuse"] = _made(Misuse, values["misuse"]) if values.get("misuse") else None
            return _made(cls, values)
        except TypeError as error:
            raise CaseError(f"a case misses or misnames a field: {error}") from None

    @property
    def scenario(self) -> str:
        """The scenario whose claims it exercises: its layout, or what is excluded or unusual about it."""
        if self.violation:
            return "refused"
        if self.misuse:
            return "misused"
        if self.draws:
            return "initialisation" if self.layout == "constructor" else "dropout"
        if self.twin and self.layout != "constructor":
            return "arguments"
        return "usage" if self.usage != "plain" else self.layout

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name the content."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def facts(self) -> dict[str, Any]:
        """What a ledger entry may select on, beside the contract's own symbols."""
        broken = self.violation
        return {
            "dtype": self.dtype,
            "train": self.train,
            "scale": self.scale,
            "usage": self.usage,
            "gradients": self.gradients,
            "positional": self.positional,
            "given": tuple(item.name for item in self.inputs),
            "memory": tuple(item.memory for item in self.inputs),
            "enforce_sorted": self.options.get("enforce_sorted", all(item.enforce_sorted for item in self.inputs)),
            "form": tuple(item.form for item in self.inputs),
            "rule": broken.rule if broken else None,
            "violated": broken.port if broken else None,
            "violated_axis": broken.axis if broken else None,
            "violated_size": broken.size if broken else None,
            "misused": self.misuse.of if self.misuse else None,
            "misuse": self.misuse.kind if self.misuse else None,
            "misuse_value": _plain(self.misuse.value) if self.misuse else None,
        }


def _made(kind: type[_Part], data: Any) -> _Part:
    if not isinstance(data, dict):
        raise TypeError(f"{kind.__name__} is {data!r}; it must be an object")
    schema.check(kind, data)
    return kind(**data)


def _plain(value: Any) -> Any:
    """A value that JSON has not goes by its kind (``nan``, ``numpy``)."""
    return value["as"] if isinstance(value, Mapping) else value


def _tuples(value: Any) -> Any:
    """JSON knows lists only; a case knows tuples only."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value
