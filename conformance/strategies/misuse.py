"""Cases of misuse: a documented case in which one thing is passed that no page documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.cases import Case, Input, Misuse
from conformance.oracle.claims.misuse import (
    ALL,
    HAND_MADE,
    NESTINGS,
    OTHER_DTYPES,
    TYPES,
    Subject,
    layouts_of,
    subjects,
)
from conformance.oracle.contract import REQUIRED, Contract
from conformance.oracle.expression import expression
from conformance.oracle.zoo import Exhibit, alike, excluded
from conformance.strategies.build import OMIT, Impossible, Pick, module_case

_DTYPES = ("float32", "float64", "bfloat16")


def misused(contract: Contract, pick: Pick) -> Case:
    """The case of misuse that ``pick`` chooses."""
    of, kind = pick("misuse", subjects(contract))
    if kind == "constraint":
        return _constrained(contract, of, pick)
    if kind in ("excluded", "alike"):
        return _argument(contract, of, kind, pick)
    if of == "constructor":
        case = module_case(contract, "constructor", Fixed(pick, {"by position": False}))
        return replace(case, twin=False, misuse=Misuse(of, kind))
    return _called(contract, of, kind, pick)


def exhibits(contract: Contract, of: str, kind: str) -> Sequence[Exhibit]:
    """The values of the zoo for an argument; its documented values stand for those that name none."""
    argument = contract.argument(of)
    shown = excluded(argument) if kind == "excluded" else alike(argument)
    known = [value for value in argument.values if value is not None] or [argument.default]  # type: ignore[union-attr]
    return [e if e.near is not None else Exhibit(e.value, known[0]) for e in shown]


def _argument(contract: Contract, of: str, kind: str, pick: Pick) -> Case:
    """A value from the zoo. Of ``dtype`` and ``device`` only what is constructed can be told."""
    shown = exhibits(contract, of, kind)
    place = pick("exhibit", range(len(shown)))
    value, near = shown[place].value, shown[place].near
    if of in ("dtype", "device"):
        case = module_case(contract, "constructor", Fixed(pick, {"by position": False, "factory": True}))
        case = replace(case, twin=False, arguments={**case.arguments, of: near})
    else:
        layout = pick("layout", contract.layout_names)
        case = module_case(contract, layout, Fixed(pick, {of: near, "dtype": "float32"}, contract.argument(of).values))
    return replace(case, misuse=Misuse(of, kind, value))


def _constrained(contract: Contract, of: str, pick: Pick) -> Case:
    """Documented values that the page does not admit together."""
    layout = pick("layout", contract.layout_names)
    broken = _Broken(contract, of, Fixed(pick, {"dtype": "float32"}))
    case = module_case(contract, layout, broken)
    return replace(case, misuse=Misuse(of, "constraint", case.arguments[of]))


def _called(contract: Contract, of: str, kind: str, pick: Pick) -> Case:
    """A call that is misused, or whose inputs are."""
    layouts = tuple(layout.name for layout in layouts_of(contract, of, kind))
    layout = contract.layout(pick("layout", layouts))
    group = next((names for names in contract.groups if of.partition(", ")[0] in names), ())
    fixed: dict[str, Any] = {f"give {group[0]}": True} if group else {}
    dtype = pick("dtype", tuple(d for d in _DTYPES if d in contract.dtypes) or contract.dtypes[:1])
    case = module_case(contract, layout.name, Fixed(pick, {**fixed, "dtype": dtype}))
    if kind == "dtype":
        return _of_dtype(case, of, pick)
    if kind in HAND_MADE:
        item = next(item for item in case.inputs if item.name == of)
        return replace(case, misuse=Misuse(of, kind, pick("hand-made", hand_made_parts(item, kind))))
    whats = NESTINGS if kind == "nesting" else _types(contract, of, layout.packed == of) if kind == "type" else ()
    return replace(case, misuse=Misuse(of, kind, pick("what", whats) if whats else None))


def _types(contract: Contract, port: str, packed: bool) -> Sequence[str]:
    """What can stand for a tensor; None in place of one that may be omitted is another matter."""
    found = [t for t in TYPES if not packed or t not in ("list", "ndarray")]
    return [t for t in found if t != "none" or not contract.port(port).optional]


def _of_dtype(case: Case, of: str, pick: Pick) -> Case:
    """The same numbers, as far as the other dtype has them; an input with values of its own in it."""
    dtype = pick("other dtype", tuple(d for d in OTHER_DTYPES if d != case.dtype))
    names = [item.name for item in case.inputs if item.kind == "floating"] if of == ALL else [of]
    inputs = tuple(replace(item, dtype=dtype) if item.name in names else item for item in case.inputs)
    return replace(case, inputs=inputs, misuse=Misuse(of, "dtype", dtype))


def hand_made_parts(item: Input, kind: str) -> Sequence[tuple[Any, ...]]:
    """Batch sizes and indices that belong to no batch of sequences."""
    lengths = item.lengths or ()
    sizes = tuple(sum(length > t for length in lengths) for t in range(max(lengths)))
    count = len(lengths)
    if kind == "batch_sizes":
        rest = sizes[1:]
        found = [(sizes[0] + 1, *rest), (*sizes, 1), sizes[:-1], sizes[::-1], (-1, *rest), (*sizes[:-1], -1),
                 (0, *rest), (*sizes[:-1], 0), (sum(sizes),), (1 << 40, *rest), (*sizes, 1 << 40),
                 (float(sizes[0]), *rest), (), (1 << 62, *rest), (*sizes, -sizes[-1], sizes[-1])]  # fmt: skip
    else:
        found = [(count, *range(1, count)), (-1, *range(1, count)), (0,) * count, (0,) * (count + 1), (),
                 tuple(range(count - 1)), (1 << 40,) * count, (0.0,) * count]  # fmt: skip
    return tuple(value for value in dict.fromkeys(found) if value != sizes or any(type(v) is float for v in value))


class Fixed:
    """A pick that knows some answers already, and makes plain calls. Of those that are ``documented`` it gives none
    that is not on offer."""

    def __init__(self, pick: Pick, known: Mapping[str, Any], documented: Any = ()) -> None:
        self.pick = pick
        self.known = {"gradients": False, "scale": 1.0, **known}
        self.documented = documented

    def __call__(self, name: str, domain: Any) -> Any:
        if name not in self.known:
            return self.pick(name, domain)
        value = self.known[name]
        if _among(value, self.documented) and not _among(value, domain):
            raise Impossible(f"{name} = {value} is not documented here")
        return value


def _among(value: Any, domain: Any) -> bool:
    return any(type(value) is type(v) and value == v for v in domain)


class _Broken:
    """A pick that chooses, for one argument, a value that breaks what the page asks of it."""

    def __init__(self, contract: Contract, of: str, pick: Pick) -> None:
        self.argument = contract.argument(of)
        self.pick = pick
        self.env = {a.name: a.default for a in contract.arguments if a.default is not REQUIRED}

    def __call__(self, name: str, domain: Any) -> Any:
        if name == self.argument.name:
            asked = expression(self.argument.where)
            values = self.argument.values
            domain = tuple(v for v in values if not asked({**self.env, name: v}))  # type: ignore[union-attr]
            if not domain:
                raise Impossible(f"every value of {name} satisfies {self.argument.where}")
        value = self.pick(name, domain)
        if value != OMIT and name != "dtype":
            self.env[name] = value
        return value


def all_misuses(contract: Contract) -> list[Mapping[str, Any]]:
    """Every misuse with everything that it may pass, as choices."""
    found: list[Mapping[str, Any]] = []
    for subject in subjects(contract):
        found += [{"misuse": subject, **more} for more in _values(contract, subject)]
    return found


def _values(contract: Contract, subject: Subject) -> Sequence[Mapping[str, Any]]:
    of, kind = subject
    if kind in ("excluded", "alike"):
        return [{"exhibit": place} for place in range(len(exhibits(contract, of, kind)))]
    if kind == "dtype":
        return [{"other dtype": dtype} for dtype in OTHER_DTYPES]
    return {"type": [{"what": what} for what in TYPES], "nesting": [{"what": what} for what in NESTINGS]}.get(
        kind, [{}]
    )
