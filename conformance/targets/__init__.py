"""Targets: interpreter x device x mode, each a process of its own in which torch lives."""

from conformance.targets.spec import SpecError, TargetSpec
from conformance.targets.target import Target, TargetLost

__all__ = ["SpecError", "Target", "TargetLost", "TargetSpec"]
