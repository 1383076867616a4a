"""The leaky integrator's scan beside the loop that defines it, and beside SciPy's compiled filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.signal import lfilter

from recurrence import time
from recurrence.neurons.leaky_integration import LeakyIntegrator

Work = Callable[[], np.ndarray]
SHAPES = {"one channel, T=100,000": (100_000, 1), "T=1,000 D=64": (1000, 64), "B=32 T=100 D=64": (32, 100, 64)}


def pairs() -> Iterator[tuple[str, Work, Work]]:
    rng = np.random.default_rng(0)
    cell = LeakyIntegrator(0.1)
    for shape_name, shape in SHAPES.items():
        xs = rng.standard_normal(shape)
        start = np.zeros(shape[:-2] + shape[-1:])
        scanned = _bind(lambda xs, start: time.scan(cell, start, xs)[1], xs, start)
        looped = _bind(lambda xs, start: time.loop(cell, start, xs)[1], xs, start)
        filtered = _bind(lambda xs, start: lfilter([0.1], [1, -0.9], xs, axis=-2), xs, start)
        yield f"leaky_integration scan / loop, {shape_name}", scanned, looped
        yield f"leaky_integration scan / scipy lfilter, {shape_name}", scanned, filtered


def _bind(work: Callable[[np.ndarray, np.ndarray], np.ndarray], xs: np.ndarray, start: np.ndarray) -> Work:
    return lambda: work(xs, start)
