"""Every built page, looked at in a real browser: it loads cleanly, fits a phone, and reads without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [
    name for name in PAGES if "\ndate:" in (ROOT / "book" / f"{name}.md").read_text("utf-8").split("\n---\n")[0]
]
OTHER_PAGES = ["search", "genindex", "404"]

every_page = pytest.mark.parametrize("name", PAGES + OTHER_PAGES)
every_chapter = pytest.mark.parametrize("name", CHAPTERS)


def scroll_through(page: Page) -> None:
    """Bring every part of the page near once, so that what loads late has loaded."""
    page.evaluate(
        """async () => {
            for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight / 2) {
                scrollTo(0, y);
                await new Promise(resolve => setTimeout(resolve, 30));
            }
        }"""
    )
    page.wait_for_load_state("networkidle")


@every_page
def test_page_loads_without_error_or_foreign_request(browser: Browser, address: str, name: str) -> None:
    page = browser.new_page()
    problems: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
    page.on(
        "response", lambda answer: problems.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None
    )
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    scroll_through(page)
    page.close()
    assert requests
    assert problems == []
    assert [url for url in requests if not url.startswith((address, "data:"))] == []


@every_page
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_fits_a_phone(browser: Browser, address: str, name: str, theme: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=theme)
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    width = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert width <= 360


@every_chapter
def test_chapter_reads_without_scripts(browser: Browser, address: str, name: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{name}.html")
    assert page.locator("article h1").is_visible()
    assert page.locator("article .katex").first.is_visible()
    figures = page.locator("article figure")
    assert figures.count() > 0
    for index in range(figures.count()):
        figures.nth(index).scroll_into_view_if_needed()
        assert figures.nth(index).locator("img:visible").count() == 1
    context.close()


@every_chapter
def test_images_are_described_and_sized(browser: Browser, address: str, name: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    # The second half of a figure is described together with the first.
    seconds = page.locator("article img.half + img.half").evaluate_all("all => all.map(one => one.alt)")
    assert not any(seconds)
    images = page.locator("article img:not(.half + .half)")
    assert images.count() > 0
    for image in images.all():
        alt = image.get_attribute("alt") or ""
        assert len(alt.split()) >= 5, f"{image.get_attribute('src')} says only {alt!r}"
        assert int(image.get_attribute("width") or 0) > 0
        assert int(image.get_attribute("height") or 0) > 0
    page.close()


@every_chapter
def test_figures_follow_the_theme(browser: Browser, address: str, name: str) -> None:
    """The reader's switch decides, even against the system's setting."""
    page = browser.new_page(color_scheme="light")
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    visible = "article figure img:visible"
    light = page.locator(visible).evaluate_all("images => images.map(image => image.getAttribute('src'))")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = page.locator(visible).evaluate_all("images => images.map(image => image.getAttribute('src'))")
    page.close()
    assert len(light) == len(dark) > 0
    assert not set(light) & set(dark)


@every_chapter
def test_mathematics_is_set_and_numbered_once(browser: Browser, address: str, name: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    assert page.locator("article .katex-error").count() == 0
    assert page.locator("article .katex .eqn-num").count() == 0, "KaTeX numbers an equation: only Sphinx may"
    numbers = page.locator("article .eqno").evaluate_all("spans => spans.map(span => span.firstChild.textContent)")
    assert len(numbers) == len(set(numbers)) > 0
    # Nothing that looks like unset mathematics is left in the text.
    text = page.locator("article").evaluate(
        """article => {
            const copy = article.cloneNode(true);
            copy.querySelectorAll('pre, code, script, .katex').forEach(node => node.remove());
            return copy.textContent;
        }"""
    )
    page.close()
    assert "$" not in text
    assert "\\(" not in text
