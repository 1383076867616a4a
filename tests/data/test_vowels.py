"""Japanese Vowels: utterances are cut where they end, padded with zeros, and belong to the right speakers."""

import numpy as np
import pytest

from recurrence.data import DataError, lengths, vowels

SPEAKERS = (2, 1)


def lines(*frames):
    """Write utterances of so many frames, each closed by a row of ones."""
    rng = np.random.default_rng(0)
    rows = [np.concatenate([rng.standard_normal((n, 12)), np.ones((1, 12))]) for n in frames]
    return "".join(" ".join(f"{number:.6f}" for number in row) + " \r\n" for part in rows for row in part)


def test_utterances_are_cut_and_padded(tmp_path):
    (tmp_path / "ae").write_text(lines(7, 29, 9))
    utterances, speakers = vowels.read(tmp_path / "ae", SPEAKERS)
    assert utterances.shape == (3, 29, 12) and utterances.dtype == np.float64
    assert lengths(utterances).tolist() == [7, 29, 9]
    assert speakers.tolist() == [0, 0, 1] and speakers.dtype == np.int64
    first = np.random.default_rng(0).standard_normal((7, 12))
    np.testing.assert_allclose(utterances[0, :7], first, atol=1e-6)
    assert not (utterances == 1).all(axis=-1).any()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "words",
        "1 2 3\n4 5\n",
        lines(7, 8),
        lines(7, 8, 9, 10),
        lines(7, 8, 30),
        lines(7, 8, 9)[:-30],
        "\n".join(lines(7, 8, 9).splitlines()[:-1]),
        "1.0 2.0\n" * 3,
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "ae").write_text(content)
    with pytest.raises(DataError, match=r"ae (cannot be read|has )"):
        vowels.read(tmp_path / "ae", SPEAKERS)


def test_the_real_one(real):
    loaded = real("japanese_vowels")
    (train, speakers), (test, others) = loaded.train, loaded.test
    assert train.shape == (270, 29, 12) and test.shape == (370, 29, 12)
    assert np.bincount(speakers).tolist() == [30] * 9
    assert np.bincount(others).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    steps = np.concatenate([lengths(train), lengths(test)])
    assert (steps.min(), steps.max()) == (7, 29)
    assert train[0, 0, :3].tolist() == [1.860936, -0.207383, 0.261557]
    assert not (train == 1).all(axis=-1).any() and not (test == 1).all(axis=-1).any()
