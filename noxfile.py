"""The front door: ``nox -s conformance``, ``nox -s tests``, ``nox -s bench``.

The judge's environment has no torch. Each target's environment has torch and nothing else; it is kept between runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["conformance"]

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml("pyproject.toml")
PIN = PROJECT["project"]["optional-dependencies"]["torch"][0]
WINDOWS = sys.platform == "win32"


def target_python(session: nox.Session, requirement: str = PIN) -> str:
    """The interpreter of the target environment for this torch, made at the first asking."""
    place = ROOT / ".nox" / "targets" / requirement.replace("==", "-")
    python = place / ("Scripts/python.exe" if WINDOWS else "bin/python")
    ready = place / "ready"
    if not ready.exists():  # written last, so an interrupted installation is made again
        session.log(f"making the target environment: {requirement} (once; some hundred MB to several GB)")
        session.run(sys.executable, "-m", "venv", "--clear", str(place), external=True)
        session.run(str(python), "-m", "pip", "install", "--quiet", requirement, external=True)
        ready.touch()
    return str(python)


@nox.session
def conformance(session: nox.Session) -> None:
    """Judges torch on every device of this machine. Options after ``--``; ``--torch VERSION`` for another release."""
    arguments = list(session.posargs)
    requirement = PIN
    for place, argument in enumerate(arguments):
        if argument == "--torch" or argument.startswith("--torch="):
            version = argument.partition("=")[2] or (arguments[place + 1 : place + 2] or [""])[0]
            if not version or version.startswith("-"):
                session.error("--torch needs a version, for example --torch 2.5.1")
            requirement = f"torch=={version}"
            del arguments[place : place + (1 if "=" in argument else 2)]
            break
    session.install("--quiet", ".")
    python = target_python(session, requirement)
    session.run("conformance", "run", "--python", python, *_workers(arguments), *arguments)


def _workers(arguments: list[str]) -> list[str]:
    """Two workers, unless the caller says otherwise or wants one process."""
    own = any(a == "-n" or a.startswith(("-n", "--numprocesses", "--dist")) for a in arguments)
    alone = "no:xdist" in " ".join(arguments) or "-x" in arguments or "--pdb" in arguments
    return [] if own or alone else ["-n", "2"]


@nox.session
def tests(session: nox.Session) -> None:
    """The suite's own tests, with the linters, the types and the import contracts."""
    session.install("--quiet", "-e", ".[tests]")
    python = target_python(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports", "--no-cache")
    arguments = session.posargs or ["-n", "2", "--dist", "worksteal"]  # neighbours share campaigns: keep them together
    session.run("pytest", "-q", *arguments, env={"CONFORMANCE_TEST_PYTHON": python})


@nox.session
def bench(session: nox.Session) -> None:
    """What the suite costs, as ratios measured in one run."""
    session.install("--quiet", "-e", ".")
    session.run("python", "-m", "tests.bench", target_python(session), *session.posargs)
