"""The notebooks of the chapters hold what the pages hold: the same numbers, links that lead somewhere, no MyST."""

from __future__ import annotations

import json
import re
import subprocess
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import nbformat
import pytest
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

from recurrence_book import katex as strict

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [
    name for name in PAGES if "\ndate:" in (ROOT / "book" / f"{name}.md").read_text("utf-8").split("\n---\n")[0]
]
STRICT = {"throwOnError": True, "strict": "error", "macros": {}}
FENCES = re.compile(r"^(`{3,})(?!\{).*?^\1$", re.M | re.S)
LITERALS = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
# What MyST has and Markdown has not: directives, roles, labels, comments, options, substitutions.
MYST = [
    r"^\s*(?:`{3,}|:{3,})\{?",
    r"\{[a-z][a-z:-]*\}`",
    r"^\([\w:-]+\)=$",
    r"^%",
    r"^\s*:[a-z-]+:",
    r"\{\{",
    r"^\$\$ \([\w-]+\)$",
]

every_chapter = pytest.mark.parametrize("name", CHAPTERS)


@lru_cache(maxsize=100)
def notebook(site: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = nbformat.read(site.parent / "notebooks" / f"{name}.ipynb", as_version=4)
    return content


def prose(notebook: dict[str, Any]) -> str:
    return "\n\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")


@lru_cache(maxsize=100)
def soup(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser")


def formulas(text: str) -> list[tuple[str, bool]]:
    """Every formula of the Markdown, and whether it stands on a line of its own."""
    text = LITERALS.sub("", FENCES.sub("", text))
    shown = [(body, True) for body in re.findall(r"\$\$(.+?)\$\$", text, re.S)]
    return shown + [
        (body, False) for body in re.findall(r"(?<![\\$])\$([^$]+)\$", re.sub(r"\$\$.+?\$\$", "", text, flags=re.S))
    ]


def code_of(source: str) -> str:
    """Code of a cell of the page's source, without its options."""
    source = re.sub(r"\A---\n.*?\n---\n", "", source, flags=re.S)
    return re.sub(r"\A(?::[\w-]+:.*\n)+\n?", "", source).strip("\n")


def test_there_is_a_notebook_for_every_chapter_and_for_nothing_else(site: Path) -> None:
    folder = site.parent / "notebooks"
    found = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.ipynb")}
    assert found == set(CHAPTERS)
    for name in CHAPTERS:
        offered = site / "_sources" / f"{name}.ipynb"
        assert offered.read_bytes() == (folder / f"{name}.ipynb").read_bytes()


@every_chapter
def test_a_notebook_is_valid_and_has_no_outputs(site: Path, name: str) -> None:
    content = notebook(site, name)
    nbformat.validate(content)
    assert not [cell["id"] for cell in content["cells"] if cell.get("outputs")]


@every_chapter
def test_no_myst_is_left_over(site: Path, name: str) -> None:
    text = LITERALS.sub("", FENCES.sub("", prose(notebook(site, name))))
    text = re.sub(r"\$\$.+?\$\$|\$[^$]+\$", "", text, flags=re.S)
    assert [match for pattern in MYST for match in re.findall(pattern, text, re.M)] == []
    assert len(text) > 10_000


@pytest.mark.parametrize(
    "left",
    [
        "```{note}\nText\n```",
        ":::{note}\n:::",
        "see {eq}`a`",
        "(label)=",
        "% comment",
        ":tags: [a]",
        "$$ (eq-a)",
        "{{ a }}",
    ],
)
def test_what_is_left_over_is_recognised(left: str) -> None:
    assert any(re.search(pattern, FENCES.sub("", left), re.M) for pattern in MYST)


@every_chapter
def test_every_formula_is_set_without_the_books_macros(site: Path, name: str) -> None:
    found = formulas(prose(notebook(site, name)))
    katex = strict.Katex()
    try:
        for body, shown in found:
            katex.render(body, {**STRICT, "displayMode": shown})
    finally:
        katex.stop()
    page = soup(site, name).find("article")
    # One of the page's formulas may stand in its description or in the navigation, none of them is lost.
    captions = len(page.select(".katex"))
    assert abs(len(found) - captions) <= 2, f"{len(found)} formulas, but the page has {captions}"


@every_chapter
def test_numbers_are_those_of_the_page(site: Path, name: str) -> None:
    text, page = prose(notebook(site, name)), soup(site, name)
    equations = [tag.contents[0].strip("()") for tag in page.select(".eqno")]
    assert re.findall(r"\\tag\{([^}]+)\}", text) == equations
    figures = [tag.get_text().strip() for tag in page.select("figcaption .caption-number")]
    assert re.findall(r"^\*\*(Fig\. [\d.]+)\*\* ", text, re.M) == figures
    exercises = [tag.get_text().strip() for tag in page.select(".exercise .admonition-title .caption-number")]
    assert re.findall(r"^### (Exercise [\d.]+)$", text, re.M) == exercises
    headings = [tag.get_text().rstrip("#").strip() for tag in page.select("article h1, article h2")]
    found = [unescape(line) for line in re.findall(r"^##? (.+)$", FENCES.sub("", text), re.M)]
    assert found == headings
    assert equations
    assert figures
    assert exercises


@every_chapter
def test_references_name_the_same_numbers_as_on_the_page(site: Path, name: str) -> None:
    """Text of every link to a number, in reading order, on the page and in the notebook."""
    text, page = prose(notebook(site, name)), soup(site, name)
    wanted = re.compile(r"^\([\d.]+\)$|^(?:Fig\.|Exercise) [\d.]+$")
    on_page = [tag.get_text().strip() for tag in page.select("article a.reference")]
    in_notebook = [words.strip() for words in re.findall(r"\[([^\]]*)\]\([^)]*\)", text)]
    assert [words for words in in_notebook if wanted.match(words)] == [w for w in on_page if wanted.match(w)]


@every_chapter
def test_links_lead_to_pages_and_places_that_exist(site: Path, name: str) -> None:
    text, page = prose(notebook(site, name)), soup(site, name)
    start = page.find("link", rel="canonical")["href"].removesuffix(f"{name}.html")
    places = set(re.findall(r'<a id="([^"]+)"', text))
    checked = 0
    for address in re.findall(r"\]\(([^)\s]+)\)", text):
        where, fragment = urldefrag(address)
        if not where:
            assert fragment in places, f"{address}: no such place in the notebook"
            assert page.find(id=fragment) is not None, f"{address}: no such place on the page"
        elif where.startswith(start):
            target = where.removeprefix(start) or "index.html"
            assert (site / target).exists(), address
            if fragment:
                assert soup(site, target.removesuffix(".html")).find(id=fragment) is not None, address
        checked += 1
    assert checked > 20


@every_chapter
def test_code_is_that_of_the_page_in_its_order(site: Path, name: str) -> None:
    source = (ROOT / "book" / f"{name}.md").read_text("utf-8")
    cells = [code_of(cell) for cell in re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", source, re.M | re.S)]
    found = [cell["source"] for cell in notebook(site, name)["cells"] if cell["cell_type"] == "code"]
    assert found[1:] == [cell for cell in cells if "myst_nb" not in cell]


@every_chapter
def test_figures_are_described(site: Path, name: str) -> None:
    text = unescape(prose(notebook(site, name)))
    images = soup(site, name).select("article img:not(.for-dark)")
    assert images
    for image in images:
        assert image["alt"] in text


@every_chapter
def test_colab_link_names_the_notebook_of_the_repository_that_the_install_cell_names(site: Path, name: str) -> None:
    page = (site / f"{name}.html").read_text("utf-8")
    (colab,) = set(re.findall(r'https://colab\.research\.google\.com/github/([^"]+)', page))
    install = notebook(site, name)["cells"][1]["source"]
    pinned = re.search(
        r'%pip install --quiet "recurrence-book @ git\+https://github\.com/([\w.-]+/[\w.-]+)@(\w+)"$', install
    )
    assert pinned
    assert colab == f"{pinned[1]}/blob/notebooks/{name}.ipynb"


def test_the_package_is_pinned_to_a_commit_of_this_repository(site: Path) -> None:
    pins = {re.search(r"@(\w+)\"$", notebook(site, name)["cells"][1]["source"])[1] for name in CHAPTERS}  # type: ignore[index]
    (pin,) = pins
    assert re.fullmatch(r"[0-9a-f]{40}", pin)
    known = subprocess.run(["git", "-C", str(ROOT), "cat-file", "-t", pin], capture_output=True, text=True, check=False)
    assert known.stdout.strip() == "commit"


def test_notebooks_say_nothing_of_this_machine(site: Path) -> None:
    for name in CHAPTERS:
        assert str(ROOT) not in json.dumps(notebook(site, name))
