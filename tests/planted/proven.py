"""The table of "proven able to fail", as the package carries it: each planted fault and the claims that catch it.

python -m tests.planted.proven writes it anew; a test holds it against the faults that are really planted.
"""

from __future__ import annotations

import ast
import json
import textwrap
from pathlib import Path

from conformance.oracle.claims import Claim, claims_of
from conformance.oracle.contract import Contract
from conformance.oracle.proven import TABLE
from conformance.oracle.registry import builtin
from tests.planted.faults import fault_for

EDIT, REFUTED = "a careless edit of its page", "torch itself"
_HEAD = "# Which planted fault each claim catches in the suite's tests; written by `python -m tests.planted.proven`.\n"


def table(refuted: set[str]) -> dict[str, list[str]]:
    """Each fault, as it is planted but for the module, with the claims that catch it."""
    found: dict[str, list[str]] = {}
    for contract in builtin():
        for claim in claims_of(contract):
            found.setdefault(_said(claim, contract, refuted), []).append(claim.id)
    return {fault: sorted(found[fault]) for fault in sorted(found)}


def _said(claim: Claim, contract: Contract, refuted: set[str]) -> str:
    if claim.id in refuted:
        return REFUTED
    if claim.scenario == "documentation":
        return EDIT
    call = ast.parse(fault_for(claim, contract), mode="eval").body
    assert isinstance(call, ast.Call)
    given = [ast.literal_eval(node) for node in call.args]
    shown = [str(value) for value in given if value != contract.module and not _is_path(value)]
    return f"{ast.unparse(call.func)}({', '.join(shown)})"


def _is_path(value: object) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()


def written(found: dict[str, list[str]]) -> str:
    """The table as TOML."""
    return _HEAD + "".join(f"{json.dumps(fault)} = [\n{_listed(claims)}\n]\n" for fault, claims in found.items())


def _listed(claims: list[str]) -> str:
    text = ", ".join(map(json.dumps, claims))
    return textwrap.fill(text, 118, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


if __name__ == "__main__":
    from tests.test_planted_pages import REFUTED as refuted_claims

    TABLE.write_text(written(table(refuted_claims)), encoding="utf-8")
