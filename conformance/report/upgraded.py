"""A comparison in Markdown: what stops the pin first, everything else counted."""

from __future__ import annotations

from conformance.report.upgrade import Row, Upgrade
from conformance.report.view import View

MOST = 10


def section(view: View) -> list[str]:
    """The blocks of a comparison; none where the run is no comparison."""
    if not view.run.header.get("comparison"):
        return []
    upgrade = Upgrade(view)
    head = f"From {_plain(upgrade.old)} to {_plain(upgrade.new)}: {upgrade.compared} cases on both."
    stopping = [row for row in upgrade.rows if row.stops]
    rest = {b: sum(r.found.bucket == b and not r.stops for r in upgrade.rows) for b in upgrade.buckets}
    counts = ", ".join(f"{count} {bucket}" for bucket, count in rest.items() if count)
    blocks = [head, f"Differences that do not stop the pin: {counts or 'none'}."]
    if stopping:
        lines = [_line(row) for row in stopping[:MOST]]
        more = [f"- and {len(stopping) - MOST} more, in the report"] if len(stopping) > MOST else []
        blocks.insert(1, "\n".join(["What stops the pin:", "", *lines, *more]))
    return blocks


def _line(row: Row) -> str:
    found = row.found
    return (
        f"- {found.bucket}: {_plain(found.field)} of {_code(found.module)}, {found.hits} cases: before "
        f"{_code(found.old)}, now {_code(found.new)} ({_code(row.call)}, {_code(found.id)})"
    )


def _plain(text: object) -> str:
    from conformance.report.markdown import plain  # late: that module renders this one

    return plain(text)


def _code(text: object, limit: int = 160) -> str:
    said = " ".join(str(text).split())
    return f"<code>{_plain(said if len(said) <= limit else f'{said[: limit - 1]}…')}</code>"
