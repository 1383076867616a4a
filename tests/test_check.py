"""The gradient check itself: it passes what is right, and catches what is wrong by a thousandth."""

import numpy as np
import pytest

from recurrence.check import check_gradient
from recurrence.gradients import GRADIENTS
from recurrence.tape import primitive


def exponential(factor):
    @primitive
    def exp(x):
        y = np.exp(x)
        return y, lambda dy: (factor * dy * y,)

    return exp


def total(f):
    return lambda model: np.sum(f(model["W"]) * 0.5) + np.sum(model["b"] ** 2)


MODEL = {"b": np.array([3.0]), "W": np.array([[0.1, -0.2], [0.3, 0.5]])}


def test_a_right_gradient_passes():
    check_gradient(total(exponential(1.0)), MODEL, rng=np.random.default_rng(0))


@pytest.mark.parametrize("factor", [1.001, 0.999, -1, 0, 1 + 1e-6, np.nan])
def test_a_wrong_gradient_is_caught_and_its_leaf_named(factor):
    with pytest.raises(AssertionError, match=r"The gradient of tree\['W'\] \(2, 2\) 4 is off: along a random"):
        check_gradient(total(exponential(factor)), MODEL, rng=np.random.default_rng(0))


def test_a_wrong_entry_of_the_table_is_caught():
    right = GRADIENTS[np.tanh]
    check_gradient(lambda x: np.sum(np.tanh(x)), np.ones(3), rng=np.random.default_rng(0))
    GRADIENTS[np.tanh] = (lambda dy, y, x: dy * (1 - 1.001 * y * y),)
    try:
        with pytest.raises(AssertionError, match="The gradient of tree"):
            check_gradient(lambda x: np.sum(np.tanh(x)), np.ones(3), rng=np.random.default_rng(0))
    finally:
        GRADIENTS[np.tanh] = right


def test_one_wrong_number_among_many_is_caught():
    @primitive
    def cubes(x):
        def pull(dy):
            dx = 3 * dy * x**2
            dx[17] *= 1.001
            return (dx,)

        return x**3, pull

    with pytest.raises(AssertionError, match="is off"):
        check_gradient(lambda x: np.sum(cubes(x)), np.linspace(1, 2, 100), rng=np.random.default_rng(0))


def test_a_gradient_that_is_missing_is_caught():
    from recurrence.tape import constant

    with pytest.raises(AssertionError, match="is off"):
        check_gradient(lambda x: np.sum(x * constant(x)), np.ones(2), rng=np.random.default_rng(0))


def test_single_precision_is_checked_in_double():
    seen = []

    def f(x):
        seen.append(x.dtype)
        return np.sum(np.sin(x))

    check_gradient(f, np.ones(3, np.float32), rng=np.random.default_rng(0))
    assert set(seen) == {np.dtype(float)}


def test_large_and_small_functions():
    for scale in (1e-12, 1e12):
        check_gradient(lambda x, s=scale: s * np.sum(np.sin(x)), np.ones(3), rng=np.random.default_rng(0))
        with pytest.raises(AssertionError):
            check_gradient(
                lambda x, s=scale: s * np.sum(exponential(1.001)(x)), np.ones(3), rng=np.random.default_rng(0)
            )
