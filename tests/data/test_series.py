"""Mackey–Glass against its linearisation and known statistics; NARMA against its definition and a known floor."""

import math

import numpy as np
import pytest

from recurrence import data
from recurrence.data import series


def rng(seed=0):
    return np.random.default_rng(seed)


# Mackey–Glass


@pytest.mark.parametrize(("tau", "dt"), [(17.0, 0.1), (30.0, 0.1), (5.0, 0.25)])
def test_every_euler_step_is_the_equation(tau, dt):
    y = series.mackey_glass(2000, rng(), tau=tau, dt=dt, every=1, discard=0)[:, 0]
    lag = round(tau / dt)
    delayed, now, after = y[: -lag - 1], y[lag:-1], y[lag + 1 :]
    np.testing.assert_allclose((after - now) / dt, 0.2 * delayed / (1 + delayed**10) - 0.1 * now, atol=1e-13)


def test_every_tenth_step_is_kept_after_the_discarded_ones():
    fine = series.mackey_glass(600, rng(), every=1, discard=0)
    np.testing.assert_array_equal(series.mackey_glass(30, rng(), discard=20), fine[209:509:10])


@pytest.mark.parametrize("seed", range(3))
def test_chaos_has_its_known_range_and_moments(seed):
    y = series.mackey_glass(10000, rng(seed))
    assert y.shape == (10000, 1) and y.dtype == np.float64
    assert y.min() == pytest.approx(0.413, abs=0.005) and y.max() == pytest.approx(1.321, abs=0.005)
    assert y.mean() == pytest.approx(0.929, abs=0.002) and y.var() == pytest.approx(0.0512, abs=0.0005)


def test_chaos_forgets_its_start_but_not_its_seed():
    one, again, other = (series.mackey_glass(100, rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1


def test_a_short_delay_leaves_it_at_rest_and_a_longer_one_makes_it_swing():
    # Around y = 1 the equation is z' = −0.4 z(t − τ) − 0.1 z: it starts to swing where cos ωτ = −1/4 and ω² = 0.15.
    omega = math.sqrt(0.15)
    critical = math.acos(-0.25) / omega
    assert critical == pytest.approx(4.71, abs=0.005)
    rest = series.mackey_glass(200, rng(), tau=4.2, discard=5000)
    np.testing.assert_allclose(rest, 1, atol=1e-6)
    swing = series.mackey_glass(40000, rng(), tau=4.8, every=1, discard=40000)[:, 0] - 1
    assert np.abs(swing).max() > 0.05
    crossings = np.flatnonzero((swing[:-1] < 0) & (swing[1:] >= 0))
    assert 0.1 * np.diff(crossings).mean() == pytest.approx(2 * math.pi / omega, rel=0.03)


@pytest.mark.parametrize(("tau", "dt"), [(0.0, 0.1), (-1.0, 0.1), (17.05, 0.1), (0.04, 0.1)])
def test_a_delay_between_steps_is_refused(tau, dt):
    with pytest.raises(ValueError, match=r"must be a positive multiple of the step dt = 0\.1"):
        series.mackey_glass(10, rng(), tau=tau, dt=dt)


# NARMA


@pytest.mark.parametrize(("order", "a", "b", "c", "d"), [(10, 0.3, 0.05, 1.5, 0.1), (30, 0.2, 0.04, 1.5, 0.001)])
def test_every_output_follows_from_the_definition(order, a, b, c, d):
    u, y = series.narma(500, rng(), order=order)
    assert u.shape == y.shape == (500, 1) and u.dtype == y.dtype == np.float64
    assert u.min() >= 0 and u.max() < 0.5
    for n in range(order, 500):
        # As the papers have it: y(t + 1) from y(t), ..., y(t − k + 1) and from u(t), u(t − k + 1), where t = n.
        past = sum(y[n - i, 0] for i in range(1, order + 1))
        expected = a * y[n - 1, 0] + b * y[n - 1, 0] * past + c * u[n - order + 1, 0] * u[n, 0] + d
        assert y[n, 0] == pytest.approx(expected, rel=1e-12)


def test_a_shift_register_does_as_badly_as_is_known():
    u, y = series.narma(9000, rng(), order=10)
    taps = np.hstack([np.roll(u, k, axis=0) for k in range(40)] + [np.ones_like(u)])
    train, test = slice(40, 6000), slice(6000, None)
    readout = np.linalg.lstsq(taps[train], y[train], rcond=None)[0]
    error = np.sqrt(np.mean((taps[test] @ readout - y[test]) ** 2) / y[test].var())
    assert error == pytest.approx(0.386, abs=0.02)


def test_a_run_that_leaves_its_range_is_drawn_anew(monkeypatch):
    first = series.narma(1000, rng())[1].max()
    monkeypatch.setattr(series, "RUNAWAY", first - 0.01)
    u, y = series.narma(1000, rng())
    assert y.max() < first
    assert not np.array_equal(u, series.narma(1000, rng(1))[0])


def test_another_order_is_refused():
    with pytest.raises(ValueError, match="NARMA system of order 20 here; take 10 or 30"):
        series.narma(10, rng(), order=20)


# As data sets


@pytest.mark.parametrize("name", ["mackey_glass", "narma10", "narma30"])
def test_the_test_part_continues_the_train_part(name):
    loaded = data.load(name, rng=rng())
    for (inputs, targets), steps in ((loaded.train, 3000), (loaded.test, 1000)):
        assert inputs.shape == targets.shape == (steps, 1)
        assert np.isfinite(inputs).all() and np.isfinite(targets).all()
    if name == "mackey_glass":
        np.testing.assert_array_equal(loaded.train[0][1:], loaded.train[1][:-1])
        np.testing.assert_array_equal(loaded.test[0][0], loaded.train[1][-1])
    else:
        u, y = series.narma(4000, rng(), order=int(name[5:]))
        np.testing.assert_array_equal(np.concatenate([loaded.train[0], loaded.test[0]]), u)
        np.testing.assert_array_equal(np.concatenate([loaded.train[1], loaded.test[1]]), y)
