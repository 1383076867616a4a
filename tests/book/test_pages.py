"""Every built page in a real browser: it loads cleanly, fits a phone, reads without scripts, and obeys the keys."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

DESK, PHONE = 1280, 360
Theme = Literal["light", "dark"]


def test_page_loads_without_error_or_foreign_request(visit: Any, address: str) -> None:
    assert visit.requests
    assert visit.problems == []
    assert [url for url in visit.requests if not url.startswith((address, "data:", "blob:"))] == []


@pytest.mark.parametrize("unfolded", [False, True], ids=["folded", "unfolded"])
def test_page_fits_a_phone(visit: Any, unfolded: bool) -> None:
    page = visit.show(PHONE, "light", unfolded)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_images_are_described_and_sized(visit: Any) -> None:
    """Those of the text in whole sentences; an image of known size moves nothing when it comes."""
    page = visit.page
    assert page.locator("article img").count() > 0 or not visit.chapter
    for image in page.locator("img").all():
        source = image.get_attribute("src")
        assert int(image.get_attribute("width") or 0) > 0, source
        assert int(image.get_attribute("height") or 0) > 0, source
        assert image.get_attribute("alt") is not None, source
        assert image.get_attribute("alt") or image.evaluate("image => image.closest('figure') !== null"), source
    # Where a figure comes in parts, the first speaks for all.
    for figure in page.locator("article figure:has(img)").all():
        described = figure.locator("img").evaluate_all("images => images.map(image => image.alt)")
        assert max(len(alt.split()) for alt in described) >= 5, described


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_follow_the_theme(visit: Any, theme: Theme) -> None:
    """Of each pair one is shown, and so one is known to a screen reader."""
    page = visit.show(DESK, theme, unfolded=True)
    shown = page.eval_on_selector_all(
        ".figure-pair",
        """pairs => pairs.map(pair => ["light", "dark"].filter(
            form => getComputedStyle(pair.querySelector(`.for-${form}`)).display !== "none").join("+"))""",
    )
    assert shown or not visit.chapter
    assert set(shown) <= {theme}


def test_mathematics_is_set_and_numbered_once(visit: Any) -> None:
    page = visit.page
    assert page.locator("article .katex-error").count() == 0
    assert page.locator("article .katex .eqn-num").count() == 0, "KaTeX numbers an equation: only Sphinx may"
    numbers = page.locator("article .eqno").evaluate_all("spans => spans.map(span => span.firstChild.textContent)")
    assert len(numbers) == len(set(numbers))
    assert numbers or not visit.chapter
    # To be read aloud once: what is drawn is hidden from screen readers, what they read is there.
    formulas = page.locator("article .katex")
    heard = formulas.evaluate_all(
        """formulas => formulas.filter(formula => formula.querySelectorAll(".katex-mathml math").length === 1
            && formula.querySelector(".katex-html").getAttribute("aria-hidden") === "true").length"""
    )
    assert heard == formulas.count()
    # Nothing that looks like unset mathematics is left in the text.
    if visit.chapter:
        text = page.locator("article").evaluate(
            """article => {
                const copy = article.cloneNode(true);
                copy.querySelectorAll('pre, code, script, .katex').forEach(node => node.remove());
                return copy.textContent;
            }"""
        )
        assert "$" not in text
        assert "\\(" not in text


def test_headings_lead_through_the_page(visit: Any) -> None:
    """One title, no empty heading, and none a level below one that is missing."""
    headings = visit.page.locator("main :is(h1, h2, h3, h4, h5, h6)")
    levels = headings.evaluate_all("headings => headings.map(heading => Number(heading.tagName[1]))")
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert [(a, b) for a, b in pairwise(levels) if b > a + 1] == []
    assert all(text.strip(" #\n") for text in headings.all_text_contents())


# What can be reached with the Tab key, each with how it looks when it is: a line round it that is seen, and it itself.
FOCUSED = """() => [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
    .filter(element => element.checkVisibility({visibilityProperty: true}) && element.tabIndex >= 0)
    .map(element => {
        element.focus({preventScroll: true});
        const style = getComputedStyle(element);
        const line = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
            && style.outlineColor !== getComputedStyle(document.body).backgroundColor;
        return [element.outerHTML.slice(0, 120), document.activeElement === element, line, style.opacity];
    })"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_focus_is_seen(visit: Any, theme: Theme) -> None:
    page = visit.show(DESK, theme, unfolded=True)
    page.add_style_tag(content="* { transition: none !important; }")
    page.keyboard.press("Tab")  # from now on the browser knows that the reader uses the keyboard
    stops = page.evaluate(FOCUSED)
    assert len(stops) > 10
    assert [tag for tag, focused, line, opacity in stops if focused and not (line and float(opacity) == 1)] == []
    assert sum(focused for _, focused, *_ in stops) > 0.9 * len(stops)


def test_controls_are_large_enough(visit: Any) -> None:
    """24 pixels each way for what is pressed; links in running text are as high as the text."""
    for width in (DESK, PHONE):
        page = visit.show(width, "light", unfolded=True)
        small = page.eval_on_selector_all(
            "button, summary, input, select, textarea, .bd-header-article a, nav.bd-links a",
            """controls => controls.filter(control => control.checkVisibility({visibilityProperty: true}))
                .map(control => [control, control.getBoundingClientRect()])
                .filter(([control, box]) => Math.min(box.width, box.height) < 24
                    && !control.closest("label, .flipbook"))
                .map(([control, box]) => `${box.width} x ${box.height}: ${control.outerHTML.slice(0, 120)}`)""",
        )
        assert small == []


def test_nothing_moves(visit: Any) -> None:
    """Nothing by itself, and nothing in passing for those who ask for less motion."""
    page = visit.page
    assert page.evaluate("document.getAnimations().filter(each => each.playState === 'running').length") == 0
    page.emulate_media(reduced_motion="reduce")
    moving = page.evaluate(
        """() => [document.documentElement, ...document.body.querySelectorAll("*")].filter(element => {
            const style = getComputedStyle(element);
            return parseFloat(style.transitionDuration) > 0 || style.animationName !== "none"
                || style.scrollBehavior !== "auto";
        }).map(element => element.outerHTML.slice(0, 100))"""
    )
    page.emulate_media(reduced_motion="no-preference")
    assert moving == []


# Without scripts


@pytest.fixture(scope="module")
def plain(browser: Browser) -> Any:
    context = browser.new_context(java_script_enabled=False)
    yield context
    context.close()


# The words of the article that nobody sees, apart from what is folded, and a figure's form for the other theme.
UNSEEN = """article => {
    const unseen = [];
    const words = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
        const parent = words.currentNode.parentElement;
        if (!words.currentNode.textContent.trim() || parent.closest("script, style, template, noscript")) continue;
        if (parent.closest("details:not([open]), .katex-mathml, [hidden], .headerlink")) continue;
        if (parent.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
        unseen.push(parent.outerHTML.slice(0, 120));
    }
    return unseen;
}"""


def test_page_reads_without_scripts(visit: Any, plain: BrowserContext, address: str) -> None:
    page = plain.new_page()
    page.goto(f"{address}/{visit.name}.html", wait_until="domcontentloaded")
    if visit.name == "search":  # the one page that does nothing without them, and says so
        assert "Please activate JavaScript" in page.content()
        page.close()
        return
    assert page.locator("article h1").is_visible()
    assert page.locator("article").evaluate(UNSEEN) == []
    if visit.chapter:
        assert page.locator("article .katex").first.is_visible()
    # The browser unfolds them by itself.
    page.locator("article details").evaluate_all("folded => folded.forEach(each => each.open = true)")
    for figure in page.locator("article figure").all():
        if figure.locator("img").count():
            figure.scroll_into_view_if_needed()
            assert figure.locator("img:visible").count() == 1
    page.close()


def test_unseen_words_are_found(plain: BrowserContext) -> None:
    page = plain.new_page()
    page.set_content("<article><p>Seen</p><p style='opacity:0'>Faint</p><details><p>Folded</p></details></article>")
    unseen = page.locator("article").evaluate(UNSEEN)
    page.close()
    assert len(unseen) == 1
    assert "Faint" in unseen[0]


# At the keyboard


def has_focus(page: Page, selector: str) -> bool:
    return bool(page.evaluate("selector => document.activeElement.matches(selector)", selector))


@pytest.mark.parametrize("button", [".primary-toggle", ".secondary-toggle"])
def test_a_dialog_on_a_phone_gives_the_focus_back(browser: Browser, address: str, button: str) -> None:
    page = browser.new_page(viewport={"width": PHONE, "height": 740})
    page.goto(f"{address}/index.html", wait_until="load")
    page.keyboard.press("Tab")
    page.locator(button).focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    dialog.wait_for()
    assert has_focus(page, "dialog *")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert has_focus(page, button)
    page.close()


def test_the_header_keeps_the_focus(browser: Browser, address: str) -> None:
    page = browser.new_page(color_scheme="light")
    page.goto(f"{address}/index.html", wait_until="load")
    page.keyboard.press("Tab")
    assert page.get_by_role("link", name="Skip to main content").is_visible()
    page.locator(".theme-switch-button").focus()
    seen = []
    for _ in range(3):
        page.keyboard.press("Enter")
        assert has_focus(page, ".theme-switch-button")
        assert page.locator(".theme-switch-button i:visible").count() == 1, "three modes, and one picture at a time"
        seen.append(page.evaluate("document.documentElement.dataset.mode"))
    assert sorted(seen) == ["auto", "dark", "light"]
    page.locator(".search-button-field").focus()
    page.keyboard.press("Enter")
    assert has_focus(page, "dialog[open] input[type=search]")
    page.keyboard.press("Escape")
    assert has_focus(page, ".search-button-field")
    page.close()


# From the files alone


def head_of(page: str) -> dict[str, str]:
    """Language, title and description that a page gives itself."""
    found = {
        "language": re.search(r'<html[^>]*\blang="([^"]*)"', page),
        "title": re.search(r"<title>([^<]*)</title>", page),
        "description": re.search(r'<meta name="description" content="([^"]*)"', page),
    }
    return {what: match[1].strip() if match else "" for what, match in found.items()}


def test_every_page_is_visited(site: Path, request: pytest.FixtureRequest) -> None:
    """The pages of source code are alike: one stands for all. The rest is seen one by one."""
    seen = {
        item.callspec.params["visit"] for item in request.session.items if "visit" in getattr(item, "fixturenames", [])
    }
    built = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    built = {name for name in built if not name.startswith(("_static/", "_modules/recurrence/"))}
    if len(request.session.items) > 100:  # not a few chosen tests
        assert built <= seen


def test_pages_say_what_they_are(site: Path) -> None:
    pages = {p.relative_to(site).as_posix(): p for p in site.rglob("*.html") if "_static" not in p.parts}
    heads = {name: head_of(path.read_text("utf-8")) for name, path in pages.items()}
    assert {name: head for name, head in heads.items() if not all(head.values())} == {}
    assert {head["language"] for head in heads.values()} == {"en"}
    for what in ("title", "description"):
        many = Counter(head[what] for head in heads.values())
        assert [said for said, times in many.items() if times > 1] == []


def test_a_page_that_says_nothing_is_found() -> None:
    assert head_of("<html><title> </title>") == {"language": "", "title": "", "description": ""}
