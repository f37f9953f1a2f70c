"""How a target is written: ``[NAME=][EXECNET-SPEC::]DEVICE[+MODE]``, or several with commas between them.

``--target A --target B`` are two targets, for comparison: each case runs on both. ``--target A,B`` is one target with
two places, for capacity: each case runs on one of them, whichever the worker uses that has it.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass, replace

import execnet

MODES = ("eager", "compile", "no_grad", "inference")
_DEVICE = re.compile(r"[a-z][a-z0-9_]*(:\d+)?")
_PLACE = re.compile(rf"{_DEVICE.pattern}([+][a-z_]+)?")
_NAMED = re.compile(r"([A-Za-z0-9][\w.+-]*)=(.*)", re.DOTALL)
_EXECNET = ("popen", "ssh", "socket", "via", "vagrant_ssh", "python", "chdir", "nice", "id", "ssh_config", "execmodel")
_HOW = (
    "write [NAME=][EXECNET-SPEC::]DEVICE[+MODE], for example cpu, cuda:1, cpu+compile, 2.13.0=cpu, "
    "popen//python=/path/to/python::cpu or ssh=host//python=/path/to/python::cuda:0"
)


class SpecError(ValueError):
    """A target that cannot be understood: what was passed, what is allowed."""


@dataclass(frozen=True)
class TargetSpec:
    """A target as the user wrote it, and its three parts. ``required`` is false for one the suite looked for itself.
    In a comparison it has a ``role``, ``old`` or ``new``; ``label`` is a name that the user gave it. A pool has
    ``others`` beside the first of its members, which it is itself."""

    text: str
    gateway: str
    device: str
    mode: str = "eager"
    required: bool = True
    number: int = 1
    role: str = ""
    label: str = ""
    others: tuple[TargetSpec, ...] = ()

    def member(self, worker: int) -> TargetSpec:
        """What a worker of this number runs on: the members of a pool take turns, under the name of the pool."""
        chosen = (self, *self.others)[worker % (1 + len(self.others))]
        return replace(self, text=chosen.text, gateway=chosen.gateway, device=chosen.device, label=self.name,
                       number=1, others=()) if self.others else self  # fmt: skip

    @property
    def name(self) -> str:
        """What reports call it: ``cpu``, ``cuda:1+compile``; ``cpu@2`` is the second one of that name."""
        if self.role:
            return self.role
        place = self.label or (self.device if self.mode == "eager" else f"{self.device}+{self.mode}")
        return place if self.number == 1 else f"{place}@{self.number}"

    @classmethod
    def parse(cls, text: str, python: str | None = None, required: bool = True) -> TargetSpec:
        """The target that ``text`` names. ``python`` is the interpreter meant where none is written.

        Raises :class:`SpecError` for anything else, and where no interpreter is written and this one has no torch.
        """
        label, rest = _label(text.strip())
        first, *others = _members(rest)
        if others:
            return _pool(label, text.strip(), [cls.parse(part, python, required) for part in (first, *others)])
        gateway, separator, place = rest.rpartition("::")
        device, plus, mode = place.partition("+")
        if not _DEVICE.fullmatch(device):
            raise SpecError(f"--target {text!r}: {device!r} is not a device; {_HOW}")
        if plus and mode not in MODES:
            raise SpecError(f"--target {text!r}: {mode!r} is not a mode; the modes are {', '.join(MODES)}")
        if separator:
            _check_gateway(gateway, text)
        else:
            gateway = f"popen//python={python or _own_interpreter(text)}"
        return cls(text.strip(), gateway, device, mode or "eager", required, label=label)


def _members(text: str) -> list[str]:
    """What stands between commas, each of which ends a device or mode: a path may have commas too."""
    found = [""]
    for part in text.split(","):
        whole = bool(found[-1]) and _PLACE.fullmatch(found[-1].rpartition("::")[2]) is not None
        if whole:
            found.append(part)
        else:
            found[-1] += f",{part}" if found[-1] else part
    return found


def _pool(label: str, text: str, members: list[TargetSpec]) -> TargetSpec:
    """The members as one target; they must be interchangeable."""
    kinds = {(member.device.partition(":")[0], member.mode) for member in members}
    if len(kinds) > 1:
        names = " and ".join(sorted(member.name for member in members))
        raise SpecError(f"--target {text!r}: the members of a pool must be of one kind and mode, not {names}; "
                        "repeat --target to compare them")  # fmt: skip
    first, *others = members
    if len({(member.gateway, member.device) for member in members}) < len(members):
        raise SpecError(f"--target {text!r}: a device is named twice; name each member of a pool once")
    alike = len({member.device for member in members}) == 1
    kind = replace(first, device=first.device if alike else first.device.partition(":")[0])
    return replace(first, label=label or kind.name, others=tuple(others))


def numbered(specs: list[TargetSpec]) -> list[TargetSpec]:
    """The targets with distinct names, in their order; the same target twice is refused, unless the user names both."""
    found: list[TargetSpec] = []
    for spec in specs:
        if spec.label and any(other.name == spec.label for other in found):
            raise SpecError(f"--target {spec.text!r}: another target is called {spec.label!r}; give each its own name")
        twins = [o for o in found if (o.label, o.device, o.mode) == (spec.label, spec.device, spec.mode)]
        if any(other.gateway == spec.gateway for other in twins):
            raise SpecError(f"--target {spec.text!r} is given twice; name each target once")
        found.append(replace(spec, number=len(twins) + 1))
    return found


def _label(text: str) -> tuple[str, str]:
    """The name before ``=`` and the rest; what execnet itself writes with ``=`` is no name."""
    named = _NAMED.fullmatch(text)
    return (named[1], named[2]) if named and named[1] not in _EXECNET else ("", text)


def _check_gateway(gateway: str, text: str) -> None:
    try:
        spec = execnet.XSpec(gateway)
    except (ValueError, AttributeError, IndexError) as error:
        raise SpecError(f"--target {text!r}: {gateway!r} is not an execnet spec ({error}); {_HOW}") from None
    if not (spec.popen or spec.ssh or spec.socket or spec.via):
        raise SpecError(f"--target {text!r}: {gateway!r} says neither popen, ssh=, socket= nor via=; {_HOW}")


def _own_interpreter(text: str) -> str:
    """This interpreter, if it has torch; found without importing it."""
    if importlib.util.find_spec("torch") is None:
        raise SpecError(
            f"--target {text!r} names no interpreter, and the running one ({sys.executable}) has no torch; "
            f"name one (popen//python=/path/to/python::{text}), pass --python, or use `nox -s conformance`"
        )
    return sys.executable
