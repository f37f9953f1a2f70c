"""A comparison as a reader needs it: what differs, what stops the pin, and how to see each on either release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conformance.cases import Case
from conformance.compare.difference import BUCKETS, Difference
from conformance.compare.gate import compared, name_of, stops
from conformance.compare.levels import GATE
from conformance.oracle.contract import Contract
from conformance.oracle.registry import ContractError, contract_of
from conformance.report.casetable import laid_out
from conformance.report.construction import constructor, wired
from conformance.report.script import torch_only
from conformance.report.view import View

ROWS = 120  # more rows than anyone reads; the rest is in the run file
_NUMERIC = ("values", "accuracy", "gradients")
_SHOWN = {  # what a script shows beside the call, by field
    "repr": ("print(repr(module))",),
    "defaults": ("print({k: v for k, v in vars(module).items() if not k.startswith('_')})",),
    "state": ("print({k: tuple(v.shape) for k, v in module.state_dict().items()})",),
    "strides": ("print({k: v.stride() for k, v in globals().items() if isinstance(v, torch.Tensor)})",),
}  # fmt: skip
_PAGE = {"signature": "inspect.signature({name})", **dict.fromkeys(("formulas", "page"), "inspect.getdoc({name})")}


@dataclass(frozen=True)
class Row:
    """One difference with all that a reader wants of it."""

    found: Difference
    device: str
    files: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        return stops(self.found)

    @property
    def effect(self) -> str:
        """What it does to the verdict, in two words."""
        if self.stops:
            return "stops the pin"
        if not self.found.used:
            return "not used"
        return "gated" if self.found.level == GATE else "informs"

    @cached_property
    def contract(self) -> Contract | None:
        try:
            return contract_of(self.found.module, self.files)
        except ContractError:
            return None

    @cached_property
    def case(self) -> Case | None:
        try:
            return Case.from_json(self.found.case) if self.found.case else None
        except Exception:  # a run file of another version or from elsewhere
            return None

    @cached_property
    def call(self) -> str:
        """The minimal case in one line."""
        told = laid_out(self.case, self.contract, {}, self.device) if self.case else None
        return told.call if told else ""

    @cached_property
    def script(self) -> str:
        """A script that needs torch alone and prints the field, to be run on either release."""
        try:
            return "\n".join(self._script()) + "\n"
        except Exception as error:  # a contract may have changed since the run; the row is shown all the same
            return f"# No script: the case does not fit this version's contract ({' '.join(str(error).split())}).\n"

    def _script(self) -> Iterator[str]:
        if self.case is None or self.contract is None:
            path, _, _ = self.found.module.rpartition(".")
            yield from ("import inspect", f"import {path}", 'print("torch", torch.__version__)')
            shown = _PAGE.get(self.found.field, "{name}")
            yield f"print({shown.format(name=self.found.module)})"
        elif self.found.field == "loading":
            yield from _loading(self.contract, self.case, self.device, whole=self.found.old.startswith("torch.load"))
        else:
            text = torch_only(self.contract, self.case, observed="", device=self.device,
                              values=self.found.field in _NUMERIC)  # fmt: skip
            yield from text.rstrip("\n").splitlines()
            yield from _SHOWN.get(self.found.field, ())
            if self.found.field == "warnings":
                yield "# Run it with python -W always."


def _loading(contract: Contract, case: Case, device: str, whole: bool) -> Iterator[str]:
    """Saves under one release and loads under the other; a whole module under one and the same."""
    made = list(constructor(case.module, wired(contract, case), device))
    yield from ("import sys", "import torch", 'print("torch", torch.__version__)', *made)
    if whole:
        yield from ('torch.save(module, "module.pt")', 'print(torch.load("module.pt"))')
        return
    yield "# First `python script.py save` on the old release, then `python script.py` on the new one."
    yield 'if "save" in sys.argv:'
    yield '    torch.save(module.state_dict(), "state.pt")'
    yield 'print(module.load_state_dict(torch.load("state.pt")), module.state_dict())'


class Upgrade:
    """The section of a comparison."""

    def __init__(self, view: View) -> None:
        self.view = view
        run = self.run = view.run
        self.old, self.new = name_of(run, "old"), name_of(run, "new")
        self.compared = compared(run)
        device = next((target.device for target in run.targets if target.role == "new"), "") or "cpu"
        found = sorted(run.differences, key=lambda row: row.rank)
        self.rows = [Row(row, device, view.contract_files) for row in found[:ROWS]]
        self.more = max(len(found) - ROWS, 0)
        self.buckets = [bucket for bucket in BUCKETS if any(row.bucket == bucket for row in found)]

    @cached_property
    def matrix(self) -> list[tuple[str, list[int]]]:
        """Rows of every module in each bucket that has any."""
        counts = Counter((row.module, row.bucket) for row in self.run.differences)
        return [(module, [counts[module, bucket] for bucket in self.buckets]) for module in self.view.modules]

    @cached_property
    def outcomes(self) -> list[tuple[str, str, int]]:
        """How many claims had one outcome on the old release and another on the new one; those that are not alike."""
        sides = {target.role: target for target in self.run.targets if target.role}
        if len(sides) != 2:
            return []
        told = Counter(tuple(self.view.outcome(claim["id"], sides[role]) for role in ("old", "new"))
                       for claim in self.view.documented)  # fmt: skip
        return sorted((one, two, count) for (one, two), count in told.items() if one != two)

    @cached_property
    def times(self) -> list[tuple[str, float, float, float]]:
        """What torch took on both sides for the same cases, and the ratio: it informs and never gates."""
        groups: list[dict[str, Any]] = [g for g in self.run.timing.get("groups", ()) if g.get("old") and g.get("new")]
        found = []
        for module in dict.fromkeys(str(group["module"]) for group in groups):
            old, new = (sum(g[side] for g in groups if g["module"] == module) for side in ("old", "new"))
            found.append((module, old, new, new / old))
        return found

    @property
    def profile(self) -> str:
        """What the gate was narrowed to, in one line."""
        uses = (self.run.header.get("comparison") or {}).get("uses")
        if not uses:
            return ""
        said = [f"{name}: {', '.join(uses[name]) or 'none'}" for name in ("modules", "dtypes", "devices", "features")
                if uses.get(name) is not None]  # fmt: skip
        return "; ".join([*said, f"{uses.get('configurations', 0)} configurations among the cases"])
