"""Which planted fault each claim must catch: the table of "proven able to fail"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.oracle.claims import Claim
from conformance.oracle.contract import REQUIRED, Argument, Contract
from conformance.targets import Target
from tests.planted.function_faults import function_fault
from tests.planted.misuse_faults import misuse_fault
from tests.planted.paths import path

_FILES = ("library.py", "function_library.py", "drawn.py", "value_library.py", "usage_library.py", "identity_library.py",
          "misuse_library.py")  # fmt: skip
LIBRARIES = [(Path(__file__).parent / name).read_text(encoding="utf-8") for name in _FILES]
ONCE = f"import sys\nif 'planted' not in sys.modules:\n    [exec(text, {{}}) for text in {LIBRARIES!r}]"


def fault_for(claim: Claim, contract: Contract) -> str:
    """The call that plants the fault which this claim is there to catch."""
    if contract.function:
        return function_fault(claim, contract)
    module, name = contract.module, claim.id.removeprefix(f"{contract.prefix}.").removesuffix(f".{claim.scenario}")
    where = claim.scenario
    if where == "misused" or name == "memory_safety":
        return misuse_fault(name, contract, where)
    match name.split("."):
        case ["constructor", "accepts"]:
            return f"constructor_refuses({module!r})"
        case ["constructor", "positional"]:
            required = sum(a.default is REQUIRED for a in contract.arguments)
            return f"position_shifted({module!r}, {required})"
        case ["argument", argument, "default"]:
            return f"default_changed({module!r}, {argument!r}, {other_default(contract.argument(argument))!r})"
        case ["parameters", "dtype"]:
            return f"parameter_dtype({module!r})"
        case ["parameters", "device"]:
            return f"parameter_device({module!r})"
        case ["parameters", "names"]:
            return f"parameter_extra({module!r})"
        case ["parameters", "order"]:
            return f"parameters_reversed({module!r})"
        case ["parameters", "learnable"]:
            return f"parameter_frozen({module!r})"
        case ["initialised", *_, how]:
            return f"fresh_changed({module!r}, {how!r})"
        case ["reset_parameters", how]:
            return f"reset_changed({module!r}, {how!r})"
        case ["dropout", "accepts"] if where == "dropout":
            return f"call_refuses({module!r}, 'packed')"
        case ["dropout", "shared"] if where == "dropout":
            return f"dropped_per_direction({module!r})"
        case ["dropout", "one_layer"] if where == "dropout":
            return f"one_layer_dropped({module!r})"
        case ["dropout", subject, "value"] if where == "dropout":
            return f"dropout_changed({module!r}, {subject!r})"
        case ["dropout", *_, how] if where == "dropout":
            return f"dropout_changed({module!r}, {how!r})"
        case ["usage", usage]:
            return f"usage_spoiled({module!r}, {usage!r})"
        case ["gradients", "accepts"]:
            return f"output_changed({module!r}, {where!r}, {path(contract, contract.outputs[0].name)}, 'derivative')"
        case ["gradients", "presence"]:
            return f"gradient_missing({module!r}, {where!r})"
        case ["gradients", "value"]:
            return f"gradient_doubled({module!r}, {where!r})"
        case [port, "value"]:
            return f"output_changed({module!r}, {where!r}, {path(contract, port)}, 'value')"
        case ["accepts"]:
            return f"call_refuses({module!r}, {where!r})"
        case ["result", "nesting"]:
            return f"nesting_changed({module!r}, {where!r})"
        case ["inputs", "unmodified"]:
            return f"input_modified({module!r}, {where!r})"
        case ["output", "is_packed"]:
            return f"output_changed({module!r}, {where!r}, (0,), 'unpacked')"
        case ["output", "indices"]:
            return f"output_changed({module!r}, {where!r}, (0,), 'indices')"
        case ["example", _]:
            return f"call_refuses_everywhere({module!r})"
        case ["article", _, subject]:
            return _fault_for_statement(claim, contract, subject)
        case [_, "refuses", *_]:
            return f"refusal_swallowed({module!r}, {where!r})"
        case [port, "presence"] if port in {p.name for p in contract.outputs}:
            return f"output_changed({module!r}, {where!r}, {path(contract, port)}, 'absent')"
        case [port, ("shape" | "dtype" | "device") as how] if port in {p.name for p in contract.outputs}:
            return f"output_changed({module!r}, {where!r}, {path(contract, port)}, {how!r})"
        case [label, ("shape" | "presence") as how]:
            entry = next(p for p in contract.parameters if p.label == label)
            prefix, _, suffix = entry.name.partition("{k}")
            whole = "" if how == "shape" else f", {entry.name.format(k=0)!r}"
            kind = "parameter_shape" if how == "shape" else "parameter_missing"
            return f"{kind}({module!r}, {prefix!r}, {suffix!r}{whole})"
    raise AssertionError(f"no fault is planted for {claim.id}: a claim that cannot fail is a defect")


def _fault_for_statement(claim: Claim, contract: Contract, subject: str) -> str:
    """An argument has another default, an output another shape; an input as the article gives it is refused."""
    if claim.scenario == "constructor":
        return f"default_changed({contract.module!r}, {subject!r}, {other_default(contract.argument(subject))!r})"
    if subject in {port.name for port in contract.outputs}:
        where = path(contract, subject)
        return f"output_changed({contract.module!r}, {claim.scenario!r}, {where}, 'shape')"
    return f"call_refuses({contract.module!r}, {claim.scenario!r})"


def other_default(argument: Argument) -> object:
    """Another value than the documented default, legal wherever possible."""
    known = {"dtype": "torch.float64", "device": "meta", "weight": "tensor"}
    if argument.name in known:
        return known[argument.name]
    default = argument.default
    return next(value for value in argument.values if value != default or type(value) is not type(default))


@contextmanager
def planted(target: Target, fault: str) -> Iterator[None]:
    """The fault in the target's torch for as long as the block runs."""
    plant = f"import planted; planted.{fault}"
    execute(target, plant)
    target.prelude = f"{ONCE}\n{plant}"  # a fault that kills the process is there again in the next one
    try:
        yield
    finally:
        target.prelude = ""
        execute(target, "import planted; planted.restore()")


def execute(target: Target, source: str) -> None:
    """Runs source in the target's process, beside the agent that serves it; the library of faults is there first."""
    target.execute(f"{ONCE}\n{source}")
