"""The colours, sizes and type of every figure in the book, and the one call that sets them.

COLOURS  name → hex on the light page        CYCLE  the order in which lines take the five line colours
DARK     light hex → hex on the dark page    WIDTH  width of the text column, inches
SAVE     options that make a saved SVG the same bytes every time
"""

from __future__ import annotations

import importlib
import io
import re
import sys
from importlib import resources
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager, pyplot
from matplotlib.figure import Figure

__all__ = ["COLOURS", "CYCLE", "DARK", "FAMILY", "SAVE", "WIDTH", "dark", "figure", "svg", "use"]

FAMILY = "Recurrence Serif"
WIDTH = 7.0

# Okabe and Ito (2008), "Color universal design": their blue, vermilion, bluish green, reddish purple and sky
# blue, with lightness and chroma moved until every one has contrast 4.5 against the page and the closest pair
# stays apart under protan, deutan and tritan vision. Tests measure both.
_PAIRS = {
    "paper": ("#fefefe", "#15181d"),
    "ink": ("#1f2429", "#e4e2dd"),
    "muted": ("#5c636b", "#a2a8b0"),
    "grid": ("#d5d9dd", "#3b4149"),
    "blue": ("#1c388a", "#45aaff"),
    "orange": ("#ac3e00", "#f6b469"),
    "green": ("#006f52", "#2ba065"),
    "pink": ("#a5538d", "#e676b8"),
    "sky": ("#077bc0", "#a6def6"),
}
COLOURS: dict[str, str] = {name: light for name, (light, _) in _PAIRS.items()}
DARK: dict[str, str] = dict(_PAIRS.values())
CYCLE: tuple[str, ...] = ("blue", "orange", "green", "pink", "sky")

# "tight" would cut each figure to its own size, and a date would change the file at every build.
SAVE: dict[str, Any] = {
    "bbox_inches": None,
    "metadata": {"Creator": None, "Date": None, "Format": None, "Type": None},
}


def use() -> None:
    """Set the identity of the book for every figure drawn from here on.

    Registers the serif, loads the style sheet and, inside IPython or Jupyter, makes inline figures SVG of
    fixed size and reproducible content. Calling it again changes nothing.
    """
    folder = resources.files(__package__)
    with resources.as_file(folder / "fonts") as fonts:
        known = {entry.fname for entry in font_manager.fontManager.ttflist}
        for path in sorted(fonts.glob("*.ttf")):
            if str(path) not in known:
                font_manager.fontManager.addfont(path)
    with resources.as_file(folder / "recurrence.mplstyle") as sheet:
        pyplot.style.use(sheet)
    _inline_svg()


def _inline_svg() -> None:
    # Looked up, not imported: a plain script or a browser runtime has no IPython and needs none.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return
    try:
        pylabtools = importlib.import_module("IPython.core.pylabtools")
        config = importlib.import_module("matplotlib_inline.config")
    except ImportError:
        return
    # The backend reads its configuration when the first figure wakes it, the shell has it now: set both.
    backend = config.InlineBackend.instance(parent=shell)
    backend.figure_formats = {"svg"}
    backend.print_figure_kwargs = SAVE
    pylabtools.select_figure_formats(shell, {"svg"}, **SAVE)
    # After each cell pyplot draws every figure, and then the inline backend, which closes them all, draws them again.
    # The first costs as much as the second and is seen by nobody.
    if mpl.get_backend() in {"inline", "module://matplotlib_inline.backend_inline"}:
        pyplot.uninstall_repl_displayhook()


def figure(rows: int = 1, cols: int = 1, height: float = 2.6, **kw: Any) -> tuple[Figure, Any]:
    """Return a figure of text width and its axes, as `matplotlib.pyplot.subplots` does.

    Parameters
    ----------
    rows, cols : int
        Number of axes down and across.
    height : float
        Height of the whole figure, inches.
    **kw
        Passed on to `matplotlib.pyplot.subplots`: `sharex`, `width_ratios` …

    Returns
    -------
    fig : Figure
        Figure of `WIDTH` × `height` inches with constrained layout.
    axes : Axes or array of Axes
        One `Axes` where rows = cols = 1, otherwise an array of them.
    """
    return pyplot.subplots(rows, cols, figsize=(WIDTH, height), layout="constrained", **kw)


def svg(fig: Figure) -> str:
    """Return the figure as SVG text; the same figure drawn afresh gives the same text, byte for byte."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "recurrence", "svg.fonttype": "path"}):
        fig.savefig(buffer, format="svg", **SAVE)
    return buffer.getvalue()


def dark(drawing: str) -> str:
    """Return an SVG drawing in the colours of the dark page: every one of `COLOURS` exchanged for its twin.

    Black, and what names no fill, becomes ink: matplotlib's own defaults, where a figure does not say what it wants.
    """
    ink = DARK[COLOURS["ink"]]
    twins = {**DARK, "#000000": ink}
    drawing = re.sub(r"#[0-9a-fA-F]{6}\b", lambda match: twins.get(match[0].lower(), match[0]), drawing)
    return drawing.replace("<svg ", f'<svg fill="{ink}" ', 1)
