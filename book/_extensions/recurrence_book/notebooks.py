"""Every chapter as a notebook for Colab or any Jupyter: plain Markdown, and a first cell that installs the code.

They are written beside the site, into `_build/notebooks/PART/CHAPTER.ipynb`, and into the site itself for readers to
download. The same commit gives the same bytes. They hold no outputs: the page shows those already, and what a notebook
shows shall be what its reader has run. Beside them lies what Binder needs to open them: its recipe, and the package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from recurrence_book.execution import ROOT
from recurrence_book.markdown import Code, Heading, Page, Piece, anchors, pieces
from recurrence_book.runner import wheel

logger = logging.getLogger(__name__)

Cell = dict[str, Any]

PACKAGE = "recurrence-book"
ORIGIN = """# {title}

This notebook is the chapter [{title}]({address}) of the book [{book}]({site}). Its text, formulas and numbers are \
those of the page. The figures are drawn here, by the code, when you run it. Change whatever you like: the book stays \
as it is.

Run the next cell first. It installs the package whose code the book explains."""
INSTALL = """# The code of the book, as it was when this notebook was made. Takes half a minute.
import importlib.util

if not importlib.util.find_spec("recurrence"):
    %pip install --quiet "{requirement}\""""
# The build puts numbers into the text with this; a notebook's text has them already.
BUILD_ONLY = re.compile(r"\bmyst_nb\b")


def requirement(repository: str, revision: str) -> str:
    """What pip is asked for: the package at one revision of the repository that the site is built from."""
    return f"{PACKAGE} @ git+{repository}@{revision}"


def revision(folder: Path, branch: str) -> str:
    """Commit that the site is built from, or the branch's name where there is no git to ask."""
    if sha := os.environ.get("GITHUB_SHA"):
        return sha
    try:
        command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return branch
    return done.stdout.strip() if done.returncode == 0 else branch


def notebook(made: Iterable[Piece], sources: list[Cell], origin: Mapping[str, str], install: str) -> Cell:
    """Put the pieces of a page into cells.

    Parameters
    ----------
    made
        Text, headings and places of code, in the order of the page.
    sources
        Cells of the page as its author wrote them: a place of code is a number in this list.
    origin
        What the first cell says: address of the page, name and address of the book.
    install
        Source of the cell that installs the package.
    """
    made = list(made)
    title = next((piece.text for piece in made if isinstance(piece, Heading)), origin["book"])
    seen: Counter[str] = Counter()
    cells = [
        _markdown("origin", ORIGIN.format(title=title, **origin)),
        _code("install", install, {"tags": ["install"]}),
    ]
    name, level, next_code, folds = "start", 0, 0, []
    for piece in made:
        if isinstance(piece, Heading):
            name, level = piece.name, piece.level
            if level == 1:
                continue  # it stands in the first cell
            cell = _markdown(_id(name, seen), f"{'#' * min(level, 6)} {piece.text}")
            if piece.folded:
                cell["metadata"]["jp-MarkdownHeadingCollapsed"] = True  # JupyterLab
                folds.append(cell["id"])  # Colab
            cells.append(cell)
        elif isinstance(piece, Code):
            # Cells that the page does not show at all are missing among its pieces.
            for index in range(next_code, piece.index):
                cells += _unshown(sources[index], name, seen)
            next_code = piece.index + 1
            source = sources[piece.index]
            cells.append(_code(_id(name, seen), source["source"], _metadata(source, piece)))
        elif cells[-1]["cell_type"] == "markdown" and cells[-1]["id"] != "origin":
            cells[-1]["source"] += f"\n\n{piece}"
        else:
            cells.append(_markdown(_id(name, seen), piece))
    for source in sources[next_code:]:
        cells += _unshown(source, name, seen)
    metadata: Cell = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
        "colab": {"provenance": [], "collapsed_sections": folds},
    }
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _id(name: str, seen: Counter[str]) -> str:
    """Name a cell after the part of the page it stands in, so that a new cell renames few others."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:56]
    seen[stem] += 1
    return stem if seen[stem] == 1 else f"{stem}-{seen[stem]}"


def _markdown(name: str, source: str) -> Cell:
    # Colab keeps its own copy of the id.
    return {"cell_type": "markdown", "id": name, "metadata": {"id": name}, "source": source}


def _code(name: str, source: str, metadata: Cell) -> Cell:
    fixed: Cell = {"cell_type": "code", "execution_count": None, "outputs": []}
    return {**fixed, "id": name, "metadata": {"id": name, **metadata}, "source": source.strip("\n")}


def _metadata(source: Cell, code: Code) -> Cell:
    """Tags of the page's cell, and what is folded in JupyterLab and in Colab."""
    metadata: Cell = {}
    if tags := source["metadata"].get("tags"):
        metadata["tags"] = list(tags)
    folded = {"source_hidden": code.source_hidden, "outputs_hidden": code.outputs_hidden}
    if any(folded.values()):
        metadata["jupyter"] = {key: True for key, hidden in folded.items() if hidden}
    if code.source_hidden:
        metadata["cellView"] = "form"
    return metadata


def _unshown(source: Cell, name: str, seen: Counter[str]) -> list[Cell]:
    """A cell that the page leaves out: others may need it, so it is kept folded, unless only the build needs it."""
    if source["cell_type"] != "code" or BUILD_ONLY.search(source["source"]):
        return []
    hidden = Code(index=0, source_hidden=True, outputs_hidden=True)
    return [_code(_id(name, seen), source["source"], _metadata(source, hidden))]


# Within the build


def notebook_file(app: Sphinx, docname: str) -> Path:
    return Path(app.outdir).parent / "notebooks" / f"{docname}.ipynb"


def read_notebook(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def page_sources(app: Sphinx, docname: str) -> list[Cell]:
    """Cells of a chapter as its author wrote them; none of a page without code, or without a date as the front page."""
    if not {"kernelspec", "date"} <= app.env.metadata.get(docname, {}).keys():
        return []
    path = Path(app.outdir).parent / "jupyter_execute" / f"{docname}.ipynb"
    cells: list[Cell] = read_notebook(path).cells
    return cells if any(cell["cell_type"] == "code" for cell in cells) else []


def install_cell(app: Sphinx) -> str:
    options = app.config.html_theme_options
    at = revision(Path(app.srcdir), options.get("repository_branch") or "main")
    return INSTALL.format(requirement=requirement(options["repository_url"], at))


def page_of(app: Sphinx, document: nodes.document, docname: str) -> Page:
    """Gather what the environment knows about a page."""
    site = app.config.html_baseurl
    page = Page(
        address=f"{site}{app.builder.get_target_uri(docname)}",
        site=site,
        numbers=app.env.toc_fignumbers.get(docname, {}),
        sections=app.env.toc_secnumbers.get(docname, {}),
        formats=app.config.numfig_format,
        macros=app.config.katex_macros,
        images={uri: name for uri, (_, name) in app.env.images.items()},
    )
    return replace(page, wanted=anchors(document, page))


def write_notebook(app: Sphinx, document: nodes.document, docname: str) -> None:
    """Write the notebook of a page that the site is about to show."""
    if app.builder.name != "html":
        return
    sources = page_sources(app, docname)
    if not sources:
        return
    page = page_of(app, document, docname)
    origin = {"address": page.address, "site": page.site, "book": app.config.html_title}
    made = list(pieces(document, page))
    for name in sorted(page.wanted):
        if not any(isinstance(piece, str) and f'<a id="{name}"' in piece for piece in made):
            message = "a link leads to %r on this page, but its notebook has no such place"
            logger.warning(message, name, location=docname, type="notebook")
    _save(notebook(made, sources, origin, install_cell(app)), notebook_file(app, docname))


def _save(content: Cell, path: Path) -> None:
    made = nbformat.from_dict(content)  # type: ignore[no-untyped-call]
    nbformat.validate(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = nbformat.writes(made)  # type: ignore[no-untyped-call]
    path.write_text(f"{text}\n", encoding="utf-8", newline="\n")


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Bring the notebooks of unchanged pages up to date, drop those of pages that are gone, and offer them all."""
    if exception is not None or app.builder.name != "html":
        return
    install = install_cell(app)
    kept = {notebook_file(app, name): name for name in app.env.found_docs if page_sources(app, name)}
    for path, name in kept.items():
        if not path.exists():
            app.env.get_and_resolve_doctree(name, app.builder)  # which writes it
        content = read_notebook(path)
        if content.cells[1].source != install:
            content.cells[1].source = install
            _save(content, path)
        offered = Path(app.outdir) / "_sources" / f"{name}.ipynb"
        offered.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, offered)
    for path in (Path(app.outdir).parent / "notebooks").rglob("*.ipynb"):
        if path not in kept:
            path.unlink()
    write_recipe(Path(app.outdir).parent / "notebooks" / "binder")


def write_recipe(folder: Path) -> None:
    """Lay what a Binder image is made from beside the notebooks, with the package in place of its source.

    Another book that is built with these extensions may have no recipe.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if not (ROOT / ".binder").is_dir():
        return
    shutil.copytree(ROOT / ".binder", folder)
    name, content = wheel()
    (folder / name).write_bytes(content)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", write_notebook)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
