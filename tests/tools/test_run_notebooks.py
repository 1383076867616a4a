"""Notebooks are run as their readers would, and one that does not run is named with what went wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import nbformat
import pytest

import run_notebooks as tool
from build_book import BuildError

ROOT = Path(__file__).resolve().parents[2]
INSTALL = '# About it.\n%pip install --quiet "recurrence-book @ git+https://github.com/anna/book@c0ffee"'


def write(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_markdown_cell("# Title"), *(nbformat.v4.new_code_cell(source) for source in sources)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "run_notebooks.py"), "--notebooks", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)


def test_the_book_s_notebooks_run_with_what_their_first_cell_installs_and_a_failing_one_is_named(
    tmp_path: Path,
) -> None:
    """Both in one test, because both need the reader's environment, which takes long to make."""
    result = run(ROOT / "_build" / "notebooks")
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    # A module that only builders have, a file that only a clone has, and the package out of the wheel.
    once = f"mark = {uuid.uuid4().hex!r}\n"  # a notebook that no earlier run of this test has marked as run
    source = once + "import recurrence\nassert 'site-packages' in recurrence.__file__\nprint(recurrence.__name__)"
    write(tmp_path / "part" / "good.ipynb", INSTALL, source)
    write(tmp_path / "part" / "bad.ipynb", INSTALL, "import sphinx")
    result = run(tmp_path)
    assert result.returncode == 1
    assert "part/good.ipynb in" in result.stdout
    assert "bad: " in result.stderr
    assert "No module named 'sphinx'" in result.stderr
    again = run(tmp_path)
    assert "good" not in again.stdout, "what has run is not run again"
    assert "No module named 'sphinx'" in again.stderr


def test_only_the_address_of_the_package_is_replaced(tmp_path: Path) -> None:
    content = nbformat.read(write(tmp_path / "a.ipynb", INSTALL), as_version=4)
    assert tool.with_package(content, "recurrence-book @ https://x.org/a.whl").cells[1].source == (
        '# About it.\n%pip install --quiet "recurrence-book @ https://x.org/a.whl"'
    )
    wrong = nbformat.read(write(tmp_path / "b.ipynb", "%pip install recurrence"), as_version=4)
    with pytest.raises(BuildError, match="should install the package"):
        tool.with_package(wrong, "recurrence-book @ https://x.org/a.whl")


def test_a_reader_has_none_of_our_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "code")
    monkeypatch.setenv("RECURRENCE_DATA", "data")
    locked, newest = (tool.Reader(tmp_path, newest).variables() for newest in (False, True))
    assert not {"PYTHONPATH", "RECURRENCE_DATA"} & (set(locked) | set(newest))
    assert locked["PATH"] == newest["PATH"] == os.environ["PATH"]
    assert "PIP_CONSTRAINT" in locked
    assert "PIP_CONSTRAINT" not in newest


def test_versions_of_a_lock_file() -> None:
    lock = "# by uv\nnumpy==2.4.6 ; python_version < '4' \\\n    --hash=sha256:ab\n    # via x\nsix==1.17.0 \\\n"
    assert tool.locked_versions(lock) == "numpy==2.4.6 ; python_version < '4'\nsix==1.17.0\n"


def test_missing_notebooks_are_said_plainly(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.returncode == 1
    assert result.stderr == "\nThere are no notebooks: run 'nox -s book', which makes them.\n"
