"""The picture of a report for the README: its top, its matrix in part, and one card.

python -m tests.report.screenshot reports/sample/report.html docs/report.png
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

WIDTH = 1080
# What the picture leaves out: all but a few rows, all but the card that shows most, and what is below.
_NARROW = """() => {
  document.querySelectorAll("#matrix tbody tr").forEach((row, place) => { if (place > 3) row.remove(); });
  const cards = [...document.querySelectorAll("#cards > article")];
  const shown = cards.find((card) => card.querySelector(".edge.wrong")) ?? cards[0];
  cards.forEach((card) => { if (card !== shown) card.remove(); });
  document.querySelectorAll("#cards details").forEach((details) => { details.open = false; });
  document.querySelectorAll("main > section, body > footer").forEach((part) => {
    if (!["doubts", "matrix", "discrepancies"].includes(part.id)) part.remove();
  });
  return Math.ceil(document.body.getBoundingClientRect().height);
}"""


def shoot(report: Path, picture: Path) -> None:
    """Takes the picture in Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 800})
        page.goto(report.resolve().as_uri())
        page.set_viewport_size({"width": WIDTH, "height": page.evaluate(_NARROW)})
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    shoot(Path(sys.argv[1]), Path(sys.argv[2]))
