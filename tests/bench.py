"""``nox -s bench``: what the suite costs, as ratios measured in one run (never a timed test).

python -m tests.bench PYTHON-WITH-TORCH [CASES]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conformance.bench import share
from conformance.campaign import Campaign, Outcome, Plan
from conformance.ledger import Ledger
from conformance.oracle.claims import claims_of, scenarios_of
from conformance.oracle.registry import contract_of
from conformance.targets import Target, TargetSpec

LAYERS = ("torch.nn.RNN", "torch.nn.LSTM", "torch.nn.GRU")
CELLS = ("torch.nn.RNNCell", "torch.nn.LSTMCell", "torch.nn.GRUCell")


def campaign(target: Target, module: str, scenario: str, cases: int) -> Outcome:
    """One campaign with all its claims."""
    contract = contract_of(module)
    claims = [claim for claim in claims_of(contract) if claim.scenario == scenario]
    return Campaign(contract, scenario, claims, [target], Plan(cases, ledger=Ledger.load())).run()


def cost(target: Target, modules: tuple[str, ...], cases: int) -> None:
    """Total time over torch's own with all claims on, shared out as a run does, and where the rest goes."""
    print(f"\ncost, {cases} random cases a module\n{'':28}{'ms a case':>10}{'total/torch':>13}   judge  travel   agent")
    sums = dict.fromkeys(("total", "targets", "agent", "torch"), 0.0)
    count = 0
    for module in modules:
        contract = contract_of(module)
        for scenario in scenarios_of(contract):
            outcome = campaign(target, module, scenario, share(contract, scenario, cases))
            if not outcome.cases:
                continue  # reading the page calls nothing
            _line(f"{contract.prefix} {scenario}", outcome.seconds, outcome.cases)
            sums = {key: sums[key] + outcome.seconds[key] for key in sums}
            count += outcome.cases
    _line("all", sums, count)


def _line(name: str, seconds: dict[str, float], cases: int) -> None:
    total, torch = seconds["total"], seconds["torch"]
    parts = (total - seconds["targets"], seconds["targets"] - seconds["agent"], seconds["agent"] - torch)
    shares = "".join(f"{part / total:8.0%}" for part in parts)
    print(f"{name:28}{total / cases * 1e3:10.2f}{total / torch:13.2f}{shares}")


def flatness(target: Target) -> None:
    """Cost per case and memory from 1,000 to 100,000 cases: both should be flat."""
    print("\nflatness, LSTM time_first\n     cases  ms a case  memory MiB")
    for cases in (1_000, 10_000, 100_000):
        outcome = campaign(target, "torch.nn.LSTM", "time_first", cases)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{cases:10,}{outcome.seconds['total'] / outcome.cases * 1e3:11.2f}{memory:12.0f}")


def speedup(python: str, cases: int) -> None:
    """Two workers over one, in turn, as a user runs them."""
    print("\nspeed-up of two workers over one")
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(2):
        for workers in (1, 2):
            seconds[workers].append(_run(python, workers, cases))
    print(f"  one {min(seconds[1]):.1f} s, two {min(seconds[2]):.1f} s: {min(seconds[1]) / min(seconds[2]):.2f}")


def _run(python: str, workers: int, cases: int) -> float:
    with tempfile.TemporaryDirectory() as directory:
        modules = [option for module in LAYERS for option in ("--module", module)]
        command = [sys.executable, "-m", "conformance", "run", "--python", python, "--target", "cpu", *modules,
                   "--cases", str(cases), "-n", str(workers), "--report", str(Path(directory) / "report")]  # fmt: skip
        started = time.perf_counter()
        subprocess.run(command, cwd=directory, stdout=subprocess.DEVNULL, check=True)  # a run that failed is no figure
        return time.perf_counter() - started


def main(python: str, cases: int = 10_000) -> None:
    """Prints the three tables."""
    target = Target(TargetSpec.parse("cpu", python)).start()
    try:
        cost(target, LAYERS, cases)
        cost(target, CELLS, cases)
        flatness(target)
    finally:
        target.close()
    speedup(python, cases)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
