"""Every page keeps the rules of axe-core, light and dark, on a desk and on a phone, folded and unfolded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

DESK, PHONE = 1280, 360
Theme = Literal["light", "dark"]
Violations = Callable[[Page], list[str]]


@pytest.mark.parametrize(("width", "theme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk-light", "phone-dark"])
def test_page_breaks_no_rule(visit: Any, violations: Violations, width: int, theme: Theme) -> None:
    """With everything unfolded."""
    assert violations(visit.show(width, theme, unfolded=True)) == []


@pytest.mark.parametrize(("width", "theme"), [(DESK, "dark"), (PHONE, "light")], ids=["desk-dark", "phone-light"])
def test_the_other_pairs_break_no_rule(visit: Any, violations: Violations, width: int, theme: Theme) -> None:
    """Folded. One page of each kind is enough: the pages of a kind share their parts and their style sheets."""
    if visit.name in ("index", "neurons/leaky_integration", "search"):
        assert violations(visit.show(width, theme, unfolded=False)) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_dialogs_on_a_phone_break_no_rule(browser: Browser, address: str, violations: Violations, theme: Theme) -> None:
    """On one page, because they are the same on all: the contents of the book, those of the page, the search field."""
    context = browser.new_context(viewport={"width": PHONE, "height": 740}, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{address}/index.html", wait_until="load")
    for opener in ("button.primary-toggle", "button.secondary-toggle", "the key"):
        if opener == "the key":
            page.keyboard.press("Control+k")
        else:
            page.locator(f"{opener}:visible").click()
        dialog = page.locator("dialog[open]")
        dialog.wait_for()
        assert violations(page) == []
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
    context.close()


FAULTY = """<!DOCTYPE html><html><head><title>Faults</title></head><body>
<h1>One</h1><h3>Three</h3><main><img src="data:,"><button></button><button aria-label="Ask">Search</button>
<p style="color: #999; background: white">Pale words on white paper.</p></main></body></html>"""


def test_faults_are_found(browser: Browser, violations: Violations) -> None:
    page = browser.new_page()
    page.set_content(FAULTY)
    found = {line.partition(":")[0] for line in violations(page)}
    page.close()
    wanted = {"button-name", "color-contrast", "heading-order", "html-has-lang", "image-alt", "region"}
    assert found == wanted | {"label-content-name-mismatch"}
