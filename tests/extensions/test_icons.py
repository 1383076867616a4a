"""Fonts of icons and formulas keep all that the pages show."""

from __future__ import annotations

import shutil
from pathlib import Path

from fontTools.ttLib import TTFont

from recurrence_book.icons import characters_in_formulas, classes_shown, reduce_font, reduce_sheet
from recurrence_book.katex import katex

ROOT = Path(__file__).resolve().parents[2]


def test_every_character_of_a_formula_is_found() -> None:
    formula = katex.render(r"\sum_{k=0}^{n} \hat{\alpha} < \text{old cafe} \left(\frac{a}{b}\right) \to \infty", {})
    katex.stop()
    assert set(map(ord, "∑k=0n^α<oldcafeab()→∞")) <= characters_in_formulas([f"<p>Prose: Ж {formula} and more ж.</p>"])


def test_characters_of_prose_are_left_out() -> None:
    page = '<p>Prose Ж <span class="katex-html"><span class="mord">x</span></span> after ж</p>'
    assert characters_in_formulas([page]) == {ord("x"), 0xA0, 0x200B}


def test_a_reduced_font_keeps_what_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "font.woff2"
    shutil.copy(ROOT / "book" / "_static" / "katex" / "fonts" / "KaTeX_Main-Regular.woff2", path)
    before = path.stat().st_size
    reduce_font(path, {ord("x"), ord("∞")})
    assert set(TTFont(path).getBestCmap()) == {ord("x"), ord("∞")}
    assert path.stat().st_size < before / 5


def test_icons_that_no_page_shows_go() -> None:
    sheet = r'.fa-sun:before{content:"\f185"}.fa-moon:before{content:"\f186"}:root{--pst-icon-bell:"\f0f3"}'
    reduced, characters = reduce_sheet(sheet, classes_shown(['<i class="fa-solid fa-sun"></i>']))
    assert ".fa-moon" not in reduced
    assert characters == {0xF185, 0xF0F3}
