"""What every data set is once it is loaded, what is known of it before, and the one error that all of them raise."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from recurrence.tree import Array

Pair: TypeAlias = tuple[Array, Array]


class DataError(Exception):
    """Data cannot be had: its message is one sentence that says what is wrong and what to do about it."""


@dataclass(frozen=True)
class Dataset:
    """A data set in two parts: one to learn from, one to be asked about afterwards.

    Attributes
    ----------
    train, test
        ``(inputs, targets)``, arrays with one row an example. Images are float32 in [0, 1] of shape
        ``(n, height, width)`` with labels int64 ``(n,)``; a single long series is ``(T, D)``; sequences
        are ``(n, T, D)``, closed by rows of zeros where they are of different lengths; symbols are int64.
    description
        One line on what it is.
    licence
        The licence of the data, which is not that of this package.
    source
        Who made it and where it is from.
    symbols
        What the integers mean, where they stand for something: k means ``symbols[k]``.
    """

    train: Pair = field(repr=False)
    test: Pair = field(repr=False)
    description: str
    licence: str
    source: str
    symbols: str = ""


@dataclass(frozen=True)
class File:
    """A file that a data set is read from.

    Attributes
    ----------
    name
        Its name in every folder that it is looked for in.
    sha256
        The SHA-256 of its content, in hexadecimal digits.
    size
        How many bytes it has.
    mirrors
        Addresses that give it, in the order in which they are asked. None: it must be put there by hand.
    """

    name: str
    sha256: str
    size: int
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """What is known of a data set before it is loaded.

    Attributes
    ----------
    name
        The name that :func:`recurrence.data.load` knows it by.
    description, licence, source, symbols
        As in :class:`Dataset`.
    files
        What it is read from: nothing if it is embedded in the package or generated.
    generated
        Whether it is drawn anew with the help of a random generator.
    """

    name: str
    description: str
    licence: str
    source: str
    symbols: str = ""
    files: tuple[File, ...] = ()
    generated: bool = False

    def dataset(self, train: Pair, test: Pair) -> Dataset:
        """Join the arrays with what is known of them."""
        return Dataset(train, test, self.description, self.licence, self.source, self.symbols)


def lengths(sequences: Array) -> npt.NDArray[np.int64]:
    """Count the steps of sequences ``(n, T, D)`` without the rows of zeros that close the shorter ones."""
    filled = np.any(sequences != 0, axis=-1)
    counts: npt.NDArray[np.int64] = np.where(
        filled.any(axis=-1), filled.shape[-1] - np.argmax(filled[..., ::-1], axis=-1), 0
    )
    return counts


def pad(sequences: Sequence[Array], steps: int) -> Array:
    """Stack sequences ``(T, D)`` of different lengths T ≤ ``steps``, closing the shorter ones with rows of zeros."""
    padded = np.zeros((len(sequences), steps, *sequences[0].shape[1:]), sequences[0].dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return padded


def one_step_ahead(series: Array, train: int) -> tuple[Pair, Pair]:
    """Pair every value of a series ``(T, D)`` with the next one; the first ``train`` pairs are for learning."""
    inputs, targets = series[:-1].copy(), series[1:].copy()
    return (inputs[:train], targets[:train]), (inputs[train:], targets[train:])


def require(name: str, what: str, found: object, expected: object) -> None:
    """Hold a fact about a data set against what was read."""
    if found != expected:
        raise DataError(
            f"The data set {name} was read with {what} {found}, but it is known to have {expected}; "
            "its files are not the ones this version of the package was written for, so install a matching one."
        )
