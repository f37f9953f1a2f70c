"""The options of a run, declared once: ``conformance run`` and pytest's own command line take the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.ledger import Ledger
from conformance.oracle.claims import Claim
from conformance.oracle.contract import FLOATING
from conformance.oracle.registry import select
from conformance.targets import TargetSpec, numbered

if TYPE_CHECKING:
    from conformance.campaign import Plan

# Random cases a module; boundary cases and the ledger's come on top in every profile.
PROFILES = {"quick": 0, "pr": 2_000, "nightly": 50_000}


class OptionError(ValueError):
    """An option that makes no sense: what was passed, what is allowed."""


def add_options(add: Callable[..., Any]) -> None:
    """Declares every option through ``add``, which takes what ``argparse`` takes."""
    add(
        "--target",
        action="append",
        default=[],
        metavar="SPEC",
        dest="targets",
        help="[EXECNET-SPEC::]DEVICE[+MODE], repeatable; default: cpu, and cuda where there is one",
    )
    add("--python", default=None, metavar="PATH", help="the interpreter meant by a target that names none")
    add("--module", action="append", default=[], metavar="GLOB", dest="modules", help="only these modules, repeatable")
    add("--claim", action="append", default=[], metavar="GLOB", dest="claims", help="only these claims, repeatable")
    add(
        "--contracts",
        action="append",
        default=[],
        metavar="FILE.py",
        dest="contract_files",
        help="contracts of your own: a Python file that defines CONTRACTS, repeatable",
    )
    add("--dtype", action="append", default=[], metavar="DTYPE", dest="dtypes", help="only these dtypes, repeatable")
    add("--profile", default="pr", metavar="NAME", help=f"how much to try: {', '.join(PROFILES)} (default: pr)")
    add("--cases", type=int, default=None, metavar="N", help="random cases a module, instead of the profile's")
    add("--seed", type=int, default=0, metavar="N", help="another seed, other random cases (default: 0)")
    add("--report", default="reports/latest", metavar="DIR", help="where the run and its reports go")
    add("--ledger", default=None, metavar="DIR", help="known discrepancies beside the suite's own; none for no ledger")
    add("--time-limit", type=float, default=30.0, metavar="SECONDS", help="how long a case may take (default: 30)")


@dataclass(frozen=True)
class Options:
    """What a run was asked to do, checked."""

    targets: tuple[TargetSpec, ...]
    claims: tuple[Claim, ...]
    plan: Plan
    profile: str
    report: str
    limit: float
    contract_files: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Any) -> Options:
        """Checks parsed options. Raises OptionError, SpecError, ContractError or LedgerError, each with a remedy."""
        from conformance.campaign import Plan  # late: it brings Hypothesis, which listing claims does not need

        cases = _cases(given.profile, given.cases)
        for dtype in given.dtypes:
            if dtype not in FLOATING:
                raise OptionError(f"--dtype {dtype!r} is not tested; the dtypes are {', '.join(FLOATING)}")
        if not 0 < given.time_limit < math.inf:
            raise OptionError(f"--time-limit {given.time_limit:g} must be more than 0 seconds, and not for ever")
        files = tuple(given.contract_files)
        return cls(
            targets=_targets(given),
            claims=tuple(select(given.modules, given.claims, files)),
            plan=Plan(cases, given.seed, tuple(given.dtypes), Ledger.load(given.ledger)),
            profile=given.profile,
            report=given.report,
            limit=given.time_limit,
            contract_files=files,
        )


def _cases(profile: str, cases: int | None) -> int:
    if profile not in PROFILES:
        raise OptionError(f"--profile {profile!r} is not a profile; the profiles are {', '.join(PROFILES)}")
    if cases is not None and cases < 0:
        raise OptionError(f"--cases {cases} must be 0 or more")
    return PROFILES[profile] if cases is None else cases


def _targets(given: Any) -> tuple[TargetSpec, ...]:
    """The targets asked for; without any, the CPU, and CUDA if the interpreter's torch sees a device."""
    if given.targets:
        return tuple(numbered([TargetSpec.parse(text, given.python) for text in given.targets]))
    cpu = TargetSpec.parse("cpu", given.python)
    return (cpu, TargetSpec.parse("cuda", given.python, required=False))
