"""The page as a person meets it, in Debian's Chromium, with no network."""

from __future__ import annotations

import re
import shutil
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from conformance.cases import Case
from conformance.oracle.claims import claims_of
from conformance.oracle.contract import Contract
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
                        case.to_json(), {"status": "ok", "result": _result(contract, case)})  # fmt: skip
    return Run({"claims": claims, "command": ["conformance", "run"], "cases": {contract.module: 12}}, targets, tallies,
               [found], {"started": "2026-01-01"}, {"verdict": "DOES NOT CONFORM"})  # fmt: skip


def _result(contract: Contract, case: Case) -> dict:
    """The documented outputs, but for one element more along the last axis of the first."""
    shapes = [[*contract.sizes_of(port, case.layout, contract.symbols(case))] for port in contract.outputs]
    shapes[0][-1] += 1
    output, h_n, c_n = ({"type": "tensor", "shape": shape, "dtype": "float32"} for shape in shapes)
    return {"type": "tuple", "items": [output, {"type": "tuple", "items": [h_n, c_n]}]}


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


def _copied(page, start: str) -> str:
    """What the button copies whose text begins with this part of a card."""
    button = page.locator(f"article.card button.copy[data-copy^={start}-]")
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    button.click()
    page.get_by_role("button", name="Copied").wait_for()
    return page.evaluate("navigator.clipboard.readText()")


def test_the_copy_button_copies_the_script(page):
    script = page.locator("article.card pre[id^=s-]").text_content()
    assert _copied(page, "s") == script
    assert "torch.nn.LSTM(" in script


def test_the_text_for_an_issue_is_copied_with_the_script_in_it(page):
    text = _copied(page, "i")
    assert text.startswith("# torch.nn.LSTM: ")
    assert text.count("```") == 2
    assert "Seen on torch 2.0.0+cpu" in text
    compile(text.split("```python\n")[1].split("```")[0], "script", "exec")


def test_the_ledger_entry_is_copied_as_toml(page):
    assert tomllib.loads(_copied(page, "l"))["claims"] == ["lstm.output.shape.packed"]


def test_filtering_leaves_the_cards_and_claims_that_hold_the_words(page):
    page.locator("#filter-cards").fill("packed SHAPE")
    assert page.locator("article.card").is_visible()
    page.locator("#filter-cards").fill("no such words")
    assert not page.locator("article.card").is_visible()
    assert page.locator("[data-filter] output").text_content() == "0 of 1 cards"
    page.locator("[data-table] input").fill("lstm.weight_hh.shape")
    assert page.locator("table.claims tbody tr:visible").count() == 1


def test_a_table_is_sorted_by_a_click_on_its_head(page):
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    head = page.locator("table.claims th button").first
    shown = {}
    for order in ("ascending", "descending"):
        head.click()
        assert page.locator("table.claims th[aria-sort]").get_attribute("aria-sort") == order
        shown[order] = page.locator("table.claims tbody th").all_text_contents()
    assert shown["ascending"] == shown["descending"][::-1]
    assert shown["ascending"][0] == min(shown["ascending"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, scheme: str):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page.emulate_media(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []


def test_the_keyboard_reaches_cards_and_their_scripts(page):
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"filter-cards", "self", "copy"} <= reached


def test_the_picture_of_a_tensor_marks_the_axis_that_differs(page):
    assert page.locator("article.card svg .edge.wrong").count() > 0
    assert page.locator("article.card svg text.wrong").first.bounding_box()["width"] > 5


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
    assert opened.locator("article.card pre[id^=s-]").is_visible()
    assert not opened.locator(".filter").first.is_visible()
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
