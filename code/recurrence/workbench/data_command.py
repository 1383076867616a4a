"""The command ``recurrence data``: which data sets there are, how to fetch their files, and where these lie.

It ends with status 0 if all is well, 1 if data cannot be had, and 2 if the command was not understood.
"""

from collections.abc import Sequence

import click

from recurrence.data import SETS, Card, DataError, find
from recurrence.data.digits import PATH
from recurrence.data.fetch import VARIABLE, cache_folder, fetch, locate, own_folder


def _known(context: click.Context, _: click.Parameter, names: Sequence[str]) -> list[Card]:
    """Look up data sets by name; an unknown one is a mistake in the command."""
    try:
        return [find(name).card for name in names]
    except DataError as error:
        raise click.UsageError(str(error), context) from None


@click.group()
def data() -> None:
    """Data sets: what there is, how to get it, and where it lies.

    Files are looked for in the folder that the environment variable RECURRENCE_DATA names, then in the cache,
    and are fetched into the cache if they are in neither.

    Exit status: 0 if all is well, 1 if data cannot be had, 2 if the command was not understood.
    """


@data.command("list")
def list_sets() -> None:
    """Show every data set."""
    _folders()
    rows = [("name", "here", "size", "licence", "what it is")]
    for entry in SETS.values():
        card = entry.card
        rows.append((card.name, _here(card), _size(card), card.licence, card.description))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, here, size, licence, what in rows:
        click.echo(
            f"{name:<{widths[0]}}  {here:<{widths[1]}}  {size:>{widths[2]}}  {licence:<{widths[3]}}  {what}".rstrip()
        )


@data.command("fetch")
@click.argument("cards", metavar="[NAME]...", nargs=-1, callback=_known)
@click.option("--all", "everything", is_flag=True, help="Fetch every data set that has a home on the network.")
@click.option("--quiet", is_flag=True, help="Show no progress bar.")
def fetch_sets(cards: list[Card], everything: bool, quiet: bool) -> None:
    """Fetch the files of data sets."""
    if bool(cards) == everything:
        raise click.UsageError("Give either names of data sets or --all; 'recurrence data list' shows the names.")
    problems = 0
    for card in [entry.card for entry in SETS.values() if entry.card.files] if everything else cards:
        try:
            if everything and not _has_home(card) and _missing(card):
                click.echo(f"{card.name}: skipped, for it has no stable home on the network")
                continue
            folders = dict.fromkeys(str(fetch(file, progress=not quiet).parent) for file in card.files)
            click.echo(f"{card.name}: {' and '.join(folders) or _here(card)}")
        except DataError as error:
            # The others may still be had.
            click.echo(f"Error: {error}", err=True)
            problems += 1
    if problems:
        raise click.exceptions.Exit(1)


@data.command("where")
@click.argument("cards", metavar="[NAME]...", nargs=-1, callback=_known)
def where(cards: list[Card]) -> None:
    """Show where files lie, or which folders are searched."""
    own, cache = _folders()
    if not cards:
        click.echo(f"{VARIABLE}: {own or 'not set'}")
        click.echo(f"cache: {cache}")
    problems = []
    for card in cards:
        if not card.files:
            click.echo(f"{card.name} is generated and has no file" if card.generated else PATH)
        try:
            for file in card.files:
                if (path := locate(file)) is not None:
                    click.echo(path)
            if missing := _missing(card):
                by_hand = f"put them into a folder of yours and name that folder in {VARIABLE}"
                way = f"run 'recurrence data fetch {card.name}'" if _has_home(card) else by_hand
                problems.append(f"{card.name} lacks {', '.join(missing)} on this machine; {way}.")
        except DataError as error:
            problems.append(str(error))
    for problem in problems:
        click.echo(f"Error: {problem}", err=True)
    if problems:
        raise click.exceptions.Exit(1)


def _folders() -> tuple[str | None, str]:
    """Return the two folders that are searched; where one cannot be named, nothing else would be right either."""
    try:
        own = own_folder()
        return None if own is None else str(own), str(cache_folder())
    except DataError as error:
        raise click.ClickException(str(error)) from None


def _here(card: Card) -> str:
    if not card.files:
        return "generated" if card.generated else "in the package"
    try:
        return "no" if _missing(card) else "yes"
    except DataError:
        return "damaged"


def _size(card: Card) -> str:
    size = sum(file.size for file in card.files) or (0 if card.generated else PATH.stat().st_size)
    return f"{size / 1e6:.2f} MB" if size else "–"


def _missing(card: Card) -> list[str]:
    return [file.name for file in card.files if locate(file) is None]


def _has_home(card: Card) -> bool:
    return all(file.mirrors for file in card.files)
