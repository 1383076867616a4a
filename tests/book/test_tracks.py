"""The reader's choice of refreshers: opened and closed by the menu, remembered, without moving the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
KIND = re.compile(r":class-container: refresher (\w+)")
KINDS = {name: set(KIND.findall((ROOT / "book" / f"{name}.md").read_text("utf-8"))) for name in PAGES}
# A chapter with refreshers of both kinds, and another one to go on to.
NAME = next(name for name in PAGES if len(KINDS[name]) == 2)
OTHER = next(name for name in PAGES if KINDS[name] and name != NAME)
BLOCKED = """
    for (const name of ["localStorage", "sessionStorage"]) {
        const get = () => { throw new DOMException("", "SecurityError"); };
        Object.defineProperty(window, name, {get, configurable: true});
    }
"""
SHIFTS = """
    window.shifted = 0;
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) window.shifted += entry.value;
    }).observe({type: "layout-shift", buffered: true});
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def opened(page: Page) -> dict[str, set[bool]]:
    """Of each kind the page has: whether its refreshers are open."""
    found: dict[str, set[bool]] = {}
    for details in page.locator("details.refresher").all():
        kinds = set((details.get_attribute("class") or "").split()) & {"mathematics", "networks"}
        for kind in kinds:
            found.setdefault(kind, set()).add(details.get_attribute("open") is not None)
    return found


def choose(page: Page, *labels: str) -> None:
    page.get_by_role("button", name="Refreshers").click()
    for label in labels:
        page.get_by_label(label).click()
    page.keyboard.press("Escape")


def test_a_choice_opens_its_kind_and_is_remembered(page: Page, address: str) -> None:
    page.goto(f"{address}/{NAME}.html")
    assert opened(page) == {"mathematics": {False}, "networks": {False}}
    choose(page, "Mathematics")
    assert opened(page) == {"mathematics": {True}, "networks": {False}}
    page.reload()
    assert opened(page) == {"mathematics": {True}, "networks": {False}}
    expect(page.locator(".tracks input[value=mathematics]")).to_be_checked()
    choose(page, "Neural networks")
    assert opened(page) == {"mathematics": {True}, "networks": {True}}
    page.goto(f"{address}/{OTHER}.html")
    assert {state for states in opened(page).values() for state in states} == {True}
    choose(page, "Mathematics", "Neural networks")
    assert {state for states in opened(page).values() for state in states} == {False}
    page.goto(f"{address}/{NAME}.html")
    assert opened(page) == {"mathematics": {False}, "networks": {False}}


def test_going_back_finds_the_page_as_chosen_since(page: Page, address: str) -> None:
    """A page that the browser kept is not read again: it hears that it is shown, and catches up."""
    page.goto(f"{address}/{NAME}.html")
    page.locator("details.refresher.networks summary").first.click()
    page.evaluate("""() => {
        localStorage.setItem("tracks", "mathematics");
        dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}));
    }""")
    assert opened(page) == {"mathematics": {True}, "networks": {True}}
    page.goto(f"{address}/{OTHER}.html")
    page.go_back()
    expect(page.locator(".tracks input[value=mathematics]")).to_be_checked()
    assert opened(page)["mathematics"] == {True}


def test_what_a_reader_opens_or_closes_stays(page: Page, address: str) -> None:
    page.goto(f"{address}/{NAME}.html")
    network = page.locator("details.refresher.networks").first
    network.locator("summary").click()
    choose(page, "Mathematics")
    assert network.get_attribute("open") is not None
    mathematics = page.locator("details.refresher.mathematics").first
    mathematics.locator("summary").click()
    page.emulate_media(media="print")
    page.emulate_media(media="screen")
    page.wait_for_timeout(300)
    assert mathematics.get_attribute("open") is None
    assert network.get_attribute("open") is not None


def test_menu_works_by_keyboard_alone(page: Page, address: str) -> None:
    page.goto(f"{address}/{NAME}.html")
    button = page.get_by_role("button", name="Refreshers")
    for _ in range(100):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert opened(page) == {"mathematics": {False}, "networks": {True}}
    page.keyboard.press("Escape")
    expect(page.locator(".tracks .dropdown-menu")).to_be_hidden()
    expect(button).to_be_focused()


def test_boxes_say_what_they_are_and_how_many_the_page_has(page: Page, address: str) -> None:
    page.goto(f"{address}/{NAME}.html")
    page.get_by_role("button", name="Refreshers").click()
    group = page.get_by_role("group", name="Keep open")
    expect(group).to_have_accessible_description(re.compile("foldable boxes"))
    for label, kind in [("Mathematics", "mathematics"), ("Neural networks", "networks")]:
        number = page.locator(f"details.refresher.{kind}").count()
        box = group.get_by_role("checkbox", name=label)
        expect(box).to_have_accessible_description(re.compile(f"{number} on this page"))


def test_without_storage_the_choice_holds_for_the_page(page: Page, address: str) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.add_init_script(BLOCKED)
    page.goto(f"{address}/{NAME}.html")
    choose(page, "Mathematics")
    assert opened(page) == {"mathematics": {True}, "networks": {False}}
    expect(page.locator(".tracks-kept")).to_contain_text("keeps nothing")
    page.reload()
    assert opened(page) == {"mathematics": {False}, "networks": {False}}
    assert problems == []


def test_without_scripts_there_is_no_menu_and_refreshers_open_by_hand(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{NAME}.html")
    expect(page.locator(".tracks")).to_be_hidden()
    details = page.locator("details.refresher").first
    details.locator("summary").click()
    assert details.get_attribute("open") is not None
    context.close()


def test_menu_stands_where_there_are_refreshers(page: Page, address: str) -> None:
    for name in [*PAGES, "search"]:
        page.goto(f"{address}/{name}.html")
        assert page.locator(".tracks").count() == bool(KINDS.get(name)), name


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_menu_fits(browser: Browser, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 640})
    page.goto(f"{address}/{NAME}.html")
    page.get_by_role("button", name="Refreshers").click()
    for part in [".tracks .dropdown-menu", ".tracks button", ".bd-header-article .btn:visible >> nth=-1"]:
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5, part
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_chosen_refreshers_are_printed_and_others_are_not(page: Page, address: str) -> None:
    page.goto(f"{address}/{NAME}.html")
    choose(page, "Mathematics")
    page.reload()
    page.emulate_media(media="print")
    for details in page.locator("details.refresher.mathematics .sd-summary-content").all():
        expect(details).to_be_visible()
    expect(page.locator("details.refresher.networks").first).to_be_hidden()
    expect(page.locator(".tracks")).to_be_hidden()


@pytest.mark.parametrize("viewport", [{"width": 360, "height": 740}, {"width": 1280, "height": 800}])
def test_opened_refreshers_move_nothing(browser: Browser, address: str, viewport: Any) -> None:
    """Looked at from the place next above each refresher."""
    context = browser.new_context(viewport=viewport)
    context.add_init_script(SHIFTS + "localStorage.setItem('tracks', 'mathematics networks')")
    page = context.new_page()
    page.goto(f"{address}/{NAME}.html", wait_until="networkidle")
    assert opened(page) == {"mathematics": {True}, "networks": {True}}
    places = page.locator("details.refresher").evaluate_all(
        """boxes => boxes.map(box => {
            const before = [...document.querySelectorAll("article [id]")].filter(
                place => place.compareDocumentPosition(box) & Node.DOCUMENT_POSITION_FOLLOWING && place.offsetParent);
            return before.at(-1).id;
        })"""
    )
    assert len(places) >= 2
    for i, place in enumerate(places):
        page.goto(f"{address}/{NAME}.html?{i}#{place}", wait_until="networkidle")
        assert page.evaluate("window.shifted") < 0.02, place
    context.close()
