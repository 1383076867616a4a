"""Measure the package beside other ways to do the same work: both in turn, in one run, on one thread.

    nox -s bench                          # all of them, save those that stand beside Brian 2
    nox -s bench -- leaky_integration     # those whose name contains a word
    nox -s bench_spikes                   # those beside Brian 2, which needs an older NumPy

What is quoted is the ratio of the two times, pair by pair, because the speed of a machine drifts and a ratio does
not. The work of both sides is compared before anything is timed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import engine
import leaky_integration
import numpy as np
import spiking_network
from timed import Timed

Work = Callable[[], np.ndarray | Timed]
MODULES = (leaky_integration, engine, spiking_network)
PAIRS = 15
SHORTEST = 0.02  # seconds: work that takes less is repeated until it takes this long


@dataclass(frozen=True)
class Pair:
    """Two ways to do the same work: ours, and what it is measured against."""

    name: str
    ours: Work
    other: Work
    rtol: float = 1e-9


def seconds(work: Work, repeats: int) -> float:
    """Time of one run: by the clock, or what the work itself says of each."""
    said, start = 0.0, time.perf_counter()
    for _ in range(repeats):
        done = work()
        if isinstance(done, Timed):
            said += done.seconds
    return (said or time.perf_counter() - start) / repeats


def result(work: Work) -> np.ndarray:
    found = work()
    return found.result if isinstance(found, Timed) else found


def measure(pair: Pair) -> tuple[float, list[float]]:
    """Median time of ours, in seconds, and the ratios ours / other of all pairs."""
    np.testing.assert_allclose(result(pair.ours), result(pair.other), rtol=pair.rtol, atol=pair.rtol)
    repeats = [max(1, round(SHORTEST / seconds(work, 1))) for work in (pair.ours, pair.other)]
    ours, ratios = [], []
    for _ in range(PAIRS):
        ours.append(seconds(pair.ours, repeats[0]))
        ratios.append(ours[-1] / seconds(pair.other, repeats[1]))
    return statistics.median(ours), sorted(ratios)


def main(words: list[str]) -> int:
    pairs = [Pair(*entry) for module in MODULES for entry in module.pairs()]
    pairs = [pair for pair in pairs if all(word in pair.name for word in words)]
    if not pairs:
        print(f"No benchmark's name contains {' and '.join(words)}.", file=sys.stderr)
        return 1
    width = max(len(pair.name) for pair in pairs)
    print(f"{'ours / other':<{width}}   median   (min to max)    ours")
    for pair in pairs:
        median, ratios = measure(pair)
        spread = f"({ratios[0]:.3f} to {ratios[-1]:.3f})"
        print(f"{pair.name:<{width}}  {statistics.median(ratios):7.3f}   {spread:<16} {1e3 * median:.3f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
