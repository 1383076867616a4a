"""Formulas are found by their Greek letters, in either spelling."""

from __future__ import annotations

import pytest
from sphinx.search.en import SearchEnglish

from recurrence_book.search import LETTERS, SearchBook


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        (r"\sigma(u) = 1/(1 + e^{-u})", ["σ"]),
        (r"y = \varphi(\Delta t)", ["φ", "δ"]),
        (r"\pi_\tau \pitchfork \beta", ["π", "τ", "β"]),
        ("sigma and other words", []),
    ],
)
def test_letters_are_words_of_a_formula(text: str, letters: list[str]) -> None:
    language = SearchBook({})
    assert language.split(text) == SearchEnglish({}).split(text) + letters


def test_letters_have_the_names_of_macros() -> None:
    assert LETTERS["sigma"] == "σ"
    assert LETTERS["lambda"] == "λ"
    assert len(LETTERS) == 23
