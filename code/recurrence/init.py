"""Random weights to start from, scaled so that signals neither swell nor fade on their way through the layers.

A weight matrix has the shape ``(n_in, n_out)``, because a layer computes ``x @ W``. Axes before these two
are the window of a convolution: each output then sees that many times as many inputs.

Everything is drawn in double precision and then rounded, so that one seed gives one model in every precision.
"""

import math

import numpy as np
import numpy.typing as npt

from recurrence.tree import Array


def glorot(shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32) -> Array:
    """Draw weights for layers of tanh or no activation: signals and gradients keep their variance, nearly.

    W ~ U(−a, a) with a = √(6 / (n_in + n_out)), so that Var W = 2 / (n_in + n_out)

    Keeping the variance of signals asks for 1 / n_in, keeping that of gradients for 1 / n_out; this lies between.

    Parameters
    ----------
    shape
        ``(..., n_in, n_out)``.
    rng
        Where the numbers come from.
    dtype
        Precision of the weights.

    References
    ----------
    Glorot and Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS
    2010, equation 16.
    """
    n_in, n_out = _fans(shape)
    a = math.sqrt(6 / (n_in + n_out))
    return uniform(shape, a, rng, dtype)


def he(shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32) -> Array:
    """Draw weights for layers of ReLU, which lets half of the power through.

    W ~ N(0, 2 / n_in)

    Parameters
    ----------
    shape
        ``(..., n_in, n_out)``.
    rng
        Where the numbers come from.
    dtype
        Precision of the weights.

    References
    ----------
    He, Zhang, Ren and Sun, *Delving deep into rectifiers*, ICCV 2015, equation 10.
    """
    n_in, _ = _fans(shape)
    return normal(shape, math.sqrt(2 / n_in), rng, dtype)


def lecun(shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32) -> Array:
    """Draw weights with which the sum of n_in inputs of variance 1 has variance 1.

    W ~ N(0, 1 / n_in)

    Parameters
    ----------
    shape
        ``(..., n_in, n_out)``.
    rng
        Where the numbers come from.
    dtype
        Precision of the weights.

    References
    ----------
    LeCun, Bottou, Orr and Müller, *Efficient BackProp*, 1998, equation 16.
    """
    n_in, _ = _fans(shape)
    return normal(shape, math.sqrt(1 / n_in), rng, dtype)


def orthogonal(
    shape: tuple[int, int], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32, *, gain: float = 1.0
) -> Array:
    """Draw a matrix that turns vectors and scales them all alike, every such turn being equally likely.

    W Wᵀ = gain² I if n_in ≤ n_out, Wᵀ W = gain² I if n_in ≥ n_out

    The factor Q of a random matrix is orthogonal, but which Q the algorithm picks is not left to chance. Giving R a
    positive diagonal makes Q unique, and thereby uniformly distributed.

    Parameters
    ----------
    shape
        ``(n_in, n_out)``.
    rng
        Where the numbers come from.
    dtype
        Precision of the weights.
    gain
        What every length is multiplied by, where no direction is lost.

    References
    ----------
    Saxe, McClelland and Ganguli, *Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks*, ICLR 2014. Mezzadri, *How to generate random matrices from the classical compact groups*, Notices
    of the AMS 54, 2007, section 5.
    """
    n_in, n_out = shape
    Q, R = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
    Q *= np.copysign(gain, np.diagonal(R))
    return np.ascontiguousarray(Q if n_in >= n_out else Q.T, dtype=dtype)


def uniform(shape: tuple[int, ...], bound: float, rng: np.random.Generator, dtype: npt.DTypeLike = np.float32) -> Array:
    """Draw from U(−bound, bound), whose variance is bound² / 3.

    Parameters
    ----------
    shape
        Any shape.
    bound
        Largest absolute value.
    rng
        Where the numbers come from.
    dtype
        Precision of the numbers.
    """
    return rng.uniform(-bound, bound, shape).astype(dtype)


def normal(shape: tuple[int, ...], sigma: float, rng: np.random.Generator, dtype: npt.DTypeLike = np.float32) -> Array:
    """Draw from N(0, σ²).

    Parameters
    ----------
    shape
        Any shape.
    sigma
        σ, the standard deviation.
    rng
        Where the numbers come from.
    dtype
        Precision of the numbers.
    """
    return (sigma * rng.standard_normal(shape)).astype(dtype)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Count how many inputs an output sums over, and how many outputs an input goes into."""
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(f"Weights need a shape (..., n_in, n_out) of positive numbers, not {shape}.")
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]
