"""The network against single neurons, the staircase against its bound, Nielsen's experiment against what he printed."""

import itertools
import json
import math
import shlex
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurrence import data, ops, tree
from recurrence.basics import network as nw
from recurrence.basics.linear import answers, one_hot
from recurrence.basics.network import Darkness, Network
from recurrence.basics.neuron import Neuron, step
from recurrence.check import check_gradient
from recurrence.data import mnist
from recurrence.data.fetch import locate
from recurrence.nn import Linear
from recurrence.optim import sgd
from recurrence.tape import value_and_grad
from recurrence.train import batches, train

sizes = st.lists(st.integers(1, 5), min_size=2, max_size=4)
seeds = st.integers(0, 2**32 - 1)


def recorded():
    folder = resources.files("recurrence.basics") / "results"
    return json.loads((folder / nw.RECORDED).read_text("utf-8"))


@pytest.fixture(scope="module")
def digits():
    """MNIST as Nielsen split it: 50,000 images to learn from, 10,000 to test."""
    if any(locate(file) is None for file in mnist.CARD.files):
        pytest.skip("MNIST is not on this machine; 'recurrence data fetch mnist' fetches it")
    images = data.load("mnist")
    (x, labels), (test_x, test_labels) = images.train, images.test
    n = nw.TRAINING
    return (x[:n].reshape(n, -1), labels[:n]), (test_x.reshape(len(test_x), -1), test_labels)


# Layers.


@given(sizes, st.integers(1, 6), seeds)
def test_a_network_is_its_neurons(sizes, B, seed):
    rng = np.random.default_rng(seed)
    network = Network.init(sizes, rng, dtype=float)
    X = rng.standard_normal((B, sizes[0]))
    activations = X
    for layer in network.layers:
        neurons = [Neuron(layer.W[:, j], layer.b[j], ops.sigmoid) for j in range(len(layer.b))]
        activations = np.stack([neuron(activations) for neuron in neurons], axis=-1)
    np.testing.assert_allclose(network(X), activations, rtol=1e-12)
    np.testing.assert_allclose(network(X[0]), activations[0], rtol=1e-12)
    assert network(X).shape == (B, sizes[-1])


def test_the_last_layer_may_have_an_activation_of_its_own():
    hidden, last = Linear(np.eye(2), np.zeros(2)), Linear(np.full((2, 1), 10.0), np.ones(1))
    x = np.array([[3.0, -3.0]])
    assert Network((hidden, last), step, nw.identity)(x) == 11
    assert Network((hidden, last), nw.identity, step)(x) == 1


@given(sizes, seeds, st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_first_weights_have_the_shapes_of_the_layers(sizes, seed, scaled, dtype):
    network = Network.init(sizes, np.random.default_rng(seed), dtype, scaled=scaled)
    assert [layer.W.shape for layer in network.layers] == list(itertools.pairwise(sizes))
    assert [layer.b.shape for layer in network.layers] == [(n,) for n in sizes[1:]]
    assert {leaf.dtype for leaf in tree.leaves(network)} == {np.dtype(dtype)}
    assert tree.size(network) == sum((D + 1) * N for D, N in itertools.pairwise(sizes))


@pytest.mark.parametrize(("scaled", "W_size", "u_size"), [(True, 1 / 20, math.sqrt(2)), (False, 1.0, math.sqrt(401))])
def test_scaled_weights_keep_the_sums_at_order_one(scaled, W_size, u_size):
    rng = np.random.default_rng(0)
    layer = Network.init((400, 500), rng, scaled=scaled).layers[0]
    # 200,000 weights and 500 biases: the spread of a sample's deviation is its value / √(2n).
    assert np.std(layer.W) == pytest.approx(W_size, rel=4 / math.sqrt(2 * layer.W.size))
    assert np.std(layer.b) == pytest.approx(1, rel=4 / math.sqrt(2 * layer.b.size))
    assert np.std(layer(rng.choice([-1.0, 1.0], (400, 400)))) == pytest.approx(u_size, rel=0.05)


@given(st.integers(1, 6), seeds)
def test_the_order_of_hidden_neurons_is_of_no_consequence(N, seed):
    rng = np.random.default_rng(seed)
    network = Network.init((3, N, 2), rng, dtype=float)
    (first, second), P, x = network.layers, rng.permutation(N), rng.standard_normal((4, 3))
    other = Network((Linear(first.W[:, P], first.b[P]), Linear(second.W[P], second.b)))
    np.testing.assert_allclose(other(x), network(x), rtol=1e-12)


# Loss and gradient.


def test_squared_error_of_given_numbers():
    y, targets = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 0.0]])
    assert nw.squared_error(nw.identity, y, targets) == (1 + 4 + 9) / 4


@given(sizes, st.integers(1, 6), seeds)
def test_the_written_gradient_is_the_one_of_the_tape(sizes, B, seed):
    rng = np.random.default_rng(seed)
    network = Network.init(sizes, rng, dtype=float)
    x, targets = rng.standard_normal((B, sizes[0])), rng.uniform(size=(B, sizes[-1]))
    _, expected = value_and_grad(nw.squared_error)(network, x, targets)
    for ours, theirs in zip(tree.leaves(nw.gradient(network, x, targets)), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)


def test_the_gradient_is_the_slope():
    rng = np.random.default_rng(1)
    network = Network.init((4, 3, 2), rng, dtype=float, output=nw.identity)
    x, targets = rng.standard_normal((5, 4)), rng.standard_normal((5, 2))
    check_gradient(lambda network: nw.squared_error(network, x, targets), network, rng=rng)


def test_the_experiment_takes_the_steps_of_the_training_loop():
    rng = np.random.default_rng(7)
    x, labels = rng.uniform(size=(60, 12)).astype(np.float32), rng.integers(10, size=60)
    ours = list(nw.nielsen(x, labels, hidden=5, seed=3, epochs=2))
    rng = np.random.default_rng(3)
    start = Network.init((12, 5, 10), rng, scaled=False)
    order = batches((x, one_hot(labels)), nw.BATCH, rng, epochs=2)
    steps = list(train(start, nw.squared_error, order, sgd(nw.LR)))
    assert len(ours) == 2 and len(steps) == 12
    for network, number in zip(ours, (6, 12), strict=True):
        for mine, theirs in zip(tree.leaves(network), tree.leaves(steps[number - 1].model), strict=True):
            assert mine.dtype == np.float32
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_run():
    x, labels = np.random.default_rng(0).uniform(size=(40, 6)).astype(np.float32), np.arange(40) % 10
    runs = [list(nw.nielsen(x, labels, 4, seed, epochs=2))[-1] for seed in (5, 5, 6)]
    first, second, other = (np.concatenate([leaf.ravel() for leaf in tree.leaves(run)]) for run in runs)
    assert np.array_equal(first, second) and not np.array_equal(first, other)


# The staircase.


@st.composite
def slopes_up_to_one(draw):
    """A function made of straight pieces, nowhere steeper than 1, on an interval."""
    low, width = draw(st.floats(-5, 5)), draw(st.floats(0.1, 10))
    slopes = draw(st.lists(st.floats(-1, 1), min_size=1, max_size=8))
    places = np.linspace(low, low + width, len(slopes) + 1)
    heights = np.concatenate([[0], np.cumsum(slopes) * (places[1] - places[0])])
    return lambda x: np.interp(x, places, heights), low, low + width


@given(slopes_up_to_one(), st.integers(1, 40), seeds)
def test_the_staircase_keeps_its_bound(function, N, seed):
    g, low, high = function
    network = nw.staircase(g, N, low, high)
    x = np.random.default_rng(seed).uniform(low, high, (200, 1))
    bound = (high - low) / (N + 1) / 2
    assert np.max(np.abs(network(x) - g(x))) <= bound * (1 + 1e-9) + 1e-12
    assert [layer.W.shape for layer in network.layers] == [(1, N), (N, 1)]


@pytest.mark.parametrize("N", [1, 2, 7, 50])
def test_the_bound_is_reached(N):
    h = 1 / (N + 1) / 2
    for g, bound in ((lambda x: x, h), (np.sqrt, math.sqrt(h))):
        network = nw.staircase(g, N)
        assert abs(network(np.zeros(1)) - g(0.0)) == pytest.approx(bound, rel=1e-12)


@given(st.integers(1, 30), seeds)
def test_no_staircase_does_better_for_the_identity(N, seed):
    """N steps leave N + 1 flat pieces, and the longest of them is no shorter than the mean."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.uniform(size=N))
    ends = np.concatenate([[0], cuts, [1]])
    heights = (ends[1:] + ends[:-1]) / 2  # the best for these cuts
    network = Network(
        (Linear(np.ones((1, N)), -cuts), Linear(np.diff(heights)[:, None], heights[:1])), step, nw.identity
    )
    x = np.concatenate([ends, np.nextafter(ends, 1), np.nextafter(ends, 0)]).clip(0, 1)[:, None]
    assert np.max(np.abs(network(x) - x)) >= 1 / (N + 1) / 2 - 1e-12


def test_the_staircase_is_right_in_the_middle_of_each_piece():
    middles = (np.arange(6) + 0.5) / 6 * 4 - 1
    network = nw.staircase(np.cos, 5, -1, 3)
    np.testing.assert_allclose(network(middles[:, None])[:, 0], np.cos(middles), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("N", "low", "high"), [(0, 0, 1), (3, 1, 1), (3, 2, 1), (3, 0, math.nan)])
def test_a_staircase_needs_a_neuron_and_an_interval(N, low, high):
    with pytest.raises(ValueError, match="needs a neuron and an interval, not"):
        nw.staircase(np.sin, N, low, high)


# Darkness.


def test_darkness_finds_the_nearest_mean():
    labels = np.repeat(np.arange(10), 2)
    images = np.zeros((20, 3, 3), np.float32)
    images[:, 1, 1] = 10 * labels + np.tile([-1, 1], 10)
    guess = Darkness.fit(images, labels)
    np.testing.assert_array_equal(guess.ink, 10 * np.arange(10))
    np.testing.assert_array_equal(guess(images), labels)
    dark = np.zeros((2, 3, 3))
    dark[:, 0, 0] = [14.9, 15.1]
    np.testing.assert_array_equal(guess(dark), [1, 2])


def test_darkness_of_mnist_is_the_published_one(digits):
    (x, labels), (test_x, test_labels) = digits
    assert np.sum(Darkness.fit(x, labels)(test_x) == test_labels) == nw.PUBLISHED_DARKNESS == 2225


# The experiment and its record.


@pytest.fixture
def few(monkeypatch):
    """Three hundred of the embedded digits in place of MNIST, and little said."""
    images = data.load("digits")
    small = images.__class__(
        tuple(part[:300] for part in images.train), tuple(part[:100] for part in images.test), "", "", ""
    )
    monkeypatch.setattr(data, "load", lambda name: {"mnist": small}[name])
    return small


def test_a_network_learns_the_embedded_digits():
    (images, labels), _ = data.load("digits").train, None
    x = images.reshape(-1, 64)
    *_, network = nw.nielsen(x[:1157], labels[:1157], 30, 0, scaled=True, epochs=10)
    # Over seeds about 95 % of the held-out 258 are right; by chance 10 %.
    assert np.mean(answers(network, x[1157:]) == labels[1157:]) > 0.88


def test_the_record_of_a_small_run_tells_what_it_says(few):
    said = []
    setups = ((6, False), (8, True))
    result = nw.record(few.train, few.test, setups, seeds=(4, 5), epochs=3, say=said.append)
    assert json.loads(json.dumps(result)) == result
    assert [(run["hidden"], run["scaled"], run["seed"]) for run in result["runs"]] == [
        (6, False, 4), (6, False, 5), (8, True, 4), (8, True, 5)
    ]  # fmt: skip
    assert len(said) == 5
    x, test_x = few.train[0].reshape(300, -1), few.test[0].reshape(100, -1)
    for run in result["runs"]:
        *_, network = nw.nielsen(x, few.train[1], run["hidden"], run["seed"], scaled=run["scaled"], epochs=3)
        y = network(test_x)
        assert len(run["right"]) == len(run["silent"]) == 3
        assert run["right"][-1] == np.sum(np.argmax(y, axis=1) == few.test[1])
        assert run["silent"][-1] == np.sum(y.max(axis=0) < 0.5) == sum(top < 0.5 for top in run["strongest"])
        assert sum(run["answered"]) == 100 and len(run["answered"]) == len(run["strongest"]) == 10


def test_the_command_writes_what_it_made(few, tmp_path, capsys):
    path = tmp_path / nw.RECORDED
    nw.main(["--seeds", "1", "--epochs", "2", "--record", str(path)])
    told = json.loads(path.read_text("utf-8"))
    assert told["command"] == f"python -m recurrence.basics.network --seeds 1 --epochs 2 --record {nw.RECORDED}"
    assert told["config"]["epochs"] == 2 and len(told["runs"]) == 3
    assert capsys.readouterr().out.count("\n") == 4
    assert '"right": [ ' in path.read_text("utf-8")
    nw.main(["--seeds", "1", "--epochs", "1"])


def test_the_recorded_file_is_that_of_its_command(few, tmp_path, monkeypatch):
    told = recorded()
    words = shlex.split(told["command"])
    assert words[:3] == ["python", "-m", nw.__name__]
    # What the command would do, without doing it for hours.
    monkeypatch.setattr(nw, "record", lambda train, test, seeds, epochs: {"seeds": list(seeds), "epochs": epochs})
    monkeypatch.chdir(tmp_path)
    nw.main(words[3:])
    would = json.loads((tmp_path / nw.RECORDED).read_text("utf-8"))
    assert would["command"] == told["command"] and would["config"] == told["config"]
    assert would["seeds"] == list(nw.SEEDS) and would["epochs"] == nw.EPOCHS == told["config"]["epochs"]
    assert told["config"] == {
        "data": "mnist", "training": nw.TRAINING, "lr": nw.LR, "batch": nw.BATCH, "epochs": nw.EPOCHS
    }  # fmt: skip


def test_the_recorded_runs_are_complete_and_add_up():
    told = recorded()
    setups = [(30, False), (100, False), (100, True)]
    expected = [(*setup, seed) for setup in setups for seed in nw.SEEDS]
    assert [(run["hidden"], run["scaled"], run["seed"]) for run in told["runs"]] == expected
    for run in told["runs"]:
        assert len(run["right"]) == len(run["silent"]) == nw.EPOCHS
        assert sum(run["answered"]) == 10_000
        assert run["silent"][-1] == sum(top < 0.5 for top in run["strongest"])
        # Whoever never fires is never the answer to much, and costs his digit.
        assert max(run["right"]) <= 10_000 - 800 * min(run["silent"])


def test_the_recorded_runs_stand_beside_the_published_ones():
    told = recorded()
    assert told["darkness"] == nw.PUBLISHED_DARKNESS
    best = {
        (hidden, scaled): [
            max(run["right"]) for run in told["runs"] if (run["hidden"], run["scaled"]) == (hidden, scaled)
        ]
        for hidden, scaled in ((30, False), (100, False), (100, True))
    }
    for hidden, published in nw.PUBLISHED.items():
        assert abs(max(best[hidden, False][:3]) - published) <= 50
    assert max(nw.PUBLISHED_EPOCHS.values()) == nw.PUBLISHED[30]
    assert min(best[100, False]) < 9000
    assert min(best[100, True]) > max(best[100, False])


def test_the_record_can_be_repeated(digits):
    """One epoch of one run: rounding differs between machines, and what differs grows, but not beyond this band."""
    (x, labels), (test_x, test_labels) = digits
    (network,) = nw.nielsen(x, labels, 30, 1, epochs=1)
    before = next(run for run in recorded()["runs"] if (run["hidden"], run["seed"]) == (30, 1))["right"][0]
    assert abs(int(np.sum(answers(network, test_x) == test_labels)) - before) <= 100
