"""The first visit of a chapter loads little, and what scripts add to a page later has its style all the same."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [name for name in PAGES[1:] if "{code-cell}" in (ROOT / "book" / f"{name}.md").read_text("utf-8")]
REQUESTS = 20
BYTES = 250_000
PACKED = {".woff2", ".png", ".jpg", ".webp"}  # a server does not compress what is compressed


def loaded(page: Page, address: str, name: str, site: Path) -> dict[str, int]:
    """Bytes, compressed as a server does, of all that the first visit of a page asks for, figures aside."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    found = {}
    for url in asked:
        if url.startswith("data:"):
            continue
        file = unquote(urlsplit(url).path.removeprefix(urlsplit(address).path).lstrip("/"))
        if not file.startswith("_images/"):
            content = (site / file).read_bytes()
            found[file] = len(content) if Path(file).suffix in PACKED else len(gzip.compress(content, 6))
    return found


@pytest.mark.parametrize("name", [*CHAPTERS, "index"])
@pytest.mark.parametrize("width", [360, 1280])
def test_first_visit_is_light(browser: Browser, address: str, site: Path, name: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    found = loaded(context.new_page(), address, name, site)
    context.close()
    assert f"{name}.html" in found
    assert len(found) <= REQUESTS, sorted(found)
    assert sum(found.values()) <= BYTES, sorted(found.items(), key=lambda item: -item[1])


def test_all_pages_link_one_sheet_and_one_script(site: Path) -> None:
    (sheet,) = site.glob("_static/all-*.css")
    (script,) = site.glob("_static/all-*.js")
    for path in site.rglob("*.html"):
        if path.relative_to(site).parts[0] in ("_static", "_sources"):
            continue
        text = path.read_text("utf-8")
        assert text.count('rel="stylesheet"') == 1, path
        assert f"_static/{sheet.name}" in text, path
        assert f"_static/{script.name}" in text, path


@pytest.fixture
def phone(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(f"{address}/{CHAPTERS[0]}.html", wait_until="networkidle")
    yield page
    context.close()


@pytest.fixture
def desk(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{address}/{CHAPTERS[0]}.html", wait_until="networkidle")
    yield page
    context.close()


def style(page: Page, selector: str, name: str, pseudo: str = "") -> str:
    script = "(element, [name, pseudo]) => getComputedStyle(element, pseudo || null)[name]"
    return str(page.locator(selector).first.evaluate(script, [name, pseudo]))


@pytest.mark.parametrize("side", ["primary", "secondary"])
def test_contents_slide_over_a_phone(phone: Page, side: str) -> None:
    dialog = phone.locator(f"#pst-{side}-sidebar-modal")
    phone.locator(f".{side}-toggle").click()
    expect(dialog).to_be_visible()
    phone.wait_for_timeout(400)
    box = dialog.bounding_box()
    assert box is not None
    assert 180 < box["width"] < 360
    assert box["height"] > 700
    assert box["x"] == (0 if side == "primary" else pytest.approx(360 - box["width"], abs=1))
    assert style(phone, f"#pst-{side}-sidebar-modal", "backgroundColor") == "rgb(254, 254, 254)"
    phone.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_tooltips_are_styled(desk: Page) -> None:
    desk.locator(".theme-switch-button").first.hover()
    tip = desk.locator(".tooltip")
    expect(tip).to_be_visible()
    assert style(desk, ".tooltip", "position") == "absolute"
    assert style(desk, ".tooltip-inner", "textAlign") == "center"
    assert style(desk, ".tooltip-inner", "backgroundColor") != "rgba(0, 0, 0, 0)"
    assert style(desk, ".tooltip-inner", "maxWidth") == "200px"


def test_menus_open(desk: Page) -> None:
    desk.get_by_role("button", name="Source repositories").click()
    menu = desk.locator(".dropdown-source-buttons .dropdown-menu")
    expect(menu).to_be_visible()
    assert style(desk, ".dropdown-source-buttons .dropdown-menu", "position") == "absolute"
    desk.keyboard.press("Escape")
    desk.mouse.move(600, 600)  # the theme's menus also stay open under the pointer
    expect(menu).to_be_hidden()


def test_search_dialog_stands_over_the_page(desk: Page) -> None:
    desk.keyboard.press("Control+k")
    dialog = desk.locator("#pst-search-dialog")
    expect(dialog).to_be_visible()
    desk.wait_for_timeout(300)
    box = dialog.bounding_box()
    assert box is not None
    assert box["width"] > 400
    assert style(desk, "#pst-search-dialog", "position") == "fixed"


def test_search_finds_and_lists(desk: Page, address: str) -> None:
    problems: list[str] = []
    desk.on("pageerror", lambda error: problems.append(str(error)))
    desk.goto(f"{address}/search.html?q=neuron", wait_until="networkidle")
    expect(desk.locator("#search-results ul.search li").first).to_be_visible()
    assert style(desk, "#search-results ul.search", "listStyleType") == "none"
    assert style(desk, "#search-results .highlighted", "backgroundColor") != "rgba(0, 0, 0, 0)"
    assert problems == []


def test_solutions_fold(desk: Page) -> None:
    solution = desk.locator("details.solution").first
    content = solution.locator(":scope > :not(summary)").first
    expect(content).to_be_hidden()
    name = solution.locator("summary")
    expect(name).to_have_text("Solution to Exercise 1")
    name.press("Enter")
    expect(content).to_be_visible()
    name.click()
    expect(content).to_be_hidden()


def test_code_is_copied_by_a_button(desk: Page) -> None:
    block = desk.locator("div.highlight:visible").first
    button = block.locator("button.copybtn")
    assert style(desk, "div.highlight:visible button.copybtn", "position") == "absolute"
    block.hover()
    desk.wait_for_timeout(500)
    assert float(button.evaluate("button => getComputedStyle(button).opacity")) > 0.5
    button.click()
    expect(button).to_have_class(re.compile("success"))


def test_header_is_ruled_off_once_the_page_is_scrolled(desk: Page) -> None:
    assert style(desk, ".bd-header-article", "borderBottomStyle") == "none"
    desk.mouse.move(650, 500)  # over the text: the list of chapters scrolls by itself
    desk.mouse.wheel(0, 900)
    expect(desk.locator("body")).to_have_class("scrolled")
    assert style(desk, ".bd-header-article", "borderBottomStyle") == "solid"


def test_site_works_from_the_file_system(browser: Browser, site: Path) -> None:
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((site / f"{CHAPTERS[0]}.html").as_uri(), wait_until="load")
    # A preload across origins fails there, and the sheet then fetches the font.
    for family in ("Recurrence Serif", "KaTeX_Main", "KaTeX_Math"):
        loaded_by_now = (
            "name => [...document.fonts].some(font => font.family.includes(name) && font.status === 'loaded')"
        )
        page.wait_for_function(loaded_by_now, arg=family)
    expect(page.locator("button.copybtn").first).to_be_attached()
    page.close()
    assert problems == []
