"""Numbers for the prose: stored just as the book's own tools would store them."""

import doctest
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from myst_nb import glue

from recurrence import quote as module
from recurrence.quote import quote

WORDS = {"rate": "1.96", "quoted": "it's “−3”", "range": "9,542 to 9,659"}


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def stored(run: Any) -> list[Any]:
    with capture_output() as captured:
        run()
    return [(output.data, output.metadata) for output in captured.outputs]


def test_doctests() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.usefixtures("shell")
def test_it_stores_what_myst_nb_stores() -> None:
    def theirs() -> None:
        for name, text in WORDS.items():
            glue(f"network-{name}", text, display=False)

    ours = stored(lambda: quote("network", WORDS))
    assert len(ours) == len(WORDS)
    assert ours == stored(theirs)


@pytest.mark.usefixtures("shell")
def test_what_is_not_text_is_refused_before_anything_is_stored() -> None:
    def wrong() -> None:
        with pytest.raises(TypeError, match="count is 3; write it as the text shall show it"):
            quote("network", {"rate": "1.96", "count": 3})  # type: ignore[dict-item]

    assert stored(wrong) == []


def test_without_ipython_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    quote("network", WORDS)  # no shell is running
    monkeypatch.delitem(sys.modules, "IPython")
    quote("network", WORDS)
    assert "IPython" not in sys.modules
