"""Shared functions of networks: against closed forms and SciPy, fused against unfused, and where numbers end."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import special

from recurrence import ops
from recurrence.check import check_gradient
from recurrence.tape import grad, value_and_grad

rng = np.random.default_rng(0)
POINTS = np.array([-800.0, -40.0, -3.0, -0.5, 0.25, 2.0, 30.0, 800.0])

ACTIVATIONS = {
    ops.relu: lambda x: np.maximum(x, 0),
    ops.leaky_relu: lambda x: np.maximum(x, 0.01 * x),
    ops.elu: lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    ops.selu: lambda x: np.where(x > 0, 1.0507009873554805 * x, 1.7580993408473766 * np.expm1(np.minimum(x, 0))),
    ops.sigmoid: special.expit,
    ops.softplus: lambda x: np.logaddexp(x, 0),
    ops.silu: lambda x: x * special.expit(x),
    ops.gelu: lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
}
ALONG = {ops.softmax: special.softmax, ops.log_softmax: special.log_softmax, ops.logsumexp: special.logsumexp}


@pytest.mark.parametrize("f", ACTIVATIONS)
def test_activations(f):
    np.testing.assert_allclose(f(POINTS), ACTIVATIONS[f](POINTS), rtol=1e-14, atol=0)
    check_gradient(lambda x: np.sum(f(x) * np.arange(1, 7)), POINTS[1:-1], rng=rng)
    check_gradient(lambda x: np.sum(grad(lambda x: np.sum(f(x)))(x) ** 2), POINTS[2:-2], rng=rng, rtol=1e-6)
    assert f(POINTS.astype(np.float32)[1:-1]).dtype == np.float32


@pytest.mark.parametrize("f", ACTIVATIONS)
def test_activations_stay_finite_at_the_ends(f):
    ends = np.array([-1e30, -1e5, 1e5, 1e30], np.float32) if f is not ops.gelu else np.array([-1e9, 1e9], np.float32)
    value, dx = value_and_grad(lambda x: np.sum(f(x)))(ends)
    assert np.isfinite(value) and np.all(np.isfinite(dx)) and dx.dtype == np.float32


def test_gelu_is_close_to_x_times_the_normal_distribution_function():
    x = np.linspace(-6, 6, 1001)
    assert np.max(np.abs(ops.gelu(x) - x * special.ndtr(x))) < 5e-4


def test_the_slope_of_relu_at_zero_is_zero():
    np.testing.assert_array_equal(grad(lambda x: np.sum(ops.relu(x)))(np.array([-1.0, 0.0, 1.0])), [0, 0, 1])


def test_the_slopes_of_its_kin_at_zero_are_those_from_the_left():
    for f, slope in ((ops.leaky_relu, 0.01), (ops.elu, 1), (ops.selu, ops.SELU_SCALE * ops.SELU_ALPHA)):
        assert grad(f)(np.array(0.0)) == pytest.approx(slope, rel=1e-15)


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_leaky_relu_with_a_slope_of_its_own(slope):
    y, dx = value_and_grad(lambda x: np.sum(ops.leaky_relu(x, slope)))(np.array([-2.0, 3.0]))
    assert y == 3 - 2 * slope
    np.testing.assert_array_equal(dx, [slope, 1])


@pytest.mark.parametrize("f", ALONG)
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (3, 1)])
def test_softmax_and_its_kin(f, shape):
    x = 3 * rng.standard_normal(shape)
    np.testing.assert_allclose(f(x), ALONG[f](x, axis=-1), rtol=1e-13)
    weights = rng.standard_normal(f(x).shape)
    check_gradient(lambda x: np.sum(f(x) * weights), x, rng=rng)
    check_gradient(lambda x: np.sum(grad(lambda x: np.sum(f(x) ** 2))(x) ** 2), x, rng=rng, rtol=1e-6)
    assert f(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("f", ALONG)
def test_softmax_and_its_kin_do_not_overflow(f):
    x = np.array([[1e30, 0.0], [-1e30, -1e30], [5.0, -1e30]], np.float32)
    value, dx = value_and_grad(lambda x: np.sum(np.maximum(f(x), -10)))(x)
    assert np.isfinite(value) and np.all(np.isfinite(dx))


def test_logsumexp_of_nothing_possible():
    assert ops.logsumexp(np.full(3, -np.inf)) == -np.inf
    assert ops.logsumexp(np.array([-np.inf, 1.0])) == 1.0


# The fused ones equal their definitions.


@pytest.mark.parametrize("shape", [(5, 4), (4,), (2, 3, 4), (1, 1, 2)])
def test_cross_entropy(shape):
    x, labels = 2 * rng.standard_normal(shape), rng.integers(0, shape[-1], shape[:-1])
    fused, dx = value_and_grad(ops.cross_entropy)(x, labels)
    plain, expected = value_and_grad(ops.cross_entropy_definition)(x, labels)
    assert ops.cross_entropy(x, labels) == fused
    np.testing.assert_allclose(fused, plain, rtol=1e-14)
    np.testing.assert_allclose(dx, expected, rtol=1e-12, atol=1e-16)
    check_gradient(lambda x: ops.cross_entropy(x, labels), x, rng=rng)
    check_gradient(lambda x: np.sum(grad(ops.cross_entropy)(x, labels) ** 2), x, rng=rng, rtol=1e-6)


def test_cross_entropy_of_no_idea_is_the_logarithm_of_the_number_of_classes():
    assert ops.cross_entropy(np.zeros((7, 10)), np.arange(7)) == pytest.approx(math.log(10), rel=1e-15)


def test_cross_entropy_keeps_single_precision_and_survives_certainty():
    logits = np.array([[1e4, 0.0], [0.0, 1e4]], np.float32)
    value, dx = value_and_grad(ops.cross_entropy)(logits, np.array([0, 0]))
    assert value == 5e3 and value.dtype == dx.dtype == np.float32
    np.testing.assert_array_equal(dx, [[0, 0], [-0.5, 0.5]])


@pytest.mark.parametrize("shape", [(5, 4), (4,), ()])
def test_sigmoid_cross_entropy(shape):
    u, targets = 2 * rng.standard_normal((*shape, 1)), rng.uniform(size=(*shape, 1))
    p = special.expit(u)
    expected = np.mean(-targets * np.log(p) - (1 - targets) * np.log(1 - p))
    value, du = value_and_grad(ops.sigmoid_cross_entropy)(u, targets)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(du, (p - targets) / u.size, rtol=1e-12)
    check_gradient(lambda u: ops.sigmoid_cross_entropy(u, targets), u, rng=rng)


def test_sigmoid_cross_entropy_keeps_single_precision_and_survives_certainty():
    u = np.array([1e4, -1e4, 1e4, -60.0], np.float32)
    value, du = value_and_grad(ops.sigmoid_cross_entropy)(u, np.array([0, 1, 1, 0], np.float32))
    assert value == 5e3 and value.dtype == du.dtype == np.float32
    np.testing.assert_allclose(du, [0.25, -0.25, 0, math.exp(-60) / 4], rtol=1e-5)


@pytest.mark.parametrize("shape", [(5, 4), (4,), (2, 3, 4)])
def test_layer_norm(shape):
    leaves = [rng.standard_normal(shape), rng.uniform(0.5, 2, shape[-1]), rng.standard_normal(shape[-1])]
    weights = rng.standard_normal(shape)
    np.testing.assert_allclose(ops.layer_norm(*leaves), ops.layer_norm_definition(*leaves), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        ops.layer_norm(*leaves, eps=0.1), ops.layer_norm_definition(*leaves, eps=0.1), rtol=1e-12, atol=1e-14
    )

    def total(route):
        return lambda leaves: np.sum(route(*leaves) * weights)

    for ours, expected in zip(
        grad(total(ops.layer_norm))(leaves), grad(total(ops.layer_norm_definition))(leaves), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-13)
    check_gradient(total(ops.layer_norm), leaves, rng=rng)
    check_gradient(lambda x: np.sum(grad(total(ops.layer_norm))(x)[0] ** 2), leaves, rng=rng, rtol=1e-6)


def test_layer_norm_has_mean_zero_and_variance_one():
    y = ops.layer_norm(rng.standard_normal((3, 100)) * 5 + 7, np.ones(100), np.zeros(100))
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(-1), 1, rtol=1e-5)


SCANS = [
    ((3, 5, 4), (3, 4)),
    ((5, 4), (4,)),
    ((2, 3, 5, 4), (2, 3, 4)),
    ((3, 1, 4), (4,)),
    ((5, 4), (3, 4)),
    ((2, 0, 4), (2, 4)),
]


@pytest.mark.parametrize(("u_shape", "h_shape"), SCANS)
def test_tanh_scan(u_shape, h_shape):
    leaves = [rng.standard_normal(u_shape), rng.standard_normal((4, 4)) / 2, rng.standard_normal(h_shape)]
    hs = ops.tanh_scan(*leaves)
    weights = rng.standard_normal(hs.shape)

    def total(route):
        return lambda leaves: np.sum(route(*leaves) * weights)

    check_gradient(total(ops.tanh_scan), leaves, rng=rng)
    if u_shape[:-2] != h_shape[:-1]:
        return  # the loop does not broadcast the start
    np.testing.assert_allclose(hs, ops.tanh_scan_definition(*leaves), rtol=1e-13)
    for ours, expected in zip(
        grad(total(ops.tanh_scan))(leaves), grad(total(ops.tanh_scan_definition))(leaves), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-14)
    check_gradient(lambda x: np.sum(grad(total(ops.tanh_scan))(x)[1] ** 2), leaves, rng=rng, rtol=1e-6, directions=1)


def test_tanh_scan_keeps_single_precision_and_its_arguments():
    leaves = [rng.standard_normal(s).astype(np.float32) for s in ((2, 5, 3), (3, 3), (2, 3))]
    kept = [x.copy() for x in leaves]
    value, grads = value_and_grad(lambda leaves: np.sum(ops.tanh_scan(*leaves)))(leaves)
    assert value.dtype == np.float32 and all(dx.dtype == np.float32 for dx in grads)
    for x, before in zip(leaves, kept, strict=True):
        np.testing.assert_array_equal(x, before)


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.float32, (4, 3), elements=st.floats(-(2**40), 2**40, width=32)), st.integers(0, 2))
def test_cross_entropy_is_never_negative_and_its_gradient_sums_to_zero(logits, label):
    value, dx = value_and_grad(ops.cross_entropy)(logits, np.full(4, label))
    assert value >= 0
    np.testing.assert_allclose(dx.sum(-1), 0, atol=1e-6)
