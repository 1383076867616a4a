"""Flipbooks: a figure drawn once for every value of one or two parameters, and sliders that leaf through the drawings.

>>> from recurrence import plots
>>> def draw(rate):
...     fig, ax = plots.figure(height=2.4)
...     _ = ax.plot([0, 1], [0, rate])
...     _ = ax.set_ylim(0, 2)
...     return fig
>>> plots.flipbook(draw, rate=[0.5, 1.0, 2.0], alt="A line that rises from 0; a larger rate makes it steeper.")
<Flipbook of 3 frames: rate from 0.5 to 2.0>

The frames are SVG taken apart into parts. What several frames share, axes and words above all, is kept once, and a
frame is a list of numbers of parts. To leaf through them takes no more than the short script beside this file.
"""

from __future__ import annotations

import base64
import hashlib
import html
import inspect
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from itertools import product
from typing import Any
from xml.etree import ElementTree

import numpy as np
from matplotlib import pyplot, rc_context, textpath
from matplotlib.figure import Figure

from recurrence.plots.style import COLOURS, svg

__all__ = ["Flipbook", "Slider", "flipbook"]

MOST_FRAMES = 40
MOST_PER_SIDE = 8

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")
COLOUR = re.compile(r"#[0-9a-f]{6}\b")
VARIABLE = re.compile(r"var\(--rc-(\w+)\)")
POWER = re.compile(r"([\d.]+)e([-+]\d+)")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
DATA = re.compile(r'<script type="application/json">(.*?)</script>', re.S)
# Black is what matplotlib leaves out of its SVG, and what it draws with where nobody named a colour.
NAMES = {**{colour: name for name, colour in COLOURS.items()}, "#000000": "ink"}


@dataclass(frozen=True)
class Slider:
    """One parameter of a flipbook: what it is called, its values as text, and the one shown first.

    Parameters
    ----------
    label
        What stands beside the slider.
    texts
        The values in order, with their unit.
    start
        Index of the value of the first frame shown.
    """

    label: str
    texts: tuple[str, ...]
    start: int = 0


@dataclass(frozen=True)
class Flipbook:
    """Frames of one size and the sliders that choose among them. In a notebook it shows itself; made by `flipbook`.

    Parameters
    ----------
    size
        Width and height of each frame, CSS pixels.
    box
        The same in the frames' own coordinates: the ``viewBox`` of the SVG.
    defs
        Markup that all frames refer to: glyphs, markers, clipping paths.
    parts
        Markup of every part that any frame shows, each once.
    frames
        For every frame the numbers of its parts, in the order in which they are drawn. The last slider's
        value changes fastest.
    alts
        Alternative text: one for all frames, or one for each.
    sliders
        One for each parameter, with as many texts as it has values.
    play
        Number of the slider whose parameter is time, or None.
    """

    size: tuple[int, int]
    box: str
    defs: str
    parts: tuple[str, ...]
    frames: tuple[tuple[int, ...], ...]
    alts: tuple[str, ...]
    sliders: tuple[Slider, ...]
    play: int | None = None

    @property
    def start(self) -> int:
        """Number of the frame that is shown first."""
        return int(np.ravel_multi_index([s.start for s in self.sliders], [len(s.texts) for s in self.sliders]))

    @property
    def alt(self) -> str:
        """Alternative text of the frame that is shown first."""
        return self.alts[self.start % len(self.alts)]

    def svg(self, frame: int | None = None) -> str:
        """Return a frame, or the one shown first, as an SVG file in the colours of the light page."""
        shown = "".join(self.parts[part] for part in self.frames[self.start if frame is None else frame])
        width, height = self.size
        head = f'<svg xmlns="{SVG[1:-1]}" width="{width}" height="{height}" viewBox="{self.box}"'
        head += ' stroke-linejoin="round" stroke-linecap="butt">'
        drawing = f"{head}<defs>{self.defs}</defs>{shown}</svg>"
        return VARIABLE.sub(lambda match: COLOURS[match[1]], drawing)

    def to_json(self) -> str:
        """Return everything about the flipbook as JSON that may stand inside a script element."""
        text = json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))
        return text.replace("</", "<\\/").replace("<!", "<\\u0021")

    @classmethod
    def from_html(cls, text: str) -> Flipbook | None:
        """Return the flipbook that `_repr_html_` wrote, or None if the text is something else."""
        found = DATA.search(text) if text.startswith('<div class="flipbook ') else None
        if found is None:
            return None
        data = json.loads(found[1])
        return cls(
            size=(data["size"][0], data["size"][1]),
            box=data["box"],
            defs=data["defs"],
            parts=tuple(data["parts"]),
            frames=tuple(tuple(frame) for frame in data["frames"]),
            alts=tuple(data["alts"]),
            sliders=tuple(Slider(s["label"], tuple(s["texts"]), s["start"]) for s in data["sliders"]),
            play=data["play"],
        )

    def controls(self) -> str:
        """Return the sliders as HTML, hidden: a page without the script shows the first frame and no dead controls."""
        rows = []
        for number, slider in enumerate(self.sliders):
            label, value = html.escape(slider.label), html.escape(slider.texts[slider.start])
            texts = html.escape(json.dumps(slider.texts, ensure_ascii=False, separators=(",", ":")))
            if number == self.play:
                # Both words in one place, so that the button keeps its width.
                words = "<span>Play</span><span>Pause</span>"
                rows.append(f'<button type="button" class="flipbook-play">{words}</button>')
            # As wide as its longest text: the slider must not change its length while it is moved.
            width = max(map(len, slider.texts))
            rows.append(
                f'<label class="flipbook-row"><span class="flipbook-label">{label}</span>'
                f'<input type="range" min="0" max="{len(slider.texts) - 1}" step="1" value="{slider.start}" '
                f'autocomplete="off" aria-valuetext="{label} {value}" data-texts="{texts}"'
                f"{' data-play' if number == self.play else ''}>"
                f'<span class="flipbook-value" style="min-width:{width}ch" aria-hidden="true">{value}</span></label>'
            )
        status = '<span class="flipbook-status" role="status"></span>'
        return f'<div class="flipbook-controls" hidden>{"".join(rows)}{status}</div>'

    def _repr_html_(self) -> str:
        """Return the flipbook with all it needs: it asks no server, and without scripts it shows one frame."""
        palette = ";".join(f"--rc-{name}:{colour}" for name, colour in COLOURS.items())
        image = base64.b64encode(self.svg().encode()).decode()
        width, height = self.size
        return (
            f'<div class="flipbook flipbook-alone" style="{palette}">'
            f"<style>{read('flipbook.css')}</style>"
            f'<span class="figure-pair"><img src="data:image/svg+xml;base64,{image}" '
            f'alt="{html.escape(self.alt)}" width="{width}" height="{height}"></span>'
            f"{self.controls()}"
            f'<script type="application/json">{self.to_json()}</script>'
            f"<script>{read('flipbook.js')}</script></div>"
        )

    def __repr__(self) -> str:
        spans = " and ".join(f"{s.label} from {s.texts[0]} to {s.texts[-1]}" for s in self.sliders)
        return f"<Flipbook of {len(self.frames)} frames: {spans}>"


def flipbook(
    draw: Callable[..., Figure],
    *,
    alt: str | Callable[..., str],
    start: Any = None,
    play: str | None = None,
    label: str | Mapping[str, str] | None = None,
    unit: str | Mapping[str, str] | None = None,
    **parameters: Iterable[Any],
) -> Flipbook:
    """Draw one figure for every value of one or two parameters, and put sliders under them.

    The axes of every frame stand where they stand in the one shown first, so that nothing jumps. Their
    limits are the drawer's: set them wherever frames shall be comparable.

    Parameters
    ----------
    draw
        Called with each value by name, as in ``draw(leak=0.3)``, or with each pair of values. Returns the figure: a
        new one each time, or one that it draws on again and again. All figures are closed at the end.
    alt
        What is to be seen, for readers who cannot see it: one text for all frames, or a function of
        the same parameters as `draw` that returns the text of one frame.
    start
        Value of the frame shown before the reader moves anything, and on paper; for two parameters a dictionary of
        values. Without it, the first.
    play
        Name of the parameter that is time: it gets a button to play and pause.
    label
        What stands beside the slider; for two parameters a dictionary. Without it, the parameter's name.
    unit
        Unit of the values, such as "ms"; for two parameters a dictionary.
    **parameters
        Name and values of one parameter, at most 40, or of two, at most 8 each.

    Returns
    -------
    Flipbook
        As the last expression of a cell it shows itself, in JupyterLab, in Colab and in the book.

    Raises
    ------
    ValueError
        If the parameters do not fit the function or the limits above, or frames differ in size or axes.
    TypeError
        If `draw` returns anything but a figure, or values are not a sequence.
    """
    names, grids = _grids(draw, parameters)
    labels = {name: name.replace("_", " ") for name in names} | _by_name("label", label, names)
    units = _by_name("unit", unit, names)
    if play is not None and play not in names:
        raise ValueError(f"play={play!r} names no parameter of this flipbook, which has {_list(names)}.")
    begin = _start(start, names, grids)
    places = list(product(*(range(len(grid)) for grid in grids)))
    values = [dict(zip(names, at, strict=True)) for at in product(*grids)]
    alts = [alt(**at) for at in values] if callable(alt) else [alt]
    if not all(isinstance(text, str) and text.strip() for text in alts):
        raise ValueError("A flipbook needs alternative text: say in alt what is to be seen.")
    drawings = _draw(draw, values, places.index(begin))
    size, box, defs, parts, frames = _take_apart(drawings)
    sliders = [
        Slider(labels[name], tuple(f"{text} {units[name]}" if name in units else text for text in _texts(grid)), at)
        for name, grid, at in zip(names, grids, begin, strict=True)
    ]
    return Flipbook(
        size=size,
        box=box,
        defs=defs,
        parts=tuple(parts),
        frames=tuple(frames),
        alts=tuple(alts),
        sliders=tuple(sliders),
        play=None if play is None else names.index(play),
    )


def read(name: str) -> str:
    """Return one of the two files beside this one, without the comment that opens it and white space around."""
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return re.sub(r"^/\*.*?\*/\s*", "", text, flags=re.S).strip()


# What the reader may set, and what the author may have got wrong


def _grids(draw: Callable[..., Figure], parameters: Mapping[str, Iterable[Any]]) -> tuple[list[str], list[list[Any]]]:
    if not 1 <= len(parameters) <= 2:
        raise ValueError(f"A flipbook has one or two parameters, not {len(parameters)}: give each as name=values.")
    names = list(parameters)
    expected = inspect.signature(draw)
    try:
        expected.bind(**parameters)
    except TypeError:
        called = getattr(draw, "__name__", "draw")
        raise ValueError(
            f"{called}{expected} cannot be called with {_list(names)}: name the values as the function does."
        ) from None
    grids = []
    for name, values in parameters.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise TypeError(f"The values of {name} must be a sequence, not {values!r}.")
        grid = values.tolist() if isinstance(values, np.ndarray) else list(values)
        if len(grid) < 2:
            raise ValueError(f"The parameter {name} needs two values at least to leaf through, not {len(grid)}.")
        most = MOST_FRAMES if len(parameters) == 1 else MOST_PER_SIDE
        if len(grid) > most:
            room = f"{most} frames" if len(parameters) == 1 else f"{most} values of each of two parameters"
            raise ValueError(f"{name} has {len(grid)} values; a flipbook holds {room} at most: take fewer.")
        grids.append([value.item() if isinstance(value, np.generic) else value for value in grid])
    return names, grids


def _by_name(what: str, given: str | Mapping[str, str] | None, names: Sequence[str]) -> dict[str, str]:
    if given is None:
        return {}
    if isinstance(given, str):
        if len(names) > 1:
            raise ValueError(f"With two parameters, {what} must say which one it means: {what}={{{names[0]!r}: …}}.")
        return {names[0]: given}
    if unknown := sorted(set(given) - set(names)):
        raise ValueError(f"{what} names {_list(unknown)}, but this flipbook has {_list(names)}.")
    return dict(given)


def _start(start: Any, names: Sequence[str], grids: Sequence[Sequence[Any]]) -> tuple[int, ...]:
    if start is None:
        return (0,) * len(names)
    given = start if isinstance(start, Mapping) else {names[0]: start}
    if len(names) > 1 and not isinstance(start, Mapping):
        raise ValueError(f"With two parameters, start must say which one it means: start={{{names[0]!r}: …}}.")
    if unknown := sorted(set(given) - set(names)):
        raise ValueError(f"start names {_list(unknown)}, but this flipbook has {_list(names)}.")
    places = []
    for name, grid in zip(names, grids, strict=True):
        wanted = given.get(name, grid[0])
        found = [place for place, value in enumerate(grid) if _same(value, wanted)]
        if not found:
            raise ValueError(f"start={wanted!r} is not among the values of {name}: {_list(_texts(grid))}.")
        places.append(found[0])
    return tuple(places)


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, float) or isinstance(wanted, float):
        return isinstance(value, int | float) and isinstance(wanted, int | float) and math.isclose(value, wanted)
    return bool(value == wanted)


def _texts(grid: Sequence[Any]) -> list[str]:
    """Say each value as briefly as tells it exactly: all with the same decimals if four are enough."""
    if not all(isinstance(value, float) for value in grid):
        return [str(value).replace("-", "−") if isinstance(value, int | float) else str(value) for value in grid]
    for decimals in range(5):
        if all(math.isclose(value, round(value, decimals), rel_tol=1e-9, abs_tol=1e-12) for value in grid):
            return [f"{value:.{decimals}f}".replace("-", "−") for value in grid]
    digits = next((d for d in range(3, 17) if len({f"{value:.{d}g}" for value in grid}) == len(set(grid))), 17)
    return [POWER.sub(_power, f"{value:.{digits}g}").replace("-", "−") for value in grid]


def _power(match: re.Match[str]) -> str:
    times = "" if match[1] == "1" else f"{match[1]} · "
    return f"{times}10{str(int(match[2])).translate(RAISED)}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]


# Drawing


@contextmanager
def _one_parser() -> Iterator[None]:
    """Let all frames share one parser of mathematical text, whose memory then spares parsing every tick label anew.

    Matplotlib makes one for every file it writes, and it takes most of the time of a small figure.
    """
    module: Any = textpath
    original = module.MathTextParser
    shared = original("path")
    module.MathTextParser = lambda output: shared
    try:
        yield
    finally:
        module.MathTextParser = original


def _draw(draw: Callable[..., Figure], values: Sequence[Mapping[str, Any]], start: int) -> list[str]:
    """SVG of every frame; the first to be drawn is the one that the reader sees first, and the others follow it."""
    before = set(pyplot.get_fignums())
    drawings: dict[int, str] = {}
    positions: list[Any] = []
    size: tuple[float, ...] = ()
    try:
        with _one_parser():
            for frame in sorted(range(len(values)), key=lambda frame: frame != start):
                fig = draw(**values[frame])
                said = " and ".join(f"{name} = {value}" for name, value in values[frame].items())
                if not isinstance(fig, Figure):
                    raise TypeError(f"The function must return the figure it draws; for {said} it returned {fig!r}.")
                if not drawings:
                    drawings[frame] = svg(fig)
                    positions = [ax.get_position(original=True) for ax in fig.axes]
                    size = tuple(fig.get_size_inches())
                else:
                    found = tuple(fig.get_size_inches())
                    if found != size:
                        raise ValueError(
                            f"All frames must have one size, but the figure for {said} has {_inches(found)} and "
                            f"the first one {_inches(size)}."
                        )
                    if len(fig.axes) != len(positions):
                        raise ValueError(
                            f"All frames must have the same axes, but the figure for {said} has {len(fig.axes)} and "
                            f"the first one {len(positions)}."
                        )
                    # Without a layout of its own a figure is drawn sooner, and its axes stay where they were.
                    with rc_context({"figure.constrained_layout.use": False, "figure.autolayout": False}):
                        fig.set_layout_engine(None)
                        for ax, position in zip(fig.axes, positions, strict=True):
                            ax.set_position(position)
                        drawings[frame] = svg(fig)
                # Closed for pyplot only: a figure that the function keeps can be drawn on again.
                pyplot.close(fig)
    finally:
        for number in set(pyplot.get_fignums()) - before:
            pyplot.close(number)
    return [drawings[frame] for frame in range(len(values))]


def _inches(size: Sequence[float]) -> str:
    return f"{size[0]:g} × {size[1]:g} inches"


# Taking the drawings apart


def _take_apart(
    drawings: Sequence[str],
) -> tuple[tuple[int, int], str, str, list[str], list[tuple[int, ...]]]:
    """Size and view box of all drawings, what they refer to, their parts, and the numbers of the parts of each."""
    # Two flipbooks on one page must not mean different things by one name.
    prefix = f"f{hashlib.sha256(chr(0).join(drawings).encode()).hexdigest()[:6]}-"
    defs: dict[str, str] = {}
    numbers: dict[str, int] = {}
    frames = []
    root = ElementTree.Element("")
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        writer = _Writer(root, prefix, defs)
        frames.append(tuple(numbers.setdefault(part, len(numbers)) for part in writer.parts(root)))
    width, height = (round(float(root.attrib[side].removesuffix("pt")) * 96 / 72) for side in ("width", "height"))
    return (width, height), root.attrib["viewBox"], _named(defs), list(numbers), frames


def _named(defs: Mapping[str, str]) -> str:
    return "".join(markup.replace(' id=""', f' id="{name}"', 1) for markup, name in defs.items())


class _Writer:
    """Writes the elements of one drawing as briefly as possible, in colours that follow the page.

    `defs` collects what elements refer to, for all drawings: markup → name. What is the same in two
    drawings has one name, whatever matplotlib called it.
    """

    def __init__(self, root: ElementTree.Element, prefix: str, defs: dict[str, str]) -> None:
        self.prefix = prefix
        self.defs = defs
        self.elements = {child.get("id"): child for group in root.iter(f"{SVG}defs") for child in group}
        self.names: dict[str, str] = {}

    def parts(self, parent: ElementTree.Element) -> Iterator[str]:
        """Markup of what is drawn, one by one; a group that only names its content is no part of its own."""
        for child in parent:
            if child.tag == f"{SVG}g" and set(child.keys()) <= {"id"}:
                yield from self.parts(child)
            elif child.tag not in (f"{SVG}defs", f"{SVG}metadata"):
                yield self.write(child)

    def write(self, element: ElementTree.Element, name: str | None = None) -> str:
        tag = element.tag.removeprefix(SVG)
        attributes = "" if name is None else f' id="{name}"'
        for key, value in element.attrib.items():
            if key != "id":
                attributes += f' {"href" if key == LINK else key}="{html.escape(self.short(key, value))}"'
        inside = "".join(self.write(child) for child in element if child.tag != f"{SVG}defs")
        inside += html.escape((element.text or "").strip())
        return f"<{tag}{attributes}>{inside}</{tag}>" if inside else f"<{tag}{attributes}/>"

    def short(self, key: str, value: str) -> str:
        if key == "d":
            return _relative(value)
        if key == LINK:
            return f"#{self.refer(value[1:])}" if value.startswith("#") else value
        if key in ("x", "y", "width", "height"):
            return _rounded(value)
        if key == "transform":
            return re.sub(r"translate\([^)]*\)", lambda match: _rounded(match[0]), value)
        value = re.sub(r"url\(#([^)]+)\)", lambda match: f"url(#{self.refer(match[1])})", value)
        if key == "style":
            value = re.sub(r"\s*([:;])\s*", r"\1", value).rstrip(";")
        return COLOUR.sub(lambda match: f"var(--rc-{NAMES[match[0]]})" if match[0] in NAMES else match[0], value)

    def refer(self, name: str) -> str:
        """Name under which all drawings keep what this one calls `name`."""
        if name not in self.names:
            markup = self.write(self.elements[name], name="")
            known = f"{self.prefix}{np.base_repr(len(self.defs), 36).lower()}"
            self.names[name] = self.defs.setdefault(markup, known)
        return self.names[name]


def _rounded(text: str) -> str:
    """All numbers to a hundredth, which is far below what an eye can tell apart."""
    return NUMBER.sub(lambda match: _hundredths(round(100 * float(match[0]))), text)


def _hundredths(number: int) -> str:
    text = f"{abs(number) / 100:.2f}".strip("0").rstrip(".") or "0"
    return f"-{text}" if number < 0 else text


@lru_cache(maxsize=1024)
def _relative(path: str) -> str:
    """Path data with absolute commands, written as steps from point to point on a grid of hundredths.

    Steps are short numbers, and the same ones come again and again: the file that holds them packs far better. They are
    taken between points of the grid, so that no error adds up.
    """
    written, last = "", ""
    here = begun = (0, 0)
    for name, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        if name in "Zz":
            written, last, here = written + "z", "z", begun
            continue
        if name not in "MLQC":
            return _rounded(path)
        command = name
        values = [round(100 * float(number)) for number in NUMBER.findall(numbers)]
        step = {"M": 2, "L": 2, "Q": 4, "C": 6}[command]
        for i in range(0, len(values), step):
            points = list(zip(values[i : i + step : 2], values[i + 1 : i + step : 2], strict=True))
            steps = "".join(
                number if number.startswith("-") else f" {number}"
                for x, y in points
                for number in (_hundredths(x - here[0]), _hundredths(y - here[1]))
            )
            # A command that goes on is not repeated, and after "m" come lines unless another one is named.
            written += steps if command == last else command.lower() + steps.removeprefix(" ")
            here = points[-1]
            if command == "M":
                begun, command = here, "L"
            last = command
    return written
