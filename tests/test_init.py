"""Random weights: their variances against closed forms, orthogonality to rounding, and one seed for one model."""

import math

import numpy as np
import pytest

from recurrence import init

LAWS = [
    (init.glorot, lambda n_in, n_out: 2 / (n_in + n_out), 9 / 5),
    (init.he, lambda n_in, n_out: 2 / n_in, 3),
    (init.lecun, lambda n_in, n_out: 1 / n_in, 3),
]
"""Each with its variance and its kurtosis: 9/5 for a uniform distribution, 3 for a normal one."""


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (5, 5, 30, 60)])
@pytest.mark.parametrize(("law", "variance", "kurtosis"), LAWS)
def test_mean_and_variance_are_the_closed_form(law, variance, kurtosis, shape):
    window = math.prod(shape[:-2])
    expected = variance(window * shape[-2], window * shape[-1])
    W = law(shape, np.random.default_rng(0), np.float64)
    # The mean of n draws has the standard error σ/√n, their mean square σ² √((kurtosis − 1)/n). Four of them.
    assert W.shape == shape
    assert abs(W.mean()) < 4 * math.sqrt(expected / W.size)
    assert abs((W**2).mean() / expected - 1) < 4 * math.sqrt((kurtosis - 1) / W.size)
    assert (W**4).mean() / expected**2 == pytest.approx(kurtosis, rel=0.1)


def test_glorot_fills_its_interval_and_keeps_to_it():
    W = init.glorot((300, 200), np.random.default_rng(0), np.float64)
    bound = math.sqrt(6 / 500)
    assert 0.999 * bound < np.abs(W).max() <= bound


def test_uniform_has_a_third_of_the_squared_bound_as_variance():
    W = init.uniform((60000,), 3.0, np.random.default_rng(0), np.float64)
    assert W.var() == pytest.approx(3.0, rel=4 * math.sqrt((9 / 5 - 1) / W.size))


def test_he_keeps_the_power_of_a_deep_relu_network_where_glorot_halves_it_at_each_layer():
    rng, depth, width = np.random.default_rng(1), 30, 400
    x = rng.standard_normal((width, 50))
    for law, per_layer in ((init.he, 1.0), (init.glorot, 0.5)):
        y = x.T
        for _ in range(depth):
            y = np.maximum(y @ law((width, width), rng, np.float64), 0)
        # A layer's power wanders by about √(5/width) around its expectation, so the logarithm of 30 by 0.6.
        expected = depth * math.log(per_layer)
        assert math.log((y**2).mean()) == pytest.approx(expected, abs=4 * math.sqrt(5 * depth / width))


@pytest.mark.parametrize("shape", [(64, 64), (100, 30), (30, 100), (1, 1), (1, 7), (7, 1)])
@pytest.mark.parametrize("gain", [1.0, 0.9])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_orthogonal_to_rounding(shape, gain, kind):
    W = init.orthogonal(shape, np.random.default_rng(2), kind, gain=gain)
    assert W.shape == shape and W.dtype == kind and W.flags.c_contiguous
    few = W.astype(float) if shape[0] <= shape[1] else W.T.astype(float)
    # An entry of the product sums the rounding errors of rows of length 1, and LAPACK's own.
    np.testing.assert_allclose(few @ few.T, gain**2 * np.eye(min(shape)), rtol=0, atol=8 * np.finfo(kind).eps)


def test_every_turn_is_equally_likely():
    # For a uniformly distributed orthogonal matrix E tr Q = 0 and E (tr Q)² = 1; E (tr Q)⁴ = 3, as for a normal.
    # Without the signs of R's diagonal, LAPACK's Q has a negative trace.
    rng, n = np.random.default_rng(3), 3000
    traces = np.array([np.trace(init.orthogonal((5, 5), rng, np.float64)) for _ in range(n)])
    assert abs(traces.mean()) < 4 / math.sqrt(n)
    assert (traces**2).mean() == pytest.approx(1, abs=4 * math.sqrt(2 / n))


def test_products_of_orthogonal_matrices_keep_every_length():
    rng = np.random.default_rng(4)
    x = rng.standard_normal(20)
    length = np.linalg.norm(x)
    for _ in range(50):
        x = x @ init.orthogonal((20, 20), rng, np.float64, gain=1.1)
    assert np.linalg.norm(x) / length == pytest.approx(1.1**50, rel=1e-12)
    assert pytest.approx(117.391, abs=5e-4) == 1.1**50


@pytest.mark.parametrize("law", [init.glorot, init.he, init.lecun, init.orthogonal])
def test_one_seed_is_one_model_in_every_precision(law):
    once, again = (law((6, 4), np.random.default_rng(5), np.float64) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    single = law((6, 4), np.random.default_rng(5))
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, once.astype(np.float32))
    assert not np.array_equal(once, law((6, 4), np.random.default_rng(6), np.float64))


@pytest.mark.parametrize("law", [init.glorot, init.he, init.lecun])
@pytest.mark.parametrize("shape", [(3,), (), (0, 3), (3, 0)])
def test_a_shape_without_inputs_and_outputs_is_one_clear_sentence(law, shape):
    with pytest.raises(ValueError, match=r"^Weights need a shape \(\.\.\., n_in, n_out\) of positive numbers, not "):
        law(shape, np.random.default_rng(0))
