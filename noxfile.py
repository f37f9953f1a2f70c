"""The front door: ``nox -s conformance``, ``nox -s tests``, ``nox -s bench``.

The judge's environment has no torch. Each target's environment has torch and nothing else; it is kept between runs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["conformance"]

PROJECT = nox.project.load_toml("pyproject.toml")
PIN = PROJECT["project"]["optional-dependencies"]["torch"][0]


def target_python(session: nox.Session, requirement: str = PIN) -> str:
    """The interpreter of the target environment for this torch, made at the first asking (the suite is installed)."""
    told = session.run("python", "-m", "conformance.environments", requirement, silent=True, stderr=None)
    return str(told).strip().splitlines()[-1]


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


@nox.session
def upgrade(session: nox.Session) -> None:
    """May the pin move? ``nox -s upgrade -- 2.5.1 2.13.0 [options of conformance upgrade]``."""
    old, new = (*session.posargs[:2], "", "")[:2]
    if not old or not new or old.startswith("-") or new.startswith("-"):
        session.error("upgrade needs two torches: nox -s upgrade -- 2.5.1 2.13.0")
    session.install("--quiet", ".")
    rest = session.posargs[2:]
    session.run("conformance", "upgrade", "--from", old, "--to", new, *_workers(rest), *rest)


@nox.session
def matrix(session: nox.Session) -> None:
    """Every claim over many releases: ``nox -s matrix -- 2.5.1 2.13.0 [--keep] [options of conformance run]``.

    A release may come with an interpreter that has it: ``2.5.1=/path/to/python``. Environments are made one after the
    other and deleted when their release is done, unless they were there before or ``--keep`` is given.
    """
    arguments = [a for a in session.posargs if a != "--keep"]
    count = next((n for n, a in enumerate(arguments) if a.startswith("-")), len(arguments))
    releases, rest = arguments[:count], arguments[count:]
    if not releases:
        session.error("matrix needs releases: nox -s matrix -- 2.5.1 2.13.0")
    session.install("--quiet", ".")
    for release in releases:
        name, _, given = release.partition("=")
        new = not given and _is_new(session, name)
        python = given or target_python(session, f"torch=={name}")
        session.run("conformance", "run", "--target", f"{name}=popen//python={python}::cpu", "--report", _matrix(name),
                    *_workers(rest), *rest, success_codes=[0, 1, 4])  # fmt: skip
        if new and "--keep" not in session.posargs:
            shutil.rmtree(Path(python).parents[1])
    names = [release.partition("=")[0] for release in releases]
    session.run("conformance", "matrix", *map(_matrix, names), "--report", "reports/matrix", success_codes=[0, 4])


def _matrix(release: str) -> str:
    """Where a release's own run and report go; only what they are joined to is committed."""
    return f"reports/releases/{release}"


def _is_new(session: nox.Session, release: str) -> bool:
    """Whether the environment of a release is still to be made."""
    ask = "from conformance.environments import Environment as E; import sys; print(E(sys.argv[1]).place.exists())"
    return str(session.run("python", "-c", ask, f"torch=={release}", silent=True)).strip() == "False"


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
