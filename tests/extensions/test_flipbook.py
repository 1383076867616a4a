"""A flipbook becomes a figure with sliders; its frames stand in a file of their own, which the page does not load."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from recurrence import plots


def draw(rate: float) -> Figure:
    fig, ax = plots.figure(height=2)
    ax.plot([0, 1], [0, rate], color=plots.COLOURS["blue"])
    ax.set_ylim(0, 3)
    return fig


@pytest.fixture(scope="module")
def book() -> plots.Flipbook:
    with mpl.rc_context():
        plots.use()
        return plots.flipbook(
            draw, rate=[1, 2, 3], start=2, label="rate <r>", alt=lambda rate: f'A line that ends at "{rate}".'
        )


def cell(number: int, output: str, **metadata: Any) -> dict[str, Any]:
    shown = {
        "output_type": "execute_result",
        "execution_count": 1,
        "data": {"text/html": output, "text/plain": "<Flipbook>"},
        "metadata": {},
    }
    return {
        "cell_type": "code",
        "id": f"c{number}",
        "execution_count": 1,
        "source": "show()",
        "metadata": {"mystnb": metadata},
        "outputs": [shown],
    }


def build(root: Path, output: str, builder: str = "html") -> tuple[Path, str]:
    """Build a site with one page that has a flipbook and one that has none; its folder, and what was warned of."""
    source = root / "source"
    (source / "part").mkdir(parents=True)
    figure = {"figure": {"name": "fig-a", "caption": "First."}}
    cells = [
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# Page\n\nSee {numref}`fig-a`."},
        cell(1, output, **figure),
        cell(2, "<p>another output</p>"),
    ]
    metadata = {"kernelspec": {"name": "python3"}, "language_info": {"name": "python", "pygments_lexer": "ipython"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (source / "part" / "page.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (source / "index.md").write_text("# Index\n\n```{toctree}\npart/page\n```\n", encoding="utf-8")
    options = {
        "extensions": ["myst_nb", "recurrence_book.figures", "recurrence_book.flipbook"],
        "nb_execution_mode": "off",
        "numfig": True,
        "html_theme": "basic",
        "suppress_warnings": ["config.cache"],
    }
    warned = io.StringIO()
    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            str(source),
            None,
            str(root / builder),
            str(root / f"doctrees-{builder}"),
            builder,
            confoverrides=options,
            status=None,
            warning=warned,
        )
        app.build()
    return root / builder, re.sub(r"\x1b\[[\d;]*m", "", warned.getvalue())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, book: plots.Flipbook) -> Path:
    folder, warned = build(tmp_path_factory.mktemp("flipbook"), book._repr_html_())
    assert warned == ""
    return folder


class Inside(HTMLParser):
    """Every start tag inside the figure of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.within = False
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.within = self.within or tag == "figure"
        if self.within:
            self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.within = self.within and tag != "figure"

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def page(built: Path) -> str:
    return (built / "part" / "page.html").read_text("utf-8")


def frames(built: Path, page: str) -> Path:
    (holder,) = [tag for tag in Inside(page).named("div") if tag.get("class") == "flipbook"]
    return built / "part" / str(holder["data-frames"])


def test_the_first_frame_is_a_figure_like_any_other(built: Path, page: str, book: plots.Flipbook) -> None:
    images = Inside(page).named("img")
    assert [image["class"] for image in images] == ["for-light dark-light", "for-dark dark-light"]
    assert [image["alt"] for image in images] == ['A line that ends at "2".'] * 2
    assert {(image["width"], image["height"]) for image in images} == {tuple(map(str, book.size))}
    light, dark = ((built / "part" / str(image["src"])).read_text("utf-8") for image in images)
    blue = plots.COLOURS["blue"]
    assert blue in light
    assert plots.DARK[blue] in dark
    assert "var(" not in light + dark
    assert re.search(r"See .*Fig. 1", page)
    assert page.count("<figcaption>") == 1


def test_the_frames_are_a_script_beside_the_image(built: Path, page: str, book: plots.Flipbook) -> None:
    script = frames(built, page)
    assert script.parent == built / "part" / ".." / "_images"
    text = script.read_text("utf-8")
    key, data = re.fullmatch(r'recurrenceFlipbook\.frames\("(\w+)",(.*)\);\n', text).groups()  # type: ignore[union-attr]
    assert f'data-flipbook="{key}"' in page
    assert plots.Flipbook.from_html(f'<div class="flipbook "><script type="application/json">{data}</script>') == book


def test_the_page_does_not_hold_the_frames(page: str, book: plots.Flipbook) -> None:
    assert "application/json" not in page
    assert "base64" not in page
    assert not any(part in page for part in book.parts)
    assert [tag for tag in Inside(page).named("script") if "src" in tag] == []


def test_controls_are_hidden_until_a_script_shows_them(page: str) -> None:
    tags = Inside(page)
    (controls,) = [tag for tag in tags.named("div") if tag.get("class") == "flipbook-controls"]
    assert "hidden" in controls
    (slider,) = tags.named("input")
    assert (slider["value"], slider["aria-valuetext"]) == ("1", "rate <r> 2")
    # The element right before the script is the one it shows.
    assert re.search(r'role="status"></span></div><script>[^<]*previousElementSibling\.hidden = false</script>', page)


def test_script_and_style_are_linked_where_there_is_a_flipbook(built: Path, page: str) -> None:
    assert re.search(r'<script defer="defer" src="\.\./_static/flipbook\.js\?v=\w+"></script>', page)
    assert re.search(r'<link rel="stylesheet" type="text/css" href="\.\./_static/flipbook\.css\?v=\w+" />', page)
    assert "flipbook" not in (built / "index.html").read_text("utf-8")
    for name in ("flipbook.js", "flipbook.css"):
        assert (built / "_static" / name).read_text("utf-8") == (
            Path(plots.__file__).with_name(name).read_text("utf-8")
        )


def test_other_outputs_are_left_alone(page: str) -> None:
    assert "<p>another output</p>" in page


def test_the_same_files_come_out_again(tmp_path: Path, built: Path, page: str, book: plots.Flipbook) -> None:
    again, _ = build(tmp_path, book._repr_html_())
    assert (again / "part" / "page.html").read_text("utf-8") == page
    images = {path.name: path.read_bytes() for path in (built / "_images").iterdir()}
    assert {path.name: path.read_bytes() for path in (again / "_images").iterdir()} == images
    assert len(images) == 3


def test_a_flipbook_without_alternative_text_is_warned_of(tmp_path: Path, book: plots.Flipbook) -> None:
    silent = re.sub(r'"alts":\[.*?\],"sliders"', '"alts":[" "],"sliders"', book._repr_html_())
    _, warned = build(tmp_path, silent)
    assert "image without alternative text" in warned
    assert "page.ipynb:2000" in warned


def test_a_builder_without_sliders_has_its_text(tmp_path: Path, book: plots.Flipbook) -> None:
    folder, warned = build(tmp_path, book._repr_html_(), "text")
    assert warned == ""
    assert "Flipbook" in (folder / "part" / "page.txt").read_text("utf-8")
