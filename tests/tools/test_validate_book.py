"""The validation says what is wrong where, trusts no checker that finds nothing, and no file that it does not know."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

import validate_book

SITE = Path("/site").resolve()
FAULTY = Path("/cache/faulty-on-purpose.html").resolve()
ALIVE = {"type": "error", "url": f"file:{FAULTY}", "lastLine": 1, "message": "Duplicate ID “a”."}


def test_errors_are_named_by_page_and_line() -> None:
    error = {"type": "error", "url": f"file:{SITE}/part/page.html", "lastLine": 7, "message": "Stray end tag “p”."}
    note = {"type": "info", "url": f"file:{SITE}/part/page.html", "message": "Empty heading."}
    found = validate_book.faults([error, ALIVE, note], SITE, FAULTY)
    assert found == ["part/page.html, line 7: Stray end tag “p”."]
    assert validate_book.faults([ALIVE], SITE, FAULTY) == []


def test_a_checker_that_finds_nothing_is_not_trusted() -> None:
    with pytest.raises(validate_book.ValidationError, match="cannot be trusted"):
        validate_book.faults([], SITE, FAULTY)


def test_only_the_known_file_is_run(tmp_path: Path) -> None:
    jar = tmp_path / "vnu.jar"
    assert not validate_book.known(jar)
    jar.write_bytes(b"something else")
    assert not validate_book.known(jar)
    assert validate_book.known(jar, hashlib.sha256(b"something else").hexdigest())


def test_an_empty_site_is_no_valid_site(tmp_path: Path) -> None:
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "macros.html").write_text("{% macro %}")
    with pytest.raises(validate_book.ValidationError, match="build the book first"):
        validate_book.pages(tmp_path)
    (tmp_path / "index.html").write_text("")
    assert validate_book.pages(tmp_path) == [tmp_path / "index.html"]


def test_the_command_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(validate_book.__file__)), "--help"]
    assert "Nu HTML checker" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
