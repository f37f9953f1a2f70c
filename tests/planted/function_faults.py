"""Which planted fault each claim on a function, or on a method of a packed sequence, must catch."""

from __future__ import annotations

from conformance.oracle.claims import Claim
from conformance.oracle.contract import Argument, Contract
from tests.planted.misuse_faults import deaths
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
    if where == "misused" or name == "memory_safety":
        return _miscall_fault(name, contract, where)
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


def _miscall_fault(name: str, contract: Contract, scenario: str) -> str:
    """The fault that a claim on the misuse of a function is there to catch: in one argument, where there is one."""
    module = contract.module
    match name.split("."):
        case ["memory_safety"]:
            return f"function_kills({module!r}, {deaths(module, scenario)!r})"
        case ["call", "refuses"]:
            return f"function_swallows({module!r}, '')"
        case ["padding_value", "nan"]:
            return f"nan_lost({module!r})"
        case ["none"]:
            return f"none_refused({module!r})"
        case [_, "unlike"]:
            return f"unlike_swallowed({module!r})"
        case [_, "batch_sizes", "kind"]:
            return "batch_sizes_made_up()"
    argument = name.partition(".")[0]
    place = [a.name for a in contract.signature].index(argument)
    return f"odd_swallowed({module!r}, {place}, {argument!r}, {_usual(argument, contract)!r})"


def _usual(name: str, contract: Contract) -> list[str]:
    """The types, or the words, that an argument documents."""
    if name in {port.name for port in contract.inputs}:
        port, layout = contract.port(name), contract.layouts[0]
        return ["PackedSequence"] if layout.packed == name else ["list"] if port.each else ["Tensor"]
    usual = {"flag": ["bool"], "number": ["float"], "length": ["int", "NoneType"]}
    option = contract.option(name)
    return usual.get(option.stated) or [*option.values]


def _other(option: Argument) -> object:
    return next(value for value in option.values if value != option.default)
