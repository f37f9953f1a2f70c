"""Targets: how they are written, started, and what becomes of one that dies, hangs or talks too much."""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import conformance
from conformance.cases import Case, Input
from conformance.oracle.registry import contract_of
from conformance.targets import SpecError, Target, TargetLost, TargetSpec, numbered, start_all
from conformance.targets.target import SHIPPED
from conformance.wire import to_wire
from tests.planted.faults import execute

LINEAR = contract_of("torch.nn.Linear")
PYTHON = "/nowhere/torch/bin/python"
posix = pytest.mark.skipif(os.name != "posix", reason="signals and process ids are POSIX's")


def case(features: int = 3) -> Case:
    inputs = (Input("input", (2, features), "float32"),)
    return Case(LINEAR.module, "any_rank", {"in_features": features, "out_features": 2}, inputs, {"S": (2,)})


def executed(target: Target, *cases: Case) -> list[dict[str, Any]]:
    target.send_cases([to_wire(LINEAR, one) for one in cases])
    return target.receive_cases()


def forward(target: Target, *body: str, stays: bool = False) -> None:
    """Replaces ``Linear.forward`` in the target's process by these lines, and in those after it if it ``stays``."""
    lines = ["import ctypes, os, signal, sys, time, torch", "linear = torch.nn.Linear",
             "original = getattr(linear.forward, 'original', linear.forward)",
             "def forward(self, input):", *(f"    {line}" for line in body), "    return original(self, input)",
             "forward.original, linear.forward = original, forward"]  # fmt: skip
    execute(target, "\n".join(lines))
    target.prelude = "\n".join(lines) if stays else ""


def pid(target: Target) -> int:
    assert target.pid is not None
    return target.pid


def alive(number: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, 0)
        return True
    return False


# -- how a target is written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "gateway", "device", "mode"),
    [
        ("cpu", "cpu", f"popen//python={PYTHON}", "cpu", "eager"),
        (" cpu ", "cpu", f"popen//python={PYTHON}", "cpu", "eager"),
        ("cuda:1", "cuda:1", f"popen//python={PYTHON}", "cuda:1", "eager"),
        ("cpu+compile", "cpu+compile", f"popen//python={PYTHON}", "cpu", "compile"),
        ("cpu+eager", "cpu", f"popen//python={PYTHON}", "cpu", "eager"),
        ("cuda:0+no_grad", "cuda:0+no_grad", f"popen//python={PYTHON}", "cuda:0", "no_grad"),
        ("popen::cpu", "cpu", "popen", "cpu", "eager"),
        ("popen//python=/a/b::meta+inference", "meta+inference", "popen//python=/a/b", "meta", "inference"),
        ("ssh=gpu01//python=/x::cuda:0", "cuda:0", "ssh=gpu01//python=/x", "cuda:0", "eager"),
        ("socket=10.0.0.1:8888::cpu", "cpu", "socket=10.0.0.1:8888", "cpu", "eager"),
        ("popen//env:PYTHONPATH=/a::cpu", "cpu", "popen//env:PYTHONPATH=/a", "cpu", "eager"),
    ],
)
def test_a_target_is_read_as_its_gateway_device_and_mode(text, name, gateway, device, mode):
    spec = TargetSpec.parse(text, PYTHON)
    assert (spec.name, spec.gateway, spec.device, spec.mode) == (name, gateway, device, mode)
    assert spec.text == text.strip()
    assert spec.required


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", "'' is not a device; write .NAME=..EXECNET-SPEC::.DEVICE.+MODE., for example cpu, cuda:1"),
        ("CPU", "'CPU' is not a device"),
        ("cpu:x", "'cpu:x' is not a device"),
        ("cuda:-1", "is not a device"),
        ("cuda:1:2", "is not a device"),
        ("cpu cuda", "is not a device"),
        ("popen::", "'' is not a device"),
        ("cpu+fast", "'fast' is not a mode; the modes are eager, compile, no_grad, inference"),
        ("cpu+", "'' is not a mode; the modes are eager"),
        ("cpu+compile+no_grad", "is not a mode"),
        ("::cpu", "is not an execnet spec"),
        ("python=/a::cpu", "says neither popen, ssh=, socket= nor via="),
        ("/usr/bin/python::cpu", "popen"),
        ("popen//popen::cpu", "is not an execnet spec"),
    ],
)
def test_nonsense_is_refused_with_what_was_passed_and_what_is_allowed(text: str, allowed: str):
    with pytest.raises(SpecError, match=allowed) as refusal:
        TargetSpec.parse(text, PYTHON)
    assert f"--target {text!r}" in str(refusal.value)


def test_without_an_interpreter_the_running_one_must_have_torch():
    with pytest.raises(
        SpecError, match=r"has no torch; name one \(popen//python=/path/to/python::cpu\), pass --python"
    ):
        TargetSpec.parse("cpu")


def test_targets_of_the_same_name_are_numbered_and_the_same_target_twice_is_refused():
    specs = [TargetSpec.parse(text, PYTHON) for text in ("cpu", "popen//python=/b::cpu", "cuda", "cpu+compile")]
    assert [spec.name for spec in numbered(specs)] == ["cpu", "cpu@2", "cuda", "cpu+compile"]
    with pytest.raises(SpecError, match="'cpu' is given twice; name each target once"):
        numbered([*specs, specs[0]])
    with pytest.raises(SpecError, match="given twice"):
        numbered([specs[0], TargetSpec.parse(f"popen//python={PYTHON}::cpu+eager")])


# -- starting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gateway", "reason"),
    [
        ("popen//python=/nowhere/python", "cannot start popen//python=/nowhere/python: .*No such file"),
        (f"popen//python={sys.executable}", "cannot run torch: ModuleNotFoundError: No module named 'torch'"),
        ("popen//python=/bin/false", "cannot start popen//python=/bin/false"),
    ],
)
def test_a_target_that_cannot_be_had_says_why(gateway: str, reason: str):
    with pytest.raises(TargetLost, match=reason):
        Target(TargetSpec.parse(f"{gateway}::cpu")).start()


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "warp"])
def test_a_device_that_is_absent_says_so(device: str, target_python: str):
    target = Target(TargetSpec.parse(device, target_python))
    if device == "cuda":
        probe = [target_python, "-c", "import torch; raise SystemExit(torch.cuda.is_available())"]
        if subprocess.run(probe, check=False, capture_output=True).returncode:
            pytest.skip("this machine has a CUDA device and a torch that sees it")
    with pytest.raises(TargetLost, match=f"no {device} device: "):
        target.start()
    assert target.pid is None


def test_of_several_targets_those_that_can_be_had_are_started(target_python: str):
    targets = [Target(TargetSpec.parse(text, target_python)) for text in ("cpu", "popen//python=/nowhere::meta")]
    try:
        lost = start_all(targets)
        assert list(lost) == ["meta"]
        assert executed(targets[0], case())[0]["status"] == "ok"
    finally:
        targets[0].close()


def test_the_environment_says_what_results_may_depend_on(shared_target: Target):
    known = shared_target.environment
    assert known["torch"].startswith(shared_target.release)
    assert {"python", "platform", "device", "mode", "threads", "default_dtype", "cpu_capability"} <= known.keys()


# -- dying and hanging -------------------------------------------------------------------------------------------------


SIGNALS = {2: "SIGKILL", 3: "SIGSEGV", 4: "SIGABRT", 5: "SIGFPE"}


@posix
def test_a_case_that_kills_the_process_is_an_outcome_that_names_the_signal_and_the_next_one_runs(own_target: Target):
    """The defect is there in a fresh process too, as torch's own would be; of the cases sent together each is told."""
    before = pid(own_target)
    forward(own_target, f"if self.in_features in {SIGNALS}:",
            f"    signal.raise_signal(getattr(signal, {SIGNALS}[self.in_features]))", stays=True)  # fmt: skip
    found = executed(own_target, *map(case, (1, 2, 3, 4, 5, 6)))
    assert [seen["status"] for seen in found] == ["ok", "crashed", "crashed", "crashed", "crashed", "ok"]
    assert [seen["message"] for seen in found[1:5]] == [f"the process died of {name}" for name in SIGNALS.values()]
    assert not alive(before)
    assert pid(own_target) != before
    assert own_target.restarts == 1  # after the first death the others are met in forks


@posix
def test_a_death_that_does_not_come_again_with_its_case_is_not_blamed_on_it(own_target: Target):
    forward(own_target, "signal.raise_signal(signal.SIGSEGV)")
    assert [seen["status"] for seen in executed(own_target, case(), case(2))] == ["ok", "ok"]
    assert own_target.restarts == 1


@pytest.mark.parametrize(
    ("end", "said"),
    [("os._exit(3)", "the process exited with 3"), ("raise SystemExit(3)", "the process exited with 3")],
)
def test_a_case_that_ends_the_process_or_the_agent_in_it_is_an_outcome_at_once(end, said, own_target: Target):
    forward(own_target, end, stays=True)
    started = time.monotonic()
    seen = executed(own_target, case())[0]
    assert (seen["status"], seen["message"]) == ("crashed", said)
    assert time.monotonic() - started < 14  # two new processes; none is waited for that would not come
    own_target.prelude = ""
    assert executed(own_target, case())[0]["status"] == "ok"


@pytest.mark.parametrize("hang", ["time.sleep(600)", "ctypes.PyDLL(None).sleep(600)"], ids=["python", "c"])
def test_a_case_that_hangs_is_an_outcome_within_its_limit(hang: str, own_target: Target):
    """In C the interpreter's lock is held, so nothing in the process could interrupt it."""
    own_target.limit = 0.7
    before = pid(own_target)
    forward(own_target, hang, stays=True)
    started = time.monotonic()
    seen = executed(own_target, case())[0]
    assert (seen["status"], seen["message"]) == ("hung", "no answer within 0.7 s")
    assert time.monotonic() - started < 3 * 0.7 + 12  # three times the limit, and two new processes
    assert not alive(before)
    own_target.limit, own_target.prelude = 5.0, ""
    assert executed(own_target, case())[0]["status"] == "ok"


@posix
def test_a_target_killed_between_two_cases_is_replaced(own_target: Target):
    executed(own_target, case())
    os.kill(pid(own_target), signal.SIGKILL)
    assert executed(own_target, case())[0]["status"] == "ok"
    assert own_target.restarts == 1


@posix
def test_a_target_that_cannot_be_started_again_is_lost(target_python: str, tmp_path: Path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{target_python}" "$@"\n')
    python.chmod(0o755)
    target = Target(TargetSpec.parse("cpu", str(python))).start()
    forward(target, "os._exit(1)")
    python.unlink()
    with pytest.raises(TargetLost, match="cannot start"):
        executed(target, case())


# -- noise and orphans -------------------------------------------------------------------------------------------------

NOISE = ("print('x' * 100_000)", "os.write(1, b'noise' * 1000)", "sys.stdout.write('x'); sys.stdout.flush()",
         "os.system('echo noise')", "ctypes.CDLL(None).puts(b'noise')", "os.closerange(0, 3)")  # fmt: skip


def test_what_a_module_prints_does_not_disturb_the_conversation(own_target: Target, capfd):
    for noise in NOISE:
        forward(own_target, noise)
        assert [executed(own_target, case())[0]["status"] for _ in range(3)] == ["ok"] * 3, noise
        assert own_target.restarts == 0
    assert "noise" not in capfd.readouterr().out


def test_no_process_is_left_after_closing_and_closing_twice_is_safe(target_python: str):
    targets = [Target(TargetSpec.parse("cpu", target_python)) for _ in range(2)]
    for target in targets:
        target.start()
    numbers = [pid(target) for target in targets]
    forward(targets[1], "time.sleep(60)")
    targets[1].send_cases([to_wire(LINEAR, case())])  # and is still at it
    for target in targets:
        target.close()
        target.close()
    assert not any(map(alive, numbers))


# -- what a target needs -----------------------------------------------------------------------------------------------


def test_a_target_needs_neither_numpy_nor_this_package(target_python: str, own_target: Target):
    lacks = "import importlib.util as u; raise SystemExit(any(u.find_spec(m) for m in ('numpy', 'hypothesis')))"
    if subprocess.run([target_python, "-c", lacks], check=False, cwd="/").returncode:
        pytest.skip("this target environment has more than torch in it; `nox -s tests` makes one that has not")
    assert executed(own_target, case())[0]["status"] == "ok"
    execute(own_target, "import sys; assert not {'numpy', 'conformance', 'pytest'} & set(sys.modules)")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def test_only_the_agent_imports_torch_and_it_imports_nothing_else_that_is_not_pythons_own():
    package = Path(conformance.__file__).parent
    importing = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if "torch" in imports(path)}
    shipped = {f"targets/{path.name}" for path in SHIPPED}
    run_there = {"targets/recording.py"}  # as a script of its own, in the target's interpreter
    assert importing <= shipped | run_there
    # In the target, the one's source has run before the other's; only a type checker reads that import.
    known = {"torch", "conformance", "numpy"} | set(sys.stdlib_module_names)  # NumPy only where the target has it
    assert [name for name in sorted(shipped) if imports(package / name) - known] == []


def test_the_agents_source_names_no_random_generator_of_torch():
    # It may set the generator's seed, for what torch itself draws: initial weights and dropout.
    source = (Path(conformance.__file__).parent / "targets" / "agent.py").read_text(encoding="utf-8")
    assert not [word for word in ("rand", "randn", "randint", "normal_", "uniform_") if f".{word}(" in source]
