"""Networks of spiking neurons: wiring, a simulation that pays for spikes alone, Brunel's network, and learning.

Units as in the chapter before: millivolts, milliseconds; rates alone are in hertz. Symbols, as in the chapter
*Spiking networks*:

=============  ==============================================================================
``V``          V, the membrane voltages, mV, ``(N,)``
``W``          W_ij, the weight with which neuron j hears neuron i
``weight``     J, by how much one spike moves the voltage, or the synaptic drive x, mV
``tau``        of synapses: τ_s, how long their drive lasts, ms; 0 where the voltage jumps
``delay``      d, from a spike to its arrival, ms
``g``          how many times stronger an inhibiting spike is than an exciting one
``ratio``      ν_ext / ν_thr, the input from outside in units of what alone just reaches V_th
``surrogate``  ψ, what stands for the derivative of a spike, and β, its sharpness
``spikes``     S[n], 1 where a neuron fires at step n and else 0
=============  ==============================================================================

``python -m recurrence.neurons.spiking_network`` simulates the four panels of Brunel's figure 8 in full size; with
``--record FILE`` it writes what the chapter shows.
"""

import argparse
import json
import math
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from recurrence.neurons.leaky_integration import LeakyIntegrator
from recurrence.neurons.lif import LIF, Numbers, siegert
from recurrence.nn import Linear
from recurrence.tape import constant, gradient, primitive
from recurrence.train import versions
from recurrence.tree import Array

# Coupled by potentials


@dataclass(frozen=True)
class Coupled:
    """Leaky neurons that hear each other's voltages, all the time.

    τ dV_j/dt = −V_j + Σ_i V_i W_ij + I_j

    A :class:`~recurrence.time.Cell`: its state and its output are the voltages ``(..., N)``, its input a drive in the
    same unit.

    Parameters
    ----------
    W
        Weights ``(N, N)``, those with which neuron j listens in column j.
    leak
        α of each step, as in :class:`~recurrence.neurons.leaky_integration.LeakyIntegrator`.
    """

    W: Array
    leak: float

    def start(self, batch: tuple[int, ...] = ()) -> Array:
        """Return voltages of zero, ``(*batch, N)``."""
        return np.zeros((*batch, len(self.W)))

    def step(self, V: Array, current: Array) -> tuple[Array, Array]:
        """Take voltages and a drive; return the next voltages, twice."""
        return LeakyIntegrator(self.leak).step(V, V @ self.W + current)


# Wiring


def distinct(counts: npt.ArrayLike, among: int, rng: np.random.Generator) -> Array:
    """Draw for each row so many different numbers from 0 to ``among`` − 1, all choices equally likely.

    What is drawn twice in a row is drawn again until nothing is: all numbers are treated alike, so no choice is
    favoured. Takes time and memory for what is drawn, not for what might be.

    Parameters
    ----------
    counts
        How many numbers each row gets, ``(rows,)``.
    among
        From how many they are drawn.

    Returns
    -------
    Array
        Integers ``(rows, max(counts))``, ascending; rows with fewer numbers are filled up with ``among``.
    """
    counts = np.asarray(counts)
    if counts.size and not 0 <= counts.min() <= counts.max() <= among:
        raise ValueError(f"{counts.max()} different numbers cannot be drawn from {among}; ask for fewer.")
    wanted = np.arange(max(counts.max(initial=0), 1)) < counts[:, None]
    rows = np.where(wanted, 0, among).astype(_integers(among))
    rows[wanted] = rng.integers(0, among, wanted.sum())
    todo = np.arange(len(rows))
    while todo.size:
        part = np.sort(rows[todo], axis=1)
        twice = np.zeros(part.shape, bool)
        twice[:, 1:] = (part[:, 1:] == part[:, :-1]) & (part[:, 1:] < among)
        part[twice] = rng.integers(0, among, twice.sum())
        rows[todo] = part
        todo = todo[twice.any(axis=1)]
    return rows


def inverted(rows: Array, among: int) -> Array:
    """Turn a table of who listens to whom into one of who is heard by whom, or back.

    Parameters
    ----------
    rows
        A row for each listener, with the numbers of those it hears; filled up with ``among``.
    among
        How many can be heard.

    Returns
    -------
    Array
        A row for each that can be heard, with the numbers of its listeners; filled up with the number of listeners.
    """
    listeners, width = rows.shape
    real = rows.ravel() < among
    heard = rows.ravel()[real]
    who = np.repeat(np.arange(listeners, dtype=_integers(listeners)), width)[real]
    counts = np.bincount(heard, minlength=among)
    table = np.full((among, max(counts.max(initial=0), 1)), listeners, who.dtype)
    table[np.arange(table.shape[1]) < counts[:, None]] = who[np.argsort(heard, kind="stable")]
    return table


def _integers(largest: int) -> npt.DTypeLike:
    # Half the memory where it suffices; a signed type otherwise, as 32-bit machines count with it too.
    return np.uint16 if largest < 2**16 else np.int32


@dataclass(frozen=True)
class Synapses:
    """Where the spikes of some neurons go, when they arrive and what they do there.

    Parameters
    ----------
    table
        A row for each sender with the numbers of the neurons that hear it, each once, ``(senders, K)``. Rows with fewer
        than K end with the number N of neurons in the network, which is nobody's.
    weight
        mV: by how much a spike moves the voltage (``tau`` 0) or the drive; negative if it inhibits.
    first
        Number of the neuron that sends by the first row. Those of the other rows follow it.
    tau
        τ_s, ms: the drive that a spike adds fades as e^(−t/τ_s). With 0 the voltage jumps instead.
    delay
        d, ms; counted in whole steps, the nearest number of them, one at least.
    """

    table: Array
    weight: float
    first: int = 0
    tau: float = 0.0
    delay: float = 0.1


@dataclass(frozen=True)
class Poisson:
    """Spikes from outside, for each neuron its own, independent and at any moment equally likely.

    Parameters
    ----------
    rate
        How many come each second, Hz, all sources of a neuron taken together.
    weight
        By how much each moves the voltage, mV.
    """

    rate: float
    weight: float


@dataclass(frozen=True)
class Network:
    """N alike neurons, the synapses among them, and what they hear from outside.

    | τ dV/dt = −(V − V_rest) + Σ x,  τ_s dx/dt = −x for each kind of synapses with τ_s > 0
    | V ≥ V_th:  spike, V ← V_reset, and there it is held for t_ref
    | d after a spike, at each neuron that hears it:  x ← x + J, or V ← V + J where τ_s = 0

    Parameters
    ----------
    neuron
        The neuron. Its parameters must be numbers, and its ``dt`` is the step of the network.
    N
        How many there are.
    synapses
        One entry for each kind.
    outside
        What comes from outside, if anything.

    Raises
    ------
    ValueError
        If the neurons are not alike, or synapses lead to neurons or from neurons that do not exist, or back in time.
    """

    neuron: LIF
    N: int
    synapses: tuple[Synapses, ...]
    outside: Poisson | None = None

    def __post_init__(self) -> None:
        if any(np.ndim(getattr(self.neuron, name)) for name in ("tau", "rest", "threshold", "reset", "refractory")):
            raise ValueError("The neurons of a network are alike: give each parameter as a number, not as an array.")
        for kind in self.synapses:
            if kind.table.min(initial=0) < 0 or kind.table.max(initial=0) > self.N:
                raise ValueError(f"Synapses lead to neurons 0 to {self.N - 1}, and rows end with {self.N}.")
            if kind.first < 0 or kind.first + len(kind.table) > self.N:
                raise ValueError(f"The senders {kind.first} to {kind.first + len(kind.table) - 1} are not all there.")
            if round(kind.delay / self.neuron.dt) < 1:
                raise ValueError(f"A spike arrives a step of {self.neuron.dt} ms later at least, not {kind.delay} ms.")
            if not kind.tau >= 0:
                raise ValueError(f"The drive of a synapse fades in a time of 0 or more, not in {kind.tau} ms.")


class Activity(NamedTuple):
    """What a network did. The spikes of step n are those of the neurons ``who[upto[n] : upto[n + 1]]``.

    Parameters
    ----------
    who
        Which neuron fired, for all spikes in the order of time, ``(spikes,)``.
    upto
        How many spikes there were before each step, and in the end, ``(T + 1,)``.
    V
        Voltages of the neurons that were watched at the end of each step, mV, ``(T, watched)``.
    end
        Voltages of all neurons after the last step, mV, ``(N,)``.
    dt
        Length of a step, ms.
    """

    who: Array
    upto: Array
    V: Array
    end: Array
    dt: float


def run(
    network: Network, V: npt.ArrayLike, steps: int, rng: np.random.Generator, watch: Sequence[int] = ()
) -> Activity:
    """Run a network from given voltages, without spikes on their way.

    Between spikes every voltage and every drive moves by its closed form, so that steps of any length are exact. The
    record of spikes is memory of two kinds at once: who fired within t_ref is held at the reset, and who fired d ago
    is heard now. Each step costs a few operations on N numbers, and each spike as many additions as it has listeners.

    Parameters
    ----------
    network
        What is run.
    V
        Voltages to start with, mV, ``(N,)`` or one number.
    steps
        Their number, T.
    rng
        Where the spikes from outside come from.
    watch
        Numbers of neurons whose voltages are to be kept.
    """
    neuron, N = network.neuron, network.N
    high, low = float(neuron.threshold) - neuron.rest, float(neuron.reset) - neuron.rest
    keep, hold = 1 - float(neuron.leak), int(neuron.hold)
    # Voltages count from rest. In arrays that spikes are added to, the place N belongs to nobody.
    padded = np.append(np.broadcast_to(np.asarray(V, float) - neuron.rest, N), 0.0)
    y = padded[:N]
    kinds = [_Kind.of(synapses, neuron, padded) for synapses in network.synapses]
    borders = np.array([border for kind in kinds for border in (kind.first, kind.stop)])
    parts: list[list[int] | None] = []
    outside = _arrivals(network, rng, steps)
    traces, watched = np.empty((steps, len(watch))), np.asarray(watch, int)
    who, upto, spikes = np.empty(1024, int), [0], 0
    for n in range(steps):
        y *= keep
        for k, kind in enumerate(kinds):
            if kind.fading:
                y += kind.drive
                np.multiply(kind.to, kind.fade, out=kind.to)
            if n >= kind.delay and (arriving := parts[n - kind.delay]):
                begin, end = arriving[2 * k : 2 * k + 2]
                if begin < end:
                    kind.deliver(who[begin:end])
        if outside is not None:
            y += next(outside)
        y[who[upto[max(n - hold, 0)] : spikes]] = low
        (fired,) = (y >= high).nonzero()
        if fired.size:
            y[fired] = low
            if spikes + fired.size > who.size:
                who = np.concatenate([who[:spikes], np.empty(2 * (spikes + fired.size), int)])
            who[spikes : spikes + fired.size] = fired
            # Where in the record the senders of each kind begin and end.
            parts.append([spikes + place for place in fired.searchsorted(borders).tolist()])
            spikes += fired.size
        else:
            parts.append(None)
        upto.append(spikes)
        if watched.size:
            traces[n] = y[watched]
    return Activity(who[:spikes].copy(), np.array(upto), traces + neuron.rest, y + neuron.rest, neuron.dt)


PLACES = 2**16
"""How many arrivals of spikes are worked on at once, unless there are more neurons."""


class _Kind(NamedTuple):
    """Synapses of one kind, made ready to run: what their spikes are added to, and how that fades."""

    table: Array
    first: int
    stop: int
    delay: int
    weight: float
    fading: bool
    to: Array
    drive: Array
    fade: float
    piece: int

    @classmethod
    def of(cls, kind: Synapses, neuron: LIF, y: Array) -> Self:
        delay, stop, fading = round(kind.delay / neuron.dt), kind.first + len(kind.table), kind.tau > 0
        to = np.zeros_like(y) if fading else y
        fade = math.exp(-neuron.dt / kind.tau) if fading else 0.0
        weight = kind.weight * (share(neuron.dt, float(neuron.tau), kind.tau) if fading else 1.0)
        piece = max(1, max(PLACES, 2 * y.size) // kind.table.shape[1])
        return cls(kind.table, kind.first, stop, delay, weight, fading, to, to[:-1], fade, piece)

    def deliver(self, senders: Array) -> None:
        """Add what the spikes of these neurons bring to everybody who hears them."""
        if self.first:
            senders = senders - self.first
        if 2 * senders.size * self.table.shape[1] < self.to.size:
            np.add.at(self.to, self.table.take(senders, axis=0).ravel(), self.weight)
            return
        # To count first is several times faster where most neurons are hit; in pieces that stay in a cache.
        for k in range(0, senders.size, self.piece):
            places = self.table.take(senders[k : k + self.piece], axis=0).ravel()
            np.add(self.to, self.weight * np.bincount(places, minlength=self.to.size), out=self.to)


def share(t: Numbers, tau: float, tau_s: float) -> Numbers:
    """Return which share of a synaptic drive has become voltage after a time t.

    | τ_s / (τ_s − τ) · (e^(−t/τ_s) − e^(−t/τ))
    | t/τ · e^(−t/τ)  if both are equal

    Parameters
    ----------
    t
        Time since a spike arrived, ms.
    tau, tau_s
        Time constants of the membrane and of the synapse, ms.
    """
    if tau == tau_s:
        return t / tau * np.exp(-t / tau)
    return tau_s / (tau_s - tau) * (np.exp(-t / tau_s) - np.exp(-t / tau))


# Chance from outside


def _arrivals(network: Network, rng: np.random.Generator, steps: int) -> Any:
    """Yield for each step by how much the voltages jump; None if nothing comes from outside."""
    outside, N = network.outside, network.N
    if outside is None or not outside.rate:
        return None

    def each() -> Any:
        draw, done = poisson(outside.rate * network.neuron.dt / 1000), 0
        jump = np.empty(N)
        while done < steps:
            # Many steps at once, because small arrays cost time of their own.
            block = draw((min(steps - done, max(1, 2**17 // N)), N), rng)
            for counts in block:
                yield np.multiply(counts, outside.weight, out=jump)
            done += len(block)

    return each()


def poisson(mean: float) -> Callable[[tuple[int, ...], np.random.Generator], Array]:
    """Make a function ``draw(shape, rng)`` of Poisson numbers with a small mean, ten times as fast as NumPy's.

    A random number is split into its first 16 bits and the rest. In nearly all cases the 16 bits settle already what
    comes of it, which a table tells; where they do not, the rest is looked at.

    Raises
    ------
    ValueError
        If the mean is not between 0 and 100.

    References
    ----------
    Chen and Asau (1974), *On generating random variates from an empirical distribution*.
    """
    if not 0 <= mean <= 100:
        raise ValueError(f"The table is made for means from 0 to 100, not for {mean}; take shorter steps.")
    chance = [math.exp(-mean)]
    for k in range(1, 255):
        chance.append(chance[-1] * mean / k)
    below = np.cumsum(chance)
    begins = below.searchsorted(np.arange(2**16) / 2**16, side="right")
    ends = below.searchsorted(np.arange(1, 2**16 + 1) / 2**16, side="left")
    table = np.where(begins == ends, begins, 255).astype(np.uint8)

    def draw(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        bits = rng.integers(0, 2**16, math.prod(shape), np.uint16)
        counts = table.take(bits)
        (unsettled,) = (counts == 255).nonzero()
        exact = (bits[unsettled] + rng.random(unsettled.size)) / 2**16
        counts[unsettled] = below.searchsorted(exact, side="right")
        return counts.reshape(shape)

    return draw


# What the spikes tell


def times(activity: Activity) -> Array:
    """Return when each spike came, ms: the end of its step, in the order of ``who``."""
    return activity.dt * np.repeat(np.arange(1, activity.upto.size), np.diff(activity.upto))


def crowd_rate(activity: Activity, width: float) -> Array:
    """Return the rate of a neuron of the network, Hz, averaged over all of them and over bins of a width in ms.

    Steps that fill no bin at the end are left out.
    """
    per_bin = round(width / activity.dt)
    edges = activity.upto[::per_bin]
    return np.diff(edges) / activity.end.size / (per_bin * activity.dt) * 1000


def mean_rate(activity: Activity, after: float = 0.0) -> float:
    """Return the mean rate of a neuron after a time in ms, Hz."""
    first = round(after / activity.dt)
    spikes, steps = activity.upto[-1] - activity.upto[first], activity.upto.size - 1 - first
    return float(1000 * spikes / (activity.end.size * steps * activity.dt))


def irregularity(activity: Activity, after: float = 0.0, least: int = 3) -> float:
    """Return the coefficient of variation of a neuron's intervals, the mean over neurons.

    Parameters
    ----------
    after
        Spikes before this time are not looked at, ms.
    least
        How many intervals a neuron must have to count.

    Raises
    ------
    ValueError
        If no neuron has so many intervals.
    """
    begin = activity.upto[round(after / activity.dt)]
    who, when = activity.who[begin:], times(activity)[begin:]
    order = np.argsort(who, kind="stable")
    same = np.diff(who[order]) == 0
    whose, gaps = who[order][1:][same], np.diff(when[order])[same]
    number, N = np.bincount(whose, minlength=activity.end.size), activity.end.size
    enough = number >= max(least, 2)
    if not enough.any():
        raise ValueError(f"No neuron has {least} intervals; run the network for longer.")
    number = np.maximum(number, 1)
    mean = np.bincount(whose, gaps, N) / number
    variance = np.bincount(whose, (gaps - mean[whose]) ** 2, N) / number
    return float(np.mean(np.sqrt(variance[enough]) / mean[enough]))


def rhythm(activity: Activity, after: float = 0.0) -> float:
    """Return the frequency, Hz, at which the rate of the whole network swings most: the peak of its power spectrum.

    Looked for between 5 and 500 Hz, after each power was averaged with its neighbours; given a second of activity they
    are 1 Hz apart. Noise has a highest peak too: whether there is a rhythm is another question.
    """
    rate = crowd_rate(activity, 1.0)[round(after) :]
    power = np.abs(np.fft.rfft(rate - rate.mean())) ** 2
    power = np.convolve(power, [0.1, 0.2, 0.4, 0.2, 0.1], mode="same")
    frequency = np.fft.rfftfreq(rate.size, 1e-3)
    heard = (frequency >= 5) & (frequency <= 500)
    return float(frequency[heard][np.argmax(power[heard])])


# Two published networks

BRUNEL = LIF(tau=20.0, resistance=1.0, rest=0.0, threshold=20.0, reset=10.0, refractory=2.0)
"""Brunel's neuron: voltages count from rest, and all parameters are his."""


@dataclass(frozen=True)
class Brunel:
    """The network of Brunel (2000): exciting and inhibiting neurons, 4 to 1, each hearing as many as any other.

    Parameters
    ----------
    g
        How many times stronger inhibition is.
    ratio
        ν_ext / ν_thr: the rate of a neuron outside, in units of that whose mean drive is V_th.
    neurons
        N, of which four fifths excite.
    inputs
        C, how many exciting neurons each hears; of inhibiting ones a quarter as many, and as many outside as C.
    weight
        J, by how much an exciting spike moves the voltage, mV.
    delay
        d, ms.

    References
    ----------
    Brunel (2000), *Dynamics of sparsely connected networks of excitatory and inhibitory spiking neurons*.
    """

    g: float
    ratio: float
    neurons: int = 12_500
    inputs: int = 1000
    weight: float = 0.1
    delay: float = 1.5

    @property
    def outside(self) -> float:
        """ν_ext, the rate of one of the C neurons outside, Hz: ratio · V_th / (C J τ)."""
        return 1000 * self.ratio * float(BRUNEL.threshold) / (self.inputs * self.weight * float(BRUNEL.tau))

    def network(self, rng: np.random.Generator) -> Network:
        """Draw the wiring."""
        N, exciting = self.neurons, self.neurons * 4 // 5
        ears = np.full(N, self.inputs)
        up = inverted(distinct(ears, exciting, rng), exciting)
        down = inverted(distinct(ears // 4, N - exciting, rng), N - exciting)
        synapses = (
            Synapses(up, self.weight, delay=self.delay),
            Synapses(down, -self.g * self.weight, first=exciting, delay=self.delay),
        )
        return Network(BRUNEL, N, synapses, Poisson(self.inputs * self.outside, self.weight))

    def hears(self, rate: Numbers) -> tuple[Numbers, Numbers]:
        """Return mean and deviation of the free voltage, mV, of a neuron that hears all others fire at a rate, Hz.

        | μ = C J τ (ν_ext + ν (1 − g/4))
        | 2 σ_V² = C J² τ (ν_ext + ν (1 + g²/4))
        """
        many = self.inputs * self.weight * float(BRUNEL.tau) / 1000
        mean = many * (self.outside + rate * (1 - self.g / 4))
        variance = many * self.weight * (self.outside + rate * (1 + self.g**2 / 4)) / 2
        return mean, np.sqrt(variance)

    def mean_field(self, watched_every: float = 0.0) -> float:
        """Return the rate, Hz, at which a neuron fires that hears others fire at the same rate.

        ν = Siegert(μ(ν), σ_V(ν)), found by halving an interval at whose lower end the right side is larger.

        Parameters
        ----------
        watched_every
            The step of the simulation to compare with, ms, as in :func:`recurrence.neurons.lif.siegert`.
        """
        low, high = 0.0, 1000 / float(BRUNEL.refractory)
        for _ in range(45):
            rate = (low + high) / 2
            if siegert(BRUNEL, *self.hears(rate), watched_every) > rate:
                low = rate
            else:
                high = rate
        return rate


PANELS = {"A": (3.0, 2.0), "B": (6.0, 4.0), "C": (5.0, 2.0), "D": (4.5, 0.9)}
"""g and ν_ext/ν_thr of the four panels of Brunel's figure 8."""

PUBLISHED = {"C": (37.7, 38.0), "D": (5.5, 6.5)}
"""Rates in Hz that his paper gives for two of them: simulated, and by theory."""

CUBA = LIF(tau=20.0, resistance=1.0, rest=-49.0, threshold=-50.0, reset=-60.0, refractory=5.0)
"""The neuron of :func:`cuba`. Its drive at rest lies above its threshold: left alone, it would fire steadily."""


def cuba(rng: np.random.Generator, neurons: int = 4000, chance: float = 0.02) -> tuple[Network, Array]:
    """Draw a network with synaptic currents, the second benchmark of Brette et al. (2007), and its first voltages, mV.

    Parameters
    ----------
    neurons
        N, of which four fifths excite.
    chance
        The probability with which any neuron hears any other.

    References
    ----------
    Brette et al. (2007), *Simulation of networks of spiking neurons: a review of tools and strategies*; after Vogels
    and Abbott (2005).
    """
    table = distinct(rng.binomial(neurons, chance, neurons), neurons, rng)
    exciting = neurons * 4 // 5
    synapses = (
        Synapses(table[:exciting], 1.62, tau=5.0),
        Synapses(table[exciting:], -9.0, first=exciting, tau=10.0),
    )
    return Network(CUBA, neurons, synapses), rng.uniform(-60, -50, neurons)


# Learning

SHARPNESS = 10.0
"""β, how narrow the surrogate is."""


def surrogate(v: Array) -> Any:
    """Stand in for the derivative of a spike: ψ(v) = 1 / (1 + β abs(v))², 1 at the threshold and small far from it.

    References
    ----------
    Zenke and Ganguli (2018), *SuperSpike: supervised learning in multilayer spiking neural networks*.
    """
    return 1 / (1 + SHARPNESS * np.absolute(v)) ** 2


@gradient(lambda dy, y, v: dy * surrogate(v))
def spike(v: Array) -> Any:
    """Return 1 where v ≥ 0 and else 0; its derivative is taken to be :func:`surrogate`."""
    return np.greater_equal(v, 0).astype(v.dtype)


def spike_scan_definition(u: Array, leak: float = 0.1) -> Any:
    V, spikes = np.zeros_like(constant(u)[..., 0, :]), []
    for n in range(u.shape[-2]):
        V = (1 - leak) * V + leak * u[..., n, :]
        spikes.append(spike(V - 1))
        V = V * (1 - constant(spikes[-1]))
    return np.stack(spikes, axis=-2)


@primitive(definition=spike_scan_definition)
def spike_scan(u: Array, leak: float = 0.1) -> Any:
    """Run leaky integrate-and-fire neurons with threshold 1 and reset 0 over drives, and return their spikes.

    | V[n] = (1 − α) V[n − 1] (1 − S[n − 1]) + α u[n]
    | S[n] = 1 if V[n] ≥ 1, else 0

    In the gradient, the derivative of a spike is the :func:`surrogate`, and the factor 1 − S of the reset a constant.

    Parameters
    ----------
    u
        Drives ``(..., T, N)``: to where the input would bring the voltage in the end, in units of the threshold.
    leak
        α.

    Returns
    -------
    Array
        Spikes, 0 and 1, in the shape and precision of u.
    """
    # Time comes first, so that each step works on one block of memory.
    drives = np.moveaxis(u, -2, 0)
    Vs, spikes = np.empty(drives.shape, u.dtype), np.empty(drives.shape, u.dtype)
    keep, after = u.dtype.type(1 - leak), np.zeros(drives.shape[1:], u.dtype)
    for n, drive in enumerate(drives):
        np.multiply(drive, u.dtype.type(leak), out=Vs[n])
        Vs[n] += keep * after
        np.greater_equal(Vs[n], 1, out=spikes[n])
        after = np.where(spikes[n], 0, Vs[n])

    def pull(dS: Any) -> tuple[Any]:
        """The gradient: dV[n] = ψ(V[n] − 1) dS[n] + (1 − α) (1 − S[n]) dV[n + 1], du[n] = α dV[n]."""
        dV = surrogate(Vs - 1) * np.moveaxis(dS, -2, 0)
        passing = keep * (1 - spikes)
        for n in reversed(range(len(dV) - 1)):
            dV[n] += passing[n] * dV[n + 1]
        dV *= u.dtype.type(leak)
        return (np.moveaxis(dV, 0, -2),)

    return np.moveaxis(spikes, 0, -2), pull


@dataclass(frozen=True)
class Classifier:
    """A layer of spiking neurons that looks at a still input for a while, and an output layer that counts its spikes.

    | S = spikes of neurons driven by x W + b for T steps
    | logits = mean of S over the steps · W' + b'

    Parameters
    ----------
    hidden, output
        W and b of the spiking neurons, W' and b' of the outputs.
    steps
        Their number, T.
    leak
        α of the spiking neurons.
    """

    hidden: Linear
    output: Linear
    steps: int = 25
    leak: float = 0.1

    @classmethod
    def init(cls, sizes: tuple[int, int, int], rng: np.random.Generator, **options: Any) -> Self:
        """Draw weights that make some of the neurons fire at first: W ~ N(0, 4 / D), where N(0, 1 / D) is usual.

        Parameters
        ----------
        sizes
            How many inputs D, spiking neurons and outputs.
        **options
            ``steps`` and ``leak``.
        """
        D, N, K = sizes
        hidden = Linear.init(D, N, rng)
        return cls(Linear(2 * hidden.W, hidden.b), Linear.init(N, K, rng), **options)

    def spikes(self, x: Array) -> Any:
        """Take inputs ``(..., D)``; return the spikes of the hidden neurons, ``(..., T, N)``."""
        u = self.hidden(x)[..., None, :]
        return spike_scan(np.broadcast_to(u, (*u.shape[:-2], self.steps, u.shape[-1])), leak=self.leak)

    def __call__(self, x: Array) -> Any:
        """Take inputs ``(..., D)``; return logits ``(..., K)``."""
        return self.output(np.mean(self.spikes(x), axis=-2))


# The recorded simulations

RECORDED = "brunel.json"
"""The file in ``results`` beside this module that holds the recorded simulations."""


def record(
    panels: Sequence[str] = tuple(PANELS),
    seeds: Sequence[int] = range(3),
    *,
    duration: float = 1200.0,
    after: float = 200.0,
    size: dict[str, Any] | None = None,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Simulate panels of Brunel's figure and describe what was seen.

    Parameters
    ----------
    panels
        Keys of :data:`PANELS`.
    seeds
        One simulation for each.
    duration, after
        How long it lasts, and when looking begins, ms.
    size
        Arguments of :class:`Brunel` beside g and ratio, for smaller networks.
    say
        Called with a line about each.

    Returns
    -------
    list
        Plain values, ready for JSON, a dictionary for each simulation: ``panel``, ``seed``, the ``rate`` in Hz, the
        ``cv``, the ``rhythm`` in Hz; of the first seed also ``crowd``, the rate in bins of 0.5 ms over the last 200 ms,
        in Hz, and ``raster``, the spike times in ms of 40 exciting neurons in the same window.
    """
    runs = []
    for panel in panels:
        for seed in seeds:
            began, rng = time.perf_counter(), np.random.default_rng(seed)
            setup = Brunel(*PANELS[panel], **(size or {}))
            network = setup.network(rng)
            wired = time.perf_counter()
            activity = run(network, rng.uniform(0, 20, network.N), round(duration / BRUNEL.dt), rng)
            one: dict[str, Any] = {
                "panel": panel,
                "seed": seed,
                "rate": round(mean_rate(activity, after), 3),
                "cv": round(irregularity(activity, after), 3),
                "rhythm": round(rhythm(activity, after), 1),
                "seconds_wiring": round(wired - began, 1),
                "seconds": round(time.perf_counter() - wired, 1),
            }
            if seed == seeds[0]:
                window = duration - 200
                when = times(activity)
                one["crowd"] = [round(float(r), 1) for r in crowd_rate(activity, 0.5)[round(window / 0.5) :]]
                one["raster"] = [
                    [round(float(t) - window, 1) for t in when[(activity.who == i) & (when > window)]]
                    for i in range(40)
                ]
            say(f"{panel}, seed {seed}: {one['rate']:.2f} Hz, CV {one['cv']:.2f}, {one['seconds']:.1f} s")
            runs.append(one)
    return runs


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the simulations that the chapter shows, and write them to a file if one is named."""
    parser = argparse.ArgumentParser(prog="python -m recurrence.neurons.spiking_network", description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="how many simulations of each panel")
    parser.add_argument("--duration", type=float, default=1200.0, help="simulated time of each, ms, 400 at least")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the result to this file")
    given = parser.parse_args(arguments)
    if given.seeds < 1 or given.duration < 400:
        parser.error("one seed and 400 ms at least are needed to see anything.")
    runs = record(seeds=range(given.seeds), duration=given.duration)
    options = "".join(
        f" --{name} {value:g}"
        for name, value, default in (("seeds", given.seeds, 3), ("duration", given.duration, 1200.0))
        if value != default
    )
    told = {
        "command": f"python -m recurrence.neurons.spiking_network{options} --record {RECORDED}",
        "config": {"neurons": 12_500, "inputs": 1000, "dt": BRUNEL.dt, "duration": given.duration, "after": 200.0},
        "runs": runs,
        "versions": versions(),
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
    }
    if given.record is not None:
        # A list of numbers is read more easily in one line.
        text = re.sub(r"\[[^][{}]*\]", lambda numbers: " ".join(numbers[0].split()), json.dumps(told, indent=1))
        given.record.write_text(text + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    main()
