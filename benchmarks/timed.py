"""What a benchmark returns that times itself, because it does more than is to be measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Timed(NamedTuple):
    """A result and the seconds that it took, set-up left out."""

    result: np.ndarray
    seconds: float
