"""The control "Run this page": what a page needs so that the reader can run and change its cells in the browser.

While a page is read, its cells are gathered from the source, those that are not shown too, and each shown one gets
an id. While it is written, one control goes below its title: a button, a sentence on what pressing it costs, and the
cells as JSON. All else is fetched when the button is pressed: the scripts in `_static/runner`, Pyodide, and the wheel
of this book's package, which is built here.

Pyodide comes from the site itself if `tools/pyodide.py` has fetched it, and from its makers' address otherwise.
What cells ask for in their imports is loaded with it; a page whose cells need more says so in its front matter:
`packages: [scipy]`.
"""

from __future__ import annotations

import ast
import hashlib
import html
import json
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.osutil import relative_uri
from sphinx.writers.html5 import HTML5Translator

from recurrence_book.execution import ROOT, digest

sys.path.insert(0, str(ROOT / "tools"))
import pyodide as tool

logger = logging.getLogger(__name__)

ALWAYS = ("numpy", "matplotlib")
ON_REQUEST = ("scipy",)
WHAT = "Its Python code runs in your browser, and you can change it."
UNKNOWN_SIZE = 20_000_000  # bytes: where Pyodide comes from its makers' address, nobody has counted

SCRIPTS = [f"book/_static/{name}" for name in ("runner/*", "own_server/*", "codemirror/*.mjs", "thebe/*.mjs")]
# Not in `_static` with the scripts: Jupyter Book links every style sheet there on every page.
SHEET = Path(__file__).with_name("runner.css")
# Shows the button while the page is still being read, so that nothing moves when it comes.
STARTER = Path(__file__).with_name("runner_start.js").read_text(encoding="utf-8")


class run_control(nodes.General, nodes.Element):  # type: ignore[misc]
    """The control of a page: attributes `cells`, as the page's script wants them, and `packages`."""


class Cells(SphinxTransform):
    """While a page is read: gather its cells and put the control below the title."""

    default_priority = 700

    def apply(self, **kwargs: Any) -> None:
        from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook

        shown = {
            node["cell_index"]: node
            for node in self.document.findall(nodes.container)
            if node.get("nb_element") == "cell_code"
        }
        title = next(iter(self.document.findall(nodes.title)), None)
        env: Any = self.env
        path = Path(env.doc2path(env.docname))
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if title is None or not is_myst_markdown_notebook(text):
            return
        notebook = read_myst_markdown_notebook(text, config=env.myst_config, path=path)
        if "date" not in notebook.metadata:  # the front page: its cell draws one figure, and nothing is to be learnt
            return
        cells: list[dict[str, Any]] = []
        for index, cell in enumerate(notebook.cells):
            tags = set(cell.metadata.get("tags", []))
            if cell.cell_type != "code" or "skip-execution" in tags or not cell.source.strip():
                continue
            spec = described(cell.source, tags, len(cells) + 1)
            if index in shown and not tags & {"remove-cell", "remove_cell"}:
                spec["id"] = f"cell-{spec['number']}"
                shown[index]["ids"].append(spec["id"])
            cells.append(spec)
        if cells:
            asked = notebook.metadata.get("packages", [])
            packages = needed([cell["source"] for cell in cells], asked)
            title.parent.insert(title.parent.index(title) + 1, run_control(cells=cells, packages=packages))


def described(source: str, tags: set[str], number: int) -> dict[str, Any]:
    """Say of a cell what the page's script has to know; an edit is kept under a key that changes with the cell."""
    spec: dict[str, Any] = {"number": number, "source": source}
    spec["key"] = f"{number}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    if "raises-exception" in tags:
        spec["raises"] = True
    if tags & {"remove-output", "remove_output"}:
        spec["silent"] = True
    return spec


def needed(sources: list[str], asked: list[str]) -> list[str]:
    """Packages that a page loads before its first cell runs."""
    found = set(asked)
    for source in sources:
        try:
            tree = ast.parse(source)
        except SyntaxError:  # meant, perhaps: the cell shows what Python says to it
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
    return [*ALWAYS, *(name for name in ON_REQUEST if name in found)]


# What the site serves


@cache
def wheel() -> tuple[str, bytes]:
    """Build the package's wheel: its name, which changes with every change of its content, and its bytes."""
    from hatchling.builders.wheel import WheelBuilder

    with tempfile.TemporaryDirectory() as folder:
        path = Path(next(WheelBuilder(str(ROOT)).build(directory=folder, versions=["standard"])))
        content = path.read_bytes()
    name, version, rest = path.name.split("-", 2)
    return f"{name}-{version}-0{hashlib.sha256(content).hexdigest()[:10]}-{rest}", content


def scripts_key() -> str:
    """Digest of the page's scripts: their addresses carry it, so that no browser mixes two versions."""
    own = SHEET.relative_to(ROOT).as_posix()
    return digest(ROOT, [*SCRIPTS, own])[:10]


def served(place: Path) -> dict[str, dict[str, int]]:
    """Files of Pyodide that the site will serve, with their sizes; none if nobody has fetched them."""
    if not tool.complete(place):
        return {}
    files: dict[str, dict[str, int]] = json.loads((place / "files.json").read_text(encoding="utf-8"))["files"]
    return files


def closure(packages: list[str], lock: dict[str, Any]) -> list[str]:
    """Files of some packages and of all that they depend on."""
    found: list[str] = []
    waiting = list(packages)
    while waiting:
        entry = lock["packages"][waiting.pop(0)]
        if entry["file_name"] not in found:
            found.append(entry["file_name"])
            waiting += entry["depends"]
    return found


def python_of(packages: list[str], static: str, place: Path) -> dict[str, Any]:
    """Where the page's script finds Python, and how much there is to fetch."""
    name, content = wheel()
    known = served(place)
    # What is kept in the reader's browser goes by these names: a new chapter does not make Pyodide be fetched again.
    own = hashlib.sha256(f"{name} {scripts_key()}".encode()).hexdigest()[:8]
    stores = {"python": f"recurrence-run-pyodide-{tool.VERSION}-{tool.FORMAT}", "book": f"recurrence-run-book-{own}"}
    python: dict[str, Any] = {"packages": packages, "wheel": f"{static}/runner/{name}", "caches": stores, "files": []}
    if not known:
        return {**python, "base": tool.RELEASE}
    base = f"{static}/pyodide/{tool.VERSION}/"
    lock = json.loads((place / "pyodide-lock.json").read_text(encoding="utf-8"))
    for file in [*tool.CORE, "pyodide-lock.json", *closure(packages, lock)]:
        python["files"].append({"address": base + file, **known[file]})
    python["files"].append({"address": python["wheel"], "size": len(content), "wire": len(content)})
    return {**python, "base": base}


def visit_html(self: HTML5Translator, node: run_control) -> None:
    """Write the control: hidden, because without scripts there is nothing to press."""
    builder = self.builder
    static = relative_uri(builder.get_target_uri(builder.current_docname), "_static")
    python = python_of(node["packages"], static, tool.folder())
    config = {"module": f"{static}/runner/page.mjs?v={scripts_key()}", "python": python, "cells": node["cells"]}
    # "</" would end the script element.
    data = json.dumps(config, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/").replace("<!", "<\\u0021")
    self.body.append(
        '<div class="run-page" hidden><button type="button" class="run-start">Run this page</button>'
        f'<p class="run-note">{html.escape(f"{WHAT} {cost(python)}")}</p>'
        '<progress aria-label="Progress" hidden></progress>'
        # The anchor is for links that open the form for a server of the reader's own: see _static/own_server.js.
        '<span class="run-unseen" role="status"></span><span id="own-server"></span>'
        f'<script type="application/json">{data}</script></div>'
        f"<script>{STARTER}</script>\n"
    )
    raise nodes.SkipNode


def cost(python: dict[str, Any]) -> str:
    """What pressing the button costs the reader, in one sentence."""
    size = round((sum(file["wire"] for file in python["files"]) or UNKNOWN_SIZE) / 1e6)
    where = "" if python["files"] else f" from {tool.RELEASE.split('/')[2]}"
    return f"Fetches {size} MB{where}, once; takes about 10 s."


def price(packages: list[str]) -> str:
    """What it costs to run a page that needs these packages."""
    return cost(python_of(packages, "_static", tool.folder()))


def skip(self: nodes.NodeVisitor, node: run_control) -> None:
    raise nodes.SkipNode


def set_key(app: Sphinx, config: Config) -> None:
    """Write every page anew when what its control says has changed."""
    config.recurrence_runner_key = [wheel()[0], scripts_key(), sorted(served(tool.folder()))]


def copy_python(app: Sphinx, exception: Exception | None) -> None:
    """Lay the wheel, the style sheet, and Pyodide where it has been fetched, into the site."""
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    name, content = wheel()
    for old in (static / "runner").glob("*.whl"):
        old.unlink()
    (static / "runner").mkdir(parents=True, exist_ok=True)
    (static / "runner" / name).write_bytes(content)
    shutil.copyfile(SHEET, static / "runner" / SHEET.name)
    place, target = tool.folder(), static / "pyodide" / tool.VERSION
    if served(target) != served(place):
        shutil.rmtree(static / "pyodide", ignore_errors=True)
    if not tool.complete(place):
        logger.info("Pages that are run will fetch Python from %s: tools/pyodide.py was not run.", tool.RELEASE)
    elif not tool.complete(target):
        shutil.copytree(place, target)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("recurrence_runner_key", [], "html", [list])
    app.add_node(run_control, html=(visit_html, None), latex=(skip, None), text=(skip, None))
    app.add_transform(Cells)
    app.connect("config-inited", set_key)
    app.connect("build-finished", copy_python)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
