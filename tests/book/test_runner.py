"""The button "Run this page" in a real browser: cells run, are changed, fail, are stopped; the page stays whole."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

import pyodide
import run_in_node

CHAPTER = "neurons/leaky_integration"
PATIENCE = 240_000  # ms: the machine may be busy with other tests
STEP = 3  # the cell that prints the five numbers
FIGURE = "#fig-leaky-balance"  # drawn by cell 2
FLIPBOOK = "#fig-leaky-slider"

# RECURRENCE_PAGES=all runs every chapter. For each change of the book one more will do: it begins with a flipbook, and
# all of them run in Node.
WHOLE = run_in_node.names() if os.environ.get("RECURRENCE_PAGES") == "all" else ["basics/neuron"]

expect.set_options(timeout=60_000)
# One process for all of them: they share a page that has been run.
pytestmark = pytest.mark.xdist_group("runner")


@pytest.fixture(scope="module")
def here(site: Path) -> Path:
    if not (site / "_static" / "pyodide").exists():
        pytest.fail("The site has no Python of its own: run 'nox -s pyodide', and build the book again.")
    return site


@pytest.fixture(scope="module")
def context(browser: Browser, here: Path) -> Iterator[BrowserContext]:
    """One reader, who keeps what the browser keeps."""
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def running(context: BrowserContext, address: str) -> Iterator[Page]:
    """The chapter, all of whose cells have been run: shared, because it takes a while."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{address}/{CHAPTER}.html")
    assert page.evaluate("caches.keys()") == [], "something was kept before the reader asked"
    page.evaluate("window.printed = document.querySelector('#fig-leaky-balance img').src")
    page.get_by_role("button", name="Run this page").click()
    expect(note(page)).to_have_text(re.compile(r"28 cells ran in [\d.]+ s\."), timeout=PATIENCE)
    yield page
    assert problems == []
    page.close()


def note(page: Page) -> Locator:
    return page.locator(".run-note")


def cell(page: Page, number: int) -> Locator:
    return page.locator(f"#cell-{number}")


def press(page: Page, name: str, number: int) -> None:
    cell(page, number).get_by_role("button", name=f"{name} cell {number}", exact=True).click()


def write(page: Page, number: int, text: str) -> None:
    """Put other code into a cell, as a reader would."""
    cell(page, number).locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(text)


def state(page: Page, number: int) -> Locator:
    return cell(page, number).locator(".run-state").last


def shown(page: Page, number: int) -> Locator:
    return cell(page, number).locator(".cell_output")


# Before the reader asks


def test_nothing_is_loaded_before_the_reader_asks(browser: Browser, address: str, here: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/{CHAPTER}.html", wait_until="networkidle")
    button = page.get_by_role("button", name="Run this page")
    assert button.is_visible()
    assert re.search(r"Fetches (1\d|20) MB, once; takes about 10 s", note(page).text_content() or "")
    page.close()
    assert asked
    assert [url for url in asked if re.search(r"runner|pyodide|codemirror", url)] == []


def test_what_travels_fits_the_budget(here: Path) -> None:
    for name in run_in_node.names():
        python = run_in_node.control_of(here, name)["python"]
        assert sum(file["wire"] for file in python["files"]) < 20_000_000
    control = re.search(r'<div class="run-page".*?</script>', (here / f"{CHAPTER}.html").read_text("utf-8"), re.S)
    assert control
    assert len(gzip.compress(control[0].encode())) < 12_000


def test_a_page_without_scripts_shows_no_dead_button(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{CHAPTER}.html")
    assert not page.locator(".run-page").is_visible()
    context.close()


# Running


def test_every_cell_has_run_and_shows_what_the_book_showed(running: Page) -> None:
    assert shown(running, STEP).inner_text().split() == ["0.5", "0.25", "0.125", "0.0625", "0.03125"]
    names = running.locator("div.cell").evaluate_all("cells => cells.map(cell => cell.id)")
    assert len(names) == 27
    for number in (int(name.removeprefix("cell-")) for name in names):
        assert re.search(r"^ran( in [\d.]+ s)?$", state(running, number).text_content() or ""), number
    assert running.locator(".run-error").count() == 0
    assert running.locator("article table.compare").count() >= 5


def test_a_figure_stands_where_the_book_had_it_in_both_themes(running: Page) -> None:
    pair = running.locator(f"{FIGURE} .figure-pair img")
    sources = pair.evaluate_all("images => images.map(image => image.src)")
    assert len(sources) == 2
    assert all(source.startswith("blob:") for source in sources)
    assert running.locator(f"{FIGURE} figcaption").count() == 1
    for theme in ("light", "dark"):
        running.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        assert running.locator(f"{FIGURE} img:visible").count() == 1
        box = running.locator(f"{FIGURE} img:visible").bounding_box()
        assert box and box["width"] > 400 and box["height"] > 150
    alt = pair.first.get_attribute("alt") or ""
    assert "leak 0.3 jumps" in alt
    colours = running.evaluate(
        "sources => Promise.all(sources.map(source => fetch(source).then(answer => answer.text())))", sources
    )
    assert "#1c388a" in colours[0] and "#45aaff" in colours[1] and "#1c388a" not in colours[1]
    running.evaluate("document.documentElement.dataset.theme = 'light'")


def test_a_flipbook_that_was_made_again_works_as_before(running: Page) -> None:
    place = running.locator(FLIPBOOK)
    place.scroll_into_view_if_needed()
    assert place.locator("script").count() == 1, "its frames came with the cell"
    slider = place.locator("input")
    slider.focus()
    slider.press("End")
    place.locator(".flipbook-frame svg").wait_for()
    assert place.locator(".flipbook-frame").get_attribute("data-frame") == slider.get_attribute("max")
    assert place.locator(".flipbook-controls").count() == 1


def test_a_change_is_run_and_kept_until_reset(context: BrowserContext, running: Page, address: str) -> None:
    before = cell(running, STEP).locator(".cm-content").inner_text()
    write(running, STEP, "print('leak', 3 * 7)\nLeakyIntegrator(0.5)")
    assert state(running, STEP).text_content() == "changed, not run"
    press(running, "Run", STEP)
    expect(shown(running, STEP)).to_contain_text("leak 21")
    assert "LeakyIntegrator(leak=0.5)" in shown(running, STEP).inner_text()

    other = context.new_page()
    other.goto(f"{address}/{CHAPTER}.html")
    expect(note(other)).to_contain_text("What you changed in one cell is kept.")
    other.close()

    press(running, "Reset", STEP)
    assert cell(running, STEP).locator(".cm-content").inner_text() == before
    assert shown(running, STEP).inner_text().split()[0] == "0.5"
    assert running.evaluate("Object.keys(localStorage).filter(key => key.startsWith('recurrence-edits'))") == []


def test_an_error_stops_the_page_and_names_its_line(running: Page) -> None:
    write(running, STEP, "a = 1\na / 0")
    press(running, "Run to here", 6)
    expect(note(running)).to_contain_text(f"Cell {STEP} stopped with an error.")
    assert shown(running, STEP).inner_text().split("\n") == [
        f"cell {STEP}, line 2",
        "    a / 0",
        "ZeroDivisionError: division by zero",
    ]
    assert state(running, STEP).text_content() == "stopped by an error"
    assert state(running, 6).text_content() == "not run"
    assert running.locator(".run-page [role=status]").text_content() == f"Cell {STEP} stopped with an error."
    press(running, "Reset", STEP)


def test_too_large_an_array_is_an_error_like_any_other(running: Page) -> None:
    write(running, STEP, "[np.empty((11_000, 11_000)) for _ in range(5)]")
    press(running, "Run", STEP)
    expect(shown(running, STEP)).to_contain_text("take smaller arrays")
    press(running, "Reset", STEP)


def test_what_a_cell_shows_is_rich(running: Page) -> None:
    write(running, STEP, "class Bold:\n  def _repr_html_(self):\n    return '<b class=\"own\">bold</b>'\n\nBold()")
    cell(running, STEP).locator(".cm-content").press("ControlOrMeta+Enter")
    expect(shown(running, STEP).locator("b.own")).to_have_text("bold")
    press(running, "Reset", STEP)


def test_keyboard_alone_is_enough(running: Page) -> None:
    editor = cell(running, STEP).locator(".cm-content")
    editor.focus()
    running.keyboard.press("ControlOrMeta+a")
    running.keyboard.type("print('typed')")
    running.keyboard.press("Shift+Enter")
    expect(shown(running, STEP)).to_have_text(re.compile("typed"))
    focused = "document.activeElement.getAttribute('aria-label')"
    assert running.evaluate(focused) == "Code of cell 4"
    editor.focus()
    running.keyboard.press("Escape")
    assert running.evaluate("document.activeElement.textContent") == f"Run cell {STEP}"
    # The order in which Tab goes: Run, Run to here, Reset.
    running.keyboard.press("Tab")
    running.keyboard.press("Tab")
    running.keyboard.press("Enter")
    assert "typed" not in editor.inner_text()
    editor.focus()
    running.keyboard.press("Tab")
    assert running.evaluate("document.activeElement.closest('.cm-editor')") is None, "an editor holds nobody captive"


def test_python_that_breaks_down_starts_anew(running: Page) -> None:
    write(running, STEP, "import sys\nsys.setrecursionlimit(10**8)\ndef f(): return [*map(lambda x: f(), [0])]\nf()")
    press(running, "Run", STEP)
    expect(note(running)).to_contain_text(re.compile("broke down|Starting|Python is ready|stopped with an error"))
    press(running, "Reset", STEP)
    press(running, "Run", STEP)
    expect(note(running)).to_have_text(re.compile(r"cells? ran in [\d.]+ s\."), timeout=PATIENCE)
    assert shown(running, STEP).inner_text().split()[:2] == ["0.5", "0.25"]


def test_an_endless_loop_is_stopped_and_python_starts_anew_without_a_network(
    context: BrowserContext, running: Page
) -> None:
    context.set_offline(True)
    try:
        write(running, STEP, "print('begun', flush=True)\nwhile True:\n    pass")
        press(running, "Run", STEP)
        expect(shown(running, STEP)).to_have_text(re.compile("begun"))
        assert state(running, STEP).text_content() == "running …"
        press(running, "Stop", STEP)
        expect(note(running)).to_have_text(re.compile("Stopped|Starting Python|Python is ready"))
        write(running, STEP, "print('and on', y.shape)\nplots.figure();")
        # Nothing has run in the new Python: what stands above is run first.
        running.evaluate("window.scrollTo(0, 0)")
        press(running, "Reset", STEP)
        press(running, "Run", STEP)
        expect(note(running)).to_have_text(re.compile(r"3 cells ran in [\d.]+ s\."), timeout=PATIENCE)
        assert shown(running, STEP).inner_text().split()[:2] == ["0.5", "0.25"]
    finally:
        context.set_offline(False)


def test_a_running_page_fits_a_phone_and_the_dark(running: Page) -> None:
    running.set_viewport_size({"width": 360, "height": 740})
    running.evaluate("document.documentElement.dataset.theme = 'dark'")
    try:
        assert running.evaluate("document.documentElement.scrollWidth") <= 360
        code = cell(running, STEP).locator(".cm-editor")
        assert code.evaluate("element => getComputedStyle(element).color") == "rgb(228, 226, 221)"
        for button in cell(running, STEP).get_by_role("button").all():
            if button.is_visible():
                box = button.bounding_box()
                assert box and box["x"] + box["width"] <= 360
    finally:
        running.evaluate("document.documentElement.dataset.theme = 'light'")
        running.set_viewport_size({"width": 1300, "height": 900})


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1300])
def test_a_running_page_breaks_no_rule(
    running: Page, violations: Callable[[Page], list[str]], width: int, theme: str
) -> None:
    """With everything unfolded, a cell that is being edited, and one that failed."""
    running.set_viewport_size({"width": width, "height": 900})
    running.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    running.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    write(running, STEP, "print(1 / 0)  # fails")
    press(running, "Run", STEP)
    try:
        expect(cell(running, STEP).locator(".run-error")).to_be_visible()
        assert violations(running) == []
    finally:
        press(running, "Reset", STEP)
        press(running, "Run", STEP)
        running.evaluate("document.documentElement.dataset.theme = 'light'")
        running.set_viewport_size({"width": 1300, "height": 900})


@pytest.mark.parametrize("name", WHOLE)
def test_every_cell_of_a_page_runs(browser: Browser, address: str, here: Path, name: str) -> None:
    cells = run_in_node.control_of(here, name)["cells"]
    page = browser.new_page()
    page.goto(f"{address}/{name}.html")
    page.get_by_role("button", name="Run this page").click()
    expect(note(page)).to_have_text(re.compile(rf"{len(cells)} cells ran in [\d.]+ s\."), timeout=PATIENCE)
    assert page.locator(".run-error").count() == 0
    page.close()


# Where it cannot run


def refused(page: Page, address: str) -> str:
    """What the page says when it cannot be run; it is as it was."""
    page.goto(f"{address}/{CHAPTER}.html")
    outputs = "[...document.querySelectorAll('.cell_output')].map(output => output.outerHTML).join()"
    printed = page.evaluate(outputs)
    page.get_by_role("button", name="Run this page").click()
    expect(page.locator(".run-refused .run-note")).to_be_visible()
    words = note(page).text_content() or ""
    assert page.evaluate(outputs) == printed
    assert "<img" in printed
    return words


def test_no_web_assembly(browser: Browser, address: str, here: Path) -> None:
    page = browser.new_page()
    page.add_init_script("delete globalThis.WebAssembly")
    assert "no WebAssembly" in refused(page, address)
    assert page.get_by_role("button", name="Run this page").is_enabled()
    page.close()


def test_no_modules_in_workers(browser: Browser, address: str, here: Path) -> None:
    page = browser.new_page()
    page.add_init_script("globalThis.Worker = class { terminate() {} }")
    assert "modules in a worker" in refused(page, address)
    page.close()


@pytest.mark.parametrize("lost", ["**/page.mjs*", "**/codemirror.mjs*", "**/pyodide.asm.wasm", "**/*.whl"])
def test_a_broken_network_and_a_second_try(browser: Browser, address: str, here: Path, lost: str) -> None:
    context = browser.new_context()
    context.set_default_timeout(60_000)
    page = context.new_page()

    def lose(route: Route) -> None:
        route.abort()

    context.route(lost, lose)
    words = refused(page, address)
    assert "could not be fetched" in words
    assert "connection" in words
    context.unroute(lost, lose)
    if lost.endswith("wasm"):
        page.get_by_role("button", name="Run all").click()
        expect(note(page)).to_have_text(re.compile("Starting Python|Running cell"))
        page.get_by_role("button", name="Stop", exact=True).click()
    context.close()


def test_from_the_file_system_the_page_says_why_not(browser: Browser, here: Path) -> None:
    page = browser.new_page()
    page.goto((here / f"{CHAPTER}.html").as_uri())
    assert "web server" in (note(page).text_content() or "")
    assert page.get_by_role("button", name="Run this page").count() == 0
    page.close()


def test_licences_are_published_with_what_they_are_for(here: Path) -> None:
    licences = here / "_static" / "pyodide" / pyodide.VERSION / "licences"
    named: dict[str, Any] = {path.name: path for path in licences.iterdir()}
    assert {"README.txt", "MPL-2.0.txt", "PSF-2.0.txt", "numpy.txt", "matplotlib.txt"} <= set(named)
