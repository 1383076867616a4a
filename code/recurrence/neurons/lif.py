"""The leaky integrate-and-fire neuron: a leaky integrator that fires at a threshold, alone and in noise.

Units throughout are millivolts, milliseconds, megohms and nanoamperes, which fit together: 1 MΩ · 1 nA = 1 mV, and a
capacitance comes in 1 ms / 1 MΩ = 1 nF. Rates alone are in hertz.

Symbols, as in the chapter *Leaky integrate-and-fire*:

==============  ===========================================================================
``V``           V, the membrane voltage, mV
``tau``         τ = R_m C_m, the time constant of the membrane, ms
``resistance``  R_m, the leak resistance of the membrane, MΩ
``rest``        V_rest, the voltage without input, mV
``threshold``   V_th, the voltage at which the neuron fires, mV
``reset``       V_reset, the voltage after a spike, mV
``refractory``  t_ref, for how long the voltage is held there, ms
``dt``          the length of a step, ms
``current``     I, the input current, nA
``sigma``       σ_V, the standard deviation of the voltage of a neuron that cannot fire, mV
==============  ===========================================================================
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from recurrence.neurons.leaky_integration import LeakyIntegrator, noise_variance
from recurrence.tree import Array

# A number for numbers, an array for arrays: NumPy's own types cannot say that.
Numbers: TypeAlias = Any

METHODS: dict[str, Callable[[Numbers], Numbers]] = {
    "exact": lambda a: -np.expm1(-a),
    "euler": lambda a: a,
    "midpoint": lambda a: a - a**2 / 2,
}
"""The leak α that each rule of integration makes of a = dt/τ: 1 − e^(−a), and one or two terms of its series."""

OVERSHOOT = 0.5825971579390107
"""−ζ(1/2)/√(2π): how far a random walk is beyond a level it has just passed, on average, in deviations of one step."""


class Membrane(NamedTuple):
    """State of a :class:`LIF` neuron: its voltage, and for how many steps more it is held at the reset.

    Parameters
    ----------
    V
        Voltage, mV, shape ``(..., N)``.
    wait
        Steps left of the refractory period, integers ``(..., N)``.
    """

    V: Array
    wait: Array


@dataclass(frozen=True)
class LIF:
    """Leaky integrate-and-fire neuron: a leaky integrator of current that fires and starts again at a threshold.

    | τ dV/dt = −(V − V_rest) + R_m I
    | V ≥ V_th:  spike, V ← V_reset, and there it is held for t_ref

    A :class:`~recurrence.time.Cell`. Its input is a current in nA, one channel for each neuron; its output says which
    neurons fired at the end of the step, True or False; its state is a :class:`Membrane`. Every parameter but ``dt``
    and ``method`` may be an array ``(N,)``, one value a neuron.

    Parameters
    ----------
    tau
        τ, ms.
    resistance
        R_m, MΩ.
    rest, threshold, reset
        V_rest, V_th and V_reset, mV.
    refractory
        t_ref, ms; counted in whole steps, the nearest number of them.
    dt
        Length of a step, ms.
    method
        A key of :data:`METHODS`. ``"exact"`` is right for any step during which the current holds still.

    Raises
    ------
    ValueError
        If a time or the resistance has no possible value, the reset does not lie below the threshold, or the method is
        unknown.
    """

    tau: float | Array = 20.0
    resistance: float | Array = 100.0
    rest: float | Array = -65.0
    threshold: float | Array = -50.0
    reset: float | Array = -65.0
    refractory: float | Array = 2.0
    dt: float = 0.1
    method: str = "exact"

    def __post_init__(self) -> None:
        for name in ("tau", "resistance", "dt"):
            value = getattr(self, name)
            _check(np.greater(value, 0) & np.isfinite(value), f"{name} must be positive and finite, not {value}.")
        hold = self.refractory
        _check(np.greater_equal(hold, 0) & np.isfinite(hold), f"refractory must be finite and at least 0, not {hold}.")
        _check(
            np.less(self.reset, self.threshold),
            f"After a spike the neuron starts below its threshold: reset {self.reset} is not below {self.threshold}.",
        )
        if self.method not in METHODS:
            raise ValueError(f"No method is called {self.method!r}; take one of {', '.join(METHODS)}.")
        if self.method != "exact":
            _check(
                np.less_equal(self.dt, self.tau),
                f"The method {self.method!r} needs steps no longer than tau, but dt is {self.dt}.",
            )

    @cached_property
    def leak(self) -> Numbers:
        """The leak α of the membrane's :class:`~recurrence.neurons.leaky_integration.LeakyIntegrator`."""
        return METHODS[self.method](self.dt / self.tau)

    @cached_property
    def integrator(self) -> LeakyIntegrator:
        """The membrane as long as it does not fire: a leaky integrator of the voltage to which the input drives it."""
        return LeakyIntegrator(self.leak)

    @cached_property
    def hold(self) -> Array:
        """Number of steps in the refractory period."""
        return np.rint(np.asarray(self.refractory) / self.dt).astype(int)

    def drive(self, current: npt.ArrayLike) -> Numbers:
        """Return V_rest + R_m I: the voltage, mV, to which a current, nA, would bring the membrane in the end."""
        return self.rest + self.resistance * np.asarray(current)

    def start(self, batch: tuple[int, ...] = ()) -> Membrane:
        """Return the neuron at rest, ready to integrate: arrays ``(*batch, N)``.

        If all parameters are numbers, N is 1, and the single neuron stands for any number of them.
        """
        each = (self.tau, self.resistance, self.rest, self.threshold, self.reset, self.refractory)
        shape = (*batch, *(np.broadcast_shapes(*map(np.shape, each)) or (1,)))
        return Membrane(np.full(shape, self.rest, float), np.zeros(shape, int))

    def step(self, state: Membrane, current: Array) -> tuple[Membrane, Array]:
        """Take a state and currents, nA; return the next state and who fired."""
        V, wait = state
        V, _ = self.integrator.step(V, self.drive(current))
        V = np.where(wait > 0, self.reset, V)
        spikes = self.threshold <= V
        V = np.where(spikes, self.reset, V)
        wait = np.where(spikes, self.hold, np.maximum(wait - 1, 0))
        return Membrane(V, wait), spikes

    def scan(self, state: Membrane, currents: Array) -> tuple[Membrane, Array]:
        """Run over currents ``(..., T, N)`` as ``step`` does, in place: the same numbers in about half of the time."""
        *batch, steps, N = np.broadcast_shapes(currents.shape, state.V[..., None, :].shape)
        V, wait = (np.broadcast_to(part, (*batch, N)).copy() for part in state)
        spikes = np.zeros((*batch, steps, N), bool)
        keep, held = 1 - self.leak, np.empty(V.shape, bool)
        for n in range(steps):
            V *= keep
            V += self.leak * self.drive(currents[..., n, :])
            np.greater(wait, 0, out=held)
            np.copyto(V, self.reset, where=held)
            wait -= held
            fired = np.less_equal(self.threshold, V, out=spikes[..., n, :])
            np.copyto(V, self.reset, where=fired)
            np.copyto(wait, self.hold, where=fired)
        return Membrane(V, wait), spikes


# Constant current


def rheobase(neuron: LIF) -> Numbers:
    """Return the current, nA, at which the voltage ends exactly at the threshold: below it the neuron is silent.

    I_rh = (V_th − V_rest) / R_m
    """
    return (neuron.threshold - neuron.rest) / neuron.resistance


def interval(neuron: LIF, current: npt.ArrayLike) -> Numbers:
    """Return the time between spikes under constant current, ms, in continuous time; infinity where there are none.

    t_ref + τ ln( (V_∞ − V_reset) / (V_∞ − V_th) )  where V_∞ = V_rest + R_m I > V_th

    Parameters
    ----------
    current
        I, nA.
    """
    end = neuron.drive(current)
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = neuron.tau * np.log1p((neuron.threshold - neuron.reset) / (end - neuron.threshold))
    return neuron.refractory + np.where(end > neuron.threshold, rise, np.inf)


def firing_rate(neuron: LIF, current: npt.ArrayLike) -> Numbers:
    """Return the rate under constant current, Hz: one spike for each :func:`interval`, 0 below the :func:`rheobase`.

    Parameters
    ----------
    current
        I, nA.
    """
    return 1000 / interval(neuron, current)


# Noise


def white_noise(neuron: LIF, sigma: float, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draw a current, nA, that lets the voltage of a neuron that cannot fire fluctuate by σ_V, whatever the step.

    | I[n] = (σ_V / R_m) √((2 − α) / α) ξ[n],  ξ[n] independent normal numbers
    | ≈ (σ_V / R_m) √(2 τ / dt) ξ[n]  for short steps

    With exact integration the voltages at the ends of the steps are those of the Ornstein–Uhlenbeck process.

    Parameters
    ----------
    sigma
        σ_V, mV.
    shape
        Shape of the current, ``(..., T, N)``.

    References
    ----------
    Gillespie (1996), *Exact numerical simulation of the Ornstein–Uhlenbeck process and its integral*.
    """
    amplitude = sigma / neuron.resistance / np.sqrt(noise_variance(neuron.leak))
    return np.asarray(amplitude * rng.standard_normal(shape))


def siegert(neuron: LIF, current: npt.ArrayLike, sigma: npt.ArrayLike, watched_every: float = 0.0) -> Numbers:
    """Return the rate of a neuron in white noise, Hz.

    | 1/ν = t_ref + τ √π ∫ e^(v²) (1 + erf v) dv  from v_reset to v_th,
    | v = (V − V_∞) / (√2 σ_V)

    The formula holds for noise without memory and a threshold that is watched all the time. A simulation looks only at
    the ends of its steps and misses what happens in between, as if its threshold lay higher, by :data:`OVERSHOOT` times
    the standard deviation of a step. Given ``watched_every`` that is allowed for, up to errors of the order of a step.

    Parameters
    ----------
    current
        Mean current I, nA.
    sigma
        σ_V, mV, above 0. (Brunel's σ is √2 σ_V.)
    watched_every
        Length of a step of the simulation to compare with, ms; 0 for continuous time.

    Raises
    ------
    ValueError
        If the noise is not positive.

    References
    ----------
    Siegert (1951), *On the first passage time probability problem*; Ricciardi and Sacerdote (1979), *The
    Ornstein–Uhlenbeck process as a model for neuronal activity*. The correction: Broadie, Glasserman and Kou (1997), *A
    continuity correction for discrete barrier options*; for a neuron in steps, Helias et al. (2010), *Equilibrium and
    response properties of the integrate-and-fire neuron in discrete time*.
    """
    low, high = _bounds(neuron, current, sigma, watched_every)
    return 1000 / (neuron.refractory + neuron.tau * _passage(low, high))


def siegert_cv(neuron: LIF, current: npt.ArrayLike, sigma: npt.ArrayLike, watched_every: float = 0.0) -> Numbers:
    """Return the coefficient of variation of the intervals of a neuron in white noise.

    | CV = ν √(variance),
    | variance = 2 τ² ∫ ∫_{−∞}^v e^(v² − w²) g(w)² dw dv  from v_reset to v_th,
    | g(v) = √π e^(v²) (1 + erf v)

    Takes what :func:`siegert` takes.

    References
    ----------
    Brunel (2000), *Dynamics of sparsely connected networks of excitatory and inhibitory spiking neurons*, appendix.
    """
    low, high = _bounds(neuron, current, sigma, watched_every)
    rare = high > 8  # then spikes come by pure chance, to 15 digits
    low, high = np.where(rare, -1.0, low), np.where(rare, 0.0, high)
    deviation = neuron.tau * np.sqrt(_spread(low, high))
    return np.where(rare, 1.0, deviation / (neuron.refractory + neuron.tau * _passage(low, high)))[()]


def _bounds(neuron: LIF, current: npt.ArrayLike, sigma: npt.ArrayLike, watched_every: float) -> tuple[Array, Array]:
    """Find v_reset and v_th, the second one where a threshold watched in steps seems to lie."""
    sigma = np.asarray(sigma)
    _check((sigma > 0) & np.isfinite(sigma), f"The noise must be positive, not sigma = {sigma}; see firing_rate.")
    step = sigma * np.sqrt(-np.expm1(-2 * watched_every / neuron.tau))
    end, unit = neuron.drive(current), math.sqrt(2) * sigma
    return (neuron.reset - end) / unit, (neuron.threshold + OVERSHOOT * step - end) / unit


def _passage(low: Numbers, high: Numbers) -> Numbers:
    """Integrate g(v) = √π e^(v²) (1 + erf v) from low to high.

    As g(v) = 2 ∫_0^∞ e^(2vz − z²) dz, the integral over v can be done by hand:

    ∫_0^∞ (e^(2 high z) − e^(2 low z)) e^(−z²) dz / z

    Nothing cancels in it, and nothing overflows before the result itself does. In ln z the trapezoidal rule is exact
    up to rounding.
    """
    z = np.exp(0.02 * np.arange(-2000, 180))
    low, high = np.asarray(low)[..., None], np.asarray(high)[..., None]
    with np.errstate(over="ignore"):
        rest = -np.expm1(-2 * z * (high - low))
        return 0.02 * np.sum(rest * np.exp(z * (2 * high - z)), axis=-1)


def _spread(low: Numbers, high: Numbers) -> Numbers:
    """Integrate the variance of :func:`siegert_cv`, for τ = 1, as :func:`_passage` does the mean.

    Both factors g(w) are integrals over z. All but one of the four integrals can be done by hand, and what they leave
    is a weight inside the integral of the mean, a series of positive terms:

    H(z) = 4 (z²/2 + z⁴/(4 · 3!!) + z⁶/(6 · 5!!) + …)
    """
    z = np.exp(0.02 * np.arange(-2000, 160))
    low, high = np.asarray(low)[..., None], np.asarray(high)[..., None]
    term, weight = 4 * z**2 * np.exp(-(z**2)), np.zeros(z.size)  # e^(−z²) H(z)
    for k in range(500):
        weight += term / (2 * k + 2)
        term = term * z**2 / (2 * k + 3)
    rest = -np.expm1(-2 * z * (high - low))
    return 0.02 * np.sum(weight * rest * np.exp(2 * high * z), axis=-1)


# Spike trains


def intervals(spikes: npt.ArrayLike, dt: float) -> Array:
    """List the times between successive spikes of the same neuron, those of all neurons in one row.

    Parameters
    ----------
    spikes
        True where a neuron fired, shape ``(..., T, N)``.
    dt
        Length of a step; the intervals come in its unit.
    """
    trains = np.moveaxis(np.asarray(spikes, bool), -2, -1)
    neuron, step = np.nonzero(trains.reshape(-1, trains.shape[-1]))
    gaps: Array = dt * np.diff(step)[np.diff(neuron) == 0]
    return gaps


def cv(gaps: npt.ArrayLike) -> float:
    """Return the coefficient of variation: standard deviation over mean. 0 is a clock, 1 is pure chance.

    Raises
    ------
    ValueError
        If there are fewer than two intervals.
    """
    gaps = np.asarray(gaps)
    if gaps.size < 2:
        raise ValueError(f"A spread needs two intervals at least, and there are {gaps.size}; record for longer.")
    return float(np.std(gaps) / np.mean(gaps))


def crossings(V: npt.ArrayLike, level: float) -> Array:
    """Find the steps at which a recorded voltage ``(T,)`` has come up to a level from below: its spikes."""
    V = np.asarray(V)
    return 1 + np.flatnonzero((V[:-1] < level) & (V[1:] >= level))


def _check(holds: Array | np.bool_, otherwise: str) -> None:
    if not np.all(holds):
        raise ValueError(otherwise)
