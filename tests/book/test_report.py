"""Every page can be reported and edited, and a report from the header names the section in view."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTER = "neurons/leaky_integration"
BUTTON = "a.btn-source-issues-button"


def fields(address: str | None) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(address or "").query).items()}


def section_after(page: Page) -> str | None:
    """Open the menu by keyboard and read where its link would lead."""
    page.locator(".dropdown-source-buttons > button").focus()
    page.keyboard.press("Enter")
    page.locator(BUTTON).focus()
    found = fields(page.locator(BUTTON).get_attribute("href")).get("section")
    page.keyboard.press("Escape")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_every_page_can_be_reported_without_scripts(browser: Browser, address: str, name: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{name}.html")
    title = re.sub(r"#$", "", page.locator("article h1").inner_text()).strip()
    below = page.locator("footer").get_by_role("link", name="Report an error on this page")
    assert below.is_visible()
    for link in (below, page.locator(BUTTON)):
        assert fields(link.get_attribute("href")) == {"template": "error.yml", "title": f"Error: {title}", "page": name}
    edit = page.locator("a.btn-source-edit-button").get_attribute("href") or ""
    assert edit.endswith(f"/book/{name}.md")
    # Both at one repository.
    report = page.locator(BUTTON).get_attribute("href") or ""
    assert report.partition("/issues/")[0] == edit.partition("/edit/")[0]
    context.close()


def test_a_report_names_the_section_in_view(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/{CHAPTER}.html", wait_until="networkidle")
    assert section_after(page) is None
    heading = page.locator("#where-hearing-ends > h2")
    heading.evaluate("element => element.scrollIntoView({block: 'start', behavior: 'instant'})")
    page.mouse.wheel(0, 40)
    page.wait_for_timeout(200)
    assert section_after(page) == "Where hearing ends"
    # Back at the top, the page alone is named again, and the other fields are kept.
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    assert section_after(page) is None
    found = fields(page.locator(BUTTON).get_attribute("href"))
    assert found == {"template": "error.yml", "title": "Error: Leaky integration", "page": CHAPTER}
    page.close()


def test_the_foot_of_the_page_leads_on(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/{CHAPTER}.html")
    for words, target in [
        ("How to use this book", "/how_to_use.html"),
        ("How to contribute", "/contributing.html"),
        ("New chapters as a feed", "/feed.xml"),
    ]:
        link = page.locator("footer").get_by_role("link", name=words)
        answer = page.request.get(link.evaluate("element => element.href"))
        assert answer.ok
        assert answer.url.endswith(target)
    page.close()
