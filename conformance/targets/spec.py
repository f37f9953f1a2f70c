"""How a target is written: ``[EXECNET-SPEC::]DEVICE[+MODE]``."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass, replace

import execnet

MODES = ("eager", "compile", "no_grad", "inference")
_DEVICE = re.compile(r"[a-z][a-z0-9_]*(:\d+)?")
_HOW = (
    "write [EXECNET-SPEC::]DEVICE[+MODE], for example cpu, cuda:1, cpu+compile, "
    "popen//python=/path/to/python::cpu or ssh=host//python=/path/to/python::cuda:0"
)


class SpecError(ValueError):
    """A target that cannot be understood: what was passed, what is allowed."""


@dataclass(frozen=True)
class TargetSpec:
    """A target as the user wrote it, and its three parts. ``required`` is false for one the suite looked for itself."""

    text: str
    gateway: str
    device: str
    mode: str = "eager"
    required: bool = True
    number: int = 1

    @property
    def name(self) -> str:
        """What reports call it: ``cpu``, ``cuda:1+compile``; ``cpu@2`` is the second one of that name."""
        place = self.device if self.mode == "eager" else f"{self.device}+{self.mode}"
        return place if self.number == 1 else f"{place}@{self.number}"

    @classmethod
    def parse(cls, text: str, python: str | None = None, required: bool = True) -> TargetSpec:
        """The target that ``text`` names. ``python`` is the interpreter meant where none is written.

        Raises :class:`SpecError` for anything else, and where no interpreter is written and this one has no torch.
        """
        gateway, separator, place = text.strip().rpartition("::")
        device, plus, mode = place.partition("+")
        if not _DEVICE.fullmatch(device):
            raise SpecError(f"--target {text!r}: {device!r} is not a device; {_HOW}")
        if plus and mode not in MODES:
            raise SpecError(f"--target {text!r}: {mode!r} is not a mode; the modes are {', '.join(MODES)}")
        if separator:
            _check_gateway(gateway, text)
        else:
            gateway = f"popen//python={python or _own_interpreter(text)}"
        return cls(text.strip(), gateway, device, mode or "eager", required)


def numbered(specs: list[TargetSpec]) -> list[TargetSpec]:
    """The targets with distinct names, in their order; the same target twice is refused."""
    found: list[TargetSpec] = []
    for spec in specs:
        twins = [other for other in found if (other.device, other.mode) == (spec.device, spec.mode)]
        if any(other.gateway == spec.gateway for other in twins):
            raise SpecError(f"--target {spec.text!r} is given twice; name each target once")
        found.append(replace(spec, number=len(twins) + 1))
    return found


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
