"""The training loop: minibatches, a generator of steps, a progress bar around it, and checkpoints to go on from.

A step is one update of a model by one batch. ``train`` yields a :class:`Step` after each, and the loop around it
belongs to the caller: its body looks at the step, ``break`` stops early, and the model of any step may be kept::

    for step in train(model, loss, batches((images, labels), 64, rng, epochs=5), adam(1e-3)):
        if step.loss < 0.01:
            break
    model = step.model
"""

import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

import recurrence
from recurrence import tree
from recurrence.optim import Optimiser, State
from recurrence.tape import value_and_grad
from recurrence.tree import Array

Model = TypeVar("Model")

FORMAT = 1
"""Version of the layout of a checkpoint."""


class Step(NamedTuple, Generic[Model]):
    """Where training stands after an update.

    Attributes
    ----------
    number
        How many updates there were: 1 after the first.
    loss
        The loss on the batch of this update, measured before it.
    model
        The model after it. It is the caller's: no later step changes it.
    state
        The optimiser's state after it. It is on loan: the next step changes it in place, so save it before.
    aux
        What else the loss function returned, with ``has_aux``.
    """

    number: int
    loss: float
    model: Model
    state: State
    aux: Any = None


class Diverged(ArithmeticError):
    """The loss, or a number of the model, is infinite or not a number any more.

    Attributes
    ----------
    number
        The step at which this was seen.
    model
        The last model whose loss was finite.
    """

    def __init__(self, message: str, number: int, model: Any) -> None:
        super().__init__(message)
        self.number, self.model = number, model


class CheckpointError(ValueError):
    """A checkpoint cannot be used: its message is one sentence that says why."""


class Batches:
    """Shuffled minibatches, epoch after epoch: an iterator that knows where it is. :func:`batches` makes it.

    Attributes
    ----------
    per_epoch
        How many batches an epoch has.
    taken
        How many were handed out so far.
    """

    def __init__(
        self,
        data: Sequence[Array],
        size: int,
        rng: np.random.Generator | None,
        epochs: int | None,
        drop_rest: bool,
    ) -> None:
        self.data, self.size, self.rng, self.epochs = tuple(data), size, rng, epochs
        self.examples = len(self.data[0])
        self.per_epoch = self.examples // size if drop_rest else -(-self.examples // size)
        self.taken = 0
        self._order: npt.NDArray[np.int64] = np.arange(self.examples)
        self._before = _random_state(rng)

    def __iter__(self) -> "Batches":
        return self

    def __len__(self) -> int:
        """Count the batches that are still to come."""
        if self.epochs is None:
            raise TypeError("Batches without end have no length.")
        return self.epochs * self.per_epoch - self.taken

    def __next__(self) -> tuple[Array, ...]:
        if self.epochs is not None and not len(self):
            raise StopIteration
        begin = self.taken % self.per_epoch * self.size
        if begin == 0:
            self._shuffle()
        self.taken += 1
        if self.rng is None:
            return tuple(array[begin : begin + self.size] for array in self.data)
        chosen = self._order[begin : begin + self.size]
        return tuple(np.take(array, chosen, axis=0) for array in self.data)

    def position(self) -> dict[str, Any]:
        """Say where in the epochs we are, and where the random numbers are: plain values, ready for JSON."""
        return {
            "batches": [self.examples, self.size, self.per_epoch],
            "taken": self.taken,
            "before": self._before,
            "rng": _random_state(self.rng),
        }

    def go_to(self, position: dict[str, Any]) -> None:
        """Go where :meth:`position` was asked, in batches of the same data made in the same way."""
        if position["batches"] != [self.examples, self.size, self.per_epoch]:
            examples, size, _ = position["batches"]
            raise ValueError(f"it was made with {examples} examples in batches of {size}, which these are not")
        self.taken = position["taken"]
        if self.taken % self.per_epoch:
            # The order of the epoch we are in is drawn once more from the state it was drawn from.
            _set_random_state(self.rng, position["before"])
            self._shuffle()
        _set_random_state(self.rng, position["rng"])

    def _shuffle(self) -> None:
        self._before = _random_state(self.rng)
        if self.rng is not None:
            self._order = self.rng.permutation(self.examples)


Random: TypeAlias = np.random.Generator | Batches


def batches(
    data: Sequence[Array],
    size: int,
    rng: np.random.Generator | None = None,
    *,
    epochs: int | None = 1,
    drop_rest: bool = False,
) -> Batches:
    """Cut data into minibatches, in a new random order each epoch.

    Parameters
    ----------
    data
        Arrays with one row an example, all equally long: usually inputs and targets.
    size
        How many examples a batch has. Where the examples do not divide evenly, the last batch of an epoch is
        smaller, so that an epoch shows every example exactly once.
    rng
        Draws the orders. Without it there is no shuffling.
    epochs
        How often the data are gone through; None for ever.
    drop_rest
        Leave the smaller batch out; the new order of the next epoch leaves out other examples.

    Returns
    -------
    Batches
        An iterator of tuples with a batch of each array: copies if they are shuffled, views if not.

    Raises
    ------
    ValueError
        If there are no data, they are not equally long, or no batch would come of them.
    """
    lengths = [len(array) for array in data]
    if not lengths or len(set(lengths)) > 1 or not lengths[0]:
        raise ValueError(f"Batches need arrays of one length, and one example at least, but the lengths are {lengths}.")
    if size < 1 or (drop_rest and size > lengths[0]):
        raise ValueError(f"{lengths[0]} examples cannot be cut into batches of {size}.")
    return Batches(data, size, rng, epochs, drop_rest)


def train(
    model: Model | Step[Model],
    loss: Callable[..., Any],
    batches: Iterable[tuple[Any, ...]],
    optimiser: Optimiser,
    *,
    has_aux: bool = False,
) -> Iterator[Step[Model]]:
    """Learn from one batch after another, and yield where things stand after each.

    Parameters
    ----------
    model
        A model to start from, or a :class:`Step` to go on from. It stays as it is.
    loss
        Called as ``loss(model, *batch)``, gives the number that is to become small.
    batches
        What is learnt from: the loop ends when they do.
    optimiser
        What turns gradients into updates.
    has_aux
        Whether ``loss`` returns a pair, whose second part goes into ``step.aux``.

    Yields
    ------
    Step
        After each update.

    Raises
    ------
    Diverged
        If the loss or, when the batches end, the model is not finite. The message names the step, and the
        exception holds the last model whose loss was finite.
    """
    differentiate = value_and_grad(loss, has_aux=has_aux)
    if isinstance(model, Step):
        number, now, state = model.number, model.model, tree.map(np.copy, model.state, every=True)
    else:
        number, now, state = 0, model, optimiser.start(model)
    good = now
    for batch in batches:
        number += 1
        # What overflows on the way shows in the loss, where it is told in a sentence.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            value, grads = differentiate(now, *batch)
            value, aux = value if has_aux else (value, None)
            if not np.isfinite(value):
                raise Diverged(
                    f"The loss at step {number} is {float(value)}; lower the learning rate, clip the gradient, "
                    "or look for what is not finite in the data.",
                    number,
                    good,
                )
            good = now
            now, state = optimiser.update(now, grads, state)
        yield Step(number, float(value), now, state, aux)
    if not _finite(now):
        raise Diverged(f"Step {number} made the model infinite; lower the learning rate.", number, good)


def fit(
    model: Model | Step[Model],
    loss: Callable[..., Any],
    batches: Iterable[tuple[Any, ...]],
    optimiser: Optimiser,
    *,
    bar: bool = True,
) -> tuple[Model, Array]:
    """Run :func:`train` to its end behind a progress bar.

    An interrupt (Ctrl-C, or the stop button of a notebook) ends it early: a sentence says so, and the model learnt so
    far is returned.

    Parameters
    ----------
    model, loss, batches, optimiser
        As in :func:`train`.
    bar
        Whether to show the bar. The environment variable ``TQDM_DISABLE`` hides all bars.

    Returns
    -------
    model
        After the last step.
    losses
        The loss of each step.

    Raises
    ------
    Diverged
        As in :func:`train`.
    """
    learnt = model.model if isinstance(model, Step) else model
    losses: list[float] = []
    try:
        total = len(batches)  # type: ignore[arg-type]
    except TypeError:  # a generator, or batches without end
        total = None
    with progress(total, bar) as shown:
        try:
            for step in train(model, loss, batches, optimiser):
                learnt = step.model
                losses.append(step.loss)
                shown.set_postfix_str(f"loss {step.loss:.4g}", refresh=False)
                shown.update()
        except KeyboardInterrupt:
            shown.close()
            print(f"Interrupted after {len(losses)} steps; this is the model learnt so far.")
    return learnt, np.array(losses)


def progress(total: int | None, bar: bool = True, **options: Any) -> Any:
    """Make a progress bar for a terminal or a notebook.

    In a notebook it never writes to the standard error, which a notebook shows as if something had failed.

    Parameters
    ----------
    total
        How far it goes; None if nobody knows.
    bar
        Whether to show it. The environment variable ``TQDM_DISABLE`` hides all bars.
    **options
        Passed on to ``tqdm.auto.tqdm``.
    """
    import warnings

    with warnings.catch_warnings():
        # That a notebook has no widgets is nothing to warn of: the bar is written in text then.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    hidden = not bar or bool(os.environ.get("TQDM_DISABLE"))
    return tqdm(total=total, disable=hidden, file=sys.stdout if _in_a_notebook() else sys.stderr, **options)


def _in_a_notebook() -> bool:
    """Ask IPython, if somebody has loaded it, whether its shell belongs to a kernel."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def save_checkpoint(
    path: str | os.PathLike[str], step: Step[Any], *randoms: Random, notes: dict[str, Any] | None = None
) -> None:
    """Write everything that training needs to go on as if it had never stopped.

    The file appears complete or not at all, so that the checkpoint before it survives a crash and a full disk. On the
    same machine, with the same versions and one thread for linear algebra, the resumed run ends with weights that
    are identical to the last bit.

    Parameters
    ----------
    path
        Where to write; end it with ``.npz``.
    step
        Where training stands: its model, its number and the optimiser's state.
    *randoms
        Whatever is random in the loop: the :class:`Batches`, and further generators, such as one for dropout.
    notes
        Whatever else is to be remembered, of kinds that JSON knows.

    Raises
    ------
    OSError
        If the file cannot be written.
    Diverged
        If the model is not finite: it would replace one that is.
    """
    if not _finite(step.model):
        raise Diverged(f"Step {step.number} made the model infinite; it is not saved.", step.number, step.model)
    told = {
        "format": FORMAT,
        "model": _fingerprint(step.model),
        "number": step.number,
        "loss": step.loss,
        "randoms": [_position(random) for random in randoms],
        "notes": notes or {},
        "versions": versions(),
    }
    text = np.frombuffer(json.dumps(told).encode(), np.uint8)
    tree.save(path, {"told": text, "model": step.model, "state": step.state})


def load_checkpoint(
    path: str | os.PathLike[str], model: Model, optimiser: Optimiser, *randoms: Random
) -> tuple[Step[Model], dict[str, Any]]:
    """Read what :func:`save_checkpoint` wrote, for example like this::

        step, notes = load_checkpoint(path, model, optimiser, order)
        for step in train(step, loss, order, optimiser):
            ...

    Parameters
    ----------
    path
        The file.
    model, optimiser
        Made as they were made for the run that is resumed. The model gives the structure; its numbers do not matter.
    *randoms
        The same as were saved, in the same order. They are set to where they were.

    Returns
    -------
    step
        Where training stood, for :func:`train` to go on from.
    notes
        What else was to be remembered.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If the file is damaged, or is of another version, model, optimiser or data. Then nothing was changed.
    """
    path = os.fspath(path)
    text = _text(path)
    told = json.loads(text.tobytes())
    if told.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a checkpoint of format {told.get('format')}, where this version of the package reads {FORMAT}; "
            "resume it with the version that wrote it."
        )
    if told["model"] != _fingerprint(model):
        raise CheckpointError(f"{path} is of another model: it holds {told['model']}, not {_fingerprint(model)}.")
    try:
        saved: dict[str, Any] = tree.load(path, {"told": text, "model": model, "state": optimiser.start(model)})
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    _restore(path, told["randoms"], randoms)
    return Step(told["number"], told["loss"], saved["model"], saved["state"]), told["notes"]


def versions() -> dict[str, str]:
    """Name the versions that numbers may depend on."""
    return {
        "recurrence": recurrence.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _finite(model: Any) -> bool:
    return all(np.isfinite(leaf).all() for leaf in tree.leaves(model))


def _text(path: str) -> npt.NDArray[np.uint8]:
    """Read the part of a checkpoint that is text."""
    with open(path, "rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as file:
                text: npt.NDArray[np.uint8] = file["tree['told']"]
                return text
        except Exception as error:
            # Which of a dozen exceptions a damaged archive raises depends on the byte that was hit.
            raise CheckpointError(
                f"{path} is damaged or no checkpoint; resume from another one, or start again."
            ) from error


def _fingerprint(model: Any) -> str:
    """Write what a model is apart from its numbers: its structure, shapes, kinds of numbers, functions, constants."""
    text = repr(tree.map(lambda leaf: _Shape(f"{leaf.dtype}{list(leaf.shape)}"), model, every=True))
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


class _Shape(str):
    __repr__ = str.__str__


def _random_state(rng: np.random.Generator | None) -> Any:
    """Return the state of a generator in plain values."""
    return None if rng is None else _plain(rng.bit_generator.state)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _set_random_state(rng: np.random.Generator | None, state: Any) -> None:
    if (rng is None) != (state is None):
        raise ValueError("one of the two is shuffled and the other is not")
    if rng is not None:
        kind = type(rng.bit_generator).__name__
        if state["bit_generator"] != kind:
            raise ValueError(f"it drew its random numbers with {state['bit_generator']}, not {kind}")
        rng.bit_generator.state = state


def _position(random: Random) -> Any:
    return random.position() if isinstance(random, Batches) else _random_state(random)


def _restore(path: str, positions: Sequence[Any], randoms: Sequence[Random]) -> None:
    """Set what is random to where it was; if that fails, to where it is now."""
    before = [_position(random) for random in randoms]
    try:
        if len(positions) != len(randoms):
            raise ValueError(f"it holds the positions of {len(positions)} sources of randomness, not {len(randoms)}")
        for random, position in zip(randoms, positions, strict=True):
            _go_to(random, position)
    except (ValueError, KeyError, TypeError) as error:
        for random, position in zip(randoms, before, strict=True):
            _go_to(random, position)
        raise CheckpointError(f"{path} is of another run: {error}.") from error


def _go_to(random: Random, position: Any) -> None:
    if isinstance(position, dict) and isinstance(random, Batches) != ("batches" in position):
        raise ValueError("its sources of randomness are of other kinds or in another order")
    if isinstance(random, Batches):
        random.go_to(position)
    else:
        _set_random_state(random, position)
