"""From a contract to a case: the choices that make one, in the order in which they depend on each other.

A builder asks a *pick* for every choice. Hypothesis is one pick (:mod:`.random`), a row of a pairwise table another
(:mod:`.boundary`), so enumerated and random cases are made by the same code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from string import Formatter
from typing import Any

from conformance.cases import Case, Input, Violation
from conformance.oracle.claims.refusal import breakable
from conformance.oracle.claims.usage import BY_NAME, usages_of
from conformance.oracle.claims.uses import Usage
from conformance.oracle.contract import REQUIRED, Argument, Contract, Domain, Layout, Port, TensorOf
from conformance.oracle.expression import expression, shape

Pick = Callable[[str, Domain], Any]

OMIT = "<omitted>"
MEMORY = ("contiguous", "transposed", "sliced", "expanded")
SEEDS = range(1 << 16)
SCALES = (1.0, 16.0)  # of the inputs: gates in their middle, and saturated
_FACTORY = ("device", "dtype")


class Impossible(Exception):
    """These choices make no case: a constraint of the page excludes every value that is left."""


def module_case(contract: Contract, scenario: str, pick: Pick) -> Case:
    """A documented case of a module, or one that is ``refused``: of a scenario or of the layout of that name."""
    if scenario == "constructor":
        return _construction(contract, pick)
    if scenario == "initialisation":
        return _fresh(contract, pick)
    dropped = contract.dropped if scenario == "dropout" else None
    if dropped:
        pick = _trying(dropped.tried, pick)
    usage = None
    if scenario == "usage":
        usage = BY_NAME[pick("usage", tuple(usage.name for usage in usages_of(contract)))]
        pick = _trying(usage.choices(contract), pick)
    layout = contract.layout(_layout(contract, scenario, pick))
    broken = pick("violation", violations(contract, layout)) if scenario == "refused" else None
    dtypes = contract.dtypes[:2] if broken else contract.dtypes
    if usage:
        dtypes = tuple(d for d in dtypes if d in usage.dtypes)
    dtype = pick("dtype", dtypes)
    arguments = _arguments(contract, layout, dtype, pick)
    options = _passed(contract.options, {}, None, pick)
    sizes = _sizes(contract, layout, {**arguments, **options}, pick)
    env = contract.environment({**arguments, **options}, sizes, layout.name)
    if dropped and not expression(dropped.where)(env):
        raise Impossible(f"what is dropped shows only where {dropped.where}")
    given = _given(contract, layout, broken, pick)
    inputs = tuple(_input(contract, layout, port, env, dtype, pick) for port in given)
    case = Case(
        module=contract.module,
        layout=layout.name,
        arguments=_with_tensors(arguments, env),
        inputs=inputs,
        sizes=sizes,
        options=options,
        positional=pick("positional", (0, sum(a.default is REQUIRED for a in contract.arguments))),
        dtype=dtype,
        train=pick("train", (True, False)),
        usage=usage.name if usage else "plain",
        gradients=not dropped and _differentiated(contract, usage, broken, pick),
        seed=(seed := pick("seed", SEEDS)),
        scale=pick("scale", SCALES) if contract.equations and not dropped else 1.0,
        draws=_draws(seed) if dropped else (),
    )
    return case if broken is None else _violate(contract, case, env, broken, pick)


def _layout(contract: Contract, scenario: str, pick: Pick) -> str:
    if scenario == "refused":
        return str(pick("layout", _refusing(contract)))
    return str(pick("layout", contract.layout_names)) if scenario in ("usage", "dropout") else scenario


def _trying(tried: Mapping[str, Any], pick: Pick) -> Pick:
    """The same pick, which is offered other values of some choices."""
    return lambda name, domain: pick(name, tried.get(name, domain))


def _draws(seed: int) -> tuple[int, ...]:
    """Seeds for torch's generator: one twice, and another one."""
    return (seed, seed, seed + 1)


def _fresh(contract: Contract, pick: Pick) -> Case:
    """A construction whose parameters nobody writes to."""
    tried = {name: values for rule in contract.initialised for name, values in rule.tried.items()}
    pick = _trying(tried, pick)
    dtype = pick("dtype", contract.dtypes) if contract.takes_dtype else "float32"
    arguments = _arguments(contract, None, dtype, pick)
    seed = pick("seed", SEEDS)
    return Case(contract.module, "constructor", arguments, dtype=dtype, seed=seed, draws=_draws(seed))


def _differentiated(contract: Contract, usage: Usage | None, broken: Any, pick: Pick) -> bool:
    if contract.equations is None or broken or (usage and not usage.differentiable):
        return False
    return bool(pick("gradients", (False, True, False)))  # one in three: they cost as much as two calls


def _construction(contract: Contract, pick: Pick) -> Case:
    dtype = pick("dtype", contract.dtypes) if contract.takes_dtype else "float32"
    arguments = _arguments(contract, None, dtype, pick)
    positional = 0
    if pick("by position", (False, True)):
        positional = pick("positional", range(1, len(_by_position(contract)) + 1))
    for argument in _by_position(contract)[:positional]:
        if argument.name not in arguments:  # by position there is no omitting what comes before
            arguments[argument.name] = {"dtype": dtype, "device": "target"}.get(argument.name, argument.default)
    ordered = {a.name: arguments[a.name] for a in contract.arguments if a.name in arguments}
    sizes = {name: pick(f"size {name}", contract.sizes[name].values) for name in _tensor_symbols(contract, ordered)}
    env = contract.environment(ordered, sizes, "constructor")
    return Case(contract.module, "constructor", _with_tensors(ordered, env), sizes=sizes, positional=positional,
                dtype=dtype, twin=True)  # fmt: skip


def _by_position(contract: Contract) -> list[Argument]:
    return [a for a in contract.arguments if a.by_position is not None]


def _arguments(contract: Contract, layout: Layout | None, dtype: str, pick: Pick) -> dict[str, Any]:
    env: dict[str, Any] = {a.name: a.default for a in contract.arguments if a.default is not REQUIRED}
    plain = [a for a in contract.arguments if a.name not in _FACTORY]
    passed = _passed(plain, env, layout, pick)
    if contract.takes_dtype:
        factory = pick("factory", (False, True))
        if factory or dtype != "float32":
            passed["dtype"] = dtype
        if factory:
            passed["device"] = "target"
    return {a.name: passed[a.name] for a in contract.arguments if a.name in passed}


def _passed(arguments: Any, env: dict[str, Any], layout: Layout | None, pick: Pick) -> dict[str, Any]:
    """The explicitly passed arguments; a value is offered only where the page's constraint on it holds."""
    passed: dict[str, Any] = {}
    when = expression(layout.when) if layout else None
    for argument in arguments:
        conditions = [] if argument.where == "True" else [expression(argument.where)]
        if when and argument.name in when.names:
            conditions.append(when)
        offered = (OMIT, *argument.values) if argument.default is not REQUIRED else tuple(argument.values)
        if conditions:
            offered = tuple(v for v in offered if _holds(conditions, argument, v, env))
        if not offered:
            raise Impossible(f"no value of {argument.name} satisfies {argument.where}")
        value = pick(argument.name, offered)
        if value != OMIT:
            passed[argument.name] = env[argument.name] = value
    return passed


def _holds(conditions: list[Any], argument: Argument, value: Any, env: Mapping[str, Any]) -> bool:
    scope = {**env, argument.name: argument.default if value == OMIT else value}
    return all(condition(scope) for condition in conditions)


def _sizes(contract: Contract, layout: Layout, arguments: Mapping[str, Any], pick: Pick) -> dict[str, Any]:
    sizes: dict[str, Any] = {}
    for name in (*_symbols(contract, layout), *_tensor_symbols(contract, arguments)):
        if name in sizes:
            continue
        size = contract.sizes[name]
        offered = size.values
        if size.where != "True":
            offered = tuple(v for v in offered if _admits(contract, layout, arguments, {**sizes, name: v}, size.where))  # type: ignore[union-attr]
            if not offered:
                raise Impossible(f"no size {name} satisfies {size.where}")
        sizes[name] = pick(f"size {name}", offered)
    return sizes


def _admits(contract: Contract, layout: Layout, arguments: Any, sizes: Any, where: str) -> bool:
    return bool(expression(where)(contract.environment(arguments, sizes, layout.name)))


_SYMBOLS: dict[tuple[int, str], tuple[str, ...]] = {}


def _symbols(contract: Contract, layout: Layout) -> tuple[str, ...]:
    """The sizes to choose for a layout: those its shapes speak of, directly or through *where* and *binds*."""
    key = (id(contract), layout.name)
    if key not in _SYMBOLS:
        ports = [p for p in (*contract.inputs, *contract.outputs) if layout.name in p.by_layout]
        names = {n for p in ports for n in shape(p.by_layout[layout.name]).names}
        names |= {n for p in ports if p.each for n in expression(p.each).names}
        names |= {name for _, name, _, _ in Formatter().parse(layout.method) if name}
        bound = {**{k: v for k, v in contract.where.items() if isinstance(v, str)}, **layout.binds}
        while more := {n for name in names if name in bound for n in expression(bound[name]).names} - names:
            names |= more
        _SYMBOLS[key] = tuple(n for n in contract.sizes if n in names and n not in layout.binds)
    return _SYMBOLS[key]


def _tensor_symbols(contract: Contract, arguments: Mapping[str, Any]) -> list[str]:
    tensors = [shape(v.shape) for v in arguments.values() if isinstance(v, TensorOf)]
    return [name for name in contract.sizes if any(name in s.names for s in tensors)]


def _with_tensors(arguments: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, Any]:
    return {k: {"tensor": shape(v.shape)(env)} if isinstance(v, TensorOf) else v for k, v in arguments.items()}


def _given(contract: Contract, layout: Layout, broken: Any, pick: Pick) -> list[Port]:
    """The inputs that are passed. What a violation speaks of is always there."""
    given: list[Port] = []
    for group in contract.groups:
        ports = [contract.port(name) for name in group]
        if any(layout.name not in port.by_layout for port in ports):
            continue
        if all(port.optional for port in ports):
            needed = broken is not None and (broken[0] in group or _relative(contract, layout, broken))
            if not needed and not pick(f"give {group[0]}", (False, True)):
                continue
        given.extend(ports)
    return given


def _relative(contract: Contract, layout: Layout, broken: tuple[str, int | None]) -> bool:
    """Whether this violation is one only beside the other inputs."""
    port, axis = broken
    part = None if axis is None else shape(contract.port(port).by_layout[layout.name]).parts[axis][1]
    return part is not None and not part.names <= contract.configured


def _input(contract: Contract, layout: Layout, port: Port, env: Mapping[str, Any], dtype: str, pick: Pick) -> Input:
    kind = port.kind(layout.name)
    packed = layout.packed == port.name
    lengths: tuple[int, ...] | None = env["lengths"] if packed else None
    descending = lengths is not None and all(a >= b for a, b in itertools.pairwise(lengths))
    return Input(
        name=port.name,
        shape=contract.shape_of(port, layout.name)(env),
        dtype={"floating": dtype, "index": "int64", "mask": "bool"}[kind],
        kind=kind,
        below=expression(port.below)(env) if kind == "index" else 1,
        memory=pick(f"memory {port.name}", MEMORY),
        lengths=lengths,
        enforce_sorted=pick("enforce_sorted", (True, False)) if descending else not packed,
    )


_VIOLATIONS: dict[tuple[int, str], tuple[Any, ...]] = {}


def violations(contract: Contract, layout: Layout) -> tuple[Any, ...]:
    """What can be wrong in a layout: an input, and its axis or (None) its rank; or what else the page excludes."""
    key = (id(contract), layout.name)
    if key not in _VIOLATIONS:
        ports = [port for port in contract.inputs if layout.name in port.by_layout]
        rules = [rule for rule in contract.excludes if not rule.layouts or layout.name in rule.layouts]
        _VIOLATIONS[key] = (*((p.name, axis) for p in ports for axis in breakable(contract, layout, p)), *rules)
    return _VIOLATIONS[key]


def _refusing(contract: Contract) -> tuple[str, ...]:
    return tuple(layout.name for layout in contract.layouts if violations(contract, layout))


def _violate(contract: Contract, case: Case, env: Any, broken: tuple[str, int | None], pick: Pick) -> Case:
    """The case with one input in a shape that no documented layout admits."""
    port, axis = broken
    old = next(item for item in case.inputs if item.name == port)
    fixed = contract.layout(case.layout).packed == port
    shapes = [new for new in _other_shapes(old.shape, axis, 2 if fixed else 0) if new != old.shape]
    shapes = [new for new in shapes if not _documented(contract, env, case, port, new)]
    if not shapes:
        raise Impossible(f"every other shape of {port} is documented too")
    new = pick(f"shape {port}", tuple(shapes))
    inputs = tuple(replace(item, shape=new) if item.name == port else item for item in case.inputs)
    size = len(new) if axis is None else new[axis]
    return replace(case, inputs=inputs, violation=Violation(port, axis, size))


def _other_shapes(old: tuple[int, ...], axis: int | None, keep: int) -> list[tuple[int, ...]]:
    """Wrong neighbours of a shape; 1 first, since sizes of one are what broadcasting lets slip through."""
    if axis is not None:
        axis %= len(old)
        sizes = dict.fromkeys(s for s in (1, old[axis] + 1, old[axis] - 1, 2 * old[axis], 0) if s >= 0)
        return [(*old[:axis], size, *old[axis + 1 :]) for size in sizes]
    longer = [(*old[:keep], 1, *old[keep:]), (*old, 1), (*old, 1, 1)]
    shorter = [old[:-1]] if len(old) > keep else []
    if not keep:
        shorter += [old[1:], ()]
    return [*longer, *shorter]


def _documented(contract: Contract, env: Any, case: Case, port: str, new: tuple[int, ...]) -> bool:
    shapes = {item.name: item.shape for item in case.inputs} | {port: new}
    packed = contract.layout(case.layout).packed
    layouts = [layout for layout in contract.layouts if (layout.packed is None) == (packed is None)]
    return any(contract.fits(layout.name, env, shapes) for layout in layouts)
