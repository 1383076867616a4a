"""Where a figure of two panels can be cut, so that a phone shows one panel below the other and the words stay readable.

Nothing is drawn twice: the page asks for each half of the same file. Where to cut is found by looking at the drawing,
since any figure may put words beside its axes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

import numpy as np
import resvg_py
from PIL import Image

WIDTH = 400  # pixels to which a drawing is reduced to look at it
NARROWEST = 3  # pixels: a narrower gap is the space between two words
NEAR = 0.06  # gaps closer than this share of the width lie on the two sides of an axis label
SIDE = 0.15  # of the width: there stand the labels of the outer axes
MIDDLE = (0.3, 0.7)  # where the halves are of use: a panel narrower than that is not half of a figure


def inked(svg: str) -> np.ndarray:
    """Which of `WIDTH` columns of the drawing have anything in them: shape (WIDTH,), Boolean."""
    sizeless = re.sub(r"<svg\b[^>]*>", lambda tag: re.sub(r'\s(?:width|height)="[^"]*"', "", tag[0]), svg, count=1)
    picture = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=sizeless, width=WIDTH))))
    opaque: np.ndarray = np.asarray(picture.convert("RGBA"))[..., 3] > 8
    filled: np.ndarray = np.any(opaque, axis=0)
    return filled


def gaps(columns: np.ndarray) -> list[tuple[int, int]]:
    """First column, and the first one behind it, of every empty stretch away from the sides of the drawing."""
    filled = np.flatnonzero(columns)
    after = np.flatnonzero(np.diff(filled) > NARROWEST)
    found = [(int(filled[k]) + 1, int(filled[k + 1])) for k in after]
    return [(begin, end) for begin, end in found if begin > SIDE * WIDTH and end < (1 - SIDE) * WIDTH]


def cut(svgs: Iterable[str]) -> float | None:
    """Share of the width at which all drawings can be cut between two panels, or None.

    Between two panels lie two gaps: one before and one behind the label of the right panel's axis. A single gap means
    that the panels share that axis, and apart the right one would have none; more gaps mean more panels.
    """
    columns = np.logical_or.reduce([inked(svg) for svg in svgs])
    found = gaps(columns)
    if len(found) < 2 or found[-1][0] - found[0][1] > NEAR * WIDTH:
        return None
    begin, end = max(found, key=lambda gap: gap[1] - gap[0])
    middle = (begin + end) / 2 / WIDTH
    return round(middle, 4) if MIDDLE[0] < middle < MIDDLE[1] else None
