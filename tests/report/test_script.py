"""The script of a case: it compiles for every case, and with torch it shows what the agent saw."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from conformance.cases import Case
from conformance.judge import applies
from conformance.oracle.claims import scenarios_of
from conformance.oracle.claims.claim import named
from conformance.oracle.claims.usage import usages_of
from conformance.oracle.contract import Contract
from conformance.oracle.registry import contract_of, contracts
from conformance.report.numbers import MOST, Numbers, order
from conformance.report.script import ScriptError, torch_only
from conformance.strategies.boundary import boundary_cases
from conformance.strategies.build import Impossible
from conformance.strategies.random import RandomPick
from conformance.strategies.scenarios import build
from conformance.values import decode
from conformance.wire import to_wire

EACH = 2  # boundary cases a scenario that are run with torch
RANDOM = 4  # random ones


def _scenarios(contract: Contract) -> list[str]:
    return [scenario for scenario in scenarios_of(contract) if scenario != "documentation"]


@pytest.mark.parametrize("contract", contracts(), ids=lambda contract: contract.prefix)
def test_every_boundary_case_gives_a_script_that_compiles(contract: Contract):
    for scenario in _scenarios(contract):
        for case in boundary_cases(contract, scenario):
            text = torch_only(contract, case, expected="'\"\n\u202e", observed="# \n import os")
            compile(text, case.hash, "exec")
            assert case.draws or not re.search(r"rand|manual_seed|import os$", text)


def test_arguments_come_in_the_order_of_the_signature_though_json_sorts_them():
    contract = contract_of("torch.nn.LSTM")
    case = next(c for c in boundary_cases(contract, "constructor") if c.positional > 1)
    forgotten = replace(case, arguments=dict(sorted(case.arguments.items())))
    assert torch_only(contract, forgotten) == torch_only(contract, case)


@pytest.mark.parametrize("change", [
    {"module": "os.system"},
    {"arguments": {"x); import os; (": 1}},
    {"options": {"x": 1}},
    {"dtype": "float32); import os; ("},
    {"layout": "no such layout"},
])  # fmt: skip
def test_a_case_that_does_not_fit_its_contract_gives_no_script(change: dict):
    contract = contract_of("torch.nn.Linear")
    case = boundary_cases(contract, "any_rank")[0]
    with pytest.raises(ScriptError):
        torch_only(contract, replace(case, **change))


def test_a_device_is_a_device_and_nothing_else():
    contract = contract_of("torch.nn.Linear")
    case = boundary_cases(contract, "any_rank")[0]
    with pytest.raises(ScriptError):
        torch_only(contract, case, device='cpu"); import os; ("')
    assert 'module = module.to("cuda:0")' in torch_only(contract, case, device="cuda:0")


def test_scripts_print_the_shapes_that_the_agent_saw(target_python: str, shared_target):
    release = shared_target.release
    samples = [
        (contract.at(release), case)
        for contract in contracts()
        for scenario in _scenarios(contract)
        for case in _spread(boundary_cases(contract, scenario))
        if applies(contract, case, release)
    ]
    scripts = [torch_only(contract, case) for contract, case in samples]
    printed = _run_all(target_python, scripts)
    for (contract, case), script, text in zip(samples, scripts, printed, strict=True):
        seen = _seen(shared_target, contract, case)
        assert _agrees(contract, case, seen, text), f"{script}\n{text}\n{seen}"


def test_scripts_print_the_values_that_the_agent_saw(target_python: str, shared_target):
    release = shared_target.release
    documented = [contract_of(f"torch.nn.{name}").at(release) for name in ("RNN", "LSTM", "GRU", "RNNCell")]
    samples = [(contract, case) for contract in documented for case in _random_cases(contract, release)]
    told = [_seen(shared_target, contract, case) for contract, case in samples]
    scripts = [torch_only(*sample, values=True, order=order(seen)) for sample, seen in zip(samples, told, strict=True)]
    printed = _run_all(target_python, scripts)
    for (contract, case), seen, script, text in zip(samples, told, scripts, printed, strict=True):
        assert _agrees(contract, case, seen, text), f"{script}\n{text}\n{seen}"
        assert _shows_values(contract, case, seen, text), f"{script}\n{text}\n{seen}"
        assert "BEYOND" not in text, f"{script}\n{text}"


def _random_cases(contract: Contract, release: str) -> list[Case]:
    """Some of every scenario, and every usage."""
    pick = RandomPick(Random(7))
    found = []
    for scenario in [*_scenarios(contract), *["usage"] * 3]:
        for _ in range(RANDOM):
            with suppress(Impossible):
                found.append(build(contract, scenario, pick))
    for usage in usages_of(contract):
        with suppress(Impossible):
            found.append(build(contract, "usage", lambda n, d, u=usage.name: u if n == "usage" else pick(n, d)))
    return [case for case in found if applies(contract, case, release)]


def _seen(target, contract: Contract, case: Case) -> dict:
    target.send_cases([to_wire(contract, case)])
    return target.receive_cases()[0]


def _shows_values(contract: Contract, case: Case, seen: dict, text: str) -> bool:
    """Whether every output and every gradient is printed, element by element as the agent saw it."""
    if seen["status"] != "ok" or case.layout == "constructor" or _left_to_chance(case):
        return True
    if case.misuse or Numbers(contract, case).count > MOST:  # its script shows shapes only
        return True
    outputs = named(contract.returns, seen["result"]) or {}
    told = {f"{n}.data" if value["type"] == "packed" else n: value for n, value in outputs.items() if value}
    told |= {f"gradient of {name}": value for name, value in seen.get("gradients", {}).items()}
    return all(
        f"observed: {name} {decode(seen['blobs'][value['blob']], value['dtype'], (-1,)).tolist()}" in text
        for name, value in told.items()
        if value.get("blob") is not None
    )


def _left_to_chance(case: Case) -> bool:
    return case.train and 0 < case.arguments.get("dropout", 0) < 1


def test_an_output_that_is_off_is_shown_to_be_beyond_its_bound(target_python: str):
    contract = contract_of("torch.nn.RNNCell")
    case = next(c for c in boundary_cases(contract, "batched") if c.dtype == "float32" and not c.gradients)
    script = torch_only(contract, case, values=True)
    off = script.replace("= module(", "= 1.001 * module(")
    (right, wrong) = _run_all(target_python, [script, off])
    assert "within" in right
    assert "BEYOND" not in right
    assert "BEYOND" in wrong


def _spread(cases: list) -> list:
    """The first case and others from all over."""
    return cases[:: max(len(cases) // EACH, 1)][: EACH + 1]


def _run_all(python: str, scripts: list[str]) -> list[str]:
    """What each script prints; one interpreter for all, since importing torch takes longer than all of them."""
    code = (
        "import contextlib, io, json, sys, warnings, torch\nwarnings.simplefilter('ignore')\nprinted = []\n"
        "torch.set_num_threads(1)\n"
        "for text in json.load(sys.stdin):\n"
        "    out = io.StringIO()\n"
        "    with contextlib.redirect_stdout(out):\n"
        "        exec(compile(text, 'script', 'exec'), {})\n"
        "    printed.append(out.getvalue())\n"
        "json.dump(printed, sys.stdout)"
    )
    import json

    done = subprocess.run([python, "-c", code], input=json.dumps(scripts), capture_output=True, text=True, timeout=300,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _agrees(contract: Contract, case, seen: dict, text: str) -> bool:
    if seen["status"] == "raised":
        return f"observed: {seen['exception']} - " in text
    if case.layout == "constructor":
        told = [f"observed: {name} {_shape(sizes)} torch.{dtype}" for name, sizes, dtype, *_ in _tensors(seen)]
        return all(line in text for line in told)
    outputs = named(contract.returns, seen["result"]) or {}
    if (case.violation or case.misuse) and "observed: accepted" not in text:
        return False
    return all(
        f"{name}{'.data' if value['type'] == 'packed' else ''} {_shape(value['shape'])} torch.{value['dtype']}" in text
        for name, value in outputs.items()
        if value and "shape" in value
    )


def _tensors(seen: dict) -> list:
    return [*seen["parameters"], *seen["buffers"]]


def _shape(sizes: list[int]) -> str:
    return str(tuple(sizes))
