"""Every chapter's cells run in Pyodide, in time, and show what the book shows."""

from __future__ import annotations

import pytest

import run_in_node
from build_book import ROOT, chapters

# The front page has a cell too, but nothing to run.
PATHS = [path for path in chapters(ROOT) if "\ndate:" in path.read_text("utf-8").split("\n---\n")[0]]
NAMES = [path.relative_to(ROOT / "book").with_suffix("").as_posix() for path in PATHS]


@pytest.mark.parametrize("name", NAMES)
def test_page_shows_the_same_as_the_book(name: str) -> None:
    run = run_in_node.run_page(name)
    assert run.cells > 0
    assert run.problems == ()
    assert run.seconds < run_in_node.LONGEST
