"""What was exercised, as the report shows it: option values with their counts and gaps, sizes and errors as plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from conformance.oracle.contract import COUNT, POSITIVE, SIZE, Contract, Lists
from conformance.oracle.registry import ContractError, contract_of
from conformance.report.casetable import plain
from conformance.report.plots import errors, histogram
from conformance.report.view import View
from conformance.results import Exercised

_ERRORS = ("error of values, dtype ", "error of values, L ", "error of gradients, dtype ", "error of gradients, L ")
_MOST = 80  # values of an option that are listed
_ALWAYS = ("layout", "dtype", "mode", "batch", "state", "packed", "memory", "gradients", "usage", "scenario")
Counts = Mapping[str, int]


@dataclass(frozen=True)
class Fact:
    """An option or another fact: each value with how many cases had it on each target; zero is a gap."""

    name: str
    values: Sequence[tuple[str, Sequence[int]]]
    more: int = 0

    @property
    def gaps(self) -> list[str]:
        return [value for value, counts in self.values if not any(counts)]

    @property
    def alike(self) -> bool:
        """Whether every target exercised the same."""
        return all(len(set(counts)) == 1 for _, counts in self.values)


class ModuleExercised:
    """One module: its facts, and pictures of its sizes and errors."""

    def __init__(self, module: str, parts: Sequence[Exercised], contract: Contract | None) -> None:
        self.module = module
        self.parts = parts
        self._options = {a.name: a for a in (*contract.arguments, *contract.options)} if contract else {}

    @property
    def cases(self) -> int:
        return max(part.cases for part in self.parts)

    @property
    def targets(self) -> list[str]:
        return [part.target for part in self.parts]

    @cached_property
    def facts(self) -> list[Fact]:
        """Options first, then what else a case chooses; sizes are drawn instead."""
        options = [name for name in self._names if name.startswith("option ") and not self._is_size(name)]
        return [self._fact(name) for name in (*options, *(n for n in _ALWAYS if n in self._names))]

    @property
    def gaps(self) -> int:
        """How many documented values no case had."""
        return sum(len(fact.gaps) for fact in self.facts)

    @cached_property
    def sizes(self) -> list[tuple[str, Markup]]:
        """The distribution of every size on the first target."""
        shown = [n for n in self._names if n.startswith("size ") or (n.startswith("option ") and self._is_size(n))]
        named = ((name.partition(" ")[2], self.parts[0].facts.get(name, {})) for name in shown)
        return [(name, histogram(f"{self.module}, {name}", counts)) for name, counts in named if counts]

    @cached_property
    def errors(self) -> list[tuple[str, Markup]]:
        """How close values came to their bounds on each target, by dtype and by the length of the sequence."""
        return list(self._errors())

    def _errors(self) -> Iterator[tuple[str, Markup]]:
        for part in self.parts:
            for start in _ERRORS:
                rows = {f"{_by(start)}{n.removeprefix(start)}": bins for n, bins in part.facts.items()
                        if n.startswith(start)}  # fmt: skip
                rows = dict(sorted(rows.items(), key=lambda row: (len(row[0]) if "L = " in row[0] else 0, row[0])))
                title = f"{start.partition(',')[0]} by {'dtype' if 'dtype' in start else 'sequence length'}"
                if rows:
                    yield f"{title}, {part.target}", errors(f"{self.module} on {part.target}, {title}", rows)

    @cached_property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for part in self.parts for name in part.facts))

    def _is_size(self, name: str) -> bool:
        option = self._options.get(name.removeprefix("option "))
        return option is not None and option.domain in (COUNT, POSITIVE, SIZE)

    def _fact(self, name: str) -> Fact:
        seen = dict.fromkeys(value for part in self.parts for value in part.facts.get(name, {}))
        values = list(dict.fromkeys([*self._documented(name), *seen]))
        told = [(value, [part.facts.get(name, {}).get(value, 0) for part in self.parts]) for value in values]
        return Fact(name.removeprefix("option "), told[:_MOST], max(len(told) - _MOST, 0))

    def _documented(self, name: str) -> list[str]:
        """The values of an option that the contract tries."""
        option = self._options.get(name.removeprefix("option ")) if name.startswith("option ") else None
        if option is None or isinstance(option.values, Lists) or len(option.values) > _MOST:
            return []
        return [str(value) if not isinstance(value, (list, tuple)) else plain(value) for value in option.values
                if isinstance(value, (bool, int, float, str, tuple, type(None)))]  # fmt: skip


def _by(start: str) -> str:
    return "L = " if start.endswith("L ") else ""


def exercised(view: View) -> list[ModuleExercised]:
    """The modules of the run of which the file says what was exercised."""
    places = {target.name: place for place, target in enumerate(view.targets)}
    modules = dict.fromkeys([*view.modules, *(part.module for part in view.run.exercised)])
    found: dict[str, list[Exercised]] = {module: [] for module in modules}
    for part in sorted(view.run.exercised, key=lambda p: (places.get(p.target, len(places)), p.target)):
        found[part.module].append(part)
    return [ModuleExercised(module, parts, _contract(module, view)) for module, parts in found.items() if parts]


def _contract(module: str, view: View) -> Contract | None:
    try:
        return contract_of(module, view.contract_files)
    except ContractError:
        return None
