"""From the contract of a function to a case: nothing is constructed, and inputs come as lists, lengths and packed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from conformance.cases import Case, Input, Violation
from conformance.oracle.contract import Argument, Contract, Layout, Port
from conformance.oracle.expression import expression, shape
from conformance.oracle.functions import Exclusion
from conformance.strategies.build import (
    MEMORY,
    SEEDS,
    Pick,
    _passed,
    _refusing,
    _sizes,
    _violate,
    violations,
)

_NONE = Exclusion("", "", "", "")
_DTYPES = {"index": "int64", "mask": "bool", "lengths": "int64", "permutation": "int64"}


def call_case(contract: Contract, scenario: str, pick: Pick) -> Case:
    """The case that ``pick`` chooses: of a layout, of ``arguments`` (passed in several ways), or ``refused``."""
    layout = contract.layout(_layout(contract, scenario, pick))
    broken = pick("violation", violations(contract, layout)) if scenario == "refused" else None
    rule = broken if isinstance(broken, Exclusion) else _NONE
    dtype = pick("dtype", contract.dtypes[:2] if broken else contract.dtypes)
    options = _passed(contract.options, {"dtype": dtype, "layout": layout.name}, layout, pick)
    options |= {name: expression(text)({}) for name, text in rule.options.items() if not expression(text).names}
    positional = pick("positional", range(len(contract.options) + 1)) if scenario == "arguments" else 0
    options = _in_order(contract.options, options, positional)
    if scenario == "arguments" and not positional:
        options = _all_but_one(contract, layout, options, pick)
    sizes = _sizes(contract, layout, options, pick)
    env = _environment(contract, layout, options, sizes, rule)
    options |= {name: expression(text)(env) for name, text in rule.options.items()}
    case = Case(
        module=contract.module,
        layout=layout.name,
        arguments={},
        inputs=tuple(
            input_of(contract, layout, port, env, dtype, pick, rule)
            for port in contract.inputs
            if layout.name in port.by_layout
        ),
        sizes=sizes,
        options=options,
        positional=positional,
        dtype=dtype,
        twin=scenario == "arguments",
        gradients=_differentiable(contract, dtype, scenario) and pick("gradients", (False, True)),
        seed=pick("seed", SEEDS),
        violation=Violation(rule.subject, None, 0, rule.name) if rule is not _NONE else None,
    )
    return case if broken is None or rule is not _NONE else _violate(contract, case, env, broken, pick)


def _layout(contract: Contract, scenario: str, pick: Pick) -> str:
    names = {"refused": _refusing(contract), "arguments": contract.layout_names}
    return str(pick("layout", names[scenario])) if scenario in names else scenario


def _in_order(known: Any, passed: Mapping[str, Any], positional: int) -> dict[str, Any]:
    """The options in their documented order; by position there is no omitting what comes before."""
    before: tuple[Argument, ...] = tuple(known)[:positional]
    full = {option.name: option.default for option in before} | dict(passed)
    return {option.name: full[option.name] for option in known if option.name in full}


def _all_but_one(contract: Contract, layout: Layout, passed: Mapping[str, Any], pick: Pick) -> dict[str, Any]:
    """Every option but one, whose default then shows; those of later releases only where they were chosen."""
    when = expression(layout.when)
    free = [o.name for o in contract.options if o.name not in when.names or when({o.name: o.default})]
    omitted = pick("omitted", tuple(free)) if free else None
    kept = [o for o in contract.options if o.name != omitted and (o.name in passed or not o.releases)]
    return {o.name: passed.get(o.name, o.default) for o in kept}


def _differentiable(contract: Contract, dtype: str, scenario: str) -> bool:
    return contract.equations is not None and dtype not in ("int64", "bool") and scenario in contract.layout_names


def _environment(
    contract: Contract, layout: Layout, options: Mapping[str, Any], sizes: Mapping[str, Any], rule: Exclusion
) -> dict[str, Any]:
    """Every symbol's value, some of them as no documented call has them."""
    env = contract.environment(options, sizes, layout.name)
    for name, text in rule.where.items():
        env[name] = expression(text)(env)
    return env


def input_of(
    contract: Contract,
    layout: Layout,
    port: Port,
    env: Mapping[str, Any],
    dtype: str,
    pick: Pick,
    rule: Exclusion = _NONE,
) -> Input:
    """An input in its documented shape, or as a rule has it that the page excludes."""
    kind = port.kind(layout.name)
    sizes = contract.sizes_of(port, layout.name, env)
    packed, values = layout.packed == port.name, kind in ("lengths", "permutation")
    form = "list" if port.each else pick(f"form {port.name}", port.forms) if len(port.forms) > 1 else "tensor"
    lengths = tuple(env["lengths"]) if packed or port.each or kind == "lengths" else None
    descending = lengths is not None and all(a >= b for a, b in itertools.pairwise(lengths))
    return Input(
        name=port.name,
        shape=shape(rule.shapes[port.name])(env) if port.name in rule.shapes else sizes,
        dtype=rule.dtypes.get(port.name, _DTYPES.get(kind, dtype)),
        kind=rule.kinds.get(port.name, kind),
        memory=pick(f"memory {port.name}", MEMORY[:1] + MEMORY[2:3] if values else MEMORY),
        lengths=lengths,
        enforce_sorted=pick("packed sorted", (True, False)) if packed and descending else not packed,
        form=rule.forms.get(port.name, form),
    )
