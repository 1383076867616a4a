"""MNIST: 70,000 handwritten digits of 28×28 pixels, the measure of small image classifiers since 1998.

The split is the published one: 60,000 images to learn from, and 10,000 by other writers to be asked about.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurrence.data import idx
from recurrence.data.dataset import Card, DataError, Dataset, File, Pair, require
from recurrence.data.fetch import fetch
from recurrence.tree import Array

HOMES = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)


def _file(name: str, size: int, sha256: str) -> File:
    return File(name, sha256, size, tuple(home + name for home in HOMES))


CARD = Card(
    name="mnist",
    description="70,000 handwritten digits, 28×28 pixels",
    licence="CC BY-SA 3.0",
    source="Y. LeCun, C. Cortes and C. J. C. Burges (1998), The MNIST database of handwritten digits",
    symbols="0123456789",
    files=(
        _file(
            "train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        _file("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        _file("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        _file("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
)


@dataclass(frozen=True)
class Facts:
    """What is known of the content of a data set in MNIST's form, and is checked whenever it is loaded.

    Attributes
    ----------
    image
        Height and width.
    train, test
        How often each digit is in that part.
    pixels
        Mean and standard deviation of the pixels in ``train``, to five decimals.
    """

    image: tuple[int, int]
    train: tuple[int, ...]
    test: tuple[int, ...]
    pixels: tuple[float, float]


FACTS = Facts(
    image=(28, 28),
    train=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    test=(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    pixels=(0.13066, 0.30811),
)


def load(card: Card = CARD, facts: Facts = FACTS) -> Dataset:
    """Load MNIST, from the network if it is not on this machine.

    Parameters
    ----------
    card, facts
        Which files to read, in the order train images, train labels, test images, test labels, and what they hold.

    Returns
    -------
    Dataset
        Images ``(n, 28, 28)`` as float32 from 0 (paper) to 1 (ink), each a multiple of 1/255; labels ``(n,)`` as
        int64; n is 60,000 in ``train`` and 10,000 in ``test``.

    Raises
    ------
    DataError
        If a file cannot be had or is damaged, or does not hold what is known of it.
    """
    paths = [fetch(file) for file in card.files]
    train, test = read(paths[0], paths[1]), read(paths[2], paths[3])
    for part, (images, labels), counts in (("train", train, facts.train), ("test", test, facts.test)):
        require(card.name, f"{part} images of shape", images.shape[1:], facts.image)
        found = tuple(np.bincount(labels, minlength=len(counts)).tolist())
        require(card.name, f"{part} class counts", found, counts)
    require(card.name, "pixel mean and deviation", statistics(train[0]), facts.pixels)
    return card.dataset(train, test)


def read(images: Path, labels: Path) -> Pair:
    """Read images as float32 in [0, 1] and their labels as int64 from two IDX files.

    Raises
    ------
    DataError
        If a file is no such IDX file, or the two are not of the same length.
    """
    grey, digits = idx.read(images, kind=np.uint8, axes=3), idx.read(labels, kind=np.uint8, axes=1)
    if len(grey) != len(digits):
        raise DataError(
            f"{images} holds {len(grey):,} images, but {labels} holds {len(digits):,} labels; "
            "fetch fresh copies of both."
        )
    return grey / np.float32(255), digits.astype(np.int64)


def statistics(images: Array) -> tuple[float, float]:
    """Return mean and standard deviation of all pixels, to five decimals."""
    rows = images.reshape(len(images), -1)
    mean = float(rows.mean(dtype=np.float64))
    # Each image in single precision, their sum in double: exact enough, and no second copy of all pixels.
    square = float(np.einsum("nk,nk->n", rows, rows).sum(dtype=np.float64)) / rows.size
    return round(mean, 5), round(math.sqrt(square - mean**2), 5)
