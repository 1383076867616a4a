"""The build fails, and says why, when anything about a book is wrong: the first time and every time after."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERNEL = "---\nkernelspec:\n  name: python3\n  display_name: Python 3\n---\n"
FRONT = KERNEL.replace("---\n", "---\nfile_format: mystnb\n", 1)
# What one line of prose and one cell can do wrong that must not reach a reader.
WRONG = {
    "formula": ("# Formula\n\n$\\frac{1}$\n", "KaTeX parse error"),
    "reference": ("# Reference\n\nSee {eq}`nowhere`.\n", "nowhere"),
    "warning": (FRONT + "# Warning\n\n```{code-cell}\nimport warnings\nwarnings.warn('loud')\n```\n", "stderr"),
    "picture": (
        FRONT + "# Picture\n\n```{code-cell}\nfrom recurrence import plots\nplots.use()\n"
        "fig, ax = plots.figure()\n```\n",
        "alternative text",
    ),
}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A repository with our configuration and extensions and a page that has nothing wrong."""
    # The site serves the package too.
    for name in ("book/_extensions", "book/_templates", "book/_static", "code"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tools").mkdir()
    for name in ("tools/pyodide.py", "_config.yml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "book" / "references.bib").write_text("")
    (tmp_path / "book" / "index.md").write_text("# Title\n\nText with $x$, and more.\n")
    add_pages(tmp_path, {"plain": "# Plain\n\nNothing is wrong here.\n"})
    return tmp_path


def build(book: Path) -> subprocess.CompletedProcess[str]:
    """Run the build as its own session, so that whatever it leaves behind can be found."""
    command = [sys.executable, str(ROOT / "tools" / "build_book.py"), "--root", str(book)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    output, _ = process.communicate(timeout=240)
    if os.name == "posix":
        assert_nothing_left(process.pid)
    return subprocess.CompletedProcess(command, process.returncode, output)


def assert_nothing_left(group: int) -> None:
    """No process of the group outlives the build by more than a moment."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a process of the build is still running after it")


def add_pages(book: Path, pages: dict[str, str]) -> None:
    for name, text in pages.items():
        (book / "book" / f"{name}.md").write_text(text)
    chapters = "".join(f"  - file: {name}\n" for name in pages)
    (book / "_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:\n{chapters}")


def test_a_clean_book_builds(book: Path) -> None:
    result = build(book)
    assert result.returncode == 0, result.stdout
    page = (book / "_build" / "html" / "index.html").read_text("utf-8")
    text = re.sub("<[^>]*>", "", page[page.index("<article") : page.index("</article")])
    assert "x, and more." in text, "the comma stands once, right behind the formula"
    assert str(book / "_build" / "html" / "index.html") in result.stdout


def test_every_warning_fails_the_build_cached_or_clean(book: Path) -> None:
    add_pages(book, {name: text for name, (text, _) in WRONG.items()})
    for attempt in ("clean", "cached"):
        result = build(book)
        assert result.returncode == 1, attempt
        for name, (_, words) in WRONG.items():
            lines = [line for line in result.stdout.splitlines() if f"{name}.md" in line]
            assert any(words in line for line in lines), f"{attempt}: {name} is not reported:\n{result.stdout}"


def test_a_failing_cell_fails_the_build_and_is_shown(book: Path) -> None:
    add_pages(book, {"cell": FRONT + "# Cell\n\n```{code-cell}\nmissing_name + 1\n```\n"})
    for _ in range(2):
        result = build(book)
        assert result.returncode == 1
        assert "book/cell.md: a cell failed" in result.stdout
        assert "NameError: name 'missing_name' is not defined" in result.stdout
        assert "Traceback (most recent call last):\n  File" not in result.stdout, "a traceback of the tool itself"


def test_cells_on_a_page_that_is_no_notebook_are_named(book: Path) -> None:
    add_pages(book, {"cell": KERNEL + "# Cell\n\n```{code-cell}\n1 + 1\n```\n"})
    result = build(book)
    assert result.returncode == 1
    assert "book/cell.md has code cells, but its front matter does not say that it is a notebook" in result.stdout


def test_a_page_that_does_not_exist_is_named(book: Path) -> None:
    (book / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n  - file: lost\n")
    result = build(book)
    assert result.returncode == 1
    assert "_toc.yml names pages that do not exist: book/lost.md." in result.stdout


def test_a_change_of_the_package_executes_the_chapter_again(book: Path) -> None:
    page = FRONT + "# Cell\n\n```{code-cell}\nfrom pathlib import Path\nPath('mark').exists()\n```\n"
    add_pages(book, {"cell": page})
    first = build(book)
    assert first.returncode == 0, first.stdout
    html = book / "_build" / "html" / "cell.html"
    assert "Executing cell" in first.stdout
    assert "False" in html.read_text("utf-8")
    (book / "book" / "mark").touch()
    assert "No chapter needs executing" in build(book).stdout
    assert "False" in html.read_text("utf-8")
    (book / "code" / "module.py").write_text("changed = True\n")
    assert "Executing cell" in build(book).stdout
    assert "True" in html.read_text("utf-8"), "the page still shows the old output"
