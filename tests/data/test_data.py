"""The package as a whole: names, errors, what a data set looks like, and what an import needs."""

import dataclasses
import doctest
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurrence import data
from recurrence.data import dataset


def test_doctests():
    assert doctest.testmod(data).failed == 0


def test_every_set_has_a_complete_card():
    assert list(data.SETS)[:2] == ["digits", "mnist"]
    for name, entry in data.SETS.items():
        card = entry.card
        assert name == card.name and re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert card.description and card.licence and card.source
        assert len(card.description) < 60
        assert not (card.files and card.generated)
        for file in card.files:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256) and file.size > 0
            assert all(mirror.startswith("https://") for mirror in file.mirrors)


@pytest.mark.parametrize("name", [name for name, entry in data.SETS.items() if not entry.card.files])
def test_what_needs_no_file_needs_no_network(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    loaded = data.load(name, rng=np.random.default_rng(0))
    card = data.SETS[name].card
    assert (loaded.description, loaded.licence, loaded.source) == (card.description, card.licence, card.source)
    assert all(isinstance(array, np.ndarray) and len(array) for part in (loaded.train, loaded.test) for array in part)


def test_a_data_set_is_frozen_and_prints_briefly():
    digits = data.load("digits")
    with pytest.raises(dataclasses.FrozenInstanceError):
        digits.train = digits.test
    assert "array" not in repr(digits)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("mnits", "did you mean mnist"),
        ("MNIST", "did you mean mnist"),
        ("Mackey-Glass", "did you mean mackey_glass?"),
        ("digit", "did you mean digits?"),
        ("", "there are digits, mnist, "),
        ("zzzzzzzzz", "there are digits, mnist, "),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, advice):
    with pytest.raises(data.DataError) as caught:
        data.load(name)
    assert f"There is no data set {name!r}; {advice}" in str(caught.value)


def test_a_generated_set_asks_for_a_generator():
    with pytest.raises(
        data.DataError, match=r"adding is generated; call load\('adding', rng=numpy\.random\.default_rng"
    ):
        data.load("adding")


def test_the_import_needs_numpy_alone():
    code = """
import sys
import recurrence.data as data
data.load("digits")
print(sorted({"pooch", "requests", "tqdm", "click", "scipy", "sklearn", "matplotlib"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_lengths_count_out_what_padding_put_in(steps):
    padded = dataset.pad([np.ones((count, 2)) for count in steps], 6)
    assert padded.shape == (len(steps), 6, 2)
    assert data.lengths(padded).tolist() == steps


def test_a_row_of_zeros_within_a_sequence_counts():
    assert data.lengths(np.array([[[1.0], [0.0], [2.0], [0.0]]])).tolist() == [3]


def test_one_step_ahead():
    train, test = dataset.one_step_ahead(np.arange(6.0)[:, None], 3)
    assert [array[:, 0].tolist() for array in (*train, *test)] == [[0, 1, 2], [1, 2, 3], [3, 4], [4, 5]]


def test_a_fact_that_does_not_hold_is_told():
    dataset.require("mnist", "a number of", 3, 3)
    with pytest.raises(data.DataError, match="mnist was read with a number of 2, but it is known to have 3; its files"):
        dataset.require("mnist", "a number of", 2, 3)
