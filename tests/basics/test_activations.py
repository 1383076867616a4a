"""Hats and bumps against their bounds, signals in random layers against closed forms, integrals against known ones."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurrence import init, ops
from recurrence.basics import activations as ac
from recurrence.basics import network as nw
from recurrence.check import check_gradient

erf = np.vectorize(math.erf)


# A curve drawn by hand.


def test_hats_pass_through_the_points_and_are_straight_between():
    g, N = np.exp, 7
    points = np.linspace(-1, 2, N + 1)
    network = ac.hats(g, N, -1, 2)
    np.testing.assert_allclose(network(points[:, None])[:, 0], g(points), rtol=1e-12)
    x = np.linspace(-1, 2, 200)
    np.testing.assert_allclose(network(x[:, None])[:, 0], np.interp(x, points, g(points)), rtol=1e-12)
    assert network.layers[0].W.shape == (1, N)
    assert network.activation is ops.relu


@given(st.floats(0.5, 20), st.floats(0, 6), st.integers(1, 40), st.floats(-3, 3), st.floats(0.1, 5))
def test_hats_keep_their_bound(frequency, phase, N, low, length):
    def g(x):
        return np.sin(frequency * x + phase)

    x = np.linspace(low, low + length, 300)
    off = np.abs(ac.hats(g, N, low, low + length)(x[:, None])[:, 0] - g(x))
    assert off.max() <= frequency**2 * (length / N) ** 2 / 8 + 1e-9 * frequency * N


def test_the_bound_of_hats_is_reached_by_a_parabola():
    for N in (1, 4, 9):
        middles = (np.arange(N) + 0.5) / N
        off = ac.hats(np.square, N)(middles[:, None])[:, 0] - middles**2
        np.testing.assert_allclose(off, 1 / (4 * N**2), rtol=1e-10)


@given(st.floats(0.5, 20), st.floats(0, 6), st.integers(1, 40), st.floats(0.5, 300))
def test_bumps_keep_their_bound(frequency, phase, N, w):
    def g(x):
        return np.sin(frequency * np.clip(x, 0, 1) + phase)

    x = np.linspace(0, 1, 300)
    off = np.abs(ac.bumps(g, N, w)(x[:, None])[:, 0] - g(x))
    assert off.max() <= frequency * (0.5 / (N + 1) + 2 * math.log(2) / w) + 1e-12


def test_very_steep_bumps_are_the_staircase():
    x = np.linspace(-1, 2, 97)[:, None]
    steep, stairs = ac.bumps(np.cos, 6, 1e5, -1, 2), nw.staircase(np.cos, 6, -1, 2)
    np.testing.assert_allclose(steep(x), stairs(x), atol=1e-12)


@pytest.mark.parametrize(("neurons", "low", "high"), [(0, 0, 1), (3, 1, 1), (3, 2, 1)])
def test_hats_on_nothing_are_refused(neurons, low, high):
    with pytest.raises(ValueError, match=f"{neurons} neurons on"):
        ac.hats(np.sin, neurons, low, high)


# Slopes.


@pytest.mark.parametrize("f", [np.tanh, ops.sigmoid, ops.softplus, ops.silu, ops.gelu, ops.elu, ops.selu])
def test_the_slope_is_that_of_the_values(f):
    u = np.linspace(-4, 4, 50)
    h = 1e-5
    np.testing.assert_allclose(ac.slope(f, u), (f(u + h) - f(u - h)) / (2 * h), atol=1e-9)


# Random layers.


@pytest.mark.parametrize(
    ("activation", "weights", "factor"),
    [
        (nw.identity, lambda shape, rng: init.uniform(shape, shape[0] ** -0.5, rng), 1 / 3),
        (nw.identity, init.glorot, 1.0),
        (nw.identity, init.lecun, 1.0),
        (ops.relu, init.glorot, 1 / 2),
        (ops.relu, init.he, 1.0),
    ],
    ids=["habit", "glorot", "lecun", "glorot-relu", "he"],
)
def test_thirty_layers_change_the_power_by_the_closed_form(activation, weights, factor):
    found = ac.powers(activation, weights, np.random.default_rng(0), batch=20)
    assert len(found) == 31
    assert (found[30] / found[0]) ** (1 / 30) == pytest.approx(factor, rel=0.05)


def test_powers_begin_with_that_of_the_inputs():
    found = ac.powers(np.tanh, init.glorot, np.random.default_rng(0), depth=1, width=400, batch=100, size=3.0)
    assert found[0] == pytest.approx(9, rel=0.03)
    assert found[1] == pytest.approx(ac.gauss_mean(lambda z: np.tanh(3 * z) ** 2), rel=0.03)


@pytest.mark.parametrize("size", [0.1, 10.0])
def test_selu_returns_to_power_one(size):
    found = ac.powers(ops.selu, init.lecun, np.random.default_rng(1), depth=40, width=400, batch=50, size=size)
    assert found[0] == pytest.approx(size**2, rel=0.05)
    assert found[-1] == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("var_w", [1.2, 1.76095, 2.6])
def test_near_signals_part_by_chi(var_w):
    q = ac.settle(np.tanh, var_w, 0.05)
    found = ac.distances(np.tanh, var_w, 0.05, q, np.random.default_rng(0), depth=10, width=400)
    factor = (found[10] / found[0]) ** 0.1
    assert factor == pytest.approx(ac.chi(np.tanh, q, var_w), rel=0.04)


# Integrals.


def test_moments_of_a_normal_number():
    for k, moment in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15), (8, 105)):
        assert ac.gauss_mean(lambda z, k=k: z**k) == pytest.approx(moment, rel=1e-12, abs=1e-12)
    assert ac.gauss_mean(np.abs) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-12)
    assert ac.gauss_mean(lambda z: z > 0) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("q", [0.01, 1.0, 30.0])
def test_the_error_function_has_closed_forms(q):
    assert ac.next_q(erf, q, 1.7, 0.3) == pytest.approx(
        1.7 * 2 / math.pi * math.asin(2 * q / (1 + 2 * q)) + 0.3, rel=1e-12
    )
    slopes = ac.gauss_mean(lambda z: (2 / math.sqrt(math.pi) * np.exp(-q * z**2)) ** 2)
    assert slopes == pytest.approx(4 / math.pi / math.sqrt(1 + 4 * q), rel=1e-12)


@pytest.mark.parametrize("q", [0.01, 1.0, 100.0])
def test_relu_halves_at_every_power(q):
    assert ac.next_q(ops.relu, q, 2.0) == pytest.approx(q, rel=1e-12)
    assert ac.chi(ops.relu, q, 2.0) == pytest.approx(1, rel=1e-12)


def test_critical_weights():
    assert ac.critical(np.tanh)[0] == pytest.approx(1, abs=1e-12)
    assert ac.critical(ops.relu)[0] == pytest.approx(2, abs=1e-12)
    var_w, q = ac.critical(np.tanh, 0.05)
    assert round(var_w, 5) == 1.76095
    assert ac.next_q(np.tanh, q, var_w, 0.05) == pytest.approx(q, rel=1e-12)
    assert ac.chi(np.tanh, q, var_w) == pytest.approx(1, rel=1e-12)
    assert ac.settle(np.tanh, var_w, 0.05) == pytest.approx(q, rel=1e-9)


@given(st.floats(1e-3, 2.0))
def test_critical_weights_separate_order_from_chaos(var_b):
    var_w, _ = ac.critical(np.tanh, var_b)
    below, above = (ac.chi(np.tanh, ac.settle(np.tanh, v, var_b), v) for v in (0.98 * var_w, 1.02 * var_w))
    assert below < 1 < above


def test_relu_with_biases_is_never_critical():
    with pytest.raises(ValueError, match="no weights make this activation critical"):
        ac.critical(ops.relu, 0.05)


def test_the_depth_scale_is_the_time_constant_of_the_square():
    assert ac.depth_scale(math.exp(-1 / 6)) == pytest.approx(6)
    assert ac.depth_scale(math.exp(1 / 6)) == pytest.approx(6)
    assert ac.depth_scale(1.0) == math.inf


def test_selu_keeps_mean_and_variance_to_ten_digits():
    assert abs(ac.gauss_mean(ops.selu)) < 1e-10
    assert abs(ac.gauss_mean(lambda z: ops.selu(z) ** 2) - 1) < 1e-10
    scale, alpha = ac.selu_constants()
    assert scale == pytest.approx(ops.SELU_SCALE, abs=1e-10)
    assert alpha == pytest.approx(ops.SELU_ALPHA, abs=1e-10)
    root = math.erfc(1 / math.sqrt(2)) * math.exp(0.5)
    assert alpha == pytest.approx(math.sqrt(2 / math.pi) / (1 - root), rel=1e-12)


def test_a_network_of_hats_can_learn():
    network = ac.hats(np.sin, 5)
    x = np.linspace(0.03, 0.97, 20)[:, None]
    check_gradient(
        lambda network: nw.squared_error(network, x, np.cos(x)),
        network,
        rng=np.random.default_rng(0),
        step=1e-6,
        rtol=1e-6,
    )
