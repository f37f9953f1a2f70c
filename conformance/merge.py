"""Joins run files: the shards of one run, and runs on different targets, in any order to the same bytes.

What is not whole is never silently passed: a missing shard or footer makes the verdict INCONCLUSIVE, and what does not
belong together is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from conformance.compare.difference import merged
from conformance.hygiene import settled
from conformance.results import Exercised, Run, TargetRecord
from conformance.verdict import INCONCLUSIVE, NOTHING, verdict

# Two runs that differ in one of these answer different questions.
SAME = ("suite", "seed", "profile", "random_cases", "comparison")
IDENTITY = ("torch", "cuda", "device", "mode", "default_dtype", "deterministic_algorithms", "float32_matmul_precision")


class MergeError(ValueError):
    """Run files that do not belong together: which, and why."""


def merge(runs: Mapping[str, Run]) -> Run:
    """One run made of several, each given under the name of its file. The order does not matter."""
    if not runs:
        raise MergeError("nothing to merge; pass the run files of the shards or of the targets")
    _check_headers(runs)
    parts = _named_apart(list(runs.values()))
    _check_results(dict(zip(runs, parts, strict=True)))
    whole = _joined(parts, _doubts(runs), _shards(runs))
    said = verdict(whole, "; ".join(_incomplete(whole.header) or _unjudged(whole)), _error(runs))
    whole.footer = said.to_json()
    return whole


# -- what belongs together ---------------------------------------------------------------------------------------------


def _check_headers(runs: Mapping[str, Run]) -> None:
    first, *others = runs
    for name in others:
        for key in SAME:
            mine, theirs = runs[first].header.get(key), runs[name].header.get(key)
            if mine != theirs:
                raise MergeError(f"{first} and {name} differ in {key}: {mine!r} and {theirs!r}; "
                                 "merge runs of one suite, profile and seed")  # fmt: skip
    claims: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, run in runs.items():
        for claim in run.header["claims"]:
            plain = {k: v for k, v in claim.items() if k != "place"}
            known = claims.setdefault(claim["id"], (name, plain))
            if known[1] != plain:
                raise MergeError(
                    f"{known[0]} and {name} mean different claims by {claim['id']}; merge runs of one suite"
                )


def _check_results(runs: Mapping[str, Run]) -> None:
    """Nothing may be counted twice."""
    places: dict[tuple[str, str], str] = {}
    for name, run in runs.items():
        for tally in run.tallies:
            other = places.setdefault((tally.claim, tally.target), name)
            if other != name:
                raise MergeError(f"{other} and {name} both judge {tally.claim} on {tally.target}; "
                                 "pass each file once, and name targets apart (--target NAME=…)")  # fmt: skip
    shards: dict[tuple[Any, ...], str] = {}
    for name, run in runs.items():
        for shard in _shards_of(run):
            key = (shard["run"], shard["index"], shard["of"])
            if key in shards:
                raise MergeError(f"{shards[key]} and {name} are both shard {key[1]}/{key[2]}; pass each run file once")
            shards[key] = name


# -- targets -----------------------------------------------------------------------------------------------------------


def _called(target: TargetRecord) -> str:
    """The name that the user gave: a merge may have changed it."""
    return target.called or target.name


def _named_apart(runs: Sequence[Run]) -> list[Run]:
    """The runs with distinct names for targets that are not the same: the name and what they differ in."""
    kinds: dict[str, set[str]] = {}
    for target in (target for run in runs for target in run.targets if target.environment):
        kinds.setdefault(_called(target), set()).add(_identity(target))
    return [_renamed(run, {t.name: _own_name(t, kinds.get(_called(t), set())) for t in run.targets}) for run in runs]


def _identity(target: TargetRecord) -> str:
    """What makes it another target. Python, the processor and the like may differ between the machines of a farm."""
    return json.dumps([target.environment.get(key) for key in IDENTITY])


def _own_name(target: TargetRecord, kinds: set[str]) -> str:
    if len(kinds) < 2 or not target.environment:
        return _called(target)
    release = str(target.environment.get("torch"))
    alike = [kind for kind in kinds if json.loads(kind)[0] == release]
    digest = hashlib.sha256(_identity(target).encode()).hexdigest()[:6]
    return f"{_called(target)}@{release}" + (f"-{digest}" if len(alike) > 1 else "")


def _renamed(run: Run, names: Mapping[str, str]) -> Run:
    """The same run with other names for its targets."""

    def moved(items: Iterable[Any]) -> list[Any]:
        return [replace(item, target=names.get(item.target, item.target)) for item in items]

    targets = [
        replace(t, name=names[t.name], called="" if names[t.name] == _called(t) else _called(t)) for t in run.targets
    ]
    return replace(run, targets=targets, tallies=moved(run.tallies), discrepancies=moved(run.discrepancies),
                   exercised=moved(run.exercised), standings=moved(run.standings))  # fmt: skip


def _targets(runs: Sequence[Run]) -> list[TargetRecord]:
    """Each target once. In their order if all runs have the same; otherwise by name, 2.9 before 2.13."""
    orders = {tuple(target.name for target in run.targets) for run in runs if run.targets}
    found: dict[str, TargetRecord] = {}
    for target in (target for run in runs for target in run.targets):
        found[target.name] = _together(found[target.name], target) if target.name in found else target
    order = next(iter(orders)) if len(orders) == 1 else sorted(found, key=natural)
    return [found[name] for name in order]


def _together(one: TargetRecord, other: TargetRecord) -> TargetRecord:
    """One record of the same target in two parts: the worse status; of what differs between their machines, both."""
    worse = max(one, other, key=lambda t: (("ran", "not run", "lost").index(t.status), t.reason, t.spec, t.gateway))
    keys = sorted({*one.environment, *other.environment}) if one.environment.keys() != other.environment.keys() else (
        list(one.environment)
    )  # fmt: skip
    both = {key: _either(one.environment.get(key), other.environment.get(key)) for key in keys}
    spec, gateway = max(one.spec, other.spec), max(one.gateway, other.gateway)
    return replace(worse, environment=both, restarts=one.restarts + other.restarts, spec=spec, gateway=gateway,
                   required=one.required or other.required)  # fmt: skip


def _either(one: Any, other: Any) -> Any:
    if one == other or other is None:
        return one
    if one is None:
        return other
    return " | ".join(sorted({text for value in (one, other) for text in str(value).split(" | ")}))


def natural(name: str) -> list[tuple[int, int, str]]:
    """An order in which 2.9 comes before 2.13."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


# -- results -----------------------------------------------------------------------------------------------------------


def _joined(runs: Sequence[Run], doubts: list[str], shards: list[dict[str, Any]]) -> Run:
    return Run(
        _header(runs, doubts, shards),
        _targets(runs),
        [tally for run in runs for tally in run.tallies],
        [found for run in runs for found in run.discrepancies],
        _timing(runs),
        exercised=_exercised(runs),
        differences=merged(row for run in runs for row in run.differences),
        standings=settled(standing for run in runs for standing in run.standings),
    )


def _header(runs: Sequence[Run], doubts: list[str], shards: list[dict[str, Any]]) -> dict[str, Any]:
    first = runs[0].header
    places: dict[str, dict[str, Any]] = {}
    for claim in (claim for run in runs for claim in run.header["claims"]):
        known = places.get(claim["id"], claim)
        places[claim["id"]] = min(known, claim, key=lambda c: c.get("place", 0))
    claims = sorted(places.values(), key=lambda c: (c.get("place", 0), c["id"]))
    entries = {told["id"]: told for run in runs for told in run.header.get("entries", [])}
    known = {entry: told for run in runs for entry, told in run.header.get("ledger", {}).items()}
    made: dict[str, Any] = {
        **{key: first[key] for key in ("suite", "seed", "profile", "random_cases") if key in first},
        "command": _command(runs),
        **({"comparison": first["comparison"]} if "comparison" in first else {}),
        **({"shards": shards} if shards else {}),
        **({"doubts": doubts} if doubts else {}),
        "entries": sorted(entries.values(), key=lambda told: str(told["id"])),
        "claims": claims,
    }
    modules = dict.fromkeys(claim["module"] for claim in claims)
    counted = [run.header.get("cases", {}) for run in runs]
    made["cases"] = {module: sum(cases.get(module, 0) for cases in counted) for module in modules}
    made["ledger"] = dict(sorted(known.items()))
    return made


def _command(runs: Sequence[Run]) -> list[str] | str:
    """The command of all parts but for what makes them parts; several commands as a shell runs them."""
    said = {command for run in runs for command in _commands(run.header.get("command", []))}
    if len(said) == 1:
        return shlex.split(next(iter(said)))
    return " && ".join(sorted(said))


def _commands(command: list[str] | str) -> list[str]:
    if isinstance(command, str):
        return command.split(" && ")
    text = shlex.join(command)
    return [re.sub(r" --(shard|report)[= ]('[^']*'|\S+)", "", text)]


def _exercised(runs: Sequence[Run]) -> list[Exercised]:
    found: dict[tuple[str, str], Exercised] = {}
    for part in (part for run in runs for part in run.exercised):
        found.setdefault((part.module, part.target), Exercised(part.module, part.target)).add(part)
    return list(found.values())


def _timing(runs: Sequence[Run]) -> dict[str, Any]:
    told = [run.timing for run in runs if run.timing]
    groups = sorted((g for t in told for g in t.get("groups", [])), key=lambda g: (g["module"], g["scenario"], str(g)))
    started, finished = ([t[key] for t in told if key in t] for key in ("started", "finished"))
    return {"started": min(started, default=""), "finished": max(finished, default=""), "groups": groups}


# -- what is not whole -------------------------------------------------------------------------------------------------


def _shards_of(run: Run) -> list[dict[str, Any]]:
    return [run.header["shard"]] if "shard" in run.header else list(run.header.get("shards", []))


def _shards(runs: Mapping[str, Run]) -> list[dict[str, Any]]:
    """The shards that are there of runs that are not whole."""
    have = [shard for run in runs.values() for shard in _shards_of(run)]
    whole = {
        (name, of)
        for name, of in {(s["run"], s["of"]) for s in have}
        if {s["index"] for s in have if (s["run"], s["of"]) == (name, of)} == set(range(1, of + 1))
    }
    left = [shard for shard in have if (shard["run"], shard["of"]) not in whole]
    return sorted(left, key=lambda s: (s["run"], s["of"], s["index"]))


def _doubts(runs: Mapping[str, Run]) -> list[str]:
    """Why parts are not whole in themselves."""
    found = {doubt for run in runs.values() for doubt in run.header.get("doubts", [])}
    for run in runs.values():
        if run.footer is None:
            found.add("a run file has no footer: its run was cut short")
        elif run.footer.get("verdict") == INCONCLUSIVE and _is_own_doubt(run):
            found.add(str(run.footer.get("reason", "the run was cut short")))
    return sorted(found)


def _is_own_doubt(run: Run) -> bool:
    """Whether a doubt is neither found anew by counting nor one of an earlier merge."""
    merged_before = "doubts" in run.header or "shards" in run.header
    return not merged_before and verdict(run).word not in (INCONCLUSIVE, NOTHING)


def _incomplete(header: Mapping[str, Any]) -> list[str]:
    """The doubts, and the shards that are missing."""
    have: dict[tuple[str, int], list[int]] = {}
    for shard in header.get("shards", []):
        have.setdefault((shard["run"], shard["of"]), []).append(shard["index"])
    missing = [
        f"shard {index}/{of} is missing" for (_, of), found in have.items() for index in range(1, of + 1)
        if index not in found
    ]  # fmt: skip
    return [*header.get("doubts", []), *missing]


def _unjudged(run: Run) -> list[str]:
    """The targets on which claims of another part have no result."""
    judged = {(tally.claim, tally.target) for tally in run.tallies}
    missing = {
        target.name: sum((claim, target.name) not in judged for claim in run.claims)
        for target in run.targets if target.status == "ran"
    }  # fmt: skip
    return [f"{count} claims were not judged on {name}" for name, count in missing.items() if count]


def _error(runs: Mapping[str, Run]) -> str:
    """The error of the suite that one of the runs met."""
    said = [str(run.footer.get("reason")) for run in runs.values() if run.footer and run.footer.get("exit") == 3]
    return reduce(max, said, "").removeprefix("the suite itself failed ")
