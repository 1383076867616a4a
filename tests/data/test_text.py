"""The two texts: symbols and back, the split of the names, and the published numbers where the real files are."""

import math
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurrence.data import DataError, text

names = st.lists(st.text(string.ascii_lowercase, min_size=2, max_size=5), max_size=100)


@given(st.text(text.TINYSHAKESPEARE.symbols))
def test_decoding_undoes_encoding(written):
    codes = text.encode(written, text.TINYSHAKESPEARE)
    assert codes.dtype == np.int64 and codes.shape == (len(written),)
    assert text.decode(codes, text.TINYSHAKESPEARE) == written


def test_an_unknown_symbol_is_named():
    with pytest.raises(DataError, match=r"names has no symbol 'É'; use those in '\.abc"):
        text.encode("É", text.NAMES)


def test_a_target_is_the_next_character():
    inputs, targets = text.successors(text.encode(".ab.", text.NAMES))
    assert (inputs.tolist(), targets.tolist()) == ([0, 1, 2], [1, 2, 0])


@given(names)
def test_the_split_of_names_loses_none_and_shares_none(given_names):
    train, test = text.split_names(given_names)
    assert sorted(train + test) == sorted(given_names)
    assert not set(train) & set(test)
    assert len(set(test)) == len(set(given_names)) // 10


def test_the_real_shakespeare(real):
    loaded = real("tinyshakespeare")
    assert len(loaded.symbols) == 65 and list(loaded.symbols) == sorted(loaded.symbols)
    (inputs, targets), (test, _) = loaded.train, loaded.test
    assert (len(inputs) + 1, len(test) + 1) == (1003854, 111540)
    assert text.decode(inputs[:14], text.TINYSHAKESPEARE) == "First Citizen:"
    np.testing.assert_array_equal(inputs[1:], targets[:-1])
    assert np.unique(inputs).tolist() == list(range(65))


def test_the_real_names(real):
    loaded = real("names")
    (train, following), (test, _) = loaded.train, loaded.test
    assert text.decode(train[:13], text.NAMES) == ".emma.olivia."
    np.testing.assert_array_equal(train[1:], following[:-1])
    # A pair for each letter and one for each name's end, whichever part it is in.
    assert len(train) + len(test) == 228146
    assert len(test) == pytest.approx(228146 / 10, rel=0.01)


def test_the_bigrams_of_the_real_names_have_their_known_likelihood(real):
    loaded = real("names")
    counts = np.zeros((27, 27))
    for inputs, targets in (loaded.train, loaded.test):
        np.add.at(counts, (inputs, targets), 1)
    assert counts.sum() == 228146
    share = counts / counts.sum(axis=1, keepdims=True)
    nats = -np.sum(counts * np.log(share, where=counts > 0, out=np.zeros_like(share))) / counts.sum()
    assert nats == pytest.approx(2.4540145, abs=1e-7)


def test_the_real_shakespeare_has_its_known_likelihoods(real):
    loaded = real("tinyshakespeare")
    counts = np.full((65, 65), 0.1)
    np.add.at(counts, loaded.train, 1)
    inputs, targets = loaded.test
    bigram = -np.log((counts / counts.sum(axis=1, keepdims=True))[inputs, targets]).mean()
    assert bigram == pytest.approx(2.4838, abs=1e-4)
    assert math.log(len(loaded.symbols)) == pytest.approx(4.1744, abs=1e-4)
