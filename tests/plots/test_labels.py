"""Labels stand beside what they name, in its colour, and inside the figure."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.lines import Line2D

from recurrence import plots


@pytest.fixture(autouse=True)
def identity() -> Iterator[None]:
    with mpl.rc_context():
        plots.use()
        yield
    pyplot.close("all")


def test_label_names_a_colour_and_keeps_its_offset() -> None:
    _, ax = plots.figure()
    text = plots.label(ax, 0.25, 0.5, "input", "green", dx=-6, dy=2, ha="right")
    assert text.xy == (0.25, 0.5)
    assert text.get_position() == (-6, 2)
    assert text.get_color() == plots.COLOURS["green"]
    assert plots.label(ax, 0, 0, "any", "#123456").get_color() == "#123456"


def test_label_beyond_the_axes_stays_inside_the_figure() -> None:
    fig, ax = plots.figure()
    (line,) = ax.plot([0.0, 1.0], [0.0, 1.0])
    text = plots.label_end(line, "a label of some length")
    ax.set_xlim(0, 1)
    fig.draw_without_rendering()
    fig.draw_without_rendering()
    box = text.get_window_extent()
    assert box.x0 >= ax.bbox.x1
    assert box.x1 <= fig.bbox.x1


def test_label_end_takes_the_last_finite_point_and_the_colour_of_the_line() -> None:
    _, ax = plots.figure()
    (line,) = ax.plot([0.0, 1.0, 2.0], [3.0, 4.0, np.nan], color=plots.COLOURS["pink"])
    text = plots.label_end(line, "end")
    assert text.xy == (1.0, 4.0)
    assert text.get_color() == plots.COLOURS["pink"]


def test_label_end_refuses_a_line_without_a_place() -> None:
    _, ax = plots.figure()
    (line,) = ax.plot([0.0], [np.nan])
    with pytest.raises(ValueError, match="no finite point"):
        plots.label_end(line, "nowhere")
    with pytest.raises(ValueError, match=r"ax\.plot"):
        plots.label_end(Line2D([0.0], [0.0]), "nowhere")


def test_time_axis_names_its_unit() -> None:
    _, ax = plots.figure()
    plots.time_axis(ax, 0, 50)
    assert ax.get_xlim() == (0, 50)
    assert ax.get_xlabel() == "time (ms)"
    plots.time_axis(ax, 0, 50, unit="", name="step $n$")
    assert ax.get_xlabel() == "step $n$"
