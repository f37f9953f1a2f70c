"""From a scenario to a case, whatever the subject: a module, a function, or one that is misused."""

from __future__ import annotations

from conformance.cases import Case
from conformance.oracle.contract import Contract
from conformance.strategies.build import Pick, module_case
from conformance.strategies.calls import call_case
from conformance.strategies.miscall import miscalled
from conformance.strategies.misuse import misused


def build(contract: Contract, scenario: str, pick: Pick) -> Case:
    """The case that ``pick`` chooses in a scenario of a contract."""
    if contract.function:
        return miscalled(contract, pick) if scenario == "misused" else call_case(contract, scenario, pick)
    return misused(contract, pick) if scenario == "misused" else module_case(contract, scenario, pick)
