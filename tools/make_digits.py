# /// script
# requires-python = ">=3.11"
# dependencies = ["scikit-learn==1.9.1"]
# ///
"""Make the file of handwritten digits that the package embeds, from the copy of the data that scikit-learn ships.

Run it with `uv run tools/make_digits.py`, or with any Python that has scikit-learn. The pixels are counts from 0 to 16;
they are written as one byte each and compressed, without pickling, in the order of the source. The printed SHA-256 is
of the numbers and not of the file, because the same numbers are compressed differently by different versions of zlib.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

TARGET = Path(__file__).resolve().parents[1] / "code" / "recurrence" / "data" / "digits.npz"
Bytes = npt.NDArray[np.uint8]


def source() -> tuple[Bytes, Bytes]:
    """Take counts (n, 8, 8) and labels (n,) from scikit-learn; each number fits into a byte exactly."""
    from sklearn.datasets import load_digits

    given: Any = load_digits()
    counts, labels = (np.asarray(numbers).astype(np.uint8) for numbers in (given.images, given.target))
    if not (np.array_equal(counts, given.images) and np.array_equal(labels, given.target)):
        raise SystemExit("scikit-learn's digits are no longer whole numbers below 256: look at what has changed.")
    return counts, labels


def sha256(counts: Bytes, labels: Bytes) -> str:
    """Hash all counts, then all labels, one byte each."""
    return hashlib.sha256(counts.tobytes() + labels.tobytes()).hexdigest()


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    counts, labels = source()
    np.savez_compressed(TARGET, allow_pickle=False, counts=counts, labels=labels)
    print(f"{len(labels)} digits in {TARGET.stat().st_size / 1024:.0f} KB; SHA-256 of the numbers:")
    print(sha256(counts, labels))


if __name__ == "__main__":
    main()
