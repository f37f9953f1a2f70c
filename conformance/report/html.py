"""The report a person reads: one offline file, readable without scripts and without styles."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from conformance.report.cards import Card
from conformance.report.causes import Cause, causes
from conformance.report.exercised import exercised
from conformance.report.mathml import formula
from conformance.report.times import times
from conformance.report.upgrade import Upgrade
from conformance.report.view import OUTCOMES, SYMBOLS, View, printable
from conformance.results import Run, TargetRecord

CARDS = 60  # more cards than anyone reads make a file that no one opens; the rest is in the run file
CARD_BYTES = 2_000_000  # of all cards together: a few cases can have very long scripts
_PLAIN_ID = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)


def render(run: Run, contract_files: tuple[str, ...] = ()) -> str:
    """The whole page. It is a function of the run file, byte for byte: no clock, no randomness."""
    view = View(run, contract_files)
    run = view.run
    environment = _environment()
    style, script = (environment.get_template(name).render() for name in ("style.css", "report.js"))
    found = causes(view)
    cards = _cards(found[:CARDS])
    page = environment.get_template("report.html.j2").render(
        view=view,
        run=run,
        verdict=view.verdict,
        header=run.header,
        command=_command(run.header.get("command")),
        causes=found,
        cards=cards,
        anchors={d.id: cause.id for cause in found[: len(cards)] for d in cause.found},
        explained={cause.known: cause.id for cause in found[: len(cards)] if cause.known},
        broken={(d.claim, d.target): cause.id for cause in found[: len(cards)] if not cause.known for d in cause.found},
        article=[_statement(claim, view) for claim in view.article],
        exercised=exercised(view),
        environments=_environments(view.targets),
        times=times(run.timing),
        hygiene=[remark.to_json() for remark in view.ledger],
        timing=_flat({k: v for k, v in run.timing.items() if k != "groups"}),
        facts=_flat({k: v for k, v in run.header.items() if k not in _SHOWN_ELSEWHERE}),
        style=style,
        script=script,
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}",
    )
    return printable(page)


_SHOWN_ELSEWHERE = ("claims", "command", "cases", "targets", "ledger", "entries", "comparison")


def _cards(found: list[Cause]) -> list[Markup]:
    """The cards that a person can be asked to open: no more than a number, and no more than some megabytes."""
    template = _environment().get_template("_card.html.j2")
    cards: list[Markup] = []
    size = 0
    for cause in found:
        card = template.render(cause=cause, card=cause.lead)
        size += len(card.encode("utf-8", "replace"))
        if cards and size > CARD_BYTES:
            break
        cards.append(Markup(card))
    return cards


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("conformance.report"),
        autoescape=select_autoescape(enabled_extensions=("html", "html.j2")),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(anchor=anchor, number=number, formula=formula, rounded=rounded)
    environment.globals.update(symbols=SYMBOLS, outcomes=OUTCOMES, upgrade=Upgrade)
    return environment


def _hash(text: str) -> str:
    """A content security policy by hash: nothing that came with the data could run or be fetched, even if it got in."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def anchor(text: object) -> str:
    """A fragment for a link: the text itself where that is a plain name, else its hash."""
    name = str(text)
    return name if _PLAIN_ID.fullmatch(name) else f"x{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:10]}"


def number(value: object) -> str:
    """A count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else str(value)


def rounded(value: object) -> str:
    """A measurement with as many digits as anyone reads."""
    return f"{value:.3f}" if isinstance(value, float) else number(value)


def _command(command: Any) -> str:
    return shlex.join(map(str, command)) if isinstance(command, list) else str(command or "")


def _statement(claim: Mapping[str, Any], view: View) -> dict[str, Any]:
    """A statement of the second source with its outcome on every target and one counterexample."""
    found = [d for t in view.targets if (d := view.refutations.get((str(claim["id"]), t.name)))]
    return {
        "claim": claim,
        "outcomes": [view.article_outcome(str(claim["id"]), target) for target in view.targets],
        "counterexample": Card(found[0], view) if found else None,
    }


def _environments(targets: list[TargetRecord]) -> list[tuple[str, list[str], bool]]:
    """A row for everything known about the targets' environments, and whether the targets that ran differ in it."""
    ours = ["spec", "gateway", "device", "mode", "required", "status", "reason", "restarts"]
    told = [{**{key: getattr(t, key) for key in ours}, **t.environment} for t in targets]
    theirs = sorted({str(name) for t in targets for name in t.environment} - {"torch", *ours})
    rows = [(name, [_shown(t.get(name)) for t in told]) for name in ["torch", *ours, *theirs]]
    return [(name, values, len({v for v in values if v}) > 1) for name, values in rows if any(values)]


def _shown(value: Any) -> str:
    if value is None or value == "":
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def _flat(data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Name and value, a list of objects as a table of its own."""
    return [(str(name), value if _is_table(value) else _shown(value)) for name, value in sorted(data.items())]


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
