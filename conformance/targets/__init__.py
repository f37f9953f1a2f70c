"""Targets: interpreter x device x mode, each a process of its own in which torch lives."""

from conformance.targets.spec import SpecError, TargetSpec, numbered
from conformance.targets.target import Target, TargetLost, start_all

__all__ = ["SpecError", "Target", "TargetLost", "TargetSpec", "numbered", "start_all"]
