"""Figures of a page come in a light and a dark form, small, measured, and not without alternative text."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib import pyplot
from PIL import Image
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from recurrence import plots
from recurrence_book import figures


@pytest.fixture(scope="module")
def drawing() -> Iterator[str]:
    """A figure with lines, labels, hatching, a raster image and black text, as matplotlib writes it."""
    with mpl.rc_context():
        plots.use()
        fig, (left, right) = plots.figure(1, 2, height=2.5)
        for name in plots.CYCLE:
            left.plot([0.0, 1.0], [0.0, len(name)], color=plots.COLOURS[name], marker="o")
        plots.label(left, 0.5, 1.0, r"$\alpha$ < 1 & more", "blue")
        right.imshow([[0.0, 1.0]])
        right.fill_between([0.0, 1.0], [0.0, 1.0], hatch="//", facecolor=plots.COLOURS["paper"])
        right.text(0, 0, "black", color="black")
        yield plots.svg(fig)
        pyplot.close("all")


def shapes(svg: str) -> list[tuple[str, str, list[float]]]:
    """Every drawn element in order: its tag, its style without white space, its numbers."""
    found = []
    for element in ElementTree.fromstring(svg).iter():
        numbers: list[float] = []
        for name in ("d", "x", "y", "transform"):
            text = re.sub(r"[A-Za-z(),]", " ", element.get(name, "")).replace("-", " -")
            numbers += [float(number) for number in text.split()]
        style = "".join(element.get("style", "").split()).rstrip(";")
        tag = element.tag.partition("}")[2]
        if tag in ("path", "use", "image"):
            found.append((tag, style, numbers))
    return found


def test_minified_drawing_is_the_same_to_a_hundredth(drawing: str) -> None:
    before, after = shapes(drawing), shapes(figures.minify(drawing))
    assert len(before) == len(after) > 50
    for (tag, style, numbers), (small_tag, small_style, small_numbers) in zip(before, after, strict=True):
        assert (tag, style) == (small_tag, small_style)
        assert small_numbers == pytest.approx(numbers, abs=0.00501)


def test_minified_drawing_is_small_stable_and_whole(drawing: str) -> None:
    small = figures.minify(drawing)
    assert len(small) < 0.8 * len(drawing)
    assert figures.minify(small) == small
    assert not re.search(r"<\?xml|<!DOCTYPE|<!--|metadata|xlink", small)
    referred = set(re.findall(r'(?:url\(|href=")#([\w-]+)', small))
    assert referred == set(re.findall(r'\sid="([^"]+)"', small))


def test_dark_twin_has_no_light_colour_left(drawing: str) -> None:
    twin = figures.dark(drawing)
    colours = set(re.findall(r"#[0-9a-f]{6}\b", twin))
    assert colours & set(plots.DARK.values())
    assert not colours & (set(plots.DARK) | {"#000000"})
    assert f'<svg fill="{plots.DARK[plots.COLOURS["ink"]]}" ' in twin
    assert len(shapes(twin)) == len(shapes(drawing))


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="504pt" height="187.2pt"', (672, 250)),
        ('height="40" width="30px"', (30, 40)),
        ('width="2in" height="2.54cm"', (192, 96)),
        ('width="100%" height="50%" viewBox="0 0 320 200"', (320, 200)),
        ('viewBox="0,0,12.4,8"', (12, 8)),
        ('stroke-width="3"', None),
    ],
)
def test_size_of_an_svg(attributes: str, size: tuple[int, int] | None) -> None:
    assert figures.pixels(f'<?xml version="1.0"?><svg xmlns="" {attributes}><rect width="1"/></svg>') == size


class Images(HTMLParser):
    """Every image of a page, with the figure it stands in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.figure: str | None = None
        self.images: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "figure":
            self.figure = attributes.get("id")
        if tag == "img":
            self.images.append({**attributes, "figure": self.figure})

    def handle_endtag(self, tag: str) -> None:
        if tag == "figure":
            self.figure = None


def cell(output: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    shown = {"output_type": "display_data", "data": output, "metadata": {}}
    return {
        "cell_type": "code",
        "id": f"c{len(json.dumps(metadata))}",
        "execution_count": 1,
        "source": "draw()",
        "metadata": {"mystnb": metadata},
        "outputs": [shown],
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, drawing: str) -> tuple[Path, str]:
    """A page built by Sphinx from a notebook with stored outputs; its folder, and what was warned of."""
    root = tmp_path_factory.mktemp("figures")
    source = root / "source"
    (source / "part").mkdir(parents=True)
    Image.new("RGB", (30, 20)).save(source / "part" / "photo.png")
    text = "# Page\n\nSee {numref}`fig-a` and {numref}`fig-b`.\n\n"
    text += "![A grey field.](photo.png)\n\n![](photo.png)\n\n![A far one.](https://example.org/far.svg)\n"
    named = {"figure": {"name": "fig-a", "caption": "First."}, "image": {"alt": 'Lines "rise" & fall.'}}
    other = {"figure": {"name": "fig-b", "caption": "Second."}, "image": {"alt": "Again."}}
    output = {"image/svg+xml": drawing, "text/plain": "<Figure>"}
    cells = [
        cell(output, **named),
        cell({**output, "image/svg+xml": drawing.replace("1 &amp; more", "2")}, **other),
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": text},
        cell(output),
    ]
    metadata = {"kernelspec": {"name": "python3"}, "language_info": {"name": "python", "pygments_lexer": "ipython"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (source / "part" / "page.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (source / "index.md").write_text("# Index\n\n```{toctree}\npart/page\n```\n", encoding="utf-8")
    options = {
        "extensions": ["myst_nb", "recurrence_book.figures"],
        "nb_execution_mode": "off",
        "numfig": True,
        "html_theme": "basic",
        "suppress_warnings": ["config.cache", "image.nonlocal_uri"],
    }
    warned = io.StringIO()
    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            str(source),
            None,
            str(root / "html"),
            str(root / "doctrees"),
            "html",
            confoverrides=options,
            status=None,
            warning=warned,
        )
        app.build()
    return root / "html", re.sub(r"\x1b\[[\d;]*m", "", warned.getvalue())


def test_both_forms_stand_in_one_numbered_figure(built: tuple[Path, str]) -> None:
    page = (built[0] / "part" / "page.html").read_text(encoding="utf-8")
    images = Images(page).images
    pair = [image for image in images if image["figure"] == "fig-a"]
    assert [image["class"] for image in pair] == ["for-light dark-light", "for-dark dark-light"]
    assert [image["alt"] for image in pair] == ['Lines "rise" & fall.'] * 2
    assert [(image["width"], image["height"]) for image in pair] == [("672", "240")] * 2
    assert len([image for image in images if image["figure"] == "fig-b"]) == 2
    assert page.count("<figcaption>") == 2
    assert re.search(r"See .*Fig. 1.* and .*Fig. 2", page)
    for image, colours in zip(pair, (set(plots.DARK), set(plots.DARK.values())), strict=True):
        svg = (built[0] / "part" / str(image["src"])).read_text(encoding="utf-8")
        assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) & colours


def test_only_the_first_image_is_fetched_at_once(built: tuple[Path, str]) -> None:
    images = Images((built[0] / "part" / "page.html").read_text(encoding="utf-8")).images
    assert "loading" not in images[0]
    assert {image.get("loading") for image in images[1:]} == {"lazy"}
    assert {image.get("decoding") for image in images[1:]} == {"async"}


def test_photographs_are_measured_and_foreign_images_left_alone(built: tuple[Path, str]) -> None:
    images = Images((built[0] / "part" / "page.html").read_text(encoding="utf-8")).images
    photo = next(image for image in images if str(image["src"]).endswith("photo.png"))
    assert (photo["width"], photo["height"], photo["alt"]) == ("30", "20", "A grey field.")
    assert "class" not in photo
    far = next(image for image in images if "example.org" in str(image["src"]))
    assert "width" not in far


def test_missing_alternative_text_is_warned_of_where_it_is_missing(built: tuple[Path, str]) -> None:
    lines = built[1].splitlines()
    warnings = [line for line in lines if "image without alternative text" in line]
    assert lines == warnings
    # A notebook's line is its cell's number times 10,000 and the line inside.
    assert [re.sub(r".*/(page\.ipynb:\d)000\d: .*", r"\1", line) for line in warnings] == [
        "page.ipynb:3",
        "page.ipynb:4",
    ]
    assert "Give it an alt text." in warnings[0]
    assert "mystnb → image → alt" in warnings[1]
