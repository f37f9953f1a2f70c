"""Claims x observations -> judgements. It knows no module and has no special cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.cases import Case
from conformance.oracle.claims import Claim, Evidence, Failure, Judgement
from conformance.oracle.contract import Contract, in_range


def evidence(contract: Contract, case: Case, seen: Mapping[str, Any], release: str, device: str) -> Evidence:
    """What a claim is judged on: the contract as this release documents it, and every symbol's value."""
    documented = contract.at(release)
    env = documented.symbols(case)
    return Evidence(documented, case, seen, env, device, release)


def judge(claims: Sequence[Claim], found: Evidence) -> dict[str, Judgement]:
    """Every claim's judgement on one executed case. A case that failed early is not also a wrong value: claims on
    what comes after say ``False``, not exercised, by themselves. Where a claim tells the cause of all else, such as
    the death of the process, the others say nothing."""
    judged = {claim.id: claim.check(found) for claim in claims}
    for claim in claims:
        if claim.cause and isinstance(judged[claim.id], Failure):
            return {**dict.fromkeys(judged, False), claim.id: judged[claim.id]}
    return judged


def applies(contract: Contract, case: Case, release: str) -> bool:
    """Whether this release documents every argument that the case passes, and the place of those by position."""
    if any(not in_range(contract.option(name).releases, release) for name in case.options):
        return False
    if case.layout in contract.layout_names and not in_range(contract.layout(case.layout).releases, release):
        return False
    if not in_range(contract.releases, release) or not _excludes(contract, case, release):
        return False
    for position, name in enumerate(contract.ordered(case.arguments)):
        argument = contract.argument(name)
        if not in_range(argument.releases, release):
            return False
        if position < case.positional and not in_range(argument.by_position or "", release):
            return False
    return True


def _excludes(contract: Contract, case: Case, release: str) -> bool:
    """Whether this release's page excludes what the case does on purpose."""
    rule = case.violation.rule if case.violation else ""
    return not rule or any(known.name == rule and in_range(known.releases, release) for known in contract.excludes)
