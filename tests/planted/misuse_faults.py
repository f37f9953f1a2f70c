"""Which planted fault each claim on misuse must catch."""

from __future__ import annotations

import tempfile
from pathlib import Path

from conformance.oracle.contract import Contract

_DEATHS = tempfile.TemporaryDirectory()


def misuse_fault(name: str, contract: Contract, scenario: str) -> str:
    """The call that plants the fault which the claim of this name is there to catch."""
    module = contract.module
    match name.split("."):
        case ["memory_safety"]:
            return f"refusal_kills({module!r}, {str(Path(_DEATHS.name) / f'{module}.{scenario}')!r})"
        case [("dtype" | "device") as argument, "alike"]:
            return f"factory_ignored({module!r}, {argument!r})"
        case [argument, "alike"]:
            position = [a.name for a in contract.arguments].index(argument)
            return f"alike_mistaken({module!r}, {argument!r}, {position}, {contract.argument(argument).stated!r})"
        case [_, "other_dtype" | "other_device"]:
            return f"odd_inputs_swallowed({module!r})"
    return f"misuse_swallowed({module!r})"
