"""The ledger entry to add for a discrepancy: a draft as narrow as its minimal case, to be widened by hand."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from packaging.version import InvalidVersion, Version

from conformance.cases import Case
from conformance.oracle.contract import REQUIRED, Contract
from conformance.oracle.expression import FormulaError, expression
from conformance.report.view import UNPRINTABLE
from conformance.results import Discrepancy, TargetRecord

_NUMBER = re.compile(r"-?\d[\d.]*(?:e[+-]?\d+)?")
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_REVIEW = timedelta(days=182)


def draft(
    found: Discrepancy,
    claims: Sequence[str],
    targets: Sequence[TargetRecord],
    case: Case | None,
    contract: Contract | None,
    reason: str,
    today: str,
) -> str:
    """The TOML file of an entry that explains the discrepancy on these targets."""
    fields = {
        "id": slug(found.claim),
        "claims": list(claims),
        "kind": "documentation" if found.severity == "documentation" else "implementation",
        "severity": found.severity,
        "releases": _releases(targets),
        "devices": _devices(targets),
        "when": _when(case, contract) if case and contract else "True",
        "observed": pattern(found.observed),
        "reason": reason,
        "upstream": "",
        "owner": "",
        **_dates(today),
    }
    lines = [f"{name} = {_toml(value)}" for name, value in fields.items()]
    if found.case:
        lines += ["", "[case]", *(f"{_key(name)} = {_toml(value)}" for name, value in found.case.items())]
    return "\n".join(lines) + "\n"


def slug(text: str) -> str:
    """A name for the entry and its file."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "entry"


def pattern(observed: str) -> str:
    """What is observed with any other numbers in it, as a regular expression."""
    parts = [_SURROGATE.sub(".", re.escape(part)) for part in _NUMBER.split(observed)]
    return "^" + r"[-+.\de]+".join(parts) + "$"


def _releases(targets: Sequence[TargetRecord]) -> str:
    found = []
    for target in targets:
        try:
            found.append(Version(str(target.environment.get("torch"))).base_version)
        except InvalidVersion:
            return ""
    ordered = sorted(set(found), key=Version)
    if len(ordered) < 2:
        return f"=={ordered[0]}" if ordered else ""
    return f">={ordered[0]},<={ordered[-1]}"


def _devices(targets: Sequence[TargetRecord]) -> str:
    kinds = {target.device.partition(":")[0] for target in targets}
    kind = kinds.pop() if len(kinds) == 1 else ""
    return f"{kind}*" if _BARE.fullmatch(kind) else "*"


def _dates(today: str) -> dict[str, str]:
    try:
        day = date.fromisoformat(today[:10])
    except ValueError:
        return {}
    return {"created": day.isoformat(), "review_by": (day + _REVIEW).isoformat()}


def _when(case: Case, contract: Contract) -> str:
    """What of the minimal case is not the simplest; everything, where that does not select the case."""
    text = " and ".join(_conditions(case, contract)) or "True"
    try:
        selected = bool(expression(text)({**contract.symbols(case), **case.facts()}))
    except (FormulaError, NameError, TypeError):
        selected = False
    return text if selected else "True"


def _conditions(case: Case, contract: Contract) -> Iterator[str]:
    facts = case.facts()
    if case.layout != "constructor":
        yield f"layout == {case.layout!r}"
    for name in ("violated", "violated_axis", "rule", "misused", "misuse", "misuse_value"):
        if facts[name] not in (None, "") and _is_plain(facts[name]):
            yield f"{name} == {facts[name]!r}"
    if case.usage != "plain":
        yield f"usage == {case.usage!r}"
    if case.dtype != "float32":
        yield f"dtype == {case.dtype!r}"
    yield from (f"{name} == 0" for name, size in case.sizes.items() if size == 0 and name.isidentifier())
    for argument in (*contract.arguments, *contract.options):
        passed = case.arguments.get(argument.name, case.options.get(argument.name, argument.default))
        usual = passed == argument.default if argument.default is not REQUIRED else passed != 0
        if not usual and _is_plain(passed) and argument.name not in ("dtype", "device"):
            yield f"{argument.name} == {passed!r}"


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value))


# -- TOML ----------------------------------------------------------------------------------------------------------


def _toml(value: Any) -> str:
    """A value of JSON in one line of TOML, which has no null: the ledger writes the string."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(k)} = {_toml(v)}' for k, v in value.items())} }}" if value else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: '"null"'}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    return _string(str(value))


def _string(text: str) -> str:
    """TOML reads the escapes of JSON, but knows no half of a character; what cannot be shown is escaped too."""
    written = json.dumps(_SURROGATE.sub("?", text), ensure_ascii=False)
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def _key(name: Any) -> str:
    return str(name) if _BARE.fullmatch(str(name)) else _string(str(name))
