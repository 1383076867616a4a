"""The handwritten digits that come with the package: 1,797 images of 8×8 pixels, each with the digit that was meant.

They are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, 1998): forms that 13
people filled in, scanned as bitmaps of 32×32, whose black pixels are counted in blocks of 4×4. A pixel is therefore a
count from 0 to 16.

The data do not name the writers, but the order of the labels betrays the forms: the file runs 14 times through the
same 130 digits, with a few missing here and there. Whoever learns from some digits of a form and is asked about the
others has an easy time, because a hand repeats itself. So the split keeps forms whole: the first eleven are for
learning, 1,415 images, and the last three, 382 images, for testing. Each part has about as many of one digit as of
another. Expect fewer right answers than from a split at random, and more honest ones.
"""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from recurrence.data.dataset import Card, DataError, Dataset
from recurrence.tree import Array

CARD = Card(
    name="digits",
    description="1,797 handwritten digits, 8×8 pixels",
    licence="CC BY 4.0",
    source="E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning "
    "Repository, https://doi.org/10.24432/C50P49; its test part, unchanged, as copied from scikit-learn",
    symbols="0123456789",
)

PATH = Path(__file__).with_name("digits.npz")
"""The embedded file; ``tools/make_digits.py`` makes it."""

SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""Of all counts, one byte each, followed by all labels, one byte each."""

FORMS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)
"""Where each of the 14 forms begins."""

TEST_BEGINS = FORMS[11]
"""The first image of the test part."""


def load() -> Dataset:
    """Load the digits, without any network.

    Returns
    -------
    Dataset
        Images ``(n, 8, 8)`` as float32 from 0 (paper) to 1 (ink), each a multiple of 1/16; labels ``(n,)`` as int64;
        n is 1,415 in ``train`` and 382 in ``test``.

    Raises
    ------
    DataError
        If the package's own file is missing or damaged.
    """
    counts, labels = read()
    images, targets = counts / np.float32(16), labels.astype(np.int64)
    return CARD.dataset(
        train=(images[:TEST_BEGINS], targets[:TEST_BEGINS]),
        test=(images[TEST_BEGINS:], targets[TEST_BEGINS:]),
    )


@cache
def read() -> tuple[Array, Array]:
    """Read the embedded file: counts ``(1797, 8, 8)`` from 0 to 16 and labels ``(1797,)``, both uint8, in its order."""
    try:
        with np.load(PATH, allow_pickle=False) as file:
            counts, labels = file["counts"], file["labels"]
    except Exception as error:
        # Which of a dozen exceptions a damaged archive raises depends on the byte that was hit.
        raise DataError(f"{PATH} is missing or damaged ({error}); install the package again.") from error
    if hashlib.sha256(counts.tobytes() + labels.tobytes()).hexdigest() != SHA256:
        raise DataError(f"{PATH} does not hold the digits that belong to this version; install the package again.")
    counts.flags.writeable = labels.flags.writeable = False
    return counts, labels
