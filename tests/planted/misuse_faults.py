"""Which planted fault each claim on misuse must catch."""

from __future__ import annotations

import tempfile
from pathlib import Path

from conformance.oracle.contract import REQUIRED, Contract

_DEATHS = tempfile.TemporaryDirectory()


def deaths(module: str, scenario: str) -> str:
    """A file that counts how often a module has killed its target."""
    return str(Path(_DEATHS.name) / f"{module}.{scenario}")


def misuse_fault(name: str, contract: Contract, scenario: str) -> str:
    """The call that plants the fault which the claim of this name is there to catch."""
    module = contract.module
    match name.split("."):
        case ["memory_safety"]:
            return f"refusal_kills({module!r}, {deaths(module, scenario)!r})"
        case [("dtype" | "device") as argument, "alike"]:
            return f"factory_ignored({module!r}, {argument!r})"
        case [argument, "alike"]:
            position = [a.name for a in contract.arguments].index(argument)
            return f"alike_mistaken({module!r}, {argument!r}, {position}, {contract.argument(argument).stated!r})"
        case ["constructor", "refuses"] | ["dtype" | "device", "refuses"]:
            return f"construction_swallowed({module!r})"
        case [argument, "refuses"] if argument != "call":
            known = contract.argument(argument)
            position = [a.name for a in contract.arguments].index(argument)
            legal = known.values[0] if known.default is REQUIRED else known.default
            return f"value_corrected({module!r}, {argument!r}, {position}, {legal!r})"
        case [_, "other_dtype" | "other_device"]:
            return f"odd_inputs_swallowed({module!r})"
    return f"call_swallowed({module!r})"
