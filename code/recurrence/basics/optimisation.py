"""Walking downhill: how fast, how far at most, and where to; bowls, Rosenbrock's valley, and a task that misleads Adam.

Symbols, as in the chapter *Optimisation*:

==================  =================================================================================
``w``               what is changed, be it the parameters of a model or its input
``lr``, ``beta``    η, the learning rate, and β, the share of its velocity that a heavy ball keeps
``curvature``       λ_k, how much the slope grows per unit of way along the direction k
``low``, ``high``   λ_min and λ_max, the smallest and the largest curvature
``rate``            ρ, the share of the error that a step leaves in the long run
``noise``           s, the standard deviation of the error of a gradient
==================  =================================================================================

The optimisers themselves are in :mod:`recurrence.optim`.
"""

from collections.abc import Callable

import numpy as np

from recurrence.optim import Optimiser
from recurrence.tree import Array


def descend(optimiser: Optimiser, gradient: Callable[[Array], Array], w: Array, steps: int) -> Array:
    """Let an optimiser walk, and keep every place it has been to.

    Parameters
    ----------
    optimiser
        Of :mod:`recurrence.optim`.
    gradient
        Gives the gradient at a place, in the place's own shape.
    w
        Where to start, ``(…)``.
    steps
        How many steps to take.

    Returns
    -------
    Array
        ``(steps + 1, …)``, the start first.
    """
    w = np.asarray(w, float)
    path = np.empty((steps + 1, *w.shape))
    path[0], state = w, optimiser.start(w)
    for t in range(1, steps + 1):
        w, state = optimiser.update(w, gradient(w), state)
        path[t] = w
    return path


# Bowls: f(w) = ½ w A wᵀ.


def bowl(curvatures: Array, rng: np.random.Generator) -> Array:
    """Make a symmetric matrix with given eigenvalues, in directions drawn at random.

    A = Q diag(λ) Qᵀ

    The bowl ½ w A wᵀ has its bottom at 0 and the gradient w A.

    Parameters
    ----------
    curvatures
        λ_k, ``(n,)``.
    rng
        Draws the directions.

    Returns
    -------
    Array
        ``(n, n)``.
    """
    n = len(curvatures)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A: Array = (Q * curvatures) @ Q.T
    return (A + A.T) / 2


def companion(lr: float, curvature: float, beta: float = 0.0) -> Array:
    """Write one step along one direction of a bowl as a matrix: (w, w before) goes to (w after, w).

    w ← (1 + β − η λ) w − β (w before)

    Parameters
    ----------
    lr, curvature, beta
        η, λ and β; β = 0 is gradient descent.

    Returns
    -------
    Array
        ``(2, 2)``, for columns.
    """
    return np.array([[1 + beta - lr * curvature, -beta], [1.0, 0.0]])


def rate(lr: Array | float, curvature: Array | float, beta: Array | float = 0.0) -> Array:
    """Say what share of the error a step leaves in the long run: the spectral radius of :func:`companion`.

    | ρ = √β  if  (1 + β − η λ)² ≤ 4 β, else
    | ρ = ½ (abs(1 + β − η λ) + √((1 + β − η λ)² − 4 β))

    Without momentum it is abs(1 − η λ). Above 1 the walk diverges.

    Parameters
    ----------
    lr, curvature, beta
        Numbers, or arrays that broadcast.
    """
    half = np.abs(1 + np.asarray(beta) - np.asarray(lr) * curvature) / 2
    inside = half**2 - beta
    # Where the two eigenvalues are a complex pair, their product β is the square of their length.
    return np.asarray(np.where(inside > 0, half + np.sqrt(np.maximum(inside, 0)), np.sqrt(beta)))


def limit(curvature: float, beta: float = 0.0) -> float:
    """Give the rate η above which a walk diverges: (2 + 2 β) / λ for the largest curvature λ."""
    return (2 + 2 * beta) / curvature


def best_descent(low: float, high: float) -> tuple[float, float]:
    """Choose η so that gradient descent shrinks the slowest direction as fast as it can.

    η = 2 / (λ_min + λ_max)  leaves  ρ = (κ − 1) / (κ + 1)  with  κ = λ_max / λ_min

    Parameters
    ----------
    low, high
        λ_min and λ_max.

    Returns
    -------
    lr, rate
        η and ρ.
    """
    return 2 / (low + high), (high - low) / (high + low)


def best_momentum(low: float, high: float) -> tuple[float, float, float]:
    """Choose η and β so that a heavy ball shrinks the slowest direction as fast as it can.

    η = (2 / (√λ_min + √λ_max))²  and  β = ρ²  leave  ρ = (√κ − 1) / (√κ + 1)  with  κ = λ_max / λ_min

    Parameters
    ----------
    low, high
        λ_min and λ_max.

    Returns
    -------
    lr, beta, rate
        η, β and ρ.

    References
    ----------
    Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964.
    """
    a, b = np.sqrt(low), np.sqrt(high)
    best = float((b - a) / (b + a))
    return float((2 / (a + b)) ** 2), best**2, best


def noise_floor(lr: float, curvature: float, noise: float, beta: float = 0.0) -> float:
    """Give the variance of w, in the end, along one direction of a bowl whose gradients have independent errors.

    var w = η s² / λ · (1 + β) / ((1 − β) (2 + 2 β − η λ))

    Without momentum, η s² / (λ (2 − η λ)): about ½ η s² / λ for small rates.

    Parameters
    ----------
    lr, beta
        η and β, with η below :func:`limit`.
    curvature
        λ.
    noise
        s, the standard deviation of each gradient's error.
    """
    return lr * noise**2 / curvature * (1 + beta) / ((1 - beta) * (2 + 2 * beta - lr * curvature))


# Rosenbrock's valley.

ROSENBROCK_START = (-1.2, 1.0)
"""Where walks through Rosenbrock's valley traditionally begin; its lowest point is (1, 1)."""


def rosenbrock(w: Array) -> Array:
    """Give the height of Rosenbrock's valley at places ``(..., 2)``.

    f(w) = (1 − w₁)² + 100 (w₂ − w₁²)²

    References
    ----------
    Rosenbrock, *An automatic method for finding the greatest or least value of a function*, 1960.
    """
    x, y = w[..., 0], w[..., 1]
    height: Array = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    return height


def rosenbrock_gradient(w: Array) -> Array:
    """Give the gradient of :func:`rosenbrock` at places ``(..., 2)``.

    ∇f(w) = (−2 (1 − w₁) − 400 w₁ (w₂ − w₁²), 200 (w₂ − w₁²))
    """
    x, y = w[..., 0], w[..., 1]
    return np.stack([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=-1)


def rosenbrock_hessian(w: Array) -> Array:
    """Give all second derivatives of :func:`rosenbrock` at places ``(..., 2)``: symmetric matrices ``(..., 2, 2)``."""
    x, y = w[..., 0], w[..., 1]
    rows = [[2 - 400 * (y - 3 * x**2), -400 * x], [-400 * x, np.full_like(x, 200)]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


# A task that misleads Adam.


def rare_and_large(steps: int, C: float = 3.0) -> Array:
    """Give the slopes of Reddi, Kale and Kumar's task: C at every third step, the first among them, and −1 between.

    The mean slope is (C − 2) / 3. So for C > 2 the best place in [−1, 1] is −1.

    Parameters
    ----------
    steps
        How many slopes.
    C
        The rare one.

    References
    ----------
    Reddi, Kale and Kumar, *On the convergence of Adam and beyond*, ICLR 2018, section 3.
    """
    g = np.full(steps, -1.0)
    g[::3] = C
    return g


def adam_on_slopes(g: Array, lr: float, beta2: float, *, largest: bool = False, w: float = 0.0) -> Array:
    """Let Adam with β₁ = 0 and the rate lr / √t walk within [−1, 1], where the slopes are known beforehand.

    | v ← β₂ v + (1 − β₂) g²
    | w ← w − (lr / √t) g / √(v / (1 − β₂ᵗ)), and back to the end of [−1, 1] that it has passed

    The slopes do not depend on w, so that all steps can be computed at once; only the ends of the interval make one
    step depend on the one before.

    Parameters
    ----------
    g
        The slopes, ``(T,)``, of which none is 0.
    lr
        The rate of the first step.
    beta2
        β₂, from 0 to below 1.
    largest
        Divide by the largest v so far, as AMSGrad does.
    w
        Where to start.

    Returns
    -------
    Array
        The place after each step, ``(T,)``.
    """
    t = np.arange(1, len(g) + 1)
    v = np.empty(len(g))
    last = 0.0
    for k, square in enumerate(((1 - beta2) * g**2).tolist()):
        v[k] = last = beta2 * last + square
    if largest:
        v = np.maximum.accumulate(v)
    steps = lr / np.sqrt(t) * g / np.sqrt(v / (1 - beta2**t))
    places = []
    for step in steps.tolist():
        w = min(max(w - step, -1.0), 1.0)
        places.append(w)
    return np.array(places)


def drift(beta2: Array | float, C: float = 3.0) -> Array:
    """Say how far Adam with β₁ = 0 moves in three steps of :func:`rare_and_large`, in units of its rate.

    −C / √v₁ + 1 / √v₂ + 1 / √v₃, with what v comes to in the end:

    | v₁ = (1 − β₂) (C² + β₂ + β₂²) / (1 − β₂³)
    | v₂ = (1 − β₂) (1 + β₂ C² + β₂²) / (1 − β₂³)
    | v₃ = (1 − β₂) (1 + β₂ + β₂² C²) / (1 − β₂³)

    Below 0 it moves to the best place, −1, above 0 to the worst.

    Parameters
    ----------
    beta2
        β₂ in [0, 1), a number or an array.
    C
        The rare slope.
    """
    b = np.asarray(beta2)
    # (1 − β₂) / (1 − β₂³), without the difference of nearly equal numbers.
    share = 1 / (1 + b + b**2)
    v1, v2, v3 = share * (C**2 + b + b**2), share * (1 + b * C**2 + b**2), share * (1 + b + b**2 * C**2)
    return np.asarray(-C / np.sqrt(v1) + 1 / np.sqrt(v2) + 1 / np.sqrt(v3))
