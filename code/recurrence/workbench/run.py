"""A run: one model trained on one data set, in a folder of its own that holds all there is to know about it.

================  ===================================================================================
config.json       what was to be done; together with the versions it decides every number below
checkpoint.npz    where an unfinished run stands
metrics.csv       one row an epoch
weights.npz       the model that did best on the hold-out
result.json       once the run is finished: how it does on the test images, and all of the above in words
================  ===================================================================================

The hold-out is the last part of the training images; in the digits, other people wrote it than the rest. Nothing is
chosen by looking at the test images: they are classified once, when all is over.
"""

import csv
import dataclasses
import io
import json
import math
import os
import platform
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recurrence import data, ops, tree
from recurrence.optim import Optimiser, adamw, cosine, warmup
from recurrence.train import (
    Batches,
    Diverged,
    Step,
    batches,
    load_checkpoint,
    progress,
    save_checkpoint,
    train,
    versions,
)
from recurrence.tree import Array

if TYPE_CHECKING:
    from recurrence.workbench.registry import Recipe

CONFIG, CHECKPOINT, METRICS, WEIGHTS, RESULT = (
    *("config.json", "checkpoint.npz"),
    *("metrics.csv", "weights.npz", "result.json"),
)

SAVE_EVERY = 10.0
"""Seconds between two checkpoints, and so the most that a crash costs."""

AT_ONCE = 1000
"""Images that are classified at a time where nothing is learnt."""


class RunError(Exception):
    """A run cannot go on: its message is one sentence that says why and what to do."""


class Interrupted(Exception):
    """A run was interrupted, and its checkpoint is written."""

    def __init__(self, folder: Path, number: int) -> None:
        again = shlex.join(["recurrence", "train", "--resume", str(folder)])
        super().__init__(f"Interrupted after step {number}; go on with: {again}")


@dataclass(frozen=True)
class Training:
    """How a model is trained: AdamW, whose rate rises for a moment and then falls along a cosine to zero.

    Attributes
    ----------
    epochs
        How often the training images are gone through.
    batch
        How many images make an update.
    lr
        The highest learning rate.
    decay
        Weight decay.
    warmup
        The share of all updates during which the rate rises.
    holdout
        The share of the training images, the last ones, that is not learnt from. Where there is one, the weights of
        the epoch that did best on it are kept, otherwise those of the last epoch.
    """

    epochs: int
    batch: int
    lr: float
    decay: float
    warmup: float
    holdout: float

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 < self.lr < math.inf:
            raise ValueError(f"lr must be positive and finite, not {self.lr}.")
        if not 0 <= self.decay < math.inf:
            raise ValueError(f"decay must be finite and at least 0, not {self.decay}.")
        for name in ("warmup", "holdout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), not {getattr(self, name)}.")


@dataclass(frozen=True)
class Config:
    """What is to be done.

    Attributes
    ----------
    model, data
        Names of the model and of the data set.
    seed
        Where all random numbers come from.
    settings
        What the model is made of: the dataclass that its recipe names.
    training
        How it is trained.
    """

    model: str
    data: str
    seed: int
    settings: Any
    training: Training

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed must be a whole number and at least 0, not {self.seed}.")


class Epoch(NamedTuple):
    """A row of ``metrics.csv``. The hold-out is None where there is none."""

    epoch: int
    loss: float
    accuracy: float
    holdout_loss: float | None
    holdout_accuracy: float | None
    seconds: float


@dataclass
class Progress:
    """What a run has found out so far, beside its weights: the notes of its checkpoints."""

    epochs: list[Epoch] = dataclasses.field(default_factory=list)
    best: int = 0
    loss: float = 0.0
    correct: int = 0
    seen: int = 0
    seconds: float = 0.0

    @classmethod
    def from_notes(cls, notes: dict[str, Any]) -> "Progress":
        return cls(**{**notes, "epochs": [Epoch(*row) for row in notes["epochs"]]})


def run(
    config: Config, recipe: "Recipe", folder: Path, *, resume: bool = False, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Train a model as a configuration says; go on where the run in the folder stands if ``resume``.

    Parameters
    ----------
    config
        What is to be done.
    recipe
        The entry of :data:`recurrence.workbench.registry.MODELS` for its model.
    folder
        Where everything is written. It is made if it is not there.
    resume
        Go on from its checkpoint, if there is one. Otherwise it has to be empty.
    say
        Told what happens, a line at a time.

    Returns
    -------
    dict
        What ``result.json`` holds.

    Raises
    ------
    DataError
        If the data cannot be had.
    CheckpointError
        If the checkpoint cannot be used.
    RunError
        If the folder cannot be written, or the loss diverged.
    Interrupted
        If Ctrl-C was pressed; the run can be resumed.
    """
    if not resume and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(
            f"{folder} is not empty; choose another folder, or go on with the run in it by --resume {folder}."
        )
    images = data.load(config.data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not resume:
            _write(folder / CONFIG, _json(dataclasses.asdict(config)))
    except OSError as error:
        raise RunError(f"{folder} cannot be written ({error.strerror or error}); choose another folder.") from error
    try:
        return _Run(config, recipe, folder, images, say).to_its_end()
    except BrokenPipeError:
        raise  # whoever read what we say has gone: nothing is wrong with the folder
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written ({error.strerror or error}); make it writable and make room in it, then go on "
            f"with --resume {folder}, or choose another folder."
        ) from error


class _Run:
    def __init__(
        self, config: Config, recipe: "Recipe", folder: Path, images: data.Dataset, say: Callable[[str], None]
    ) -> None:
        self.config, self.recipe, self.folder, self.say = config, recipe, folder, say
        self.test, how = images.test, config.training
        inputs, labels = images.train
        kept = max(1, len(labels) - round(how.holdout * len(labels)))
        self.holdout = (inputs[kept:], labels[kept:])
        # One stream of random numbers for each purpose, so that changing one leaves the others as they are.
        to_start, to_shuffle, self.to_drop = np.random.default_rng(config.seed).spawn(3)
        self.classes = int(labels.max()) + 1
        self.start = recipe.init(config.settings, inputs.shape[1:], self.classes, to_start)
        self.order: Batches = batches((inputs[:kept], labels[:kept]), how.batch, to_shuffle, epochs=how.epochs)
        updates = len(self.order)
        schedule = cosine(how.lr, updates)
        if how.warmup:
            schedule = warmup(math.ceil(how.warmup * updates), schedule)
        self.optimiser: Optimiser = adamw(schedule, how.decay)
        self.best = self.start
        self.so_far = Progress()

    def to_its_end(self) -> dict[str, Any]:
        step = self._resumed()
        with _interrupts() as interrupted, self._bar() as bar:
            try:
                self._learn(step or self.start, interrupted, bar)
            except Diverged as error:
                if not self.so_far.best:
                    self.best = error.model
                tree.save(self.folder / WEIGHTS, self.best)
                raise RunError(f"{error} The weights from before are in {self.folder / WEIGHTS}.") from error
        return self._finish()

    def _learn(self, start: Any, interrupted: Callable[[], bool], bar: Any) -> None:
        so_far, epochs = self.so_far, self.config.training.epochs
        began = saved = time.monotonic()
        already = so_far.seconds
        for step in train(start, self._loss, self.order, self.optimiser, has_aux=True):
            correct, seen = step.aux
            so_far.loss += step.loss * seen
            so_far.correct += int(correct)
            so_far.seen += seen
            bar.set_postfix_str(
                f"epoch {len(so_far.epochs) + 1}/{epochs}, loss {so_far.loss / so_far.seen:.4f}, "
                f"accuracy {so_far.correct / so_far.seen:.2%}",
                refresh=False,
            )
            bar.update(seen)
            now = time.monotonic()
            so_far.seconds = already + now - began
            if self.order.taken % self.order.per_epoch == 0:
                self._end_epoch(step.model, bar)
            if interrupted() and len(self.order):
                self._save(step)
                raise Interrupted(self.folder, step.number)
            if now - saved > SAVE_EVERY:
                self._save(step)
                saved = now
        so_far.seconds = already + time.monotonic() - began

    def _loss(self, model: Any, inputs: Array, labels: Array) -> tuple[Any, tuple[Any, int]]:
        logits = self.recipe.logits(model, inputs, self.to_drop)
        correct = np.count_nonzero(np.argmax(logits, axis=-1) == labels)
        return ops.cross_entropy(logits, labels), (correct, len(labels))

    def _end_epoch(self, model: Any, bar: Any) -> None:
        so_far = self.so_far
        loss, accuracy = self.evaluate(model, self.holdout) if len(self.holdout[1]) else (None, None)
        row = Epoch(
            epoch=len(so_far.epochs) + 1,
            loss=so_far.loss / so_far.seen,
            accuracy=so_far.correct / so_far.seen,
            holdout_loss=loss,
            holdout_accuracy=accuracy,
            seconds=so_far.seconds,
        )
        so_far.loss, so_far.correct, so_far.seen = 0.0, 0, 0
        so_far.epochs.append(row)
        if not so_far.best or _merit(row) >= _merit(so_far.epochs[so_far.best - 1]):
            self.best, so_far.best = model, row.epoch
        self._write_metrics()
        held = "" if row.holdout_accuracy is None else f", hold-out {row.holdout_accuracy:.2%}"
        bar.clear()
        self.say(f"epoch {row.epoch:>3}: loss {row.loss:.4f}, accuracy {row.accuracy:.2%}{held}")

    def evaluate(self, model: Any, pair: data.dataset.Pair) -> tuple[float, float]:
        """Return mean loss and accuracy."""
        loss, correct = 0.0, 0
        # A model on its way to infinity is told of by the training, in a sentence.
        with np.errstate(over="ignore", invalid="ignore"):
            for inputs, labels in batches(pair, AT_ONCE):
                logits = self.recipe.logits(model, inputs)
                loss += len(labels) * float(ops.cross_entropy(logits, labels))
                correct += int(np.count_nonzero(np.argmax(logits, axis=-1) == labels))
        return loss / len(pair[1]), correct / len(pair[1])

    def _save(self, step: Step[Any]) -> None:
        # The weights first: a checkpoint must never tell of a best epoch whose weights are not there.
        if self.so_far.best:
            tree.save(self.folder / WEIGHTS, self.best)
        notes = dataclasses.asdict(self.so_far)
        save_checkpoint(self.folder / CHECKPOINT, step, self.order, self.to_drop, notes=notes)

    def _resumed(self) -> Step[Any] | None:
        path = self.folder / CHECKPOINT
        if not path.exists():
            return None
        step, notes = load_checkpoint(path, self.start, self.optimiser, self.order, self.to_drop)
        self.so_far = Progress.from_notes(notes)
        if self.so_far.best:
            try:
                self.best = tree.load(self.folder / WEIGHTS, self.start)
            except (ValueError, FileNotFoundError) as error:
                raise RunError(
                    f"{self.folder / WEIGHTS} is missing or damaged; without the best weights so far the run cannot go "
                    "on, so start it again in another folder."
                ) from error
        self.say(f"resumed after step {step.number}")
        return step

    def _finish(self) -> dict[str, Any]:
        so_far = self.so_far
        loss, accuracy = self.evaluate(self.best, self.test)
        examples = len(self.test[1])
        result = {
            "command": command(self.config, self.recipe),
            "config": dataclasses.asdict(self.config),
            "parameters": tree.size(self.best),
            "test": {
                "accuracy": accuracy,
                "wrong": round((1 - accuracy) * examples),
                "examples": examples,
                "loss": loss,
            },
            "best_epoch": so_far.best,
            "seconds": round(so_far.seconds, 2),
            "epochs": [{k: _short(v) for k, v in row._asdict().items()} for row in so_far.epochs],
            "versions": versions(),
            "machine": machine(),
        }
        tree.save(self.folder / WEIGHTS, self.best)
        _write(self.folder / RESULT, _json(result))
        # A run that was killed while it wrote has left an unfinished file.
        for leftover in (self.folder / CHECKPOINT, *self.folder.glob(".*.unfinished")):
            leftover.unlink(missing_ok=True)
        return result

    def _write_metrics(self) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(Epoch._fields)
        writer.writerows([_short(value) for value in row] for row in self.so_far.epochs)
        _write(self.folder / METRICS, text.getvalue())

    def _bar(self) -> Any:
        images = self.order.examples
        done = self.order.taken // self.order.per_epoch * images + self.so_far.seen
        return progress(
            self.config.training.epochs * images,
            sys.stderr.isatty(),
            initial=done,
            unit=" images",
            unit_scale=True,
            leave=False,
            dynamic_ncols=True,
        )


def command(config: Config, recipe: "Recipe") -> str:
    """Write the command that makes a run: every option that is not as it is by default."""
    settings, training = recipe.defaults[config.data]
    words = ["recurrence", "train", config.model, "--data", config.data, "--seed", str(config.seed)]
    for given, default in ((config.settings, settings), (config.training, training)):
        for field in dataclasses.fields(given):
            value = getattr(given, field.name)
            if value != getattr(default, field.name):
                text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
                words += [f"--{field.name}", text]
    return shlex.join(words)


def read_config(folder: Path, models: "dict[str, Recipe]") -> Config:
    """Read the configuration of the run in a folder.

    Raises
    ------
    RunError
        If there is none, or it is not one of this version.
    """
    path = folder / CONFIG
    try:
        told = json.loads(path.read_text("utf-8"))
        recipe = models[told["model"]]
        assert told["data"] in recipe.defaults, f"data is {told['data']}"
        settings, training = recipe.settings(**told["settings"]), Training(**told["training"])
        config = Config(**{**told, "settings": settings, "training": training})
    except FileNotFoundError as error:
        raise RunError(f"There is no run in {folder}, for it has no {CONFIG}; check the name of the folder.") from error
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    except (ValueError, TypeError, KeyError, AssertionError) as error:
        raise RunError(
            f"{path} is damaged or of another version of the package ({error}); start the run again in another folder."
        ) from error
    return config


def finished(folder: Path) -> dict[str, Any] | None:
    """Return the result of the run in a folder, or None if it is not finished."""
    try:
        result: dict[str, Any] = json.loads((folder / RESULT).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / RESULT} cannot be read; remove it to finish the run again.") from error
    return result


def record(path: Path, result: dict[str, Any]) -> None:
    """Write a result to a file of its own, as those that come with the package were."""
    try:
        _write(path, _json(result))
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror or error}); choose another file.") from error


def machine() -> dict[str, Any]:
    """Describe the machine as far as its speed and its rounding depend on it, without naming it."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
    }


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Note Ctrl-C instead of stopping in the middle of an update; a second one stops at once."""
    noted = False

    def note(number: int, frame: Any) -> None:
        nonlocal noted
        noted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: noted
    finally:
        signal.signal(signal.SIGINT, before)


def _merit(row: Epoch) -> tuple[float, float]:
    """Order epochs by accuracy on the hold-out, then by loss there; without a hold-out all are equal."""
    if row.holdout_accuracy is None or row.holdout_loss is None:
        return 0.0, 0.0
    return row.holdout_accuracy, -row.holdout_loss


def _short(value: float | None) -> float | None:
    """Keep six digits, which is more than the differences between two seeds leave."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _write(path: Path, text: str) -> None:
    """Write a text file that appears complete or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        unfinished.write_text(text, "utf-8", newline="\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
