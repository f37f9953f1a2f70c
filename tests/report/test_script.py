"""The script of a case: it compiles for every case, and with torch it shows what the agent saw."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace

import pytest

from conformance.judge import applies
from conformance.oracle.claims import scenarios_of
from conformance.oracle.claims.claim import named
from conformance.oracle.contract import Contract
from conformance.oracle.registry import contract_of, contracts
from conformance.report.script import ScriptError, torch_only
from conformance.strategies.boundary import boundary_cases
from conformance.wire import to_wire

EACH = 2  # cases a scenario that are run with torch


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
        wire, blobs = to_wire(contract, case)
        shared_target.send_cases([(wire, blobs)])
        seen = shared_target.receive_cases()[0]
        assert _agrees(contract, case, seen, text), f"{script}\n{text}\n{seen}"


def _spread(cases: list) -> list:
    """The first case and others from all over."""
    return cases[:: max(len(cases) // EACH, 1)][: EACH + 1]


def _run_all(python: str, scripts: list[str]) -> list[str]:
    """What each script prints; one interpreter for all, since importing torch takes longer than all of them."""
    code = (
        "import contextlib, io, json, sys, warnings\nwarnings.simplefilter('ignore')\nprinted = []\n"
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
    if case.violation and "observed: accepted" not in text:
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
