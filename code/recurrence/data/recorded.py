"""Two recorded series, of a laser and of the Sun, each to be continued by one step."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from recurrence.data.dataset import Card, DataError, Dataset, File, one_step_ahead, require
from recurrence.data.fetch import fetch
from recurrence.tree import Array

LASER = Card(
    name="laser",
    description="10,093 intensities of a chaotic far-infrared laser",
    licence="none stated",
    source="U. Hübner, N. B. Abraham and C. O. Weiss (1989); set A of the Santa Fe competition, A. S. Weigend and "
    "N. A. Gershenfeld (1994), Time Series Prediction",
    files=(File("santafe_laser.txt", "728383987182d1f50a87e23454b15a2e865509562b9153e8face4fed73a58333", 60558),),
)

SUNSPOTS = Card(
    name="sunspots",
    description="monthly numbers of sunspots, 1749 to 2009",
    licence="public domain",
    source="the international sunspot number in its first version, as the package statsmodels ships it",
    files=(File("sunspots_monthly.dat", "cc303d26340b6d599bc2878899f8c50c12323dc04b52a26ad047965ea2b9d2a3", 21194),),
)

LASER_STEPS = (2000, 1000)
"""How many steps of the laser are used, by custom: the first 2,000 to learn from, the next 1,000 for testing."""

SUNSPOT_STEPS = 2500
"""How many months of the Sun are for learning: four fifths."""


def laser() -> Dataset:
    """Load the laser's intensity and, as target, its intensity one step later.

    Returns
    -------
    Dataset
        ``(T, 1)`` float64, whole numbers from 0 to 255; T is 2,000 in ``train`` and 1,000 in ``test``, its
        continuation. :func:`laser_series` gives all that was recorded.

    Raises
    ------
    DataError
        If the file is not there or is damaged.
    """
    return LASER.dataset(*one_step_ahead(laser_series()[: sum(LASER_STEPS) + 1], LASER_STEPS[0]))


def sunspots() -> Dataset:
    """Load the monthly number of sunspots and, as target, that of the next month.

    Returns
    -------
    Dataset
        ``(T, 1)`` float64; T is 2,500 months in ``train`` and the following 625 in ``test``.

    Raises
    ------
    DataError
        If the file is not there or is damaged.
    """
    return SUNSPOTS.dataset(*one_step_ahead(sunspot_series(), SUNSPOT_STEPS))


def laser_series() -> Array:
    """Return the whole recording, ``(10093, 1)``."""
    numbers = _numbers(fetch(LASER.files[0]), LASER, lambda line: line.split())
    require(LASER.name, "a number of values of", len(numbers), 10093)
    require(LASER.name, "first values", numbers[:8], [86, 141, 95, 41, 22, 21, 32, 72])
    return np.array(numbers)[:, None]


def sunspot_series() -> Array:
    """Return all months in order, ``(3126, 1)``."""
    # A row of the table begins with a year; the lines of words around the table do not.
    numbers = _numbers(fetch(SUNSPOTS.files[0]), SUNSPOTS, lambda line: line.split()[1:] if line[:4].isdigit() else [])
    require(SUNSPOTS.name, "a number of values of", len(numbers), 260 * 12 + 6)
    return np.array(numbers)[:, None]


def _numbers(path: Path, card: Card, pick: Callable[[str], list[str]]) -> list[float]:
    """Read the numbers that are picked from each line."""
    try:
        return [float(number) for line in path.read_text("latin-1").splitlines() for number in pick(line)]
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as the data set {card.name}; replace it by an unharmed copy."
        ) from error
