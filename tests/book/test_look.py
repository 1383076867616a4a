"""Each figure shows the form that fits: to the reader's theme, to the system's, without scripts, and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [name for name in PAGES if "{code-cell}" in (ROOT / "book" / f"{name}.md").read_text("utf-8")]
Theme = Literal["light", "dark"]

every_chapter = pytest.mark.parametrize("name", CHAPTERS)


def shown(page: Page) -> set[str]:
    """Which forms are displayed: the set has one member where all figures agree and none shows both or neither."""
    forms = page.eval_on_selector_all(
        ".figure-pair",
        """pairs => pairs.map(pair => ["light", "dark"].filter(
            form => getComputedStyle(pair.querySelector(`.for-${form}`)).display !== "none").join("+"))""",
    )
    assert forms, "the chapter has no figure"
    return set(forms)


@every_chapter
@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize("chosen", ["light", "dark"])
def test_figures_follow_the_reader_not_the_system(
    browser: Browser, address: str, name: str, system: Theme, chosen: Theme
) -> None:
    context = browser.new_context(color_scheme=system)
    context.add_init_script(f"localStorage.setItem('theme', '{chosen}'); localStorage.setItem('mode', '{chosen}')")
    page = context.new_page()
    page.goto(f"{address}/{name}.html", wait_until="load")
    assert shown(page) == {chosen}
    page.emulate_media(media="print")
    assert shown(page) == {"light"}
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    assert background == "rgb(254, 254, 254)"


@every_chapter
@pytest.mark.parametrize("system", ["light", "dark"])
def test_figures_follow_the_system_without_scripts(browser: Browser, address: str, name: str, system: Theme) -> None:
    context = browser.new_context(color_scheme=system, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{name}.html", wait_until="load")
    pairs = page.locator(".figure-pair")
    for i in range(pairs.count()):
        assert pairs.nth(i).locator(f".for-{system}").is_visible()
        assert pairs.nth(i).locator("img:visible").count() == 1
    context.close()


@every_chapter
def test_text_is_set_in_the_serif(browser: Browser, address: str, name: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    loaded = page.evaluate("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")
    page.close()
    assert '"Recurrence Serif"' in loaded or "Recurrence Serif" in loaded
