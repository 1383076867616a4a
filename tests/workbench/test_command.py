"""The command `recurrence`: what it trains, writes and says, how it is interrupted and resumed, and how it fails."""

import csv
import dataclasses
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from importlib import resources

import numpy as np
import pytest

from recurrence import data as sets
from recurrence import tree
from recurrence.data import Entry, File, digits, idx, mnist
from recurrence.data.fetch import locate
from recurrence.nn import MLP
from recurrence.workbench import mlp, run
from recurrence.workbench.command import cli, main
from recurrence.workbench.registry import MODELS

QUICK = ("--epochs", "2", "--hidden", "16", "--batch", "50")
ENVIRONMENT = {**os.environ, "PYTHONWARNINGS": "error"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recurrence(capsys):
    """Run the command in this process; return its status and what it wrote to both outputs."""

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return ended.value.code, told.out, told.err

    return call


def sentence(err):
    """Return the one line that an error consists of, without its first word."""
    assert err.startswith("Error: ") and err.count("\n") == 1
    return err.removeprefix("Error: ").strip()


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """Put IDX files in MNIST's form into a folder, and let the loader expect these: the embedded digits, enlarged."""
    folder = tmp_path / "own"
    folder.mkdir()
    counts, labels = digits.read()
    images = np.pad(np.kron(counts * 15, np.ones((1, 3, 3), np.uint8)), ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    parts = (images[:400], labels[:400], images[400:500], labels[400:500])
    files = []
    for known, array in zip(mnist.CARD.files, parts, strict=True):
        idx.write(folder / known.name, array)
        content = (folder / known.name).read_bytes()
        closed = f"http://127.0.0.1:9/{known.name}"
        files.append(File(known.name, hashlib.sha256(content).hexdigest(), len(content), (closed,)))
    card = dataclasses.replace(mnist.CARD, files=tuple(files))
    facts = mnist.Facts(
        image=(28, 28),
        train=tuple(np.bincount(parts[1]).tolist()),
        test=tuple(np.bincount(parts[3]).tolist()),
        pixels=mnist.statistics(parts[0] / np.float32(255)),
    )
    monkeypatch.setitem(sets.SETS, "mnist", Entry(card, partial(mnist.load, card, facts)))
    monkeypatch.setenv("RECURRENCE_DATA", str(folder))
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache")
    return folder


def read_result(folder):
    """Return a run's result without what differs from time to time, and its weights."""
    result = json.loads((folder / "result.json").read_text())
    del result["seconds"]
    for row in result["epochs"]:
        del row["seconds"]
    return result, (folder / "weights.npz").read_bytes()


# What a run does and leaves.


def test_a_run_on_the_digits(recurrence, here):
    status, out, err = recurrence("train", "mlp", "--epochs", 12)
    assert status == 0 and err == ""
    lines = out.splitlines()
    assert [line.split(":")[0].split() for line in lines[:12]] == [["epoch", str(n)] for n in range(1, 13)]
    folder = here / "runs" / "mlp-digits-1"
    assert lines[12].startswith("Test accuracy ")
    assert lines[12].endswith(f"Everything is in {folder.relative_to(here)}.")
    assert {path.name for path in folder.iterdir()} == {"config.json", "metrics.csv", "result.json", "weights.npz"}
    result = json.loads((folder / "result.json").read_text())
    # Other people's digits: what a linear classifier reads of them is not much less.
    assert result["test"]["accuracy"] > 0.85 and result["test"]["examples"] == 382
    assert result["command"] == "recurrence train mlp --data digits --seed 0 --epochs 12"
    assert result["config"] == json.loads((folder / "config.json").read_text())
    assert result["versions"]["numpy"] == np.__version__ and set(result["machine"]) >= {"processor", "cores"}
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])
    best = max(rows, key=lambda row: (float(row["holdout_accuracy"]), -float(row["holdout_loss"])))
    assert result["best_epoch"] == int(best["epoch"])


def test_the_weights_are_those_that_were_tested(recurrence, here):
    recurrence("train", "mlp", *QUICK, "--out", "a")
    settings = mlp.Settings(hidden=(16,), dropout=0.5)
    model = tree.load(here / "a" / "weights.npz", mlp.init(settings, (8, 8), 10, np.random.default_rng(9)))
    assert isinstance(model, MLP)
    images, labels = sets.load("digits").test
    wrong = np.count_nonzero(mlp.logits(model, images).argmax(-1) != labels)
    assert wrong == read_result(here / "a")[0]["test"]["wrong"]


def test_at_a_terminal_a_bar_shows_how_it_goes(recurrence, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    # The bar is drawn every tenth of a second.
    at_step(monkeypatch, 35, lambda: time.sleep(0.15))
    status, out, err = recurrence("train", "mlp", *QUICK, "--out", "a")
    assert status == 0 and out.count("epoch") == 3
    for what in (" images/s", "epoch 2/2, loss ", ", accuracy "):
        assert what in err


def test_a_seed_decides_everything(recurrence, here):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert recurrence("train", "mlp", *QUICK, "--seed", seed, "--out", name)[0] == 0
    assert read_result(here / "a") == read_result(here / "b")
    assert read_result(here / "a")[1] != read_result(here / "c")[1]


def test_the_test_images_decide_nothing(recurrence, here, monkeypatch):
    recurrence("train", "mlp", *QUICK, "--out", "a")
    plain = sets.load("digits")
    other = dataclasses.replace(plain, test=(plain.test[0][::-1] * 0, plain.test[1]))
    monkeypatch.setitem(sets.SETS, "digits", Entry(digits.CARD, lambda: other))
    recurrence("train", "mlp", *QUICK, "--out", "b")
    (one, weights), (two, same) = read_result(here / "a"), read_result(here / "b")
    assert weights == same and one["epochs"] == two["epochs"] and one["test"] != two["test"]


def test_without_a_hold_out_the_last_epoch_counts(recurrence, here):
    status, out, _ = recurrence("train", "mlp", *QUICK, "--holdout", 0, "--out", "a")
    assert status == 0 and "hold-out" not in out
    result, _ = read_result(here / "a")
    assert result["best_epoch"] == 2 and result["epochs"][0]["holdout_accuracy"] is None


def test_runs_are_numbered(recurrence, here):
    for _ in range(2):
        recurrence("train", "mlp", *QUICK)
    assert sorted(path.name for path in (here / "runs").iterdir()) == ["mlp-digits-1", "mlp-digits-2"]


def test_the_command_of_a_result_makes_it_again(recurrence, here):
    options = (*QUICK, "--lr", "0.005", "--hidden", "12,9", "--dropout", "0", "--seed", 2)
    recurrence("train", "mlp", *options, "--out", "a")
    words = read_result(here / "a")[0]["command"].split()
    assert words[0] == "recurrence"
    recurrence(*words[1:], "--out", "b")
    assert read_result(here / "a") == read_result(here / "b")


def test_a_result_can_be_recorded(recurrence, here):
    assert recurrence("train", "mlp", *QUICK, "--out", "a", "--record", "kept.json")[0] == 0
    assert (here / "kept.json").read_text() == (here / "a" / "result.json").read_text()
    status, _, err = recurrence("train", "mlp", *QUICK, "--record", here / "nowhere" / "kept.json")
    assert status == 1 and "kept.json cannot be written (No such file or directory)" in sentence(err)


def test_a_run_on_files_in_mnists_form(recurrence, small_mnist, here):
    status, out, _ = recurrence("train", "mlp", "--data", "mnist", "--epochs", 15, "--batch", 20, "--hidden", 32)
    assert status == 0 and "of 100 images wrong" in out
    result, _ = read_result(here / "runs" / "mlp-mnist-1")
    assert result["parameters"] == 784 * 32 + 32 + 32 * 10 + 10
    assert result["test"]["accuracy"] > 0.75


def test_the_real_mnist(recurrence, here):
    if any(locate(file) is None for file in mnist.CARD.files):
        pytest.skip("MNIST is not on this machine; 'recurrence data fetch mnist' fetches it")
    assert recurrence("train", "mlp", "--data", "mnist", "--epochs", 1, "--hidden", 64, "--out", "a")[0] == 0
    assert read_result(here / "a")[0]["test"]["accuracy"] > 0.9


# What comes with the package.


def test_the_recorded_run_on_mnist_is_that_of_the_defaults():
    text = resources.files("recurrence.workbench").joinpath("results", "mnist_mlp.json").read_text("utf-8")
    result = json.loads(text)
    settings, training = MODELS["mlp"].defaults["mnist"]
    config = run.Config("mlp", "mnist", 0, settings, training)
    assert result["config"] == json.loads(json.dumps(dataclasses.asdict(config)))
    assert result["command"] == run.command(config, MODELS["mlp"]) == "recurrence train mlp --data mnist --seed 0"
    assert result["test"]["examples"] == 10000
    assert result["test"]["accuracy"] >= 0.975 and result["seconds"] <= 180
    assert len(result["epochs"]) == training.epochs


def test_every_setting_has_an_option_and_every_model_is_named():
    train = cli.commands["train"]
    names = {parameter.name for parameter in train.params}
    for recipe in MODELS.values():
        for part in recipe.defaults["digits"]:
            assert {field.name for field in dataclasses.fields(part)} <= names
    assert all(f"{name} ({recipe.description})" in train.help for name, recipe in MODELS.items())


# Interrupted, crashed, resumed.


def at_step(monkeypatch, number, what):
    """Let something happen while a step is computed."""
    plain, calls = run._Run._loss, iter(range(1, 10**6))

    def loss(*args):
        if next(calls) == number:
            what()
        return plain(*args)

    monkeypatch.setattr(run._Run, "_loss", loss)


@pytest.mark.parametrize("step", [1, 11, 26, 30])
def test_an_interrupted_run_is_resumed_to_the_same_bits(step, recurrence, here, monkeypatch):
    # 1273 images in batches of 50 are 26 steps an epoch.
    recurrence("train", "mlp", *QUICK, "--out", "whole")
    at_step(monkeypatch, step, lambda: signal.raise_signal(signal.SIGINT))
    status, _, err = recurrence("train", "mlp", *QUICK, "--out", "a")
    assert status == 130
    assert err == f"Interrupted after step {step}; go on with: recurrence train --resume a\n"
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert (here / "a" / "checkpoint.npz").exists()
    status, out, _ = recurrence("train", "--resume", "a")
    assert status == 0 and out.startswith(f"resumed after step {step}\n")
    assert read_result(here / "a") == read_result(here / "whole")
    assert not list((here / "a").glob("*checkpoint*"))


def test_a_crashed_run_goes_on_from_its_last_checkpoint(recurrence, here, monkeypatch):
    class Crash(BaseException):
        """Whatever nobody catches."""

    def crash():
        raise Crash

    recurrence("train", "mlp", *QUICK, "--out", "whole")
    monkeypatch.setattr(run, "SAVE_EVERY", 0.0)
    at_step(monkeypatch, 40, crash)
    with pytest.raises(Crash):
        main(["train", "mlp", *QUICK, "--out", "a"])
    monkeypatch.undo()
    monkeypatch.chdir(here)
    (here / "a" / ".checkpoint.npz.1.unfinished").write_bytes(b"half")
    status, out, _ = recurrence("train", "mlp", "--resume", "a")
    assert status == 0 and "resumed after step 39\n" in out
    assert read_result(here / "a") == read_result(here / "whole")
    assert not list((here / "a").glob(".*"))


def test_a_run_that_crashed_before_its_first_checkpoint_begins_again(recurrence, here, monkeypatch):
    recurrence("train", "mlp", *QUICK, "--out", "whole")
    (here / "a").mkdir()
    (here / "a" / "config.json").write_bytes((here / "whole" / "config.json").read_bytes())
    assert recurrence("train", "--resume", "a")[0] == 0
    assert read_result(here / "a") == read_result(here / "whole")


def test_a_finished_run_tells_its_result_again(recurrence, here):
    _, out, _ = recurrence("train", "mlp", *QUICK, "--out", "a")
    before = (here / "a" / "result.json").stat()
    assert recurrence("train", "--resume", "a") == (0, out.splitlines(keepends=True)[-1], "")
    assert (here / "a" / "result.json").stat() == before


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to whole groups of processes")
def test_control_c_from_outside(here):
    words = [sys.executable, "-m", "recurrence", "train", "mlp", "--epochs", "100000", "--out", "a"]
    with subprocess.Popen(
        words, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (here / "a" / "metrics.csv").exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=30)[1]
    assert process.returncode == 130 and err.startswith("Interrupted after step ") and err.count("\n") == 1
    assert (here / "a" / "checkpoint.npz").exists()


# One thread.


@pytest.mark.parametrize("set_by_user", [None, "2"])
def test_linear_algebra_has_one_thread_before_numpy_is_loaded(set_by_user):
    code = """
import os, sys
from recurrence.workbench.command import THREADS, main
assert "numpy" not in sys.modules
try:
    main(["data", "list"])
except SystemExit as ended:
    assert ended.code == 0
assert "numpy" in sys.modules
print(*(os.environ[name] for name in THREADS))
"""
    environment = {name: value for name, value in ENVIRONMENT.items() if not name.endswith("_NUM_THREADS")}
    if set_by_user:
        environment["OPENBLAS_NUM_THREADS"] = set_by_user
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["1", set_by_user or "1", "1", "1"]


# What is refused, and how.


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "mpl"], "There is no model 'mpl', only mlp; did you mean mlp? (see recurrence train --help)"),
        (["train", "transformer"], "There is no model 'transformer', only mlp."),
        (["train"], "Which model? There are mlp."),
        (
            ["train", "mlp", "--data", "minst"],
            "There is no data set 'minst' for mlp, only digits, mnist; did you mean",
        ),
        (["train", "mlp", "--data", "vowels"], "There is no data set 'vowels' for mlp, only digits, mnist."),
        (["train", "mlp", "--lr", "nan"], "lr must be positive and finite, not nan."),
        (["train", "mlp", "--lr", "-1"], "lr must be positive and finite, not -1.0."),
        (["train", "mlp", "--lr", "fast"], "Invalid value for '--lr': 'fast' is not a valid float."),
        (["train", "mlp", "--epochs", "0"], "Invalid value for '--epochs': 0 is not in the range x>=1."),
        (["train", "mlp", "--hidden", "8,x"], "Invalid value for '--hidden': '8,x' is not a number, or several"),
        (["train", "mlp", "--hidden", "0"], "Each hidden layer needs a whole number of units, at least 1, not [0]."),
        (["train", "mlp", "--dropout", "1"], "dropout must lie in [0, 1), not 1.0."),
        (["train", "mlp", "--holdout", "1"], "holdout must lie in [0, 1), not 1.0."),
        (["train", "mlp", "--seed", "-1"], "Invalid value for '--seed': -1 is not in the range x>=0."),
        (["train", "mlp", "--sead", "1"], "No such option"),
        (["train", "--resume", "a", "--lr", "1"], "--resume goes on with a run as it was begun; leave out --lr."),
        (["tarin"], "No such command 'tarin'."),
    ],
)
def test_what_is_not_understood_is_one_sentence_and_status_2(words, said, recurrence, here):
    status, out, err = recurrence(*words)
    assert status == 2 and out == ""
    assert sentence(err).startswith(said)
    assert not list(here.iterdir())


def test_without_a_command_there_is_help(recurrence):
    status, out, err = recurrence()
    assert status == 2 and out == "" and err.startswith("Usage: recurrence [OPTIONS] COMMAND")


def test_resuming_another_model_is_refused(recurrence, here, monkeypatch):
    recurrence("train", "mlp", *QUICK, "--out", "a")
    monkeypatch.setattr("recurrence.workbench.registry.MODELS", {**MODELS, "other": MODELS["mlp"]})
    status, _, err = recurrence("train", "other", "--resume", "a")
    assert status == 2 and sentence(err).startswith("The run in a trains the model mlp, not other.")


def test_a_folder_that_is_not_empty_is_not_written_to(recurrence, here):
    recurrence("train", "mlp", *QUICK, "--out", "a")
    before = read_result(here / "a")
    status, out, err = recurrence("train", "mlp", *QUICK, "--seed", 1, "--out", "a")
    assert status == 1 and out == ""
    assert sentence(err) == "a is not empty; choose another folder, or go on with the run in it by --resume a."
    assert read_result(here / "a") == before


def test_a_folder_that_cannot_be_written(recurrence, here):
    (here / "file").write_text("")
    status, _, err = recurrence("train", "mlp", *QUICK, "--out", here / "file" / "a")
    assert status == 1 and sentence(err).endswith("cannot be written (Not a directory); choose another folder.")


def test_a_full_disk(recurrence, here, monkeypatch):
    monkeypatch.setattr(run, "SAVE_EVERY", 0.0)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    at_step(monkeypatch, 9, lambda: monkeypatch.setattr(tree, "save", full))
    status, _, err = recurrence("train", "mlp", *QUICK, "--out", "a")
    assert status == 1
    assert sentence(err).startswith(
        "a cannot be written (No space left on device); make it writable and make room in it,"
    )
    monkeypatch.undo()
    monkeypatch.chdir(here)
    status, out, _ = recurrence("train", "--resume", "a")
    assert status == 0 and out.startswith("resumed after step 8\n")


def test_a_diverging_run(recurrence, here):
    status, _, err = recurrence("train", "mlp", *QUICK, "--lr", "1e25", "--out", "a")
    assert status == 1
    assert "The loss at step" in sentence(err) and "lower the learning rate" in err
    settings = mlp.Settings(hidden=(16,), dropout=0.5)
    kept = tree.load(here / "a" / "weights.npz", mlp.init(settings, (8, 8), 10, np.random.default_rng(9)))
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves(kept))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (("config.json", b"{"), "config.json is damaged or of another version of the package"),
        (("config.json", b'{"model": "mlp", "data": "names"}'), "config.json is damaged or of another version"),
        (("config.json", None), "There is no run in a, for it has no config.json; check the name of the folder."),
        (("checkpoint.npz", b"PK"), "checkpoint.npz is damaged or no checkpoint; resume from another one"),
        (("weights.npz", None), "weights.npz is missing or damaged; without the best weights so far"),
    ],
)
def test_a_damaged_run_is_not_resumed(damage, said, recurrence, here, monkeypatch):
    at_step(monkeypatch, 30, lambda: signal.raise_signal(signal.SIGINT))
    recurrence("train", "mlp", *QUICK, "--out", "a")
    name, content = damage
    if content is None:
        (here / "a" / name).unlink()
    else:
        (here / "a" / name).write_bytes(content)
    status, _, err = recurrence("train", "--resume", "a")
    assert status == 1 and said in sentence(err)


def test_no_network_and_no_file(recurrence, small_mnist, here):
    for path in small_mnist.iterdir():
        path.unlink()
    status, out, err = recurrence("train", "mlp", "--data", "mnist")
    assert status == 1 and out == ""
    # The bar of the attempt is wiped out before the sentence.
    said = sentence(err.rpartition("\r")[2])
    assert said.startswith("train-images-idx3-ubyte.gz") and "no mirror gave it" in said
    assert not (here / "runs").exists()


def test_a_damaged_file(recurrence, small_mnist, here):
    path = small_mnist / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    status, _, err = recurrence("train", "mlp", "--data", "mnist")
    assert status == 1 and "t10k-images-idx3-ubyte.gz is damaged or another file" in sentence(err)
    assert not (here / "runs").exists()


def test_the_two_ways_to_call_it_are_one(here):
    done = subprocess.run(
        [sys.executable, "-m", "recurrence", "--help"], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: recurrence [OPTIONS] COMMAND")
    assert "  data " in done.stdout and "  train " in done.stdout
