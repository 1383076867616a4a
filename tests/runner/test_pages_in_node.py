"""Every chapter's cells run in Pyodide, in time, and show what the book shows."""

from __future__ import annotations

import pytest

import run_in_node


@pytest.mark.parametrize("name", run_in_node.names())
def test_page_shows_the_same_as_the_book(name: str) -> None:
    run = run_in_node.run_page(name)
    assert run.cells > 0
    assert run.problems == ()
    assert run.seconds < run_in_node.LONGEST
