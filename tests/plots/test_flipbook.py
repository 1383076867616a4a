"""A flipbook shows for every value the very figure that the function draws; it is small, and it needs nothing else."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot, textpath
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from recurrence import plots
from recurrence.plots.flipbook import Flipbook, _hundredths, _relative, _texts

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture(autouse=True)
def identity() -> Iterator[None]:
    with mpl.rc_context():
        plots.use()
        yield
    left_open = pyplot.get_fignums()
    pyplot.close("all")
    assert left_open == []


def wave(rate: float) -> Figure:
    """Two axes with lines, dots, words, mathematics, a raster and hatching, of which the rate changes some."""
    fig, (left, right) = plots.figure(cols=2, height=2.5)
    x = np.linspace(0, 6, 100)
    left.plot(x, np.sin(rate * x), color=plots.COLOURS["orange"])
    left.plot(x[::10], np.sin(rate * x[::10]), ".", color="black")
    left.set_ylim(-1, 1)
    plots.label(left, 1, 0.5, rf"$\alpha^2$ at rate {rate} < 9 & more", "blue")
    right.imshow([[0.0, rate]], vmin=0, vmax=3)
    right.fill_between([0.0, 1.0], [0.0, 0.3], hatch="//", facecolor=plots.COLOURS["paper"])
    right.set_title(f"rate {rate}")
    return fig


def plain(**values: float) -> Figure:
    """One axis in a fixed place, with a bar for every value: a figure without a layout of its own."""
    fig = pyplot.figure(figsize=(3, 1), layout="none")
    ax = fig.add_axes((0.2, 0.3, 0.7, 0.6), ylim=(0, 10))
    ax.bar(list(values), list(values.values()))
    return fig


# What is drawn, read off an SVG without any code of the package


def points(path: str) -> list[tuple[str, float, float]]:
    """Every point of path data with the kind of command that leads to it, in absolute coordinates."""
    found = []
    x = y = begun_x = begun_y = 0.0
    for command, text in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        if command in "zZ":
            x, y = begun_x, begun_y
            found.append(("z", x, y))
            continue
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", text)]
        size = {"m": 1, "l": 1, "q": 2, "c": 3}[command.lower()]
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        for i in range(0, len(pairs), size):
            from_x, from_y = (x, y) if command.islower() else (0.0, 0.0)
            kind = "l" if command in "mM" and i else command.lower()
            for dx, dy in pairs[i : i + size]:
                x, y = from_x + dx, from_y + dy
                found.append((kind, x, y))
            if kind == "m":
                begun_x, begun_y = x, y
    return found


def drawn(svg: str) -> list[tuple[Any, ...]]:
    """Every shape in order: its style and that of the groups around it, where it is moved to, and its points."""
    root = ElementTree.fromstring(svg)
    named = {element.get("id"): element for element in root.iter() if element.get("id")}
    found: list[tuple[Any, ...]] = []

    def numbers(text: str) -> list[float]:
        return [float(number) for number in re.findall(r"-?[\d.]+", text)]

    def declarations(text: str) -> list[str]:
        return sorted(filter(None, re.sub(r"\s|url\([^)]*\)", "", text).split(";")))

    def place(element: ElementTree.Element) -> list[float]:
        return [float(element.get(side, "0")) for side in ("x", "y", "width", "height")]

    def walk(element: ElementTree.Element, style: list[str], moved: list[float]) -> None:
        tag = element.tag.removeprefix(SVG)
        if tag in ("defs", "metadata"):
            return
        own = element.get("style", "") + ";" + element.get("clip-path", "")
        for name in re.findall(r"url\(#([^)]+)\)", own):
            found.extend(("reference", place(child), points(child.get("d", ""))) for child in named[name])
        style = style + declarations(own)
        moved = moved + numbers(element.get("transform", ""))
        target = (element.get("href") or element.get(LINK) or "").removeprefix("#")
        if tag == "path":
            found.append((style, moved, points(element.get("d", ""))))
        elif tag == "use":
            path = named[target]
            shape = style + declarations(path.get("style", ""))
            there = moved + place(element)[:2] + numbers(path.get("transform", ""))
            found.append((shape, there, points(path.get("d", ""))))
        elif tag == "image":
            found.append(([*style, target], moved + place(element), []))
        for child in element:
            walk(child, style, moved)

    for child in root:
        walk(child, [], [])
    return found


def assert_same(first: str, second: str, tolerance: float = 0.0101) -> None:
    one, other = drawn(first), drawn(second)
    assert len(one) == len(other) > 0
    for (style, moved, path), (other_style, other_moved, other_path) in zip(one, other, strict=True):
        assert style == other_style
        assert moved == pytest.approx(other_moved, abs=tolerance)
        assert [kind for kind, *_ in path] == [kind for kind, *_ in other_path]
        assert np.array([p[1:] for p in path]) == pytest.approx(np.array([p[1:] for p in other_path]), abs=tolerance)


# Frames


def test_every_frame_is_the_figure_that_the_function_draws() -> None:
    rates = [0.5, 1.0, 2.0]
    book = plots.flipbook(wave, rate=rates, alt="Waves.", start=1.0)
    still = wave(1.0)
    assert_same(book.svg(), plots.svg(still))
    places = [ax.get_position(original=True) for ax in still.axes]
    pyplot.close(still)
    for frame, rate in enumerate(rates):
        fig = wave(rate)
        fig.set_layout_engine("none")
        for ax, place in zip(fig.axes, places, strict=True):
            ax.set_position(place)
        assert_same(book.svg(frame), plots.svg(fig))
        pyplot.close(fig)


def test_frames_of_two_parameters_stand_in_order() -> None:
    book = plots.flipbook(plain, a=[1, 2, 3], b=[4, 5], alt="Bars.", start={"b": 5, "a": 2})
    assert len(book.frames) == 6
    assert book.start == 3
    for frame, (a, b) in enumerate((a, b) for a in (1, 2, 3) for b in (4, 5)):
        fig = plain(a=a, b=b)
        assert_same(book.svg(frame), plots.svg(fig))
        pyplot.close(fig)


def test_a_figure_may_be_drawn_on_again_and_again() -> None:
    fig, ax = plots.figure()

    def draw(rate: float) -> Figure:
        ax.clear()
        ax.plot([0, 1], [0, rate])
        ax.set_ylim(0, 2)
        return fig

    kept = plots.flipbook(draw, rate=[1.0, 2.0], alt="A line.")

    def anew(rate: float) -> Figure:
        fig, ax = plots.figure()
        ax.plot([0, 1], [0, rate])
        ax.set_ylim(0, 2)
        return fig

    assert kept == plots.flipbook(anew, rate=[1.0, 2.0], alt="A line.")


def test_axes_stay_where_they_are_when_their_labels_grow() -> None:
    def draw(size: float) -> Figure:
        fig, ax = plots.figure()
        ax.plot([0, size], [0, size])
        return fig

    book = plots.flipbook(draw, size=[1.0, 1e6], alt="A diagonal.")
    spines = [
        [path for style, _, path in drawn(book.svg(frame)) if "stroke-linecap:square" in style] for frame in range(2)
    ]
    assert spines[0] == spines[1] != []


def test_the_same_flipbook_is_the_same_bytes() -> None:
    first, second = (plots.flipbook(wave, rate=[0.5, 1.0], alt="Waves.")._repr_html_() for _ in range(2))
    assert first == second


def test_parts_that_frames_share_are_kept_once() -> None:
    book = plots.flipbook(wave, rate=list(np.linspace(0.5, 1.5, 8)), alt="Waves.")
    assert len(set(book.parts)) == len(book.parts)
    assert len(book.parts) < 0.35 * sum(map(len, book.frames))
    assert sorted({part for frame in book.frames for part in frame}) == list(range(len(book.parts)))


def test_names_inside_frames_are_found_and_belong_to_one_flipbook() -> None:
    first = plots.flipbook(wave, rate=[0.5, 1.0], alt="Waves.")
    second = plots.flipbook(wave, rate=[0.5, 2.0], alt="Waves.")
    names = []
    for book in (first, second):
        markup = book.defs + "".join(book.parts)
        given = re.findall(r'\sid="([^"]+)"', markup)
        assert len(given) == len(set(given))
        assert set(re.findall(r'(?:href="|url\()#([\w-]+)', markup)) == set(given)
        names.append(set(given))
    assert not names[0] & names[1]


def test_colours_follow_the_page_and_come_back_in_a_file() -> None:
    book = plots.flipbook(wave, rate=[0.5, 1.0], alt="Waves.")
    markup = book.defs + "".join(book.parts)
    assert not set(re.findall(r"#[0-9a-f]{6}\b", markup)) & set(plots.COLOURS.values())
    assert {"orange", "ink", "muted", "blue"} <= set(re.findall(r"var\(--rc-(\w+)\)", markup))
    assert plots.COLOURS["orange"] in book.svg()
    assert "var(" not in book.svg()


def test_forty_frames_of_lines_are_small() -> None:
    noise = np.random.default_rng(1).standard_normal(400)

    def draw(rate: float) -> Figure:
        fig, (left, right) = plots.figure(cols=2)
        left.plot(noise)
        left.plot(rate * np.cumsum(noise))
        left.set_ylim(-30, 30)
        right.plot(np.exp(-rate * np.linspace(0, 5, 200)))
        right.set_title(f"rate {rate:.3f}")
        return fig

    book = plots.flipbook(draw, rate=np.arange(1, 41) / 40, alt="Noise and its sum.")
    assert len(gzip.compress(book.to_json().encode())) < 60_000


# Numbers


@given(st.integers(-(10**6), 10**6))
def test_hundredths_are_short_and_exact(number: int) -> None:
    text = _hundredths(number)
    assert round(float(text) * 100) == number
    assert not re.search(r"^-?0\d|^-?0\.|\.$|\.\d*0$|^-0$", text)


corner = st.tuples(st.floats(-900, 900), st.floats(-900, 900))


@given(st.lists(st.tuples(st.sampled_from("MLQC"), st.lists(corner, min_size=3, max_size=3)), min_size=1))
def test_steps_lead_where_the_path_leads(commands: list[tuple[str, list[tuple[float, float]]]]) -> None:
    path = ""
    for kind, corners in [("M", commands[0][1]), *commands]:
        used = corners[: {"M": 1, "L": 1, "Q": 2, "C": 3}[kind]]
        path += f"{kind} {' '.join(f'{x:f} {y:f}' for x, y in used)} \n"
        path += "z\n" if kind == "C" else ""
    before, after = points(path), points(_relative(path))
    assert [p[0] for p in before] == [p[0] for p in after]
    # Half a hundredth each, however long the path: nothing adds up.
    assert np.array([p[1:] for p in after]) == pytest.approx(np.array([p[1:] for p in before]), abs=0.00501)


def test_a_command_that_is_not_known_is_left_alone() -> None:
    assert _relative("M 0 0 A 1.23456 2 0 0 1 3 4") == "M 0 0 A 1.23 2 0 0 1 3 4"


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1, 10, -3], ["1", "10", "−3"]),
        ([0.5, 1.0, -2.0], ["0.5", "1.0", "−2.0"]),
        ([0.0, 5.0], ["0", "5"]),
        ([k / 40 for k in (1, 2, 40)], ["0.025", "0.050", "1.000"]),
        ([0.1 + 0.2, 0.4], ["0.3", "0.4"]),
        ([1e-5, 1e-3, 2.5e-5], ["10⁻⁵", "0.001", "2.5 · 10⁻⁵"]),
        ([1 / 3, 2 / 3], ["0.333", "0.667"]),
        ([1.00001, 1.00002], ["1.00001", "1.00002"]),
        (["tanh", "ReLU"], ["tanh", "ReLU"]),
    ],
)
def test_values_are_said_briefly_and_apart(values: list[Any], texts: list[str]) -> None:
    assert _texts(values) == texts


# What a notebook shows


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def pair() -> Flipbook:
    return plots.flipbook(
        plain,
        time=[0, 5, 10],
        gain=[0.5, 1.0],
        alt=lambda time, gain: f'Bars of {time} & "{gain}".',
        play="time",
        label={"gain": "gain <g>"},
        unit={"time": "ms"},
        start={"gain": 1.0},
    )


def test_html_is_complete_and_asks_for_nothing(pair: Flipbook) -> None:
    text = pair._repr_html_()
    tags = Tags(text)
    sources = [value for _, attributes in tags.tags for name, value in attributes.items() if name in ("src", "href")]
    assert all(str(source).startswith("data:image/svg+xml;base64,") for source in sources)
    assert not tags.named("link")
    style = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert len(style) == 1
    assert not re.search(r"@import|url\(", style[0])
    # A namespace is a name, not an address that is asked for.
    assert set(re.findall(r"https?://[^\s\"'<\\]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_html_shows_the_first_frame_without_scripts(pair: Flipbook) -> None:
    tags = Tags(pair._repr_html_())
    (image,) = tags.named("img")
    assert base64.b64decode(str(image["src"]).partition(",")[2]).decode() == pair.svg()
    assert image["alt"] == pair.alt == 'Bars of 0 & "1.0".'
    assert (image["width"], image["height"]) == ("288", "96")
    (controls,) = [tag for tag in tags.named("div") if tag.get("class") == "flipbook-controls"]
    assert "hidden" in controls


def test_sliders_say_what_they_are(pair: Flipbook) -> None:
    sliders = Tags(pair._repr_html_()).named("input")
    assert [slider["aria-valuetext"] for slider in sliders] == ["time 0 ms", "gain <g> 1.0"]
    assert [(slider["min"], slider["max"], slider["value"]) for slider in sliders] == [("0", "2", "0"), ("0", "1", "1")]
    assert ["data-play" in slider for slider in sliders] == [True, False]
    assert pair.controls().count("<button") == 1
    assert repr(pair) == "<Flipbook of 6 frames: time from 0 ms to 10 ms and gain <g> from 0.5 to 1.0>"


def test_html_holds_the_whole_flipbook(pair: Flipbook) -> None:
    assert Flipbook.from_html(pair._repr_html_()) == pair
    assert Flipbook.from_html("<div>another output</div>") is None


def test_no_text_can_end_the_script(pair: Flipbook) -> None:
    book = plots.flipbook(plain, a=[1, 2], alt="</script><!-- Bars.", label="</script>")
    text = book._repr_html_()
    assert Flipbook.from_html(text) == book
    assert text.count("</script>") == 2
    assert "<!--" not in book.to_json()


# What the author may have got wrong


def draw(rate: float) -> Figure:
    return plain(rate=rate)


ALT = {"alt": "A bar."}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({**ALT}, "one or two parameters, not 0"),
        ({**ALT, "a": [1, 2], "b": [1, 2], "c": [1, 2]}, "one or two parameters, not 3"),
        ({**ALT, "rat": [1, 2]}, r"draw\(rate.* cannot be called with rat: name the values as the function does"),
        ({**ALT, "rate": []}, "rate needs two values at least to leaf through, not 0"),
        ({**ALT, "rate": [1]}, "rate needs two values at least to leaf through, not 1"),
        ({**ALT, "rate": range(41)}, "rate has 41 values; a flipbook holds 40 frames at most"),
        ({**ALT, "rate": [1, 2], "start": 3}, "start=3 is not among the values of rate: 1 and 2"),
        ({**ALT, "rate": [1, 2], "start": {"leak": 1}}, "start names leak, but this flipbook has rate"),
        ({**ALT, "rate": [1, 2], "play": "time"}, "play='time' names no parameter of this flipbook, which has rate"),
        ({**ALT, "rate": [1, 2], "label": {"leak": "α"}}, "label names leak, but this flipbook has rate"),
        ({**ALT, "rate": [1, 2], "unit": {"leak": "s"}}, "unit names leak, but this flipbook has rate"),
        ({"alt": " ", "rate": [1, 2]}, "needs alternative text"),
        ({"alt": lambda rate: "", "rate": [1, 2]}, "needs alternative text"),
    ],
)
def test_a_mistake_is_one_clear_sentence(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        plots.flipbook(draw, **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"a": range(9), "b": [1, 2]}, "a has 9 values; a flipbook holds 8 values of each of two parameters at most"),
        ({"a": [1, 2], "b": [1, 2], "label": "leak"}, "label must say which one it means"),
        ({"a": [1, 2], "b": [1, 2], "unit": "ms"}, "unit must say which one it means"),
        ({"a": [1, 2], "b": [1, 2], "start": 1}, "start must say which one it means"),
    ],
)
def test_a_mistake_with_two_parameters_is_one_clear_sentence(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        plots.flipbook(plain, alt="Bars.", **arguments)


@pytest.mark.parametrize("values", [0.3, "abc", None])
def test_values_are_a_sequence(values: Any) -> None:
    with pytest.raises(TypeError, match="The values of rate must be a sequence"):
        plots.flipbook(draw, rate=values, alt="A bar.")


def test_alternative_text_is_compulsory() -> None:
    with pytest.raises(TypeError, match="alt"):
        plots.flipbook(draw, rate=[1, 2])  # type: ignore[call-arg]


def sized(rate: float) -> Figure:
    return pyplot.figure(figsize=(3, rate))


def more_axes(rate: int) -> Figure:
    fig, _ = plots.figure(cols=rate)
    return fig


def nothing(rate: float) -> None:
    pyplot.figure()


def late(rate: float) -> Figure:
    fig = plain(rate=rate)
    if rate == 2:
        raise RuntimeError("the drawing failed")
    return fig


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (sized, ValueError, "one size, but the figure for rate = 2 has 3 × 2 inches and the first one 3 × 1 inches"),
        (more_axes, ValueError, "the same axes, but the figure for rate = 2 has 2 and the first one 1"),
        (nothing, TypeError, "must return the figure it draws; for rate = 1 it returned None"),
        (late, RuntimeError, "the drawing failed"),
    ],
)
def test_a_drawing_that_does_not_fit_is_named(function: Callable[..., Any], kind: type[Exception], words: str) -> None:
    """And no figure is left open that a notebook would show below the error."""
    before = textpath.MathTextParser
    with pytest.raises(kind, match=words):
        plots.flipbook(function, rate=[1, 2], alt="A bar.")
    assert textpath.MathTextParser is before


def test_figures_that_were_open_before_stay_open() -> None:
    fig, _ = plots.figure()
    plots.flipbook(draw, rate=[1, 2], alt="A bar.")
    assert pyplot.get_fignums() == [fig.number]
    pyplot.close(fig)


def test_each_value_is_drawn_once_and_as_python_knows_it() -> None:
    seen = []

    def draw(rate: float) -> Figure:
        seen.append(rate)
        return plain(rate=rate)

    plots.flipbook(draw, rate=np.array([1.5, 2.5, 3.5]), alt="A bar.", start=2.5)
    assert sorted(seen) == [1.5, 2.5, 3.5]
    assert {type(value) for value in seen} == {float}


def test_sharing_a_parser_does_not_mix_up_labels() -> None:
    def draw(rate: float) -> Figure:
        fig, ax = plots.figure()
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"${rate}$"))
        return fig

    book = plots.flipbook(draw, rate=[1.0, 2.0, 3.0], alt="Labels.")
    assert all(book.svg(a) != book.svg(b) for a, b in pairwise(range(3)))
