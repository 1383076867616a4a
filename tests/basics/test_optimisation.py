"""Walks against closed forms and published numbers: bowls, stability, noise, Rosenbrock's valley, and Adam misled."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurrence import optim
from recurrence.basics import optimisation as op
from recurrence.check import check_gradient
from recurrence.tape import value_and_grad

BEST = {10: (0.818182, 0.519494), 100: (0.980198, 0.818182), 1000: (0.998002, 0.938693)}
"""By condition number: the best rates of gradient descent and of the heavy ball, by the formulas of Polyak, 1964."""

curvatures = st.floats(0.01, 10)
shares = st.floats(0, 0.99)


def walk(lr, beta, curvature, steps, w=1.0):
    with np.errstate(over="ignore", invalid="ignore"):
        return op.descend(optim.momentum(lr, beta), lambda w: curvature * w, np.array(w), steps)


# Walks.


def test_a_walk_begins_where_it_is_told_and_keeps_every_place():
    start = np.array([[1, -2], [3, 4]])
    path = op.descend(optim.sgd(0.5), lambda w: w, start, 3)
    np.testing.assert_array_equal(path, [start, start / 2, start / 4, start / 8])
    assert op.descend(optim.sgd(0.5), lambda w: w, start, 0).shape == (1, 2, 2)


# Bowls.


@given(st.lists(curvatures, min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_a_bowl_has_the_curvatures_that_were_asked_for(wanted, seed):
    A = op.bowl(np.array(wanted), np.random.default_rng(seed))
    np.testing.assert_array_equal(A, A.T)
    np.testing.assert_allclose(np.linalg.eigvalsh(A), np.sort(wanted), rtol=1e-9, atol=1e-11)


def test_the_directions_of_a_bowl_are_drawn():
    rng = np.random.default_rng(0)
    A, B = (op.bowl(np.array([1.0, 5.0]), rng) for _ in range(2))
    assert np.abs(A - B).max() > 0.1 and abs(A[0, 1]) > 0.1


@given(st.floats(0.001, 5), curvatures, shares)
def test_the_rate_is_the_spectral_radius(lr, curvature, beta):
    largest = np.abs(np.linalg.eigvals(op.companion(lr, curvature, beta))).max()
    # Where two eigenvalues meet, NumPy finds them to half of the digits only.
    np.testing.assert_allclose(op.rate(lr, curvature, beta), largest, rtol=1e-6, atol=1e-7)


def test_the_companion_matrix_makes_a_step():
    path = walk(0.3, 0.7, 2.0, 6)
    for t in range(1, 6):
        np.testing.assert_allclose(op.companion(0.3, 2.0, 0.7) @ path[[t, t - 1]], path[[t + 1, t]], rtol=1e-12)


def test_without_momentum_the_rate_is_known():
    lr = np.linspace(0, 3, 31)
    np.testing.assert_allclose(op.rate(lr, 1.0), np.abs(1 - lr), atol=1e-15)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(("share", "stays"), [(0.99, True), (1.01, False)])
def test_a_walk_is_stable_up_to_the_limit(beta, share, stays):
    lr = share * op.limit(3.0, beta)
    assert (abs(walk(lr, beta, 3.0, 3000)[-1]) < 1e-6) == stays
    assert (op.rate(lr, 3.0, beta) < 1) == stays
    assert op.rate(op.limit(3.0, beta), 3.0, beta) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("kappa", BEST)
def test_the_best_rates_are_those_of_the_formulas(kappa):
    lr, plain = op.best_descent(2.0, 2.0 * kappa)
    lr_ball, beta, ball = op.best_momentum(2.0, 2.0 * kappa)
    assert (plain, ball) == pytest.approx(BEST[kappa], abs=5e-7)
    for curvature in (2.0, 2.0 * kappa):
        assert op.rate(lr, curvature) == pytest.approx(plain, rel=1e-12)
        # A double root: a rounding error of 1e-16 moves it by 1e-8.
        assert op.rate(lr_ball, curvature, beta) == pytest.approx(ball, rel=1e-7)


@given(curvatures, st.floats(1.01, 1000), st.floats(0.5, 2), st.floats(-0.1, 0.1))
def test_no_other_rate_is_better(low, kappa, factor, shift):
    ends = low * np.array([1, kappa])
    lr, rho = op.best_descent(*ends)
    assert op.rate(factor * lr, ends).max() >= rho - 1e-12
    lr, beta, rho = op.best_momentum(*ends)
    other = min(max(beta + shift, 0), 0.999)
    assert op.rate(factor * lr, ends, other).max() >= rho - 1e-7


@pytest.mark.parametrize("kappa", BEST)
def test_descent_shrinks_by_its_rate(kappa):
    A = op.bowl(np.array([1.0, kappa]), np.random.default_rng(kappa))
    lr, rho = op.best_descent(1, kappa)
    far = np.linalg.norm(op.descend(optim.sgd(lr), lambda w: w @ A, np.ones(2), 60), axis=1)
    np.testing.assert_allclose(far[1:] / far[:-1], rho, rtol=1e-10)


@pytest.mark.parametrize("kappa", BEST)
def test_the_best_heavy_ball_follows_its_closed_form(kappa):
    lr, beta, rho = op.best_momentum(1, kappa)
    t = np.arange(81)
    for curvature, root in [(1.0, rho), (kappa, -rho)]:
        law = (1 + (1 - root) * t) * root**t
        np.testing.assert_allclose(walk(lr, beta, curvature, 80), law, rtol=1e-8)


# Noise.


@pytest.mark.parametrize(("lr", "curvature", "noise", "beta"), [(0.2, 1, 1, 0), (0.5, 2, 3, 0), (0.3, 1.5, 0.5, 0.8)])
def test_the_noise_floor_is_where_walkers_stay(lr, curvature, noise, beta):
    rng = np.random.default_rng(1)
    path = op.descend(
        optim.momentum(lr, beta),
        lambda w: curvature * w + noise * rng.standard_normal(w.shape),
        np.zeros(20_000),
        150,
    )
    # The standard error of a variance of n numbers is √(2 / n) of it: 1 %.
    assert path[-1].var() == pytest.approx(op.noise_floor(lr, curvature, noise, beta), rel=0.04)


def test_small_rates_have_a_floor_in_proportion():
    floors = [op.noise_floor(lr, 3.0, 2.0) for lr in (1e-6, 2e-6)]
    assert floors == pytest.approx([1e-6 * 4 / 6, 2e-6 * 4 / 6], rel=1e-5)


# Rosenbrock's valley.


def test_rosenbrock_at_the_places_where_it_is_known():
    start = np.array(op.ROSENBROCK_START)
    assert op.rosenbrock(start) == pytest.approx(24.2, rel=1e-14)
    np.testing.assert_allclose(op.rosenbrock_gradient(start), [-215.6, -88], rtol=1e-13)
    assert op.rosenbrock(np.ones(2)) == 0
    np.testing.assert_array_equal(op.rosenbrock_gradient(np.ones(2)), 0)
    np.testing.assert_allclose(np.linalg.eigvalsh(op.rosenbrock_hessian(np.ones(2))), [0.399, 1001.6], rtol=1e-3)
    assert np.linalg.cond(op.rosenbrock_hessian(np.ones(2))) == pytest.approx(2508, abs=0.5)


def test_the_derivatives_of_rosenbrock_agree_with_the_tape():
    places = np.random.default_rng(2).uniform(-2, 2, (4, 5, 2))
    _, taped = value_and_grad(lambda w: np.sum(op.rosenbrock(w)))(places)
    np.testing.assert_allclose(op.rosenbrock_gradient(places), taped, rtol=1e-11, atol=1e-11)
    check_gradient(lambda w: np.sum(op.rosenbrock(w)), places, rng=np.random.default_rng(4))
    e = 1e-5 * np.eye(2)
    rows = [(op.rosenbrock_gradient(places + d) - op.rosenbrock_gradient(places - d)) / 2e-5 for d in e]
    np.testing.assert_allclose(op.rosenbrock_hessian(places), np.stack(rows, axis=-1), rtol=1e-6, atol=1e-5)


# Adam misled.


def project(make, slopes, lr, beta2, w=0.0):
    """Walk with the engine's optimiser, step by step."""
    optimiser, w, places = make(lambda t: lr / math.sqrt(t), 0.0, beta2, eps=0.0), np.array(w), []
    state = optimiser.start(w)
    for g in slopes:
        w, state = optimiser.update(w, np.array(g), state)
        w = np.asarray(np.clip(w, -1, 1))
        places.append(float(w))
    return np.array(places)


def test_rare_slopes_are_large_and_the_others_not():
    np.testing.assert_array_equal(op.rare_and_large(7, 5.0), [5, -1, -1, 5, -1, -1, 5])


@pytest.mark.parametrize(("make", "largest"), [(optim.adam, False), (optim.amsgrad, True)])
def test_the_short_walk_is_the_walk_of_the_engine(make, largest):
    slopes = np.random.default_rng(3).standard_normal(600) + 0.5
    ours = op.adam_on_slopes(slopes, 0.3, 0.6, largest=largest, w=0.5)
    np.testing.assert_allclose(ours, project(make, slopes, 0.3, 0.6, 0.5), atol=1e-13)
    assert np.abs(ours).max() == 1


@pytest.mark.parametrize(("largest", "end"), [(False, 0.99959), (True, -0.99968)])
def test_adam_goes_to_the_worst_place_and_amsgrad_to_the_best(largest, end):
    places = op.adam_on_slopes(op.rare_and_large(300_000), 0.5, 0.1, largest=largest)
    assert places[-3000:].mean() == pytest.approx(end, abs=5e-6)


@pytest.mark.parametrize("C", [2.5, 3.0, 10.0])
@pytest.mark.parametrize("beta2", [0.0, 0.1, 0.5, 0.9])
def test_the_drift_is_what_three_steps_of_adam_do(C, beta2):
    slopes = iter(op.rare_and_large(603, C))
    path = op.descend(optim.adam(1.0, 0.0, beta2, eps=0.0), lambda w: np.array(next(slopes)), np.array(0.0), 603)
    assert op.drift(beta2, C) == pytest.approx(path[-1] - path[-4], abs=1e-10)


def test_reddis_choice_drifts_the_wrong_way_and_the_usual_one_does_not():
    for C in (2.01, 3.0, 30.0):
        assert op.drift(1 / (1 + C**2), C) > 0 > op.drift(0.999, C)
