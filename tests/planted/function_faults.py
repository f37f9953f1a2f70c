"""Which planted fault each claim on a function, or on a method of a packed sequence, must catch."""

from __future__ import annotations

from conformance.oracle.claims import Claim
from conformance.oracle.contract import Argument, Contract
from tests.planted.paths import path

_PACKED = {
    "is_packed": "unpacked", "batch_sizes": "batch_sizes", "batch_sizes.kind": "batch_sizes_kind",
    "indices.kind": "indices_kind", "sorted_indices": "sorted_indices", "unsorted_indices": "unsorted_indices",
    "indices.presence": "indices_lost", "indices.kept": "indices_lost",
}  # fmt: skip
_GRADIENTS = {"accepts": "underived", "presence": "detached", "value": "doubled"}


def function_fault(claim: Claim, contract: Contract) -> str:
    """The call that plants the fault which this claim is there to catch."""
    module, where = contract.module, claim.scenario
    name = claim.id.removeprefix(f"{contract.prefix}.").removesuffix(f".{where}")
    outputs = [port.name for port in contract.outputs]
    match name.split("."):
        case ["arguments", "positional"]:
            return f"argument_lost({module!r}, {len(contract.inputs)})"
        case ["argument", option, "default"]:
            return f"option_changed({module!r}, {option!r}, {_other(contract.option(option))!r})"
        case ["accepts"]:
            return f"function_refuses({module!r}, {where!r})"
        case ["result", "nesting"]:
            return f"function_nests({module!r}, {where!r})"
        case ["inputs", "unmodified"]:
            return f"argument_modified({module!r}, {where!r})"
        case ["example", _]:
            return f"function_refuses_everywhere({module!r}, {where!r})"
        case [_, "refuses" | "excludes", *_]:
            return f"function_swallows({module!r}, {where!r})"
        case ["output", "padding"]:
            return f"padding_changed({module!r}, {where!r})"
        case ["inverse"]:
            return f"result_changed({module!r}, {where!r}, {path(contract, outputs[0])}, 'other')"
        case ["gradients", what]:
            return f"result_changed({module!r}, {where!r}, {path(contract, outputs[0])}, {_GRADIENTS[what]!r})"
        case ["to", "self"]:
            return f"result_changed({module!r}, {where!r}, (), 'copied')"
        case ["to", "value"]:
            return f"result_changed({module!r}, {where!r}, (), 'other')"
        case ["is_cuda" | "is_pinned", "value"]:
            return f"result_changed({module!r}, {where!r}, (), 'negated')"
        case [port, "value"] if port in outputs:
            how = "other" if contract.prefix == "invert_permutation" else "reversed"
            return f"result_changed({module!r}, {where!r}, {path(contract, port)}, {how!r})"
        case [port, ("shape" | "dtype" | "device") as how] if port in outputs:
            return f"result_changed({module!r}, {where!r}, {path(contract, port)}, {how!r})"
        case [port, *what] if port in outputs:
            return f"result_changed({module!r}, {where!r}, (), {_PACKED['.'.join(what)]!r})"
    raise AssertionError(f"no fault is planted for {claim.id}: a claim that cannot fail is a defect")


def _other(option: Argument) -> object:
    return next(value for value in option.values if value != option.default)
