"""Gradient checking: hold the gradient that the tape gives against differences of the function's values."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from recurrence import tree
from recurrence.tape import grad


def check_gradient(
    f: Callable[..., Any], model: Any, *, rng: Generator, directions: int = 3, rtol: float = 1e-7, step: float = 2e-4
) -> None:
    """Compare the slope of f along random directions v with what its gradient says it is, leaf by leaf, in float64.

    ⟨∇f, v⟩ ≈ (8 (f(x + hv) − f(x − hv)) − (f(x + 2hv) − f(x − 2hv))) / 12h, up to terms in h⁴

    Parameters
    ----------
    f
        Takes the model, returns a real scalar. It must be smooth near the model and the same at each call.
    model
        A tree; its leaves are converted to float64 (or complex128) first.
    rng
        Draws the directions, ``directions`` of them for each leaf.
    rtol, step
        How far the slopes may differ, relative to the terms ∂f/∂x v that they sum up; and h. A kink near the
        model asks for a smaller one.

    Raises
    ------
    AssertionError
        If the slopes differ; the message names the leaf and gives both.
    """
    model = tree.map(lambda x: x.astype(complex if np.iscomplexobj(x) else float), model)
    places = tree.describe(model).splitlines()
    leaves, grads = tree.leaves(model), tree.leaves(grad(f)(model))
    for k, (x, dx) in enumerate(zip(leaves, grads, strict=True)):
        for _ in range(directions):
            v = rng.standard_normal(x.shape) + (1j * rng.standard_normal(x.shape) if np.iscomplexobj(x) else 0)
            values = np.array([f(_moved(model, k, h * step * v)) for h in (-2, -1, 1, 2)])
            slope = values @ [1, -8, 8, -1] / (12 * step)
            terms = np.real(np.conj(dx) * v)
            rounding = 64 * np.finfo(float).eps * np.max(np.abs(values)) / step
            # Not the other way round: what is not a number must fail.
            if not abs(np.sum(terms) - slope) <= rtol * max(abs(slope), np.sum(np.abs(terms))) + rounding:
                raise AssertionError(
                    f"The gradient of {' '.join(places[k].split())} is off: along a random direction it says "
                    f"{np.sum(terms):.10g}, but the function changes by {slope:.10g}."
                )


def _moved(model: Any, k: int, by: Any) -> Any:
    count = itertools.count()
    return tree.map(lambda x: x + by if next(count) == k else x, model)
