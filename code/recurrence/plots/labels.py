"""Words inside a figure: a label beside what it names, in that colour, in place of a legend."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from recurrence.plots.style import COLOURS

__all__ = ["label", "label_end", "time_axis"]


def label(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    colour: str = "ink",
    *,
    dx: float = 4.0,
    dy: float = 0.0,
    ha: Literal["left", "center", "right"] = "left",
    va: Literal["top", "center", "baseline", "bottom"] = "center",
    size: float | None = None,
) -> Annotation:
    """Write `text` beside the point (x, y) of `ax`.

    Parameters
    ----------
    x, y : float
        The point, in data coordinates.
    colour : str
        A name from `COLOURS`, or any colour matplotlib knows.
    dx, dy : float
        How far to the right of and above the point the text starts, points.
    ha, va : str
        Which side of the text meets that place.
    size : float, optional
        Text size, points; without it, the style sheet's.

    Returns
    -------
    Annotation
        It may stand outside the axes: constrained layout keeps room for it.
    """
    return ax.annotate(
        text,
        xy=(x, y),
        xytext=(dx, dy),
        textcoords="offset points",
        color=COLOURS.get(colour, colour),
        ha=ha,
        va=va,
        fontsize=size,
        annotation_clip=False,
    )


def label_end(line: Line2D, text: str, *, dx: float = 5.0, dy: float = 0.0) -> Annotation:
    """Write `text` after the last point of `line`, in the line's own colour.

    Raises
    ------
    ValueError
        If the line has no finite point to stand beside, or is not part of any axes.
    """
    if not isinstance(line.axes, Axes):
        raise ValueError("The line is not drawn in any axes: draw it with ax.plot first.")
    x = np.asarray(line.get_xdata(), dtype=float)
    y = np.asarray(line.get_ydata(), dtype=float)
    finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if finite.size == 0:
        raise ValueError("The line has no finite point: give its label a place with label().")
    last = finite[-1]
    return label(line.axes, x[last], y[last], text, str(line.get_color()), dx=dx, dy=dy)


def time_axis(ax: Axes, start: float, stop: float, *, unit: str = "ms", name: str = "time") -> None:
    """Let the x axis of `ax` run from `start` to `stop` and say what it counts, as in "time (ms)"."""
    ax.set_xlim(start, stop)
    ax.set_xlabel(f"{name} ({unit})" if unit else name)
