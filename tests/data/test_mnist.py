"""MNIST: its published facts where the real files are, and the loader on a tiny set in the same form everywhere."""

from dataclasses import replace

import numpy as np
import pytest

from recurrence.data import DataError, File, idx, mnist


def test_the_real_one(real):
    loaded = real("mnist")
    for (images, labels), n, counts in (
        (loaded.train, 60000, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        (loaded.test, 10000, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ):
        assert images.shape == (n, 28, 28) and images.dtype == np.float32
        assert labels.shape == (n,) and labels.dtype == np.int64
        assert (images.min(), images.max()) == (0, 1)
        assert np.bincount(labels).tolist() == counts
    assert loaded.train[0].mean(dtype=float) == pytest.approx(0.13066, abs=5e-6)
    assert loaded.train[0].std(dtype=float) == pytest.approx(0.30811, abs=5e-6)
    # The first labels, as everyone knows them.
    assert loaded.train[1][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert loaded.test[1][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_a_small_one(small):
    loaded = mnist.load(small.card, small.facts)
    for (images, labels), grey, digits in zip((loaded.train, loaded.test), small.images, small.labels, strict=True):
        assert images.dtype == np.float32 and labels.dtype == np.int64
        np.testing.assert_allclose(images, grey / 255, rtol=1e-6)
        np.testing.assert_array_equal(labels, digits)
    assert (loaded.description, loaded.licence, loaded.symbols) == (
        "70,000 handwritten digits, 28×28 pixels",
        "CC BY-SA 3.0",
        "0123456789",
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"image": (28, 28)}, r"train images of shape \(5, 4\), but it is known to have \(28, 28\)"),
        ({"train": (40,) + (0,) * 9}, r"train class counts \(4, 4"),
        ({"test": (20,) + (0,) * 9}, r"test class counts \(2, 2"),
        ({"pixels": (0.13066, 0.30811)}, r"pixel mean and deviation \(0\.\d+, 0\.\d+\), but it is known"),
    ],
)
def test_what_does_not_fit_the_facts_is_refused(small, wrong, said):
    with pytest.raises(DataError, match=said):
        mnist.load(small.card, replace(small.facts, **wrong))


def test_exchanged_files_are_refused(small):
    exchanged = replace(small.card, files=tuple(small.card.files[k] for k in (1, 0, 2, 3)))
    with pytest.raises(
        DataError, match=r"train-labels.* has 1 axis, where 3 were expected; check that images and labels"
    ):
        mnist.load(exchanged, small.facts)


def test_images_and_labels_of_different_number_are_refused(small, own):
    with pytest.raises(DataError, match=r"train-images.* holds 40 images, but .*t10k-labels.* holds 20 labels"):
        mnist.read(own / small.card.files[0].name, own / small.card.files[3].name)


def test_a_damaged_file_is_named(small, own):
    path = own / small.card.files[2].name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz is damaged or another file"):
        mnist.load(small.card, small.facts)


def test_it_comes_from_a_mirror(small, own, mirror, cache):
    for path in list(own.iterdir()):
        mirror.contents[path.name] = path.read_bytes()
        path.unlink()
    files = tuple(mirror.file("missing", "good", name=file.name) for file in small.card.files)
    loaded = mnist.load(replace(small.card, files=files), small.facts)
    np.testing.assert_array_equal(loaded.test[1], small.labels[1])
    assert sorted(path.name for path in cache.iterdir()) == sorted(mirror.contents)
    assert mirror.asked == ["missing", "good"] * 4


def test_the_statistics_are_those_of_all_pixels():
    images = np.random.default_rng(0).random((50, 7, 3), np.float32)
    expected = (images.astype(float).mean(), images.astype(float).std())
    assert mnist.statistics(images) == pytest.approx(expected, abs=1e-5)


def test_every_file_has_three_homes():
    assert len(mnist.CARD.files) == 4
    for file in mnist.CARD.files:
        assert isinstance(file, File) and len(file.sha256) == 64 and len(file.mirrors) == 3
        assert all(home.startswith("https://") and home.endswith(f"/{file.name}") for home in file.mirrors)


def test_a_file_without_compression_is_read_too(tmp_path):
    idx.write(tmp_path / "images", np.zeros((2, 3, 3), np.uint8))
    idx.write(tmp_path / "labels", np.array([1, 2], np.uint8))
    images, labels = mnist.read(tmp_path / "images", tmp_path / "labels")
    assert images.shape == (2, 3, 3) and labels.tolist() == [1, 2]
