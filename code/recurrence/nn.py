"""The layers that models are built of: frozen dataclasses whose arrays are the parameters.

Symbols, as in the chapter *From neuron to network*:

================  =====================================================================
``x``, ``y``      inputs ``(..., n_in)`` and outputs ``(..., n_out)`` of a layer
``W``, ``b``      weights ``(n_in, n_out)`` and biases ``(n_out,)``
``gain, bias``    what a normalised activation is multiplied by and shifted by
``table``         one row of D numbers for each of N symbols
================  =====================================================================

A layer is called with arrays that have any number of axes before the last. Its ``init`` draws the numbers to
start from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from recurrence import init, ops
from recurrence.tree import Array


@dataclass(frozen=True)
class Linear:
    """A linear layer: every output is a weighted sum of all inputs, and a bias.

    y = x W + b

    Parameters
    ----------
    W
        Weights ``(n_in, n_out)``.
    b
        Biases ``(n_out,)``.
    """

    W: Array
    b: Array

    @classmethod
    def init(
        cls,
        n_in: int,
        n_out: int,
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
        *,
        weights: Callable[..., Array] = init.lecun,
    ) -> Self:
        """Draw weights, and set the biases to zero.

        Parameters
        ----------
        n_in, n_out
            How many inputs and outputs.
        rng
            Where the weights come from.
        dtype
            Their precision.
        weights
            One of the functions of :mod:`recurrence.init`: which one suits depends on what follows the layer.
        """
        return cls(weights((n_in, n_out), rng, dtype), np.zeros(n_out, dtype))

    def __call__(self, x: Array) -> Array:
        """Take inputs ``(..., n_in)``; return outputs ``(..., n_out)``."""
        y: Array = x @ self.W + self.b
        return y


@dataclass(frozen=True)
class Norm:
    """Layer normalisation: the numbers of each vector are brought to mean 0 and variance 1, then rescaled.

    y = gain (x − mean(x)) / √(var(x) + ε) + bias

    Parameters
    ----------
    gain, bias
        Vectors ``(D,)``.

    References
    ----------
    Ba, Kiros and Hinton, *Layer normalization*, 2016, equation 4.
    """

    gain: Array
    bias: Array

    @classmethod
    def init(cls, width: int, dtype: npt.DTypeLike = np.float32) -> Self:
        """Start with gains of 1 and biases of 0, where the layer only normalises.

        Parameters
        ----------
        width
            D, how many numbers a vector has.
        dtype
            Precision of the parameters.
        """
        return cls(np.ones(width, dtype), np.zeros(width, dtype))

    def __call__(self, x: Array) -> Array:
        """Take vectors ``(..., D)``; return them normalised."""
        y: Array = ops.layer_norm(x, self.gain, self.bias)
        return y


@dataclass(frozen=True)
class Embedding:
    """A table that gives each symbol a vector of its own.

    y = table[symbol]

    Parameters
    ----------
    table
        One row for each symbol, ``(N, D)``.
    """

    table: Array

    @classmethod
    def init(cls, symbols: int, width: int, rng: np.random.Generator, dtype: npt.DTypeLike = np.float32) -> Self:
        """Draw vectors whose squared length is 1 on average.

        Parameters
        ----------
        symbols
            N, how many symbols there are.
        width
            D, how many numbers stand for one.
        rng
            Where the vectors come from.
        dtype
            Their precision.
        """
        return cls(init.normal((symbols, width), width**-0.5, rng, dtype))

    def __call__(self, symbols: npt.NDArray[np.integer[Any]]) -> Array:
        """Take integers ``(...)`` from 0 to N − 1; return vectors ``(..., D)``."""
        y: Array = self.table[symbols]
        return y


@dataclass(frozen=True)
class MLP:
    """Multilayer perceptron: linear layers, one after another, with an activation between any two.

    x ← f(x W + b) for each layer but the last, and y = x W + b there

    Parameters
    ----------
    layers
        The linear layers.
    activation
        f, a function of arrays.
    dropout
        The share of hidden activations that is left out at random while learning.
    """

    layers: tuple[Linear, ...]
    activation: Callable[[Any], Any] = ops.relu
    dropout: float = 0.0

    @classmethod
    def init(
        cls,
        sizes: Sequence[int],
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
        *,
        activation: Callable[[Any], Any] = ops.relu,
        weights: Callable[..., Array] = init.he,
        dropout: float = 0.0,
    ) -> Self:
        """Draw all weights.

        Parameters
        ----------
        sizes
            How many inputs there are, how many units each hidden layer has, how many outputs there are.
        rng
            Where the weights come from; each layer has a stream of its own.
        dtype
            Their precision.
        activation
            What stands between two layers.
        weights
            The function of :mod:`recurrence.init` that suits it; the last layer, which no activation follows,
            takes :func:`~recurrence.init.lecun`.
        dropout
            The share of hidden activations that is left out at random while learning.

        Raises
        ------
        ValueError
            If there are fewer than two sizes, or ``dropout`` lies outside [0, 1).
        """
        if len(sizes) < 2:
            raise ValueError(f"A multilayer perceptron needs the sizes of its input and output at least, not {sizes}.")
        _rate(dropout)
        last = len(sizes) - 2
        layers = tuple(
            Linear.init(n_in, n_out, stream, dtype, weights=init.lecun if k == last else weights)
            for k, (n_in, n_out, stream) in enumerate(zip(sizes[:-1], sizes[1:], rng.spawn(last + 1), strict=True))
        )
        return cls(layers, activation, dropout)

    def __call__(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        """Compute the outputs.

        Parameters
        ----------
        x
            Inputs ``(..., n_in)``.
        rng
            Draws what is left out, while learning. Without it nothing is.

        Returns
        -------
        Array
            Outputs ``(..., n_out)``.
        """
        *hidden, last = self.layers
        for layer in hidden:
            x = self.activation(layer(x))
            if rng is not None:
                x = dropout(x, self.dropout, rng)
        return last(x)


def dropout(x: Array, rate: float, rng: np.random.Generator) -> Array:
    """Leave each number out with a probability, and scale up the rest, so that the expectation stays.

    y = x k / (1 − rate), where each k is 0 with probability ``rate`` and 1 otherwise

    Parameters
    ----------
    x
        Activations of any shape.
    rate
        In [0, 1). At 0 they come back as they are, and no random numbers are drawn.
    rng
        Draws what is left out.

    Raises
    ------
    ValueError
        If the rate lies outside [0, 1).

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, *Dropout: a simple way to prevent neural networks
    from overfitting*, Journal of Machine Learning Research 15, 2014, section 4; scaled while learning instead of
    afterwards, as their section 10 mentions.
    """
    if not _rate(rate):
        return x
    kept = rng.random(x.shape, np.float32) >= rate
    # One multiplication of x, and a mask of its own precision.
    y: Array = x * np.multiply(kept, 1 / (1 - rate), dtype=x.dtype)
    return y


def _rate(rate: float) -> float:
    if not 0 <= rate < 1:
        raise ValueError(f"The share that is left out must lie in [0, 1), but it is {rate}.")
    return float(rate)
