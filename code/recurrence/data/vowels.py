"""Japanese Vowels: nine men say /ae/, and from the sound alone it is to be told who speaks.

Each utterance is a sequence of 7 to 29 frames, and each frame 12 numbers, the coefficients of its linear-prediction
cepstrum. The copies read here close every utterance with a row of twelve ones, which is not a frame.
"""

from pathlib import Path

import numpy as np

from recurrence.data.dataset import Card, DataError, Dataset, File, Pair, lengths, pad, require
from recurrence.data.fetch import fetch

CARD = Card(
    name="japanese_vowels",
    description="640 utterances of /ae/ by nine speakers",
    licence="CC BY 4.0",
    source="M. Kudo, J. Toyama and M. Shimbo (1999), Multidimensional curve classification using passing-through "
    "regions; Japanese Vowels, UCI Machine Learning Repository, https://doi.org/10.24432/C5NS47",
    symbols="123456789",
    files=(
        File("ae.train", "238d09795186ba05ef160f2996822c3777ab076425c400eb226c7693f36a280e", 514645),
        File("ae.test", "73edd715902d867a83f1310b56fddfae63a0e9525bb57ec050d857b46075a8c7", 685536),
    ),
)

UTTERANCES = ((30,) * 9, (31, 35, 88, 44, 29, 24, 40, 50, 29))
"""How often each speaker speaks in the train and the test part; the files are in the order of the speakers."""

FRAMES = ((7, 26), (7, 29))
"""The shortest and the longest utterance of each part."""

COEFFICIENTS = 12


def load() -> Dataset:
    """Load the utterances and who spoke them.

    Returns
    -------
    Dataset
        Utterances ``(n, 29, 12)`` as float64, the shorter ones closed by rows of zeros, which
        :func:`recurrence.data.lengths` counts out; speakers ``(n,)`` from 0 to 8 as int64; n is 270 in ``train``
        and 370 in ``test``.

    Raises
    ------
    DataError
        If a file cannot be had or is damaged.
    """
    parts = []
    for file, utterances, frames in zip(CARD.files, UTTERANCES, FRAMES, strict=True):
        part = read(fetch(file), utterances)
        steps = lengths(part[0])
        require(CARD.name, f"utterances in {file.name} of", (int(steps.min()), int(steps.max())), frames)
        parts.append(part)
    return CARD.dataset(*parts)


def read(path: Path, utterances: tuple[int, ...]) -> Pair:
    """Read one file, in which there are ``utterances[k]`` utterances by speaker k, in the order of the speakers.

    Raises
    ------
    DataError
        If the file has another form, or another number of utterances.
    """
    try:
        rows = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as rows of numbers; fetch a fresh copy.") from error
    after = np.flatnonzero((rows == 1).all(axis=1)) + 1
    if rows.shape[1] != COEFFICIENTS or len(after) != sum(utterances) or after[-1] != len(rows):
        raise DataError(
            f"{path} has rows of {rows.shape[1]} numbers and {len(after)} rows of ones, where rows of {COEFFICIENTS} "
            f"and {sum(utterances)} utterances, each closed by ones, were expected; fetch a fresh copy."
        )
    spoken = [utterance[:-1] for utterance in np.split(rows, after[:-1])]
    if max(map(len, spoken)) > FRAMES[1][1]:
        raise DataError(f"{path} has an utterance of more than {FRAMES[1][1]} frames; fetch a fresh copy.")
    return pad(spoken, FRAMES[1][1]), np.repeat(np.arange(len(utterances)), utterances)
