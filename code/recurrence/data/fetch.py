"""Find the files of a data set: in the folder that RECURRENCE_DATA names, then in the cache, then on the network.

No file is used before its SHA-256 is the known one. A download goes to a temporary name in the cache and is moved to
its place only when it is complete and right, so that whatever happens in between leaves nothing behind.
"""

import errno
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from recurrence.data.dataset import DataError, File

VARIABLE = "RECURRENCE_DATA"
"""The environment variable that names a folder with files of the user's own."""

TIMEOUT = 30.0
"""Seconds without a sign of life after which a mirror is given up."""


def own_folder() -> Path | None:
    """Return the folder that RECURRENCE_DATA names, or None if it names nothing.

    Raises
    ------
    DataError
        If there is no such folder.
    """
    named = os.environ.get(VARIABLE, "")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(f"{VARIABLE} names {folder}, which is no folder; correct it, or unset it to use the cache.")
    return folder


def cache_folder() -> Path:
    """Return the folder that downloads go to: the operating system's place for such things. It may not exist yet.

    Raises
    ------
    DataError
        If pooch is not installed.
    """
    return Path(_pooch().os_cache("recurrence"))


def locate(file: File) -> Path | None:
    """Return where an unharmed copy of a file lies on this machine, or None; nothing is fetched or removed.

    Raises
    ------
    DataError
        If RECURRENCE_DATA names no folder, or its copy is damaged or cannot be read.
    """
    own = own_folder()
    if own is not None and (found := _sha256(own / file.name)) is not None:
        if found != file.sha256:
            raise DataError(
                f"{own / file.name} is damaged or another file: its SHA-256 begins with {found[:12]}, where "
                f"{file.sha256[:12]} was expected; replace it, or take it away to have a fresh copy fetched."
            )
        return own / file.name
    path = cache_folder() / file.name
    return path if _sha256(path) == file.sha256 else None


def fetch(file: File, *, progress: bool = True, timeout: float = TIMEOUT) -> Path:
    """Return where a file lies, after fetching it if it is not on this machine.

    Parameters
    ----------
    file
        What is wanted.
    progress
        Whether to show a bar while it is fetched.
    timeout
        Seconds without a sign of life after which a mirror is given up and the next one asked.

    Returns
    -------
    Path
        An unharmed copy. A damaged one in RECURRENCE_DATA is an error, since it is the user's; in the cache it
        is removed and fetched again.

    Raises
    ------
    DataError
        If the file is nowhere to be had; the message says where it was looked for and how to go on.
    """
    path = locate(file)
    if path is not None:
        return path
    folder = cache_folder()
    path, refusals = folder / file.name, []
    looked = _looked(file, path)
    if not file.mirrors:
        raise DataError(f"{looked}, and it has no stable home on the network; {_by_hand(file)}.")
    try:
        path.unlink(missing_ok=True)
        for mirror in file.mirrors:
            refusal = _download(mirror, path, file, progress, timeout)
            if refusal is None:
                return path
            refusals.append(f"{urlsplit(mirror).hostname}: {refusal}")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DataError(
                f"{file.name} needs {file.size:,} bytes, which no longer fit on the disk of {folder}; make room, or "
                f"{_by_hand(file)}."
            ) from error
        raise DataError(
            f"{file.name} cannot be written to the cache folder {folder} ({_reason(error)}); make that folder "
            f"writable, or {_by_hand(file)}."
        ) from error
    raise DataError(
        f"{looked}, and no mirror gave it ({'; '.join(refusals)}); "
        f"connect to the network and try again, or {_by_hand(file)}."
    )


def _download(mirror: str, path: Path, file: File, progress: bool, timeout: float) -> str | None:
    """Try one mirror; return None when the file is in its place, or in a few words why it is not."""
    from requests.exceptions import RequestException

    pooch = _pooch()

    def download(url: str, output_file: str, _: Any) -> None:
        with open(output_file, "wb") as target, _bar(file, progress) as bar:
            get = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=timeout)
            get(url, _AtMost(target, file.size), None)

    try:
        with _quiet(pooch.get_logger()):
            pooch.retrieve(mirror, f"sha256:{file.sha256}", fname=file.name, path=path.parent, downloader=download)
    except (RequestException, ConnectionError, TimeoutError, ValueError) as error:
        return _refusal(error)
    return None


def _refusal(error: Exception) -> str:
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"HTTP status {error.response.status_code}"
    # A body that stops coming is a connection error too, and only its words tell.
    if isinstance(error, exceptions.Timeout | TimeoutError) or "timed out" in str(error):
        return "no answer in time"
    words = {
        exceptions.SSLError: "its certificate is not trusted",
        exceptions.ConnectionError: "no connection",
        exceptions.ChunkedEncodingError: "the connection broke off",
        ConnectionError: "the connection broke off",
        exceptions.RequestException: "the request failed",
    }
    return next((said for kind, said in words.items() if isinstance(error, kind)), "it sent another file")


class _AtMost:
    """A file that refuses to grow beyond what is expected, whatever a mirror goes on sending."""

    def __init__(self, target: IO[bytes], size: int) -> None:
        self.target, self.room = target, size

    def write(self, piece: bytes) -> None:
        self.room -= len(piece)
        if self.room < 0:
            raise ValueError("more than the expected size")
        self.target.write(piece)

    def flush(self) -> None:
        self.target.flush()


@contextmanager
def _bar(file: File, progress: bool) -> Iterator[Any]:
    if not progress:
        yield False
        return
    from tqdm.auto import tqdm

    # Pooch asks a bar whether it is true, which a bar of known length is.
    with tqdm(desc=file.name, total=file.size, unit="B", unit_scale=True, leave=False) as bar:
        yield bar


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Let pooch say nothing of its own: the bar and our messages say it all."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _pooch() -> Any:
    try:
        import pooch
    except ImportError as error:
        raise DataError(
            f"Files are fetched with the package pooch, which is not installed; install it, or put the files into a "
            f"folder of yours and name that folder in {VARIABLE}."
        ) from error
    return pooch


def _sha256(path: Path) -> str | None:
    """Hash a file; None if there is none."""
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({_reason(error)}); check what it is and its permissions.") from error


def _reason(error: OSError) -> str:
    """Say what the operating system said, also where pooch has put words of its own around it."""
    first = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return first.strerror or str(first)


def _looked(file: File, cached: Path) -> str:
    """Say where a file was looked for in vain."""
    own = own_folder()
    first = f"{VARIABLE} is not set" if own is None else f"it is not in {own}, which {VARIABLE} names"
    second = "it is not" if _sha256(cached) is None else "only a damaged copy is"
    return f"{file.name} is not on this machine: {first}, and {second} in the cache {cached.parent}"


def _by_hand(file: File) -> str:
    return f"put {file.name} into a folder of yours and name that folder in {VARIABLE}"
