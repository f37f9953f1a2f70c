"""The form of a contract: what the documentation of one module promises, as data that reads beside its page.

A new module is one new :class:`Contract` and nothing else. Everything in it is written from the documentation, never
from torch's code. Formulas are text in the documentation's notation (see :mod:`conformance.oracle.expression`).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from conformance.cases import Case
from conformance.oracle.drawn import Dropped, Initialised
from conformance.oracle.equations.given import Equations
from conformance.oracle.expression import Shape, call_of, expression, shape
from conformance.oracle.functions import Exclusion, Inverse
from conformance.oracle.parts import (
    CHOICE,
    COUNT,
    FLAG,
    FLOATING,
    LENGTH,
    NEVER,
    NUMBER,
    POSITIVE,
    PROBABILITY,
    REQUIRED,
    SIZE,
    Argument,
    Domain,
    Example,
    Formula,
    Layout,
    Lists,
    Parameter,
    Port,
    Size,
    Statement,
    TensorOf,
)

# What a contract is written with; its parts are defined beside this file.
__all__ = [
    "CHOICE", "COUNT", "FLAG", "FLOATING", "LENGTH", "NEVER", "NUMBER", "POSITIVE", "PROBABILITY", "REQUIRED", "SIZE",
    "Argument", "Contract", "Domain", "Example", "Formula", "Layout", "Lists", "Parameter", "Port", "Size",
    "Statement", "TensorOf", "in_range",
]  # fmt: skip

ByRelease = str | Mapping[str, str]


@dataclass(frozen=True)
class Contract:
    """What the documentation of one class promises. ``call`` and ``returns`` are written as a user writes them.

    Of a ``function`` the inputs come first and ``options`` are its other arguments; it constructs nothing.

    ``formulas`` are those that the page writes out. ``documents`` names what not every page states (an input or
    output, the label of a parameter, a formula, ``signature``) with the PEP 440 range of the releases whose pages do.
    ``equations`` compute the outputs as the page writes them.
    """

    module: str
    arguments: Sequence[Argument]
    layouts: Sequence[Layout]
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    call: str
    returns: str
    sizes: Mapping[str, Size]
    where: Mapping[str, ByRelease] = field(default_factory=dict)
    parameters: Sequence[Parameter] = ()
    options: Sequence[Argument] = ()
    examples: Sequence[Example] = ()
    article: Sequence[Statement] = ()
    dtypes: Sequence[str] = FLOATING
    refuses: bool = True
    equations: Equations | None = None
    formulas: Sequence[Formula] = ()
    documents: Mapping[str, str] = field(default_factory=dict)
    function: bool = False
    excludes: Sequence[Exclusion] = ()
    inverse: Inverse | None = None
    releases: str = ""
    initialised: Sequence[Initialised] = ()
    dropped: Dropped | None = None

    @property
    def prefix(self) -> str:
        """How ids of its claims begin: ``lstm`` for ``torch.nn.LSTM``."""
        return self.module.rpartition(".")[2].lower()

    @cached_property
    def layout_names(self) -> tuple[str, ...]:
        return tuple(layout.name for layout in self.layouts)

    @cached_property
    def takes_dtype(self) -> bool:
        """Whether the constructor documents ``dtype`` (and with it ``device``)."""
        return any(argument.name == "dtype" for argument in self.arguments)

    @cached_property
    def signature(self) -> tuple[Argument, ...]:
        """All documented arguments in their order."""
        if not self.function:
            return tuple(self.arguments)
        return (*(Argument(port.name) for port in self.inputs), *self.options)

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The inputs of a call that come together: ``input, (h_0, c_0)`` has two groups."""
        tree = call_of(self.call)
        nodes = [*tree.args, *(keyword.value for keyword in tree.keywords)]
        return tuple(tuple(n.id for n in ast.walk(node) if isinstance(n, ast.Name)) for node in nodes)

    def layout(self, name: str) -> Layout:
        return next(layout for layout in self.layouts if layout.name == name)

    def argument(self, name: str) -> Argument:
        return next(argument for argument in self.arguments if argument.name == name)

    def ordered(self, passed: Mapping[str, Any]) -> list[str]:
        """The names of passed arguments in the documented order; a mapping that came through JSON has lost it."""
        return [argument.name for argument in self.arguments if argument.name in passed]

    def option(self, name: str) -> Argument:
        return next(option for option in self.options if option.name == name)

    def port(self, name: str) -> Port:
        return next(port for port in (*self.inputs, *self.outputs) if port.name == name)

    def at(self, release: str) -> Contract:
        """The contract as this release documents it: newer arguments left out, formulas of its own pages."""
        return _at(self, Version(release).base_version)

    def environment(self, arguments: Mapping[str, Any], sizes: Mapping[str, Any], layout: str) -> dict[str, Any]:
        """Every symbol's value: arguments (documented defaults where omitted), sizes, then the *where* clauses."""
        env: dict[str, Any] = {a.name: a.default for a in (*self.arguments, *self.options) if a.default is not REQUIRED}
        env.update(arguments)
        env.update(sizes)
        env["layout"] = layout
        if layout in self.layout_names:
            for name, text in self.layout(layout).binds.items():
                env[name] = expression(text)(env)
        for name, clause in self.where.items():
            formula = expression(_latest(clause))
            if formula.names <= env.keys():
                env[name] = formula(env)
        return env

    def symbols(self, case: Case) -> dict[str, Any]:
        """Every symbol's value in a case."""
        return self.environment({**case.arguments, **case.options}, case.sizes, case.layout)

    def expected_parameters(self, env: Mapping[str, Any]) -> dict[str, tuple[Parameter, tuple[int, ...]]]:
        """Name of every documented parameter or buffer of this configuration -> its entry and its shape."""
        found: dict[str, tuple[Parameter, tuple[int, ...]]] = {}
        for parameter in self.parameters:
            if expression(parameter.when)(env):
                for k in range(expression(parameter.each)(env) if parameter.each else 1):
                    scope = {**env, "k": k}
                    found[parameter.name.format(k=k)] = (parameter, _shape_if(parameter.shape, scope))
        return found

    def shape_of(self, port: Port, layout: str) -> Shape:
        return shape(port.by_layout[layout])

    def sizes_of(self, port: Port, layout: str, env: Mapping[str, Any]) -> tuple[int, ...]:
        """The shape of all that a port holds: the tensors of a list are joined along their first axis."""
        text = self.shape_of(port, layout)
        if port.each is None:
            return text(env)
        return (sum(expression(port.each)(env)), *text({**env, "L": 0})[1:])

    def fits(self, layout: str, env: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether the given input shapes can be read as this documented layout with this configuration."""
        sizes = {*self.sizes, *self.layout(layout).binds}
        known = {k: v for k, v in env.items() if k not in sizes and k not in self._derived_from_sizes}
        if not expression(self.layout(layout).when)(env):
            return False
        ports = [port for port in self.inputs if port.name in shapes]
        return all(
            layout in port.by_layout and self.shape_of(port, layout).unify(shapes[port.name], known) for port in ports
        )

    @cached_property
    def _derived_from_sizes(self) -> frozenset[str]:
        """The *where* symbols that depend on the sizes of the call, not on the configuration alone."""
        derived: set[str] = set()
        for name, text in self.where.items():
            if expression(_latest(text)).names & {*self.sizes, *derived}:
                derived.add(name)
        return frozenset(derived)

    @cached_property
    def configured(self) -> frozenset[str]:
        """The symbols that the configuration alone fixes: arguments and what is derived from them."""
        names = {argument.name for argument in self.arguments}
        return frozenset(names | {name for name in self.where if name not in self._derived_from_sizes})


def _latest(text: ByRelease) -> str:
    return text if isinstance(text, str) else list(text.values())[-1]


def _shape_if(text: str, env: Mapping[str, Any]) -> tuple[int, ...]:
    """A shape text or a choice between two, ``(a, b) if k == 0 else (a, c)``."""
    value = expression(text)(env)
    return tuple(int(size) for size in value) if isinstance(value, tuple) else (int(value),)


@cache
def in_range(specifier: str, release: str) -> bool:
    return not specifier or SpecifierSet(specifier).contains(release, prereleases=True)


_RELEASED: dict[tuple[int, str], Contract] = {}


def _at(contract: Contract, release: str) -> Contract:
    key = (id(contract), release)
    if key not in _RELEASED:
        where = {
            name: text if isinstance(text, str) else next(t for spec, t in text.items() if in_range(spec, release))
            for name, text in contract.where.items()
        }
        every = (*contract.arguments, *contract.options)
        later = {a.name: repr(a.default) for a in every if not in_range(a.releases, release)}
        _RELEASED[key] = replace(
            contract,
            arguments=tuple(a for a in contract.arguments if a.name not in later),
            options=tuple(a for a in contract.options if a.name not in later),
            parameters=tuple(p for p in contract.parameters if in_range(p.releases, release)),
            where={**later, **where},  # formulas may speak of an argument that is not there yet: it has its default
        )
    return _RELEASED[key]
