"""A network of neurons in layers: its computation, a curve drawn by hand with it, and Nielsen's first experiment.

Symbols, as in the chapter *Network*:

==================  ===============================================================================
``x``, ``y``        inputs ``(B, D)`` and outputs ``(B, K)`` of a network, one example a row
``W``, ``b``        weights and biases of a layer: ``(D, N)`` and ``(N,)`` for N neurons with D inputs
``φ``               the activation, applied to each number by itself
``targets``         y*, what the outputs should be, ``(B, K)``
``g``               a function to be approximated
``lr``              η, the learning rate
==================  ===============================================================================

``python -m recurrence.basics.network`` repeats the experiment of the first chapter of Michael Nielsen's *Neural
Networks and Deep Learning* on MNIST; with ``--record FILE`` it writes what the chapter shows.
"""

import argparse
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from recurrence import data, init, ops
from recurrence.basics.linear import one_hot
from recurrence.basics.neuron import step
from recurrence.nn import Linear
from recurrence.train import batches, versions
from recurrence.tree import Array


def identity(u: Array) -> Array:
    """Give u back: what an output layer does whose numbers are not to be bent."""
    return u


@dataclass(frozen=True)
class Network:
    """A feed-forward network, fully connected: each layer hears all of the layer before it, and nothing else.

    x ← φ(x W + b), layer by layer

    Parameters
    ----------
    layers
        The hidden layers in order, and the output layer at the end.
    activation
        φ of the hidden layers.
    output
        φ of the output layer.
    """

    layers: tuple[Linear, ...]
    activation: Callable[[Any], Any] = ops.sigmoid
    output: Callable[[Any], Any] = ops.sigmoid

    @classmethod
    def init(
        cls,
        sizes: Sequence[int],
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
        *,
        scaled: bool = True,
        output: Callable[[Any], Any] = ops.sigmoid,
    ) -> Self:
        """Draw all weights and biases: b ~ N(0, 1), and W ~ N(0, 1 / D), or N(0, 1) if they are not scaled.

        Parameters
        ----------
        sizes
            How many inputs, how many neurons in each hidden layer, how many outputs.
        rng
            Where the numbers come from, the weights of a layer before its biases.
        dtype
            Their precision.
        scaled
            Whether a neuron with D inputs divides its weights by √D, so that its sum is of order 1 whatever D is.
        output
            φ of the output layer.
        """
        layers = tuple(
            Linear(init.normal((D, N), D**-0.5 if scaled else 1.0, rng, dtype), init.normal((N,), 1.0, rng, dtype))
            for D, N in itertools.pairwise(sizes)
        )
        return cls(layers, output=output)

    def __call__(self, x: Array) -> Any:
        """Take inputs ``(..., D)``; return outputs ``(..., K)``."""
        *hidden, last = self.layers
        for layer in hidden:
            x = self.activation(layer(x))
        return self.output(last(x))


def squared_error(network: Callable[[Array], Any], x: Array, targets: Array) -> Any:
    """Half the squared distance of the outputs from their targets, the mean over a batch.

    L = 1/2B Σ ‖y − y*‖²

    Parameters
    ----------
    network
        Takes inputs, returns outputs.
    x, targets
        ``(B, D)`` and ``(B, K)``.
    """
    return 0.5 / len(x) * np.sum((network(x) - targets) ** 2)


def gradient(network: Network, x: Array, targets: Array) -> Network:
    """Find the gradient of :func:`squared_error` for layers of sigmoid neurons, as a network of slopes.

    | du = (y − y*) y (1 − y) / B for the weighted sums of the output layer
    | dW = xᵀ du and db = Σ du for a layer whose inputs were x, and
    | du ← (du Wᵀ) x (1 − x) for the layer before it

    The tape finds the same for any network; these lines need a fifth of its time where layers are small. Where they
    come from is told in the chapter on backpropagation.

    Parameters
    ----------
    network
        All of whose layers end in the sigmoid.
    x, targets
        ``(B, D)`` and ``(B, K)``.
    """
    xs = [x]
    for layer in network.layers:
        xs.append(ops.sigmoid(layer(xs[-1])))
    dy = (xs[-1] - targets) / len(x)
    slopes: list[Linear] = []
    for layer, before, y in zip(network.layers[::-1], xs[-2::-1], xs[:0:-1], strict=True):
        du = dy * y * (1 - y)
        slopes.append(Linear(before.T @ du, du.sum(axis=0)))
        dy = du @ layer.W.T
    return Network(tuple(slopes[::-1]))


# A curve drawn by hand.


def staircase(g: Callable[[Array], Array], neurons: int, low: float = 0.0, high: float = 1.0) -> Network:
    """Build a network with one hidden layer of step neurons that approximates g on an interval.

    The interval is cut into N + 1 pieces of equal width δ. The output bias is g in the middle of the first piece, and
    at each cut a hidden neuron switches on and adds what g gains from one middle to the next. No place is further
    than δ / 2 from the middle of its piece, so the error is at most what g changes over that distance:

    abs(g(x) − network(x)) ≤ osc(δ / 2)

    For a g with slopes of s at most that is s δ / 2. No staircase of N steps does better for all such functions.

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
        Takes ``(B, 1)``, returns ``(B, 1)``, in double precision.

    Raises
    ------
    ValueError
        If there is no neuron, or no interval.
    """
    if neurons < 1 or not low < high:
        raise ValueError(f"A staircase needs a neuron and an interval, not {neurons} neurons on [{low}, {high}].")
    edges = np.linspace(low, high, neurons + 2)
    middles = g((edges[:-1] + edges[1:]) / 2)
    hidden = Linear(np.ones((1, neurons)), -edges[1:-1])
    output = Linear(np.diff(middles)[:, None], middles[:1])
    return Network((hidden, output), step, identity)


# A classifier to beat.


@dataclass(frozen=True)
class Darkness:
    """Take an image for the digit whose images have the most similar amount of ink on average.

    Parameters
    ----------
    ink
        For each digit the mean sum of pixels, ``(10,)``.

    References
    ----------
    Nielsen, *Neural Networks and Deep Learning*, 2015, chapter 1: 2,225 of MNIST's 10,000 test images are right.
    """

    ink: Array

    @classmethod
    def fit(cls, images: Array, labels: Array) -> Self:
        """Average over images ``(B, …)`` with labels ``(B,)``, of which each digit has one at least."""
        ink = _ink(images)
        return cls(np.array([ink[labels == digit].mean() for digit in range(10)]))

    def __call__(self, images: Array) -> Array:
        """Take images ``(B, …)``; return digits ``(B,)``."""
        nearest: Array = np.argmin(np.abs(_ink(images)[:, None] - self.ink), axis=1)
        return nearest


def _ink(images: Array) -> Array:
    # In double precision, so that the sum does not depend on its order.
    ink: Array = images.reshape(len(images), -1).sum(axis=1, dtype=np.float64)
    return ink


# Nielsen's first experiment.

LR, BATCH, EPOCHS = 3.0, 10, 30
"""What Nielsen chose: the learning rate η, the images in a batch, and how often all images are gone through."""

TRAINING = 50_000
"""How many of MNIST's 60,000 training images he learnt from; the other 10,000 he set aside."""

PUBLISHED = {30: 9542, 100: 9659}
"""Test images right, of 10,000, by number of hidden neurons: the best epoch of the best of three runs."""

PUBLISHED_EPOCHS = {1: 9129, 2: 9295, 3: 9348, 28: 9528, 29: 9542, 30: 9534}
"""Of the run with 30 hidden neurons, what he printed: test images right after so many epochs."""

PUBLISHED_DARKNESS = 2225
"""Test images that :class:`Darkness` gets right."""

SEEDS = range(10)
"""The seeds of the recorded runs. He made three runs, whose random numbers are not known."""

RECORDED = "nielsen.json"
"""The file in ``results`` beside this module that holds the recorded runs."""


def nielsen(
    x: Array, labels: Array, hidden: int, seed: int, *, scaled: bool = False, epochs: int = EPOCHS
) -> Iterator[Network]:
    """Train a network of sigmoid neurons with one hidden layer as Nielsen did, and yield it after each epoch.

    Parameters
    ----------
    x
        Images as rows, float32 ``(n, D)``.
    labels
        Their digits, ``(n,)``.
    hidden
        How many hidden neurons.
    seed
        Where all random numbers come from: the first weights, and the order of images in each epoch.
    scaled
        Whether the first weights are divided by √D, as in his third chapter. In his first they are not.
    epochs
        How often to go through the images.

    References
    ----------
    Nielsen, *Neural Networks and Deep Learning*, 2015, chapter 1, "Implementing our network to classify digits".
    """
    rng = np.random.default_rng(seed)
    network = Network.init((x.shape[1], hidden, 10), rng, scaled=scaled)
    order = batches((x, one_hot(labels)), BATCH, rng, epochs=epochs)
    for batch in order:
        slopes = gradient(network, *batch)
        network = Network(
            tuple(
                Linear(layer.W - LR * slope.W, layer.b - LR * slope.b)
                for layer, slope in zip(network.layers, slopes.layers, strict=True)
            )
        )
        if order.taken % order.per_epoch == 0:
            yield network


def record(
    train: data.dataset.Pair,
    test: data.dataset.Pair,
    setups: Sequence[tuple[int, bool]] = ((30, False), (100, False), (100, True)),
    seeds: Sequence[int] = SEEDS,
    *,
    epochs: int = EPOCHS,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Make runs of :func:`nielsen`, and ask each after every epoch about the test images.

    Parameters
    ----------
    train, test
        Images ``(n, …)`` and labels ``(n,)``.
    setups
        Pairs of the number of hidden neurons, and whether the first weights are scaled.
    seeds
        One run for each.
    epochs
        How many epochs a run has.
    say
        Called with a line about each run.

    Returns
    -------
    dict
        Plain values, ready for JSON: ``darkness``, the number of test images that :class:`Darkness` gets right, and
        in ``runs`` for each run ``hidden``, ``scaled`` and ``seed``; by epoch ``right``, the number of test images that
        are right, and ``silent``, the number of output neurons that no test image brings to one half; by digit,
        after the last epoch, ``answered``, how many test images were taken for it, and ``strongest``, the greatest
        activation of its output neuron.
    """
    (images, labels), (test_images, test_labels) = train, test
    x, test_x = images.reshape(len(images), -1), test_images.reshape(len(test_images), -1)
    darkness = int(np.sum(Darkness.fit(x, labels)(test_x) == test_labels))
    say(f"average darkness: {darkness} of {len(test_x)}")
    runs = []
    for hidden, scaled in setups:
        for seed in seeds:
            began, right, silent = time.perf_counter(), [], []
            for network in nielsen(x, labels, hidden, seed, scaled=scaled, epochs=epochs):
                y = network(test_x)
                taken = np.argmax(y, axis=1)
                right.append(int(np.sum(taken == test_labels)))
                silent.append(int(np.sum(y.max(axis=0) < 0.5)))
            run = {
                "hidden": hidden,
                "scaled": scaled,
                "seed": seed,
                "right": right,
                "silent": silent,
                "answered": np.bincount(taken, minlength=10).tolist(),
                "strongest": [float(f"{value:.4g}") for value in y.max(axis=0)],
                "seconds": round(time.perf_counter() - began, 1),
            }
            say(f"{hidden} hidden, scaled {scaled}, seed {seed}: best {max(right)}, last {right[-1]}")
            runs.append(run)
    return {"darkness": darkness, "runs": runs}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the runs that the chapter shows, and write them to a file if one is named."""
    parser = argparse.ArgumentParser(prog="python -m recurrence.basics.network", description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many runs of each kind")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="how many epochs a run has")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the result to this file")
    given = parser.parse_args(arguments)
    mnist = data.load("mnist")
    images, labels = mnist.train
    result = record((images[:TRAINING], labels[:TRAINING]), mnist.test, seeds=range(given.seeds), epochs=given.epochs)
    options = "".join(
        f" --{name} {value}"
        for name, value, default in (("seeds", given.seeds, len(SEEDS)), ("epochs", given.epochs, EPOCHS))
        if value != default
    )
    config = {"data": "mnist", "training": TRAINING, "lr": LR, "batch": BATCH, "epochs": given.epochs}
    told = {
        "command": f"python -m recurrence.basics.network{options} --record {RECORDED}",
        "config": config,
        **result,
        "versions": versions(),
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
    }
    if given.record is not None:
        # A list of numbers is read more easily in one line.
        text = re.sub(r"\[[^][{}]*\]", lambda numbers: " ".join(numbers[0].split()), json.dumps(told, indent=1))
        given.record.write_text(text + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    main()
