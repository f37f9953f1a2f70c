"""``conformance upgrade``, ``record`` and ``bisect``: what they are asked, and what of it a run is told."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from conformance.compare.record import RecordError
from conformance.compare.sides import Maker, SideError
from conformance.compare.uses import UsesError
from conformance.environments import EnvironmentFailure
from conformance.options import OptionError, add_comparison

ERRORS = (SideError, UsesError, RecordError, EnvironmentFailure)
REPORT = "reports/upgrade"
_EXIT_CODES = "exit codes: 0 GO or GO WITH WAIVERS, 1 NO-GO, 2 usage, 3 an error of the suite itself, 4 INCONCLUSIVE"
_TARGET = "A TARGET is a release (2.5.1), an interpreter, a wheel, or [EXECNET-SPEC::]DEVICE[+MODE]."


def add_upgrade(commands: Any) -> argparse.ArgumentParser:
    """Declares ``conformance upgrade``; the options of a run come on top."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "upgrade", help="may the pin move? one verdict from two torches", epilog=_EXIT_CODES,
        description=f"Runs the same cases on two torches and holds them against each other. {_TARGET} What it does not "
        "know goes to pytest.")  # fmt: skip
    add_comparison(parser.add_argument)
    _add_making(parser)
    return parser


def add_others(commands: Any, add_options: Callable[[Any], None]) -> None:
    """Declares ``conformance bisect`` and ``conformance record``."""
    bisect = commands.add_parser("bisect", help="since which release is it so?", description=f"Finds the first of "
                                 f"several torches on which a case ends otherwise than on the first. {_TARGET} "
                                 "2.5..2.13 stands for every minor release between.")  # fmt: skip
    bisect.add_argument("case", metavar="ID-or-FILE", help="a row or a discrepancy of the last run, a ledger entry, or "
                        "a case file")  # fmt: skip
    bisect.add_argument("releases", nargs="+", metavar="TARGET", help="in their order, the oldest first")
    add_options(bisect.add_argument)
    _add_making(bisect)
    bisect.set_defaults(action=_bisect, report=REPORT)
    record = commands.add_parser("record", help="note what of torch.nn a script of yours uses, as a usage profile")
    record.add_argument("script", metavar="SCRIPT.py", help="run in the interpreter, with what follows `--` for it")
    record.add_argument("--python", required=True, metavar="PATH", help="an interpreter that has torch")
    record.add_argument("--output", default="uses.toml", metavar="FILE", help="where to (default: uses.toml)")
    record.add_argument("--contracts", action="append", default=[], metavar="FILE.py")
    record.set_defaults(action=_record)


def _add_making(parser: argparse.ArgumentParser) -> None:
    """Declares how environments are made."""
    parser.add_argument("--device", default="cpu", metavar="DEVICE[+MODE]", help="where a torch is judged (default: "
                        "cpu)")  # fmt: skip
    parser.add_argument("--pip-arg", action="append", default=[], metavar="ARGUMENT", dest="pip_arguments",
                        help="for pip when an environment is made, repeatable: --pip-arg=--index-url=…")  # fmt: skip
    parser.add_argument("--interpreter", default="", metavar="PATH", help="the Python that environments "
                        "are made with (default: this one)")  # fmt: skip


def maker(given: argparse.Namespace) -> Maker:
    """How environments are made, as declared."""
    return Maker(given.device, tuple(given.pip_arguments), given.interpreter)


def resolve(given: argparse.Namespace) -> None:
    """Puts targets in the place of both sides; an environment that is not there yet is made."""
    if not (given.old and given.new):
        raise OptionError("an upgrade needs both --from and --to, for example --from 2.5.1 --to 2.13.0")
    make = maker(given)
    given.old, given.new = make.spec(given.old), make.spec(given.new)


def as_run(tail: Sequence[str]) -> list[str]:
    """The command line without what only concerns how environments are made, and without what is said anew."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--from", "--to", "--report"):
        parser.add_argument(name)
    _add_making(parser)
    return parser.parse_known_args(list(tail))[1]


def _bisect(given: argparse.Namespace, rest: list[str]) -> int:
    from conformance.compare.bisect import bisect
    from conformance.options import Options

    make = maker(given)
    options = Options.of(_without_targets(given))
    return bisect(given.case, given.releases, options, make)


def _without_targets(given: argparse.Namespace) -> argparse.Namespace:
    """The options of a run whose targets come later."""
    return argparse.Namespace(**{**vars(given), "targets": [], "python": sys.executable})


def _record(given: argparse.Namespace, rest: list[str]) -> int:
    from conformance.compare.record import record

    arguments = rest[1:] if rest[:1] == ["--"] else rest
    return record(given.script, arguments, given.python, given.output, tuple(given.contracts))
