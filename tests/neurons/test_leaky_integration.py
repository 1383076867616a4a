"""The leaky integrator against closed forms, published values, SciPy's filters and its own definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import signal

from recurrence import time, tree
from recurrence.check import check_gradient
from recurrence.neurons import leaky_integration as li
from recurrence.neurons.leaky_integration import LeakyIntegrator
from recurrence.tape import grad, value_and_grad

LEAKS = [0.001, 0.05, 0.1, 0.3, 0.5, 0.8, li.LARGEST_LEAK_WITH_CUTOFF, 0.95, 1.0]
leaks = st.floats(1e-3, 1.0)
kinds = st.sampled_from([np.float32, np.float64])


@st.composite
def runs(draw):
    """A cell with one leak or one for each channel, a state, and a sequence with any batch axes."""
    kind, width = draw(kinds), draw(st.integers(1, 3))
    one = draw(st.booleans())
    leak = draw(leaks) if one else np.array(draw(st.lists(leaks, min_size=width, max_size=width)), kind)
    batch = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    steps = draw(st.integers(0, 70))
    bits = 32 if kind == np.float32 else 64
    numbers = st.floats(-100, 100, width=bits)
    xs = draw(arrays.arrays(kind, (*batch, steps, width), elements=numbers))
    cell = LeakyIntegrator(leak)
    start = cell.start(batch) if draw(st.booleans()) else np.full((*batch, width), draw(numbers), kind)
    return cell, start, xs


def close(ours, expected, cell, scale=100.0):
    """Equal to rounding: an error of one part in 1/eps is made at each step and kept for 1/leak steps."""
    eps = np.finfo(expected.dtype).eps
    np.testing.assert_allclose(ours, expected, rtol=0, atol=16 * eps * scale / np.min(cell.leak))


# The cell: one definition, two routes.


@given(runs())
def test_scan_equals_loop(run):
    cell, start, xs = run
    state, ys = time.loop(cell, start, xs)
    fast_state, fast_ys = time.scan(cell, start, xs)
    assert fast_ys.shape == ys.shape and fast_state.shape == state.shape
    assert fast_ys.dtype == ys.dtype == xs.dtype
    close(fast_ys, ys, cell)
    close(fast_state, state, cell)


@pytest.mark.parametrize("width", [1, 7, 3000, 20000])
def test_scan_equals_loop_where_it_works_in_blocks(width, monkeypatch):
    xs = np.random.default_rng(0).standard_normal((90000 // width + 1, width))
    cell = LeakyIntegrator(np.linspace(0.01, 1.0, width))
    np.testing.assert_allclose(time.scan(cell, cell.start(), xs)[1], time.loop(cell, cell.start(), xs)[1], atol=1e-13)
    monkeypatch.setattr(li, "BLOCK", 5)
    np.testing.assert_allclose(
        time.scan(cell, cell.start(), xs[:50])[1], time.loop(cell, cell.start(), xs[:50])[1], atol=1e-13
    )


@given(runs(), st.integers(0, 70))
def test_a_sequence_may_be_cut_anywhere(run, cut):
    cell, start, xs = run
    middle, first = time.scan(cell, start, xs[..., :cut, :])
    end, second = time.scan(cell, middle, xs[..., cut:, :])
    whole, ys = time.scan(cell, start, xs)
    close(np.concatenate([first, second], axis=-2), ys, cell)
    close(end, whole, cell)


@given(runs(), st.floats(-2, 2), st.integers(0, 2**32 - 1))
def test_linear(run, factor, seed):
    cell, _, xs = run
    xs = xs.astype(float)
    others = np.random.default_rng(seed).uniform(-100, 100, xs.shape)

    def respond(inputs):
        return time.scan(cell, cell.start(), inputs)[1]

    close(respond(xs + factor * others), respond(xs) + factor * respond(others), cell, scale=1000.0)


@given(runs(), st.integers(1, 9))
def test_time_invariant(run, delay):
    cell, _, xs = run
    xs = xs.astype(float)
    later = np.concatenate([np.zeros((*xs.shape[:-2], delay, xs.shape[-1])), xs], axis=-2)
    ys = time.scan(cell, cell.start(), later)[1]
    assert not ys[..., :delay, :].any()
    close(ys[..., delay:, :], time.scan(cell, cell.start(), xs)[1], cell)


@given(runs())
def test_stays_within_the_range_of_what_it_has_seen(run):
    cell, start, xs = run
    ys = time.scan(cell, start, xs)[1]
    assert np.all(np.abs(ys) <= max(np.abs(start).max(), np.abs(xs).max(initial=0)) * (1 + 1e-4))


@pytest.mark.parametrize("route", [time.loop, time.scan])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("leak", [0.25, np.float64(0.25), 1])
def test_a_number_as_leak_takes_on_the_precision_of_the_input(route, kind, leak):
    cell = LeakyIntegrator(leak)
    state, ys = route(cell, cell.start(), np.ones((5, 2), kind))
    assert ys.dtype == state.dtype == kind


def test_the_start_is_silence_in_the_shape_of_the_leak():
    assert LeakyIntegrator(0.5).start((4,)).shape == (4, 1)
    start = LeakyIntegrator(np.full(3, 0.5, np.float32)).start((2, 4))
    assert start.shape == (2, 4, 3) and start.dtype == np.float32 and not start.any()


def test_scan_leaves_its_arguments_alone_and_its_state_is_its_own():
    cell, start, xs = LeakyIntegrator(0.5), np.ones(2), np.ones((4, 2))
    state, ys = cell.scan(start, xs)
    state[:] = 9
    assert np.all(ys <= 1) and np.all(start == 1) and np.all(xs == 1)


def test_an_array_of_leaks_is_a_parameter_and_a_number_is_not():
    assert tree.size(LeakyIntegrator(np.array([0.1, 0.2]))) == 2
    assert tree.size(LeakyIntegrator(0.1)) == 0


def test_trace_shows_the_activation():
    cell, xs = LeakyIntegrator(0.3), np.ones((6, 2))
    states, ys = time.trace(cell, cell.start(), xs)
    np.testing.assert_array_equal(states, ys)


def test_a_leak_of_one_passes_the_input_through():
    xs = np.random.default_rng(1).standard_normal((9, 2))
    np.testing.assert_array_equal(time.scan(LeakyIntegrator(1.0), np.ones(2), xs)[1], xs)


# Gradients: the fused scan against the loop, and both against differences.


@st.composite
def weighted_runs(draw):
    """A model of cell, start and inputs in double precision, and a scalar of all that comes out."""
    cell, start, xs = draw(runs())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if isinstance(cell.leak, np.ndarray):
        cell = LeakyIntegrator(rng.uniform(0.05, 1.0, cell.leak.shape))
    model = (cell, rng.standard_normal(start.shape), rng.standard_normal(xs.shape))
    end, ys = time.loop(*model)
    weights = rng.standard_normal(end.shape), rng.standard_normal(ys.shape)
    return model, lambda route: lambda m: sum(np.sum(w * y) for w, y in zip(weights, route(*m), strict=True))


@settings(deadline=None)
@given(weighted_runs())
def test_the_fused_scan_has_the_gradient_of_the_loop(run):
    model, total = run
    assert total(time.scan)(model) == pytest.approx(total(time.loop)(model), rel=1e-9, abs=1e-9)
    ours, expected = tree.leaves(grad(total(time.scan))(model)), tree.leaves(grad(total(time.loop))(model))
    for dx, loop_dx in zip(ours, expected, strict=True):
        np.testing.assert_allclose(dx, loop_dx, rtol=1e-8, atol=1e-9 / np.min(model[0].leak))


@pytest.mark.parametrize("route", [time.loop, time.scan, time.trace])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_the_gradient_is_the_slope(route, batch):
    rng = np.random.default_rng(4)
    model = (
        LeakyIntegrator(np.array([0.1, 0.5, 0.95])),
        rng.standard_normal((*batch, 3)),
        rng.standard_normal((*batch, 6, 3)),
    )
    weights = rng.standard_normal((*batch, 6, 3))

    def total(m):
        end, ys = route(*m)
        return np.sum(ys * weights) + np.sum(end**3)

    check_gradient(total, model, rng=rng)


def test_the_gradient_of_the_scan_is_leaky_integration_backwards():
    cell, xs = LeakyIntegrator(0.3), np.zeros((5, 1))
    dxs = grad(lambda xs: time.scan(cell, cell.start(), xs)[1][-1, 0])(xs)
    np.testing.assert_allclose(dxs[::-1, 0], li.impulse_response(0.3, np.arange(5)), rtol=1e-14)


@pytest.mark.parametrize("route", [time.loop, time.scan])
def test_gradients_reach_whatever_is_a_variable_and_nothing_else(route):
    xs, start = np.random.default_rng(5).standard_normal((4, 2)), np.ones(2)
    cell = LeakyIntegrator(np.array([0.2, 0.6]))
    for k, leaf in enumerate((cell, start, xs)):

        def total(leaf, k=k):
            parts = [cell, start, xs]
            parts[k] = leaf
            return np.sum(route(*parts)[1] ** 2)

        check_gradient(total, leaf, rng=np.random.default_rng(6))
    silent = grad(lambda xs: np.sum(route(LeakyIntegrator(0.5), LeakyIntegrator(0.5).start(), xs)[1]))(xs)
    assert silent.shape == xs.shape


@pytest.mark.parametrize("route", [time.loop, time.scan])
def test_a_leak_may_be_computed_from_a_parameter(route):
    xs = np.random.default_rng(7).standard_normal((6, 2))
    for shape in ((), (2,)):

        def total(theta):
            cell = LeakyIntegrator(1 / (1 + np.exp(-theta)))
            return np.sum(route(cell, cell.start(), xs)[1] ** 2)

        check_gradient(total, np.full(shape, 0.3), rng=np.random.default_rng(8))
        check_gradient(lambda t, f=total: np.sum(grad(f)(t) ** 2), np.full(shape, 0.3), rng=np.random.default_rng(9))
    with pytest.raises(ValueError, match="A leak must lie above 0"):
        grad(lambda leak: np.sum(LeakyIntegrator(leak).start()))(np.array([1.5]))


def test_gradients_keep_single_precision():
    cell = LeakyIntegrator(np.full(2, 0.5, np.float32))
    model = (cell, np.ones(2, np.float32), np.ones((3, 2), np.float32))
    value, grads = value_and_grad(lambda m: np.sum(time.scan(*m)[1]))(model)
    assert value.dtype == np.float32 and {dx.dtype for dx in tree.leaves(grads)} == {np.dtype(np.float32)}


def test_without_steps_the_gradient_goes_to_the_start():
    model = (LeakyIntegrator(np.array([0.5])), np.ones((3, 1)), np.zeros((3, 0, 1)))
    grads = grad(lambda m: np.sum(time.scan(*m)[0] * np.arange(3.0)[:, None]))(model)
    np.testing.assert_array_equal(grads[1], [[0], [1], [2]])
    assert grads[0].leak == 0 and grads[2].shape == (3, 0, 1)


def test_an_unusual_leak_is_no_hindrance_on_the_way():
    # A step of an optimiser may carry a leak past 1; the model that says so is checked where it is made.
    cell = tree.map(lambda leak: leak + 1, LeakyIntegrator(np.array([0.5])))
    check_gradient(lambda m: np.sum(time.scan(m, np.ones(1), np.ones((3, 1)))[1]), cell, rng=np.random.default_rng(0))


# Against SciPy, which knows nothing of this package.


@pytest.mark.parametrize("leak", LEAKS)
def test_scan_is_the_filter_that_scipy_runs(leak):
    xs = np.random.default_rng(2).standard_normal((3, 400, 2))
    cell = LeakyIntegrator(leak)
    expected = signal.lfilter([leak], [1, leak - 1], xs, axis=-2)
    np.testing.assert_allclose(time.scan(cell, cell.start((3,)), xs)[1], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("leak", LEAKS)
def test_frequency_response_is_the_one_that_scipy_computes(leak):
    omega = np.linspace(0, np.pi, 200)
    _, expected = signal.freqz([leak], [1, leak - 1], worN=omega)
    response = li.frequency_response(leak, omega)
    np.testing.assert_allclose(response, expected, atol=1e-12)
    np.testing.assert_allclose(li.gain(leak, omega), np.abs(expected), rtol=1e-10)
    np.testing.assert_allclose(li.phase(leak, omega), np.angle(expected), atol=1e-10)


# Closed forms against the running cell.


@given(leaks, st.integers(1, 200))
def test_impulse_response(leak, steps):
    xs = np.zeros((steps, 1))
    xs[0] = 1
    cell = LeakyIntegrator(leak)
    ys = time.loop(cell, cell.start(), xs)[1][:, 0]
    np.testing.assert_allclose(li.impulse_response(leak, np.arange(steps)), ys, rtol=1e-9, atol=1e-300)


@given(leaks, st.integers(1, 200))
def test_step_response_rises_to_one_and_never_beyond(leak, steps):
    cell = LeakyIntegrator(leak)
    ys = time.loop(cell, cell.start(), np.ones((steps, 1)))[1][:, 0]
    response = li.step_response(leak, np.arange(steps))
    np.testing.assert_allclose(response, ys, rtol=1e-11)
    assert np.all(response <= 1) and np.all(np.diff(response) >= 0)
    np.testing.assert_allclose(response, np.cumsum(li.impulse_response(leak, np.arange(steps))), rtol=1e-11)


def test_nothing_happens_before_the_input():
    assert np.all(li.impulse_response(0.3, [-2, -1]) == 0) and np.all(li.step_response(0.3, [-2, -1]) == 0)


@pytest.mark.parametrize("leak", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("omega", [0.1, 1.0, 3.0])
def test_a_sine_comes_out_as_gain_and_phase_say(leak, omega):
    n = np.arange(2000)
    cell = LeakyIntegrator(leak)
    ys = time.scan(cell, cell.start(), np.sin(omega * n)[:, None])[1][:, 0]
    expected = li.gain(leak, omega) * np.sin(omega * n + li.phase(leak, omega))
    np.testing.assert_allclose(ys[1000:], expected[1000:], atol=1e-12)


@given(leaks)
def test_noise_variance_is_the_energy_of_the_impulse_response(leak):
    energy = np.sum(li.impulse_response(leak, np.arange(30000)) ** 2)
    np.testing.assert_allclose(li.noise_variance(leak), energy, rtol=1e-9)


# Published and recomputed values.


@pytest.mark.parametrize(
    ("leak", "exact", "continuous"),
    [(0.05, 0.05130, 0.05129), (0.1, 0.10546, 0.10536), (0.3, 0.36052, 0.35667), (0.5, 0.72273, 0.69315)],
)
def test_cutoff_and_its_continuous_approximation(leak, exact, continuous):
    assert li.cutoff(leak) == pytest.approx(exact, abs=5.1e-6)
    assert 1 / li.tau_from_leak(leak) == pytest.approx(continuous, abs=5.1e-6)


@pytest.mark.parametrize("leak", LEAKS)
def test_gain_at_the_ends_of_the_frequency_axis(leak):
    assert li.gain(leak, 0.0) == 1.0
    assert li.gain(leak, np.pi) == pytest.approx(leak / (2 - leak), rel=1e-12)


def test_after_one_time_constant_63_percent_are_reached():
    leak = li.leak_from_tau(20.0, 0.5)
    assert li.step_response(leak, 40 - 1) == pytest.approx(1 - math.exp(-1), rel=1e-12)
    assert round(100 * (1 - math.exp(-1)), 1) == 63.2


# The cut-off.


@given(st.floats(1e-6, li.LARGEST_LEAK_WITH_CUTOFF))
def test_half_of_the_power_is_left_at_the_cutoff(leak):
    omega = li.cutoff(leak)
    assert 0 < omega <= np.pi
    assert li.gain(leak, omega) ** 2 == pytest.approx(0.5, rel=1e-9)
    assert np.cos(omega) == pytest.approx(1 - leak**2 / (2 * (1 - leak)), abs=1e-12)


def test_the_largest_leak_with_a_cutoff_has_it_at_the_fastest_frequency():
    assert li.cutoff(li.LARGEST_LEAK_WITH_CUTOFF) == pytest.approx(np.pi, abs=1e-7)
    assert li.gain(li.LARGEST_LEAK_WITH_CUTOFF, np.pi) ** 2 == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("leak", [0.83, 1.0, np.array([0.1, 0.9])])
def test_beyond_it_there_is_no_cutoff(leak):
    with pytest.raises(ValueError, match=r"has no −3 dB cut-off: above 2√2 − 2 ≈ 0\.828427 more than half"):
        li.cutoff(leak)
    assert li.gain(np.max(leak), np.pi) ** 2 > 0.5


# Time constants.


@given(st.floats(0.01, 1000.0), st.floats(0.001, 10.0))
def test_tau_and_leak_are_inverse(tau, dt):
    leak = li.leak_from_tau(tau, dt)
    if leak < 1 - 1e-9:
        assert li.tau_from_leak(leak, dt) == pytest.approx(tau, rel=1e-5)


def test_no_memory_is_a_time_constant_of_zero():
    assert li.leak_from_tau(0.0, 0.1) == 1.0
    assert li.tau_from_leak(1.0, 0.1) == 0.0


def test_half_steps_with_the_same_input_are_one_step():
    whole, half = LeakyIntegrator(li.leak_from_tau(3.0, 1.0)), LeakyIntegrator(li.leak_from_tau(3.0, 0.5))
    xs = np.random.default_rng(3).standard_normal((50, 1))
    slow = time.loop(whole, whole.start(), xs)[1]
    fast = time.loop(half, half.start(), np.repeat(xs, 2, axis=0))[1]
    np.testing.assert_allclose(fast[1::2], slow, atol=1e-14)


def test_small_leaks_keep_their_digits():
    assert li.leak_from_tau(1e9) == pytest.approx(1e-9 - 5e-19, rel=1e-15, abs=0)
    assert li.cutoff(1e-9) == pytest.approx(1e-9 + 5e-19, rel=1e-14, abs=0)


# What is refused, and how.


@pytest.mark.parametrize("leak", [0, -0.1, 1.01, np.nan, np.array([0.5, 0.0])])
def test_a_leak_outside_its_range_is_one_clear_sentence(leak):
    calls = (
        LeakyIntegrator,
        li.tau_from_leak,
        li.cutoff,
        li.noise_variance,
        lambda a: li.impulse_response(a, 1),
        lambda a: li.step_response(a, 1),
        lambda a: li.frequency_response(a, 1.0),
        lambda a: li.gain(a, 1.0),
        lambda a: li.phase(a, 1.0),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"^A leak must lie above 0.* at most at 1"):
            call(leak)


@pytest.mark.parametrize(("tau", "dt"), [(-1.0, 1.0), (np.inf, 1.0), (np.nan, 1.0)])
def test_an_impossible_time_constant_is_refused(tau, dt):
    with pytest.raises(ValueError, match=r"^A time constant must be finite and at least 0"):
        li.leak_from_tau(tau, dt)


@pytest.mark.parametrize("dt", [0.0, -1.0, np.nan])
def test_a_step_without_length_is_refused(dt):
    for call in (li.leak_from_tau, li.tau_from_leak):
        with pytest.raises(ValueError, match=r"^A step must last"):
            call(0.5, dt)


def test_a_gradient_may_lie_outside_the_range_of_leaks():
    cell = LeakyIntegrator(np.array([0.1, 0.2]))
    np.testing.assert_array_equal(tree.map(np.negative, cell).leak, [-0.1, -0.2])
