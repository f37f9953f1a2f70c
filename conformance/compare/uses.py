"""A usage profile: what of torch.nn somebody uses. It narrows the gate to that and puts their own configurations among
the cases.

A TOML file: ``modules``, ``dtypes``, ``devices`` and ``features`` are lists, each of which says "these alone" where it
is there; ``[[configuration]]`` tables are cases. A feature is what a configuration shows beside its sizes:
``bidirectional=True``, ``proj_size``, ``packed``, ``usage=deepcopy``, ``errors`` (what is to be refused).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from conformance.cases import Case, CaseError, Input
from conformance.compare.difference import Difference
from conformance.oracle.contract import FLOATING, Contract, Layout
from conformance.oracle.expression import expression
from conformance.oracle.registry import ContractError, contract_of, contracts

_LISTS = ("modules", "dtypes", "devices", "features")
_FIELDS = {"module": str, "layout": str, "dtype": str, "train": bool, "arguments": dict, "inputs": dict,
           "lengths": list, "enforce_sorted": bool}  # fmt: skip
_NEEDED = ("module", "layout", "arguments", "inputs")


class UsesError(ValueError):
    """A usage profile that cannot be understood: which file, which field, what is allowed."""


@dataclass(frozen=True)
class Uses:
    """What is used; None stands for everything."""

    modules: tuple[str, ...] | None = None
    dtypes: tuple[str, ...] | None = None
    devices: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None
    cases: tuple[Case, ...] = ()
    files: tuple[str, ...] = ()

    def covers(self, row: Difference) -> bool:
        """Whether somebody with this profile can meet the difference: its minimal case shows nothing else."""
        if self.modules is not None and not any(fnmatchcase(row.module, _whole(glob)) for glob in self.modules):
            return False
        if row.case is None:
            return True
        case = Case.from_json(row.case)
        if self.dtypes is not None and case.dtype not in self.dtypes:
            return False
        if self.features is None:
            return True
        return all(shown & {*self.features} for shown in features(contract_of(case.module, self.files), case))

    def runs_on(self, device: str) -> bool:
        """Whether a comparison on this device says anything about what is used."""
        return self.devices is None or device.partition(":")[0] in {d.partition(":")[0] for d in self.devices}

    def to_json(self) -> dict[str, Any]:
        """What a run file carries."""
        told = {name: getattr(self, name) for name in _LISTS}
        return {**told, "configurations": len(self.cases)}


def _whole(glob: str) -> str:
    """``LSTM`` stands for ``torch.nn.LSTM``, as everywhere."""
    return glob if "." in glob else f"*.{glob}"


def features(contract: Contract, case: Case) -> Iterator[set[str]]:
    """Everything particular about a case; of each, the words by which a profile may name it."""
    given = [(a, values[a.name]) for values, known in ((case.arguments, contract.arguments),
             (case.options, contract.options)) for a in known if a.name in values]  # fmt: skip
    for argument, value in given:
        required_size = isinstance(value, int) and not isinstance(value, bool) and not isinstance(argument.default, int)
        if value != argument.default and not required_size and argument.name not in ("dtype", "device"):
            yield {argument.name, f"{argument.name}={value}"}
    if any(item.lengths is not None for item in case.inputs) and case.layout == "packed":
        yield {"packed"}
    if case.layout == "unbatched":
        yield {"unbatched"}
    if case.usage != "plain":
        yield {"usage", f"usage={case.usage}"}
    if case.violation or case.misuse:
        yield {"errors"}


# -- reading -----------------------------------------------------------------------------------------------------------


def load(path: str, files: tuple[str, ...] = ()) -> Uses:
    """The profile in a file; :class:`UsesError` naming what is wrong."""
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsesError(f"--uses {path}: cannot be read as TOML ({error}); `conformance record` writes one") from None
    if unknown := sorted(data.keys() - {*_LISTS, "configuration"}):
        raise UsesError(f"--uses {path}: {', '.join(unknown)} is no field; a profile has {', '.join(_LISTS)} and "
                        "[[configuration]] tables")  # fmt: skip
    lists = {name: _names(path, name, data[name]) for name in _LISTS if name in data}
    _check_modules(path, lists.get("modules", ()), files)
    for dtype in lists.get("dtypes", ()):
        if dtype not in FLOATING:
            raise UsesError(f"--uses {path}: dtype {dtype!r} is not tested; the dtypes are {', '.join(FLOATING)}")
    tables = data.get("configuration", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsesError(f"--uses {path}: configuration must be written as [[configuration]] tables")
    cases = tuple(_case(path, number, table, files) for number, table in enumerate(tables, 1))
    return Uses(**lists, cases=cases, files=files)


def _names(path: str, name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsesError(f"--uses {path}: {name} is {value!r}; it must be a list of strings")
    return tuple(value)


def _check_modules(path: str, globs: tuple[str, ...], files: tuple[str, ...]) -> None:
    known = [contract.module for contract in contracts(files)]
    for glob in globs:
        if not any(fnmatchcase(module, _whole(glob)) for module in known):
            raise UsesError(f"--uses {path}: no contract is called {glob!r}; there are {', '.join(known)}")


def _case(path: str, number: int, table: Mapping[str, Any], files: tuple[str, ...]) -> Case:
    where = f"--uses {path}: configuration {number}"
    if missing := [name for name in _NEEDED if name not in table]:
        raise UsesError(f"{where} lacks {', '.join(missing)}")
    for name, value in table.items():
        if name not in _FIELDS or not isinstance(value, _FIELDS[name]):
            raise UsesError(f"{where}: {name} = {value!r} is not understood; its fields are {', '.join(_FIELDS)}")
    try:
        contract = contract_of(table["module"], files)
        case = configured(contract, {name: _tuples(value) for name, value in table.items()})
    except (ContractError, CaseError, ValueError, TypeError, KeyError) as error:
        raise UsesError(f"{where}: {error}") from None
    return case


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(value) if isinstance(value, list) else value


def configured(contract: Contract, told: Mapping[str, Any]) -> Case:
    """The case of a configuration: its sizes are read off the shapes of its inputs."""
    if told["layout"] not in contract.layout_names:
        raise ValueError(f"{told['layout']!r} is no layout of {contract.module}: {', '.join(contract.layout_names)}")
    names = {argument.name for argument in contract.arguments}
    if unknown := sorted({*told["arguments"]} - names):
        raise ValueError(f"{contract.module} documents no argument {', '.join(unknown)}")
    layout = contract.layout(told["layout"])
    arguments = {name: told["arguments"][name] for name in contract.ordered(told["arguments"])}
    dtype = told.get("dtype", "float32")
    if dtype != "float32" and contract.takes_dtype:
        arguments["dtype"] = dtype
    sizes = _sizes(contract, layout, arguments, told)
    inputs = tuple(_input(contract, layout, name, told, dtype, sizes, arguments) for name in told["inputs"])
    return Case(contract.module, layout.name, arguments, inputs, sizes, dtype=dtype, train=told.get("train", True))


def _sizes(contract: Contract, layout: Layout, arguments: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    given = {"lengths": told["lengths"]} if layout.packed else {}
    env = contract.environment(arguments, given, layout.name)
    kept = {*given, *layout.binds}
    known = {name: value for name, value in env.items() if name not in contract.sizes or name in kept}
    for name, shape in told["inputs"].items():
        port = next((port for port in contract.inputs if port.name == name), None)
        if port is None or layout.name not in port.by_layout:
            raise ValueError(f"{contract.module} takes no {name} in the layout {layout.name}")
        if not contract.shape_of(port, layout.name).unify(tuple(shape), known):
            raise ValueError(f"{name} {tuple(shape)} is not {port.by_layout[layout.name]}")
    bound = {*layout.binds} - {*given}
    return {name: known[name] for name in contract.sizes if name in known and name not in bound}


def _input(
    contract: Contract, layout: Layout, name: str, told: Mapping[str, Any], dtype: str, sizes: Any, arguments: Any
) -> Input:
    port, packed = contract.port(name), layout.packed == name
    kind = port.kind(layout.name)
    env = contract.environment(arguments, sizes, layout.name)
    return Input(
        name,
        tuple(told["inputs"][name]),
        {"floating": dtype, "index": "int64", "mask": "bool"}[kind],
        kind,
        below=expression(port.below)(env) if kind == "index" else 1,
        lengths=tuple(told["lengths"]) if packed else None,
        enforce_sorted=told.get("enforce_sorted", True) if packed else True,
    )
