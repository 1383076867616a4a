"""The IDX format, in which MNIST and its relatives are published: a short header, then plain numbers.

The header is two zero bytes, one byte for the kind of numbers, one byte for the number of axes, and the length of
each axis as an unsigned integer of four bytes. All numbers are big-endian. Files may be compressed with gzip.

Source: Y. LeCun, C. Cortes and C. J. C. Burges, *The MNIST database of handwritten digits*, section "File formats".
"""

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from recurrence.data.dataset import DataError
from recurrence.tree import Array

KINDS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The byte that stands for each kind of numbers."""

LARGEST = 2**30
"""Bytes that a file may promise: twenty times MNIST. More is taken for a damaged header."""

MOST_AXES = 64
"""NumPy's own limit."""

GZIP = b"\x1f\x8b"
DEFLATE_RATIO = 1032
"""The most bytes that gzip can put into one."""


def read(path: str | os.PathLike[str], *, kind: npt.DTypeLike | None = None, axes: int | None = None) -> Array:
    """Read an IDX file, plain or compressed.

    Parameters
    ----------
    path
        The file. Whether it is compressed is seen from its first bytes, not from its name.
    kind
        The kind of numbers that are expected, for example ``np.uint8``; any, if left out.
    axes
        How many axes are expected; any number, if left out.

    Returns
    -------
    Array
        The numbers, in the byte order of this machine.

    Raises
    ------
    DataError
        If the file cannot be read, is no IDX file, is truncated, damaged or longer than its header says,
        or holds other things than expected. Never is more memory taken than the file can fill.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if file.peek(2)[:2] == GZIP:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    return _parse(path, unpacked, size * DEFLATE_RATIO, kind, axes)
            return _parse(path, file, size, kind, axes)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: it cannot be decompressed as gzip; fetch a fresh copy.") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}); check its name and its permissions."
        ) from error


def write(path: str | os.PathLike[str], array: npt.ArrayLike) -> None:
    """Write an array as an IDX file, compressed if its name ends in ``.gz``.

    Parameters
    ----------
    path
        Where to write.
    array
        At least one axis; numbers of one of the kinds uint8, int8, int16, int32, float32, float64.

    Raises
    ------
    ValueError
        If the format has no such numbers or axes.
    """
    path, array = Path(path), np.asarray(array)
    codes = {np.dtype(kind).newbyteorder("="): code for code, kind in KINDS.items()}
    code = codes.get(array.dtype.newbyteorder("="))
    if code is None:
        known = ", ".join(str(kind) for kind in codes)
        raise ValueError(f"IDX has no numbers of kind {array.dtype}; convert them to one of {known}.")
    if not array.ndim or max(array.shape) >= 2**32:
        raise ValueError(f"IDX has no arrays of shape {array.shape}; it needs one axis or more, each below 2^32 long.")
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = header + array.astype(KINDS[code]).tobytes()
    # Without a time in it, the same array gives the same file.
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _parse(
    path: Path, file: BinaryIO | gzip.GzipFile, room: int, kind: npt.DTypeLike | None, axes: int | None
) -> Array:
    magic = file.read(4)
    if not magic:
        raise DataError(f"{path} is empty, where an IDX file was expected; fetch a fresh copy.")
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in KINDS or not 1 <= magic[3] <= MOST_AXES:
        raise DataError(
            f"{path} is no IDX file: it begins with the bytes {magic.hex(' ')} instead of 00 00, a kind of numbers "
            f"({', '.join(f'{code:02x}' for code in KINDS)}) and a number of axes (01 to {MOST_AXES:x}); "
            "check that this is the right file, or fetch a fresh copy."
        )
    stored = np.dtype(KINDS[magic[2]])
    if kind is not None and stored.newbyteorder("=") != np.dtype(kind):
        raise DataError(
            f"{path} holds numbers of kind {stored.newbyteorder('=')}, where {np.dtype(kind)} was expected; "
            "check that this is the right file."
        )
    if axes is not None and magic[3] != axes:
        raise DataError(
            f"{path} has {_count(magic[3], 'axis', 'axes')}, where {axes} {'was' if axes == 1 else 'were'} expected; "
            "check that images and labels are not exchanged."
        )
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise DataError(f"{path} is truncated: it ends within its header; fetch a fresh copy.")
    shape = tuple(int(length) for length in np.frombuffer(header, ">u4"))
    # An axis of length 0 makes every product 0, and still NumPy takes no absurd length beside it.
    reach = math.prod(max(length, 1) for length in shape) * stored.itemsize
    promised = math.prod(shape) * stored.itemsize
    if reach > LARGEST:
        raise DataError(
            f"{path} is damaged: its header promises {_shape(shape)} numbers, more than the "
            f"{LARGEST // 2**20} MiB that any file of this book may hold; fetch a fresh copy."
        )
    if promised > room:
        raise DataError(
            f"{path} is truncated: its header promises {_shape(shape)} numbers, {promised:,} bytes, "
            "which cannot be in a file this short; fetch a fresh copy."
        )
    content = _read_at_most(file, promised + 1)
    if len(content) < promised:
        raise DataError(
            f"{path} is truncated: its header promises {_shape(shape)} numbers, {promised:,} bytes, "
            f"but only {len(content):,} follow; fetch a fresh copy."
        )
    if len(content) > promised:
        raise DataError(
            f"{path} is damaged: its header promises {_shape(shape)} numbers, {promised:,} bytes, "
            "but more follow; fetch a fresh copy."
        )
    return np.frombuffer(content, stored).astype(stored.newbyteorder("=")).reshape(shape)


def _read_at_most(file: BinaryIO | gzip.GzipFile, most: int) -> bytearray:
    """Read in pieces: asked for all at once, Python would reserve the room before it has seen a byte."""
    content = bytearray()
    while len(content) < most and (piece := file.read(min(most - len(content), 2**20))):
        content += piece
    return content


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
