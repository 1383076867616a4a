"""Activation functions: what their bend can draw, and what thirty of them in a row do to a signal.

Symbols, as in the chapter *Activations*:

=====================  ============================================================================================
``φ``                  the activation, applied to each number by itself; ``φ'`` its slope
``u``                  weighted sums, ``(..., N)``
``g``                  a function to be approximated
``z``                  a normal random number of mean 0 and variance 1; E[…] is the mean over it
``q``                  mean square of the weighted sums of a layer
``var_w``, ``var_b``   σ_w², the variance of a weight times the number of inputs, and σ_b², that of a bias
``chi``                χ, by which a layer multiplies the squared distance of two signals that are nearly the same
=====================  ============================================================================================
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recurrence import init, ops
from recurrence.basics.network import Network, identity, staircase
from recurrence.nn import Linear
from recurrence.tape import grad
from recurrence.tree import Array


def slope(activation: Callable[[Any], Any], u: Array) -> Array:
    """Return φ'(u) number by number, as the tape finds it."""
    du: Array = grad(lambda u: np.sum(activation(u)))(u)
    return du


# A curve drawn by hand.


def hats(g: Callable[[Array], Array], neurons: int, low: float = 0.0, high: float = 1.0) -> Network:
    """Build a network with one hidden layer of ReLU neurons that joins points of g by straight lines.

    The interval is cut into N pieces of equal width δ. At the left end of each a hidden neuron sets in, and its
    outgoing weight is the change of slope there. Where g has a second derivative of c at most in size,

    abs(g(x) − network(x)) ≤ c δ² / 8

    Parameters
    ----------
    g
        A function of arrays.
    neurons
        N, how many hidden neurons.
    low, high
        The interval.

    Returns
    -------
    Network
        Takes ``(B, 1)``, returns ``(B, 1)``, in double precision. Left of the interval it is constant, right of it it
        goes on as it was.

    Raises
    ------
    ValueError
        If there is no neuron, or no interval.
    """
    if neurons < 1 or not low < high:
        raise ValueError(f"Hats need a neuron and an interval, not {neurons} neurons on [{low}, {high}].")
    points = np.linspace(low, high, neurons + 1)
    values = g(points)
    slopes = np.diff(values) / np.diff(points)
    hidden = Linear(np.ones((1, neurons)), -points[:-1])
    output = Linear(np.diff(slopes, prepend=0.0)[:, None], values[:1])
    return Network((hidden, output), ops.relu, identity)


def bumps(g: Callable[[Array], Array], neurons: int, steepness: float, low: float = 0.0, high: float = 1.0) -> Network:
    """Soften the :func:`~recurrence.basics.network.staircase`: the same network, its steps exchanged for sigmoids.

    With a steepness of w the output is the mean of the staircase over x + r/w, where r is random with the distribution
    function σ. As r is 2 ln 2 in size on average, a g with slopes of s at most is missed by no more than

    abs(g(x) − network(x)) ≤ s (δ / 2 + 2 ln 2 / w)

    Parameters
    ----------
    g, neurons, low, high
        As in the staircase.
    steepness
        w, the weight of each hidden neuron.
    """
    hidden, output = staircase(g, neurons, low, high).layers
    return Network((Linear(steepness * hidden.W, steepness * hidden.b), output), ops.sigmoid, identity)


# A signal on its way through random layers.


def powers(
    activation: Callable[[Any], Any],
    weights: Callable[..., Array],
    rng: np.random.Generator,
    *,
    depth: int = 30,
    width: int = 1000,
    batch: int = 100,
    size: float = 1.0,
) -> Array:
    """Send random inputs through random layers without biases, and measure the mean square of all activations.

    x ← φ(x W)

    Parameters
    ----------
    activation
        φ.
    weights
        One of :mod:`recurrence.init`, or any function of a shape and a generator.
    rng
        Draws the inputs, normal with mean 0, and the weights.
    depth, width, batch
        How many layers, neurons in each, and inputs.
    size
        Standard deviation of the inputs.

    Returns
    -------
    Array
        ``(depth + 1,)``: the power of the inputs, and that after each layer. Where the mean is 0 it is the variance.
    """
    x = np.float32(size) * rng.standard_normal((batch, width), np.float32)
    found = [np.mean(x**2, dtype=float)]
    for _ in range(depth):
        x = activation(x @ weights((width, width), rng))
        found.append(np.mean(x**2, dtype=float))
    return np.array(found)


def distances(
    activation: Callable[[Any], Any],
    var_w: float,
    var_b: float,
    q: float,
    rng: np.random.Generator,
    *,
    depth: int = 20,
    width: int = 500,
    pairs: int = 20,
) -> Array:
    """Send pairs of nearly equal signals through random layers, and measure how far apart they are.

    u ← φ(u) W + b with W ~ N(0, σ_w² / N) and b ~ N(0, σ_b²)

    Parameters
    ----------
    activation, var_w, var_b
        φ, σ_w² and σ_b².
    q
        Mean square of the weighted sums at the start, before the first bend.
    rng
        Draws the signals, the weights and the biases.
    depth, width, pairs
        How many layers, neurons in each, and pairs.

    Returns
    -------
    Array
        ``(depth + 1,)``: the mean squared distance, as a multiple of that at the start.
    """
    u = math.sqrt(q) * rng.standard_normal((pairs, width))
    other = u + 1e-4 * rng.standard_normal((pairs, width))
    found = [np.mean((u - other) ** 2)]
    for _ in range(depth):
        W = init.normal((width, width), math.sqrt(var_w / width), rng, float)
        b = init.normal((width,), math.sqrt(var_b), rng, float)
        u, other = activation(u) @ W + b, activation(other) @ W + b
        found.append(np.mean((u - other) ** 2))
    relative: Array = np.array(found) / found[0]
    return relative


# Infinitely wide layers, whose weighted sums are normal.

_SIDE, _SHARE = np.polynomial.legendre.leggauss(150)
_Z = 6 * (_SIDE + 1)
_DENSITY = 6 * _SHARE * np.exp(-(_Z**2) / 2) / math.sqrt(2 * math.pi)


def gauss_mean(f: Callable[[Array], Array]) -> float:
    """Return E[f(z)] for a normal number z of mean 0 and variance 1.

    | E[f(z)] = ∫ f(z) exp(−z² / 2) / √(2π) dz

    By the rule of Gauss and Legendre with 150 points on each side of 0, because activations have their kinks at 0, and
    out to 12 standard deviations, beyond which less than 10⁻³² of the probability lies.
    """
    return float(np.sum(_DENSITY * (f(_Z) + f(-_Z))))


def next_q(activation: Callable[[Any], Any], q: float, var_w: float, var_b: float = 0.0) -> float:
    """Return the mean square of weighted sums that wide random layers make of the one before.

    q ← σ_w² E[φ(√q z)²] + σ_b²

    References
    ----------
    Poole, Lahiri, Raghu, Sohl-Dickstein and Ganguli, *Exponential expressivity in deep neural networks through
    transient chaos*, 2016, equation 3.
    """
    return var_w * gauss_mean(lambda z: activation(math.sqrt(q) * z) ** 2) + var_b


def settle(activation: Callable[[Any], Any], var_w: float, var_b: float = 0.0, *, layers: int = 2000) -> float:
    """Return where q comes to rest: q*, after so many layers from q = 1, or earlier when it no longer changes."""
    q = 1.0
    for _ in range(layers):
        before, q = q, next_q(activation, q, var_w, var_b)
        if abs(q - before) <= 1e-15 * q:
            break
    return q


def chi(activation: Callable[[Any], Any], q: float, var_w: float) -> float:
    """Return by what factor a layer multiplies the squared distance of two nearly equal signals, and of gradients.

    χ = σ_w² E[φ'(√q z)²]

    References
    ----------
    Schoenholz, Gilmer, Ganguli and Sohl-Dickstein, *Deep information propagation*, 2017, equations 5 and 12.
    """
    return var_w * gauss_mean(lambda z: slope(activation, math.sqrt(q) * z) ** 2)


def critical(activation: Callable[[Any], Any], var_b: float = 0.0) -> tuple[float, float]:
    """Find the variance of weights for which χ = 1 where q has come to rest.

    χ = 1 gives σ_w² = 1 / E[φ'²], and with it q = σ_w² E[φ²] + σ_b² is an equation for q alone. It is solved by
    halving an interval; without biases its solution is q → 0.

    Parameters
    ----------
    activation
        φ, with φ(0) = 0.
    var_b
        σ_b².

    Returns
    -------
    var_w, q
        σ_w² and q*.

    Raises
    ------
    ValueError
        If there is no such q below 10⁴, as for ReLU with biases.
    """

    def var_w(q: float) -> float:
        return 1 / chi(activation, q, 1.0)

    if var_b == 0:
        return var_w(1e-30), 0.0
    low, high = 0.0, 1.0
    while high <= next_q(activation, high, var_w(high), var_b):
        low, high = high, 2 * high
        if high > 1e4:
            raise ValueError(f"With biases of variance {var_b:g} no weights make this activation critical.")
    while (middle := (low + high) / 2) not in (low, high):
        if middle <= next_q(activation, middle, var_w(middle), var_b):
            low = middle
        else:
            high = middle
    return var_w(middle), middle


def depth_scale(chi: float) -> float:
    """Return the number of layers after which a small difference has grown or shrunk by a factor e in the square.

    ξ = 1 / abs(ln χ)
    """
    return math.inf if chi == 1 else 1 / abs(math.log(chi))


def selu_constants() -> tuple[float, float]:
    """Find λ and α of SELU: E[φ(z)] = 0 determines α, and E[φ(z)²] = 1 then determines λ.

    | α = E[z; z > 0] / E[1 − e^z; z < 0]
    | λ = 1 / √(E[z²; z > 0] + α² E[(1 − e^z)²; z < 0])

    References
    ----------
    Klambauer, Unterthiner, Mayr and Hochreiter, *Self-normalizing neural networks*, 2017.
    """
    alpha = gauss_mean(lambda z: np.maximum(z, 0)) / gauss_mean(lambda z: -np.expm1(np.minimum(z, 0)))
    power = gauss_mean(lambda z: np.maximum(z, 0) ** 2 + (alpha * np.expm1(np.minimum(z, 0))) ** 2)
    return 1 / math.sqrt(power), alpha
