"""What a newcomer types finds what the book has on it, in any of the two fields."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect


def results(page: Page, address: str, words: str) -> list[str]:
    """Titles of the results, once all of them are there."""
    page.goto(f"{address}/search.html?q={quote(words)}", wait_until="load")
    expect(page.locator("#search-results .search-summary")).to_contain_text("found")
    page.wait_for_load_state("networkidle")
    return page.locator("#search-results ul.search > li > a").all_inner_texts()


@pytest.mark.parametrize(
    ("words", "wanted", "first"),
    [
        ("leaky", {"Leaky integration", "Glossary"}, "Leaky "),
        ("XOR", {"Neuron", "Network"}, None),
        ("σ", {"Notation", "Neuron"}, None),
        ("τ", {"Notation", "Leaky integration"}, None),
        ("gradient", {"Network", "Glossary"}, None),
        ("LeakyIntegrator", {"recurrence.neurons.leaky_integration.LeakyIntegrator"}, None),
    ],
)
def test_words_find_their_pages(
    browser: Browser, address: str, *, words: str, wanted: set[str], first: str | None
) -> None:
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    found = results(page, address, words)
    quoted = page.locator("#search-results .context").all_inner_texts()
    page.close()
    assert wanted <= set(found)
    assert found[0].startswith(first or "")  # a chapter, not a name of the code
    # A result quotes its page, not the menus around it, and no source of a formula.
    assert quoted
    foreign = ("Repository", "Run this page", "Refreshers are", "\\")
    assert not [text for text in quoted if any(word in text for word in foreign)]
    assert problems == []


def test_the_quotation_shows_the_word(browser: Browser, address: str) -> None:
    page = browser.new_page()
    results(page, address, "XOR")
    quoted = page.locator("#search-results .context").all_inner_texts()
    page.close()
    assert quoted
    assert all("XOR" in text for text in quoted)


def test_the_field_in_the_sidebar_leads_to_the_results(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/index.html", wait_until="load")
    page.locator(".search-button-field").first.click()
    field = page.locator("dialog input[type=search]")
    expect(field).to_be_focused()
    # The glass stands beside the words, not on them.
    glass = page.locator("dialog .fa-magnifying-glass").bounding_box()
    box = field.bounding_box()
    assert glass is not None
    assert box is not None
    padding = float(field.evaluate("element => parseFloat(getComputedStyle(element).paddingLeft)"))
    assert glass["x"] + glass["width"] <= box["x"] + padding
    page.keyboard.type("leaky")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=leaky")
    expect(page.locator("#search-results ul.search > li").first).to_contain_text("Leaky ")
    page.close()
