"""The run as JUnit XML, for the pages of CI systems: one test case for each claim on each target."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from conformance.fingerprint import fingerprint
from conformance.report.view import View, printable
from conformance.results import Discrepancy, Run, TargetRecord

ARTICLE = "article (a second source, not part of the verdict)"
_ENDS = {"failed": "failures", "flaky": "failures", "lost": "errors"}


def render(run: Run) -> str:
    """The document. Its suites are the modules; statements of the article are a suite of their own."""
    view = View(run)
    root = ET.Element("testsuites", name="torch.nn conformance")
    for module in view.modules:
        _suite(root, view, module, view.of(module))
    if view.article:
        _suite(root, view, ARTICLE, view.article)
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, view: View, name: str, claims: list[dict[str, Any]]) -> None:
    suite = _add(root, "testsuite", name=name)
    properties = _add(suite, "properties")
    _property(properties, "verdict", view.verdict.word)
    _property(properties, "reason", view.verdict.reason)
    for claim in claims:
        for target in view.targets:
            _case(suite, view, claim, target)
    suite.set("tests", str(len(suite.findall("testcase"))))
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(len(suite.findall(f"testcase/{tag}"))))


def _case(suite: ET.Element, view: View, claim: Mapping[str, Any], target: TargetRecord) -> None:
    module = str(claim.get("module", ""))
    case = _add(suite, "testcase", classname=module, name=f"{claim['id']}[{target.name}]")
    properties = _add(case, "properties")
    outcome = view.outcome(claim["id"], target)
    pairs = {"claim": claim["id"], "module": module, "target": target.name, "outcome": outcome}
    for name, value in pairs.items():
        _property(properties, name, str(value))
    for known in _fingerprints(view, claim["id"], target):
        _property(properties, "fingerprint", known)
    found = [d for d in view.run.discrepancies if (d.claim, d.target) == (claim["id"], target.name)] if (
        outcome in ("failed", "flaky", "known")
    ) else []  # fmt: skip
    if claim.get("authority") == "article":
        _statement(case, outcome, found, target)
    else:
        _end(case, outcome, found, target, claim, view)


def _fingerprints(view: View, claim: str, target: TargetRecord) -> list[str]:
    """Those of the claim's discrepancies there, each once."""
    found = [d for d in view.run.discrepancies if (d.claim, d.target) == (claim, target.name)]
    return list(dict.fromkeys(fingerprint(d, target) for d in found))


def _end(
    case: ET.Element, outcome: str, found: list[Discrepancy], target: TargetRecord, claim: Mapping[str, Any], view: View
) -> None:
    """What the test case came to. What is known passes and says by which entry of the ledger."""
    match outcome:
        case "failed" | "flaky":
            unknown = [d for d in found if d.ledger is None]
            failure = _add(case, "failure", type=_severity(unknown), message=_message(unknown))
            failure.text = printable("\n\n".join([str(claim.get("statement", "")), *map(_told, unknown)]))
        case "known":
            tally = view.tallies[claim["id"], target.name]
            entries = ", ".join(f"{entry} ({count} cases)" for entry, count in sorted(tally.known.items()))
            _add(case, "system-out").text = printable(f"known discrepancy, in the ledger as {entries}")
        case "lost":
            _add(case, "error", message=f"the target was lost: {target.reason or 'in the middle of the run'}")
        case "passed":
            pass
        case _:
            _add(case, "skipped", message=_skipped(outcome, target))


def _statement(case: ET.Element, outcome: str, found: list[Discrepancy], target: TargetRecord) -> None:
    """A second source neither passes nor fails: what is refuted is skipped, with the counterexample."""
    if outcome in ("failed", "known"):
        _add(case, "skipped", message=f"refuted, which does not affect the verdict: {_message(found)}")
    elif outcome != "passed":
        _add(case, "skipped", message=_skipped(outcome, target))


def _skipped(outcome: str, target: TargetRecord) -> str:
    if outcome in ("not run", "lost"):
        return f"{outcome}: {target.reason or 'no reason recorded'}"
    return {
        "not exercised": "not exercised: no case said anything about the claim",
        "unsupported": "unsupported: the target lacks the operation for the dtype",
        "not documented": "not documented: the pages of this release do not make the claim",
        "no result": "no result in the run file",
    }.get(outcome, outcome)


def _severity(found: list[Discrepancy]) -> str:
    return found[0].severity if found else "wrong"


def _message(found: list[Discrepancy]) -> str:
    return f"expected {found[0].expected}; observed {found[0].observed}" if found else "no case is recorded"


def _told(found: Discrepancy) -> str:
    return f"expected: {found.expected}\nobserved: {found.observed}\nreplay:   conformance replay {found.id}"


def _property(parent: ET.Element, name: str, value: str) -> None:
    _add(parent, "property", name=name, value=value)


def _add(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, tag, {name: printable(value) for name, value in attributes.items()})
