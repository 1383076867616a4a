"""The training loop: what a step is, who owns which model, how it ends, and that a checkpoint loses nothing."""

import copy
import dataclasses
import errno
import json
import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurrence import optim, tree
from recurrence.nn import MLP, dropout
from recurrence.train import (
    Batches,
    CheckpointError,
    Diverged,
    Step,
    batches,
    fit,
    load_checkpoint,
    save_checkpoint,
    train,
)

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def examples(n=50):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 3)).astype(np.float32)
    return x, np.sin(x.sum(1, keepdims=True))


def network(seed=1, **options):
    return MLP.init((3, 8, 1), np.random.default_rng(seed), activation=np.tanh, **options)


def squared_error(model, x, y):
    return np.mean((model(x) - y) ** 2)


def content(model):
    return [leaf.tobytes() for leaf in tree.leaves(model, every=True)]


# Batches.


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 3), st.booleans())
def test_an_epoch_shows_every_example_once_and_its_rest_in_a_smaller_batch(n, size, epochs, shuffled):
    rng = np.random.default_rng(n) if shuffled else None
    order = batches((np.arange(n), -np.arange(n)), size, rng, epochs=epochs)
    assert len(order) == epochs * order.per_epoch
    taken = list(order)
    assert len(taken) == epochs * math.ceil(n / size) and len(order) == 0
    for epoch in range(epochs):
        part = taken[epoch * order.per_epoch : (epoch + 1) * order.per_epoch]
        assert [len(x) for x, _ in part[:-1]] == [size] * (len(part) - 1)
        seen = np.concatenate([x for x, _ in part])
        assert sorted(seen) == list(range(n))
        assert shuffled or list(seen) == list(range(n))
    assert all(np.array_equal(x, -y) for x, y in taken)


def test_the_rest_can_be_left_out_and_is_another_one_each_epoch():
    order = batches((np.arange(7),), 3, np.random.default_rng(0), epochs=20, drop_rest=True)
    taken = [x for (x,) in order]
    assert len(taken) == 40 and {len(x) for x in taken} == {3}
    left_out = [set(range(7)) - set(np.concatenate(taken[k : k + 2])) for k in range(0, 40, 2)]
    assert len(set.union(*left_out)) > 3


def test_orders_differ_from_epoch_to_epoch_and_agree_for_a_seed():
    one, same, other = (
        np.array([x for (x,) in batches((np.arange(30),), 30, np.random.default_rng(seed), epochs=3)])
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert len({tuple(order) for order in [*one, *other]}) == 6


def test_batches_without_end():
    order = batches((np.arange(3),), 2, epochs=None)
    taken = [next(order)[0] for _ in range(7)]
    assert [list(x) for x in taken] == [[0, 1], [2], [0, 1], [2], [0, 1], [2], [0, 1]]
    with pytest.raises(TypeError, match="without end"):
        len(order)


def test_a_shuffled_batch_is_a_copy():
    x = np.zeros((4, 2))
    (batch,) = next(batches((x,), 2, np.random.default_rng(0)))
    batch[:] = 1
    assert not x.any()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: batches((), 2), "the lengths are []"),
        (lambda: batches((np.ones(3), np.ones(4)), 2), "the lengths are [3, 4]"),
        (lambda: batches((np.ones(0),), 2), "the lengths are [0]"),
        (lambda: batches((np.ones(3),), 0), "3 examples cannot be cut into batches of 0."),
        (lambda: batches((np.ones(3),), 4, drop_rest=True), "3 examples cannot be cut into batches of 4."),
    ],
)
def test_impossible_batches_are_one_clear_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=r"^(Batches need|3 examples)[^.]*\.$") as caught:
        wrong()
    assert sentence in str(caught.value)


GENERATORS = [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64]


@given(st.integers(0, 11), st.sampled_from(GENERATORS), st.booleans())
def test_batches_go_back_to_where_they_were(stop, kind, shared):
    def start(seed):
        rng = np.random.Generator(kind(seed))
        # Numbers that others draw from the same generator between two batches.
        return batches((np.arange(10),), 3, rng, epochs=3), rng if shared else np.random.default_rng(seed)

    def draw(order, others, n):
        return [(list(next(order)[0]), others.random()) for _ in range(n)]

    order, others = start(0)
    draw(order, others, stop)
    position = json.loads(json.dumps(order.position()))
    expected = draw(order, others, 12 - stop)
    again, others_again = start(77)
    again.go_to(position)
    if shared:
        assert draw(again, others_again, 12 - stop) == expected
    else:
        assert [x for x, _ in draw(again, others_again, 12 - stop)] == [x for x, _ in expected]
    assert next(again, None) is None


# Steps.


def test_steps_on_a_quadratic_are_the_closed_form():
    # Of ½ λ w² each step of the rate η leaves w (1 − η λ).
    def loss(w, curvature):
        return 0.5 * np.sum(curvature * w**2)

    steps = list(train(np.array([1.0]), loss, [(3.0,)] * 5, optim.sgd(0.1)))
    assert [step.number for step in steps] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose([step.model[0] for step in steps], 0.7 ** np.arange(1, 6), rtol=1e-14)
    # The loss is that of the model before the step.
    np.testing.assert_allclose([step.loss for step in steps], 1.5 * 0.49 ** np.arange(5), rtol=1e-14)
    assert all(type(step.loss) is float for step in steps)


@pytest.mark.parametrize("optimiser", [optim.sgd(0.1), optim.clip_norm(0.1, optim.adamw(0.1))])
def test_no_model_changes_after_it_was_handed_over(optimiser):
    model = network()
    for leaf in tree.leaves(model):
        leaf.flags.writeable = False
    before, kept, contents = content(model), [], []
    for step in train(model, squared_error, batches(examples(), 10, epochs=2), optimiser):
        kept.append(step.model)
        contents.append(content(step.model))
    assert content(model) == before
    assert [content(some) for some in kept] == contents
    assert len({b"".join(c) for c in [before, *contents]}) == 11


def test_a_loop_may_break_and_go_on_to_the_same_bits():
    def order():
        return batches(examples(), 8, np.random.default_rng(2), epochs=3)

    optimiser = optim.adam(1e-2)
    *_, whole = train(network(), squared_error, order(), optimiser)
    same = order()
    for step in train(network(), squared_error, same, optimiser):
        if step.number == 9:
            break
    state = content(step.state)
    first = list(train(step, squared_error, copy.deepcopy(same), optimiser))
    # Going on has used up a copy of the step's state, not the step's own.
    assert content(step.state) == state
    second = list(train(step, squared_error, same, optimiser))
    for *_, last in (first, second):
        assert content(last.model) == content(whole.model) and last.number == whole.number == 21


def test_aux_is_handed_on():
    def loss(model, x, y):
        residual = model(x) - y
        return np.mean(residual**2), {"worst": np.max(np.abs(residual)), "count": len(y)}

    (step,) = train(network(), loss, batches(examples(), 50), optim.sgd(0.1), has_aux=True)
    x, y = examples()
    assert step.aux["worst"] == np.abs(network()(x) - y).max() and step.aux["count"] == 50
    assert step.loss == pytest.approx(squared_error(network(), x, y))


def test_no_batches_no_steps():
    assert list(train(network(), squared_error, [], optim.sgd(0.1))) == []


# How it goes wrong.


def test_a_diverging_loss_names_the_step_and_keeps_the_last_good_model():
    def loss(w):
        return np.sum(w**4)

    steps = []
    with pytest.raises(Diverged, match=r"^The loss at step 6 is inf; lower the learning rate, .*\.$") as caught:
        for step in train(np.array([3.0]), loss, [()] * 50, optim.sgd(1.0)):
            steps.append(step)
    assert caught.value.number == 6
    # The model after step 5 is the one whose loss is infinite; the one before gave the loss of step 5.
    assert steps[-1].number == 5 and math.isfinite(steps[-1].loss)
    np.testing.assert_array_equal(caught.value.model, steps[-2].model)


def test_a_first_loss_that_is_not_a_number_leaves_the_model_as_it_was():
    model = network()
    with pytest.raises(Diverged, match=r"^The loss at step 1 is nan;") as caught:
        list(train(model, squared_error, [(np.full((2, 3), np.nan, np.float32), np.ones((2, 1)))], optim.sgd(0.1)))
    assert caught.value.model is model


def test_a_last_step_that_makes_the_model_infinite_is_noticed():
    # The gradient of √w at 0 is infinite, the value is not.
    with pytest.raises(Diverged, match=r"^Step 1 made the model infinite") as caught:
        list(train(np.array([0.0]), lambda w: np.sum(np.sqrt(w)), [()], optim.sgd(0.1)))
    np.testing.assert_array_equal(caught.value.model, [0.0])


# fit


def test_fit_learns_and_returns_every_loss(capsys):
    order = batches(examples(), 10, np.random.default_rng(0), epochs=60)
    model, losses = fit(network(), squared_error, order, optim.adam(0.02))
    assert losses.shape == (300,) and losses.dtype == np.float64
    assert losses[:5].mean() > 0.3 and losses[-5:].mean() < 0.05
    assert squared_error(model, *examples()) < 0.05
    told = capsys.readouterr()
    assert told.out == "" and "300/300" in told.err and "loss" in told.err


def test_fit_goes_on_from_a_step():
    order = batches(examples(), 10, epochs=2)
    *_, whole = train(network(), squared_error, batches(examples(), 10, epochs=2), optim.adam())
    step = next(train(network(), squared_error, order, optim.adam()))
    model, losses = fit(step, squared_error, order, optim.adam(), bar=False)
    assert content(model) == content(whole.model) and len(losses) == 9


def test_the_bar_can_be_hidden(capsys, monkeypatch):
    fit(network(), squared_error, batches(examples(), 10), optim.adam(), bar=False)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    fit(network(), squared_error, iter(batches(examples(), 10)), optim.adam())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("stop", [0, 1, 7])
def test_an_interrupt_keeps_what_was_learnt_and_says_so(stop, capsys):
    calls = iter(range(stop + 1))

    def until_interrupted(*args):
        if next(calls) == stop:
            raise KeyboardInterrupt
        return squared_error(*args)

    def order(epochs):
        return batches(examples(), 10, np.random.default_rng(3), epochs=epochs)

    model, losses = fit(network(), until_interrupted, order(None), optim.adam())
    steps = [step.model for step in train(network(), squared_error, order(2), optim.adam())]
    assert content(model) == content([network(), *steps][stop]) and len(losses) == stop
    assert capsys.readouterr().out == f"Interrupted after {stop} steps; this is the model learnt so far.\n"


def test_in_a_notebook_nothing_goes_to_the_standard_error():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    source = """
        import os
        import numpy as np
        from recurrence.optim import sgd
        from recurrence.train import fit
        os.environ["TQDM_DISABLE"] = "{}"
        w, losses = fit(np.ones(2), lambda w: np.sum(w**2), [()] * 20, sgd(0.1))
    """
    shown, hidden = (nbformat.v4.new_code_cell(textwrap.dedent(source).format(value)) for value in ("", "1"))
    nbclient.NotebookClient(nbformat.v4.new_notebook(cells=[shown, hidden]), timeout=60).execute()
    assert shown.outputs and not hidden.outputs
    assert {output.output_type for output in shown.outputs} <= {"stream", "display_data"}
    assert "stderr" not in {output.get("name") for output in shown.outputs}


# Checkpoints.


def noisy_run(stop=None, path=None, resume=False):
    """Train with dropout and shuffling; save after step ``stop`` and leave."""
    to_shuffle, to_drop = np.random.default_rng(5).spawn(2)

    def loss(model, x, y):
        return squared_error(model, dropout(x, 0.2, to_drop), y)

    order = batches(examples(20), 6, to_shuffle, epochs=3)
    optimiser = optim.clip_norm(1.0, optim.adamw(optim.warmup(3, optim.cosine(0.05, 12))))
    start, notes = network(), {}
    if resume:
        start, notes = load_checkpoint(path, network(seed=99), optimiser, order, to_drop)
    for step in train(start, loss, order, optimiser):
        if step.number == stop:
            save_checkpoint(path, step, order, to_drop, notes={"seen": [1, "two", None]})
            return step, None
    return step, notes


@pytest.mark.parametrize("stop", range(1, 12))
def test_a_resumed_run_ends_with_the_same_bits_wherever_it_stopped(stop, tmp_path):
    whole, _ = noisy_run()
    assert whole.number == 12
    noisy_run(stop, tmp_path / "run.npz")
    resumed, notes = noisy_run(path=tmp_path / "run.npz", resume=True)
    assert content(resumed.model) == content(whole.model)
    assert content(resumed.state) == content(whole.state)
    assert (resumed.number, resumed.loss) == (whole.number, whole.loss) and notes == {"seen": [1, "two", None]}


@pytest.mark.parametrize("kind", GENERATORS)
def test_every_generator_of_numpy_is_resumed(kind, tmp_path):
    rng = np.random.Generator(kind(3))
    rng.integers(10, dtype=np.uint32)  # leaves half of a drawn number over
    save_checkpoint(tmp_path / "run.npz", saved(), rng)
    expected = rng.integers(2**32, size=5, dtype=np.uint32)
    other = np.random.Generator(kind(4))
    load_checkpoint(tmp_path / "run.npz", network(), optim.adam(), other)
    np.testing.assert_array_equal(other.integers(2**32, size=5, dtype=np.uint32), expected)


KILLED = """
    import hashlib, sys, time
    from pathlib import Path
    import numpy as np
    from recurrence import optim, tree
    from recurrence.nn import MLP
    from recurrence.train import batches, load_checkpoint, save_checkpoint, train

    path, pause = Path(sys.argv[1]), float(sys.argv[2])
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 20)).astype(np.float32)
    order, optimiser = batches((x, x[:, :1]), 7, rng, epochs=12), optim.adam(0.01)
    start = MLP.init((20, 30, 1), np.random.default_rng(1), dropout=0.3)
    if path.exists():
        start, _ = load_checkpoint(path, start, optimiser, order)
        print("resumed", start.number)
    for step in train(start, lambda m, x, y: np.mean((m(x, rng) - y) ** 2), order, optimiser):
        save_checkpoint(path, step, order)
        time.sleep(pause)
    print(hashlib.sha256(b"".join(leaf.tobytes() for leaf in tree.leaves((step.model, step.state)))).hexdigest())
"""


def test_a_killed_run_is_resumed_to_the_same_bits(tmp_path):
    (tmp_path / "run.py").write_text(textwrap.dedent(KILLED))

    def command(name, pause):
        return [sys.executable, str(tmp_path / "run.py"), str(tmp_path / name), str(pause)]

    with subprocess.Popen(command("whole.npz", 0), env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as whole:
        with subprocess.Popen(command("killed.npz", 0.02), env=ENVIRONMENT) as killed:
            while not (tmp_path / "killed.npz").exists() and killed.poll() is None:
                time.sleep(0.01)
            time.sleep(random.uniform(0, 0.6))
            killed.kill()
        expected = whole.communicate()[0].split()
    assert killed.returncode not in (0, 1), "it was meant to be killed on the way"
    resumed = subprocess.run(
        command("killed.npz", 0), env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    assert resumed[0] == "resumed" and 0 < int(resumed[1]) < 180
    assert resumed[2:] == expected


def saved(kind=np.float32, updates=2):
    """Return a step of a network that has learnt a little."""
    *_, step = train(network(), squared_error, batches(examples(), 50, epochs=updates), optim.adam())
    return Step(step.number, step.loss, tree.map(lambda w: w.astype(kind), step.model), step.state)


def test_a_checkpoint_is_arrays_and_json_and_nothing_else(tmp_path):
    order = batches(examples(), 10, np.random.default_rng(0))
    save_checkpoint(tmp_path / "run.npz", saved(), order, notes={"best": 3})
    with np.load(tmp_path / "run.npz", allow_pickle=False) as file:
        assert {"tree['model'].layers[0].W", "tree['state'].updates"} < set(file.files)
        told = json.loads(file["tree['told']"].tobytes())
    assert told["format"] == 1 and told["number"] == 2 and told["notes"] == {"best": 3}
    assert told["versions"]["numpy"] == np.__version__


def test_a_checkpoint_does_not_depend_on_where_things_lie_in_memory(tmp_path):
    save_checkpoint(tmp_path / "run.npz", saved())
    with np.load(tmp_path / "run.npz") as file:
        assert b"0x" not in file["tree['told']"].tobytes()


DAMAGE = {
    "empty": lambda whole: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "a flipped bit": lambda whole: bytes(byte ^ (k == len(whole) // 2) for k, byte in enumerate(whole)),
    "text": lambda whole: b"not an archive",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_one_clear_sentence(damage, tmp_path):
    path = tmp_path / "run.npz"
    save_checkpoint(path, saved())
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"run\.npz is damaged or [^.]*[.;].*\.$") as caught:
        load_checkpoint(path, network(), optim.adam())
    assert "\n" not in str(caught.value)


def test_weights_alone_are_no_checkpoint(tmp_path):
    tree.save(tmp_path / "weights.npz", network())
    with pytest.raises(CheckpointError, match="is damaged or no checkpoint; resume from another one, or start again"):
        load_checkpoint(tmp_path / "weights.npz", network(), optim.adam())


def test_an_absent_checkpoint_is_absent_not_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "run.npz", network(), optim.adam())


OTHERS = {
    "of another size": (
        MLP.init((3, 9, 1), np.random.default_rng(0), activation=np.tanh),
        optim.adam(),
        "another model",
    ),
    "of another precision": (network(), None, "another model"),
    "with another activation": (dataclasses.replace(network(), activation=np.sin), optim.adam(), "another model"),
    "with another constant": (dataclasses.replace(network(), dropout=0.5), optim.adam(), "another model"),
    "with another optimiser": (network(), optim.sgd(0.1), "does not fit this tree"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_checkpoint_of_another_model_is_one_clear_sentence(other, tmp_path):
    model, optimiser, sentence = OTHERS[other]
    if optimiser is None:
        model, optimiser = tree.map(lambda w: w.astype(float), model), optim.adam()
    save_checkpoint(tmp_path / "run.npz", saved())
    with pytest.raises(CheckpointError, match=rf"run\.npz .*{sentence}.*\.$") as caught:
        load_checkpoint(tmp_path / "run.npz", model, optimiser)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_version_is_one_clear_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("recurrence.train.FORMAT", 7)
    save_checkpoint(tmp_path / "run.npz", saved())
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"a checkpoint of format 7, where this version of the package reads 1;"):
        load_checkpoint(tmp_path / "run.npz", network(), optim.adam())


def test_a_checkpoint_of_another_run_changes_nothing(tmp_path):
    def order(n=50, size=10, kind=np.random.PCG64):
        return batches(examples(n), size, np.random.Generator(kind(0)), epochs=4)

    rng = np.random.default_rng(8)
    begun = order()
    next(begun)
    save_checkpoint(tmp_path / "run.npz", saved(), begun, rng)
    state = rng.bit_generator.state
    for randoms, sentence in [
        ((order(40), rng), "it was made with 50 examples in batches of 10, which these are not"),
        ((order(size=7), rng), "it was made with 50 examples in batches of 10, which these are not"),
        ((order(kind=np.random.SFC64), rng), "it drew its random numbers with PCG64, not SFC64"),
        ((order(), np.random.Generator(np.random.Philox(0))), "it drew its random numbers with PCG64, not Philox"),
        ((order(),), "it holds the positions of 2 sources of randomness, not 1"),
        ((rng, order()), "its sources of randomness are of other kinds or in another order"),
        ((batches(examples(), 10), rng), "one of the two is shuffled and the other is not"),
    ]:
        before = [copy.deepcopy(r.position() if isinstance(r, Batches) else r.bit_generator.state) for r in randoms]
        with pytest.raises(CheckpointError, match=rf"run\.npz is of another run: {sentence}\.$"):
            load_checkpoint(tmp_path / "run.npz", network(), optim.adam(), *randoms)
        after = [r.position() if isinstance(r, Batches) else r.bit_generator.state for r in randoms]
        assert repr(after) == repr(before)
    assert rng.bit_generator.state == state


def test_an_infinite_model_does_not_replace_a_good_checkpoint(tmp_path):
    save_checkpoint(tmp_path / "run.npz", saved())
    before = (tmp_path / "run.npz").read_bytes()
    broken = saved()._replace(model=tree.map(lambda w: np.full_like(w, np.inf), network()), number=3)
    with pytest.raises(Diverged, match=r"^Step 3 made the model infinite; it is not saved"):
        save_checkpoint(tmp_path / "run.npz", broken)
    assert (tmp_path / "run.npz").read_bytes() == before


@pytest.mark.parametrize("where", ["write", "fsync"])
def test_a_full_disk_leaves_the_checkpoint_before(where, tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "run.npz", saved())
    before = (tmp_path / "run.npz").read_bytes()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*{"write": (np, "savez"), "fsync": (os, "fsync")}[where], full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "run.npz", saved(updates=3))
    assert (tmp_path / "run.npz").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="this system does not limit the size of files")
def test_a_file_that_may_not_grow_leaves_the_checkpoint_before(tmp_path):
    import resource

    save_checkpoint(tmp_path / "run.npz", saved())
    before = (tmp_path / "run.npz").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # As much as half of a checkpoint: the operating system itself breaks the writing off.
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
        with pytest.raises(OSError, match="too large"):
            save_checkpoint(tmp_path / "run.npz", saved(updates=3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "run.npz").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]
    assert Path(tmp_path / "run.npz").stat().st_size > 0
