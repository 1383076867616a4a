"""Run a page's cells one after another and say what they show: the part of "Run this page" that is written in Python.

It runs inside the browser, in Pyodide, but asks nothing of it: everything that it shows goes to the function `tell`,
as a dictionary of plain values with a `kind`:

stream     `stream` ("stdout" or "stderr") and the `text` that was written since the last one
figure     `light` and `dark`: the same drawing as SVG in the colours of both pages
flipbook   a figure, and with it `frames` (JSON), `controls` (HTML) and `alt`
html       `html` that an object has for itself, and its `text`
png        `png`, a picture in base64
text       `text` that an object has for itself
error      `name`, and `text`: where it happened in the cells, and what Python says
"""

from __future__ import annotations

import ast
import base64
import io
import linecache
import sys
import time
import tokenize
import traceback
from collections.abc import Callable
from typing import Any

Tell = Callable[[dict[str, Any]], None]

PAUSE = 0.05  # seconds between two messages of a stream: a loop that prints must not drown the page
MOST = 200_000  # characters that a cell may write before the rest is left out

names: dict[str, Any] = {}
_state: dict[str, Any] = {"tell": None, "shown": 0, "streams": []}


def start(tell: Tell) -> None:
    """Begin with no names, and let all that cells show go to `tell`."""
    _state["tell"] = tell
    names.clear()
    names.update(__name__="__main__", __builtins__=__builtins__, display=display)
    _state["streams"] = sys.stdout, sys.stderr = Stream("stdout"), Stream("stderr")


class Stream(io.TextIOBase):
    """Standard output or error of the cells: passed on in pieces while a cell runs."""

    def __init__(self, name: str) -> None:
        self.name, self.waiting, self.last = name, list[str](), 0.0

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Keep the text, and pass on what has gathered once some time has passed."""
        for other in _state["streams"]:
            if other is not self and other.waiting:
                other.flush()
        self.waiting.append(text)
        silent = time.monotonic() - self.last
        # Whole lines where there are lines.
        if silent > PAUSE and (text.endswith("\n") or silent > 4 * PAUSE):
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Pass on what has gathered, as long as the cell has not written far too much."""
        text = "".join(self.waiting)
        self.waiting = []
        self.last = time.monotonic()
        room = MOST - _state["shown"]
        if text and room > 0:
            _state["shown"] += len(text)
            more = f"\n… more than {MOST:,} characters: the rest is not shown.\n" if len(text) > room else ""
            _state["tell"]({"kind": "stream", "stream": self.name, "text": text[:room] + more})


def run(source: str, name: str) -> bool:
    """Run one cell, show what it shows, and say whether it ended without an error."""
    _state["shown"] = 0
    for stream in _state["streams"]:
        stream.last = time.monotonic()
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    pyplot = sys.modules.get("matplotlib.pyplot")
    try:
        value = _evaluate(source, name)
        # A cell may be the first to import it.
        pyplot = sys.modules.get("matplotlib.pyplot")
        if value is not None and not _is_drawn(value, pyplot):
            _flush()
            names["_"] = value
            _state["tell"](shown(value))
        show_figures()
    except BaseException as error:
        _flush()
        _state["tell"]({"kind": "error", "name": type(error).__name__, "text": explain(error)})
        if pyplot is not None:
            pyplot.close("all")
        return False
    finally:
        _flush()
    return True


def _evaluate(source: str, name: str) -> Any:
    """Execute a cell; the value of its last line if that is an expression without a semicolon behind it."""
    tree = ast.parse(source, name)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not ends_quietly(source):
        last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]
    exec(compile(tree, name, "exec"), names)
    _take_over_show()
    return None if last is None else eval(compile(last, name, "eval"), names)


def ends_quietly(source: str) -> bool:
    """Whether a semicolon ends the cell, which in a notebook means: do not show the value."""
    unseen = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT)
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in unseen]
    return bool(tokens) and tokens[-1].string == ";"


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def display(*values: Any) -> None:
    """Show values as the last line of a cell would: what IPython gives every notebook under this name."""
    _flush()
    for value in values:
        _state["tell"](shown(value))


def shown(value: Any) -> dict[str, Any]:
    """What stands for a value on the page: the richest form it has."""
    plots = sys.modules.get("recurrence.plots")
    if plots is not None and isinstance(value, plots.Flipbook):
        return {
            "kind": "flipbook",
            "light": value.svg(),
            "dark": plots.dark(value.svg()),
            "frames": value.to_json(),
            "controls": value.controls(),
            "alt": value.alt,
        }
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and isinstance(value, pyplot.Figure):
        return drawing(value)
    if (html := _asked(value, "_repr_html_")) is not None:
        return {"kind": "html", "html": html, "text": repr(value)}
    if (svg := _asked(value, "_repr_svg_")) is not None:
        return {"kind": "figure", "light": svg, "dark": svg}
    if (png := _asked(value, "_repr_png_")) is not None:
        return {"kind": "png", "png": png if isinstance(png, str) else base64.b64encode(png).decode()}
    return {"kind": "text", "text": _pretty(value)}


def _asked(value: Any, method: str) -> Any:
    """What a value says of itself in one form, or None; a class describes its objects, not itself."""
    return getattr(value, method)() if hasattr(value, method) and not isinstance(value, type) else None


def _pretty(value: Any) -> str:
    import pprint

    # A list or a dictionary that is too long for a line takes several, as in a notebook.
    return pprint.pformat(value, width=80, sort_dicts=False) if type(value) in (list, dict, tuple, set) else repr(value)


def drawing(figure: Any) -> dict[str, Any]:
    """A figure of matplotlib, drawn once and in the colours of both pages."""
    from recurrence import plots

    light = plots.svg(figure)
    return {"kind": "figure", "light": light, "dark": plots.dark(light)}


def show_figures(*_: Any, **__: Any) -> None:
    """Show all figures that are open, and close them: at the end of a cell, and for `pyplot.show`."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    _take_over_show()
    _flush()
    try:
        for number in pyplot.get_fignums():
            _state["tell"](drawing(pyplot.figure(number)))
    finally:
        pyplot.close("all")


def _take_over_show() -> None:
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.show = show_figures


def _is_drawn(value: Any, pyplot: Any) -> bool:
    """Whether a value is a figure that is open, and so will be drawn at the end of the cell anyway."""
    if pyplot is None or not isinstance(value, pyplot.Figure):
        return False
    return any(pyplot.figure(number) is value for number in pyplot.get_fignums())


def explain(error: BaseException) -> str:
    """A short traceback: the lines of cells that led there, the place in a library where it ended, and the error."""
    report = traceback.TracebackException.from_exception(error, compact=True)
    frames = [frame for frame in report.stack if frame.filename != __file__ and "importlib" not in frame.filename]
    lines = []
    for place, frame in enumerate(frames):
        own = frame.filename.startswith("cell ")
        if not own and place < len(frames) - 1:
            continue
        function = f", in {frame.name}" if frame.name != "<module>" else ""
        lines.append(f"{_file(frame.filename)}, line {frame.lineno}{function}")
        if frame.line:
            lines.append(f"    {frame.line}")
    # The exception's own words, without the places of those that caused it.
    lines += "".join(report.format_exception_only()).rstrip().replace('File "cell ', "cell ").splitlines()
    if isinstance(error, MemoryError):
        lines.append("Python in the browser has at most 4 GB: take smaller arrays.")
    return "\n".join(lines)


def _file(name: str) -> str:
    """Name of a file as a reader knows it: from the name of its package on."""
    return name.rpartition("site-packages/")[2]
