"""Loop, scan and trace: one meaning for every cell, any batch, any length."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

from recurrence.check import check_gradient
from recurrence.tape import grad, value_and_grad
from recurrence.time import loop, scan, trace


class Pair(NamedTuple):
    total: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class Adder:
    """Adds its inputs up, counts the steps, and puts out total and count side by side."""

    width: int = 2

    def start(self, batch=()):
        return Pair(np.zeros((*batch, self.width), np.float32), np.zeros((*batch, 1), np.int64))

    def step(self, state, x):
        state = Pair(state.total + x, state.count + 1)
        return state, np.concatenate([state.total, state.count], axis=-1)


@dataclass(frozen=True)
class FastAdder(Adder):
    def scan(self, state, xs):
        return "fast", xs


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
@pytest.mark.parametrize("run", [loop, scan, trace])
def test_outputs_have_time_second_to_last(run, batch):
    xs = np.arange(np.prod([*batch, 5, 2]), dtype=float).reshape(*batch, 5, 2)
    _, ys = run(Adder(), Adder().start(batch), xs)
    assert ys.shape == (*batch, 5, 3)
    np.testing.assert_array_equal(ys[..., :2], np.cumsum(xs, axis=-2))
    np.testing.assert_array_equal(ys[..., 2], np.broadcast_to(np.arange(1, 6), (*batch, 5)))


def test_the_last_state_continues_the_sequence():
    xs = np.arange(12.0).reshape(6, 2)
    middle, first = loop(Adder(), Adder().start(), xs[:4])
    end, second = loop(Adder(), middle, xs[4:])
    whole, ys = loop(Adder(), Adder().start(), xs)
    np.testing.assert_array_equal(np.concatenate([first, second]), ys)
    np.testing.assert_array_equal(end.total, whole.total)
    assert end.count == whole.count == 6


@pytest.mark.parametrize("batch", [(), (3,)])
def test_trace_stacks_every_array_of_the_state(batch):
    xs = np.ones((*batch, 5, 2), np.float32)
    states, _ = trace(Adder(), Adder().start(batch), xs)
    assert isinstance(states, Pair)
    assert states.total.shape == (*batch, 5, 2) and states.total.dtype == np.float32
    assert states.count.shape == (*batch, 5, 1) and states.count.dtype == np.int64
    np.testing.assert_array_equal(states.count[..., 0], np.broadcast_to(np.arange(1, 6), (*batch, 5)))


@pytest.mark.parametrize("batch", [(), (3,)])
def test_no_steps_leave_the_state_and_give_no_outputs(batch):
    xs, start = np.zeros((*batch, 0, 2), np.float32), Adder().start(batch)
    for run in (loop, scan):
        state, ys = run(Adder(), start, xs)
        assert state is start and ys.shape == (*batch, 0, 3)
    states, ys = trace(Adder(), start, xs)
    assert ys.shape == (*batch, 0, 3)
    assert states.total.shape == (*batch, 0, 2) and states.total.dtype == np.float32
    assert states.count.shape == (*batch, 0, 1) and states.count.dtype == np.int64


def test_scan_takes_the_fast_route_of_the_cell_and_loop_does_not():
    xs = np.ones((4, 2))
    assert scan(FastAdder(), FastAdder().start(), xs) == ("fast", xs)
    assert loop(FastAdder(), FastAdder().start(), xs)[1].shape == (4, 3)


def test_the_input_decides_the_precision():
    for kind in (np.float32, np.float64):
        state, _ = loop(Adder(), Adder().start(), np.ones((3, 2), kind))
        assert state.total.dtype == kind


@dataclass(frozen=True)
class Mixer:
    """A small recurrent cell with a tree as state, to be differentiated."""

    W: np.ndarray
    b: np.ndarray

    def start(self, batch=()):
        return Pair(np.zeros((*batch, self.W.shape[0]), self.W.dtype), np.zeros((*batch, 1), self.b.dtype))

    def step(self, state, x):
        h = np.tanh(x + state.total @ self.W + self.b)
        state = Pair(h, state.count + np.sum(h, axis=-1, keepdims=True))
        return state, h * state.count


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("run", [loop, scan, trace])
def test_running_can_be_differentiated(run, batch):
    rng = np.random.default_rng(0)
    model = Mixer(rng.standard_normal((3, 3)) / 2, rng.standard_normal(3)), rng.standard_normal((*batch, 4, 3))

    def total(model):
        cell, xs = model
        state, ys = run(cell, cell.start(batch), xs)
        return np.sum(ys**2) + np.sum(state.total) + np.sum(state.count**2)

    check_gradient(total, model, rng=rng)
    check_gradient(lambda m: np.sum(grad(total)(m)[1] ** 2), model, rng=rng, directions=1, rtol=1e-6)


def test_the_start_can_be_differentiated_too():
    rng = np.random.default_rng(1)
    cell, xs = Mixer(rng.standard_normal((3, 3)) / 2, rng.standard_normal(3)), rng.standard_normal((4, 3))
    start = Pair(rng.standard_normal(3), rng.standard_normal(1))
    for run in (loop, trace):
        check_gradient(lambda start, run=run: np.sum(run(cell, start, xs)[1] ** 2), start, rng=rng)


@pytest.mark.parametrize("run", [loop, trace])
def test_no_steps_can_be_differentiated(run):
    model = Mixer(np.eye(3), np.ones(3)), np.zeros((0, 3))

    def total(model):
        cell, xs = model
        state, ys = run(cell, cell.start(), xs)
        return np.sum(ys) + np.sum(state.total)

    value, (cell, xs) = value_and_grad(total)(model)
    assert value == 0 and not cell.W.any() and xs.shape == (0, 3)


@pytest.mark.parametrize("run", [loop, scan, trace])
@pytest.mark.parametrize("cell", [Adder(), FastAdder()])
def test_a_sequence_without_a_channel_axis_is_refused(run, cell):
    with pytest.raises(ValueError, match=r"\(\.\.\., T, D\), but this one has shape \(5,\); write xs\[:, None\]"):
        run(cell, cell.start(), np.ones(5))
