"""A claim: one checkable promise of the documentation, and what it is held against."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

from conformance.cases import Case
from conformance.oracle.contract import Contract
from conformance.oracle.dtypes import may_refuse
from conformance.oracle.equations.given import Outputs
from conformance.oracle.fates import Fates
from conformance.oracle.numerics import Array
from conformance.oracle.proven import faults
from conformance.oracle.reference import Evaluated, evaluate, fates, values_of
from conformance.values import Values, decode, directions

SEVERITIES = ("crash", "hang", "silent", "wrong", "refused", "misleading", "documentation")


@dataclass(frozen=True)
class Failure:
    """A promise that was broken: what it says, what happened. Severity is one of :data:`SEVERITIES`.

    ``where`` finds out which elements are beyond their bounds; called for failures that are shown, not for all.
    """

    expected: str
    observed: str
    severity: str = "wrong"
    where: Callable[[], Mapping[str, Any]] | None = field(default=None, compare=False, repr=False)


class Within(float):
    """A value that was kept: its error as a multiple of its bound, at most 1."""


# True or Within: kept. False: this case says nothing about the claim. "unsupported": refused for its dtype.
Judgement = bool | str | Within | Failure


@dataclass(frozen=True)
class Evidence:
    """One executed case: the contract as the target's release documents it, the case, what happened, the symbols."""

    contract: Contract
    case: Case
    seen: Mapping[str, Any]
    env: Mapping[str, Any]
    device: str
    release: str

    @property
    def ok(self) -> bool:
        return bool(self.seen["status"] == "ok")

    @cached_property
    def outputs(self) -> Mapping[str, Any] | None:
        """The outputs by name; None where the call failed or its result is not nested as documented."""
        return named(self.contract.returns, self.seen["result"]) if self.ok else None

    @cached_property
    def expected(self) -> Mapping[str, Any]:
        """The documented parameters and buffers of this configuration, with their shapes."""
        return self.contract.expected_parameters(self.env)

    def array(self, told: Mapping[str, Any]) -> Array:
        """The numbers of a tensor that the agent tells of, as float64."""
        return decode(self.seen["blobs"][told["blob"]], told["dtype"], told["shape"])

    @cached_property
    def values(self) -> Values:
        """The arrays that the case computed with: what a usage made of a parameter is taken from the target."""
        made, told = values_of(self.contract, self.case), self.seen.get("effective") or {}
        effective = {name: self.array(parameter) for name, parameter in told.items()}
        return replace(made, parameters={**made.parameters, **effective}) if effective else made

    @cached_property
    def _evaluated(self) -> Evaluated | None:
        """Values and, where gradients were taken, their derivative, in one go."""
        toward = self.directions if "gradients" in self.seen else None
        return evaluate(self.contract, self.case, self.env, self.values, self.order, toward)

    @property
    def reference(self) -> Outputs | None:
        """What the documented equations give; None where they do not fix the values."""
        return self._evaluated.outputs if self._evaluated else None

    @cached_property
    def fates(self) -> Mapping[str, Fates]:
        """What dropout may have made of each output, under the weights of the case; none where it drops nothing."""
        return fates(self.contract, self.case, self.env, self.values, self.order)

    @cached_property
    def directions(self) -> Mapping[str, Array]:
        """A direction for each input and parameter."""
        arrays = {**self.values.inputs, **({} if self.case.usage == "frozen" else self.values.parameters)}
        return directions(self.case, {name: array.shape for name, array in arrays.items()})

    @cached_property
    def derivative(self) -> tuple[float, float] | None:
        """The derivative of the outputs, each times its cotangent, in those directions; and its bound."""
        return self._evaluated.derivative(self.values.cotangents) if self._evaluated else None

    @property
    def order(self) -> tuple[int, ...] | None:
        """How a packed input sorts its sequences; where there is none, how a packed output says that it does."""
        packs = [*(self.seen.get("packs") or {}).values(), *([] if not self.contract.function else self._packed)]
        return next((tuple(p["sorted_indices"]) for p in packs if p["sorted_indices"] is not None), None)

    @property
    def _packed(self) -> list[Mapping[str, Any]]:
        """The packed outputs whose order is one of all sequences."""
        packed = [found for found in (self.outputs or {}).values() if found and found["type"] == "packed"]
        count = range(self.env.get("B", 0))
        return [found for found in packed if sorted(found["sorted_indices"] or count) == list(count)]


@dataclass(frozen=True)
class Claim:
    """One checkable promise. ``scenario`` names the cases that exercise it: a layout, ``constructor``, ``refused``.

    ``check`` reads an :class:`Evidence`; in the scenario ``documentation`` it reads the installed page instead.
    Where it is the ``cause`` of whatever else a case breaks, such as a death, that is not reported once more.
    """

    id: str
    module: str
    scenario: str
    statement: str
    source: str
    check: Callable[[Any], Judgement] = field(repr=False, compare=False)
    formula: str | None = None
    releases: str = ">=2.0"
    authority: str = "documentation"
    cause: bool = False

    def to_json(self) -> dict[str, Any]:
        """What ``conformance claims --json`` prints and run files carry."""
        names = ("id", "module", "scenario", "statement", "formula", "source", "releases", "authority")
        return {**{name: getattr(self, name) for name in names}, "proven": faults().get(self.id)}


def named(returns: str, result: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parts of a result under their documented names, or None where the nesting differs from ``returns``."""
    found: dict[str, Any] = {}
    return found if _match(_nesting(returns), result, found) else None


@cache
def _nesting(returns: str) -> ast.expr:
    return ast.parse(returns, mode="eval").body


def _match(node: Any, value: Mapping[str, Any] | None, found: dict[str, Any]) -> bool:
    if hasattr(node, "id"):
        found[node.id] = value
        return value is None or value["type"] in ("tensor", "packed", "bool", "NoneType")
    if value is None:
        return False
    if isinstance(node, ast.List):  # ``[sequences]``: a list of any number of tensors
        found[node.elts[0].id] = value  # type: ignore[attr-defined]
        return value["type"] == "list" and all(item["type"] == "tensor" for item in value["items"])
    if value["type"] == "tensor":  # "only returned when …": the first alone, the others absent
        return _match(node.elts[0], value, found) and all(_match(e, None, found) for e in node.elts[1:])
    if value["type"] != "tuple" or len(value["items"]) != len(node.elts):
        return False
    return all(_match(e, item, found) for e, item in zip(node.elts, value["items"], strict=True))


def happened(seen: Mapping[str, Any]) -> str:
    """The end of an execution in one line."""
    match seen["status"]:
        case "raised":
            message = seen["message"].strip().splitlines()
            return f"{seen['exception']} in {seen['phase']}: {message[0] if message else ''}"
        case "ok":
            return "accepted"
        case status:
            return f"{status}: {seen['message']}"


def died(status: str) -> str:
    """The severity of an execution that had no end; empty where it had one."""
    return {"crashed": "crash", "hung": "hang"}.get(status, "")


def severity_of(seen: Mapping[str, Any]) -> str:
    """How bad it is that a documented call did not succeed."""
    return died(seen["status"]) or "refused"


def together(judgements: Iterable[Judgement]) -> Judgement:
    """What several judgements amount to: the first failure, else how close the closest came, else whether there was
    any."""
    closest: Within | None = None
    kept = False
    for judgement in judgements:
        if isinstance(judgement, Failure):
            return judgement
        if isinstance(judgement, Within):
            closest = judgement if closest is None else max(closest, judgement)
        kept = kept or judgement is True
    return kept if closest is None else closest


def unsupported(evidence: Evidence) -> bool:
    """Whether the target says plainly that it lacks an implementation for the case's dtype, where it may.

    No page promises which dtypes a device computes in, so a clear refusal is counted apart, neither kept nor broken.
    """
    case, message = evidence.case, evidence.seen.get("message", "")
    if evidence.seen["status"] == "raised" and any(word in message for word in _NO_MEMORY):
        return True  # it says something about the machine, not about torch
    if evidence.seen["status"] != "raised" or not any(word in message for word in _REFUSALS):
        return False
    return may_refuse(case.module, case.dtype, evidence.device, evidence.release)


_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
_REFUSALS = ("not implemented for", "doesn't support", "is not supported", "not supported for", "unsupported dtype")
