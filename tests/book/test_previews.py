"""Cards beside links: what they show, when they come and go, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

CHAPTER = "neurons/leaky_integration"
AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
# Link, what its card says, what its card contains.
KINDS = [
    (CHAPTER, "$='#equation-eq-leaky'", "(1 - \\alpha)", ".katex-html"),
    (CHAPTER, "$='#term-leak'", "share", ".preview-title"),
    (CHAPTER, "*='bibliography.html#'", "1907", "em"),
    (CHAPTER, "$='#recurrence.time.loop'", "cell, state, xs", ".preview-signature"),
    (CHAPTER, "$='api.html'", "functions and classes", ".preview-title"),
    ("basics/neuron", "^='#fig-'", "Fig.", "img:visible"),
    ("basics/network", "^='#ex-'", "Exercise", ".admonition-title"),
    ("reference/api", "^='#recurrence.tree.fixed'", "not learnt", ".preview-signature"),
]


def link_on(page: Page, where: str) -> Locator:
    """The first link in sight with such an address, in the middle of the window."""
    link = page.locator(f".bd-article a.reference.internal[href{where}]:visible").first
    link.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")
    return link


def card_of(page: Page) -> Locator:
    return page.locator("#preview")


@pytest.mark.parametrize(("name", "where", "words", "part"), KINDS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_card_shows_what_the_link_leads_to(
    browser: Browser, address: str, *, name: str, where: str, words: str, part: str, theme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=theme)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    link = link_on(page, where)
    page.evaluate("document.fonts.ready")
    before = [page.locator(one).bounding_box() for one in ("article", "main")]
    link.hover()
    card = card_of(page)
    expect(card).to_be_visible()
    expect(card).to_contain_text(words)
    expect(card.locator(part).first).to_be_visible()
    if part == "img:visible":
        assert card.locator(part).count() == 1
        assert card.locator(part).evaluate("image => image.complete && image.naturalWidth > 0")
    # In the window, over nothing but the page, nothing moved and nothing named twice.
    box = card.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= 1280
    assert box["y"] + box["height"] <= 800
    after = [page.locator(one).bounding_box() for one in ("article", "main")]
    for now, then in zip(after, before, strict=True):
        assert now == pytest.approx(then, abs=2)  # a font that comes late rounds otherwise
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert ids.count("preview") == 1
    assert card.locator("[id], a, button, [tabindex]").count() == 0
    assert link.get_attribute("aria-describedby") == "preview"
    page.close()
    assert problems == []


def test_keyboard_opens_and_escape_closes(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/{CHAPTER}.html", wait_until="load")
    link = link_on(page, "$='#term-leak'")
    page.keyboard.press("Tab")  # what is focused from now on shows its focus
    link.focus()
    expect(card_of(page)).to_be_visible()
    page.mouse.move(5, 5)  # the pointer does not take away what the keyboard asked for
    page.wait_for_timeout(400)
    expect(card_of(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(card_of(page)).to_be_hidden()
    assert link.get_attribute("aria-describedby") is None
    assert link.evaluate("element => element === document.activeElement")
    page.wait_for_timeout(400)
    expect(card_of(page)).to_be_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    expect(card_of(page)).to_be_visible()
    page.keyboard.press("Tab")
    expect(link).not_to_have_attribute("aria-describedby", "preview")
    page.close()


def test_the_pointer_can_rest_on_the_card(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/{CHAPTER}.html", wait_until="load")
    link_on(page, "$='#term-leak'").hover()
    card = card_of(page)
    expect(card).to_be_visible()
    card.hover()
    page.wait_for_timeout(500)
    expect(card).to_be_visible()
    page.mouse.move(5, 5)
    expect(card).to_be_hidden()
    # Sent away, it stays away until the pointer has left the link.
    link = link_on(page, "$='#term-leak'")
    link.hover()
    expect(card).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    page.wait_for_timeout(500)
    expect(card).to_be_hidden()
    page.close()


def test_a_passing_pointer_and_a_page_without_links_fetch_nothing(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{address}/{CHAPTER}.html", wait_until="networkidle")
    link_on(page, "$='#equation-eq-leaky'").hover()
    expect(card_of(page)).to_be_visible()
    assert not [url for url in requests if "targets" in url]
    link_on(page, "$='#term-leak'").hover()
    link_on(page, "*='bibliography.html#'").hover()
    expect(card_of(page)).to_contain_text("1907")
    assert len([url for url in requests if "targets" in url]) == 1
    page.close()


def test_a_tap_follows_the_link(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{address}/{CHAPTER}.html", wait_until="load")
    link_on(page, "$='#equation-eq-leaky'").tap()
    page.wait_for_timeout(500)
    assert page.url.endswith("#equation-eq-leaky")
    assert card_of(page).count() == 0
    link_on(page, "$='#term-leak'").tap()
    page.wait_for_url("**/glossary.html#term-leak")
    context.close()


def test_the_card_fits_a_narrow_window(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(f"{address}/{CHAPTER}.html", wait_until="load")
    link_on(page, "$='#equation-eq-impulse'").hover()
    expect(card_of(page)).to_be_visible()
    box = card_of(page).bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    formula = card_of(page).locator(".katex-display")
    assert formula.evaluate("element => element.scrollWidth - element.clientWidth") <= 1
    page.close()


def test_paper_has_no_card(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/{CHAPTER}.html", wait_until="load")
    link_on(page, "$='#term-leak'").hover()
    expect(card_of(page)).to_be_visible()
    page.emulate_media(media="print")
    assert card_of(page).evaluate("element => getComputedStyle(element).display") == "none"
    page.close()


def test_other_pages_are_known_from_the_file_system_too(browser: Browser, site: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto((site / f"{CHAPTER}.html").as_uri(), wait_until="load")
    link_on(page, "$='#term-leak'").hover()
    expect(card_of(page)).to_contain_text("share")
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("where", ["$='#equation-eq-leaky'", "$='#term-leak'", "$='#recurrence.time.loop'"])
def test_an_open_card_breaks_no_rule(
    browser: Browser, address: str, where: str, theme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=theme, reduced_motion="reduce")
    page.goto(f"{address}/{CHAPTER}.html", wait_until="load")
    link_on(page, where).hover()
    expect(card_of(page)).to_be_visible()
    page.evaluate(AXE.read_text("utf-8"))
    # The card, and of the page what could concern it: the rest has its own tests.
    found = page.evaluate(
        "axe.run({include: ['#preview', '[aria-describedby=preview]']}, {resultTypes: ['violations']})"
    )
    page.close()
    assert found["passes"]
    assert [f"{rule['id']}: {node['html']}" for rule in found["violations"] for node in rule["nodes"]] == []
