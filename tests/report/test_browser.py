"""The page as a person meets it, in Debian's Chromium, with no network."""

from __future__ import annotations

import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from conformance.oracle.claims import claims_of
from conformance.oracle.registry import contract_of
from conformance.report import html
from conformance.results import Discrepancy, Run, Tally, TargetRecord
from conformance.strategies.boundary import boundary_cases

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run"]  # fmt: skip


def _run() -> Run:
    """A run with one discrepancy and long names, as the real ones have them."""
    contract = contract_of("torch.nn.LSTM")
    claims = [claim.to_json() for claim in claims_of(contract)]
    case = boundary_cases(contract, "packed")[-1]
    targets = [TargetRecord(f"cpu@{n}", f"popen//python=/{'x' * 90}::cpu", "popen", "cpu", "eager", True,
                            environment={"torch": f"2.{n}.0+cpu"}) for n in range(3)]  # fmt: skip
    tallies = [Tally(c["id"], c["module"], c["scenario"], t.name, kept=12345) for c in claims for t in targets]
    broken = next(t for t in tallies if t.claim == "lstm.output.shape.packed")
    broken.broken = 3
    found = Discrepancy(broken.claim, broken.module, broken.target, "wrong", f"output {'y' * 200}", "<b>bold</b>",
                        case.to_json(), {"status": "ok"})  # fmt: skip
    return Run({"claims": claims, "command": ["conformance", "run"], "cases": {contract.module: 12}}, targets, tallies,
               [found], {"started": "2026-01-01"}, {"verdict": "DOES NOT CONFORM"})  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: install Debian's package to look at the report")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, tmp_path: Path):
    """The opened report; no request but for the file itself and nothing on the console, whatever a test does."""
    path = tmp_path / "report.html"
    path.write_text(html.render(_run()), encoding="utf-8")
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    opened = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(path.as_uri())
    yield opened
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:") and url.partition("#")[0] != path.as_uri()] == []


def test_the_copy_button_copies_the_script(page):
    script = page.locator("article.card pre").last
    page.locator("article.card button.copy").last.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == script.text_content()
    assert "torch.nn.LSTM(" in (script.text_content() or "")


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_the_page_never_scrolls_sideways(page, width: int):
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_cell_of_the_matrix_leads_to_the_discrepancy(page):
    page.locator(".c-failed a").click()
    assert page.evaluate("document.querySelector(':target').className") == "card unknown"


def test_a_cell_that_passed_leads_to_its_claims_and_opens_them(page):
    page.locator(".c-passed a").first.click()
    page.locator("table.claims").wait_for(state="visible")


def test_formulas_are_laid_out_by_the_browser(page):
    assert page.locator("article.card math").first.bounding_box()["height"] > 5


def test_the_page_reads_without_scripts_and_without_styles(browser, tmp_path: Path):
    path = tmp_path / "bare.html"
    path.write_text(re.sub("<style>.*?</style>", "", html.render(_run()), flags=re.DOTALL), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(path.as_uri())
    assert opened.get_by_role("heading", level=1).text_content().endswith("DOES NOT CONFORM")
    assert not opened.locator("button.copy").first.is_visible()
    assert opened.locator("article.card pre").last.is_visible()
    context.close()


def _themes() -> list[dict[str, str]]:
    """The colours of the light theme and of the dark one, as the stylesheet defines them."""
    style = (files("conformance.report") / "templates" / "style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", _themes(), ids=["light", "dark"])
def test_every_colour_of_text_has_the_contrast_that_wcag_asks_for(theme: dict[str, str]):
    over = {"page", "panel"}
    pairs = [(ink, ground) for ink in ("text", "muted", "link", "good", "bad", "doubt", "known") for ground in over]
    pairs += [(ink, f"{ink}-tint") for ink in ("good", "bad", "doubt", "known")]
    pairs += [("text", f"{tint}-tint") for tint in ("good", "bad", "doubt", "known")]
    for ink, ground in pairs:
        light, dark = sorted((_luminance(theme[ink]), _luminance(theme[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)
