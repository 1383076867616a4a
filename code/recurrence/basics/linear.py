"""A layer that does not bend: what its matrix does to space, what it loses, and least squares, which sets its weights.

Symbols, as in the chapter *Linear layer*:

==============  ===================================================================================
``x``, ``X``    inputs as rows: one ``(D,)``, or a batch ``(B, D)``
``W``, ``b``    weights ``(D, N)`` and biases ``(N,)`` of a layer, x ↦ x W + b
``U``, ``V``    directions of the inputs and of the outputs, of length 1 and at right angles, as columns
``s``           singular values: how much longer a matrix makes each of those directions
``Y``           targets ``(B, K)``
``ridge``       λ, the price of a squared weight
==============  ===================================================================================

``python -m recurrence.basics.linear`` lets a linear layer read MNIST; with ``--record FILE`` it writes what the chapter
shows.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurrence import data
from recurrence.nn import Linear
from recurrence.train import versions
from recurrence.tree import Array

# Matrices as motions of space.


def rotation(angle: float) -> Array:
    """Turn the plane anticlockwise about the origin by an angle in radians: a matrix ``(2, 2)`` for rows, x ↦ x W."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def stretch(angle: float, factor: float) -> Array:
    """Stretch the plane along one direction, and leave what stands at right angles to it.

    W = 1 + (factor − 1) e eᵀ, where the unit vector e points along the direction

    Parameters
    ----------
    angle
        Of the direction with the first axis, radians.
    factor
        Below 1 it presses, 0 flattens, and −1 is a mirror.

    Returns
    -------
    Array
        A matrix ``(2, 2)``, which is the same for rows and for columns.
    """
    e = np.array([np.cos(angle), np.sin(angle)])
    return np.eye(2) + (factor - 1) * np.outer(e, e)


def compose(*layers: Linear) -> Linear:
    """Make one layer of several without a bend between them, the first one first.

    (x W₁ + b₁) W₂ + b₂ = x (W₁ W₂) + (b₁ W₂ + b₂)
    """
    W, b = layers[0].W, layers[0].b
    for layer in layers[1:]:
        W, b = W @ layer.W, layer(b)
    return Linear(W, b)


def directions(W: Array) -> tuple[Array, Array, Array]:
    """Take a matrix apart into directions that it keeps at right angles: its singular value decomposition.

    x W = Σ_k (x·u_k) s_k v_k

    Parameters
    ----------
    W
        Any matrix ``(D, N)``.

    Returns
    -------
    U, s, V
        Input directions ``(D, r)``, singular values ``(r,)`` from the largest down, output directions ``(N, r)``,
        where r is the rank. A direction whose singular value is no more than rounding leaves of 0, s₁ max(D, N) ε with
        ε the spacing of numbers at 1, counts as lost and is left out.
    """
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    r = _kept(s, W.shape)
    return U[:, :r], s[:r], Vt[:r].T


def _kept(s: Array, shape: tuple[int, ...]) -> int:
    """Count the singular values of a matrix of this shape that are more than rounding leaves of 0."""
    return int(np.sum(s > s.max(initial=0.0) * max(shape) * np.finfo(s.dtype).eps))


# Least squares.


def least_squares(X: Array, Y: Array, ridge: float = 0.0) -> Array:
    """Find the weights that bring X W closest to Y; with a ridge, at a price for large weights.

    | ‖Y − X W‖² + λ ‖W‖² is least for
    | W = V diag(s / (s² + λ)) Uᵀ Y

    Parameters
    ----------
    X, Y
        Inputs ``(B, D)`` and targets ``(B, K)``.
    ridge
        λ. With 0, and where many W serve equally well, the shortest one is returned.

    Returns
    -------
    Array
        W, ``(D, K)``.

    Raises
    ------
    ValueError
        If the ridge is negative.

    References
    ----------
    Hoerl and Kennard (1970), *Ridge regression: biased estimation for nonorthogonal problems*.
    """
    if ridge < 0:
        raise ValueError(f"A ridge of {ridge:g} would reward large weights without end; take 0 or more.")
    U, s, V = directions(X)
    W: Array = V @ ((s / (s**2 + ridge))[:, None] * (U.T @ Y))
    return W


def normal_equations(X: Array, Y: Array) -> Array:
    """Find the weights of least squares by solving XᵀX W = XᵀY, as one would by hand.

    Quick, and half of the digits may be lost: the condition of XᵀX is the square of that of X. If XᵀX is singular, be
    it only by rounding, NumPy raises ``LinAlgError``.

    Parameters
    ----------
    X, Y
        Inputs ``(B, D)`` of rank D, and targets ``(B, K)``.
    """
    W: Array = np.linalg.solve(X.T @ X, X.T @ Y)
    if not np.isfinite(W).all():  # NumPy in the browser says so in this way
        raise np.linalg.LinAlgError("Singular matrix")
    return W


def fit(x: Array, targets: Array, ridge: float = 0.0) -> Linear:
    """Fit a layer to examples by least squares, in double precision.

    The mean of the inputs goes to the mean of the targets, and the weights take care of what departs from them. So the
    bias is exempt from the ridge.

    Parameters
    ----------
    x, targets
        ``(B, D)`` and ``(B, K)``.
    ridge
        λ in :func:`least_squares`.
    """
    x, targets = np.asarray(x, float), np.asarray(targets, float)
    middle, aim = x.mean(axis=0), targets.mean(axis=0)
    W = least_squares(x - middle, targets - aim, ridge)
    return Linear(W, aim - middle @ W)


# A layer as a classifier.


def one_hot(labels: Array, classes: int = 10) -> Array:
    """Write each label k as a row of zeros with a 1 at place k: float32 ``(B, classes)``."""
    return np.eye(classes, dtype=np.float32)[labels]


def answers(model: Callable[[Array], Any], x: Array) -> Array:
    """Take each example for the class of its largest output: integers ``(B,)``."""
    largest: Array = np.argmax(model(x), axis=-1)
    return largest


def wrong(model: Callable[[Array], Any], x: Array, labels: Array) -> int:
    """Count the examples whose largest output is not that of their label."""
    return int(np.count_nonzero(answers(model, x) != labels))


# A linear layer reads MNIST.

PUBLISHED = 12.0
"""Test images wrong, in percent, of the linear classifier of LeCun, Bottou, Bengio and Haffner (1998), figure 9."""

RIDGES = (0.0, 1.0, 10.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""The ridges among which the hold-out chooses."""

HELD_OUT = 10_000
"""How many of the training images are held out while the ridge is chosen: the last ones."""

SIZES = (50, 100, 200, 300, 400, 500, 550, 600, 650, 700, 800, 1000, 1500, 2000, 5000, 10_000, 30_000)
"""How many training images there are where few of them are used."""

FEW_RIDGE = 100.0
"""The ridge where few images are used; beside it, none is tried."""

SEEDS = range(5)
"""Each draws its own few images."""

RECORDED = "mnist_linear.json"
"""The file in ``results`` beside this module that holds what was recorded."""


def record(
    train: data.dataset.Pair,
    test: data.dataset.Pair,
    sizes: Sequence[int] = SIZES,
    seeds: Sequence[int] = SEEDS,
    *,
    held_out: int = HELD_OUT,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Fit linear layers to images by least squares onto one-hot targets, and count their mistakes.

    Parameters
    ----------
    train, test
        Images ``(n, …)`` and labels ``(n,)``.
    sizes
        Numbers of images where few are used.
    seeds
        One draw of few images for each.
    held_out
        How many training images at the end are held out while the ridge is chosen.
    say
        Called with a line about each result.

    Returns
    -------
    dict
        Plain values, ready for JSON: ``singular``, the singular values of the training images less their mean, and
        ``rank``; ``blank``, how many pixels are paper in all of them; ``plain``, for all training images and no ridge,
        how many of them are ``wrong_train`` and how many test images ``wrong_test``, and ``confusion``, in row d and
        column k how many test images of digit d were taken for k; ``choice``, for each ridge how many of the held-out
        images are ``wrong_held`` if the others are learnt from; ``chosen``, the best of these ridges, applied to all
        training images; ``few``, by ``images``, ``ridge`` and ``seed`` how many test images are ``wrong_test``, and how
        many pixels are ``inked`` in one of the images at least.
    """
    (images, labels), (test_images, test_labels) = train, test
    x, test_x = images.reshape(len(images), -1), test_images.reshape(len(test_images), -1)
    targets = one_hot(labels)
    began = time.perf_counter()

    s = np.linalg.svd(np.asarray(x, float) - x.mean(axis=0, dtype=float), compute_uv=False)
    layer = fit(x, targets)
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (test_labels, answers(layer, test_x)), 1)
    plain = {"wrong_train": wrong(layer, x, labels), "wrong_test": wrong(layer, test_x, test_labels)}
    say(f"no ridge: wrong {plain['wrong_train']} of {len(x)}, test {plain['wrong_test']} of {len(test_x)}")

    n = len(x) - held_out
    choice = [
        {"ridge": ridge, "wrong_held": wrong(fit(x[:n], targets[:n], ridge), x[n:], labels[n:])} for ridge in RIDGES
    ]
    best = min(choice, key=lambda entry: entry["wrong_held"])["ridge"]
    layer = fit(x, targets, best)
    chosen = {
        "ridge": best,
        "wrong_train": wrong(layer, x, labels),
        "wrong_test": wrong(layer, test_x, test_labels),
    }
    say(f"ridge {best:g}: wrong {chosen['wrong_train']} of {len(x)}, test {chosen['wrong_test']} of {len(test_x)}")

    few = []
    for size in sizes:
        for seed in seeds:
            drawn = np.random.default_rng(seed).choice(len(x), size, replace=False)
            inked = int(np.sum(np.any(x[drawn], axis=0)))
            for ridge in (0.0, FEW_RIDGE):
                layer = fit(x[drawn], targets[drawn], ridge)
                mistakes = wrong(layer, test_x, test_labels)
                few.append({"images": size, "inked": inked, "ridge": ridge, "seed": seed, "wrong_test": mistakes})
        say(f"{size} images: test {[entry['wrong_test'] for entry in few if entry['images'] == size]}")
    return {
        "singular": [float(f"{value:.4g}") for value in s],
        "rank": _kept(s, x.shape),
        "blank": int(np.sum(~np.any(x, axis=0))),
        "plain": {**plain, "confusion": confusion.tolist()},
        "choice": choice,
        "chosen": chosen,
        "few": few,
        "seconds": round(time.perf_counter() - began, 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the fits that the chapter shows, and write what came out to a file if one is named."""
    parser = argparse.ArgumentParser(prog="python -m recurrence.basics.linear", description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many draws of few images")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the result to this file")
    given = parser.parse_args(arguments)
    mnist = data.load("mnist")
    result = record(mnist.train, mnist.test, seeds=range(given.seeds))
    seeds = f" --seeds {given.seeds}" if given.seeds != len(SEEDS) else ""
    told = {
        "command": f"python -m recurrence.basics.linear{seeds} --record {RECORDED}",
        "config": {"data": "mnist", "held_out": HELD_OUT, "few_ridge": FEW_RIDGE, "seeds": given.seeds},
        **result,
        "versions": versions(),
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
    }
    if given.record is not None:
        # Whatever holds nothing but numbers and words is read more easily in one line.
        text = re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda inner: " ".join(inner[0].split()), json.dumps(told, indent=1))
        given.record.write_text(text + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    main()
