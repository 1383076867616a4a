"""The laser and the Sun, where the real files are; without them, what is said."""

import numpy as np
import pytest

from recurrence import data
from recurrence.data import recorded


def test_the_real_laser(real):
    loaded = real("laser")
    (train, following), (test, last) = loaded.train, loaded.test
    assert train.shape == following.shape == (2000, 1) and test.shape == last.shape == (1000, 1)
    assert train[:8, 0].tolist() == [86, 141, 95, 41, 22, 21, 32, 72]
    np.testing.assert_array_equal(np.concatenate([train[1:], test[:1]]), following)
    np.testing.assert_array_equal(test[1:], last[:-1])
    series = recorded.laser_series()
    assert series.shape == (10093, 1)
    assert (series.min(), series.max()) == (0, 255)


def test_the_real_sun(real):
    loaded = real("sunspots")
    assert loaded.train[0].shape == (2500, 1) and loaded.test[0].shape == (625, 1)
    series = recorded.sunspot_series()[:, 0]
    assert series[:3].tolist() == [58.0, 62.6, 70.0] and series[-1] == 2.6
    assert series.min() == 0
    # The cycle that everyone knows: about eleven years.
    power = np.abs(np.fft.rfft(series - series.mean())) ** 2
    assert len(series) / 12 / np.argmax(power) == pytest.approx(11, abs=0.5)


@pytest.mark.parametrize("name", ["laser", "sunspots", "japanese_vowels"])
def test_what_has_no_home_says_so(name):
    with pytest.raises(data.DataError, match=r"no stable home on the network; put .* into a folder of yours"):
        data.load(name)


def test_a_table_of_words_is_refused(tmp_path):
    (tmp_path / "table").write_text("1749 many\n")
    with pytest.raises(data.DataError, match="table cannot be read as the data set sunspots; replace it"):
        recorded._numbers(tmp_path / "table", recorded.SUNSPOTS, lambda line: line.split()[1:])
