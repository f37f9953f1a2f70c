"""The verdict for machines: ``verdict.json``, described by ``verdict.schema.json``. Other renderings say the same."""

from __future__ import annotations

from typing import Any

from conformance.fingerprint import fingerprints
from conformance.report.view import View
from conformance.results import SCHEMA, Discrepancy, Run, TargetRecord


def render(run: Run) -> dict[str, Any]:
    """Everything that a pipeline may decide on, as plain data."""
    view = View(run)
    names = fingerprints(view.run)
    return {
        "schema": SCHEMA,
        **view.verdict.to_json(),
        **{key: run.header.get(key) for key in ("suite", "seed", "profile")},
        "targets": [_target(target) for target in view.targets],
        "modules": [
            {"module": cell.module, "target": cell.target, "outcome": cell.word, "claims": cell.counts}
            for cell in view.cells.values()
        ],
        "discrepancies": [_discrepancy(found, names[found.id]) for found in view.discrepancies],
        "ledger": [remark.to_json() for remark in view.ledger],
    }


def _target(target: TargetRecord) -> dict[str, Any]:
    told = {name: getattr(target, name) for name in ("name", "device", "mode", "status", "reason", "required")}
    return {**told, "torch": target.environment.get("torch")}


def _discrepancy(found: Discrepancy, fingerprint: str) -> dict[str, Any]:
    names = ("id", "claim", "module", "target", "severity", "expected", "observed", "hits", "ledger", "reproduced")
    return {**{name: getattr(found, name) for name in names}, "fingerprint": fingerprint}
