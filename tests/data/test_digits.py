"""The embedded digits: the very numbers of their source, whole forms on each side of the split, float32 in [0, 1]."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest

from recurrence import data
from recurrence.data import digits


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Put a copy of the package's file where it can be damaged."""
    path = tmp_path / "digits.npz"
    path.write_bytes(digits.PATH.read_bytes())
    monkeypatch.setattr(digits, "PATH", path)
    digits.read.cache_clear()
    yield path
    digits.read.cache_clear()


def test_the_numbers_are_the_recorded_ones():
    counts, labels = digits.read()
    assert hashlib.sha256(counts.tobytes() + labels.tobytes()).hexdigest() == digits.SHA256
    assert counts.shape == (1797, 8, 8) and labels.shape == (1797,)
    assert set(np.unique(counts)) == set(range(17))


def test_the_numbers_are_those_of_their_source():
    pytest.importorskip("sklearn", reason="scikit-learn, the source of the digits, is not installed")
    import make_digits

    assert make_digits.sha256(*make_digits.source()) == digits.SHA256
    assert make_digits.TARGET.read_bytes() == digits.PATH.read_bytes()


def test_images_and_labels_are_as_promised():
    loaded = data.load("digits")
    counts, labels = digits.read()
    for (images, targets), n in ((loaded.train, 1415), (loaded.test, 382)):
        assert images.dtype == np.float32 and targets.dtype == np.int64
        assert images.shape == (n, 8, 8) and targets.shape == (n,)
    images, targets = (np.concatenate(pair) for pair in zip(loaded.train, loaded.test, strict=True))
    np.testing.assert_array_equal(images * 16, counts)
    np.testing.assert_array_equal(targets, labels)
    assert (images.min(), images.max()) == (0, 1)
    assert [loaded.symbols[target] for target in targets[:10]] == list("0123456789")


def test_each_digit_has_its_share_in_both_parts():
    loaded = data.load("digits")
    assert np.bincount(loaded.train[1]).tolist() == [140, 143, 140, 144, 142, 143, 142, 141, 139, 141]
    assert np.bincount(loaded.test[1]).tolist() == [38, 39, 37, 39, 39, 39, 39, 38, 35, 39]


def test_every_form_asks_for_the_digits_of_the_first_in_its_order():
    _, labels = digits.read()
    asked = labels[: digits.FORMS[1]].tolist()
    beside = 0
    for begin, end in pairwise((*digits.FORMS, len(labels))):
        form = labels[begin:end].tolist()
        assert 122 <= len(form) <= len(asked)
        if len(form) == len(asked):
            beside += sum(ours != theirs for ours, theirs in zip(form, asked, strict=True))
        else:
            rest = iter(asked)
            assert all(digit in rest for digit in form)
    # A single image is labelled 3 where the form asked for an 8.
    assert beside == 1
    assert digits.TEST_BEGINS in digits.FORMS


def test_arrays_may_be_changed_without_harm():
    first = data.load("digits")
    first.train[0][:] = 7
    first.train[1][:] = 7
    assert data.load("digits").train[0].max() == 1
    with pytest.raises(ValueError, match="read-only"):
        digits.read()[0][0] = 1


def test_a_damaged_package_is_named(elsewhere):
    content = bytearray(elsewhere.read_bytes())
    content[2000] ^= 1
    elsewhere.write_bytes(content)
    with pytest.raises(data.DataError, match=r"digits\.npz is missing or damaged .* install the package again\."):
        data.load("digits")
    elsewhere.unlink()
    with pytest.raises(data.DataError, match="missing or damaged"):
        data.load("digits")
    np.savez_compressed(elsewhere, counts=np.zeros((3, 8, 8), np.uint8), labels=np.zeros(3, np.uint8))
    with pytest.raises(data.DataError, match="does not hold the digits"):
        data.load("digits")


def test_source_and_licence_lie_beside():
    text = digits.PATH.with_suffix(".txt").read_text("utf-8")
    for said in (
        "Alpaydin",
        "Kaynak",
        "https://doi.org/10.24432/C50P49",
        "https://creativecommons.org/licenses/by/4.0/",
    ):
        assert said in text
    assert "Alpaydin" in digits.CARD.source and digits.CARD.licence == "CC BY 4.0"
    assert digits.PATH.stat().st_size < 50_000
