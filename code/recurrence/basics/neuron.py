"""One neuron: a weighted sum and a bend, the hyperplane it draws, how it learns it, and what it cannot learn.

Symbols, as in the chapter *Neuron*:

===========  ==========================================================================================
``x``        input, D numbers x₁ … x_D along the last axis
``weights``  w, one weight for each number of the input; ``bias`` b
``u``        the weighted sum, u = w·x + b
``labels``   ℓ = +1 for examples that the neuron shall answer with 1, ℓ = −1 for those it shall answer with 0
``a``        signed examples, a = ℓ (x, 1): one row of D + 1 numbers for each
``w``        weights and bias in one vector (w, b) of D + 1 numbers, the bias last
``margin``   γ, the smallest w·a / ‖w‖; ``radius`` R, the largest ‖a‖
``counts``   c, how often each signed example goes into a sum that vanishes
===========  ==========================================================================================
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from recurrence.ops import sigmoid
from recurrence.tree import Array

__all__ = [
    "Neuron",
    "Verdict",
    "corners",
    "cover",
    "decide",
    "dichotomies",
    "distance",
    "from_vector",
    "margin",
    "novikoff_bound",
    "perceptron",
    "radius",
    "separable_examples",
    "sigmoid",
    "signed",
    "step",
    "truth_tables",
]

# A number for numbers, an array for arrays: NumPy's own types cannot say that.
Numbers: TypeAlias = Any


def step(u: npt.ArrayLike) -> Numbers:
    """Return 1 where u > 0, and 0 elsewhere: on the hyperplane itself the neuron is silent."""
    return np.heaviside(u, 0.0)


@dataclass(frozen=True)
class Neuron:
    """A neuron without a memory: a weighted sum of its inputs, bent by an activation function.

    y = φ(w·x + b)

    Parameters
    ----------
    weights
        w, shape ``(D,)``.
    bias
        b, a number.
    activation
        φ, a function of arrays: :func:`step`, :func:`sigmoid` …

    Raises
    ------
    ValueError
        If the weights are not one row of numbers.
    """

    weights: Array
    bias: float = 0.0
    activation: Callable[[Array], Array] = step

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", np.asarray(self.weights))
        if self.weights.ndim != 1:
            raise ValueError(
                f"A neuron has one weight for each of its D inputs, so its weights have shape (D,), not "
                f"{self.weights.shape}."
            )

    def sum(self, x: npt.ArrayLike) -> Array:
        """Return u = w·x + b, from inputs (..., D) to sums (...)."""
        return np.asarray(x) @ self.weights + self.bias

    def __call__(self, x: npt.ArrayLike) -> Array:
        """Return y = φ(u), from inputs (..., D) to activations (...)."""
        return self.activation(self.sum(x))


def distance(neuron: Neuron, x: npt.ArrayLike) -> Numbers:
    """Return how far each input lies from the neuron's hyperplane, positive on the side where the neuron is active.

    (w·x + b) / ‖w‖

    Raises
    ------
    ValueError
        If all weights are zero: then the neuron draws no hyperplane.
    """
    length = np.linalg.norm(neuron.weights)
    if length == 0:
        raise ValueError("A neuron whose weights are all zero draws no hyperplane to measure a distance from.")
    return neuron.sum(x) / length


# Learning


def signed(x: npt.ArrayLike, labels: npt.ArrayLike) -> Array:
    """Turn labelled inputs into vectors that a neuron shall have on its positive side, all of them.

    a = ℓ (x, 1)

    Parameters
    ----------
    x
        Inputs, shape ``(P, D)``. Integers stay integers.
    labels
        ℓ, each +1 or −1, shape ``(P,)``.

    Returns
    -------
    Array
        Shape ``(P, D + 1)``. A neuron with weights w and bias b is right about an example when (w, b)·a > 0.

    Raises
    ------
    ValueError
        If a label is neither +1 nor −1, or there is not one for each input.
    """
    x, labels = np.asarray(x), np.asarray(labels)
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        raise ValueError(f"Inputs of shape (P, D) need labels of shape (P,); got {x.shape} and {labels.shape}.")
    if not np.all(np.abs(labels) == 1):
        raise ValueError("A label is +1 or −1; turn answers y of 0 and 1 into labels with 2 * y - 1.")
    ones = np.ones((len(x), 1), x.dtype)
    a: Array = labels[:, None] * np.concatenate([x, ones], axis=-1)
    return a


def from_vector(w: Array, activation: Callable[[Array], Array] = step) -> Neuron:
    """Make the neuron that a vector of weights and bias, (w, b), stands for."""
    return Neuron(w[:-1], w[-1], activation)


def perceptron(a: Array, rng: np.random.Generator | None = None) -> Iterator[tuple[int, Array]]:
    """Learn from mistakes: go through the signed examples, and add the one that was not answered rightly.

    w ← w + a  whenever  w·a ≤ 0, from w = 0

    Parameters
    ----------
    a
        Signed examples, shape ``(P, D + 1)``, from :func:`signed`.
    rng
        Puts the examples in a new order for each pass; without it, they come as they stand.

    Yields
    ------
    i, w
        At each mistake the number of the example, and the weights after the correction. The end comes after a pass
        without a mistake; if no hyperplane separates the examples it never comes, and the caller has to stop.

    References
    ----------
    Rosenblatt (1962), *Principles of Neurodynamics*, the error-correction procedure.
    """
    w = np.zeros_like(a[0])
    mistaken = True
    while mistaken:
        mistaken = False
        for i in range(len(a)) if rng is None else rng.permutation(len(a)):
            if w @ a[i] <= 0:
                w = w + a[i]
                mistaken = True
                yield int(i), w


def radius(a: Array) -> float:
    """Return R, the length of the longest signed example."""
    return float(np.max(np.linalg.norm(a, axis=-1)))


def margin(a: Array, w: Array) -> float:
    """Return γ, how far the worst signed example lies on the right side of w; negative if one lies on the wrong side.

    γ = min_i w·a_i / ‖w‖
    """
    return float(np.min(a @ w) / np.linalg.norm(w))


def novikoff_bound(a: Array, w: Array) -> float:
    """Return the number of mistakes that perceptron learning cannot exceed, whatever the order of the examples.

    (R / γ)²

    Parameters
    ----------
    a
        Signed examples, shape ``(P, D + 1)``.
    w
        Any weights that separate them; those with the largest margin give the sharpest bound.

    Raises
    ------
    ValueError
        If w does not separate the examples: then it bounds nothing.

    References
    ----------
    Novikoff (1962), *On convergence proofs for perceptrons*.
    """
    gamma = margin(a, w)
    if not gamma > 0:
        raise ValueError(f"These weights leave an example on the wrong side (margin {gamma:.3g}); give others.")
    return (radius(a) / gamma) ** 2


def separable_examples(P: int, D: int, gap: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw examples whose margin is known because it is built in.

    Inputs are uniform random numbers from −1 to 1. Those closer than the gap to a random hyperplane are pushed away
    from it, at right angles, until they are that far.

    Parameters
    ----------
    P, D
        Number of examples, and of numbers in each.
    gap
        γ, the margin that the returned weights have at least.

    Returns
    -------
    a, w
        Signed examples ``(P, D + 1)``, and weights of length 1 with ``margin(a, w) ≥ gap`` up to rounding.
    """
    w = rng.standard_normal(D + 1)
    w[:-1] /= np.linalg.norm(w[:-1])
    w[-1] /= 2
    w /= np.linalg.norm(w)
    x = rng.uniform(-1.0, 1.0, (P, D))
    u = x @ w[:-1] + w[-1]
    labels = np.where(u > 0, 1.0, -1.0)
    lacking = np.maximum(gap - np.abs(u), 0.0)
    x += (labels * lacking)[:, None] * w[:-1] / (w[:-1] @ w[:-1])
    return signed(x, labels), w


# What one neuron can compute


@dataclass(frozen=True)
class Verdict:
    """Whether a neuron can be right about all signed examples, and a proof in whole numbers either way.

    Parameters
    ----------
    separable
        Whether it can.
    proof
        If so, weights w with w·a > 0 for every example, shape ``(D + 1,)``. If not, counts c, not negative and not all
        zero, with Σ_i c_i a_i = 0, shape ``(P,)``: from w·a_i > 0 for all i would follow 0 = w·0 = Σ_i c_i w·a_i > 0.
    """

    separable: bool
    proof: Array

    def holds(self, a: Array) -> bool:
        """Check the proof, exactly."""
        if self.separable:
            return bool(np.all(a @ self.proof > 0))
        return bool(np.all(self.proof >= 0) and np.any(self.proof > 0) and not np.any(self.proof @ a))


def decide(a: Array) -> Verdict:
    """Decide whether signed examples in whole numbers can be separated, by perceptron learning.

    If they can, learning ends, with weights. If they cannot, it goes on for ever, but its weights stay bounded: among
    finitely many whole ones they must return to where they were, and then what was added in between sums to zero.

    Parameters
    ----------
    a
        Signed examples ``(P, D + 1)`` of integers.

    Raises
    ------
    TypeError
        If the examples are not integers: a sum of rounded numbers proves nothing.

    References
    ----------
    Block and Levin (1970), *On the boundedness of an iterative procedure for solving a system of linear inequalities*.
    """
    if not np.issubdtype(a.dtype, np.integer):
        raise TypeError(f"A proof needs whole numbers, and the examples are {a.dtype}; scale and round them first.")
    w = np.zeros_like(a[0])
    added: list[int] = []
    seen = {tuple(w.tolist()): 0}
    for i, w in perceptron(a):
        added.append(i)
        before = seen.setdefault(tuple(w.tolist()), len(added))
        if before < len(added):
            return Verdict(False, np.bincount(added[before:], minlength=len(a)))
    return Verdict(True, w)


def corners(n: int) -> Array:
    """List the 2ⁿ inputs of n truth values, counted up in binary: integers 0 and 1 of shape ``(2ⁿ, n)``."""
    return np.array(list(product((0, 1), repeat=n)))


def truth_tables(n: int) -> Array:
    """List all Boolean functions of n inputs, each by its answers on :func:`corners`: shape ``(2^(2ⁿ), 2ⁿ)``.

    Raises
    ------
    ValueError
        If n is not from 1 to 4: five inputs have more than four thousand million functions.
    """
    if not 1 <= n <= 4:
        raise ValueError(f"All functions of {n} inputs are no list to write down; choose n from 1 to 4.")
    return corners(2**n)


def cover(P: int, N: int) -> int:
    """Count the ways in which hyperplanes through the origin of N dimensions cut P points in general position in two.

    C(P, N) = 2 Σ_{k=0}^{N−1} binom(P − 1, k)

    For hyperplanes anywhere in D dimensions N is D + 1: one weight for each input and the bias.

    References
    ----------
    Cover (1965), *Geometrical and statistical properties of systems of linear inequalities*, Theorem 1.
    """
    return 2 * sum(math.comb(P - 1, k) for k in range(N))


def dichotomies(points: npt.ArrayLike) -> int:
    """Count the ways in which these points are cut in two by hyperplanes through the origin, in any position.

    | d(A and p) = d(A) + d(A seen along p)
    | d(no points) = 1

    Each cut of A extends to p in one way, or in both if the hyperplane can be turned to pass through p. Those through p
    are the cuts of what A looks like along the direction of p, where points that fall together count once.

    Parameters
    ----------
    points
        Integers, shape ``(P, N)``; for neurons with a bias their last column is 1.

    Raises
    ------
    TypeError
        If the points are not integers.
    ValueError
        If one of them is the origin, through which every hyperplane passes.

    References
    ----------
    The recursion is Cover's, without his assumption that the points are in general position.
    """
    points = np.asarray(points)
    if not np.issubdtype(points.dtype, np.integer):
        raise TypeError(f"The count is exact only in whole numbers, and the points are {points.dtype}.")
    if not np.all(np.any(points, axis=-1)):
        raise ValueError("One of the points is the origin, which no hyperplane through the origin leaves on a side.")
    return _count({_ray(point) for point in points.tolist()})


def _ray(point: Sequence[int]) -> tuple[int, ...]:
    """Shortest whole vector along the line through a point and the origin, its first number that is not 0 positive."""
    scale = math.gcd(*point) * (1 if next(filter(None, point)) > 0 else -1)
    return tuple(number // scale for number in point)


def _count(rays: set[tuple[int, ...]]) -> int:
    if not rays:
        return 1
    p = min(rays)
    rest = rays - {p}
    k = next(k for k, number in enumerate(p) if number)
    along = ([q_j * p[k] - p_j * q[k] for q_j, p_j in zip(q, p, strict=True)] for q in rest)
    return _count(rest) + _count({_ray(q[:k] + q[k + 1 :]) for q in along})
