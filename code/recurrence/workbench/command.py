"""The command ``recurrence``: train the models of the book, and get their data.

It ends with status 0 if all is well, 1 if something failed on the way (data, disk, a diverging loss), 2 if the
command was not understood, and 130 if it was interrupted. Whatever the user can do about it is said in one sentence.

Nothing here loads NumPy before :func:`main` has told it how many threads to use.
"""

import dataclasses
import difflib
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

import recurrence

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What the libraries of linear algebra read their number of threads from, once, as they are loaded."""

INTERRUPTED = 130
"""The exit status of what Ctrl-C has ended: 128 and the number of the signal."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave Python with its exit status.

    Parameters
    ----------
    arguments
        What stands behind the command's name; by default, what Python was called with.
    """
    # One thread is faster for matrices this small, and gives the same bits each time. Who sets more, has more.
    for variable in THREADS:
        os.environ.setdefault(variable, "1")
    from recurrence.workbench.data_command import data

    cli.add_command(data)
    try:
        status = cli.main(arguments, prog_name="recurrence", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        status = error.exit_code
    except click.UsageError as error:
        advice = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        click.echo(f"Error: {error.format_message()}{advice}", err=True)
        status = error.exit_code
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        status = INTERRUPTED
    sys.exit(status if isinstance(status, int) else 0)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(recurrence.__version__, message="%(version)s")
def cli() -> None:
    """Train the models of the book Recurrence, and get the data they learn from."""


def _numbers(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number, or several with commas between them.") from None


@cli.command(short_help="Train a model on images.")
@click.argument("model", required=False)
@click.option(
    "--data", metavar="NAME", help="What to learn from: digits, which come along, or mnist.  [default: digits]"
)
@click.option("--epochs", type=click.IntRange(min=1), help="How often to go through the training images.")
@click.option("--batch", type=click.IntRange(min=1), help="How many images make an update.")
@click.option("--lr", type=float, help="The highest learning rate.")
@click.option("--decay", type=float, help="Weight decay.")
@click.option("--warmup", type=float, help="The share of all updates during which the learning rate rises.")
@click.option("--holdout", type=float, help="The share of the training images that is not learnt from.")
@click.option("--hidden", metavar="N[,N...]", callback=_numbers, help="How many units each hidden layer has.")
@click.option("--dropout", type=float, help="The share of hidden units that is left out at random while learning.")
@click.option("--seed", type=click.IntRange(min=0), help="Where all random numbers come from.  [default: 0]")
@click.option(
    "--out", type=click.Path(path_type=Path), help="An empty or new folder for the results.  [default: one in runs]"
)
@click.option("--resume", metavar="DIRECTORY", type=click.Path(path_type=Path), help="Go on with the run in a folder.")
@click.option(
    "--record", type=click.Path(path_type=Path, dir_okay=False), help="Write the result to this file as well."
)
def train(model: str | None, out: Path | None, resume: Path | None, record: Path | None, **given: Any) -> None:
    """Train MODEL on images, and say how well it reads those that it has not seen.

    A part of the training images is held out to choose the best epoch by. Without an option, the number holds that
    was chosen for the model and the data set. Ctrl-C leaves a checkpoint, and --resume goes on from it to the
    same weights as if nothing had happened.

    MODEL is one of: mlp (multilayer perceptron).

    Exit status: 0 if all is well, 1 if something failed, 2 if the command was not understood, 130 if interrupted.
    """
    from recurrence.data import DataError
    from recurrence.train import CheckpointError
    from recurrence.workbench import run
    from recurrence.workbench.registry import MODELS

    context = click.get_current_context()
    given = {name: value for name, value in given.items() if value is not None}
    if model is not None:
        _choose(context, "model", model, MODELS)
    try:
        if resume is not None:
            if given or out is not None:
                options = ", ".join(f"--{name}" for name in [*given, *(["out"] if out else [])])
                raise click.UsageError(f"--resume goes on with a run as it was begun; leave out {options}.", context)
            config, folder = run.read_config(resume, dict(MODELS)), resume
            if model not in (None, config.model):
                raise click.UsageError(f"The run in {resume} trains the model {config.model}, not {model}.", context)
        elif model is None:
            raise click.UsageError(f"Which model? There are {', '.join(MODELS)}.", context)
        else:
            config = _config(context, model, given)
            folder = out or _free_folder(f"{config.model}-{config.data}")
        result = run.finished(folder) if resume else None
        if result is None:
            result = run.run(config, MODELS[config.model], folder, resume=resume is not None, say=click.echo)
        if record is not None:
            run.record(record, result)
    except run.Interrupted as error:
        click.echo(str(error), err=True)
        context.exit(INTERRUPTED)
    except (DataError, CheckpointError, run.RunError) as error:
        raise click.ClickException(str(error)) from error
    test = result["test"]
    click.echo(
        f"Test accuracy {test['accuracy']:.2%}: {test['wrong']:,} of {test['examples']:,} images wrong, with the "
        f"weights of epoch {result['best_epoch']}. Everything is in {folder}."
    )


def _config(context: click.Context, model: str, given: dict[str, Any]) -> Any:
    """Lay what was given over the defaults."""
    from recurrence.workbench.registry import MODELS
    from recurrence.workbench.run import Config

    recipe = MODELS[model]
    data, seed = given.pop("data", "digits"), given.pop("seed", 0)
    _choose(context, "data set", data, recipe.defaults, f" for {model}")
    parts = []
    for default in recipe.defaults[data]:
        fields = {field.name for field in dataclasses.fields(default)}
        try:
            parts.append(dataclasses.replace(default, **{k: v for k, v in given.items() if k in fields}))
        except ValueError as error:
            raise click.UsageError(str(error), context) from error
    settings, training = parts
    return Config(model, data, seed, settings, training)


def _choose(context: click.Context, what: str, name: str, known: Iterable[str], where: str = "") -> None:
    """Make sure that a name is known; otherwise name the nearest, and all."""
    known = list(known)
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
        advice = f"; did you mean {near[0]}?" if near else "."
        raise click.UsageError(f"There is no {what} {name!r}{where}, only {', '.join(known)}{advice}", context)


def _free_folder(name: str) -> Path:
    """Name a folder in ``runs`` that does not exist yet."""
    number = 1
    while (folder := Path("runs") / f"{name}-{number}").exists():
        number += 1
    return folder
