"""Slopes without a tape, by differences, a complex step and dual numbers; and how a deep linear network learns.

Symbols, as in the chapter *Backpropagation*:

===================  ===============================================================================
``delta``            δ, the step of a difference
``slope``            ẏ = dy/de for everything that is computed, when the model moves as θ + e v
``v``                the direction in which the model moves, a tree like it
``strength``, ``s``  S and s, how much of a direction the targets have and the network gives
``start``            s₀, what the network gives before it learns
``lr``, ``t``        η, the learning rate, and the time ηn after n steps
===================  ===============================================================================

``python -m recurrence.basics.backpropagation`` takes the time of one gradient, found in four ways; with ``--record
FILE`` it writes what the chapter shows.
"""

import argparse
import json
import operator
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from recurrence import gradients, ops, tree
from recurrence.basics import network as nw
from recurrence.basics.network import Network
from recurrence.tape import value_and_grad
from recurrence.train import versions
from recurrence.tree import Array

# Slopes of a function of one number, from its values.

COEFFICIENTS: dict[int, dict[int, float]] = {
    1: {0: -1, 1: 1},
    2: {-1: -1 / 2, 1: 1 / 2},
    4: {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12},
}
"""By order of accuracy: at how many steps from 0 a difference asks for a value, and what it multiplies it by."""


def difference(f: Callable[[float], Any], delta: float, order: int = 2) -> Any:
    """Estimate the slope f′(0) from values of f near 0.

    | order 1: (f(δ) − f(0)) / δ, off by about δ/2 f″
    | order 2: (f(δ) − f(−δ)) / 2δ, off by about δ²/6 f‴
    | order 4: (8 (f(δ) − f(−δ)) − (f(2δ) − f(−2δ))) / 12δ, off by about δ⁴/30 f⁽⁵⁾

    and each by rounding: about ε f / δ, where ε is the precision of the numbers.

    Parameters
    ----------
    f
        A function of one number.
    delta
        δ, how far to move.
    order
        1, 2 or 4.

    Raises
    ------
    ValueError
        If there is no difference of this order here.
    """
    if order not in COEFFICIENTS:
        raise ValueError(f"There is a difference of order 1, 2 or 4, but not of order {order}.")
    return sum(c * f(k * delta) for k, c in COEFFICIENTS[order].items()) / delta


def complex_step(f: Callable[[complex], Any], delta: float = 1e-30) -> Any:
    """Find the slope f′(0) from one value of f beside the real line, where nothing has to be subtracted.

    f′(0) = Im f(iδ) / δ, off by about δ²/6 f‴

    Parameters
    ----------
    f
        A function of one number, made of what also works on complex numbers and is smooth there: not of absolute
        values, comparisons or maxima.
    delta
        δ, as small as one likes.

    References
    ----------
    Squire and Trapp, *Using complex variables to estimate derivatives of real functions*, 1998.
    """
    return np.imag(f(1j * delta)) / delta


# Forward mode.

ALONE: set[Any] = {
    *(f for f in gradients.GRADIENTS if isinstance(f, np.ufunc) and f.signature is None),
    *(operator.pow, ops.sigmoid, ops.relu, ops.softplus),
}
"""Functions that treat each number by itself. Their rule in the table serves in both directions."""

LINEAR: set[Any] = {np.sum, np.mean, np.reshape, np.transpose, np.cumsum}
"""Linear functions of one array: they do to the slope what they do to the value."""


@dataclass(frozen=True, eq=False)
class Dual(NDArrayOperatorsMixin):
    """A value and its slope, y + ẏ e, which NumPy computes with as with an array.

    What is computed from x has the slope ẏ = Σ ∂y/∂x ẋ, and it is found at once, together with the value.

    Parameters
    ----------
    value, slope
        y and ẏ, of one shape.
    """

    value: Any
    slope: Any

    def __array_ufunc__(self, function: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            raise TypeError(f"Dual numbers have no rule for {gradients.name(function)}.{method}.")
        return push(function, args, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return push(function, args, kwargs)


def push(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Dual:
    """Call a function on the values of its arguments, and pass their slopes on to the result."""
    values = [x.value if type(x) is Dual else x for x in args]
    slopes = [x.slope if type(x) is Dual else None for x in args]
    y = function(*values, **kwargs)
    if function in ALONE and not kwargs:
        rules: Any = gradients.GRADIENTS[function]
        shares = [rule(dx, y, *values) for rule, dx in zip(rules, slopes, strict=True) if dx is not None]
    elif function is np.matmul and not kwargs:
        shares = [dx @ values[1] for dx in slopes[:1] if dx is not None]
        shares += [values[0] @ dx for dx in slopes[1:] if dx is not None]
    elif function in LINEAR and slopes[0] is not None:
        shares = [function(slopes[0], *values[1:], **kwargs)]
    else:
        raise TypeError(f"Dual numbers have no rule for {gradients.name(function)}, called like this.")
    return Dual(y, np.broadcast_to(sum(shares), np.shape(y)))


def forward(f: Callable[..., Any], model: Any, v: Any, *args: Any) -> tuple[Any, Any]:
    """Find the value of f and its slope along one direction, ⟨∇f, v⟩, in one run and without a tape.

    Parameters
    ----------
    f
        Called as ``f(model, *args)``; made of the functions in ``ALONE`` and ``LINEAR`` and of matrix products.
    model, v
        A tree of arrays, and the direction, a tree like it.

    Raises
    ------
    TypeError
        If f calls a function that has no rule here, or does not depend on the model.
    """
    y = f(tree.map(Dual, model, v), *args)
    if type(y) is not Dual:
        raise TypeError("The function has no slope: what it returns was not computed from the model.")
    return y.value, y.slope


# The learning curve of a deep linear network.


def learning_curve(t: Any, strength: Any, start: Any) -> Any:
    """How much of a direction a linear network of two layers gives after learning for a time t.

    s(t) = S e^(2St) / (e^(2St) − 1 + S/s₀), the solution of ds/dt = 2 s (S − s)

    Parameters
    ----------
    t
        Time: the learning rate times the number of steps.
    strength
        S > 0, how much the targets have of the direction.
    start
        s₀ from 0 to S, both excluded.

    References
    ----------
    Saxe, McClelland and Ganguli, *Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks*, 2014.
    """
    # Divided by the growing exponential, so that nothing overflows.
    decayed = np.exp(-2 * np.multiply(strength, t))
    return strength / (1 + (np.divide(strength, start) - 1) * decayed)


def half_time(strength: Any, start: Any) -> Any:
    """When the curve of :func:`learning_curve` is halfway up: ln(S/s₀ − 1) / 2S."""
    return np.log(np.divide(strength, start) - 1) / (2 * np.asarray(strength))


def descend(strength: Any, start: Any, lr: float, steps: int) -> Array:
    """Learn one direction by gradient descent, with one weight in each of two layers, equal at the start.

    | a ← a + η b (S − a b)
    | b ← b + η a (S − a b)

    Parameters
    ----------
    strength, start
        S and s₀ = a b, numbers or arrays ``(...)``.
    lr
        The learning rate.
    steps
        How many steps.

    Returns
    -------
    ndarray
        s = a b after 0, 1, …, ``steps`` steps, ``(steps + 1, ...)``.
    """
    strength, start = np.broadcast_arrays(np.asarray(strength, float), start)
    a = b = np.sqrt(start)
    s = np.empty((steps + 1, *a.shape))
    s[0] = a * b
    for n in range(1, steps + 1):
        pull = lr * (strength - s[n - 1])
        a, b = a + b * pull, b + a * pull
        s[n] = a * b
    return s


# What a gradient costs.

HIDDEN = (2, 4, 8, 16, 32, 64)
"""Numbers of hidden neurons for which the time is taken."""

BATCH = 100
"""How many examples the loss is taken over."""

RECORDED = "gradient_cost.json"
"""The file in ``results`` beside this module that holds the recorded times."""


def directions(model: Any) -> Any:
    """Yield for each parameter of a model the direction in which it moves alone, as a tree like the model."""
    n = tree.size(model)
    shapes = [leaf.shape for leaf in tree.leaves(model)]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    for k in range(n):
        unit = np.zeros(n)
        unit[k] = 1
        parts = iter([part.reshape(shape) for part, shape in zip(np.split(unit, ends), shapes, strict=True)])
        yield tree.map(lambda _, parts=parts: next(parts), model)


def by_forward_mode(network: Network, x: Array, targets: Array) -> Array:
    """Find the gradient of the loss one parameter at a time, each by one run with dual numbers."""
    return np.array([forward(nw.squared_error, network, v, x, targets)[1] for v in directions(network)])


def by_differences(network: Network, x: Array, targets: Array, delta: float = 6e-6) -> Array:
    """Find the gradient of the loss one parameter at a time, each by two runs."""

    def along(v: Network) -> Any:
        return difference(lambda e: nw.squared_error(tree.map(lambda w, dw: w + e * dw, network, v), x, targets), delta)

    return np.array([along(v) for v in directions(network)])


def record(hidden: Sequence[int] = HIDDEN, *, repeats: int = 5, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Take the time of one gradient of :func:`recurrence.basics.network.squared_error`, found in four ways.

    Parameters
    ----------
    hidden
        Numbers of hidden neurons, between 64 inputs and 10 outputs; one network for each.
    repeats
        How often each time is taken; the shortest counts, for other work on a machine only ever adds.
    say
        Called with a line about each network.

    Returns
    -------
    dict
        Plain values, ready for JSON: in ``rows`` for each network ``hidden``, ``parameters``, and in milliseconds
        ``loss``, the time of its value alone; ``tape``, ``written``, ``forward`` and ``differences``, of its gradient.
    """
    ways: dict[str, Callable[..., Any]] = {
        "loss": nw.squared_error,
        "tape": value_and_grad(nw.squared_error),
        "written": nw.gradient,
        "forward": by_forward_mode,
        "differences": by_differences,
    }
    rng = np.random.default_rng(0)
    x, targets = rng.uniform(size=(BATCH, 64)), rng.uniform(size=(BATCH, 10))
    rows = []
    for N in hidden:
        network = Network.init((64, N, 10), rng, dtype=float)
        row: dict[str, Any] = {"hidden": N, "parameters": tree.size(network)}
        for name, way in ways.items():
            quick = name in ("loss", "tape", "written")
            # One quick call is too short for the clock, and a few of them for the other work to pause.
            calls, times = (20, 20 * repeats) if quick else (1, repeats)
            shortest = float("inf")
            for _ in range(times):
                began = time.perf_counter()
                for _ in range(calls):
                    way(network, x, targets)
                shortest = min(shortest, (time.perf_counter() - began) / calls)
            row[name] = float(f"{1000 * shortest:.3g}")
        say(f"{N} hidden: " + ", ".join(f"{name} {row[name]} ms" for name in ways))
        rows.append(row)
    return {"rows": rows}


def main(arguments: Sequence[str] | None = None) -> None:
    """Take the times that the chapter shows, and write them to a file if one is named."""
    parser = argparse.ArgumentParser(prog="python -m recurrence.basics.backpropagation", description=main.__doc__)
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the result to this file")
    given = parser.parse_args(arguments)
    told = {
        "command": f"python -m recurrence.basics.backpropagation --record {RECORDED}",
        **record(),
        "versions": versions(),
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
    }
    if given.record is not None:
        given.record.write_text(json.dumps(told, indent=1) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    main()
