"""Two showings of a cell agree where a reader would say so, and nowhere else."""

from __future__ import annotations

import pytest

import run_in_node as node
from recurrence.compare import compare


@pytest.mark.parametrize(
    ("expected", "found", "share"),
    [
        ("loss 0.25\n", "loss 0.25\n", 0),
        ("0.123456789", "0.1234567891", 1e-6),
        ("accuracy 97.41 %", "accuracy 97.42 %", 1e-6),  # the last digit printed
        ("1e-3", "1.0000001e-3", 1e-6),
        ("0.97", "0.9", 0.1),
        ("−2.000", "−2.001", 1e-6),
        ("1,234,000", "1,234,001", 1e-6),
    ],
)
def test_agree(expected: str, found: str, share: float) -> None:
    assert node.differs(expected, found, share) is None


@pytest.mark.parametrize(
    ("expected", "found", "share"),
    [
        ("loss 0.25", "gain 0.25", 1),
        ("12 wrong", "13 wrong", 1e-6),  # whole numbers have no last digit to spare
        ("97.41 %", "97.43 %", 1e-6),
        ("0.97", "0.8", 0.1),
        ("1 2 3", "1 2", 1),
        ("2.0", "-2.0", 1e-6),
        ("3.14e-7", "3.19e-7", 1e-6),
        ("nan", "1.0", 1),
    ],
)
def test_differ(expected: str, found: str, share: float) -> None:
    assert node.differs(expected, found, share) is not None


def test_of_a_comparison_neither_rounding_nor_the_worst_of_an_array_counts() -> None:
    book = compare([("one", 1.0, 1.0 + 2e-16), ("many", [1.0, 2.0], [1.0, 2.0 + 4e-16])])._repr_html_()
    here = compare([("one", 1.0, 1.0), ("many", [1.0, 2.0], [1.0 + 2e-16, 2.0])])._repr_html_()
    assert book != here
    assert node.disagreement([("html", book)], [("html", here)], 1e-6) is None
    other = compare([("one", 1.5, 1.5), ("many", [1.0, 2.0], [1.0, 2.0])])._repr_html_()
    assert "Pyodide 1.5" in str(node.disagreement([("html", book)], [("html", other)], 1e-6))
    fewer = compare([("one", 1.0, 1.0)])._repr_html_()
    assert node.disagreement([("html", book)], [("html", fewer)], 1e-6) is not None


def test_kinds_have_to_be_the_same() -> None:
    assert node.disagreement([("figure", "")], [], 1) == "the book shows figure, Pyodide nothing"
    assert node.disagreement([("stdout", "a"), ("figure", "")], [("stdout", "a"), ("figure", "")], 1) is None


def test_pieces_of_text_are_one_text() -> None:
    book = node.shown_by_book(
        [
            {"output_type": "stream", "name": "stdout", "text": "a\nb\n"},
            {"output_type": "execute_result", "data": {"text/plain": "3"}},
            {"output_type": "display_data", "data": {"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}},
            {"output_type": "error", "ename": "ValueError"},
        ]
    )
    here = node.shown_by_pyodide(
        [
            {"kind": "stream", "stream": "stdout", "text": "a\n"},
            {"kind": "stream", "stream": "stdout", "text": "b\n"},
            {"kind": "text", "text": "3"},
            {"kind": "figure"},
            {"kind": "error", "name": "ValueError", "text": "cell 1, line 1"},
        ]
    )
    assert book == here == [("stdout", "a\nb\n"), ("text", "3"), ("figure", ""), ("error", "ValueError")]
