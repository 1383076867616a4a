"""A page with cells gets one control below its title, which knows all cells and where Python comes from."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from recurrence_book import runner

PAGE = """---
date: "2026-01-01"
kernelspec: {name: python3, display_name: Python 3}
jupytext: {text_representation: {extension: .md, format_name: myst}}
---

# Title

```{code-cell} python
:tags: [hide-input]
import numpy as np
```

```{code-cell} python
:tags: [remove-cell]
hidden = "</script>"
```

```{code-cell} python
:tags: [skip-execution]
never()
```

## Section

```{code-cell} python
:tags: [raises-exception]
from scipy import linalg
1 / 0
```

```{code-cell} python
:tags: [remove-output]
print("unseen")
```
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as tools/pyodide.py makes it."""
    place = tmp_path_factory.mktemp("pyodide")
    packages = {
        "numpy": {"file_name": "numpy.whl", "depends": []},
        "matplotlib": {"file_name": "matplotlib.whl", "depends": ["numpy", "cycler"]},
        "scipy": {"file_name": "scipy.whl", "depends": ["numpy"]},
        "cycler": {"file_name": "cycler.whl", "depends": []},
    }
    (place / "pyodide-lock.json").write_text(json.dumps({"packages": packages}))
    names = [*runner.tool.CORE, "pyodide-lock.json", *(entry["file_name"] for entry in packages.values())]
    for name in names[:4]:
        (place / name).write_text(name)
    files = {name: {"size": 3_000_000, "wire": 2_000_000} for name in names}
    (place / "files.json").write_text(json.dumps({"version": runner.tool.VERSION, "files": files}))
    return place


def build(root: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Build a site with a chapter and a page without cells; return its folder."""
    monkeypatch.setenv("RECURRENCE_PYODIDE", str(place))
    source = root / "source"
    (source / "part").mkdir(parents=True)
    (source / "part" / "page.md").write_text(PAGE, encoding="utf-8")
    (source / "index.md").write_text("# Index\n\n```{toctree}\npart/page\n```\n", encoding="utf-8")
    options = {
        "extensions": ["myst_nb", "recurrence_book.runner"],
        "nb_execution_mode": "off",
        "html_theme": "basic",
        "suppress_warnings": ["config.cache", "myst-nb.lexer"],
    }
    warned = io.StringIO()
    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            str(source),
            None,
            str(root / "html"),
            str(root / "doctrees"),
            "html",
            confoverrides=options,
            status=None,
            warning=warned,
        )
        app.build()
    assert warned.getvalue() == ""
    return root / "html"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return build(tmp_path_factory.mktemp("site"), folder, monkeypatch)


def config_of(page: str) -> dict[str, Any]:
    found = re.search(r'<div class="run-page".*?<script type="application/json">(.*?)</script>', page, re.S)
    assert found
    config: dict[str, Any] = json.loads(found[1])
    return config


def test_the_control_stands_below_the_title_hidden_until_a_script_shows_it(site: Path) -> None:
    page = (site / "part" / "page.html").read_text("utf-8")
    assert re.search(r'</h1>\s*<div class="run-page" hidden><button type="button" class="run-start">', page)
    assert page.count('class="run-page"') == 1
    assert "run-page" not in (site / "index.html").read_text("utf-8")


def test_all_cells_that_run_are_there_in_order(site: Path) -> None:
    cells = config_of((site / "part" / "page.html").read_text("utf-8"))["cells"]
    assert [cell["number"] for cell in cells] == [1, 2, 3, 4]
    assert [cell.get("id") for cell in cells] == ["cell-1", None, "cell-3", "cell-4"]
    assert cells[1]["source"] == 'hidden = "</script>"'
    assert [cell.get("raises", False) for cell in cells] == [False, False, True, False]
    assert [cell.get("silent", False) for cell in cells] == [False, False, False, True]


def test_shown_cells_can_be_found_on_the_page(site: Path) -> None:
    page = (site / "part" / "page.html").read_text("utf-8")
    assert re.search(r'<div class="cell tag_hide-input docutils container" id="cell-1">', page)
    assert 'id="cell-2"' not in page
    before, _, after = page.partition('id="cell-3"')
    assert "Section" in before and "linalg" in re.sub("<[^>]+>", "", after)
    assert "never" in page, "a cell that is not executed is still read"


def test_a_changed_cell_has_another_key() -> None:
    one, other = (runner.described(source, set(), 1)["key"] for source in ("a = 1", "a = 2"))
    assert one != other
    assert one.startswith("1-")


@pytest.mark.parametrize(
    ("sources", "asked", "packages"),
    [
        (["x = 1"], [], ["numpy", "matplotlib"]),
        (["def f():\n    import scipy.signal as s"], [], ["numpy", "matplotlib", "scipy"]),
        (["from scipy import linalg"], [], ["numpy", "matplotlib", "scipy"]),
        (["from .scipy import x"], [], ["numpy", "matplotlib", "scipy"]),
        (["import (", "import pandas"], [], ["numpy", "matplotlib"]),
        (["x = 'import scipy'"], ["scipy"], ["numpy", "matplotlib", "scipy"]),
    ],
)
def test_packages_are_those_that_cells_import(sources: list[str], asked: list[str], packages: list[str]) -> None:
    assert runner.needed(sources, asked) == packages


def test_python_comes_from_the_site_once_it_was_fetched(site: Path, folder: Path) -> None:
    config = config_of((site / "part" / "page.html").read_text("utf-8"))
    python = config["python"]
    assert python["base"] == f"../_static/pyodide/{runner.tool.VERSION}/"
    names = [file["address"].rpartition("/")[2] for file in python["files"]]
    wheel = names.pop()
    assert names == [*runner.tool.CORE, "pyodide-lock.json", "numpy.whl", "matplotlib.whl", "scipy.whl", "cycler.whl"]
    for file in python["files"]:
        if file["address"].endswith((wheel, *runner.tool.CORE)):
            assert (site / "part" / file["address"]).resolve().is_file()
    assert "Fetches 18 MB, once" in (site / "part" / "page.html").read_text("utf-8")


def test_python_comes_from_its_makers_where_it_was_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = build(tmp_path, tmp_path / "nowhere", monkeypatch)
    page = (site / "part" / "page.html").read_text("utf-8")
    python = config_of(page)["python"]
    assert python["base"] == runner.tool.RELEASE
    assert python["files"] == []
    assert "from cdn.jsdelivr.net, once" in page
    assert not (site / "_static" / "pyodide").exists()


def test_the_wheel_holds_the_package_and_its_name_changes_with_it(site: Path) -> None:
    (path,) = (site / "_static" / "runner").glob("*.whl")
    content = path.read_bytes()
    assert re.fullmatch(r"recurrence_book-[\d.]+-0[0-9a-f]{10}-py3-none-any\.whl", path.name)
    assert hashlib.sha256(content).hexdigest()[:10] in path.name
    runner.wheel.cache_clear()
    assert runner.wheel() == (path.name, content), "the same package gives the same bytes"
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    assert {"recurrence/__init__.py", "recurrence/plots/recurrence.mplstyle", "recurrence/data/digits.npz"} <= names
