"""The text of an issue for those who maintain torch: what the page says, what happens, where, and the script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.report.causes import Cause, OnTarget

_TOLD = ("torch", "python", "platform", "device_name", "cuda", "cudnn")


def before_the_script(cause: Cause) -> str:
    """Title, promise, expectation and observation."""
    card = cause.lead
    found, formula = card.found, card.claim.get("formula")
    title = f"{card.module}: {_line(card.statement, 90)}, but observed: {_line(found.observed, 90)}"
    promise = f"The documentation of `{card.module}` (section {_line(card.source)}) promises: {_line(card.statement)}"
    return "\n\n".join([
        f"# {title}",
        f"{promise}{f' (`{_line(str(formula))}`)' if formula else ''}.",
        f"Expected: `{_code(found.expected)}`\nObserved: `{_code(found.observed)}`",
        "To reproduce, with torch alone:",
        "```python",
    ])  # fmt: skip


def after_the_script(cause: Cause) -> str:
    """Which releases show it, and the environment."""
    environment = cause.lead.target.environment
    told = [f"{name}: {_line(str(environment[name]))}" for name in _TOLD if environment.get(name)]
    return "\n".join(["```", "", *_where(cause.targets), "", "Environment: " + ("; ".join(told) or "not recorded"), ""])


def _where(targets: Sequence[OnTarget]) -> list[str]:
    shown = [_named(one) for one in targets if one.word == "shown"]
    absent = [_named(one) for one in targets if one.word == "not shown"]
    return [f"Seen on {', '.join(shown)}.", *([f"Not seen on {', '.join(absent)}."] if absent else [])]


def _named(one: OnTarget) -> str:
    torch = one.target.environment.get("torch")
    where = f"{_line(one.target.name)}: {one.text}"
    return f"torch {_line(str(torch))} ({where})" if torch else where


def _line(text: str, limit: int = 300) -> str:
    """One line that starts no markup of its own."""
    plain = " ".join(text.split())
    return plain if len(plain) <= limit else f"{plain[: limit - 1]}…"


def _code(text: str) -> str:
    return _line(text).replace("`", "'")
