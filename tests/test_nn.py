"""Layers: what they compute, what they start from, and that they are differentiated like the NumPy beneath them."""

import dataclasses
import math

import numpy as np
import pytest

from recurrence import init, ops, tree
from recurrence.check import check_gradient
from recurrence.nn import MLP, Embedding, Linear, Norm, dropout
from recurrence.tape import value_and_grad


def rng(seed=0):
    return np.random.default_rng(seed)


# What the layers compute.


@pytest.mark.parametrize("batch", [(), (5,), (2, 5)])
def test_linear_is_a_weighted_sum_and_a_bias(batch):
    layer = Linear(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([0.5, -0.5]))
    x = np.broadcast_to([1.0, 0.0, -1.0], (*batch, 3))
    np.testing.assert_array_equal(layer(x), np.broadcast_to([-3.5, -4.5], (*batch, 2)))


def test_norm_brings_each_vector_to_mean_zero_and_variance_one():
    x = 7 + 3 * rng().standard_normal((4, 6, 50))
    y = Norm.init(50, np.float64)(x)
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-14)
    # ε stands beside a variance of about 9.
    np.testing.assert_allclose(y.var(-1), 1, atol=1e-5)
    layer = Norm(np.full(50, 2.0), np.full(50, 0.25))
    np.testing.assert_allclose(layer(x), 2 * y + 0.25, atol=1e-13)


def test_embedding_looks_up_rows():
    layer = Embedding(np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(layer(np.array([[2, 0], [1, 1]])), [[[4, 5], [0, 1]], [[2, 3], [2, 3]]])
    assert layer(np.array(2)).shape == (2,)


def test_a_symbol_that_is_looked_up_twice_gets_both_gradients():
    _, grads = value_and_grad(lambda layer: np.sum(layer(np.array([2, 0, 2]))))(Embedding(np.ones((4, 2))))
    np.testing.assert_array_equal(grads.table, [[1, 1], [0, 0], [2, 2], [0, 0]])


def test_a_perceptron_by_hand_computes_exclusive_or():
    hidden = Linear(np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([0.0, -1.0]))
    net = MLP((hidden, Linear(np.array([[1.0], [-2.0]]), np.array([0.0]))))
    inputs = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    np.testing.assert_array_equal(net(inputs)[:, 0], [0, 1, 1, 0])


def test_a_perceptron_has_no_activation_after_its_last_layer():
    net = MLP.init((3, 4), rng(), np.float64, activation=np.tanh)
    x = 10 * rng(1).standard_normal((5, 3))
    np.testing.assert_array_equal(net(x), x @ net.layers[0].W + net.layers[0].b)
    deep = MLP.init((3, 6, 5, 2), rng(), np.float64, activation=np.tanh)
    a, b, c = deep.layers
    np.testing.assert_array_equal(deep(x), c(np.tanh(b(np.tanh(a(x))))))


@pytest.mark.parametrize("activation", [np.tanh, ops.relu, ops.gelu])
def test_gradients_of_the_layers(activation):
    x, labels = rng(2).standard_normal((7, 3)), rng(3).integers(0, 4, 7)
    net = MLP.init((3, 6, 5, 4), rng(4), np.float64, activation=activation)
    # A bias of zero behind a dead layer would put the next one right on the kink of ReLU.
    net = tree.map(lambda w: w + 0.1, net)
    check_gradient(lambda m: ops.cross_entropy(m(x), labels), net, rng=rng(5), step=1e-5, rtol=1e-6)


def test_gradients_of_norm_and_embedding():
    x, norm = rng(2).standard_normal((7, 3)), Norm(rng(5).standard_normal(3), rng(6).standard_normal(3))
    check_gradient(lambda m: np.sum(m(x) ** 2 * np.arange(3)), norm, rng=rng(7))
    table = Embedding.init(5, 3, rng(8), np.float64)
    check_gradient(lambda m: np.sum(m(np.array([[0, 4], [4, 1]])) ** 3), table, rng=rng(9))


def test_gradients_through_dropout():
    x = rng(2).standard_normal((7, 3))
    net = MLP.init((3, 20, 2), rng(4), np.float64, activation=np.tanh, dropout=0.5)
    check_gradient(lambda m: np.sum(m(x, rng(8)) ** 2), net, rng=rng(5))


# What they start from.


def test_the_first_weights():
    linear = Linear.init(400, 300, rng())
    assert linear.W.shape == (400, 300) and not linear.b.any() and linear.b.shape == (300,)
    assert linear.W.var() == pytest.approx(1 / 400, rel=4 * math.sqrt(2 / linear.W.size))
    other = Linear.init(400, 300, rng(), weights=init.glorot)
    np.testing.assert_array_equal(other.W, init.glorot((400, 300), rng()))
    embedding = Embedding.init(2000, 50, rng())
    assert (embedding.table**2).sum(-1).mean() == pytest.approx(1, rel=4 * math.sqrt(2 / 50 / 2000))


def test_a_perceptron_keeps_the_power_of_its_signals():
    net = MLP.init((1000, 1000, 1000, 1000), rng(), np.float64)
    y = net(rng(1).standard_normal((50, 1000)))
    # The last layer sees ReLU's output, whose mean square is 1. Each layer's power wanders by √(5/1000).
    assert (y**2).mean() == pytest.approx(1, abs=4 * math.sqrt(3 * 5 / 1000))


def test_the_hidden_layers_take_the_weights_that_are_asked_for_and_the_last_one_lecuns():
    net = MLP.init((200, 300, 300, 200), rng(), np.float64, weights=init.glorot)
    variances = [layer.W.var() for layer in net.layers]
    np.testing.assert_allclose(variances, [2 / 500, 2 / 600, 1 / 300], rtol=0.03)


@pytest.mark.parametrize("make", [lambda t: MLP.init((4, 5, 3), rng(), t), lambda t: Linear.init(4, 3, rng(), t)])
def test_a_layer_works_in_the_precision_of_its_numbers(make):
    layer = make(np.float32)
    assert layer(np.ones((2, 4), np.float32)).dtype == np.float32
    _, grads = value_and_grad(lambda m: np.sum(m(np.ones((2, 4), np.float32))))(layer)
    assert {leaf.dtype for leaf in [*tree.leaves(layer), *tree.leaves(grads)]} == {np.dtype(np.float32)}
    assert make(np.float64)(np.ones((2, 4))).dtype == np.float64


def test_each_layer_has_random_numbers_of_its_own():
    small, large = (MLP.init((5, hidden, hidden, 2), rng(), np.float64) for hidden in (10, 20))
    assert not np.array_equal(small.layers[0].W[:, :5].ravel()[:10], small.layers[1].W.ravel()[:10])
    same = MLP.init((5, 10, 10, 2), rng(), np.float64)
    np.testing.assert_array_equal(same.layers[2].W, small.layers[2].W)
    assert large.layers[1].W.shape == (20, 20)


def test_what_is_not_an_array_is_not_a_parameter():
    net = MLP.init((5, 4, 3), rng(), activation=np.tanh, dropout=0.1)
    assert tree.size(net) == 5 * 4 + 4 + 4 * 3 + 3
    moved = tree.map(lambda w: w + 1, net)
    assert moved.activation is np.tanh and moved.dropout == 0.1
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.dropout = 0.5


# Dropout.


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_leaves_out_the_share_it_says_and_keeps_the_expectation(rate):
    n = 40000
    y = dropout(np.ones(n), rate, rng())
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - rate)], rtol=1e-15)
    # Of n coins √(rate (1 − rate) / n) is the standard error.
    assert abs((y == 0).mean() - rate) < 4 * math.sqrt(rate * (1 - rate) / n)
    assert abs(y.mean() - 1) < 4 * math.sqrt(rate / (1 - rate) / n)


def test_dropout_keeps_precision_and_its_argument():
    x = np.ones((3, 4), np.float32)
    assert dropout(x, 0.5, rng()).dtype == np.float32 and x.all()
    with np.errstate(all="raise"):
        assert np.isfinite(dropout(np.full(100, 1e30, np.float32), 0.9, rng())).all()


def test_a_rate_of_zero_changes_nothing_and_draws_nothing():
    x, random = np.ones(3), rng()
    assert dropout(x, 0.0, random) is x
    assert random.random() == rng().random()


def test_a_perceptron_leaves_units_out_only_while_it_learns():
    net = MLP.init((4, 1000, 2), rng(), np.float64, dropout=0.5)
    x = rng(1).standard_normal((3, 4))
    np.testing.assert_array_equal(net(x), dataclasses.replace(net, dropout=0.0)(x))
    assert not np.allclose(net(x, rng(2)), net(x))
    np.testing.assert_array_equal(net(x, rng(2)), net(x, rng(2)))


# What is refused, and how.


@pytest.mark.parametrize("rate", [-0.1, 1.0, math.nan])
def test_an_impossible_rate_is_one_clear_sentence(rate):
    for call in (lambda: dropout(np.ones(2), rate, rng()), lambda: MLP.init((2, 3, 1), rng(), dropout=rate)):
        with pytest.raises(ValueError, match=r"^The share that is left out must lie in \[0, 1\), but it is "):
            call()


def test_a_perceptron_without_layers_is_refused():
    with pytest.raises(ValueError, match=r"needs the sizes of its input and output at least, not \(3,\)\.$"):
        MLP.init((3,), rng())
