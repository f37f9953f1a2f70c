"""``conformance corpus``: grows and prunes the stored cases by what they newly exercise."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.corpus import OWN, Corpus
from conformance.oracle.claims import scenarios_of
from conformance.results import write_whole

NEWS = 300  # random cases a scenario that are looked through


def add(commands: Any) -> None:
    """Declares the commands."""
    parser = commands.add_parser("corpus", help="stored cases: grow, prune")
    actions = parser.add_subparsers(dest="what", required=True)
    for name, act, said in (
        ("grow", _grow, "adds cases that exercise what no stored or essential case does"),
        ("prune", _prune, "drops cases that exercise nothing that others do not"),
    ):
        action = actions.add_parser(name, help=said, description=said)
        action.add_argument("--target", action="append", default=[], metavar="SPEC", dest="targets")
        action.add_argument("--python", metavar="PATH", help="the interpreter meant by a target that names none")
        action.add_argument("--module", action="append", default=[], metavar="GLOB", dest="modules")
        action.add_argument("--contracts", action="append", default=[], metavar="FILE.py", dest="contract_files")
        action.add_argument("--corpus", metavar="DIR", help="where it lies (default: the suite's own)")
        action.add_argument("--cases", type=int, default=NEWS, metavar="N", help=f"random cases a scenario ({NEWS})")
        action.add_argument("--seed", type=int, default=0, metavar="N")
        action.add_argument("--dry-run", action="store_true", help="count, and write nothing")
        action.set_defaults(action=act)


def _grow(given: argparse.Namespace, rest: list[str]) -> int:
    from conformance.campaign import Plan
    from conformance.corpus.grow import grown

    plan = Plan(given.cases, given.seed)
    return _each(given, lambda contract, scenario, targets, ledger, stored: grown(
        contract, scenario, targets, ledger, stored, plan))  # fmt: skip


def _prune(given: argparse.Namespace, rest: list[str]) -> int:
    from conformance.corpus.grow import pruned

    return _each(given, pruned)


def _each(given: argparse.Namespace, sift: Callable[..., list[Any]]) -> int:
    """Sifts every scenario of every module and writes the files that change."""
    from conformance.ledger import Ledger
    from conformance.oracle.registry import contract_of, select
    from conformance.targets import Target, TargetSpec, numbered

    directory = Path(given.corpus) if given.corpus else OWN
    directory.mkdir(parents=True, exist_ok=True)
    corpus, files = Corpus(directory), tuple(given.contract_files)
    specs = numbered([TargetSpec.parse(text, given.python) for text in given.targets or ["cpu"]])
    targets = [Target(spec).start() for spec in specs]
    try:
        for module in dict.fromkeys(claim.module for claim in select(given.modules, [], files)):
            contract, stored = contract_of(module, files), corpus.cases(module)
            scenarios = [s for s in scenarios_of(contract) if s != "documentation"]
            cases = [case for s in scenarios for case in sift(contract, s, targets, Ledger.load(),
                     [case for case in stored if case.scenario == s])]  # fmt: skip
            print(f"{module}: {len(stored)} cases before, {len(cases)} now", flush=True)
            if not given.dry_run and tuple(cases) != stored:
                write_whole(directory / f"{module}.jsonl", corpus.text(module, cases))
    finally:
        for target in targets:
            target.close()
    print(f"{directory}{': nothing is written' if given.dry_run else ''}", file=sys.stderr)
    return 0
