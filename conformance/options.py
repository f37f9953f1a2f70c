"""The options of a run, declared once: ``conformance run`` and pytest's own command line take the same."""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from conformance.compare.levels import GateError, levels
from conformance.compare.uses import Uses, UsesError, load
from conformance.corpus import Corpus, CorpusError
from conformance.ledger import Ledger
from conformance.oracle.claims import Claim
from conformance.oracle.contract import FLOATING
from conformance.oracle.registry import select
from conformance.shards import Shard, ShardError, shard
from conformance.targets import TargetSpec, numbered

if TYPE_CHECKING:
    from conformance.campaign import Plan

# Random cases a module; boundary cases and the ledger's come on top in every profile.
PROFILES = {"quick": 0, "pr": 2_000, "nightly": 50_000}


# What makes two runs parts of the same one, if it is the same; the rest of the header is compared besides.
_WHOLE = ("targets", "python", "modules", "claims", "dtypes", "profile", "cases", "seed", "old", "new")


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
        help="[NAME=][EXECNET-SPEC::]DEVICE[+MODE], repeatable to compare; A,B is one target in two places, for "
        "capacity; default: cpu, and cuda where there is one",
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
    add("--seed", type=int, default=None, metavar="N", help="another seed, other random cases (default: 0; with "
        "--profile nightly another one each time, which is printed and recorded)")  # fmt: skip
    add("--report", default="reports/latest", metavar="DIR", help="where the run and its reports go")
    add("--ledger", default=None, metavar="DIR", help="known discrepancies beside the suite's own; none for no ledger")
    add("--corpus", default=None, metavar="DIR", help="stored cases, instead of the suite's own; none for no corpus")
    add("--shard", default=None, metavar="I/N", help="only this part of the campaigns, 1/4; ci: as the variables of "
        "GitLab or CircleCI say")  # fmt: skip
    add("--stop-after", type=float, default=None, metavar="SECONDS", help="stop after so much time with what there is; "
        "what was not judged by then makes the run inconclusive")  # fmt: skip
    add("--time-limit", type=float, default=30.0, metavar="SECONDS", help="how long a case may take (default: 30)")


def add_comparison(add: Callable[..., Any]) -> None:
    """Declares what turns a run into a comparison of two targets."""
    add("--from", default=None, metavar="TARGET", dest="old", help="the torch that is pinned now")
    add("--to", default=None, metavar="TARGET", dest="new", help="the torch that the pin may move to")
    add("--gate", default=None, metavar="FILE.toml", help="which fields stop an upgrade; default: "
        "[tool.conformance.gate] of ./pyproject.toml, if there")  # fmt: skip
    add("--uses", default=None, metavar="FILE.toml", help="a usage profile: only what it names stops an upgrade")


@dataclass(frozen=True)
class Options:
    """What a run was asked to do, checked. ``levels`` are those of a comparison's gate; None where none is made."""

    targets: tuple[TargetSpec, ...]
    selected: tuple[Claim, ...]
    plan: Plan
    profile: str
    report: str
    limit: float
    contract_files: tuple[str, ...] = ()
    levels: Mapping[str, str] | None = None
    uses: Uses | None = None
    shard: Shard | None = None
    stop_after: float | None = None
    corpus: Corpus = field(default_factory=Corpus)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The claims to judge: those of this shard."""
        part = self.shard
        return tuple(c for c in self.selected if part is None or part.has(c.module, c.scenario))

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each claim among all that were selected, whatever part of them this is."""
        return {claim.id: place for place, claim in enumerate(self.selected)}

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
        stop_after = getattr(given, "stop_after", None)
        if stop_after is not None and not 0 < stop_after < math.inf:
            raise OptionError(f"--stop-after {stop_after:g} must be more than 0 seconds, and not for ever")
        files = tuple(given.contract_files)
        compares = bool(getattr(given, "old", None) or getattr(given, "new", None))
        uses = _uses(given, files) if compares else None
        return cls(
            targets=_pair(given, uses) if compares else _targets(given),
            selected=tuple(select(given.modules, given.claims, files)),
            plan=Plan(
                cases,
                seed(given),
                tuple(given.dtypes),
                Ledger.load(given.ledger),
                given=uses.cases if uses else (),
                boundary="essential" if given.profile == "quick" else "pairwise",
            ),
            profile=given.profile,
            report=given.report,
            limit=given.time_limit,
            contract_files=files,
            levels=_levels(given) if compares else None,
            uses=uses,
            shard=_shard(given),
            stop_after=stop_after,
            corpus=_corpus(given),
        )


def seed(given: Any) -> int:
    """The seed that was asked for; without one nightly explores, and every other profile repeats itself."""
    if given.seed is None:
        return secrets.randbelow(2**31) if given.profile == "nightly" else 0
    return int(given.seed)


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


def _pair(given: Any, uses: Uses | None) -> tuple[TargetSpec, ...]:
    """The two sides of a comparison."""
    if not (given.old and given.new):
        raise OptionError("a comparison needs both --from and --to")
    if given.targets:
        raise OptionError("a comparison has two targets, --from and --to; --target is for `conformance run`")
    sides = {role: TargetSpec.parse(getattr(given, role), given.python) for role in ("old", "new")}
    for side in sides.values():
        if uses is not None and not uses.runs_on(side.device):
            raise OptionError(f"--uses names the devices {', '.join(uses.devices or ())}, the comparison runs on "
                              f"{side.device}: pass --device, or take devices out of the profile")  # fmt: skip
    return tuple(replace(side, role=role) for role, side in sides.items())


def _corpus(given: Any) -> Corpus:
    try:
        return Corpus.load(given.corpus)
    except CorpusError as error:
        raise OptionError(str(error)) from None


def _shard(given: Any) -> Shard | None:
    """The part to run, named after what the whole run was asked for: that, the other parts share."""
    if not given.shard:
        return None
    asked = {k: v for k, v in vars(given).items() if k in _WHOLE}
    try:
        return shard(given.shard, os.environ).of_run(json.dumps(asked, sort_keys=True, default=str))
    except ShardError as error:
        raise OptionError(str(error)) from None


def _levels(given: Any) -> Mapping[str, str]:
    try:
        return levels(given.gate)
    except GateError as error:
        raise OptionError(str(error)) from None


def _uses(given: Any, files: tuple[str, ...]) -> Uses | None:
    try:
        return load(given.uses, files) if given.uses else None
    except UsesError as error:
        raise OptionError(str(error)) from None
