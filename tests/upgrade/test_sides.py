"""What a person calls a torch, and where it is then found; environments that are made once and verified."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from conformance.compare.sides import RELEASES, Maker, SideError, spread
from conformance.environments import Environment, EnvironmentFailure


def test_an_interpreter_its_directory_and_a_target_stand_for_themselves(tmp_path: Path):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.touch()
    maker = Maker("cuda:1")
    assert maker.spec(str(python)) == maker.spec(str(tmp_path)) == f"popen//python={python}::cuda:1"
    assert maker.spec("ssh=gpu01//python=/p::cpu") == "ssh=gpu01//python=/p::cpu"


@pytest.mark.parametrize("text", ["", "latest", "torch>=2", "/nowhere/python", "missing.whl", "2.5.1..2.6"])
def test_what_names_no_torch_is_refused_with_what_does(text: str):
    with pytest.raises(SideError, match="name a release"):
        Maker().spec(text)


def test_a_directory_without_an_interpreter_is_refused(tmp_path: Path):
    with pytest.raises(SideError, match="without an interpreter"):
        Maker().spec(str(tmp_path))


def test_a_range_is_the_last_release_of_each_minor_one_in_it():
    assert spread(["2.5..2.8"]) == ["2.5.1", "2.6.0", "2.7.1", "2.8.0"]
    assert spread(["2.0.0", "2.9.1..2.10.0", "x"]) == ["2.0.0", "2.9.1", "2.10.0", "x"]
    assert spread([f"{RELEASES[0]}..{RELEASES[-1]}"]) == list(RELEASES)
    with pytest.raises(SideError, match="no release in"):
        spread(["2.9..2.5"])


# -- environments ------------------------------------------------------------------------------------------------------

FAKE = """#!{python}
import pathlib, sys
here = pathlib.Path(__file__).resolve()
if "venv" in sys.argv:
    place = pathlib.Path(sys.argv[-1])
    (place / "bin").mkdir(parents=True, exist_ok=True)
    own = place / "bin" / "python"
    own.write_text(here.read_text())
    own.chmod(0o755)
elif "pip" in sys.argv:
    with open({log!r}, "a") as log:
        log.write(" ".join(sys.argv[1:]) + "\\n")
    if "torch==9.9" in sys.argv:
        sys.exit("ERROR: No matching distribution found for torch==9.9")
    (here.parent / "installed").write_text(sys.argv[-1].partition("==")[2])
elif (here.parent / "installed").is_file():
    print((here.parent / "installed").read_text())
else:
    sys.exit(1)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An interpreter whose venv and pip are a few lines: what is tested is who calls them and when."""
    monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path / "cache"))
    python = tmp_path / "python"
    python.write_text(FAKE.format(python=sys.executable, log=str(tmp_path / "log")))
    python.chmod(0o755)
    return str(python)


def installed(tmp_path: Path) -> list[str]:
    log = tmp_path / "log"
    return log.read_text().splitlines() if log.is_file() else []


def test_an_environment_is_made_once_with_the_users_arguments_and_says_what_it_takes(fake: str, tmp_path: Path):
    said: list[str] = []
    environment = Environment("torch==2.5.1", ("--index-url=https://user:secret@mirror.example",), fake)
    python = environment.ensure(said.append)
    assert environment.ensure(said.append) == python
    assert len(installed(tmp_path)) == 1
    assert installed(tmp_path)[0].endswith("--index-url=https://user:secret@mirror.example torch==2.5.1")
    assert len(said) == 1
    assert "GB free" in said[0]
    marker = environment.place / "ready.json"
    assert "secret" not in said[0] + marker.read_text() + str(environment.place)


def test_a_broken_environment_is_made_anew(fake: str, tmp_path: Path):
    environment = Environment("torch==2.5.1", (), fake)
    environment.ensure(lambda text: None)
    (environment.place / "bin" / "installed").write_text("2.4.0")
    said: list[str] = []
    environment.ensure(said.append)
    assert "broken" in said[0]
    assert len(installed(tmp_path)) == 2


@pytest.mark.parametrize("marker", ["", "[]", json.dumps({"key": "another", "torch": "2.5.1"})])
def test_an_interrupted_installation_is_made_again(fake: str, tmp_path: Path, marker: str):
    environment = Environment("torch==2.5.1", (), fake)
    environment.ensure(lambda text: None)
    (environment.place / "ready.json").write_text(marker)
    environment.ensure(lambda text: None)
    assert len(installed(tmp_path)) == 2


def test_other_arguments_interpreters_and_wheels_are_other_environments(fake: str, tmp_path: Path):
    wheel = tmp_path / "torch-2.5.1.whl"
    wheel.touch()
    environments = [Environment("torch==2.5.1", (), fake), Environment("torch==2.5.1", ("--pre",), fake),
                    Environment("torch==2.5.1"), Environment(str(wheel), (), fake)]  # fmt: skip
    keys = {environment.key for environment in environments}
    os.utime(wheel, (1, 1))
    assert len(keys | {environments[-1].key}) == 5


def test_what_cannot_be_installed_is_said_in_pips_words_with_a_remedy(fake: str):
    with pytest.raises(EnvironmentFailure, match=r"(?s)No matching distribution.*--pip-arg"):
        Environment("torch==9.9", (), fake).ensure(lambda text: None)
