"""Losses: which question each of them asks, and how much of the answer's error reaches the sum behind a sigmoid.

Symbols, as in the chapter *Losses*:

===========  =======================================================================================
``y``        answer of a model; ``u`` the weighted sum behind it
``targets``  y*, what happened
``p``        a probability: of an event, or the level of a quantile
``q``        the probability that somebody states
``width``    d, up to where the Huber loss is a parabola
``labels``   ℓ = +1 or −1, the side on which an example belongs
===========  =======================================================================================

The losses are taken number by number, on plain arrays or on recorded variables; a model's loss is their mean.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from recurrence import ops
from recurrence.tape import grad
from recurrence.tree import Array

# Losses for numbers.


def squared(y: Any, targets: Any) -> Any:
    """Half the squared error, whose best constant answer is the mean.

    (y − y*)² / 2
    """
    return 0.5 * (y - targets) ** 2


def absolute(y: Any, targets: Any) -> Any:
    """The absolute error, whose best constant answer is the median.

    abs(y − y*)
    """
    return np.absolute(y - targets)


def pinball(y: Any, targets: Any, p: float) -> Any:
    """The loss whose best constant answer is the p-quantile: below it lies a share p of all targets.

    | p (y* − y)        where y is too low
    | (1 − p) (y − y*)  where y is too high

    References
    ----------
    Koenker and Bassett, *Regression quantiles*, Econometrica 46, 1978.
    """
    return np.maximum(p * (targets - y), (1 - p) * (y - targets))


def huber(y: Any, targets: Any, width: float) -> Any:
    """Squared for small errors, absolute for large ones.

    | e² / 2                where e = abs(y − y*) ≤ d
    | d (e − d / 2)         beyond

    References
    ----------
    Huber, *Robust estimation of a location parameter*, Annals of Mathematical Statistics 35, 1964.
    """
    e = np.absolute(y - targets)
    return np.where(e <= width, 0.5 * e**2, width * (e - 0.5 * width))


def best_answer(loss: Callable[[Any, Any], Any], targets: Array) -> float:
    """Find the one number that, given as the answer to all targets, makes the sum of losses smallest.

    The loss must be convex in the answer: then the slope of the sum rises with it, and halving an interval finds where
    it passes through zero. Where it is zero on a whole interval, one of its numbers is returned.
    """
    slope = grad(lambda y: np.sum(loss(y, targets)))
    low, high = float(np.min(targets)), float(np.max(targets))
    while (middle := 0.5 * (low + high)) not in (low, high):
        if slope(np.array(middle)) < 0:
            low = middle
        else:
            high = middle
    return high


# Losses for sides.


def hinge(u: Any, labels: Any) -> Any:
    """Ask for the right side, and for a distance of 1 from the border in units of u.

    max(0, 1 − ℓ u)
    """
    return ops.relu(1 - labels * u)


def logistic(u: Any, labels: Any) -> Any:
    """Cross-entropy of a sigmoid neuron, with its label as +1 or −1.

    −ln σ(ℓ u) = ln(1 + exp(−ℓ u))
    """
    return ops.softplus(-labels * u)


# Scores for stated probabilities.


def log_score(q: Array, happened: bool) -> Array:
    """Minus the logarithm of the probability that was given to what happened; infinite if that was 0."""
    with np.errstate(divide="ignore"):
        score: Array = -np.log(q if happened else 1 - q)
    return score


def brier_score(q: Array, happened: bool) -> Array:
    """Square the difference of the stated probability from 1 if it happened, and from 0 if not.

    References
    ----------
    Brier, *Verification of forecasts expressed in terms of probability*, Monthly Weather Review 78, 1950.
    """
    score: Array = (q - happened) ** 2
    return score


def absolute_score(q: Array, happened: bool) -> Array:
    """Take the difference of the stated probability from 1 if it happened, and from 0 if not."""
    score: Array = np.abs(q - happened)
    return score


def expected(score: Callable[[Array, bool], Array], q: npt.ArrayLike, p: float) -> Array:
    """Return what stating q costs on average, when the event has the probability p.

    p S(q, happened) + (1 − p) S(q, did not)

    What never happens costs nothing, even where its score is infinite.
    """
    q = np.asarray(q, dtype=float)
    cost = np.zeros_like(q)
    if p > 0:
        cost += p * score(q, True)
    if p < 1:
        cost += (1 - p) * score(q, False)
    return cost


def elicited(score: Callable[[Array, bool], Array], p: float, grid: Array) -> Array:
    """Return the probabilities of a grid that cost least when the truth is p: all of them, if several tie."""
    cost = expected(score, grid, p)
    best: Array = grid[cost <= np.min(cost) + 1e-12]
    return best


# How long a wrong certainty lasts.


def unlearn(matched: bool, u: float, *, lr: float = 0.01, steps: int = 1000) -> Array:
    """Let a sigmoid neuron unlearn: its sum starts at u, and its target is 0.

    | u ← u − η y              matched: cross-entropy, slope y − y*
    | u ← u − η y · y (1 − y)  squared error, slope (y − y*) φ'(u)

    Returns
    -------
    Array
        Its sums, ``(steps + 1,)``.
    """
    sums = [u]
    for _ in range(steps):
        y = float(ops.sigmoid(u))
        u -= lr * (y if matched else y * y * (1 - y))
        sums.append(u)
    return np.array(sums)


def time_to_doubt(matched: bool, u: npt.ArrayLike) -> Array:
    """Return how long the neuron of :func:`unlearn` takes from u > 0 to 0, where it answers one half.

    In the limit of small steps, with a time of η for each:

    | u + 1 − e⁻ᵘ                                        with cross-entropy
    | eᵘ − 1 + 3 u + 3 (1 − e⁻ᵘ) + (1 − e⁻²ᵘ) / 2        with squared error
    """
    u = np.asarray(u, dtype=float)
    time: Array = u - np.expm1(-u) if matched else np.expm1(u) + 3 * u - 3 * np.expm1(-u) - np.expm1(-2 * u) / 2
    return time
