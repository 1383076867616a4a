"""Two texts as integers, one for each character: plays by Shakespeare, and a list of first names.

In both, inputs and targets are the same text one character apart: the target of a character is the one that follows it.
"""

from pathlib import Path

import numpy as np

from recurrence.data.dataset import Card, DataError, Dataset, File, Pair, require
from recurrence.data.fetch import fetch
from recurrence.tree import Array

TINYSHAKESPEARE = Card(
    name="tinyshakespeare",
    description="1,115,394 characters of Shakespeare's plays",
    licence="MIT; text public domain",
    source="A. Karpathy (2015), char-rnn, https://github.com/karpathy/char-rnn",
    symbols="\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    files=(
        File(
            name="tinyshakespeare_input.txt",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            size=1115394,
            mirrors=("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
        ),
    ),
)

NAMES = Card(
    name="names",
    description="32,033 first names, letter by letter",
    licence="MIT",
    source="A. Karpathy (2022), makemore, https://github.com/karpathy/makemore",
    symbols=".abcdefghijklmnopqrstuvwxyz",
    files=(
        File(
            name="names.txt",
            sha256="0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
            size=228145,
            mirrors=("https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",),
        ),
    ),
)

TRAIN_CHARACTERS = 1003854
"""Of tinyshakespeare: nine tenths of the text, and the last tenth is for testing."""


def tinyshakespeare() -> Dataset:
    """Load the beginning of forty thousand lines of plays, and their end for testing.

    Returns
    -------
    Dataset
        ``(T,)`` int64, a character each: ``train`` is made of the first 1,003,854 characters, ``test`` of the last
        111,540.

    Raises
    ------
    DataError
        If the file cannot be had or is damaged.
    """
    card = TINYSHAKESPEARE
    codes = encode(_read(fetch(card.files[0])), card)
    require(card.name, "a number of characters of", len(codes), 1115394)
    return card.dataset(successors(codes[:TRAIN_CHARACTERS]), successors(codes[TRAIN_CHARACTERS:]))


def names() -> Dataset:
    """Load first names as two long texts in which a full stop stands before, between and after the names.

    The file lists names by how many people bore them, and some of them twice. So that neither part has the rare ones
    and none of ``test`` can be known by heart, every tenth of the 29,494 different names is for testing.

    Returns
    -------
    Dataset
        ``(T,)`` int64, a character each; 0 is the full stop, and k the letter number k of the alphabet.

    Raises
    ------
    DataError
        If the file cannot be had or is damaged.
    """
    train, test = (
        successors(encode("." + "".join(f"{name}." for name in part), NAMES)) for part in split_names(name_list())
    )
    return NAMES.dataset(train, test)


def name_list() -> list[str]:
    """Return all 32,033 names in the order of the file."""
    found = _read(fetch(NAMES.files[0])).split("\n")
    require(NAMES.name, "a number of names of", len(found), 32033)
    require(NAMES.name, "shortest and longest name", (min(map(len, found)), max(map(len, found))), (2, 15))
    return found


def split_names(names: list[str]) -> tuple[list[str], list[str]]:
    """Put every tenth different name into the second part, with all its repetitions."""
    number = {name: n for n, name in enumerate(dict.fromkeys(names), start=1)}
    return [name for name in names if number[name] % 10], [name for name in names if number[name] % 10 == 0]


def encode(text: str, card: Card) -> Array:
    """Turn a text into integers ``(T,)``: each character becomes its place in ``card.symbols``.

    Raises
    ------
    DataError
        If a character is not among the symbols.
    """
    places = {symbol: place for place, symbol in enumerate(card.symbols)}
    try:
        return np.array([places[character] for character in text], np.int64)
    except KeyError as error:
        raise DataError(
            f"The data set {card.name} has no symbol {error.args[0]!r}; use those in {card.symbols!r}."
        ) from None


def decode(codes: Array, card: Card) -> str:
    """Turn integers back into the text: the inverse of :func:`encode`."""
    return "".join(card.symbols[code] for code in codes)


def successors(codes: Array) -> Pair:
    """Pair every character but the last with the one that follows it."""
    return codes[:-1].copy(), codes[1:].copy()


def _read(path: Path) -> str:
    # Bytes first: reading as text would change line ends on the way.
    return path.read_bytes().decode("ascii")
