"""Hold computed values against expected ones: a table for the reader that fails when a row is off."""

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Comparison:
    """The table that :func:`compare` returns; notebooks show it, ``print`` writes it.

    Attributes
    ----------
    rows
        One ``(quantity, expected, ours, difference)`` for each row, as printed.
    tolerance
        How far apart the two values of a row were allowed to be, in words.
    """

    rows: tuple[tuple[str, str, str, str], ...]
    tolerance: str

    def __repr__(self) -> str:
        table = [HEADER, *self.rows]
        widths = [max(len(row[k]) for row in table) for k in range(4)]
        lines = [
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
                ]
            )
            for row in table
        ]
        return "\n".join([*lines, self.tolerance])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{cell}</th>' for cell in HEADER)
        body = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th>'
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            + "</tr>"
            for name, *cells in self.rows
        )
        return (
            f'<table class="compare"><caption>{html.escape(self.tolerance)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


HEADER = ("Quantity", "Expected", "Ours", "Difference")


def compare(
    rows: Iterable[tuple[str, npt.ArrayLike, npt.ArrayLike]], rtol: float = 1e-9, atol: float = 0.0
) -> Comparison:
    """Compare expected with computed values, row by row.

    A row holds if ``|ours − expected| ≤ atol + rtol |expected|`` for every number in it. A value
    that is not a number agrees with nothing.

    Parameters
    ----------
    rows
        Triples of what is compared, the expected value and ours. Values are numbers or arrays of the
        same shape; of an array the table shows the numbers that lie furthest apart.
    rtol, atol
        Relative and absolute tolerance, for all rows.

    Returns
    -------
    Comparison
        The table: quantity, expected, ours, difference.

    Raises
    ------
    AssertionError
        If a row does not hold; the message names it.
    ValueError
        If there is nothing to compare, or the two values of a row differ in shape.

    Examples
    --------
    >>> compare([("one third", 0.3333, 1 / 3)], atol=5e-5, rtol=0)
    Quantity   Expected       Ours  Difference
    one third    0.3333  0.3333333     3.3e-05
    Each row agrees within 5e-05.
    """
    table, off = [], []
    for name, expected, ours in rows:
        row, holds = _row(name, np.asarray(expected), np.asarray(ours), rtol, atol)
        table.append(row)
        if not holds:
            off.append(f"{name} (expected {row[1]}, ours {row[2]}, difference {row[3]})")
    if not table:
        raise ValueError("compare got no rows, and a check of nothing always passes; give it at least one row.")
    comparison = Comparison(tuple(table), f"Each row agrees within {_tolerance(rtol, atol)}.")
    if off:
        raise AssertionError(f"Further apart than {_tolerance(rtol, atol)}: {'; '.join(off)}.")
    return comparison


def _row(
    name: str, expected: npt.NDArray[Any], ours: npt.NDArray[Any], rtol: float, atol: float
) -> tuple[tuple[str, str, str, str], bool]:
    if expected.shape != ours.shape:
        raise ValueError(
            f"{name}: expected has shape {expected.shape} but ours has {ours.shape}; compare like with like."
        )
    if expected.size == 0:
        raise ValueError(f"{name}: there are no numbers in it, and a check of nothing always passes.")
    with np.errstate(invalid="ignore"):  # equal infinities agree, but their difference is not a number
        apart = np.where(expected == ours, 0.0, np.abs(np.subtract(ours, expected)))
    worst = np.unravel_index(np.argmax(apart), apart.shape)  # argmax counts NaN as the largest
    holds = bool(np.all(np.isclose(ours, expected, rtol=rtol, atol=atol)))
    cells = (_number(expected[worst]), _number(ours[worst]), f"{apart[worst]:.1e}" if apart[worst] else "0")
    if expected.ndim:
        name = f"{name} (worst of {expected.size:,})"
    return (name, *cells), holds


def _number(value: Any) -> str:
    if not np.iscomplexobj(value) or not np.isfinite(value):
        return f"{value:.7g}"
    size = abs(value)
    places = max(0, 5 - math.floor(math.log10(size))) if size else 0
    return f"{value.real:.{places}f} {'-' if value.imag < 0 else '+'} {abs(value.imag):.{places}f}i"


def _tolerance(rtol: float, atol: float) -> str:
    parts = []
    if atol or not rtol:
        parts.append(f"{atol:.3g}")
    if rtol:
        parts.append(f"{rtol:.3g} of the expected value")
    return " plus ".join(parts)
