"""Spiking networks beside Brian 2 with code generated for Cython, and their cost for growing numbers of neurons.

Both sides simulate the same neurons with the same wiring from the same voltages, record all spikes, and leave set-up
uncounted. Times are those of the processor: with one thread the same as by the clock, and fairer on a busy machine.
Brian 2 is no dependency of the package; these pairs are there where it can be imported:

    nox -s bench_spikes

The cost for growing numbers of neurons is recorded for the chapter by

    PYTHONPATH=code OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/spiking_network.py FILE
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from timed import Timed

from recurrence.neurons import spiking_network as sn
from recurrence.neurons.spiking_network import Brunel, Network

Work = Callable[[], Timed]
CLOSE = 0.1  # mean rates: the random numbers from outside differ, and a chaotic network forgets the rest

SIZES = (1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
"""N in the recorded cost."""

SIMULATED = 500.0
"""How long each of them is simulated, ms."""


def pairs() -> Iterator[tuple[str, Work, Work, float]]:
    try:
        import brian2
    except ImportError:
        print("spiking_network: Brian 2 cannot be imported here, so nothing is measured beside it.", file=sys.stderr)
        return
    brian2.prefs.codegen.target = "cython"
    for name, duration, build in (("CUBA", 1000.0, cuba), ("Brunel C", 200.0, brunel), ("Brunel D", 200.0, brunel)):
        both = cache(partial(build, brian2, name, duration))
        first, second = (lambda both=both, k=k: both()[k]() for k in (0, 1))
        yield f"spiking_network {name}, {duration / 1000:g} s / Brian 2", first, second, CLOSE


def cuba(brian2: Any, name: str, duration: float) -> tuple[Work, Work]:
    network, V = sn.cuba(np.random.default_rng(1))
    return ours(network, V, duration), cuba_beside(brian2, network, V, duration)


def brunel(brian2: Any, name: str, duration: float) -> tuple[Work, Work]:
    rng, setup = np.random.default_rng(1), Brunel(*sn.PANELS[name[-1]])
    network, V = setup.network(rng), rng.uniform(0, 20, setup.neurons)
    return ours(network, V, duration), brunel_beside(brian2, setup, network, V, duration)


def ours(network: Network, V: np.ndarray, duration: float) -> Work:
    rng = np.random.default_rng(2)

    def work() -> Timed:
        start = time.process_time()
        activity = sn.run(network, V, round(duration / network.neuron.dt), rng)
        return Timed(np.array(sn.mean_rate(activity)), time.process_time() - start)

    return work


def cuba_beside(brian2: Any, network: Network, V: np.ndarray, duration: float) -> Work:
    equations = """
    dV/dt = (-49*mV - V + up + down) / (20*ms) : volt (unless refractory)
    dup/dt = -up / (5*ms) : volt
    ddown/dt = -down / (10*ms) : volt
    """
    cells = brian2.NeuronGroup(
        network.N,
        equations,
        threshold="V > -50*mV",
        reset="V = -60*mV",
        refractory=5 * brian2.ms,
        method="exact",
    )
    exciting, inhibiting = network.synapses
    parts = []
    for name, kind in (("up", exciting), ("down", inhibiting)):
        parts.append(brian2.Synapses(cells, cells, on_pre=f"{name} += {kind.weight}*mV"))
        connect(parts[-1], kind, network.N)
    return running(brian2, brian2.Network(cells, *parts), cells, V, duration)


def brunel_beside(brian2: Any, setup: Brunel, network: Network, V: np.ndarray, duration: float) -> Work:
    cells = brian2.NeuronGroup(
        network.N,
        "dV/dt = -V / (20*ms) : volt (unless refractory)",
        threshold="V > 20*mV",
        reset="V = 10*mV",
        refractory=2 * brian2.ms,
        method="exact",
    )
    parts = []
    for kind in network.synapses:
        synapses = brian2.Synapses(cells, cells, on_pre=f"V += {kind.weight}*mV", delay=kind.delay * brian2.ms)
        connect(synapses, kind, network.N)
        parts.append(synapses)
    outside = brian2.PoissonInput(
        cells, "V", N=setup.inputs, rate=setup.outside * brian2.Hz, weight=setup.weight * brian2.mV
    )
    return running(brian2, brian2.Network(cells, outside, *parts), cells, V, duration)


def connect(theirs: Any, kind: sn.Synapses, N: int) -> None:
    sender, place = np.nonzero(kind.table < N)
    theirs.connect(i=sender + kind.first, j=kind.table[sender, place].astype(int))


def running(brian2: Any, net: Any, cells: Any, V: np.ndarray, duration: float) -> Work:
    spikes = brian2.SpikeMonitor(cells)
    net.add(spikes)
    cells.V = V * brian2.mV
    net.run(0 * brian2.ms)  # generates the code and compiles it
    net.store()

    def work() -> Timed:
        net.restore()
        marks = []
        # Reported are the beginning and the end of the loop over steps, after all that is made ready for it.
        net.run(
            duration * brian2.ms, report=lambda *_: marks.append(time.process_time()), report_period=1e6 * brian2.second
        )
        return Timed(np.array(1000 * spikes.num_spikes / len(V) / duration), marks[-1] - marks[0])

    return work


# The cost of many neurons


def cost() -> list[dict[str, Any]]:
    """Measure time and memory for :data:`SIZES` neurons that hear 125 others each, whatever their number."""
    found = []
    for N in SIZES:
        rng = np.random.default_rng(0)
        # As in the chapter's small network, so that all of them fire alike.
        network = Brunel(5.0, 2.0, neurons=N, inputs=100, weight=0.5).network(rng)
        V = rng.uniform(0, 20, N)
        times = []
        for _ in range(3):
            start = time.process_time()
            activity = sn.run(network, V, round(SIMULATED / network.neuron.dt), rng)
            times.append(time.process_time() - start)
        found.append(
            {
                "neurons": N,
                "synapses": int(sum(np.count_nonzero(kind.table < N) for kind in network.synapses)),
                "bytes": int(sum(kind.table.nbytes for kind in network.synapses)),
                "rate": round(sn.mean_rate(activity, 100.0), 2),
                "seconds_per_second": round(1000 * min(times) / SIMULATED, 4),
            }
        )
        print(found[-1])
    return found


def main(path: str) -> None:
    told = {
        "command": "python benchmarks/spiking_network.py spiking_cost.json",
        "config": {"inputs": 100, "weight": 0.5, "g": 5.0, "ratio": 2.0, "simulated": SIMULATED, "best_of": 3},
        "runs": cost(),
        "versions": {**sn.versions(), "machine": platform.machine()},
        "threads": 1,
    }
    Path(path).write_text(json.dumps(told, indent=1) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1])
