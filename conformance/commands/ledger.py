"""``conformance ledger``: show, check, add, retire. The only commands that write a ledger, and only when told to."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tomlkit
from packaging.version import InvalidVersion, Version

from conformance.hygiene import IMPROVED, hygiene
from conformance.ledger import Entry, Ledger, LedgerError
from conformance.ledger.check import checked
from conformance.ledger.edit import changed, difference, ended
from conformance.ledger.entry import KINDS, read_entry
from conformance.ledger.ledger import OWN
from conformance.report.causes import Cause, causes
from conformance.report.view import View
from conformance.results import Run, read, write_whole


def add(commands: Any) -> None:
    """Declares the commands."""
    parser = commands.add_parser("ledger", help="known discrepancies: show, check, add, retire")
    actions = parser.add_subparsers(dest="what", required=True)
    show = _action(actions, "show", _show, "what the ledger knows: all entries, or one with its file")
    show.add_argument("entry", nargs="?", metavar="ENTRY")
    check = _action(actions, "check", _check, "what wants a look: overlaps, dates, keys, and what the last run says")
    check.add_argument("--strict", action="store_true", help="exit 1 if there is anything")
    new = _action(actions, "add", _add, "a new entry from a discrepancy of the last run")
    new.add_argument("discrepancy", metavar="ID")
    new.add_argument("--id", help="the name of the entry and its file (default: from the claim)")
    new.add_argument("--reason", help="what is wrong, in one sentence; without it, one to be written by hand")
    new.add_argument("--upstream", default="none found", metavar="URL", help="the upstream thread")
    new.add_argument("--releases", metavar="RANGE", help="PEP 440 (default: the releases of the run)")
    new.add_argument("--devices", metavar="GLOB", help="(default: the devices of the run)")
    new.add_argument("--when", metavar="CONDITION", help="which configurations (default: like the minimal case)")
    new.add_argument("--observed", metavar="PATTERN", help="(default: what was observed, whatever the numbers)")
    new.add_argument("--kind", choices=KINDS)
    new.add_argument("--owner", default="maintainers")
    retire = _action(actions, "retire", _retire, "ends an entry before the release on which it no longer fails")
    retire.add_argument("entry", metavar="ENTRY")
    how = retire.add_mutually_exclusive_group()
    how.add_argument("--since", metavar="RELEASE", help="the release (default: as the last run says)")
    how.add_argument("--delete", action="store_true", help="remove the whole entry instead")
    for command in (new, retire):
        command.add_argument("--yes", action="store_true", help="write without asking")
        command.add_argument("--dry-run", action="store_true", help="show the difference and write nothing")


def _action(actions: Any, name: str, act: Callable[..., int], said: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=said, description=said)
    parser.add_argument("--ledger", metavar="DIR", help="your own entries, beside the suite's")
    parser.add_argument("--report", default="reports/latest", metavar="DIR", help="where the last run lies")
    parser.add_argument("--contracts", action="append", default=[], metavar="FILE.py")
    parser.set_defaults(action=act)
    return parser


def _show(given: argparse.Namespace, rest: list[str]) -> int:
    entries = Ledger.load(given.ledger).entries
    if given.entry:
        entry = _find(entries, given.entry)
        print(f"# {entry.path}\n{_text(entry)}", end="")
        return 0
    for entry in entries:
        print(f"{entry.id}  [{entry.kind}, {entry.severity}, torch {entry.releases or 'any'}]\n    {entry.reason}")
    print(f"{len(entries)} entries", file=sys.stderr)
    return 0


def _check(given: argparse.Namespace, rest: list[str]) -> int:
    remarks = [*checked(Ledger.load(given.ledger).entries, date.today().isoformat(), tuple(given.contracts))]
    if (Path(given.report) / "run.jsonl").is_file():
        run = _last(given)
        remarks += [(r.entry, f"{r.text}: {r.command}") for r in hygiene(run) if (r.entry, r.text) not in remarks]
    for entry, text in remarks:
        print(f"{entry}: {text}")
    print(f"{len(remarks)} remarks" if remarks else "nothing to remark", file=sys.stderr)
    return 1 if given.strict and remarks else 0


def _add(given: argparse.Namespace, rest: list[str]) -> int:
    run = _last(given)
    cause = _cause(run, given)
    if not cause.entry:
        raise LedgerError(f"{given.discrepancy} has a case of another version of the suite; run the suite again")
    draft = changed(cause.entry, {name: value for name, value in _overrides(given).items() if value})
    name = str(tomlkit.parse(draft)["id"])
    if any(entry.id == name for entry in Ledger.load(given.ledger).entries):
        raise LedgerError(f"there is an entry {name!r} already; pass another --id")
    return _write(given, (Path(given.ledger) if given.ledger else OWN) / f"{name}.toml", "", draft)


def _cause(run: Run, given: argparse.Namespace) -> Cause:
    """The root cause to which a discrepancy of the last run belongs: an entry is for all that shows it."""
    found = {d.id: cause for cause in causes(View(run, tuple(given.contracts))) for d in cause.found}
    cause = found.get(given.discrepancy)
    if cause is None:
        unknown = ", ".join(name for name, cause in found.items() if cause.known is None) or "none"
        raise LedgerError(f"the last run has no discrepancy {given.discrepancy!r}; not in the ledger are: {unknown}")
    if cause.known:
        raise LedgerError(f"{given.discrepancy} is in the ledger already, as {cause.known}")
    return cause


def _overrides(given: argparse.Namespace) -> dict[str, str]:
    names = ("id", "reason", "upstream", "releases", "devices", "when", "observed", "kind", "owner")
    return {name: getattr(given, name) for name in names}


def _retire(given: argparse.Namespace, rest: list[str]) -> int:
    entry = _find(Ledger.load(given.ledger).entries, given.entry)
    assert entry.path is not None  # it was read from there
    text = _text(entry)
    if given.delete:
        return _write(given, entry.path, text, "")
    since = given.since or min(_improved(given, entry.id), key=Version)
    try:
        Version(since)
    except InvalidVersion as error:
        raise LedgerError(f"--since: {error}; write a release, for example 2.14.0") from None
    return _write(given, entry.path, text, ended(text, since))


def _improved(given: argparse.Namespace, entry: str) -> Iterator[str]:
    """The releases on which the last run found that an entry's case no longer fails."""
    run = _last(given)
    gone = [s.target for s in run.standings if (s.entry, s.state) == (entry, IMPROVED)]
    if not gone:
        raise LedgerError(f"the last run did not find {entry} improved; pass --since RELEASE, or --delete")
    return (target.release for target in run.targets if target.name in gone)


def _write(given: argparse.Namespace, path: Path, old: str, new: str) -> int:
    """Shows the difference, asks, writes; an entry that could not be read afterwards is not written."""
    print(difference(old, new, path.name), end="")
    if new:
        _readable(path, new)
    if given.dry_run:
        return 0
    if not (given.yes or _asked()):
        print("nothing is written", file=sys.stderr)
        return 0
    if not path.parent.is_dir():
        raise LedgerError(f"{path.parent} is not a directory; make it, or pass another --ledger")
    if new:
        write_whole(path, new)
    else:
        path.unlink()
    print(f"{path} is {'written' if new else 'gone'}", file=sys.stderr)
    return 0


def _readable(path: Path, text: str) -> None:
    with TemporaryDirectory() as directory:
        draft = Path(directory) / path.name
        draft.write_text(text, encoding="utf-8")
        read_entry(draft)


def _asked() -> bool:
    try:
        return input("write it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print("\nno terminal to ask on; pass --yes to write", file=sys.stderr)
        return False


def _find(entries: tuple[Entry, ...], name: str) -> Entry:
    for entry in entries:
        if entry.id == name:
            return entry
    raise LedgerError(f"no entry {name!r}; `conformance ledger show` lists them")


def _text(entry: Entry) -> str:
    return entry.path.read_text(encoding="utf-8") if entry.path else ""


def _last(given: argparse.Namespace) -> Run:
    return read(Path(given.report) / "run.jsonl")
