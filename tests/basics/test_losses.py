"""Best answers against mean, median and quantile, scores against the truth, slopes against formulas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurrence import ops
from recurrence.basics import losses as ls
from recurrence.check import check_gradient
from recurrence.tape import grad

numbers = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=1, max_size=30).map(np.array)
GRID = np.arange(101) / 100


# Numbers.


def test_losses_of_given_numbers():
    y, targets = np.array([0.0, 2.0, -5.0]), np.array([1.0, 2.0, 1.0])
    np.testing.assert_allclose(ls.squared(y, targets), [0.5, 0, 18])
    np.testing.assert_allclose(ls.absolute(y, targets), [1, 0, 6])
    np.testing.assert_allclose(ls.pinball(y, targets, 0.9), [0.9, 0, 5.4])
    np.testing.assert_allclose(ls.pinball(targets, y, 0.9), [0.1, 0, 0.6])
    np.testing.assert_allclose(ls.huber(y, targets, 2.0), [0.5, 0, 2 * (6 - 1)])


@settings(max_examples=15)
@given(numbers)
def test_squared_error_asks_for_the_mean(targets):
    assert ls.best_answer(ls.squared, targets) == pytest.approx(targets.mean(), abs=1e-9)


@settings(max_examples=15)
@given(numbers, st.floats(0.01, 0.99))
def test_pinball_asks_for_a_quantile(targets, p):
    best = ls.best_answer(lambda y, t: ls.pinball(y, t, p), targets)
    assert np.mean(targets < best - 1e-9) <= p + 1e-12
    assert np.mean(targets <= best + 1e-9) >= p - 1e-12


def test_absolute_error_asks_for_the_median():
    assert ls.best_answer(ls.absolute, np.array([9.0, -3, 2, 1000, 4])) == pytest.approx(4)
    assert ls.best_answer(ls.absolute, np.array([7.0])) == 7


@settings(max_examples=15)
@given(numbers, st.floats(0.1, 50))
def test_huber_balances_errors_that_are_cut_off(targets, width):
    best = ls.best_answer(lambda y, t: ls.huber(y, t, width), targets)
    pulls = np.clip(best - targets, -width, width)
    assert abs(pulls.sum()) < 1e-6


@given(st.floats(-20, 20), st.floats(0.1, 10))
def test_huber_lies_between_squared_and_absolute(error, width):
    value = float(ls.huber(error, 0.0, width))
    assert value <= 0.5 * error**2 + 1e-9
    assert value <= width * abs(error) + 1e-12
    assert value >= width * abs(error) - 0.5 * width**2 - 1e-9


@pytest.mark.parametrize(
    "loss",
    [
        ls.squared,
        ls.absolute,
        lambda y, t: ls.huber(y, t, 1.0),
        lambda y, t: ls.pinball(y, t, 0.3),
        ls.hinge,
        ls.logistic,
    ],
)
def test_gradients_are_slopes(loss):
    y, targets = np.array([-2.3, -0.4, 0.35, 1.7, 2.6]), np.array([1.0, -1, 1, -1, 1])
    check_gradient(lambda y: np.sum(loss(y, targets)), y, rng=np.random.default_rng(0), step=1e-5, rtol=1e-6)


# Sides.


def test_hinge_and_logistic_of_given_sums():
    u, labels = np.array([2.0, 0.5, -1.0, 3.0]), np.array([1.0, 1.0, 1.0, -1.0])
    np.testing.assert_allclose(ls.hinge(u, labels), [0, 0.5, 2, 4])
    np.testing.assert_allclose(ls.logistic(u, labels), -np.log(ops.sigmoid(labels * u)))
    assert ls.logistic(-1000.0, 1.0) == 1000


@pytest.mark.parametrize("p", [0.1, 0.35, 0.8])
def test_the_hinge_asks_for_the_side_and_the_logistic_loss_for_the_odds(p):
    u = np.arange(-3000, 3001) / 1000

    def cheapest(loss):
        return u[np.argmin(p * loss(u, 1.0) + (1 - p) * loss(u, -1.0))]

    assert cheapest(ls.hinge) == pytest.approx(math.copysign(1, p - 0.5))
    assert cheapest(ls.logistic) == pytest.approx(math.log(p / (1 - p)), abs=6e-4)


# Probabilities.


@pytest.mark.parametrize("score", [ls.log_score, ls.brier_score])
def test_proper_scores_elicit_the_truth_and_nothing_else(score):
    for p in GRID:
        np.testing.assert_array_equal(ls.elicited(score, p, GRID), [p])


def test_the_absolute_score_elicits_an_end():
    for p in GRID[:50]:
        np.testing.assert_array_equal(ls.elicited(ls.absolute_score, p, GRID), [0])
        np.testing.assert_array_equal(ls.elicited(ls.absolute_score, 1 - p, GRID), [1])
    np.testing.assert_array_equal(ls.elicited(ls.absolute_score, 0.5, GRID), GRID)


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_what_a_miss_costs(q, p):
    lost = float(ls.expected(ls.log_score, q, p) - ls.expected(ls.log_score, p, p))
    divergence = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert lost == pytest.approx(divergence, abs=1e-12)
    lost = float(ls.expected(ls.brier_score, q, p) - ls.expected(ls.brier_score, p, p))
    assert lost == pytest.approx((q - p) ** 2, abs=1e-12)


def test_calling_it_impossible_costs_everything_but_only_if_it_can_happen():
    np.testing.assert_array_equal(ls.expected(ls.log_score, [0.0, 1.0], 0.0), [0, np.inf])
    np.testing.assert_array_equal(ls.expected(ls.log_score, [0.0, 1.0], 1.0), [np.inf, 0])
    np.testing.assert_array_equal(ls.expected(ls.log_score, [0.0, 1.0], 0.5), [np.inf, np.inf])


# Certain and wrong.


def test_the_slopes_of_unlearning_are_those_of_the_losses():
    for u in (-1.0, 0.0, 4.0):
        y = float(ops.sigmoid(u))
        matched = ls.unlearn(True, u, lr=1.0, steps=1)
        assert u - matched[1] == pytest.approx(grad(lambda u: ops.sigmoid_cross_entropy(u, 0.0))(np.array(u)))
        assert u - matched[1] == pytest.approx(y)
        other = ls.unlearn(False, u, lr=1.0, steps=1)
        assert u - other[1] == pytest.approx(grad(lambda u: ls.squared(ops.sigmoid(u), 0.0))(np.array(u)))


@pytest.mark.parametrize("matched", [True, False])
@pytest.mark.parametrize("start", [0.5, 2.0])
def test_small_steps_take_the_time_of_the_closed_form(matched, start):
    expected = float(ls.time_to_doubt(matched, start))
    sums = ls.unlearn(matched, start, lr=1e-3, steps=int(1200 * expected))
    assert len(sums) == int(1200 * expected) + 1
    assert 1e-3 * np.argmax(sums <= 0) == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize("matched", [True, False])
def test_the_time_is_the_integral_of_one_over_the_slope(matched):
    u = np.linspace(-2, 6, 9)
    h, y = 1e-5, ops.sigmoid(u)
    speed = y if matched else y * y * (1 - y)
    slope = (ls.time_to_doubt(matched, u + h) - ls.time_to_doubt(matched, u - h)) / (2 * h)
    np.testing.assert_allclose(slope, 1 / speed, rtol=1e-8)
    assert ls.time_to_doubt(matched, 0.0) == 0


def test_a_certainty_lasts_exponentially_long_with_squared_error():
    assert ls.time_to_doubt(False, 20.0) == pytest.approx(math.exp(20), rel=1e-6)
    assert ls.time_to_doubt(True, 20.0) == pytest.approx(21, rel=1e-6)
