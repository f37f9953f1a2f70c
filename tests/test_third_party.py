"""Modules of other people: a contract in a file or in an installed package, and nothing else, has them judged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from conformance.cases import Case
from conformance.oracle.registry import builtin, contracts
from conformance.results import Discrepancy, read

HERE = Path(__file__).parent
CONTRACTS = HERE / "example_contracts.py"
CHECK = """        if input.shape[-1:] != self.weight.shape:
            raise ValueError(f"expected {self.features} features, got {tuple(input.shape)}")
"""
RESULT = "return scaled if self.bias is None else scaled + self.bias"


@pytest.fixture
def judged(conformance, target_python, tmp_path: Path):
    """Runs the suite on the example module, the source of which was changed here."""

    def run(old: str = "", new: str = "", *options: str):
        source = (HERE / "example_module/scale.py").read_text()
        assert old in source
        (tmp_path / "scale.py").write_text(source.replace(old, new))
        target = f"popen//python={target_python}//env:PYTHONPATH={tmp_path}::cpu"
        done = conformance("run", "--target", target, "--contracts", str(CONTRACTS), "--module", "scale.*",
                           "--cases", "160", *options)  # fmt: skip
        return done, read(tmp_path / "reports/latest/run.jsonl")

    return run


def only(found: list[Discrepancy], claim: str) -> Case:
    [one] = [d for d in found if d.claim == claim]
    assert one.case is not None
    return Case.from_json(one.case)


def installed(place: Path, entry: str) -> None:
    """What an installed package leaves behind that names an entry point."""
    info = place / "example-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[conformance.contracts]\nexample = {entry}\n")


def test_a_module_gets_every_claim_from_its_contract_and_keeps_them_all(judged):
    done, run = judged()
    assert done.returncode == 0, done.stdout
    assert {tally.outcome for tally in run.tallies} == {"passed"}
    assert {"scale.output.shape.any_rank", "scale.weight.shape", "scale.input.refuses.dim-1.any_rank",
            "scale.signature", "scale.documentation.input.any_rank"} <= set(run.claims)  # fmt: skip


def test_a_planted_wrong_shape_is_found_and_reduced_to_its_corner(judged):
    done, run = judged(RESULT, "return scaled.unsqueeze(0) if self.features == 3 and self.bias is None else scaled")
    assert done.returncode == 1
    case = only(run.discrepancies, "scale.output.shape.any_rank")
    assert dict(case.arguments) == {"features": 3, "bias": False}
    assert [item.shape for item in case.inputs] == [(3,)]


def test_a_missing_check_that_lets_sizes_of_one_be_broadcast_is_found(judged):
    done, run = judged(CHECK, "")
    assert done.returncode == 1
    case = only(run.discrepancies, "scale.input.refuses.dim-1.any_rank")
    assert case.violation is not None
    assert 1 in (case.violation.size, case.arguments["features"])


def test_a_default_that_is_not_the_documented_one_is_found(judged):
    done, run = judged("features, bias=True", "features, bias=False", "--claim", "scale.argument.*")
    assert done.returncode == 1
    assert [found.claim for found in run.discrepancies] == ["scale.argument.bias.default"]


def test_a_page_that_says_something_else_is_found(judged):
    done, run = judged("- Output: :math:`(*, H)`", "- Output: :math:`(*, 2 * H)`")
    assert done.returncode == 1
    assert [found.claim for found in run.discrepancies] == ["scale.documentation.output.any_rank"]


def test_a_module_that_the_target_does_not_have_is_said_to_be_missing(conformance, tmp_path):
    done = conformance("run", "--target", "cpu", "--contracts", str(CONTRACTS), "--module", "scale.*", "--cases", "0")
    assert done.returncode == 1
    assert "No module named 'scale'" in done.stdout


def test_the_contracts_of_an_installed_package_are_found_by_its_entry_point(conformance, tmp_path):
    place = tmp_path / "site"
    place.mkdir()
    installed(place, "example_contracts:CONTRACTS")
    for file in (CONTRACTS, HERE / "example_module/scale.py"):
        shutil.copy(file, place)
    listed = json.loads(conformance("claims", "--json", PYTHONPATH=str(place)).stdout)
    assert {contract.module for contract in builtin()} < {claim["module"] for claim in listed}
    assert "scale.accepts.any_rank" in {claim["id"] for claim in listed}
    done = conformance(
        "run", "--target", "cpu", "--module", "scale.*", "--cases", "0", "-n", "2", PYTHONPATH=str(place)
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("no_such_module:CONTRACTS", "entry point example cannot be loaded: ModuleNotFoundError"),
        ("json:loads", "entry point example must define CONTRACTS, a tuple of Contract; it has function"),
    ],
)
def test_a_package_whose_contracts_cannot_be_loaded_is_named(conformance, tmp_path, entry: str, said: str):
    installed(tmp_path, entry)
    done = conformance("claims", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_later_contract_of_the_same_module_replaces_the_earlier_one(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from dataclasses import replace\nfrom conformance.oracle.contracts.linear import Linear\n"
                    "CONTRACTS = (replace(Linear, refuses=False),)\n")  # fmt: skip
    found = {contract.module: contract for contract in contracts((str(path),))}
    assert len(found) == len(contracts(()))
    assert not found["torch.nn.Linear"].refuses


def test_a_defect_of_a_contract_is_an_error_never_a_verdict_on_torch(conformance, target_python, tmp_path: Path):
    file = tmp_path / "broken.py"
    file.write_text("from dataclasses import replace\nfrom conformance.oracle.registry import contract_of\n"
                    "def boom(a, given): raise ValueError('a defect of the contract')\n"
                    "CONTRACTS = (replace(contract_of('torch.nn.RNNCell'), equations=boom),)\n")  # fmt: skip
    done = conformance("run", "--target", "cpu", "--python", target_python, "--contracts", str(file),
                       "--module", "torch.nn.RNNCell", "--claim", "*.value.unbatched")  # fmt: skip
    assert done.returncode == 3
    assert "a defect of the contract" in done.stdout
    assert json.loads((tmp_path / "reports/latest/verdict.json").read_text())["verdict"] == "ERROR OF THE SUITE"
