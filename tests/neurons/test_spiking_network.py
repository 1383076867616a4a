"""Spiking networks against their definition, closed forms, published rates, and the surrogate against its formula."""

import json
import math
import shlex
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurrence import data, ops, tape, time, tree
from recurrence.basics.linear import answers
from recurrence.check import check_gradient
from recurrence.neurons import lif
from recurrence.neurons import spiking_network as sn
from recurrence.neurons.lif import LIF
from recurrence.neurons.spiking_network import Brunel, Network, Poisson, Synapses
from recurrence.optim import adam
from recurrence.train import batches, train

seeds = st.integers(0, 2**32 - 1)
FREE = replace(sn.BRUNEL, threshold=math.inf)


def recorded(name):
    folder = resources.files("recurrence.neurons") / "results"
    return json.loads((folder / name).read_text("utf-8"))


# Coupled by potentials.


def test_neurons_coupled_by_potentials_settle_where_the_equation_says():
    rng = np.random.default_rng(0)
    W = rng.normal(0, 0.1, (20, 20))
    cell, current = sn.Coupled(W, 0.1), rng.standard_normal(20)
    V, ys = time.scan(cell, cell.start(), np.tile(current, (600, 1)))
    np.testing.assert_allclose(V, current @ np.linalg.inv(np.eye(20) - W), rtol=1e-9)
    np.testing.assert_array_equal(ys[-1], V)
    assert cell.start((3,)).shape == (3, 20)


def test_a_mode_of_coupled_neurons_fades_by_its_eigenvalue():
    W = np.array([[0.0, 0.5], [0.5, 0.0]])  # eigenvalues 1/2 and -1/2
    cell = sn.Coupled(W, 0.2)
    V, _ = time.scan(cell, np.array([1.0, 1.0]), np.zeros((10, 2)))
    np.testing.assert_allclose(V, (1 - 0.2 * (1 - 0.5)) ** 10, rtol=1e-12)
    V, _ = time.scan(cell, np.array([1.0, -1.0]), np.zeros((10, 2)))
    np.testing.assert_allclose(V, (1 - 0.2 * (1 + 0.5)) ** 10 * np.array([1, -1]), rtol=1e-12)


# Wiring.


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(12, 40), seeds)
def test_drawn_numbers_are_distinct_and_as_many_as_asked_for(counts, among, seed):
    rows = sn.distinct(counts, among, np.random.default_rng(seed))
    assert rows.shape == (len(counts), max(*counts, 1))
    for row, count in zip(rows, counts, strict=True):
        assert len(set(row[:count].tolist())) == count and np.all(row[:count] < among)
        assert np.all(row[count:] == among) and np.all(np.diff(row.astype(int)) >= 0)


def test_all_choices_are_equally_likely():
    # Two of four: six choices; three standard errors of a share of one sixth among 60,000.
    rows = sn.distinct(np.full(60_000, 2), 4, np.random.default_rng(5))
    shares = np.bincount(4 * rows[:, 0].astype(int) + rows[:, 1], minlength=16) / 60_000
    assert np.count_nonzero(shares) == 6
    np.testing.assert_allclose(shares[shares > 0], 1 / 6, atol=3 * math.sqrt(5 / 36 / 60_000))


def test_more_distinct_numbers_than_there_are_cannot_be_drawn():
    assert sn.distinct([5], 5, np.random.default_rng(0)).tolist() == [[0, 1, 2, 3, 4]]
    with pytest.raises(ValueError, match="6 different numbers cannot be drawn from 5"):
        sn.distinct([6], 5, np.random.default_rng(0))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=9), st.integers(6, 12), seeds)
def test_inverting_a_table_twice_gives_it_back(counts, among, seed):
    rows = sn.distinct(counts, among, np.random.default_rng(seed))
    heard = sn.inverted(rows, among)
    pairs = {(int(i), j) for j, row in enumerate(rows) for i in row if i < among}
    assert {(i, int(j)) for i, row in enumerate(heard) for j in row if j < len(rows)} == pairs
    np.testing.assert_array_equal(sn.inverted(heard, len(rows)), rows)


def test_tables_of_large_networks_keep_large_numbers():
    rows = sn.distinct([3, 2], 100_000, np.random.default_rng(1))
    assert rows.max() == 100_000 and rows[0].max() > 2**16 - 1
    assert rows.dtype == np.int32 and sn.distinct([3], 60_000, np.random.default_rng(1)).dtype == np.uint16


# The simulation.


def by_definition(network, V, steps, arrivals):
    """Step by step with a full matrix, the neuron's own step and the whole past: slow, and plainly right."""
    neuron, N, dt = network.neuron, network.N, network.neuron.dt
    matrices = []
    for kind in network.synapses:
        W = np.zeros((N, N + 1))
        for row, targets in enumerate(kind.table):
            W[kind.first + row, targets] = kind.weight
        matrices.append(W[:, :N])
    s = [np.zeros(N) for _ in network.synapses]
    V, wait, fired = np.array(V, float), np.zeros(N, int), []
    for n in range(steps):
        V = neuron.rest + (V - neuron.rest) * math.exp(-dt / neuron.tau)
        for k, kind in enumerate(network.synapses):
            delay = round(kind.delay / dt)
            heard = fired[n - delay] @ matrices[k] if n >= delay else np.zeros(N)
            if kind.tau:
                # The integral of e^(-(dt - t)/tau) s(t) / tau over the step, by Simpson's rule in 200 pieces.
                t = np.linspace(0, dt, 201)
                inside = np.exp(-(dt - t) / neuron.tau - t / kind.tau) / neuron.tau
                weights = np.ones(201)
                weights[1:-1:2], weights[2:-1:2] = 4, 2
                V = V + s[k] * (weights @ inside) * dt / 600
                s[k] = s[k] * math.exp(-dt / kind.tau) + heard
            else:
                V = V + heard
        V = np.where(wait > 0, neuron.reset, V + arrivals[n])
        now = neuron.threshold <= V
        V = np.where(now, neuron.reset, V)
        wait = np.where(now, neuron.hold, np.maximum(wait - 1, 0))
        fired.append(now)
    return V, np.array(fired)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 30),
    st.sampled_from([0.0, 2.0, 20.0]),
    st.sampled_from([0.0, 0.3, 2.0]),
    st.tuples(st.integers(1, 20), st.integers(1, 3)),
    seeds,
)
def test_a_network_does_what_its_definition_says(N, tau, refractory, delays, seed):
    rng = np.random.default_rng(seed)
    table, cut = sn.distinct(rng.integers(0, N + 1, N), N, rng), max(N // 2, 1)
    neuron = LIF(tau=10.0, rest=-49.0, threshold=-50.0, reset=-60.0, refractory=refractory)
    kinds = (
        Synapses(table[:cut], 1.3, tau=0.0, delay=0.1 * delays[0]),
        Synapses(table[cut:], -2.7 if tau else 0.9, first=cut, tau=tau, delay=0.1 * delays[1]),
    )
    network, V = Network(neuron, N, kinds), rng.uniform(-60, -50, N)
    activity = sn.run(network, V, 400, rng, watch=range(N))
    end, fired = by_definition(network, V, 400, np.zeros(400))
    steps = np.repeat(np.arange(400), np.diff(activity.upto))
    np.testing.assert_array_equal(np.stack([steps, activity.who]), np.nonzero(fired))
    np.testing.assert_allclose(activity.end, end, rtol=1e-10)
    np.testing.assert_array_equal(activity.V[-1], activity.end)
    np.testing.assert_allclose(sn.times(activity), 0.1 * (steps + 1))


def test_many_listeners_are_served_as_few_are():
    # Both ways to add spikes must be taken: one spike for few neurons, many for all.
    rng = np.random.default_rng(3)
    table = sn.distinct(np.where(np.arange(60) < 30, 60, 2), 60, rng)
    neuron = LIF(tau=20.0, rest=-40.0, threshold=-50.0, reset=-60.0)
    network = Network(neuron, 60, (Synapses(table, -0.1),))
    V = rng.uniform(-60, -50, 60)
    activity = sn.run(network, V, 1500, rng)
    end, fired = by_definition(network, V, 1500, np.zeros(1500))
    assert activity.who.size == fired.sum() > 100
    np.testing.assert_allclose(activity.end, end, rtol=1e-10)


def test_spikes_from_outside_reach_each_neuron_that_is_not_held():
    network = Network(replace(sn.BRUNEL, refractory=0.0), 7, (), Poisson(5000.0, 0.7))
    activity = sn.run(network, 0.0, 900, np.random.default_rng(4))
    counts = sn.poisson(0.5)((900, 7), np.random.default_rng(4))
    end, fired = by_definition(network, np.zeros(7), 900, 0.7 * counts)
    steps = np.repeat(np.arange(900), np.diff(activity.upto))
    np.testing.assert_array_equal(np.stack([steps, activity.who]), np.nonzero(fired))
    assert fired.any() and np.allclose(activity.end, end, rtol=1e-10)


@pytest.mark.parametrize("tau_s", [2.0, 20.0, 30.0])
def test_the_voltage_after_one_spike_has_the_closed_form(tau_s):
    network = Network(FREE, 2, (Synapses(np.array([[1], [2]], np.uint16), 3.0, tau=tau_s, delay=0.4),))
    firing = replace(network, neuron=replace(sn.BRUNEL, threshold=19.0))
    activity = sn.run(firing, [20.0, 0.0], 600, np.random.default_rng(0), watch=[1])
    assert activity.who.tolist() == [0]
    t = 0.1 * np.arange(600) - 0.4  # since the arrival
    expected = np.where(t > 0, 3.0 * sn.share(t, 20.0, tau_s), 0.0)
    np.testing.assert_allclose(activity.V[:, 0], expected, rtol=1e-9, atol=1e-12)


def test_a_spike_passes_a_chain_undiminished_at_one_delay_each():
    table = np.append(np.arange(1, 10), 10)[:, None]
    network = Network(sn.BRUNEL, 10, (Synapses(table, 25.0, delay=1.5),))
    start = np.zeros(10)
    start[0] = 21.0
    activity = sn.run(network, start, 400, np.random.default_rng(0))
    np.testing.assert_array_equal(activity.who, np.arange(10))
    np.testing.assert_allclose(sn.times(activity), 0.1 + 1.5 * np.arange(10))


def test_networks_that_cannot_be_are_refused():
    table = np.array([[1], [0]])
    for kinds, words in [
        ((Synapses(np.array([[3]]), 1.0),), "rows end with 2"),
        ((Synapses(table, 1.0, first=1),), "are not all there"),
        ((Synapses(table, 1.0, delay=0.0),), "a step of 0.1 ms later"),
        ((Synapses(table, 1.0, tau=-1.0),), "0 or more"),
    ]:
        with pytest.raises(ValueError, match=words):
            Network(sn.BRUNEL, 2, kinds)
    with pytest.raises(ValueError, match="alike"):
        Network(LIF(tau=np.array([10.0, 20.0])), 2, ())


# Chance from outside.


@pytest.mark.parametrize("mean", [0.0, 0.09, 2.0, 40.0])
def test_the_table_draws_poisson_numbers(mean):
    counts = sn.poisson(mean)((400, 1000), np.random.default_rng(7)).astype(float)
    unsure = math.sqrt(mean / counts.size)
    assert abs(counts.mean() - mean) <= 4 * unsure
    assert abs(counts.var() - mean) <= 5 * math.sqrt((mean + 2 * mean**2) / counts.size)
    shares = np.bincount(counts.ravel().astype(int)) / counts.size
    expected = np.array([math.exp(-mean + k * math.log(mean or 1) - math.lgamma(k + 1)) for k in range(shares.size)])
    if mean:
        np.testing.assert_allclose(shares, expected, atol=5 * math.sqrt(0.25 / counts.size))


class Fixed:
    """In place of a random generator: all 16-bit numbers once, and the same rest for each."""

    def __init__(self, rest):
        self.rest = rest

    def integers(self, low, high, size, dtype):
        assert (low, high, size) == (0, 2**16, 2**16)
        return np.arange(2**16, dtype=dtype)

    def random(self, size):
        return np.full(size, self.rest)


@pytest.mark.parametrize("rest", [0.0, 0.3, 0.999999])
def test_the_table_is_the_inverse_of_the_distribution_to_the_last_bit(rest):
    counts = sn.poisson(2.0)((2**16,), Fixed(rest))
    below = np.cumsum([math.exp(-2.0) * 2.0**k / math.factorial(k) for k in range(40)])
    expected = np.searchsorted(below, (np.arange(2**16) + rest) / 2**16, side="right")
    np.testing.assert_array_equal(counts, expected)


def test_means_that_no_table_is_made_for_are_refused():
    for mean in (-0.1, 101.0, math.nan):
        with pytest.raises(ValueError, match="take shorter steps"):
            sn.poisson(mean)


# What the spikes tell.


def from_spikes(fired, dt=0.5):
    """The record of given spikes, ``(T, N)`` of True and False."""
    _, who = np.nonzero(fired)
    upto = np.concatenate([[0], np.cumsum(fired.sum(axis=1))])
    return sn.Activity(who, upto, np.empty((len(fired), 0)), np.zeros(fired.shape[1]), dt)


def test_rates_and_irregularity_are_those_of_the_trains():
    fired = np.random.default_rng(2).random((4000, 12)) < 0.05
    activity = from_spikes(fired)
    assert sn.mean_rate(activity, after=500.0) == pytest.approx(2000 * fired[1000:].mean())
    np.testing.assert_allclose(sn.crowd_rate(activity, 2.0), 2000 * fired.reshape(1000, -1).mean(axis=1))
    each = [lif.cv(lif.intervals(fired[1000:, [i]], 0.5)) for i in range(12)]
    assert sn.irregularity(activity, after=500.0) == pytest.approx(np.mean(each))
    fired[:, 3:] = False
    fired[1010:, 2] = False
    assert sn.irregularity(from_spikes(fired), after=500.0) == pytest.approx(np.mean(each[:2]))
    with pytest.raises(ValueError, match="No neuron has 5000 intervals"):
        sn.irregularity(activity, least=5000)


def test_the_rhythm_of_a_swinging_crowd_is_found():
    rng, t = np.random.default_rng(0), 0.5 * np.arange(4000)
    chance = 0.02 * (1 + np.sin(2 * np.pi * 0.023 * t))  # 23 Hz
    activity = from_spikes(rng.random((4000, 50)) < chance[:, None])
    assert sn.rhythm(activity, after=1000.0) == pytest.approx(23, abs=1.5)


# Published networks.


@pytest.mark.parametrize(("panel", "rate"), [("A", 327.01), ("B", 55.8413), ("C", 37.9497), ("D", 6.5167)])
def test_brunels_mean_field_has_the_published_rates(panel, rate):
    ours = Brunel(*sn.PANELS[panel]).mean_field()
    assert ours == pytest.approx(rate, abs=0.006 if panel == "A" else 6e-5)
    if panel in sn.PUBLISHED:
        assert ours == pytest.approx(sn.PUBLISHED[panel][1], abs=0.051)


def test_brunels_network_has_his_numbers_of_synapses():
    setup = Brunel(5.0, 2.0, neurons=500, inputs=40)
    network = setup.network(np.random.default_rng(0))
    up, down = network.synapses
    assert (len(up.table), len(down.table), down.first) == (400, 100, 400)
    for kind, many in [(up, 40), (down, 10)]:
        np.testing.assert_array_equal(np.bincount(kind.table.ravel(), minlength=501)[:500], many)
    assert (up.weight, down.weight, up.delay) == (0.1, -0.5, 1.5)
    # All neurons outside together hold the voltage at `ratio` thresholds.
    assert network.outside.rate * network.outside.weight * 0.02 == pytest.approx(2 * 20)


def test_a_small_network_keeps_the_order_of_the_panels_and_fires_irregularly():
    rates, cvs = {}, {}
    for panel in "BCD":
        rng = np.random.default_rng(1)
        network = Brunel(*sn.PANELS[panel], neurons=1250, inputs=100, weight=0.5).network(rng)
        activity = sn.run(network, rng.uniform(0, 20, 1250), 6000, rng)
        rates[panel], cvs[panel] = sn.mean_rate(activity, 200), sn.irregularity(activity, 200)
    assert rates["B"] > rates["C"] > 3 * rates["D"]
    assert cvs["C"] > 0.5 and cvs["D"] > 0.5


@pytest.mark.parametrize("seed", range(2))
def test_the_benchmark_of_brette_and_others_has_its_rate(seed):
    rng = np.random.default_rng(seed)
    network, V = sn.cuba(rng)
    activity = sn.run(network, V, 10000, rng)
    assert 5.2 <= sn.mean_rate(activity, 200) <= 6.1
    assert 0.4 < sn.irregularity(activity, 200) < 0.6


def test_the_recorded_simulations_agree_with_the_paper_and_with_theory():
    told = recorded(sn.RECORDED)
    for panel in sn.PANELS:
        runs = [run for run in told["runs"] if run["panel"] == panel]
        assert [run["seed"] for run in runs] == [0, 1, 2]
        rate = np.mean([run["rate"] for run in runs])
        if panel in sn.PUBLISHED:
            assert rate == pytest.approx(sn.PUBLISHED[panel][0], rel=0.05)
        assert len(runs[0]["crowd"]) == 400 and len(runs[0]["raster"]) == 40
        assert 1000 * sum(map(len, runs[0]["raster"])) / 200 / 40 == pytest.approx(rate, rel=0.35)


def test_recording_again_gives_what_was_recorded(tmp_path, monkeypatch):
    told = recorded(sn.RECORDED)
    command = shlex.split(told["command"])
    assert command[:3] == ["python", "-m", sn.__name__] and command[-1] == sn.RECORDED
    small = {"neurons": 250, "inputs": 20, "weight": 0.5}
    once = sn.record(("B",), (3,), duration=400.0, size=small, say=lambda line: None)
    again = sn.record(("B",), (3,), duration=400.0, size=small, say=lambda line: None)
    for run in once + again:
        del run["seconds"], run["seconds_wiring"]
    assert once == again and once[0].keys() <= told["runs"][0].keys()
    monkeypatch.setattr(sn, "record", lambda **options: [options["duration"], list(options["seeds"])])
    sn.main(["--seeds", "2", "--record", str(tmp_path / "file.json")])
    written = json.loads((tmp_path / "file.json").read_text("utf-8"))
    assert written["runs"] == [1200.0, [0, 1]] and " --seeds 2 " in written["command"]
    with pytest.raises(SystemExit):
        sn.main(["--seeds", "0"])


def test_the_recorded_cost_grows_with_neurons_and_not_with_their_pairs():
    runs = recorded("spiking_cost.json")["runs"]
    assert [run["synapses"] for run in runs] == [125 * run["neurons"] for run in runs]
    for run in runs:
        # Two or four bytes a synapse, and what is filled up.
        assert 2 * run["synapses"] < run["bytes"] < 4 * 2 * run["synapses"]
    first, last = runs[0], runs[-1]
    assert last["neurons"] == 100 * first["neurons"]
    assert last["seconds_per_second"] < 300 * first["seconds_per_second"]


# Learning.


def test_the_gradient_of_a_spike_is_the_surrogate():
    v = np.array([-2.0, -0.1, 0.0, 0.05, 1.0])
    assert sn.spike(v).tolist() == [0, 0, 1, 1, 1]
    weights = np.array([1.0, -2.0, 3.0, 0.5, 4.0])
    slopes = tape.grad(lambda v: np.sum(weights * sn.spike(v)))(v)
    np.testing.assert_allclose(slopes, weights / (1 + 10 * np.abs(v)) ** 2, rtol=1e-15)


@pytest.mark.parametrize("shape", [(1, 1), (9, 4), (2, 3, 7, 5)])
@pytest.mark.parametrize("leak", [0.1, 0.5])
def test_the_scan_equals_its_definition_in_value_and_gradient(shape, leak):
    rng = np.random.default_rng(0)
    u, weights = rng.uniform(0, 4, shape), rng.standard_normal(shape)

    def total(f):
        return tape.value_and_grad(lambda u: np.sum(weights * f(u, leak=leak)))(u)

    (value, slopes), (expected, by_steps) = total(sn.spike_scan), total(sn.spike_scan_definition)
    assert value == expected
    np.testing.assert_allclose(slopes, by_steps, rtol=1e-12)
    np.testing.assert_array_equal(sn.spike_scan(u, leak=leak), sn.spike_scan_definition(u, leak=leak))


def test_the_scan_is_the_neuron_of_the_chapter_before():
    neuron = LIF(tau=10.0, resistance=1.0, rest=0.0, threshold=1.0, reset=0.0, refractory=0.0, dt=1.0)
    u = np.random.default_rng(1).uniform(0, 3, (3, 60, 5))
    _, spikes = time.scan(neuron, neuron.start((3,)), u)
    np.testing.assert_array_equal(sn.spike_scan(u, leak=neuron.leak), spikes)


def test_one_weight_has_the_gradient_that_is_worked_out_by_hand():
    # Two steps, no spike: V1 = u1/2 and V2 = V1/2 + u2/2.
    u = np.array([[0.8], [1.2]])
    slopes = tape.grad(lambda u: np.sum(sn.spike_scan(u, leak=0.5)[1]))(u)
    V2 = 0.2 + 0.6
    np.testing.assert_allclose(slopes[:, 0], np.array([0.25, 0.5]) / (1 + 10 * (1 - V2)) ** 2, rtol=1e-12)
    # A spike at the first step: the reset cuts the way from it to the second.
    slopes = tape.grad(lambda u: np.sum(sn.spike_scan(u, leak=0.5)[1]))(np.array([[2.4], [1.2]]))
    np.testing.assert_allclose(slopes[:, 0], [0, 0.5 / (1 + 10 * 0.4) ** 2], rtol=1e-12)


def test_with_the_surrogates_integral_for_the_spike_the_gradient_is_exact(monkeypatch):
    @tape.gradient(lambda dy, y, v: dy * sn.surrogate(v))
    def soft(v):
        return v / (1 + sn.SHARPNESS * np.absolute(v))

    monkeypatch.setattr(sn, "spike", soft)
    monkeypatch.setattr(sn, "constant", lambda x: 0 * tape.constant(x))  # no reset, which would be a jump
    u = np.random.default_rng(0).uniform(0, 1.5, (6, 3))
    check_gradient(lambda u: np.sum(sn.spike_scan_definition(u, leak=0.3) ** 2), u, rng=np.random.default_rng(1))


def test_the_layer_keeps_precision_and_leaves_its_input_alone():
    u = np.full((20, 3), 2, np.float32)
    spikes = sn.spike_scan(u)
    assert spikes.dtype == np.float32 and spikes.any() and np.all(u == 2)
    assert tape.grad(lambda u: np.sum(sn.spike_scan(u)))(u).dtype == np.float32


def test_the_classifier_counts_spikes():
    rng = np.random.default_rng(0)
    model = sn.Classifier.init((5, 8, 3), rng, steps=30)
    x = rng.random((4, 5)).astype(np.float32)
    spikes = model.spikes(x)
    assert spikes.shape == (4, 30, 8) and set(np.unique(spikes)) == {0, 1}
    np.testing.assert_allclose(model(x), model.output(spikes.sum(axis=1) / 30), rtol=1e-5)
    assert model(x[0]).shape == (3,)
    assert [leaf.shape for leaf in tree.leaves(model)] == [(5, 8), (8,), (8, 3), (3,)]


def test_the_classifier_learns_to_read():
    digits = data.load("digits")
    (images, labels), (test_images, test_labels) = digits.train, digits.test
    x, test_x = images.reshape(-1, 64), test_images.reshape(-1, 64)
    rng = np.random.default_rng(0)
    model = sn.Classifier.init((64, 64, 10), rng)
    assert np.mean(answers(model, test_x) == test_labels) < 0.3
    order = batches((x, labels), 64, rng, epochs=8)
    *_, last = train(model, lambda m, x, y: ops.cross_entropy(m(x), y), order, adam(1e-2))
    assert np.mean(answers(last.model, test_x) == test_labels) > 0.85
