"""The leaky integrator: a neuron that forgets at a steady rate, and the first-order low-pass filter it is.

Symbols, as in the chapter *Leaky integration*:

============  =========================================================================
``leak``      α, the share of the new input in each step, 0 < α ≤ 1
``x``, ``y``  input x[n] and activation y[n] at step n
``tau``       τ, the time constant, in the same unit of time as ``dt``
``dt``        the length of a step
``omega``     ω, angular frequency in radians per step: 2π f dt for a frequency f
============  =========================================================================
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from recurrence import time
from recurrence.gradients import records
from recurrence.tape import primitive
from recurrence.tree import Array

# A number for numbers, an array for arrays: NumPy's own types cannot say that.
Numbers: TypeAlias = Any

LARGEST_LEAK_WITH_CUTOFF = 2 * math.sqrt(2) - 2
"""2√2 − 2 ≈ 0.83: the leak at which the −3 dB cut-off reaches the fastest frequency, ω = π."""

BLOCK = 16384
"""Numbers that :meth:`LeakyIntegrator.scan` works on at a time: few enough to stay in the cache."""


def _differentiable(scan: Callable[..., tuple[Array, Array]]) -> Callable[..., tuple[Array, Array]]:
    """Send recorded variables through :func:`_scan`, the same scan with its gradient, and plain arrays straight on."""

    @functools.wraps(scan)
    def either(self: Any, y: Array, xs: Array) -> tuple[Array, Array]:
        if any(map(records, (self.leak, y, xs))):
            ended: tuple[Array, Array] = _scan(self.leak, y, xs)
            return ended
        return scan(self, y, xs)

    return either


@dataclass(frozen=True)
class LeakyIntegrator:
    """Leaky integrator: each step keeps the share 1 − α of the old activation and takes α of the input.

    y[n] = (1 − α) y[n − 1] + α x[n]

    A :class:`~recurrence.time.Cell` whose state is its activation, and whose output is its state.

    Parameters
    ----------
    leak
        α in (0, 1]: a number for all channels, or an array ``(D,)`` with one leak a channel. A number
        is a constant and takes on the precision of the input; an array is a parameter.

    Raises
    ------
    ValueError
        If a leak lies outside (0, 1].
    """

    leak: float | Array

    def __post_init__(self) -> None:
        _leak(self.leak)
        if np.ndim(self.leak) == 0 and not records(self.leak):
            # A Python float leaves float32 alone, whereas NumPy's own scalars would widen it.
            object.__setattr__(self, "leak", float(self.leak))

    def start(self, batch: tuple[int, ...] = ()) -> Array:
        """Return silence: zeros of shape ``(*batch, D)``, or ``(*batch, 1)`` if the leak is a number.

        The single zero stands for any number of channels, and its single precision gives way to the
        precision of the input.
        """
        shape = np.shape(self.leak)
        return np.zeros((*batch, *(shape or (1,))), np.result_type(self.leak) if shape else np.float32)

    def step(self, y: Array, x: Array) -> tuple[Array, Array]:
        """Take y[n − 1] and x[n]; return y[n] twice: as state and as output."""
        y = (1 - self.leak) * y + self.leak * x
        return y, y

    @_differentiable
    def scan(self, y: Array, xs: Array) -> tuple[Array, Array]:
        """Run over inputs ``(..., T, D)`` in about log T passes instead of T steps.

        Every activation is a sum over the past, y[n] = Σ_k (1 − α)^k α x[n − k].
        After a pass each value holds twice as many terms of it as before.
        """
        keep = 1 - self.leak
        shape = np.broadcast_shapes(xs.shape, y[..., None, :].shape)
        ys = np.empty(shape, np.result_type(self.leak, xs, y))
        np.multiply(self.leak, xs, out=ys)
        block = max(1, BLOCK // max(1, ys[..., :1, :].size))
        for begin in range(0, ys.shape[-2], block):
            part = ys[..., begin : begin + block, :]
            part[..., 0, :] += keep * y
            reach = 1
            while reach < part.shape[-2]:
                part[..., reach:, :] += keep**reach * part[..., :-reach, :]
                reach *= 2
            y = part[..., -1, :]
        return y.copy(), ys


def _unchecked(leak: float | Array) -> LeakyIntegrator:
    """Make a cell of any leak: a step of an optimiser may have carried it out of its range for a moment."""
    cell = object.__new__(LeakyIntegrator)
    object.__setattr__(cell, "leak", leak)
    return cell


def _scan_definition(leak: float | Array, y: Array, xs: Array) -> tuple[Array, Array]:
    return time.loop(_unchecked(leak), y, xs)


@primitive(definition=_scan_definition)
def _scan(leak: float | Array, y: Array, xs: Array) -> Any:
    """Scan as :meth:`LeakyIntegrator.scan` does, with the gradient, which is leaky integration backwards in time.

    | dx[n] = (1 − α) dx[n + 1] + α dy[n]
    | dα = Σ_n (x[n] − y[n − 1]) dx[n] / α
    | dy[−1] = (1 − α) dx[0] / α

    Here dx[T] / α is the gradient of the state that comes out at the end.
    """
    cell = _unchecked(leak)
    end, ys = cell.scan(y, xs)

    def pull(dend_dys: tuple[Array, Array]) -> tuple[Any, Any, Any]:
        dend, dys = dend_dys
        if not dys.shape[-2]:
            return None, dend, None
        dys = dys[..., ::-1, :].copy()
        dys[..., :1, :] += dend[..., None, :]
        dxs = cell.scan(np.zeros_like(dend), dys)[1][..., ::-1, :]
        dy = (1 - leak) / leak * dxs[..., 0, :]
        if type(leak) is float:
            return None, dy, dxs
        before = np.concatenate([np.broadcast_to(y, end.shape)[..., None, :], ys[..., :-1, :]], axis=-2)
        return np.sum((xs - before) * dxs, axis=-2) / leak, dy, dxs

    return (end, ys), pull


def leak_from_tau(tau: float | Array, dt: float | Array = 1.0) -> Numbers:
    """Find the leak that follows τ dy/dt = −y + x exactly, when x is held during each step.

    α = 1 − e^(−dt/τ)

    Parameters
    ----------
    tau
        Time constant, in the same unit as ``dt``. Zero means no memory: a leak of 1.
    dt
        Length of a step.

    Raises
    ------
    ValueError
        If ``tau`` is negative or not finite, or ``dt`` is not positive.
    """
    tau, dt = np.asarray(tau), _dt(dt)
    _check((tau >= 0) & np.isfinite(tau), f"A time constant must be finite and at least 0, not {tau}.")
    with np.errstate(divide="ignore"):
        return -np.expm1(-dt / tau)


def tau_from_leak(leak: float | Array, dt: float | Array = 1.0) -> Numbers:
    """Find the time constant that a leak stands for: the inverse of :func:`leak_from_tau`.

    τ = −dt / ln(1 − α)

    Parameters
    ----------
    leak
        α in (0, 1]. A leak of 1 has no memory: τ = 0.
    dt
        Length of a step; τ comes in its unit.

    Raises
    ------
    ValueError
        If a leak lies outside (0, 1], or ``dt`` is not positive.
    """
    leak, dt = _leak(leak), _dt(dt)
    with np.errstate(divide="ignore"):
        return -dt / np.log1p(-leak)


def impulse_response(leak: float | Array, n: npt.ArrayLike) -> Numbers:
    """Return what is left of a single input x[0] = 1 at step n.

    h[n] = α (1 − α)^n for n ≥ 0, and 0 before.

    Parameters
    ----------
    leak
        α in (0, 1].
    n
        Step numbers, integers.
    """
    leak, n = _leak(leak), np.asarray(n)
    return np.where(n >= 0, leak * (1 - leak) ** np.maximum(n, 0), 0)


def step_response(leak: float | Array, n: npt.ArrayLike) -> Numbers:
    """Return the activation at step n when the input is 1 from step 0 on.

    s[n] = 1 − (1 − α)^(n + 1) for n ≥ 0, and 0 before.

    Parameters
    ----------
    leak
        α in (0, 1].
    n
        Step numbers, integers.
    """
    leak, n = _leak(leak), np.asarray(n)
    return 1 - (1 - leak) ** np.maximum(n + 1, 0)


def frequency_response(leak: float | Array, omega: float | Array) -> Numbers:
    """Return the complex factor by which the integrator multiplies the oscillation e^(iωn).

    H(ω) = α / (1 − (1 − α) e^(−iω))

    Parameters
    ----------
    leak
        α in (0, 1].
    omega
        ω in radians per step.

    References
    ----------
    Oppenheim and Schafer, *Discrete-Time Signal Processing*, the first-order recursive filter.
    """
    leak, omega = _leak(leak), np.asarray(omega)
    return leak / (1 - (1 - leak) * np.exp(-1j * omega))


def gain(leak: float | Array, omega: float | Array) -> Numbers:
    """Return the factor by which the amplitude of an oscillation shrinks, a number in (0, 1].

    abs(H(ω)) = α / √(α² + 4 (1 − α) sin²(ω/2))

    Parameters
    ----------
    leak
        α in (0, 1].
    omega
        ω in radians per step.
    """
    leak, omega = _leak(leak), np.asarray(omega)
    return leak / np.sqrt(leak**2 + 4 * (1 - leak) * np.sin(omega / 2) ** 2)


def phase(leak: float | Array, omega: float | Array) -> Numbers:
    """Return the angle by which the output leads the input, in radians; the output lags, so it is negative.

    arg H(ω) = −arctan( (1 − α) sin ω / (1 − (1 − α) cos ω) )

    Parameters
    ----------
    leak
        α in (0, 1].
    omega
        ω in radians per step.
    """
    leak, omega = _leak(leak), np.asarray(omega)
    return -np.arctan2((1 - leak) * np.sin(omega), 1 - (1 - leak) * np.cos(omega))


def cutoff(leak: float | Array) -> Numbers:
    """Find the −3 dB cut-off: the frequency at which half of the power is left.

    ω_c = 2 arcsin( α / (2 √(1 − α)) ), which is the same as cos ω_c = 1 − α² / (2 (1 − α))

    Parameters
    ----------
    leak
        α in (0, 2√2 − 2].

    Returns
    -------
    float or Array
        ω_c in radians per step, in (0, π].

    Raises
    ------
    ValueError
        If a leak exceeds 2√2 − 2: then more than half of the power is left at every frequency.
    """
    leak = _leak(leak)
    _check(
        leak <= LARGEST_LEAK_WITH_CUTOFF,
        f"A leak of {np.max(leak):.6g} has no −3 dB cut-off: above "
        "2√2 − 2 ≈ 0.828427 more than half of the power is left at every frequency.",
    )
    # At the largest leak, rounding may carry the argument past 1.
    return 2 * np.arcsin(np.minimum(leak / (2 * np.sqrt(1 - leak)), 1))


def noise_variance(leak: float | Array) -> Numbers:
    """Return the variance that is left of independent inputs of variance 1, once the start is forgotten.

    Σ_n h[n]² = α / (2 − α)

    Parameters
    ----------
    leak
        α in (0, 1].
    """
    leak = _leak(leak)
    return leak / (2 - leak)


def _check(holds: Array | np.bool_, otherwise: str) -> None:
    if not np.all(holds):
        raise ValueError(otherwise)


def _leak(leak: float | Array) -> Array:
    leak = leak if isinstance(leak, np.ndarray) else np.asarray(leak)
    _check(
        (leak > 0) & (leak <= 1),
        f"A leak must lie above 0, which hears nothing, and at most at 1, which keeps nothing; got {leak}.",
    )
    return leak


def _dt(dt: float | Array) -> Array:
    dt = np.asarray(dt)
    _check(dt > 0, f"A step must last longer than dt = {dt}; give a positive time.")
    return dt
