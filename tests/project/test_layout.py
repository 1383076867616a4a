"""The three parallel trees, the floors of the package, the chapters' front matter, and what no file may contain."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "code" / "recurrence"
PARTS = ("basics", "neurons", "recurrent", "reservoirs", "sequences", "generative", "workbench")
# From the ground up. A unit is a module or a sub-package of `recurrence`; the parts have a floor of their own.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("tree", "gradients", "tape", "ops", "check", "compare", "quote"),
    ("init", "nn", "optim", "time"),
    ("data", "plots", "train"),
    PARTS[:-1],
    ("workbench", "__main__"),
)
# What a unit may import as it is loaded, beside NumPy and the standard library.
DRAWING = {"plots": {"matplotlib"}}


def toc_pages() -> list[str]:
    """Pages of the book in reading order, as the table of contents names them."""

    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, list):
            for item in node:
                yield from walk(item)
        elif isinstance(node, dict):
            yield from (node[key] for key in ("root", "file") if key in node)
            for key in ("parts", "subtrees", "chapters", "sections", "entries"):
                yield from walk(node.get(key, []))

    return list(walk(yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))))


CHAPTERS = [page for page in toc_pages() if page.split("/")[0] in PARTS]
MODULES = sorted(PACKAGE.rglob("*.py"))

every_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


def dotted(path: Path) -> str:
    """Name of a module below `recurrence`, empty for the package itself: ``neurons.leaky_integration``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, tree: ast.Module, everywhere: bool) -> set[str]:
    """Full names of what a module imports: anywhere in it, or only as it is loaded."""
    package = ["recurrence", *path.relative_to(PACKAGE).parts[:-1]]
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            # `from recurrence import plots` imports the unit plots, not the package alone.
            found.update(f"{origin}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            if everywhere or not (isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or typing_only(child)):
                visit(child)

    visit(tree)
    return found


def typing_only(node: ast.AST) -> bool:
    """Whether this is ``if TYPE_CHECKING:``, whose body never runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def floor(unit: str) -> int:
    for number, units in enumerate(FLOORS):
        if unit in units:
            return number
    raise AssertionError(f"recurrence.{unit} stands on no floor: give it one in FLOORS and in the documentation")


def unit_of(module: str) -> str:
    """First part of a module's name: ``neurons`` of ``neurons.lif``."""
    return module.partition(".")[0]


def may_import(importer: str, imported: str, order: list[str]) -> bool:
    """Whether the rule of the floors lets one module (``neurons.lif``) import another (``tree``)."""
    unit, other = unit_of(importer), unit_of(imported)
    here, there = floor(unit), floor(other)
    if there < here:
        return True
    if here == there == FLOORS.index(PARTS[:-1]):
        names = [chapter.replace("/", ".") for chapter in order]
        if importer in names and imported in names:
            return names.index(imported) <= names.index(importer)
        return unit == other
    # On one floor, each stands on those named before it.
    return here == there and FLOORS[here].index(other) <= FLOORS[here].index(unit)


def own_modules(names: set[str]) -> set[str]:
    """Those of the imported names that are modules of the package, without what is taken out of them."""
    known = {dotted(path) for path in MODULES} | {unit for units in FLOORS for unit in units}
    found = set()
    for name in names:
        if unit_of(name) == "recurrence":
            parts = name.split(".")[1:]
            while parts and ".".join(parts) not in known:
                parts.pop()
            found.add(".".join(parts))
    return found - {""}


def tracked_files() -> list[Path]:
    """Files that are committed or would be with ``git add .``."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a clone, so git cannot say which files belong to the repository")
    paths = (ROOT / name for name in done.stdout.decode().split("\0") if name)
    return sorted({path for path in paths if path.is_file()})


def front_matter(chapter: str) -> dict[str, Any]:
    text = (ROOT / "book" / f"{chapter}.md").read_text("utf-8")
    match = re.match(r"---\n(.*?\n)---\n", text, re.S)
    assert match, f"book/{chapter}.md has no front matter between two lines of ---"
    data: dict[str, Any] = yaml.safe_load(match[1])
    return data


# The three trees


def test_the_table_of_contents_lists_the_finished_pages() -> None:
    pages = toc_pages()
    assert pages[0] == "index"
    assert "neurons/leaky_integration" in CHAPTERS
    assert len(set(pages)) == len(pages)


@every_chapter
def test_a_chapter_has_a_page_a_module_and_a_test_of_one_name(chapter: str) -> None:
    part, name = chapter.split("/")
    for path in (
        ROOT / "book" / part / f"{name}.md",
        PACKAGE / part / f"{name}.py",
        ROOT / "tests" / part / f"test_{name}.py",
    ):
        assert path.is_file(), f"{chapter} lacks {path.relative_to(ROOT).as_posix()}"


def test_no_page_of_a_part_is_left_out_of_the_table_of_contents() -> None:
    pages = {path.relative_to(ROOT / "book").with_suffix("").as_posix() for path in (ROOT / "book").rglob("*.md")}
    assert {page for page in pages if page.split("/")[0] in PARTS} == set(CHAPTERS)


def test_every_module_of_a_part_belongs_to_a_chapter() -> None:
    # The workbench has tools of its own beside its chapters.
    modules = {dotted(path).replace(".", "/") for path in MODULES if path.stem != "__init__"}
    assert {name for name in modules if name.split("/")[0] in PARTS[:-1]} <= set(CHAPTERS)


def test_code_is_no_package() -> None:
    """``code/__init__.py`` would hide the standard library's ``code``, which pdb and pytest import."""
    assert not (ROOT / "code" / "__init__.py").exists()
    assert not list((ROOT / "tests").rglob("__init__.py"))


# The floors


@pytest.mark.parametrize("path", MODULES, ids=lambda path: dotted(path) or "recurrence")
def test_a_module_imports_only_from_the_floors_below(path: Path) -> None:
    name = dotted(path)
    found = own_modules(imports(path, ast.parse(path.read_text("utf-8")), everywhere=True))
    if not name:
        assert not found, f"'import recurrence' must stay quick, but it imports {sorted(found)}"
        return
    wrong = sorted(module for module in found if not may_import(name, module, CHAPTERS))
    assert not wrong, f"recurrence.{name} may not import {wrong}: see the floors above"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: dotted(path) or "recurrence")
def test_a_module_needs_numpy_alone_to_be_loaded(path: Path) -> None:
    """Anything else is imported where it is used, so that reading a chapter's code needs no more than NumPy."""
    unit = unit_of(dotted(path))
    if unit == "workbench":
        return
    loaded = {unit_of(name) for name in imports(path, ast.parse(path.read_text("utf-8")), everywhere=False)}
    allowed = {"recurrence", "numpy", *sys.stdlib_module_names, *DRAWING.get(unit, set())}
    assert loaded <= allowed, f"import {sorted(loaded - allowed)} inside the functions that use them"


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("tape", "tree", True),
        ("tree", "tape", False),
        ("nn", "ops", True),
        ("ops", "nn", False),
        ("nn", "init", True),
        ("nn", "optim", False),
        ("plots.labels", "plots.style", True),
        ("plots.labels", "train", False),
        ("neurons.lif", "time", True),
        ("time", "neurons.lif", False),
        ("neurons.spiking_network", "neurons.lif", True),
        ("neurons.lif", "neurons.spiking_network", False),
        ("reservoirs.echo_state", "neurons.leaky_integration", True),
        ("neurons.leaky_integration", "reservoirs.echo_state", False),
        ("workbench.registry", "neurons.lif", True),
        ("neurons.lif", "workbench.registry", False),
    ],
)
def test_the_rule_of_the_floors(importer: str, imported: str, allowed: bool) -> None:
    order = ["neurons/leaky_integration", "neurons/lif", "neurons/spiking_network", "reservoirs/echo_state"]
    assert may_import(importer, imported, order) is allowed


def test_imports_are_found_wherever_they_stand() -> None:
    source = """
import numpy as np
from recurrence import tree
from recurrence.time import loop
from .lif import step
from .. import plots
if TYPE_CHECKING:
    import scipy
def f():
    import pooch
"""
    path = PACKAGE / "neurons" / "spiking_network.py"
    loaded = {"numpy", "recurrence.tree", "recurrence.time.loop", "recurrence.neurons.lif.step", "recurrence.plots"}
    assert imports(path, ast.parse(source), everywhere=False) == loaded
    assert imports(path, ast.parse(source), everywhere=True) == loaded | {"scipy", "pooch"}


# The pages


@every_chapter
def test_the_front_matter_of_a_chapter_is_complete(chapter: str) -> None:
    matter = front_matter(chapter)
    # Text, because a notebook's metadata is JSON, which knows no dates.
    published = matter.get("date")
    assert isinstance(published, str), 'date: the day the chapter was published, in quotes: "2026-11-21"'
    assert date.fromisoformat(published)
    authors = matter.get("authors")
    assert authors, "authors: a list with one name at least"
    assert all(author["name"].strip() for author in authors)
    tags = matter.get("tags")
    assert tags, "tags: a list with one word or phrase at least"
    assert all(isinstance(tag, str) and tag == tag.strip() != "" for tag in tags)
    prerequisites = matter.get("prerequisites")
    assert isinstance(prerequisites, str), "prerequisites: what a reader should know first, in words"
    assert prerequisites.strip()
    description = matter.get("description")
    assert isinstance(description, str), "description: one sentence for feeds and link previews"
    sentence = description.strip()
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence
    assert not re.search(r"[.!?] [A-Z]", sentence), "one sentence is enough"


@every_chapter
def test_a_chapter_opens_as_a_notebook(chapter: str) -> None:
    matter = front_matter(chapter)
    assert matter["jupytext"]["text_representation"]["format_name"] == "myst"
    assert matter["kernelspec"]["name"] == "python3"


# What no file may contain

# The browser's Python has a home of its own, the same on every machine.
MACHINE_PATH = re.compile(
    r"""(?<![\w./:)}~\-])(?:/(?:home(?!/pyodide)|Users|root|work|tmp|private|opt)/\w|[A-Z]:\\Users\\)|file:///\w"""
)


@pytest.mark.parametrize("user", ["home", "Users", "root", "tmp"])
def test_a_path_of_one_machine_is_recognised(user: str) -> None:
    assert MACHINE_PATH.search(f"see '/{user}/ada/book'")
    assert not MACHINE_PATH.search(f"https://example.org/{user}/ada")
    assert not MACHINE_PATH.search(f"_build/{user}/ada")


def test_no_file_names_a_path_of_one_machine() -> None:
    found = []
    for path in tracked_files():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
            if MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT).as_posix()}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


def test_text_files_have_unix_line_ends() -> None:
    endings = [
        path.relative_to(ROOT).as_posix()
        for path in tracked_files()
        if b"\0" not in (content := path.read_bytes()) and b"\r\n" in content
    ]
    assert not endings
