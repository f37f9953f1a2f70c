"""What a discrepancy is called in systems that remember: the same over seeds, sizes and versions of the suite."""

from __future__ import annotations

import hashlib
import json

from conformance.compare.difference import normalised
from conformance.results import Discrepancy, Run, TargetRecord


def fingerprint(found: Discrepancy, target: TargetRecord | None) -> str:
    """Twelve hexadecimal digits: claim, kind of target, severity, and what was observed without its numbers."""
    told = json.dumps([found.claim, _kind(target), found.severity, normalised(found.observed)])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _kind(target: TargetRecord | None) -> str:
    """``cpu``, ``cuda+compile``: not which of several devices, not what the user calls it."""
    if target is None:
        return ""
    device = target.device.partition(":")[0]
    return device if target.mode in ("", "eager") else f"{device}+{target.mode}"


def fingerprints(run: Run) -> dict[str, str]:
    """The fingerprint of every discrepancy of a run, by its id."""
    targets = {target.name: target for target in run.targets}
    return {found.id: fingerprint(found, targets.get(found.target)) for found in run.discrepancies}
