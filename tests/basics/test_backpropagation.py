"""Differences, complex steps and dual numbers against the tape; the deep linear network against its formula."""

import itertools
import json
import shlex
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurrence import ops, tree
from recurrence.basics import backpropagation as bp
from recurrence.basics import network as nw
from recurrence.basics.network import Network
from recurrence.tape import value_and_grad

sizes = st.lists(st.integers(1, 4), min_size=2, max_size=4)
seeds = st.integers(0, 2**32 - 1)


def flat(model):
    return np.concatenate([leaf.ravel() for leaf in tree.leaves(model)])


def example(sizes, seed, activation=ops.sigmoid):
    rng = np.random.default_rng(seed)
    network = Network.init(sizes, rng, dtype=float)
    x, targets = rng.standard_normal((5, sizes[0])), rng.standard_normal((5, sizes[-1]))
    return Network(network.layers, activation, nw.identity), x, targets


# Differences and the complex step.


@pytest.mark.parametrize(("order", "C", "derivative"), [(1, 1 / 2, 2), (2, 1 / 6, 3), (4, -1 / 30, 5)])
def test_a_difference_is_off_by_its_leading_term(order, C, derivative):
    # All derivatives of e^(2x) at 0 are powers of 2.
    error = bp.difference(lambda e: np.exp(2 * e), 1e-2, order) - 2
    assert error == pytest.approx(C * 2**derivative * 1e-2**order, rel=0.02)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_difference_is_exact_for_polynomials_up_to_its_order(order):
    def polynomial(e):
        return 3 + sum((k + 1) * e**k for k in range(1, order + 1))

    assert bp.difference(polynomial, 0.5, order) == pytest.approx(2, rel=1e-13)


def test_there_is_no_other_order():
    with pytest.raises(ValueError, match="but not of order 3"):
        bp.difference(np.sin, 1e-3, 3)


def test_the_complex_step_is_off_by_its_leading_term_and_then_by_nothing():
    assert bp.complex_step(np.exp, 1e-3) - 1 == pytest.approx(-1e-6 / 6, rel=1e-5)
    for delta in (1e-8, 1e-30, 1e-200):
        assert bp.complex_step(lambda e: np.tanh(0.3 + e), delta) == pytest.approx(1 - np.tanh(0.3) ** 2, rel=1e-15)


@settings(max_examples=20)
@given(sizes, seeds)
def test_the_complex_step_is_the_gradient(sizes, seed):
    network, x, targets = example(sizes, seed, np.tanh)
    _, slopes = value_and_grad(nw.squared_error)(network, x, targets)
    for v, slope in zip(bp.directions(network), flat(slopes), strict=True):
        found = bp.complex_step(
            lambda e, v=v: nw.squared_error(tree.map(lambda w, dw: w + e * dw, network, v), x, targets)
        )
        assert found == pytest.approx(slope, rel=1e-12, abs=1e-14)


# Forward mode.


@pytest.mark.parametrize("activation", [ops.sigmoid, np.tanh, ops.softplus, ops.relu])
@settings(max_examples=10)
@given(sizes=st.lists(st.integers(1, 4), min_size=3, max_size=4), seed=seeds)
def test_forward_mode_is_the_gradient_along_a_direction(activation, sizes, seed):
    network, x, targets = example(sizes, seed, activation)
    rng = np.random.default_rng(seed)
    v = tree.map(lambda w: rng.standard_normal(w.shape), network)
    loss, slopes = value_and_grad(nw.squared_error)(network, x, targets)
    value, slope = bp.forward(nw.squared_error, network, v, x, targets)
    assert value == loss
    scale = np.abs(flat(slopes) * flat(v)).sum()
    assert slope == pytest.approx(flat(slopes) @ flat(v), abs=1e-13 * scale)


@pytest.mark.parametrize(
    "f",
    [
        lambda z: np.sum(np.exp(z) * np.log(z) - z / (1 + z)),
        lambda z: np.mean(2.0 - z @ z) + np.sum(np.array([1.0, 2.0]) @ z),
        lambda z: np.sum(np.maximum(z, 0.7) ** 3 - (-z) ** 2),
        lambda z: np.sum(np.cumsum(z) * np.reshape(z, (4,))),
        lambda z: np.sum(np.transpose(z) * z + np.arctan2(z, 2.0)),
        lambda z: np.sum(z + np.sum(z, axis=0, keepdims=True) * 2**z),
    ],
)
def test_every_kind_of_rule_is_the_slope(f):
    z, v = np.array([[0.3, 0.9], [1.2, 0.5]]), np.array([[1.0, -2.0], [0.5, 0.3]])
    _, dz = value_and_grad(f)(z)
    value, slope = bp.forward(f, z, v)
    assert value == pytest.approx(f(z), rel=1e-14)
    assert slope == pytest.approx(np.sum(dz * v), rel=1e-12)


def test_a_slope_has_the_shape_of_its_value():
    y = np.ones((3, 2)) + bp.Dual(np.zeros(2), np.array([1.0, 2.0]))
    assert isinstance(y, bp.Dual) and y.value.shape == y.slope.shape == (3, 2)
    np.testing.assert_array_equal(y.slope, [[1, 2]] * 3)


@pytest.mark.parametrize(
    "f", [np.sort, np.add.reduce, lambda z: np.add(z, 1.0, out=np.zeros(2)), lambda z: np.sum([1.0, 2.0], where=z)]
)
def test_what_has_no_rule_is_refused(f):
    with pytest.raises(TypeError, match="Dual numbers have no rule for numpy"):
        bp.forward(f, np.ones(2), np.ones(2))


def test_a_constant_has_no_slope():
    with pytest.raises(TypeError, match="not computed from the model"):
        bp.forward(lambda z: 3.0, np.ones(2), np.ones(2))


@settings(max_examples=20)
@given(sizes, seeds)
def test_one_parameter_at_a_time_gives_the_gradient(sizes, seed):
    network, x, targets = example(sizes, seed)
    _, slopes = value_and_grad(nw.squared_error)(network, x, targets)
    np.testing.assert_allclose(bp.by_forward_mode(network, x, targets), flat(slopes), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(bp.by_differences(network, x, targets), flat(slopes), rtol=1e-5, atol=1e-7)


@given(sizes)
def test_each_direction_moves_one_parameter(sizes):
    network = Network.init(sizes, np.random.default_rng(0))
    moved = np.array([flat(v) for v in bp.directions(network)])
    np.testing.assert_array_equal(moved, np.eye(tree.size(network)))


# The deep linear network.


@given(st.floats(0.1, 10), st.floats(1e-6, 0.9), st.floats(0, 5))
def test_the_curve_solves_its_equation(S, share, t):
    s0 = S * share
    s = bp.learning_curve(t, S, s0)
    slope = bp.complex_step(lambda e: bp.learning_curve(t + e, S, s0))
    assert slope == pytest.approx(2 * s * (S - s), rel=1e-9, abs=1e-12)
    assert bp.learning_curve(0.0, S, s0) == pytest.approx(s0, rel=1e-12)
    assert bp.learning_curve(1e4, S, s0) == S


@given(st.floats(0.1, 10), st.floats(1e-6, 0.9))
def test_half_is_learnt_at_the_half_time(S, share):
    assert bp.learning_curve(bp.half_time(S, S * share), S, S * share) == pytest.approx(S / 2, rel=1e-9)


def test_the_published_example():
    steps = np.arange(6001)
    off = np.abs(bp.descend(3, 1e-3, 1e-3, 6000) - bp.learning_curve(1e-3 * steps, 3, 1e-3))
    assert off.max() == pytest.approx(0.0067, abs=5e-5)
    assert bp.half_time(3, 1e-3) / 1e-3 == pytest.approx(1334.3, abs=0.05)


def test_the_distance_goes_to_zero_with_the_rate():
    off = []
    for lr in (4e-3, 2e-3, 1e-3, 5e-4):
        steps = round(6 / lr)
        curve = bp.learning_curve(lr * np.arange(steps + 1), 3, 1e-3)
        off.append(np.abs(bp.descend(3, 1e-3, lr, steps) - curve).max())
    np.testing.assert_allclose([b / a for a, b in itertools.pairwise(off)], 0.5, rtol=2e-3)


def test_descent_is_that_of_a_network_of_two_layers():
    lr, S, s0 = 0.05, 1.5, 0.2
    layers = np.full(2, np.sqrt(s0))
    found = [s0]
    for _ in range(50):
        layers = layers - lr * value_and_grad(lambda ab: 0.5 * (S - ab[0] * ab[1]) ** 2)(layers)[1]
        found.append(layers[0] * layers[1])
    np.testing.assert_allclose(bp.descend(S, s0, lr, 50), found, rtol=1e-12)


def test_many_directions_are_learnt_at_once():
    S, s0 = np.array([[3.0, 2.0]]), np.array([[1e-3], [1e-2]])
    both = bp.descend(S, s0, 1e-2, 20)
    assert both.shape == (21, 2, 2)
    np.testing.assert_array_equal(both[:, 1, 0], bp.descend(3.0, 1e-2, 1e-2, 20))


# The recorded times.


def test_the_record_of_a_small_run_tells_what_it_says(tmp_path, monkeypatch):
    said = []
    result = bp.record((1, 2), repeats=1, say=said.append)
    assert json.loads(json.dumps(result)) == result
    assert [(row["hidden"], row["parameters"]) for row in result["rows"]] == [(1, 85), (2, 160)]
    assert len(said) == 2
    for row in result["rows"]:
        assert 0 < row["loss"] < row["forward"]

    monkeypatch.setattr(bp, "record", lambda: result)
    bp.main(["--record", str(tmp_path / bp.RECORDED)])
    told = json.loads((tmp_path / bp.RECORDED).read_text("utf-8"))
    assert told["rows"] == result["rows"]
    assert shlex.split(told["command"]) == ["python", "-m", bp.__name__, "--record", bp.RECORDED]


def test_the_recorded_times_say_what_the_chapter_says():
    folder = resources.files("recurrence.basics") / "results"
    told = json.loads((folder / bp.RECORDED).read_text("utf-8"))
    assert [row["hidden"] for row in told["rows"]] == list(bp.HIDDEN)
    for row in told["rows"]:
        assert row["parameters"] == 65 * row["hidden"] + 10 * (row["hidden"] + 1)
        assert row["loss"] < row["written"] < row["tape"] < min(row["forward"], row["differences"]) / 50
    first, last = told["rows"][0], told["rows"][-1]
    # As many runs as parameters, so that the time grows at least in their proportion; the sweep's does not.
    grown = last["parameters"] / first["parameters"]
    for way in ("forward", "differences"):
        assert last[way] / first[way] > grown / 2
    assert last["tape"] / first["tape"] < grown / 3
