"""The leaky integrate-and-fire neuron against closed forms, published rates, SciPy's quadrature and its definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import integrate, special

from recurrence import time, tree
from recurrence.neurons import leaky_integration as li
from recurrence.neurons import lif
from recurrence.neurons.leaky_integration import LeakyIntegrator
from recurrence.neurons.lif import LIF, Membrane

# Brian2's example IF_curve_LIF: voltages count from rest, and 1 MΩ makes a nanoampere of each millivolt.
BRIAN = LIF(tau=10.0, resistance=1.0, rest=0.0, threshold=10.0, reset=0.0, refractory=5.0, dt=0.05)
# The neuron of Brunel (2000).
BRUNEL = LIF(tau=20.0, resistance=1.0, rest=0.0, threshold=20.0, reset=10.0, refractory=2.0)


@st.composite
def runs(draw):
    """A neuron with numbers or arrays for parameters, a state and currents with any batch axes."""
    N = draw(st.integers(1, 3))
    threshold = draw(st.sampled_from([-50.0, np.linspace(-55, -45, N)]))
    refractory = draw(st.sampled_from([0.0, 0.4, np.linspace(0, 1.5, N)]))
    method = draw(st.sampled_from(list(lif.METHODS)))
    neuron = LIF(threshold=threshold, refractory=refractory, dt=draw(st.sampled_from([0.1, 0.5])), method=method)
    batch = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    steps = draw(st.integers(0, 60))
    currents = draw(arrays.arrays(float, (*batch, steps, N), elements=st.floats(-1, 5)))
    start = neuron.start(batch)
    if draw(st.booleans()):
        start = Membrane(np.full((*batch, N), draw(st.floats(-80, -56))), np.full((*batch, N), draw(st.integers(0, 4))))
    return neuron, start, currents


def same(ours, expected):
    for a, b in zip(tree.leaves(ours, every=True), tree.leaves(expected, every=True), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


# The cell: one definition, two routes.


@given(runs())
def test_scan_is_loop_to_the_last_bit(run):
    neuron, start, currents = run
    state, spikes = time.loop(neuron, start, currents)
    fast_state, fast_spikes = time.scan(neuron, start, currents)
    assert fast_spikes.dtype == spikes.dtype == bool and fast_spikes.shape == currents.shape
    np.testing.assert_array_equal(fast_spikes, spikes)
    if currents.shape[-2]:
        same(fast_state, state)


@given(runs(), st.integers(0, 60))
def test_a_sequence_may_be_cut_anywhere(run, cut):
    neuron, start, currents = run
    middle, first = time.scan(neuron, start, currents[..., :cut, :])
    end, second = time.scan(neuron, middle, currents[..., cut:, :])
    whole, spikes = time.scan(neuron, start, currents)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=-2), spikes)
    same(end, whole)


@settings(max_examples=50)
@given(runs())
def test_the_voltage_stays_below_the_threshold_and_rests_while_it_waits(run):
    neuron, start, currents = run
    states, spikes = time.trace(neuron, start, currents)
    assert np.all(neuron.threshold > states.V)
    assert np.all(states.V[spikes] == neuron.reset)
    assert np.all((states.wait >= 0) & (states.wait <= np.maximum(neuron.hold, 4)))
    later = states.wait[..., :-1, :] > 0
    assert np.all(states.V[..., 1:, :][later] == neuron.reset)


def test_scan_leaves_its_arguments_alone():
    neuron = LIF()
    start, currents = neuron.start(), np.full((300, 2), 0.4)
    _, spikes = neuron.scan(start, currents)
    assert spikes.any() and start.V[0] == -65 and start.wait[0] == 0 and np.all(currents == 0.4)


def test_without_a_spike_it_is_the_leaky_integrator():
    currents = np.random.default_rng(0).uniform(-0.1, 0.1, (200, 3))
    neuron = LIF()
    states, spikes = time.trace(neuron, neuron.start(), currents)
    membrane = LeakyIntegrator(li.leak_from_tau(20.0, 0.1))
    _, expected = time.loop(membrane, np.full(3, -65.0), -65 + 100 * currents)
    assert not spikes.any()
    np.testing.assert_allclose(states.V, expected, rtol=1e-13)


def test_the_start_is_rest_in_the_shape_of_the_parameters():
    assert LIF().start((4,)).V.shape == (4, 1)
    start = LIF(threshold=np.array([-50.0, -40.0]), rest=-70.0).start((3,))
    assert start.V.shape == start.wait.shape == (3, 2) and np.all(start.V == -70) and not start.wait.any()


# Constant current.


@pytest.mark.parametrize(
    ("v0", "rate"), [(10.5, 28.2125), (12.0, 43.6346), (15.0, 62.5543), (20.0, 83.8120), (30.0, 110.4405)]
)
def test_published_set_up_has_the_rates_of_the_closed_form(v0, rate):
    assert lif.firing_rate(BRIAN, v0) == pytest.approx(rate, abs=5.1e-5)


def test_the_count_of_one_second_is_within_one_spike_of_the_closed_form():
    v0 = np.linspace(0, 20, 200)
    _, spikes = time.scan(BRIAN, BRIAN.start(), np.broadcast_to(v0, (20000, 200)))
    assert np.max(np.abs(spikes.sum(axis=0) - lif.firing_rate(BRIAN, v0))) <= 1


@settings(max_examples=30)
@given(st.floats(0.16, 1.0), st.floats(5, 40), st.integers(0, 30), st.sampled_from([-50.0, -55.0]))
def test_intervals_are_the_closed_form_rounded_up_to_the_grid(current, tau, hold, threshold):
    neuron = LIF(tau=tau, threshold=threshold, refractory=0.2 * hold, dt=0.2)
    expected = lif.interval(neuron, current)
    _, spikes = time.scan(neuron, neuron.start(), np.full((int(4 * expected / 0.2) + 8, 1), current))
    gaps = lif.intervals(spikes, 0.2)
    assert gaps.size >= 2 and np.ptp(gaps) < 1e-9
    assert -1e-6 <= gaps[0] - expected <= 0.2 + 1e-6


def test_the_first_spike_comes_after_the_rise_and_the_others_after_the_refractory_period_too():
    neuron = LIF(refractory=3.0)
    _, spikes = time.scan(neuron, neuron.start(), np.full((3000, 1), 0.3))
    when = np.flatnonzero(spikes[:, 0])
    rise = math.ceil((lif.interval(neuron, 0.3) - 3.0) / 0.1)
    assert when[0] + 1 == rise
    assert set(np.diff(when)) == {rise + 30}


@pytest.mark.parametrize(("refractory", "dt", "steps"), [(0.3, 0.1, 3), (2.7, 1.0, 3), (2.3, 1.0, 2), (0.0, 0.5, 0)])
def test_the_refractory_period_is_the_nearest_number_of_steps(refractory, dt, steps):
    assert LIF(refractory=refractory, dt=dt).hold == steps


def test_silent_up_to_the_rheobase():
    neuron = LIF()
    assert lif.rheobase(neuron) == pytest.approx(0.15)
    assert np.all(lif.firing_rate(neuron, [-1.0, 0.0, 0.1499]) == 0)
    assert lif.firing_rate(neuron, 0.1501) > 0
    _, spikes = time.scan(neuron, neuron.start(), np.full((20000, 2), [0.1499, 0.1501]))
    assert not spikes[:, 0].any() and spikes[:, 1].any()


def test_the_rate_cannot_exceed_one_spike_a_refractory_period():
    assert lif.firing_rate(LIF(refractory=4.0), 1e6) == pytest.approx(250, rel=1e-3)
    assert lif.interval(LIF(refractory=0.0), 1e6) == pytest.approx(20 * 15 / 1e8, rel=1e-6)


# Exact integration, Euler's rule and the midpoint rule.


@pytest.mark.parametrize(("dt", "expected"), [(1.0, 9.4912), (0.5, 9.7479), (0.1, 9.9499), (0.01, 9.9950)])
def test_euler_runs_a_neuron_with_another_time_constant(dt, expected):
    leak = LIF(tau=10.0, dt=dt, method="euler").leak
    assert li.tau_from_leak(leak, dt) == pytest.approx(expected, abs=5.1e-5)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2)])
def test_order_of_the_error(method, order):
    dts = np.array([0.4, 0.2, 0.1, 0.05])
    errors = [abs(li.tau_from_leak(LIF(tau=10.0, dt=dt, method=method).leak, dt) - 10.0) for dt in dts]
    slope = np.polyfit(np.log(dts), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.05)


def test_exact_integration_has_no_error_whatever_the_step():
    for dt in (0.01, 1.0, 30.0):
        assert li.tau_from_leak(LIF(tau=10.0, dt=dt).leak, dt) == pytest.approx(10, rel=1e-12)


# Noise.


@pytest.mark.parametrize("dt", [0.05, 0.5, 5.0])
def test_white_noise_has_the_same_effect_whatever_the_step(dt):
    neuron, rng = LIF(threshold=1e9, dt=dt), np.random.default_rng(1)
    currents = lif.white_noise(neuron, 3.0, (int(100 / dt), 4000), rng)
    end, _ = time.scan(neuron, neuron.start(), currents)
    assert np.std(end.V) == pytest.approx(3.0, rel=4 / math.sqrt(2 * 4000))
    assert np.mean(end.V) == pytest.approx(-65, abs=4 * 3 / math.sqrt(4000))


def test_the_voltage_in_noise_remembers_for_tau():
    neuron, rng = LIF(threshold=1e9, dt=5.0), np.random.default_rng(2)
    states, _ = time.trace(neuron, neuron.start(), lif.white_noise(neuron, 2.0, (60, 4000), rng))
    before, after = states.V[-1 - 4], states.V[-1]
    assert np.corrcoef(before, after)[0, 1] == pytest.approx(math.exp(-1), abs=4 / math.sqrt(4000))


def test_noise_for_short_steps_grows_as_they_shrink():
    for dt in (1e-3, 1e-5):
        amplitude = np.std(lif.white_noise(LIF(dt=dt), 3.0, (10000, 1), np.random.default_rng(3)))
        assert amplitude == pytest.approx(3 / 100 * math.sqrt(2 * 20 / dt), rel=0.03)


@pytest.mark.parametrize("current", [-0.1, 0.0, 0.1, 0.15, 0.2, 1.0])
@pytest.mark.parametrize("sigma", [0.5, 2.0, 10.0])
def test_siegert_agrees_with_scipy(current, sigma):
    neuron = LIF(reset=-60.0)
    a, b = ((v - neuron.drive(current)) / (math.sqrt(2) * sigma) for v in (-60.0, -50.0))
    if b > 20:  # here SciPy's integrand overflows, and the rate is nothing at all
        assert lif.siegert(neuron, current, sigma) < 1e-150
        return
    integral = integrate.quad(lambda u: special.erfcx(-u), a, b, epsabs=0, epsrel=1e-13, limit=300)[0]
    expected = 1000 / (2 + 20 * math.sqrt(math.pi) * integral)
    assert lif.siegert(neuron, current, sigma) == pytest.approx(expected, rel=1e-12)


def test_siegert_takes_arrays_and_fades_into_silence_without_a_warning():
    rates = lif.siegert(LIF(), np.array([[-5.0, 0.0], [0.1, 0.2]]), 2.0)
    assert rates.shape == (2, 2) and rates[0, 0] == 0 and np.all(np.diff(rates.ravel()) > 0)


def test_with_little_noise_siegert_is_the_closed_form_of_constant_current():
    neuron, currents = LIF(), np.array([0.16, 0.2, 0.5])
    np.testing.assert_allclose(lif.siegert(neuron, currents, 1e-2), lif.firing_rate(neuron, currents), rtol=1e-4)
    assert lif.siegert_cv(neuron, 0.2, 1e-2) < 2e-3


@pytest.mark.parametrize(("g", "drive", "printed"), [(5.0, 2.0, 38.0), (4.5, 0.9, 6.5)])
def test_mean_field_rates_of_brunel_to_a_tenth_of_a_hertz(g, drive, printed):
    def response(rate):
        mean = 1000 * 0.1 * 0.02 * (10 * drive + rate * (1 - g / 4))
        variance = 1000 * 0.1**2 * 0.02 * (10 * drive + rate * (1 + g**2 / 4)) / 2
        return lif.siegert(BRUNEL, mean, math.sqrt(variance))

    low, high = 0.0, 500.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if response(middle) > middle else (low, middle)
    assert low == pytest.approx({38.0: 37.9497, 6.5: 6.5167}[printed], abs=5.1e-5)
    assert low == pytest.approx(printed, abs=0.1)


@pytest.mark.parametrize(("current", "sigma"), [(0.14, 3.0), (0.2, 3.0)])
def test_simulated_rate_and_irregularity_are_those_of_the_theory_for_its_step(current, sigma):
    neuron, rng = LIF(dt=0.2), np.random.default_rng(4)
    currents = current + lif.white_noise(neuron, sigma, (25000, 160), rng)
    _, spikes = time.scan(neuron, neuron.start(), currents)
    counts = spikes[2500:].sum(axis=0) / 4.5
    error = np.std(counts) / math.sqrt(counts.size)
    corrected, continuous = (lif.siegert(neuron, current, sigma, dt) for dt in (0.2, 0.0))
    assert abs(np.mean(counts) - corrected) < 3 * error
    assert abs(np.mean(counts) - continuous) > 5 * error, "the step ought to be seen"
    gaps = lif.intervals(spikes[2500:], 0.2)
    expected = lif.siegert_cv(neuron, current, sigma, 0.2)
    assert lif.cv(gaps) == pytest.approx(expected, rel=0.025)


def test_rare_spikes_come_by_pure_chance():
    assert lif.siegert_cv(LIF(), 0.0, 3.0) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("low", "high"), [(-1.5, 0.8), (-4, -2), (-0.5, 2.0), (-12, -8), (-30, -5)])
def test_variance_of_the_intervals_agrees_with_scipy(low, high):
    neuron = LIF(tau=1.0, resistance=1.0, rest=0.0, threshold=high, reset=low, refractory=0.0)

    def slope(v):
        return math.sqrt(math.pi) * special.erfcx(-v)

    def inner(v):
        return integrate.quad(lambda r: math.exp(2 * v * r - r * r) * slope(v - r) ** 2, 0, np.inf, epsrel=1e-12)[0]

    mean = integrate.quad(slope, low, high, epsrel=1e-12)[0]
    variance = 2 * integrate.quad(inner, low, high, epsrel=1e-11)[0]
    ours = lif.siegert_cv(neuron, 0.0, 1 / math.sqrt(2))
    assert ours == pytest.approx(math.sqrt(variance) / mean, rel=1e-11)


def test_irregularity_goes_from_chance_to_clockwork_with_the_current():
    irregular = lif.siegert_cv(LIF(), np.linspace(-1, 1, 101), 3.0)
    assert irregular.shape == (101,) and irregular[0] == 1
    assert np.all(np.diff(irregular) < 1e-6) and irregular[-1] < 0.1


def test_overshoot_is_the_constant_of_the_riemann_zeta_function():
    # ζ(1/2) from the alternating series, summed by Euler's transformation.
    terms = np.array([(-1) ** k / math.sqrt(k + 1) for k in range(60)])
    sums = np.cumsum(terms)
    while sums.size > 1:
        sums = (sums[1:] + sums[:-1]) / 2
    zeta = sums[0] / (1 - math.sqrt(2))
    assert -zeta / math.sqrt(2 * math.pi) == pytest.approx(lif.OVERSHOOT, rel=1e-12)


# Spike trains.


def test_intervals_never_reach_from_one_neuron_to_the_next():
    spikes = np.zeros((2, 12, 2), bool)
    spikes[0, [1, 4, 9], 0] = spikes[0, [0, 11], 1] = spikes[1, [5], 0] = spikes[1, [2, 3], 1] = True
    np.testing.assert_allclose(lif.intervals(spikes, 0.5), [1.5, 2.5, 5.5, 0.5])
    assert lif.intervals(np.zeros((5, 3)), 0.1).size == 0


def test_cv_of_a_clock_and_of_chance():
    assert lif.cv([7.0, 7.0, 7.0]) == 0
    assert lif.cv(np.random.default_rng(5).exponential(3.0, 40000)) == pytest.approx(1, abs=0.03)
    with pytest.raises(ValueError, match=r"^A spread needs two intervals at least, and there are 1"):
        lif.cv([3.0])


def test_crossings_are_the_first_steps_at_or_above_the_level():
    np.testing.assert_array_equal(lif.crossings([0, 2, 3, 1, 0, 2, 2, 5, -1], 2), [1, 5])
    assert lif.crossings([5, 4, 3], 4).size == 0


# What is refused, and how.


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tau": 0.0}, "tau must be positive and finite, not 0"),
        ({"tau": math.inf}, "tau must be positive and finite"),
        ({"resistance": -1.0}, "resistance must be positive and finite"),
        ({"dt": math.nan}, "dt must be positive and finite"),
        ({"refractory": -0.1}, "refractory must be finite and at least 0"),
        ({"reset": -50.0}, "After a spike the neuron starts below its threshold: reset -50.0 is not below -50.0"),
        ({"method": "rk4"}, "No method is called 'rk4'; take one of exact, euler, midpoint"),
        ({"method": "euler", "dt": 25.0}, "The method 'euler' needs steps no longer than tau"),
    ],
)
def test_an_impossible_neuron_is_one_clear_sentence(wrong, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        LIF(**wrong)


@pytest.mark.parametrize("call", [lif.siegert, lif.siegert_cv])
@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan])
def test_noise_must_be_positive(call, sigma):
    with pytest.raises(ValueError, match=r"^The noise must be positive"):
        call(LIF(), 0.2, sigma)
