"""The ``conformance`` command; what surrounds a run lies in :mod:`conformance.commands`."""

from __future__ import annotations

import argparse
import io
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from conformance import __version__, upgrade
from conformance.cases import CaseError
from conformance.commands import corpus, ledger, matrix, merge
from conformance.ledger import LedgerError
from conformance.merge import MergeError
from conformance.options import OptionError, Options, add_options
from conformance.oracle.coverage import covers
from conformance.oracle.registry import ContractError, select
from conformance.results import RunFileError
from conformance.targets import SpecError, TargetLost

USAGE, SUITE_ERROR, INCONCLUSIVE = 2, 3, 4
_USER_ERRORS = (OptionError, SpecError, ContractError, LedgerError, CaseError, RunFileError, MergeError,
                *upgrade.ERRORS)  # fmt: skip

_EXIT_CODES = """exit codes: 0 conforms (every discrepancy is in the ledger), 1 discrepancies that are not, 2 usage,
3 an error of the suite itself, 4 inconclusive (a target that was asked for is absent or was lost, the run was cut
short, a selected claim was exercised by no case), 5 nothing ran"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):  # a locale without UTF-8 has no ✓
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    given, rest = parser.parse_known_args(arguments)
    if rest and given.command not in ("run", "upgrade", "record"):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        code: int = given.action(given, rest)
        return code
    except _USER_ERRORS as error:
        print(f"conformance: {error}", file=sys.stderr)
        return USAGE
    except TargetLost as error:
        print(f"conformance: {error}", file=sys.stderr)
        return INCONCLUSIVE
    except BrokenPipeError:
        return 0
    except OSError as error:  # a disk that is full, a directory that is not ours
        print(f"conformance: {error}", file=sys.stderr)
        return USAGE
    except Exception:  # whatever it is, it is not a discrepancy of torch's
        traceback.print_exc()
        print("conformance: the suite itself failed; please report this", file=sys.stderr)
        return SUITE_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("conformance", description="Does this torch do what its documentation says?",
                                     epilog=_EXIT_CODES)  # fmt: skip
    parser.add_argument("--version", action="version", version=f"conformance {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="judge torch on every target and write a report", epilog=_EXIT_CODES,
                              description="A thin layer over pytest: what it does not know goes to pytest (-k, -x, "
                              "--lf, -n WORKERS, --junitxml, -p no:xdist …).")  # fmt: skip
    add_options(run.add_argument)
    run.set_defaults(action=_run)
    moved = upgrade.add_upgrade(commands)
    add_options(moved.add_argument)
    moved.set_defaults(action=_upgrade, report=upgrade.REPORT)
    upgrade.add_others(commands, add_options)
    for one in (corpus, ledger, matrix, merge):
        one.add(commands)
    claims = commands.add_parser("claims", help="list every claim: id, statement, source")
    claims.add_argument("--json", action="store_true", help="as JSON, with formulas, releases and what each covers")
    claims.add_argument("--module", action="append", default=[], metavar="GLOB")
    claims.add_argument("--claim", action="append", default=[], metavar="GLOB")
    claims.add_argument("--contracts", action="append", default=[], metavar="FILE.py")
    claims.set_defaults(action=_claims)
    replay = commands.add_parser("replay", help="run one recorded case again and show promise and observation")
    replay.add_argument(
        "case", metavar="ID-or-FILE", help="a discrepancy of the last run, a ledger entry, or a case file"
    )
    add_options(replay.add_argument)
    replay.set_defaults(action=_replay)
    report = commands.add_parser("report", help="render a run file again")
    report.add_argument("run", metavar="RUN.jsonl")
    report.add_argument("--report", metavar="DIR", help="where to (default: beside the run file)")
    report.add_argument("--contracts", action="append", default=[], metavar="FILE.py", help="contracts of your own")
    report.set_defaults(action=_report)
    return parser


def _run(given: argparse.Namespace, rest: list[str]) -> int:
    """Runs pytest on the suite. Its own options are checked here first, so that nonsense is said in one line."""
    Options.of(given)
    return _pytest(_tail(given.command))


def _upgrade(given: argparse.Namespace, rest: list[str]) -> int:
    """A run with two sides; their environments are made first, if need be."""
    upgrade.resolve(given)
    Options.of(given)
    return _pytest([*upgrade.as_run(_tail(given.command)), f"--report={given.report}", f"--from={given.old}",
                    f"--to={given.new}"])  # fmt: skip


def _pytest(own: list[str]) -> int:
    import pytest

    from conformance.plugin import SUITE

    arguments = ["-p", "conformance.plugin", "-c", str(SUITE.with_name("pytest.ini")), "--rootdir", str(SUITE.parent),
                 "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}", "-o", "console_output_style=classic", "--tb=short",
                 "--no-header", "-q", *own,
                 str(SUITE)]  # fmt: skip
    watch = _Watch()
    status = pytest.main(arguments, plugins=[watch])
    if watch.exit is not None:
        return watch.exit
    return {int(pytest.ExitCode.USAGE_ERROR): USAGE, int(pytest.ExitCode.OK): 0}.get(int(status), SUITE_ERROR)


def _tail(command: str) -> list[str]:
    """What was typed after the command's name."""
    return sys.argv[sys.argv.index(command) + 1 :] if command in sys.argv else []


class _Watch:
    """Learns the verdict: pytest's own exit codes have other meanings for the same numbers."""

    exit: int | None = None

    def pytest_unconfigure(self, config: object) -> None:
        recorder = config.pluginmanager.get_plugin("conformance-recorder")  # type: ignore[attr-defined]
        if recorder is not None and recorder.verdict is not None:
            self.exit = recorder.verdict.exit


def _claims(given: argparse.Namespace, rest: list[str]) -> int:
    found = select(given.module, given.claim, tuple(given.contracts))
    if given.json:
        covered = covers(claim.id for claim in found)
        print(json.dumps([{**claim.to_json(), "covers": covered[claim.id]} for claim in found], indent=1))
    else:
        for claim in found:
            print(f"{claim.id}\n    {claim.statement}\n    {claim.module}, {claim.source}; torch {claim.releases}")
        print(f"{len(found)} claims", file=sys.stderr)
    return 0


def _replay(given: argparse.Namespace, rest: list[str]) -> int:
    from conformance.replay import replay

    return replay(given.case, Options.of(given))


def _report(given: argparse.Namespace, rest: list[str]) -> int:
    from conformance import report
    from conformance.results import read

    path = Path(given.run)
    directory = Path(given.report) if given.report else path.parent
    report.write_all(read(path), directory, tuple(given.contracts))
    print(directory / "report.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
