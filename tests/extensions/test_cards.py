"""Link previews: words that fit, a picture of the right size and always the same, and meta elements that hold."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docutils import nodes
from PIL import Image

from recurrence import plots
from recurrence_book import cards

LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><rect width="40" height="20"/></svg>'
FIGURE = (
    '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="300" height="100" viewBox="0 0 300 100">'
    '<rect width="300" height="100" fill="#ac3e00"/></svg>'
)
QUESTION = "How much of the past can one number hold, and what does the neuron stop hearing because of it?"


@pytest.mark.parametrize("most", [1, 2, 3, 9])
@pytest.mark.parametrize("lay", [cards.wrap, cards.balance])
def test_lines_fit_and_lose_no_word_without_saying_so(lay: Any, most: int) -> None:
    lines = lay(QUESTION, 33, 600, most)
    assert 1 <= len(lines) <= most
    assert all(cards.width(line, 33) <= 600 for line in lines)
    joined = " ".join(lines)
    assert joined == QUESTION or (joined.endswith(" …") and QUESTION.startswith(joined.removesuffix(" …")))
    assert (joined == QUESTION) == (most >= 3)


def test_lines_are_about_as_long() -> None:
    greedy, even = cards.wrap(QUESTION, 33, 1000, 2), cards.balance(QUESTION, 33, 1000, 2)
    assert len(even) == len(greedy) == 2
    lengths = [cards.width(line, 33) for line in even]
    assert min(lengths) > 0.8 * max(lengths)


def test_no_words_give_no_line() -> None:
    assert cards.balance("", 33, 1000, 2) == []


def test_width_is_that_of_the_serif() -> None:
    assert cards.width("ii", 20) < cards.width("mm", 20) == pytest.approx(2 * cards.width("m", 20))
    assert cards.width("m", 40) == pytest.approx(2 * cards.width("m", 20))


def picture(svg: str) -> Image.Image:
    return Image.open(io.BytesIO(cards.draw(svg))).convert("RGB")


def test_picture_has_its_size_and_shows_title_figure_and_paper() -> None:
    svg = cards.compose("Leaky & integration", QUESTION, LOGO, FIGURE)
    image = picture(svg)
    assert image.size == (1200, 630)
    colours = {colour for _, colour in image.getcolors(1 << 20) or []}
    assert {(0xFE, 0xFE, 0xFE), (0xAC, 0x3E, 0x00), (0x1C, 0x38, 0x8A)} <= colours
    # Without its title the picture is another one: the serif was found.
    title = image.crop((60, 80, 900, 150))
    assert title.tobytes() != picture(cards.compose("", QUESTION, LOGO, FIGURE)).crop((60, 80, 900, 150)).tobytes()
    # The figure stays within the margins.
    orange = [
        (x, y) for x in range(0, 1200, 4) for y in range(0, 630, 4) if image.getpixel((x, y)) == (0xAC, 0x3E, 0x00)
    ]
    assert min(x for x, _ in orange) >= cards.MARGIN
    assert max(x for x, _ in orange) <= 1200 - cards.MARGIN
    assert max(y for _, y in orange) <= 630 - 30


def test_picture_is_the_same_bytes_each_time() -> None:
    svg = cards.compose("Neuron", QUESTION, LOGO, FIGURE)
    assert cards.draw(svg) == cards.draw(svg)


def test_a_long_title_is_set_smaller() -> None:
    title = "A title that is a good deal longer than most titles of chapters"
    svg = cards.compose(title, "", LOGO, None)
    size = re.search(r'font-size="([\d.]+)"', svg)
    assert size
    assert cards.width(title, float(size[1])) <= cards.INNER


def test_what_has_not_changed_is_not_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(cards, "draw", lambda svg: drawn.append(svg) or svg.encode())
    for svg in ("<svg>a</svg>", "<svg>b</svg>", "<svg>a</svg>"):
        cards.write_picture(svg, tmp_path / "site" / "deep" / "card.png", tmp_path / "cache")
    assert drawn == ["<svg>a</svg>", "<svg>b</svg>"]
    assert (tmp_path / "site" / "deep" / "card.png").read_text() == "<svg>a</svg>"


def test_the_question_is_the_bold_sentence_without_formulas() -> None:
    document = nodes.document(SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]
    document += nodes.paragraph("", "", nodes.strong("", "Bold."), nodes.strong("", "Why\nnot?"))
    assert cards.question(document) == "Why not?"
    document.clear()
    document += nodes.paragraph("", "", nodes.strong("", "", nodes.math("", "x"), nodes.Text("?")))
    assert cards.question(document) is None


def test_meta_elements_are_escaped() -> None:
    text = cards.tags({"og:title": 'A "b" & <c>', "twitter:card": "summary_large_image"})
    assert text.splitlines() == [
        '<meta property="og:title" content="A &quot;b&quot; &amp; &lt;c&gt;" />',
        '<meta name="twitter:card" content="summary_large_image" />',
    ]


def test_the_serif_covers_what_titles_use() -> None:
    assert all(ord(letter) in cards._advances()[0] for letter in "αφστ–’…XOR" + plots.FAMILY)
