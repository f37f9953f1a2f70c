"""The command line, run as a user runs it: exit codes, what it writes, what it says of nonsense."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.cases import Case
from conformance.results import read

FLATTEN = ("--target", "cpu", "--module", "Flatten", "--cases", "16")
# The page of this release states a shape that its code does not give; the ledger knows it.
POOL = ("--target", "cpu", "--module", "MaxPool1d", "--claim", "maxpool1d.*.shape.batched", "--cases", "0")
UNKNOWN = (*POOL, "--ledger", "none")
IDLE = """from dataclasses import replace
from conformance.oracle.contract import Parameter
from conformance.oracle.contracts.reshape import Flatten
CONTRACTS = (replace(Flatten, parameters=(Parameter("weight", "(1,)", when="False"),)),)
"""


def lines(path: Path) -> list[str]:
    """The run file without the times and the command that was typed."""
    found = []
    for text in path.read_text().splitlines():
        line = json.loads(text)
        if line["kind"] != "timing":
            line.pop("command", None)
            found.append(json.dumps(line))
    return found


def verdict(tmp_path: Path) -> str:
    return json.loads((tmp_path / "reports/latest/verdict.json").read_text())["verdict"]


# -- exit codes --------------------------------------------------------------------------------------------------------


def test_a_torch_that_conforms_exits_0_and_leaves_a_report(conformance, tmp_path):
    done = conformance("run", *FLATTEN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CONFORMS" in done.stdout
    reports = tmp_path / "reports/latest"
    assert {entry.name for entry in reports.iterdir()} == {
        "run.jsonl",
        "verdict.json",
        "junit.xml",
        "report.html",
        "report.md",
    }
    assert json.loads((reports / "verdict.json").read_text())["exit"] == 0
    assert int(ET.parse(reports / "junit.xml").getroot().get("tests", 0)) > 5
    assert read(reports / "run.jsonl").footer["verdict"] == "CONFORMS"


def test_what_the_ledger_knows_exits_0_and_without_the_ledger_1(conformance, tmp_path):
    known = conformance("run", *POOL)
    assert (known.returncode, verdict(tmp_path)) == (0, "CONFORMS WITH KNOWN DISCREPANCIES"), known.stdout
    unknown = conformance("run", *UNKNOWN)
    assert (unknown.returncode, verdict(tmp_path)) == (1, "DOES NOT CONFORM")
    assert "replay    conformance replay " in unknown.stdout
    assert "Traceback" not in unknown.stdout + unknown.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--target", "gpu!"], "--target 'gpu!': 'gpu!' is not a device; write"),
        (["--target", "cpu+fast"], "'fast' is not a mode; the modes are eager, compile"),
        (["--target", "cpu", "--target", "cpu"], "--target 'cpu' is given twice"),
        (["--module", "Nothing"], "--module Nothing matches no module; there are contracts for torch.nn."),
        (["--claim", "nothing.*"], "--claim nothing.* matches no claim; `conformance claims` lists them"),
        (["--dtype", "float8"], "--dtype 'float8' is not tested; the dtypes are float32, float64"),
        (["--profile", "slow"], "--profile 'slow' is not a profile; the profiles are quick, pr, nightly"),
        (["--cases", "-1"], "--cases -1 must be 0 or more"),
        (["--cases", "many"], "argument --cases: invalid int value: 'many'"),
        (["--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["--time-limit", "0"], "--time-limit 0 must be more than 0 seconds"),
        (["--time-limit", "nan"], "--time-limit nan must be more than 0 seconds, and not for ever"),
        (["--time-limit", "inf"], "--time-limit inf must be"),
        (["--ledger", "nowhere"], "--ledger 'nowhere' is not a directory"),
        (["--contracts", "nowhere.py"], "--contracts 'nowhere.py': there is no such file"),
        (["--contracts", "broken.py"], "--contracts 'broken.py' cannot be loaded: SyntaxError"),
        (["--contracts", "empty.py"], "empty.py must define CONTRACTS, a tuple of Contract; it has NoneType"),
        (["--contracts", "text.txt"], "--contracts 'text.txt' is not a Python file"),
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_nonsense_exits_2_in_one_line_that_says_what_was_passed_and_what_is_allowed(
    conformance, tmp_path, options, said
):
    (tmp_path / "broken.py").write_text("CONTRACTS = (")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "text.txt").write_text("")
    done = conformance("run", *options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "reports").exists()


def test_no_command_and_an_unknown_one_exit_2_with_the_commands_there_are(conformance):
    for arguments in ((), ("dance",), ("claims", "--dance"), ("report",), ("report", "nowhere.jsonl")):
        done = conformance(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert "claims,replay,report" in conformance("dance").stderr.replace("'", "").replace(" ", "")


def test_a_device_that_was_asked_for_and_is_absent_exits_4(conformance, tmp_path):
    done = conformance("run", "--target", "xpu:9", "--target", "cpu", "--module", "Flatten", "--cases", "0")
    assert (done.returncode, verdict(tmp_path)) == (4, "INCONCLUSIVE"), done.stdout
    assert "target xpu:9 was asked for and is not there: no xpu:9 device" in done.stdout


def test_a_device_that_nobody_asked_for_is_left_out(conformance, tmp_path):
    done = conformance("run", "--module", "Flatten", "--cases", "0", "--claim", "flatten.accepts.*")
    assert done.returncode == 0, done.stdout
    assert {target.name: target.required for target in read(tmp_path / "reports/latest/run.jsonl").targets} == {
        "cpu": True, "cuda": False
    }  # fmt: skip


def test_a_selected_claim_that_no_case_exercises_exits_4(conformance, tmp_path):
    (tmp_path / "idle.py").write_text(IDLE)
    idle = ("--contracts", "idle.py", "--target", "cpu", "--module", "Flatten", "--cases", "0")
    done = conformance("run", *idle, "--claim", "flatten.weight.shape", "--claim", "flatten.parameters.names")
    assert (done.returncode, verdict(tmp_path)) == (4, "INCONCLUSIVE"), done.stdout
    assert "1 selected claims were exercised by no case, among them flatten.weight.shape" in done.stdout
    alone = conformance("run", *idle, "--claim", "flatten.weight.shape")
    assert (alone.returncode, verdict(tmp_path)) == (5, "NOTHING RAN")


def test_a_choice_that_matches_nothing_exits_5(conformance, tmp_path):
    done = conformance("run", *FLATTEN, "-k", "no_such_claim")
    assert (done.returncode, verdict(tmp_path)) == (5, "NOTHING RAN")


# -- listing -----------------------------------------------------------------------------------------------------------


def test_listing_the_claims_needs_neither_torch_nor_sympy_nor_hypothesis_and_takes_less_than_a_second():
    source = ("import sys; from conformance.cli import main; code = main(sys.argv[1:]); print(*sys.modules, file=sys.stderr); "
              "sys.exit(code)")  # fmt: skip
    for arguments in (["claims"], ["claims", "--json"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", source, *arguments], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # its own time, whatever else the machine is at
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0
        assert not {"torch", "sympy", "hypothesis", "pytest", "jinja2"} & set(done.stderr.split())
        assert "lstm.output.shape.packed" in done.stdout


def test_the_claims_as_json_are_those_of_the_run_file(conformance):
    done = conformance("claims", "--json", "--module", "Linear", "--claim", "*.accepts*")
    listed = json.loads(done.stdout)
    assert [claim["id"] for claim in listed] == ["linear.constructor.accepts", "linear.accepts.any_rank"]
    carried = {"id", "module", "scenario", "statement", "formula", "source", "releases", "authority", "proven"}
    assert set(listed[0]) == carried | {"covers"}


# -- pytest's own options ----------------------------------------------------------------------------------------------


def outcomes(tmp_path: Path) -> dict[str, str]:
    return {tally.claim: tally.outcome for tally in read(tmp_path / "reports/latest/run.jsonl").tallies}


def test_k_selects_claims_and_junitxml_is_written_by_pytest_too(conformance, tmp_path):
    done = conformance("run", *FLATTEN, "-k", "nesting or unmodified", "--junitxml", "own.xml", "-p", "no:xdist")
    assert done.returncode == 0, done.stdout
    assert set(outcomes(tmp_path)) == {"flatten.result.nesting.any_rank", "flatten.inputs.unmodified.any_rank"}
    assert len(ET.parse(tmp_path / "own.xml").getroot().findall(".//testcase")) == 2


def test_x_stops_at_the_first_discrepancy_and_lf_runs_it_again(conformance, tmp_path):
    first = conformance("run", *UNKNOWN, "-x")
    assert first.returncode == 1
    assert outcomes(tmp_path) == {"maxpool1d.output.shape.batched": "failed"}
    again = conformance("run", *UNKNOWN, "--lf")
    assert again.returncode == 1
    assert "maxpool1d.output.shape.batched" in outcomes(tmp_path)


def test_any_number_of_workers_gives_the_same_run_file(conformance, tmp_path):
    chosen = ("--target", "cpu", "--module", "Flatten", "--module", "MaxPool1d", "--cases", "80")
    written = {}
    for workers in ("0", "2", "4"):
        done = conformance("run", *chosen, "-n", workers, "--ledger", "none", "--report", f"with-{workers}")
        assert done.returncode == 1, done.stdout
        written[workers] = lines(tmp_path / f"with-{workers}/run.jsonl")
    assert written["0"] == written["2"] == written["4"]
    assert {path.name for path in tmp_path.glob("with-*/in-flight*")} == set()


# -- ends before the end -----------------------------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    """Every process below this one."""
    found = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, found.splitlines())}
    own, below = [pid], []
    while own:
        own = [child for child, parent in parents.items() if parent in own]
        below += own
    return below


def gone(pids: list[int], within: float = 5.0) -> bool:
    """Whether none of these processes lives any more; one that nobody has waited for yet counts as gone."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        states = [Path(f"/proc/{pid}/stat") for pid in pids]
        if all(not path.exists() or path.read_text().rpartition(")")[2].split()[0] == "Z" for path in states):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def begun(tmp_path: Path, target_python: str) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a long run in a process group of its own and answers when the first claims are judged."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "conformance", "run", "--target", "cpu", "--python", target_python,
                   "--module", "Flatten", "--module", "Linear", "--module", "LSTM", "--cases", "20000", *options]  # fmt: skip
        with (tmp_path / "output").open("wb") as output:
            running.append(
                subprocess.Popen(
                    command,
                    cwd=tmp_path,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                )
            )
        path, end = tmp_path / "reports/latest/run.jsonl", time.monotonic() + 60
        while time.monotonic() < end and running[-1].poll() is None:
            if path.exists() and path.read_text().count('"kind": "tally"') > 5:
                return running[-1]
            time.sleep(0.05)
        pytest.fail(f"no claim was judged: {(tmp_path / 'output').read_text()}")

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for orphans in Linux's /proc")


@needs_proc
@pytest.mark.parametrize("workers", ["0", "2"])
def test_ctrl_c_keeps_what_there_is_says_inconclusive_and_leaves_no_process(tmp_path, begun, workers: str):
    process = begun("-n", workers)
    pids = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    code = process.wait(60)
    output = (tmp_path / "output").read_text()
    assert code == 4, output
    kept = read(tmp_path / "reports/latest/run.jsonl")
    assert (kept.footer["verdict"], verdict(tmp_path)) == ("INCONCLUSIVE", "INCONCLUSIVE"), output
    assert "cut short" in kept.footer["reason"]
    assert sum(tally.kept for tally in kept.tallies) > 0
    assert not [found for found in kept.discrepancies if found.ledger is None]
    assert pids
    assert gone(pids)


@needs_proc
def test_a_judge_that_is_killed_leaves_its_run_file_the_case_in_flight_and_no_process(tmp_path, begun):
    process = begun()
    pids = children(process.pid)
    process.kill()
    process.wait()
    kept = read(tmp_path / "reports/latest/run.jsonl")
    assert kept.footer is None
    assert kept.tallies
    [path] = (tmp_path / "reports/latest").glob("in-flight-*")
    culprits = [Case.from_json(json.loads(line)) for line in path.read_text().splitlines()]
    assert culprits[0].module.startswith("torch.nn.")
    assert gone(pids)


# -- replay and report -------------------------------------------------------------------------------------------------


def test_a_discrepancy_is_replayed_by_id_by_its_ledger_entry_and_from_a_file(conformance, tmp_path):
    conformance("run", *UNKNOWN)
    found = read(tmp_path / "reports/latest/run.jsonl").discrepancies[0]
    (tmp_path / "case.json").write_text(json.dumps(found.case))
    for name in (found.id, "maxpool1d-ceil-formula", "case.json"):
        done = conformance("replay", name, "--target", "cpu")
        assert done.returncode == 1, done.stdout + done.stderr
        assert "✗ maxpool1d.output.shape.batched" in done.stdout
        assert "Traceback" not in done.stderr


def test_a_case_that_torch_keeps_exits_0_on_replay_and_an_unknown_one_2(conformance, tmp_path):
    good = Case("torch.nn.Flatten", "any_rank", {}, (), {"S": (2, 3)}).to_json()
    good["inputs"] = [{"name": "input", "shape": [2, 3], "dtype": "float32"}]
    (tmp_path / "good.json").write_text(json.dumps(good))
    done = conformance("replay", "good.json", "--target", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ flatten.output.shape.any_rank" in done.stdout
    (tmp_path / "bad.json").write_text(json.dumps({**good, "module": "os.system"}))
    for name, said in (
        ("nothing", "'nothing' is neither a case file, nor a discrepancy in"),
        ("bad.json", "no contract for"),
    ):
        refused = conformance("replay", name, "--target", "cpu")
        assert refused.returncode == 2
        assert said in refused.stderr
    assert conformance("replay", "good.json", "--target", "xpu:9").returncode == 4


def test_a_report_rendered_again_is_the_same_byte_for_byte(conformance, tmp_path):
    conformance("run", *UNKNOWN)
    reports = tmp_path / "reports/latest"
    before = {path.name: path.read_bytes() for path in reports.iterdir() if path.name != "run.jsonl"}
    assert conformance("report", str(reports / "run.jsonl"), "--report", "again").returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == before
