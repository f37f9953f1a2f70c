"""What a page excludes of arguments and of a call, beside shapes: refused with an error that speaks of it; and what it
says nothing of: refused so, or accepted and right.

A misuse names what it is ``of`` and its ``kind``. Of an argument: a value *excluded* by its stated domain, one by a
*constraint*, or one *alike* a documented value. Of the constructor or the call: a ``keyword`` that there is not, too
many ``positional`` arguments, one passed ``twice``, one ``missing``. Of an input: another ``type`` than a tensor,
another ``dtype`` than that of the parameters, another ``device``; of several inputs in a tuple their ``nesting``. Of a
packed sequence ``batch_sizes``, ``sorted_indices`` or ``unsorted_indices`` that were made by hand: as no page says what
then happens, the process must survive it and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from conformance.oracle.claims.alike import right
from conformance.oracle.claims.claim import Claim, Evidence, Failure, Judgement, died, happened
from conformance.oracle.claims.clarity import refused
from conformance.oracle.contract import REQUIRED, Argument, Contract, Layout
from conformance.oracle.zoo import alike, excluded

SCENARIO = "misused"
SIGNATURE = ("keyword", "positional", "twice", "missing")
HAND_MADE = ("batch_sizes", "sorted_indices", "unsorted_indices")
OTHER_DTYPES = ("float64", "float32", "int64", "bool", "complex64", "bfloat16", "float16", "int32")
TYPES = ("list", "ndarray", "tuple", "number", "string", "none")
NESTINGS = ("list", "stacked", "fewer", "more", "alone", "nested", "empty", "repeated")
EQUIVALENT = ("list", "ndarray", "stacked")  # the same numbers in another container
ALL = "inputs"
Subject = tuple[str, str]


def judged(contract: Contract) -> bool:
    """Whether misuse is judged at all: only equations tell whether what was accepted is right."""
    return contract.equations is not None and not contract.function


def subjects(contract: Contract) -> tuple[Subject, ...]:
    """All that can be misused, as what it is of and its kind."""
    found = [(of, kind) for of in ("constructor", "call") for kind in SIGNATURE]
    found = [s for s in found if s != ("call", "twice") and (s[1] not in ("twice", "missing") or _needed(contract, s))]
    for argument in contract.arguments:
        found += [(argument.name, kind) for kind in ("excluded", "constraint", "alike") if _offers(argument, kind)]
    floating = [port.name for port in contract.inputs if port.dtype == "floating"]
    found += [(name, "dtype") for name in (*floating, *([ALL] if len(floating) > 1 else []))]
    found += [(port.name, kind) for port in contract.inputs for kind in ("type", "device")]
    found += [(group, "nesting") for group in _nested(contract)]
    packed = {layout.packed for layout in contract.layouts if layout.packed}
    return (*found, *((name, kind) for name in sorted(packed) for kind in HAND_MADE))


def _needed(contract: Contract, subject: Subject) -> bool:
    """Whether there is an argument that has to be passed."""
    return subject[0] == "call" or any(a.default is REQUIRED for a in contract.arguments)


def _offers(argument: Argument, kind: str) -> bool:
    if kind == "constraint":
        return argument.where != "True"
    return bool(excluded(argument) if kind == "excluded" else alike(argument))


def _nested(contract: Contract) -> list[str]:
    """The inputs that are passed in a tuple: ``h_0, c_0``."""
    return [", ".join(group) for group in contract.groups if len(group) > 1]


def layouts_of(contract: Contract, of: str, kind: str) -> list[Layout]:
    """The layouts in which there is what is misused."""
    names = {ALL: contract.inputs[0].name}.get(of, of.partition(", ")[0])
    if kind in HAND_MADE:
        return [layout for layout in contract.layouts if layout.packed == of]
    ports = {port.name: port for port in contract.inputs}
    if kind in ("excluded", "constraint", "alike") or names not in ports:
        return list(contract.layouts)
    return [layout for layout in contract.layouts if layout.name in ports[names].by_layout]


# -- claims ------------------------------------------------------------------------------------------------------------


def claims(contract: Contract) -> Iterator[Claim]:
    """One claim for each way to misuse each thing, and for the life of the process."""
    if not judged(contract):
        return
    make = partial(claim, contract)
    yield from of_any(contract, ("constructor", "call"))
    for argument in contract.arguments:
        yield from _of_argument(make, argument)
    for of, kind in subjects(contract):
        if said := _STATEMENTS.get(kind):
            name = f"{of.replace(', ', '_')}.{_NAMES[kind]}"
            yield make(name, said.format(of), f"Inputs: {of}", partial(_of, (of,), (kind,), _JUDGES[kind]))


def of_any(contract: Contract, called: tuple[str, ...]) -> Iterator[Claim]:
    """What a module and a function promise alike: the life of the process, and their signatures."""
    for scenario in ("refused", SCENARIO) if contract.refuses else (SCENARIO,):
        lives = claim(contract, f"memory_safety.{scenario}", "nothing that is passed kills the process or hangs it",
                      "Python", partial(_survived, scenario), scenario)  # fmt: skip
        yield replace(lives, cause=True)
    for of in called:
        yield claim(contract, f"{of}.refuses", f"the {of} refuses what its signature does not have with a TypeError",
                    "signature", partial(_of, (of,), SIGNATURE, _signature))  # fmt: skip


_NAMES = {"type": "refuses.type", "nesting": "refuses.nesting", "dtype": "other_dtype", "device": "other_device"}
_STATEMENTS = {
    "type": "what is no tensor in place of {} is refused, or computes as the tensor of its numbers",
    "nesting": "anything but ({}) is refused, or is the same in another container",
    "dtype": "{} of another dtype than the parameters is refused, or the result is right",
    "device": "{} on another device than the parameters is refused, or the result is right",
}


def _of_argument(make: Callable[..., Claim], argument: Argument) -> Iterator[Claim]:
    name, source = argument.name, f"Args: {argument.name}"
    if _offers(argument, "excluded") or _offers(argument, "constraint"):
        limit = "" if argument.where == "True" else f", or that breaks {argument.where},"
        said = f"a value of {name} that is no {argument.stated or 'documented one'}{limit} is refused"
        yield make(f"{name}.refuses", said, source, partial(_of, (name,), ("excluded", "constraint"), _excluded),
                   releases=argument.releases)  # fmt: skip
    if _offers(argument, "alike"):
        said = f"a value of {name} that can only mean a documented one is refused, or means that"
        yield make(f"{name}.alike", said, source, partial(_of, (name,), ("alike",), _right_or_refused),
                   releases=argument.releases)  # fmt: skip


def claim(
    contract: Contract,
    name: str,
    statement: str,
    source: str,
    check: Callable[[Evidence], Judgement],
    scenario: str = SCENARIO,
    releases: str = "",
) -> Claim:
    """A claim about misuse; ``releases`` where not every release has what is misused."""
    full = f"{contract.prefix}.{name}"
    return Claim(full, contract.module, scenario, statement, source, check, releases=releases or ">=2.0")


# -- judging -----------------------------------------------------------------------------------------------------------


def _survived(scenario: str, e: Evidence) -> Judgement:
    if e.case.scenario != scenario:
        return False
    severity = died(e.seen["status"])
    return not severity or Failure("the process survives", happened(e.seen), severity)


def _of(
    things: tuple[str, ...], kinds: tuple[str, ...], check: Callable[[Evidence], Judgement], e: Evidence
) -> Judgement:
    """What the check says of a misuse of these things in one of these ways."""
    found = e.case.misuse
    if found is None or found.of not in things or found.kind not in kinds:
        return False
    if e.seen["status"] == "raised" and e.seen["exception"] == "ModuleNotFoundError":
        return "unsupported"  # the target has no NumPy
    return check(e)


def _excluded(e: Evidence) -> Judgement:
    return refused(f"an error that speaks of {_told(e)}", e)


def _told(e: Evidence) -> str:
    """What was passed, in words."""
    found = e.case.misuse
    assert found is not None
    value = e.case.facts()["misuse_value"]
    words = _WORDS.get((found.kind, value)) or {"dtype": f"of dtype {value}", "device": "on another device"}.get(
        found.kind
    )
    return f"{found.of} {words or f'= {value!r}'}"


_WORDS = {
    ("nesting", "list"): "in a list",
    ("nesting", "stacked"): "as one tensor",
    ("nesting", "fewer"): "without the last of them",
    ("nesting", "more"): "with the last of them twice",
    ("nesting", "alone"): "with the first of them alone, in no tuple",
    ("nesting", "nested"): "in a tuple in a tuple",
    ("nesting", "empty"): "as an empty tuple",
    ("nesting", "repeated"): "as one tensor, with one axis more",
    **{("type", name): f"as a {name}" for name in TYPES},
}


def _signature(e: Evidence) -> Judgement:
    expected = "a TypeError that speaks of the arguments"
    if e.seen["status"] == "raised" and e.seen["exception"] != "TypeError":
        return Failure(expected, happened(e.seen), "misleading")
    return refused(expected, e)


def _right_or_refused(e: Evidence) -> Judgement:
    return right(e) if e.ok else refused(f"an error that speaks of {_told(e)}, or the right result", e)


def _in_another_container(e: Evidence) -> Judgement:
    assert e.case.misuse is not None
    return _right_or_refused(e) if e.case.misuse.value in EQUIVALENT else _excluded(e)


_JUDGES = {
    "type": _in_another_container,
    "nesting": _in_another_container,
    "dtype": _right_or_refused,
    "device": _right_or_refused,
}
