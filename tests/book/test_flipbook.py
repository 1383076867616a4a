"""Flipbooks in a real browser: every slider shows the right frame, in the book, from the file system, in a notebook."""

from __future__ import annotations

import base64
import gzip
import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Frame, Locator, Page, Route
from sphinx_external_toc.parsing import parse_toc_yaml

from recurrence import plots
from recurrence_book import figures

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
# The page on contributing shows how to write one, and has none.
SOURCES = {name: (ROOT / "book" / f"{name}.md").read_text("utf-8") for name in PAGES}
WITH_FLIPBOOK = [name for name, text in SOURCES.items() if "\nplots.flipbook(" in text and name != "contributing"]
CHAPTER = "neurons/leaky_integration"
WHERE = "#fig-leaky-slider"
LAST = 39

every_page = pytest.mark.parametrize("name", WITH_FLIPBOOK)


def pixels(shot: bytes) -> NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=np.int16)


def assert_looks_like(shown: bytes, expected: bytes, others: Iterable[bytes]) -> None:
    """Closer by far to what is expected than to any other: a fraction of a pixel shades all edges differently."""

    def distance(other: bytes) -> float:
        assert pixels(shown).shape == pixels(other).shape
        return float(np.abs(pixels(shown) - pixels(other)).mean())

    assert pixels(expected).std() > 5, "the expected picture is empty"
    assert distance(expected) < 0.5 * min(map(distance, others))


def picture_of(browser: Browser, svg: str, box: dict[str, float], background: str) -> bytes:
    """A drawing as an image of its own on an empty page, at the place and in the size of another."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    place = f"position:absolute;left:{box['x']}px;top:{box['y']}px;width:{box['width']}px;height:{box['height']}px"
    page.set_content(f'<body style="margin:0;background:{background}"><img style="{place}" src="{source}">')
    page.locator("img").evaluate("image => image.decode()")
    shot = page.locator("img").screenshot()
    page.close()
    return shot


def frames_of(site: Path, name: str) -> list[plots.Flipbook]:
    """The flipbooks of a page, read from the files that the page would load."""
    page = site / f"{name}.html"
    addresses = re.findall(r'data-frames="([^"]+)"', page.read_text("utf-8"))
    books = []
    for address in addresses:
        text = (page.parent / address).read_text("utf-8")
        data = text[text.index(",") + 1 : text.rindex(")")]
        book = plots.Flipbook.from_html(f'<div class="flipbook "><script type="application/json">{data}</script>')
        assert book is not None
        books.append(book)
    return books


def look_at(page: Page, address: str, name: str = CHAPTER, where: str = WHERE) -> Locator:
    page.goto(f"{address}/{name}.html", wait_until="load")
    place = page.locator(where)
    place.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")
    return place


def assert_shows(place: Locator, book: plots.Flipbook, frame: int) -> None:
    """The readout, what a screen reader is told and what is drawn all agree."""
    (slider,) = book.sliders
    drawing = place.locator(".flipbook-frame")
    drawing.locator("svg").first.wait_for()
    assert place.locator(".flipbook-value").text_content() == slider.texts[frame]
    assert place.locator("input").get_attribute("aria-valuetext") == f"{slider.label} {slider.texts[frame]}"
    assert drawing.get_attribute("data-frame") == str(frame)
    assert drawing.locator("svg").first.get_attribute("aria-label") == book.alts[frame]
    assert place.locator("img:visible").count() <= 1


@pytest.fixture(scope="module")
def book(site: Path) -> plots.Flipbook:
    (found,) = frames_of(site, CHAPTER)
    return found


# In the book


@every_page
def test_frames_fit_the_budget(site: Path, name: str) -> None:
    books = frames_of(site, name)
    assert books
    for found in books:
        assert len(gzip.compress(found.to_json().encode(), 6)) < 300_000


def test_the_leak_is_drawn_as_it_is_said(book: plots.Flipbook) -> None:
    (slider,) = book.sliders
    assert len(book.frames) == len(slider.texts) == LAST + 1
    assert all(f"leak {text} " in alt for text, alt in zip(slider.texts, book.alts, strict=True))
    assert "half of the power at 0.105" in book.alt
    hears = [("every frequency" not in alt) for alt in book.alts]
    assert hears == [float(text) <= 2 * np.sqrt(2) - 2 for text in slider.texts]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_keyboard(browser: Browser, address: str, book: plots.Flipbook, theme: Literal["light", "dark"]) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 900}, color_scheme=theme)
    place = look_at(page, address)
    slider = place.locator("input")
    slider.focus()
    assert slider.evaluate("element => element.labels[0].textContent").startswith("leak α")
    for key, frame in [("End", LAST), ("ArrowLeft", LAST - 1), ("Home", 0), ("ArrowUp", 1), ("ArrowRight", 2)]:
        slider.press(key)
        assert_shows(place, book, frame)
    picture = place.locator(".flipbook-frame svg")
    found = picture.bounding_box()
    assert found is not None
    box = dict(found)
    paper = plots.COLOURS["paper"]

    def drawing(frame: int) -> bytes:
        svg = book.svg(frame)
        if theme == "dark":
            return picture_of(browser, figures.dark(svg), box, plots.DARK[paper])
        return picture_of(browser, svg, box, paper)

    assert_looks_like(picture.screenshot(), drawing(2), map(drawing, [0, 1, 3]))
    page.close()


def along(slider: Locator, share: float) -> tuple[float, float]:
    """The point of the track at which the slider's thumb stands at a share of its way."""
    box = slider.bounding_box()
    assert box is not None
    thumb = 16
    return box["x"] + thumb / 2 + share * (box["width"] - thumb), box["y"] + box["height"] / 2


def test_mouse(browser: Browser, address: str, book: plots.Flipbook) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    place = look_at(page, address)
    slider = place.locator("input")
    page.mouse.click(*along(slider, 26 / LAST))
    assert_shows(place, book, 26)
    page.mouse.move(*along(slider, 26 / LAST))
    page.mouse.down()
    page.mouse.move(*along(slider, 13 / LAST), steps=8)
    assert_shows(place, book, 13)
    page.mouse.up()
    page.close()


def test_touch(browser: Browser, address: str, book: plots.Flipbook) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    place = look_at(page, address)
    slider = place.locator("input")
    page.touchscreen.tap(*along(slider, 0.75))
    place.locator(".flipbook-frame svg").first.wait_for()
    frame = int(slider.input_value())
    assert abs(frame - 0.75 * LAST) <= 2
    assert_shows(place, book, frame)
    context.close()


def test_nothing_is_fetched_before_the_reader_is_near(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(f"{address}/{CHAPTER}.html", wait_until="networkidle")
    assert not [url for url in fetched if url.endswith("-frames.js")]
    # A screen above it is near enough; touching it anyway must not fetch it a second time.
    page.locator(WHERE).evaluate(
        "element => scrollTo(0, element.getBoundingClientRect().top + scrollY - innerHeight - 200)"
    )
    page.wait_for_function("document.querySelector('head script[src$=\"-frames.js\"]') !== null")
    page.locator(f"{WHERE} input").press("End")
    page.wait_for_load_state("networkidle")
    assert len([url for url in fetched if url.endswith("-frames.js")]) == 1
    page.close()


def test_from_the_file_system(browser: Browser, site: Path, book: plots.Flipbook) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(request.url))
    place = look_at(page, site.as_uri())
    place.locator("input").press("End")
    assert_shows(place, book, LAST)
    page.close()
    # Fonts that the theme asks for ahead of time are refused there, whatever we do.
    assert not [problem for problem in problems if ".woff2" not in problem]


@every_page
def test_without_scripts_the_first_frame_stands_alone(browser: Browser, address: str, name: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{name}.html")
    for place in page.locator(".flipbook").all():
        place.scroll_into_view_if_needed()
        assert place.locator("img:visible").count() == 1
        assert place.locator("input:visible, button:visible").count() == 0
        assert place.locator(".flipbook-value:visible").count() == 0
    context.close()


def test_the_theme_changes_under_the_frame(browser: Browser, address: str) -> None:
    page = browser.new_page(color_scheme="light")
    place = look_at(page, address)
    place.locator("input").press("End")
    place.locator(".flipbook-frame svg").wait_for()
    colours = """svg => [...svg.querySelectorAll("path")].map(path => getComputedStyle(path).stroke)"""
    light = set(place.locator(".flipbook-frame svg").evaluate(colours))
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = set(place.locator(".flipbook-frame svg").evaluate(colours))
    page.close()

    def rgb(colour: str) -> str:
        return "rgb({}, {}, {})".format(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)))

    blue = plots.COLOURS["blue"]
    assert rgb(blue) in light
    assert rgb(plots.DARK[blue]) in dark
    assert (light & dark) <= {"none"}


def test_paper_shows_the_first_frame(browser: Browser, address: str) -> None:
    page = browser.new_page(color_scheme="dark")
    place = look_at(page, address)
    place.locator("input").press("End")
    place.locator(".flipbook-frame svg").wait_for()
    page.emulate_media(media="print")
    assert place.locator(".for-light:not(.half)").is_visible()
    assert not place.locator(".for-dark:not(.half)").is_visible()
    assert not place.locator(".flipbook-frame").is_visible()
    assert not place.locator(".flipbook-controls").is_visible()
    page.close()


@pytest.mark.parametrize("width", [360, 1300])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_moves_but_the_drawing(
    browser: Browser, address: str, width: int, theme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
    # Held back, the script finds a page that is laid out already.
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/flipbook.js*", hold)
    page.goto(f"{address}/{CHAPTER}.html", wait_until="commit")
    page.locator("footer").first.wait_for(state="attached")
    place = page.locator(WHERE)
    place.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")
    place.locator("img:visible").evaluate_all("images => Promise.all(images.map(image => image.decode()))")
    size = "element => [element.offsetWidth, element.offsetHeight]"
    before = place.evaluate(size)
    for route in held:
        route.continue_()
    slider = place.locator("input")
    page.wait_for_function("document.querySelector('.flipbook').dataset.started !== undefined")
    assert place.evaluate(size) == before
    track = slider.bounding_box()
    for key in ("End", "Home"):
        slider.press(key)
        place.locator(".flipbook-frame svg").first.wait_for()
        assert place.evaluate(size) == before
        assert slider.bounding_box() == track
    # On a phone both are in two halves.
    boxes = """all => all.map(one => one.getBoundingClientRect()).map(box => [box.x, box.y, box.width, box.height])"""
    still = place.locator(f".for-{theme}").evaluate_all(boxes)
    drawing = place.locator(".flipbook-frame svg").evaluate_all(boxes)
    seen = [box for box in still if box[2]]
    assert len(drawing) == len(seen) == (2 if width == 360 else 1)
    assert np.array(drawing) == pytest.approx(np.array(seen), abs=0.6)
    page.close()


def stop_the_clock(page: Page) -> None:
    """Let time pass only where a test says so: on a busy machine it would run ahead between two lines."""
    page.clock.install(time=0)
    page.clock.pause_at(1000)


@every_page
def test_a_flipbook_fits_a_phone(browser: Browser, address: str, name: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(f"{address}/{name}.html", wait_until="load")
    for place in page.locator(".flipbook").all():
        for slider in place.locator("input").all():
            # Away from where it starts: there the image of the page stays, and no frame is drawn.
            slider.press("Home" if slider.evaluate("slider => slider.defaultValue === slider.max") else "End")
            box = slider.bounding_box()
            assert box is not None
            assert box["width"] >= 100
            assert box["height"] >= 32
        place.locator(".flipbook-frame svg").first.wait_for()
        for part in place.locator("input, .flipbook-label, .flipbook-value, button").all():
            box = part.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()


def test_frames_that_do_not_come_are_said_to_be_missing(browser: Browser, address: str, book: plots.Flipbook) -> None:
    page = browser.new_page()
    page.route("**/*-frames.js", lambda route: route.abort())
    place = look_at(page, address)
    status = place.locator(".flipbook-status.flipbook-failed")
    status.wait_for()
    assert status.text_content() == "The other frames could not be loaded."
    assert place.locator("img:visible").count() == 1
    # The reader comes online again and goes on.
    page.unroute("**/*-frames.js")
    place.locator("input").press("End")
    assert_shows(place, book, LAST)
    assert status.count() == 0
    page.close()


# In a notebook


def bars(time: float, gain: float) -> Figure:
    """A figure without a layout of its own, so that it is the same whoever draws it."""
    fig = pyplot.figure(figsize=(4, 2), layout="none")
    ax = fig.add_axes((0.15, 0.2, 0.8, 0.7), ylim=(0, 10))
    ax.bar(["time", "gain"], [time, gain], color=[plots.COLOURS["blue"], plots.COLOURS["orange"]])
    ax.set_title(f"time {time}, gain {gain}")
    return fig


TIMES, GAINS = [1, 4, 9], [2.5, 7.5]


@pytest.fixture(scope="module")
def output() -> Iterator[plots.Flipbook]:
    with mpl.rc_context():
        plots.use()
        yield plots.flipbook(
            bars,
            time=TIMES,
            gain=GAINS,
            play="time",
            unit={"time": "ms"},
            alt=lambda time, gain: f"A bar of {time} and one of {gain}.",
        )


@pytest.fixture(scope="module")
def drawn(output: plots.Flipbook) -> Callable[[int, float], str]:
    def draw(time: int, gain: float) -> str:
        fig = bars(time, gain)
        svg = plots.svg(fig)
        pyplot.close(fig)
        return svg

    return draw


def sandboxed(page: Page, text: str) -> Frame:
    """Show an output as Colab does: in a frame that may run scripts and nothing else."""
    page.set_content('<body><iframe sandbox="allow-scripts" style="border:0" width="700" height="500"></iframe>')
    page.locator("iframe").evaluate("(frame, text) => { frame.srcdoc = text; }", f"<!DOCTYPE html><body>{text}")
    page.frame_locator("iframe").locator(".flipbook").wait_for()
    return page.frames[1]


def test_an_output_works_in_a_sandbox_without_any_request(
    browser: Browser, output: plots.Flipbook, drawn: Callable[[int, float], str]
) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    frame = sandboxed(page, output._repr_html_())
    times, gains = frame.locator("input").all()
    picture = frame.locator(".flipbook-frame svg")
    shots = {}
    for i, time in reversed(list(enumerate(TIMES))):
        for j, gain in reversed(list(enumerate(GAINS))):
            times.fill(str(i))
            gains.fill(str(j))
            assert picture.get_attribute("aria-label") == f"A bar of {time} and one of {gain}."
            shots[time, gain] = picture.screenshot()
    box = picture.bounding_box()
    assert box is not None
    expected = {at: picture_of(browser, drawn(*at), dict(box), plots.COLOURS["paper"]) for at in shots}
    for at, shot in shots.items():
        assert_looks_like(shot, expected[at], [other for place, other in expected.items() if place != at])
    times.fill("2")
    assert times.get_attribute("aria-valuetext") == "time 9 ms"
    page.close()
    assert problems == []


def test_an_output_shows_the_first_frame_where_scripts_are_taken_out(browser: Browser, output: plots.Flipbook) -> None:
    """JupyterLab does that with notebooks it does not trust: no scripts, styles, or attributes that hold data."""
    text = re.sub(r"<(script|style)\b.*?</\1>|\sdata-[\w-]+(=\"[^\"]*\")?", "", output._repr_html_(), flags=re.S)
    page = browser.new_page()
    page.set_content(text)
    image = page.locator("img")
    image.evaluate("image => image.decode()")
    assert image.evaluate("image => image.naturalWidth") == output.size[0]
    assert image.get_attribute("alt") == "A bar of 1 and one of 2.5."
    assert page.locator("input:visible, button:visible").count() == 0
    page.close()


def test_outputs_put_in_later_work_too_and_each_for_itself(browser: Browser, output: plots.Flipbook) -> None:
    """JupyterLab sets the text of an element and then makes its scripts anew, in every cell."""
    page = browser.new_page()
    page.set_content("<main></main>")
    for _ in range(2):
        page.evaluate(
            """text => {
                const cell = document.createElement("div");
                cell.innerHTML = text;
                document.querySelector("main").append(cell);
                for (const old of cell.querySelectorAll("script")) {
                    const script = document.createElement("script");
                    for (const {name, value} of old.attributes) script.setAttribute(name, value);
                    script.textContent = old.textContent;
                    old.replaceWith(script);
                }
            }""",
            output._repr_html_(),
        )
    first, second = page.locator(".flipbook").all()
    first.locator("input").first.press("End")
    second.locator("input").last.press("End")
    assert first.locator(".flipbook-frame").get_attribute("data-frame") == "4"
    assert second.locator(".flipbook-frame").get_attribute("data-frame") == "1"
    page.close()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_time_runs_when_asked_and_stops_at_its_end(
    browser: Browser, output: plots.Flipbook, motion: Literal["no-preference", "reduce"]
) -> None:
    page = browser.new_page(reduced_motion=motion)
    stop_the_clock(page)
    page.set_content(output._repr_html_())
    time = page.locator("input").first
    button = page.get_by_role("button")
    page.clock.run_for(10_000)
    assert page.locator(".flipbook-frame").count() == 0, "it moved before anybody asked"
    assert button.inner_text() == "Play"
    width = button.bounding_box()
    button.click()
    assert button.inner_text() == "Pause"
    assert button.bounding_box() == width
    page.clock.run_for(500)
    assert time.input_value() == "1"
    assert page.locator(".flipbook-frame").get_attribute("data-frame") == "2"
    button.click()
    page.clock.run_for(5_000)
    assert (button.inner_text(), time.input_value()) == ("Play", "1")
    button.click()
    page.clock.run_for(5_000)
    assert (button.inner_text(), time.input_value()) == ("Play", "2")
    assert page.locator("[role=status]").text_content() == "time 9 ms. A bar of 9 and one of 2.5."
    page.clock.run_for(5_000)
    assert page.locator("[role=status]").text_content() == "time 9 ms. A bar of 9 and one of 2.5."
    # From the end it begins anew, and a hand on the slider stops it.
    button.click()
    assert time.input_value() == "0"
    page.clock.run_for(500)
    page.locator("input").last.press("End")
    assert button.inner_text() == "Play"
    page.clock.run_for(5_000)
    assert time.input_value() == "1"
    page.close()


def test_what_is_seen_is_said_once_the_slider_rests(browser: Browser, output: plots.Flipbook) -> None:
    page = browser.new_page()
    stop_the_clock(page)
    page.set_content(output._repr_html_())
    status = page.locator("[role=status]")
    for key in ("ArrowRight", "ArrowRight"):
        page.locator("input").first.press(key)
        page.clock.run_for(300)
        assert status.text_content() == ""
    page.clock.run_for(1_000)
    assert status.text_content() == "A bar of 9 and one of 2.5."
    page.close()
