"""``conformance record``: a user's script runs in the target, what it does with torch.nn becomes a usage profile."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

from conformance.cases import Case
from conformance.compare.uses import configured, features
from conformance.oracle.contract import FLOATING, Contract
from conformance.oracle.expression import call_of
from conformance.oracle.registry import contracts
from conformance.results import write_whole

RECORDING = Path(__file__).parents[1] / "targets" / "recording.py"  # run there, never imported: it would import torch
MOST = 60  # configurations that become cases: each is run on both releases


class RecordError(RuntimeError):
    """A script that could not be recorded: what happened, what may help."""


@dataclass
class Profile:
    """What was seen: the configurations as tables and as cases, devices, and what is no documented use."""

    tables: dict[str, tuple[dict[str, Any], Case]] = field(default_factory=dict)
    devices: dict[str, None] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)


def record(script: str, arguments: Sequence[str], python: str, output: str, files: tuple[str, ...] = ()) -> int:
    """Runs the script and writes the profile; 0 if it used anything that has a contract."""
    known = {c.module: c for c in contracts(files) if not c.function}
    told = _run(script, arguments, python, [name for name in known if name.startswith("torch.nn.")])
    profile = _profile(told["seen"], known)
    if not profile.tables:
        raise RecordError(f"{script} called no module that has a contract ({', '.join(known)}); nothing was written"
                          f"{_said(profile)}")  # fmt: skip
    write_whole(Path(output), _toml(profile, known, script, told["torch"]))
    print(f"{output}: {len(profile.tables)} configurations of {len({c.module for _, c in profile.tables.values()})} "
          f"modules{_said(profile)}")  # fmt: skip
    return 0


def _run(script: str, arguments: Sequence[str], python: str, modules: list[str]) -> dict[str, Any]:
    if not Path(script).is_file():
        raise RecordError(f"there is no script {script!r}")
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "seen.json"
        command = [python, str(RECORDING), str(out), json.dumps(modules), script, *arguments]
        try:
            done = subprocess.run(command, check=False)
        except OSError as error:
            raise RecordError(f"--python {python!r} cannot be run: {error}") from None
        if not out.is_file():
            raise RecordError(f"{script} ended with exit code {done.returncode} before anything was noted; see above")
        if done.returncode:
            print(f"conformance: {script} ended with exit code {done.returncode}; what it did until then counts",
                  file=sys.stderr)  # fmt: skip
        seen: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return seen


def _said(profile: Profile) -> str:
    odd = list(dict.fromkeys(profile.odd))
    return f"; {len(odd)} calls are none that a page documents, the first: {odd[0]}" if odd else ""


def _profile(seen: Sequence[Mapping[str, Any]], known: Mapping[str, Contract]) -> Profile:
    profile = Profile()
    for told in sorted(seen, key=lambda one: -one["count"]):
        try:
            table = _table(known[told["module"]], told, profile)
            case = configured(known[told["module"]], table)
        except (ValueError, TypeError, KeyError, StopIteration) as error:
            profile.odd.append(f"{told['module']}: {error}")
            continue
        profile.tables.setdefault(case.hash, (table, case))
    return profile


def _table(contract: Contract, told: Mapping[str, Any], profile: Profile) -> dict[str, Any]:
    """A configuration as a profile writes it."""
    arguments = _arguments(contract, told)
    dtype = arguments.pop("dtype", None)
    arguments.pop("device", None)
    inputs = dict(_inputs(contract, told["call"]))
    profile.devices |= dict.fromkeys(value["device"].partition(":")[0] for value in inputs.values())
    lengths = next((value for value in inputs.values() if "lengths" in value), None)
    shapes = {name: _shape(value) for name, value in inputs.items()}
    floating = next((v["dtype"] for v in inputs.values() if v["dtype"] in FLOATING), None)
    layout = _layout(contract, arguments, shapes, lengths)
    table = {"module": contract.module, "layout": layout, "dtype": dtype or floating or "float32",
             "train": told["train"], "arguments": arguments, "inputs": shapes}  # fmt: skip
    packed = {"lengths": lengths["lengths"], "enforce_sorted": lengths["enforce_sorted"]} if lengths else {}
    return {**table, **packed}


def _arguments(contract: Contract, told: Mapping[str, Any]) -> dict[str, Any]:
    names = [argument.name for argument in contract.arguments if argument.by_position is not None]
    if len(told["args"]) > len(names):
        raise ValueError(f"{len(told['args'])} arguments by position")
    given = {**dict(zip(names, told["args"], strict=False)), **told["kwargs"]}
    for name, value in given.items():
        if isinstance(value, dict) and name != "device":
            raise ValueError(f"{name} is a {value['type']}")
    defaults = {argument.name: argument.default for argument in contract.arguments}
    return {n: tuple(v) if isinstance(v, list) else v for n, v in given.items() if v is not None or defaults.get(n)}


def _inputs(contract: Contract, call: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The tensors of a call under the names that the contract's own call gives them."""
    tree = call_of(contract.call)
    nodes = [*tree.args, *(keyword.value for keyword in tree.keywords)]
    for node, value in zip(nodes, call["args"], strict=False):
        yield from _named(node, value)
    by_name = {node.id: node for node in nodes if isinstance(node, ast.Name)}
    rest = [node for node in tree.args[len(call["args"]) :] if not isinstance(node, ast.Name) or node.id not in
            call["kwargs"]]  # fmt: skip
    for name, value in call["kwargs"].items():
        meant = by_name.get(name) or next(iter(rest), None)  # what a page calls otherwise than Python: hx, h_0
        if meant is not None and isinstance(value, (dict, list)):
            yield from _named(meant, value)


def _named(node: Any, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, ast.Tuple) and isinstance(value, list):
        for part, item in zip(node.elts, value, strict=True):
            yield from _named(part, item)
    elif isinstance(value, dict) and "shape" in value:
        yield node.id, value
    elif value is not None:
        raise ValueError(f"{ast.unparse(node)} is {value!r}")


def _shape(value: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape of a tensor; of a packed one that of the padded batch it stands for."""
    if "lengths" not in value:
        return tuple(value["shape"])
    return (max(value["lengths"]), len(value["lengths"]), *value["shape"][1:])


def _layout(contract: Contract, arguments: Mapping[str, Any], shapes: Any, lengths: Any) -> str:
    for layout in contract.layouts:
        if (layout.packed is not None) != (lengths is not None):
            continue
        env = contract.environment(arguments, {"lengths": tuple(lengths["lengths"])} if lengths else {}, layout.name)
        if contract.fits(layout.name, env, shapes):
            return layout.name
    raise ValueError(f"no documented layout has inputs of {shapes}")


def _words(contract: Contract, case: Case) -> Iterator[str]:
    """The features of a case; of a number only its name, since its value is as good as another."""
    for words in features(contract, case):
        word, *more = sorted(words, key=len)
        value = case.arguments.get(word, case.options.get(word))
        yield more[0] if more and isinstance(value, (bool, str)) else word


def _toml(profile: Profile, known: Mapping[str, Contract], script: str, release: str) -> str:
    found = list(profile.tables.values())
    cases = [case for _, case in found]
    document = tomlkit.document()
    document.add(tomlkit.comment(f"Recorded from {Path(script).name} on torch {release}. Edit it as you like."))
    shown = [word for case in cases for word in _words(known[case.module], case)]
    lists = {"modules": [c.module for c in cases], "dtypes": [c.dtype for c in cases], "devices": profile.devices,
             "features": shown}  # fmt: skip
    for name, values in lists.items():
        document.add(name, tomlkit.item(sorted(set(values))))
    tables = tomlkit.aot()
    for table, _ in found[:MOST]:
        tables.append(tomlkit.item(json.loads(json.dumps(table))))
    document.add("configuration", tables)
    return tomlkit.dumps(document)
