"""Data sets, all of one shape: ``load(name)`` gives ``train`` and ``test``, each a pair of inputs and targets.

>>> from recurrence import data
>>> digits = data.load("digits")
>>> images, labels = digits.train
>>> images.shape, labels.shape
((1415, 8, 8), (1415,))
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recurrence.data import digits, mnist, recorded, series, tasks, text, vowels
from recurrence.data.dataset import Card, DataError, Dataset, File, lengths

__all__ = ["SETS", "Card", "DataError", "Dataset", "Entry", "File", "find", "lengths", "load"]


@dataclass(frozen=True)
class Entry:
    """A data set that can be loaded: what is known of it, and the function that loads it.

    The function takes nothing, or a random generator if ``card.generated``.
    """

    card: Card
    load: Callable[..., Dataset]


_ENTRIES = (
    Entry(digits.CARD, digits.load),
    Entry(mnist.CARD, mnist.load),
    Entry(text.TINYSHAKESPEARE, text.tinyshakespeare),
    Entry(text.NAMES, text.names),
    Entry(vowels.CARD, vowels.load),
    Entry(recorded.LASER, recorded.laser),
    Entry(recorded.SUNSPOTS, recorded.sunspots),
    Entry(series.MACKEY_GLASS, series.load_mackey_glass),
    Entry(series.NARMA10, series.load_narma10),
    Entry(series.NARMA30, series.load_narma30),
    Entry(tasks.ADDING, tasks.load_adding),
    Entry(tasks.COPY, tasks.load_copy),
    Entry(tasks.REBER, tasks.load_reber),
)

SETS = {entry.card.name: entry for entry in _ENTRIES}
"""Every data set by its name."""


def load(name: str, *, rng: np.random.Generator | None = None) -> Dataset:
    """Load a data set by its name; ``recurrence data list`` shows all of them.

    Parameters
    ----------
    name
        A key of :data:`SETS`.
    rng
        What a generated set is drawn with. The others do not use it.

    Returns
    -------
    Dataset
        Arrays of its own each time: they may be changed.

    Raises
    ------
    DataError
        If there is no such data set, it is a generated one and ``rng`` is missing, or its files cannot be had or are
        damaged.
    """
    entry = find(name)
    if not entry.card.generated:
        return entry.load()
    if rng is None:
        raise DataError(f"The data set {name} is generated; call load({name!r}, rng=numpy.random.default_rng(seed)).")
    return entry.load(rng)


def find(name: str) -> Entry:
    """Return the entry of a name.

    Raises
    ------
    DataError
        If there is none; the message names the nearest.
    """
    if name in SETS:
        return SETS[name]
    near = difflib.get_close_matches(name.lower().replace("-", "_"), SETS, n=3, cutoff=0.6)
    advice = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(SETS)}."
    raise DataError(f"There is no data set {name!r}; {advice}")
