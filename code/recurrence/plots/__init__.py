"""Figures of the book: one visual identity, direct labels, SVG that reads on light and dark pages.

>>> from recurrence import plots
>>> plots.use()
>>> fig, ax = plots.figure(height=2.4)
>>> _ = ax.plot([0, 1, 2], [0.0, 0.6, 0.8], color=plots.COLOURS["blue"])
>>> _ = plots.label(ax, 2, 0.8, "step response", "blue")
"""

from recurrence.plots.flipbook import Flipbook, Slider, flipbook
from recurrence.plots.labels import label, label_end, time_axis
from recurrence.plots.style import COLOURS, CYCLE, DARK, FAMILY, SAVE, WIDTH, dark, figure, svg, use

__all__ = [
    "COLOURS",
    "CYCLE",
    "DARK",
    "FAMILY",
    "SAVE",
    "WIDTH",
    "Flipbook",
    "Slider",
    "dark",
    "figure",
    "flipbook",
    "label",
    "label_end",
    "svg",
    "time_axis",
    "use",
]
