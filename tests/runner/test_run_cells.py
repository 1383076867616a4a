"""The Python part of "Run this page", under the usual Python: what cells show, and what is said of their errors."""

from __future__ import annotations

import base64
import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot

from recurrence import plots

SCRIPT = Path(__file__).resolve().parents[2] / "book" / "_static" / "runner" / "run_cells.py"


class Cells:
    """The runner, and what it has told."""

    def __init__(self, module: types.ModuleType) -> None:
        self.module, self.told = module, list[dict[str, Any]]()
        self.start()

    def start(self) -> None:
        """Begin anew; the streams are kept apart from those that pytest watches."""
        usual = sys.stdout, sys.stderr
        self.module.start(self.told.append)
        self.streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = usual

    def run(self, source: str, number: int = 1) -> list[dict[str, Any]]:
        self.told.clear()
        usual = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self.streams
        try:
            self.well = self.module.run(source, f"cell {number}")
        finally:
            sys.stdout, sys.stderr = usual
        return list(self.told)

    def text(self, source: str) -> str:
        return "".join(message["text"] for message in self.run(source))


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cells]:
    specification = importlib.util.spec_from_file_location("run_cells", SCRIPT)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(pyplot, "show", pyplot.show)
    with mpl.rc_context():
        mpl.use("agg")
        yield Cells(module)
    pyplot.close("all")


def test_names_are_kept_from_cell_to_cell_and_not_from_start_to_start(cells: Cells) -> None:
    cells.run("a = 20")
    assert cells.text("a + 1") == "21"
    cells.start()
    (error,) = cells.run("a")
    assert not cells.well
    assert error["kind"] == "error"
    assert "name 'a' is not defined" in error["text"]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("1 + 1", ["2"]),
        ("1 + 1;", []),
        ("1 + 1;  # quiet", []),
        ("x = 5", []),
        ("None", []),
        ("for i in range(2):\n    i", []),
        ("'a;'", ["'a;'"]),
        ("5  # not quiet;", ["5"]),
        ("", []),
    ],
)
def test_the_last_expression_is_shown_unless_a_semicolon_ends_it(cells: Cells, source: str, shown: list[str]) -> None:
    assert [message["text"] for message in cells.run(source)] == shown
    assert cells.well


def test_what_is_printed_comes_in_order_and_before_the_value(cells: Cells) -> None:
    told = cells.run("import sys\nprint('out', end='')\nprint('!')\nprint('err', file=sys.stderr)\n7")
    pieces = [(message.get("stream", message["kind"]), message["text"]) for message in told]
    assert "".join(text for kind, text in pieces if kind == "stdout") == "out!\n"
    assert [piece for piece in pieces if piece[0] != "stdout"] == [("stderr", "err\n"), ("text", "7")]
    assert pieces[-2:] == [("stderr", "err\n"), ("text", "7")]


def test_a_long_loop_is_heard_of_while_it_runs(cells: Cells) -> None:
    told = cells.run("import time\nfor i in range(5):\n    print(i)\n    time.sleep(0.06)")
    assert len(told) >= 4
    assert "".join(message["text"] for message in told) == "0\n1\n2\n3\n4\n"


def test_a_loop_that_prints_without_end_does_not_fill_the_page(cells: Cells) -> None:
    text = cells.text("for i in range(60_000):\n    print('ten letters')")
    assert len(text) < cells.module.MOST + 200
    assert text.endswith("the rest is not shown.\n")
    assert cells.text("print('again')") == "again\n"


def test_figures_come_in_both_palettes_and_are_closed(cells: Cells) -> None:
    plots.use()
    source = "from recurrence import plots\nfig, ax = plots.figure()\nax.plot([0, 1], color=plots.COLOURS['blue']);"
    (told,) = cells.run(source)
    assert told["kind"] == "figure"
    blue = plots.COLOURS["blue"]
    assert blue in told["light"]
    assert blue not in told["dark"]
    assert told["dark"] == plots.dark(told["light"])
    assert pyplot.get_fignums() == []


def test_a_figure_that_is_also_the_value_is_drawn_once(cells: Cells) -> None:
    told = cells.run("from matplotlib import pyplot\npyplot.plot([1, 2])\nprint('a')\npyplot.gcf()")
    assert [message["kind"] for message in told] == ["stream", "figure"]


def test_show_draws_where_it_is_called(cells: Cells) -> None:
    told = cells.run("from matplotlib import pyplot\npyplot.figure()\nimport matplotlib\nNone")
    assert [message["kind"] for message in told] == ["figure"]
    told = cells.run("pyplot.figure()\npyplot.show()\nprint('after')")
    assert [message["kind"] for message in told] == ["figure", "stream"]


def test_a_flipbook_brings_its_frames_and_sliders(cells: Cells) -> None:
    source = (
        "from recurrence import plots\n"
        "def draw(rate):\n    fig, ax = plots.figure()\n    ax.plot([0, rate])\n    return fig\n"
        "plots.flipbook(draw, rate=[1, 2, 3], alt='A line that rises.')"
    )
    (told,) = cells.run(source)
    assert (told["kind"], told["alt"]) == ("flipbook", "A line that rises.")
    assert '"frames":' in told["frames"]
    assert 'type="range"' in told["controls"]
    assert told["light"].startswith("<svg") and told["dark"].startswith("<svg")


RICH = """
class Rich:
    def {method}(self):
        return {value}
    def __repr__(self):
        return "rich"
{shown}
"""


@pytest.mark.parametrize(
    ("method", "value", "expected"),
    [
        ("_repr_html_", "'<b>x</b>'", {"kind": "html", "html": "<b>x</b>"}),
        ("_repr_svg_", "'<svg/>'", {"kind": "figure", "light": "<svg/>"}),
        ("_repr_png_", "b'abc'", {"kind": "png", "png": base64.b64encode(b"abc").decode()}),
        ("_repr_html_", "None", {"kind": "text", "text": "rich"}),
        ("other", "1", {"kind": "text", "text": "rich"}),
    ],
)
def test_the_richest_form_is_shown(cells: Cells, method: str, value: str, expected: dict[str, str]) -> None:
    (told,) = cells.run(RICH.format(method=method, value=value, shown="Rich()"))
    assert expected.items() <= told.items()
    (told,) = cells.run(RICH.format(method=method, value=value, shown="display(Rich())"))
    assert expected.items() <= told.items()
    (told,) = cells.run(RICH.format(method=method, value=value, shown="Rich"))
    assert told["kind"] == "text", "a class has no form of its own"


def test_an_error_names_the_cells_lines_and_nothing_of_the_machinery(cells: Cells) -> None:
    cells.run("def half(x):\n    return 1 / x", 3)
    told = cells.run("print('before')\nhalf(0)", 4)
    assert [message["kind"] for message in told] == ["stream", "error"]
    assert not cells.well
    assert told[-1]["name"] == "ZeroDivisionError"
    assert told[-1]["text"].splitlines() == [
        "cell 4, line 2",
        "    half(0)",
        "cell 3, line 2, in half",
        "    return 1 / x",
        "ZeroDivisionError: division by zero",
    ]


def test_an_error_inside_a_library_shows_where_it_ended(cells: Cells) -> None:
    (error,) = cells.run("from recurrence.compare import compare\ncompare([])", 2)
    lines = error["text"].splitlines()
    assert lines[:2] == ["cell 2, line 2", "    compare([])"]
    assert "compare.py, line" in lines[2]
    assert lines[-1].startswith("ValueError: compare got no rows")


def test_a_slip_of_the_pen_is_pointed_at(cells: Cells) -> None:
    (error,) = cells.run("x = (1 +", 5)
    assert error["name"] == "SyntaxError"
    assert "cell 5" in error["text"]
    assert "run_cells" not in error["text"]
    assert "'(' was never closed" in error["text"]


def test_a_figure_begun_before_an_error_is_not_left_open(cells: Cells) -> None:
    cells.run("from matplotlib import pyplot\npyplot.figure()\n1 / 0")
    assert pyplot.get_fignums() == []
    assert [message["kind"] for message in cells.run("2")] == ["text"]


@pytest.mark.parametrize("source", ["raise SystemExit", "raise KeyboardInterrupt", "raise MemoryError"])
def test_no_exception_ends_the_runner(cells: Cells, source: str) -> None:
    (error,) = cells.run(source)
    assert error["kind"] == "error"
    assert cells.text("1 + 1") == "2"
