"""A figure is cut between two panels that each have their own axes, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import matplotlib as mpl
import pytest
from matplotlib import pyplot

from recurrence import plots
from recurrence_book import figures, panels


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with mpl.rc_context():
        plots.use()
        yield
    pyplot.close("all")


def drawn(cols: int, fill: Callable[..., object] = lambda ax: ax.plot([0, 1]), **how: object) -> str:
    fig, axes = plots.figure(1, cols, height=2.5, **how)
    for ax in [axes] if cols == 1 else axes:
        fill(ax)
        ax.set(xlabel="time", ylabel="activation")
    return plots.svg(fig)


def test_two_panels_are_cut_between_them() -> None:
    where = panels.cut([drawn(2)])
    assert where == pytest.approx(0.5, abs=0.05)


def test_unequal_panels_are_cut_where_they_meet() -> None:
    where = panels.cut([drawn(2, width_ratios=(1.6, 1))])
    assert where is not None
    assert 0.55 < where < 0.65


def test_the_cut_goes_through_nothing() -> None:
    svg = drawn(2)
    where = panels.cut([svg])
    assert where is not None
    assert not panels.inked(svg)[round(where * panels.WIDTH)]


@pytest.mark.parametrize("svg", [lambda: drawn(1), lambda: drawn(3)], ids=["one", "three"])
def test_one_panel_and_three_stay_whole(svg: Callable[[], str]) -> None:
    assert panels.cut([svg()]) is None


def test_panels_that_share_an_axis_stay_together() -> None:
    fig, axes = plots.figure(1, 2, height=2.5, sharey=True)
    for ax in axes:
        ax.plot([0, 1])
    axes[0].set(ylabel="activation")
    assert panels.cut([plots.svg(fig)]) is None


def test_words_across_the_gap_keep_a_figure_whole_even_if_only_one_frame_has_them() -> None:
    def across(ax: mpl.axes.Axes) -> None:
        ax.plot([0, 1])
        ax.annotate("words that reach far beyond the axes", (0.6, 0.5), annotation_clip=False).set_in_layout(False)

    free = drawn(2)
    assert panels.cut([free]) is not None
    assert panels.cut([free, drawn(2, across)]) is None


def test_halves_make_up_the_whole() -> None:
    (left, first, height), (right, second, same) = figures.halves(504, 208.8, 0.46)
    assert (left, right) == (0, first)
    assert first + second == pytest.approx(504)
    assert height == same == 208.8
