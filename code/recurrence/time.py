"""One protocol for everything that runs in time, and the three ways to run it.

A sequence ``xs`` has axes ``(..., T, D)``: any batch axes, then T steps, then D numbers a step.
A cell takes a state and one step of input, and returns the next state and one step of output.
"""

from typing import Any, Protocol, TypeVar

import numpy as np

from recurrence import tree
from recurrence.tree import Array

State = TypeVar("State")


class Cell(Protocol[State]):
    """What runs in time: a leaky integrator, a spiking neuron, an LSTM.

    A cell holds parameters and never a state: states are taken and returned. A state is an array
    ``(..., N)`` or a tree of such arrays. Beside the two methods below a cell may have a third,
    ``scan(state, xs) -> (state, ys)``: a faster route that must give what :func:`loop` gives.
    """

    def start(self, batch: tuple[int, ...] = ()) -> State:
        """Return the state before the first step, with ``batch`` as leading axes."""
        ...

    def step(self, state: State, x: Array) -> tuple[State, Array]:
        """Take a state and an input ``(..., D)``; return the next state and an output ``(..., N)``."""
        ...


def loop(cell: Cell[State], state: State, xs: Array) -> tuple[State, Array]:
    """Run a cell over a sequence, one step after another: the definition of running.

    ``state, ys[..., n, :] = cell.step(state, xs[..., n, :])`` for n = 0, 1, ..., T − 1.

    Parameters
    ----------
    cell
        What is run.
    state
        The state before the first step, usually ``cell.start(batch)``.
    xs
        Inputs of shape ``(..., T, D)``. With T = 0 the state comes back as it was.

    Returns
    -------
    state
        The state after the last step, ready for the continuation of the sequence.
    ys
        Outputs of shape ``(..., T, N)``.
    """
    ys = []
    for n in range(_steps(xs)):
        state, y = cell.step(state, xs[..., n, :])
        ys.append(y)
    if not ys:
        _, y = _rehearsal(cell, state, xs)
        return state, _none_of(y)
    return state, np.stack(ys, axis=-2)


def scan(cell: Cell[State], state: State, xs: Array) -> tuple[State, Array]:
    """Run a cell over a sequence by the cell's own fast route, or by :func:`loop` if it has none.

    Takes and returns what :func:`loop` does.
    """
    if not hasattr(cell, "scan"):
        return loop(cell, state, xs)
    _steps(xs)
    ended: tuple[State, Array] = cell.scan(state, xs)
    return ended


def trace(cell: Cell[State], state: State, xs: Array) -> tuple[State, Array]:
    """Run a cell as :func:`loop` does and keep every state, for figures.

    Returns
    -------
    states
        The tree of states with a time axis second to last: ``states[..., n, :]`` is the state after
        step n, the one that came with ``ys[..., n, :]``.
    ys
        Outputs of shape ``(..., T, N)``.
    """
    states, ys = [], []
    for n in range(_steps(xs)):
        state, y = cell.step(state, xs[..., n, :])
        states.append(state)
        ys.append(y)
    if not ys:
        state, y = _rehearsal(cell, state, xs)
        return tree.map(_none_of, state, every=True), _none_of(y)
    stacked = tree.map(lambda *after: np.stack(after, axis=-2), *states, every=True)
    return stacked, np.stack(ys, axis=-2)


def _steps(xs: Array) -> int:
    if np.ndim(xs) < 2:
        raise ValueError(
            f"A sequence needs the axes (..., T, D), but this one has shape {np.shape(xs)}; "
            "write xs[:, None] for T single numbers."
        )
    steps: int = xs.shape[-2]
    return steps


def _rehearsal(cell: Cell[State], state: State, xs: Array) -> tuple[State, Array]:
    """Step once over zeros: the only way to learn the shapes that a sequence without steps has."""
    return cell.step(state, np.zeros(xs.shape[:-2] + xs.shape[-1:], xs.dtype))


def _none_of(one: Any) -> Array:
    return np.stack([one], axis=-2)[..., :0, :]
