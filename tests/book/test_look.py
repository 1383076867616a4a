"""Each figure shows the form that fits: to the reader's theme, to the system's, without scripts, and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [
    name for name in PAGES if "\ndate:" in (ROOT / "book" / f"{name}.md").read_text("utf-8").split("\n---\n")[0]
]
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
    # What a folded solution holds is not seen before it is opened.
    pairs = page.locator(".figure-pair:not(details:not([open]) *)")
    assert pairs.count()
    for i in range(pairs.count()):
        assert pairs.nth(i).locator(f".for-{system}:not(.half)").is_visible()
        assert pairs.nth(i).locator("img:visible").count() == 1
    context.close()


@every_chapter
def test_text_is_set_in_the_serif(browser: Browser, address: str, name: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    loaded = page.evaluate("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")
    page.close()
    assert '"Recurrence Serif"' in loaded or "Recurrence Serif" in loaded


@every_chapter
def test_two_panels_stand_below_one_another_on_a_phone(browser: Browser, address: str, name: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(f"{address}/{name}.html", wait_until="load")
    sizes = """pairs => pairs.map(pair => {
        const images = [...pair.querySelectorAll("img")].filter(one => one.getClientRects().length);
        const boxes = images.map(one => one.getBoundingClientRect());
        return [images.length, Math.max(...boxes.map(box => box.width)), boxes.at(-1).top - boxes[0].bottom];
    })"""
    cut = page.eval_on_selector_all(".figure-cut", sizes)
    page.set_viewport_size({"width": 1280, "height": 740})
    whole = page.eval_on_selector_all(".figure-cut", sizes)
    page.close()
    assert cut, "no figure of the chapter is cut"
    for count, width, gap in cut:
        assert count == 2
        assert width > 310
        assert abs(gap) < 1
    assert {count for count, *_ in whole} == {1}


def test_a_cut_flipbook_shows_both_halves_of_the_frame(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(f"{address}/neurons/leaky_integration.html", wait_until="load")
    page.locator(".flipbook input").press("ArrowRight")
    page.wait_for_selector(".flipbook-frame svg")
    views = """frames => frames.map(one => one.getAttribute("viewBox").split(" ").map(Number))"""
    (left, *_, height), (right, _, width, same) = page.eval_on_selector_all(".flipbook-frame svg", views)
    pair = page.locator(".flipbook .figure-pair").bounding_box()
    frame = page.locator(".flipbook-frame").bounding_box()
    page.set_viewport_size({"width": 1280, "height": 740})
    page.wait_for_function("document.querySelectorAll('.flipbook-frame svg').length === 1")
    (whole,) = page.eval_on_selector_all(".flipbook-frame svg", views)
    page.close()
    assert left == 0 < right
    assert right + width == whole[2]
    assert height == same == whole[3]
    assert pair and frame
    assert abs(pair["height"] - frame["height"]) < 2
