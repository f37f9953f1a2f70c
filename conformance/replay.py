"""Runs one recorded case again and shows what happened beside what was promised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.bench import Bench
from conformance.cases import Case, CaseError
from conformance.judge import applies, evidence, judge
from conformance.options import Options
from conformance.oracle.claims import Claim, Failure, claims_of
from conformance.oracle.claims.claim import happened
from conformance.oracle.contract import Contract
from conformance.oracle.registry import contract_of
from conformance.results import read
from conformance.wire import to_wire

LARGEST = 4096


def replay(name: str, options: Options) -> int:
    """Replays a discrepancy of the last run, a ledger entry or a case file; 0 if all claims hold, 1 if not."""
    case = find(name, options)
    contract = contract_of(case.module, options.contract_files)
    check(case, contract)
    print(json.dumps(case.to_json(), indent=1))
    bench = Bench(options)
    try:
        bench.start()
        for record in bench.records:
            if record.status != "ran":
                print(f"\n{record.name}: {record.status}: {record.reason}")
        broken = 0
        for target in bench.targets:
            print(f"\n{target.spec.name}, torch {target.environment['torch']}")
            if not applies(contract, case, target.release):
                print("  this release does not document an argument that the case passes")
                continue
            target.send_cases([to_wire(contract.at(target.release), case)])
            seen = target.receive_cases()[0]
            broken += _show(judge(_relevant(case, options), evidence(contract, case, seen, target.release,
                                                                     target.spec.device)), seen, options)  # fmt: skip
        return 1 if broken else 0 if bench.targets else 4
    finally:
        bench.close()


def _relevant(case: Case, options: Options) -> list[Claim]:
    """The claims that the case can exercise."""
    return [c for c in claims_of(contract_of(case.module, options.contract_files)) if c.scenario == case.scenario]


def _show(judgements: dict[str, Any], seen: dict[str, Any], options: Options) -> int:
    print(f"  {happened(seen)}")
    for claim, judgement in judgements.items():
        if isinstance(judgement, Failure):
            print(f"  ✗ {claim}\n      expected {judgement.expected}\n      observed {judgement.observed}")
        elif judgement is True:
            print(f"  ✓ {claim}")
    return sum(isinstance(judgement, Failure) for judgement in judgements.values())


def find(name: str, options: Options) -> Case:
    """The case that ``name`` stands for; CaseError with the places looked at where there is none."""
    if Path(name).is_file():
        return _from_file(Path(name))
    run = Path(options.report) / "run.jsonl"
    if run.is_file():
        for found in read(run).discrepancies:
            if found.id == name and found.case:
                return Case.from_json(found.case)
    for entry in options.plan.ledger.entries:
        if entry.id == name and entry.case:
            return entry.case
    raise CaseError(f"{name!r} is neither a case file, nor a discrepancy in {run}, nor a ledger entry with a case")


def _from_file(path: Path) -> Case:
    try:
        return Case.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError, RecursionError) as error:
        raise CaseError(f"{path}: {error}") from None


def check(case: Case, contract: Contract) -> None:
    """Somebody else's case may be anything: :class:`CaseError` unless it is one of this contract, of a size that fits
    into memory."""
    numbers = [*case.arguments.values(), *case.sizes.values(), *(item.shape for item in case.inputs)]
    if any(number > LARGEST for number in _integers(numbers)):
        raise CaseError(f"a size is larger than {LARGEST}; no case of the suite is")
    try:
        to_wire(contract, case)
    except Exception as error:  # whatever it is that does not fit
        reason = f"{type(error).__name__}: {error}"
        raise CaseError(f"the case does not fit the contract of {case.module}: {reason[:200]}") from None


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _integers(item)
