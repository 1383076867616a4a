"""The menu of all ways to run a page and to take it along: what it offers, how it opens, and what it remembers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

CHAPTER = "basics/neuron"
OTHER = "basics/network"
BLOCKED = """Object.defineProperty(window, "localStorage", {get() { throw new DOMException("", "SecurityError"); }});"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(5000)
    yield context.new_page()
    context.close()


def offered(page: Page) -> list[str]:
    page.locator(".ways summary").click()
    return page.locator(".ways li:visible").evaluate_all("items => items.map(item => item.dataset.way)")


def test_a_chapter_offers_every_way_and_says_what_each_needs(page: Page, address: str) -> None:
    page.goto(f"{address}/{CHAPTER}.html")
    assert offered(page) == ["page", "own", "binder", "colab", "notebook", "source", "print", "archive"]
    needs = {way: page.locator(f"[data-way={way}] p").text_content() or "" for way in ("page", "binder", "colab")}
    assert re.search(r"No account\. Fetches \d+ MB", needs["page"])
    assert "No account" in needs["binder"]
    assert "minutes" in needs["binder"]
    assert "Google account" in needs["colab"]
    assert (
        page.locator(".ways a[href*='mybinder.org']").get_attribute("href", timeout=1000).endswith(f"{CHAPTER}.ipynb")
    )  # type: ignore[union-attr]


def test_files_to_take_are_there(page: Page, address: str) -> None:
    page.goto(f"{address}/{CHAPTER}.html")
    for way in ("notebook", "source", "archive"):
        answer = page.request.get(page.locator(f"[data-way={way}] a").evaluate("link => link.href"))
        assert answer.ok, way
        assert len(answer.body()) > 1000


def test_a_page_without_code_offers_to_be_taken(page: Page, address: str) -> None:
    page.goto(f"{address}/reference/notation.html")
    assert offered(page) == ["source", "print", "archive"]


def test_the_menu_closes_by_escape_by_the_tab_key_and_by_a_click_beside_it(page: Page, address: str) -> None:
    page.goto(f"{address}/{CHAPTER}.html")
    summary, menu = page.locator(".ways summary"), page.locator(".ways-menu")
    summary.focus()
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "In this page"
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(9):
        page.keyboard.press("Tab")
    expect(menu).to_be_hidden()
    summary.click()
    page.mouse.click(500, 700)
    expect(menu).to_be_hidden()


def test_the_way_taken_last_stands_first_on_the_next_page(page: Page, address: str) -> None:
    page.goto(f"{address}/{CHAPTER}.html")
    page.locator(".ways summary").click()
    page.locator("[data-way=colab] a").evaluate("link => { link.removeAttribute('href'); link.click(); }")
    page.goto(f"{address}/{OTHER}.html")
    assert offered(page)[0] == "colab"
    assert "Your choice last time." in (page.locator("[data-way=colab]").text_content() or "")


def test_what_runs_in_the_page_is_started_from_the_menu(page: Page, address: str) -> None:
    page.route("**/runner/page.mjs*", lambda route: route.abort())
    page.goto(f"{address}/{CHAPTER}.html")
    page.locator(".ways summary").click()
    with page.expect_request("**/runner/page.mjs*"):
        page.get_by_role("button", name="In this page").click()
    expect(page.locator(".ways-menu")).to_be_hidden()
    expect(page.locator(".run-note")).to_contain_text("could not be fetched")


def test_blocked_storage_hinders_nothing(browser: Browser, address: str) -> None:
    context = browser.new_context()
    context.add_init_script(BLOCKED)
    page = context.new_page()
    page.goto(f"{address}/{CHAPTER}.html")
    assert "page" in offered(page)
    page.keyboard.press("Escape")
    expect(page.locator(".ways-menu")).to_be_hidden()
    context.close()


def test_without_scripts_the_menu_opens_and_offers_links_alone(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{CHAPTER}.html")
    page.locator(".ways summary").click()
    names = ("binder", "colab", "notebook", "source", "archive")
    assert all(page.locator(f"[data-way={name}]").is_visible() for name in names)
    assert not page.locator("[data-way=page]").is_visible()
    assert not page.locator("[data-way=print]").is_visible()
    context.close()


def test_a_copy_on_the_readers_own_machine_does_not_offer_to_run_in_the_page(page: Page, site: Path) -> None:
    page.goto((site / f"{CHAPTER}.html").as_uri())
    assert "page" not in offered(page)


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_the_menu_lies_within_the_window(browser: Browser, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 740})
    page.goto(f"{address}/{CHAPTER}.html")
    page.locator(".ways summary").click()
    box = page.locator(".ways-menu").bounding_box()
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= 740
    assert wide <= width
