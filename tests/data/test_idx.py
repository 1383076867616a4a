"""The IDX parser: what is written is read again, and whatever else a file holds ends in one sentence."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recurrence.data import DataError, idx

KINDS = [np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

any_array = st.sampled_from(KINDS).flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
)


def header(code=0x08, *shape):
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def refusal(path, content, **expected):
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        idx.read(path, **expected)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith(".") and "\n" not in sentence and ". " not in sentence.replace(str(path), "")
    return sentence


@same_folder
@given(any_array, st.sampled_from(["numbers", "numbers.gz"]))
def test_what_is_written_is_read(tmp_path, array, name):
    idx.write(tmp_path / name, array)
    again = idx.read(tmp_path / name, kind=array.dtype, axes=array.ndim)
    assert again.dtype == array.dtype and again.dtype.isnative and again.flags.writeable
    np.testing.assert_array_equal(again, array)


def test_the_bytes_are_those_of_the_format(tmp_path):
    idx.write(tmp_path / "numbers", np.array([[1, -2, 3]], np.int16))
    assert (tmp_path / "numbers").read_bytes() == bytes.fromhex("00000b02 00000001 00000003 0001 fffe 0003")


def test_compressed_files_are_the_same_each_time_and_are_known_by_their_content(tmp_path):
    for name in ("a.gz", "b.gz"):
        idx.write(tmp_path / name, np.arange(5, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    (tmp_path / "a.gz").rename(tmp_path / "unnamed")
    np.testing.assert_array_equal(idx.read(tmp_path / "unnamed"), np.arange(5))


@pytest.mark.parametrize("array", [np.arange(3, dtype=np.int64), np.array(["a"]), np.float32(1), np.zeros(2, complex)])
def test_what_the_format_lacks_is_not_written(tmp_path, array):
    with pytest.raises(ValueError, match=r"^IDX has no "):
        idx.write(tmp_path / "numbers", array)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\0\0\x08", "begins with the bytes 00 00 08 instead of 00 00, a kind of numbers"),
        (b"\x89PNG\r\n\x1a\n", "begins with the bytes 89 50 4e 47"),
        (header(0x07, 2) + b"ab", "begins with the bytes 00 00 07 01"),
        (header(0x08) + b"a", "begins with the bytes 00 00 08 00"),
        (bytes([0, 0, 8, 65]) + bytes(400), "begins with the bytes 00 00 08 41"),
        (header(0x08, 2, 3)[:-1], "ends within its header"),
        (header(0x08, 2, 3) + b"12345", "promises 2 × 3 numbers, 6 bytes"),
        (header(0x0E, 2) + bytes(15), "promises 2 numbers, 16 bytes"),
        (header(0x08, 2, 3) + b"1234567", "promises 2 × 3 numbers, 6 bytes, but more follow"),
        (header(0x08, 0) + b"1", "promises 0 numbers, 0 bytes, but more follow"),
        (header(0x08, 2**32 - 1, 2**32 - 1, 2**32 - 1), "more than the 1024 MiB that any file of this book"),
        (header(0x08, 0, 2**32 - 1, 2**32 - 1, 2**32 - 1), "more than the 1024 MiB"),
        (header(0x0E, 2**28), "more than the 1024 MiB"),
        (header(0x08, 2**29) + b"123", "promises 536870912 numbers, 536,870,912 bytes"),
    ],
)
def test_every_wrong_file_is_named_with_what_is_wrong(tmp_path, content, said, pack):
    assert said in refusal(tmp_path / "numbers", pack(content))


def test_what_was_not_expected_is_told_from_what_was(tmp_path):
    path = tmp_path / "numbers"
    content = header(0x08, 2) + b"12"
    assert "has 1 axis, where 3 were expected" in refusal(path, content, kind=np.uint8, axes=3)
    assert "has 2 axes, where 1 was expected" in refusal(path, header(0x08, 1, 2) + b"12", axes=1)
    assert "holds numbers of kind uint8, where int32 was expected" in refusal(path, content, kind=np.int32)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda packed: packed[:-1],
        lambda packed: packed[:-9],
        lambda packed: packed[:5],
        lambda packed: packed[:-8] + bytes(8),
        lambda packed: packed + b"garbage",
        lambda packed: packed[:12] + b"\xff\xff" + packed[14:],
    ],
)
def test_damaged_compression_is_named(tmp_path, spoil):
    packed = gzip.compress(header(0x08, 1000) + np.random.default_rng(0).bytes(1000), mtime=0)
    assert "damaged: it cannot be decompressed" in refusal(tmp_path / "numbers.gz", spoil(packed))


def test_what_cannot_be_opened_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "nothing", tmp_path / ("n" * 300)):
        with pytest.raises(DataError, match=r"cannot be read .*check its name and its permissions"):
            idx.read(path)


def test_no_more_memory_than_the_file_can_fill(tmp_path):
    bomb = gzip.compress(header(0x08, 10) + bytes(50_000_000))
    for content in (header(0x08, 2**30), gzip.compress(header(0x08, 2**29)), bomb):
        tracemalloc.start()
        refusal(tmp_path / "numbers", content)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5_000_000


def read_or_refuse(path, content):
    """Nothing but an array or a DataError may come out."""
    path.write_bytes(content)
    try:
        assert isinstance(idx.read(path), np.ndarray)
    except DataError as error:
        assert str(path) in str(error)


@same_folder
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path, content):
    read_or_refuse(tmp_path / "numbers", content)


@same_folder
@given(
    st.sampled_from([0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E]), st.integers(0, 255), st.binary(max_size=300), st.booleans()
)
def test_any_bytes_behind_a_good_beginning(tmp_path, code, count, content, packed):
    content = bytes([0, 0, code, count]) + content
    read_or_refuse(tmp_path / "numbers", gzip.compress(content) if packed else content)


@same_folder
@given(st.binary(max_size=100))
def test_any_bytes_after_the_mark_of_gzip(tmp_path, content):
    read_or_refuse(tmp_path / "numbers", b"\x1f\x8b\x08\0" + content)


@same_folder
@given(any_array, st.data(), st.sampled_from(["numbers", "numbers.gz"]))
def test_every_truncation_is_refused(tmp_path, array, draw, name):
    path = tmp_path / name
    idx.write(path, array)
    whole = path.read_bytes()
    refusal(path, whole[: draw.draw(st.integers(0, len(whole) - 1))])


@same_folder
@given(any_array, st.data(), st.sampled_from(["numbers", "numbers.gz"]))
def test_any_flipped_bit(tmp_path, array, draw, name):
    path = tmp_path / name
    idx.write(path, array)
    content = bytearray(path.read_bytes())
    bit = draw.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    read_or_refuse(path, bytes(content))
