"""Every directive of the book has a plain form in a notebook, and the notebook of a page is whole, always the same."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from recurrence_book import markdown, notebooks, ways

REPOSITORY = "https://github.com/anna/book"
SITE = "https://anna.github.io/book/"
PAGE = f"{SITE}part/page.html"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" id="figure_1" width="10" height="10"><path d="M0 0"/></svg>'

TEXT = r"""(top)=
# A *page* of $\R$

Some *emphasis*, **strong**, `a|b`, a_b, 2 * 3 and a dollar: \$5 [not a link](https://example.org/a_(b)).
To {ref}`the top <top>`, to {doc}`the other page </other>`, to {term}`leak`, cited {cite:p}`Ada1843`.
Formula $a<b$ in {eq}`eq-one` and {eq}`eq-far`, picture {numref}`fig-one`, {ref}`ex-one`.

$$
x &= \pair{1}{2} \\
y &= \R
$$ (eq-one)

```{math}
:label: eq-two
\begin{align*}
u &= v
\end{align*}
```

:::{note}
Quoted text with a formula of its own line:

$$
a = b \\
c = d
$$
:::

:::{admonition} Check
:class: check
Own title.
:::

```{margin}
An aside.
```

:::{dropdown} Refresher: the sum of $n$
:class-container: refresher mathematics
Inside $|x|$.

- one
- two
:::

## Lists and tables

3. third
4. fourth with a formula

   $$
   a \\
   b
   $$

| a | b |
|---|---|
| $\|x\|$ | `p` or q |

Term
: Its meaning.

> Said by another.

```{literalinclude} code.py
:language: python
:pyobject: f
```

```{code-block} text
:caption: A listing
```` inside
```

A sentence with a note.[^one]

[^one]: The note.

![A grey field.](photo.png)
"""

EXERCISES = r"""## Exercises

```{exercise-start}
:label: ex-one
```
**First.** Show {eq}`eq-two`.
```{exercise-end}
```

````{solution-start} ex-one
:class: dropdown
````
It follows.
"""

AFTER = r"""````{solution-end}
````

A closing word.

## Summary

The end.
"""


def code(source: str, name: str, output: bool = False, **metadata: Any) -> dict[str, Any]:
    data = {"image/svg+xml": SVG, "text/plain": "<Figure>"}
    outputs = [{"output_type": "display_data", "data": data, "metadata": {}}] if output else []
    fixed = {"cell_type": "code", "execution_count": None}
    return {**fixed, "id": name, "metadata": metadata, "outputs": outputs, "source": source}


def prose(source: str, name: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


FIGURE = {"name": "fig-one", "caption": "A caption with {eq}`eq-one`."}
CELLS = [
    prose(TEXT, "a"),
    code("import math", "b", tags=["hide-input"]),
    code("draw()", "c", output=True, mystnb={"figure": FIGURE, "image": {"alt": "A line < a curve."}}),
    code("from myst_nb import glue", "d", tags=["remove-cell"]),
    code("needed = 1", "e", tags=["remove-cell"]),
    code("shown = 2", "f", tags=["remove-input"]),
    code("all_hidden", "g", output=True, tags=["hide-cell"], mystnb={"image": {"alt": "Nothing."}}),
    prose(EXERCISES, "h"),
    code("solve()", "i", tags=["check"]),
    prose(AFTER, "j"),
    code("last = 1", "k"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small book: a page with everything that chapters use, and one it refers to."""
    source = tmp_path_factory.mktemp("book") / "source"
    (source / "part").mkdir(parents=True)
    metadata: dict[str, Any] = {"kernelspec": {"name": "python3"}, "date": "2026-01-01"}
    metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython"}
    notebook = {"cells": CELLS, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (source / "part" / "page.ipynb").write_text(json.dumps(notebook), "utf-8")
    (source / "part" / "code.py").write_text("def f():\n    return 1\n", "utf-8")
    (source / "part" / "photo.png").write_bytes(b"")
    other = "# Other\n\n:::{glossary}\nleak\n  A loss.\n:::\n\n$$z$$ (eq-far)\n\n```{bibliography}\n```\n"
    (source / "other.md").write_text(other, "utf-8")
    (source / "index.md").write_text("# Index\n\n```{toctree}\n:numbered:\nother\npart/page\n```\n", "utf-8")
    bib = "@book{Ada1843, author={Lovelace, Ada}, title={Notes}, year={1843}, publisher={Taylor}}"
    (source / "references.bib").write_text(bib, "utf-8")
    return source


def build(folder: Path, monkeypatch: pytest.MonkeyPatch, commit: str = "c0ffee") -> str:
    """Build the small book as the commit; return the warnings."""
    monkeypatch.setenv("GITHUB_SHA", commit)
    parts = ("figures", "flipbook", "notebooks", "ways")
    extensions = ["myst_nb", "sphinx_exercise", "sphinx_design", "sphinxcontrib.bibtex"]
    options = {
        "extensions": extensions + [f"recurrence_book.{part}" for part in parts],
        "nb_execution_mode": "off",
        "myst_enable_extensions": ["amsmath", "colon_fence", "deflist", "dollarmath"],
        "numfig": True,
        "math_numfig": True,
        "html_theme": "sphinx_book_theme",
        "html_theme_options": {"repository_url": REPOSITORY},
        "html_title": "The Book",
        "html_baseurl": SITE,
        "bibtex_bibfiles": ["references.bib"],
        "katex_macros": {r"\R": r"\mathbb{R}", r"\pair": r"\left(#1, #2\right)"},
        "suppress_warnings": ["config.cache", "image.not_readable"],
    }
    warned = io.StringIO()
    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            str(folder),
            None,
            str(folder.parent / "html"),
            str(folder.parent / "doctrees"),
            "html",
            confoverrides=options,
            status=None,
            warning=warned,
        )
        app.add_config_value("katex_macros", {}, "html", dict)
        app.build()
    return re.sub(r"\x1b\[[\d;]*m", "", warned.getvalue())


@pytest.fixture(scope="module")
def built(folder: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        warned = build(folder, patch)
    assert [line for line in warned.splitlines() if "notebook" in line] == []
    return read(folder)


def read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = nbformat.read(folder.parent / "notebooks" / "part" / "page.ipynb", as_version=4)
    return content


def text_of(notebook: dict[str, Any]) -> str:
    return "\n\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def cell_with(notebook: dict[str, Any], words: str) -> dict[str, Any]:
    (found,) = (cell for cell in notebook["cells"] if words in cell["source"])
    return dict(found)


@pytest.mark.parametrize(
    "expected",
    [
        "Some *emphasis*, **strong**, `a|b`, a_b, 2 \\* 3 and a dollar: \\$5",
        "[not a link](https://example.org/a_%28b%29)",
        f"[the other page]({SITE}other.html)",
        f"[leak]({SITE}other.html#term-leak)",
        f"&#91;[Lov43]({SITE}other.html#id",
        "Formula $a< b$",
        "in [(2.1)](#equation-eq-one)",
        f"[(1.1)]({SITE}other.html#equation-eq-far)",
        "picture [Fig. 2.1](#fig-one)",
        "[Exercise 2.1](#ex-one)",
        '<a id="equation-eq-one" name="equation-eq-one"></a>\n\n$$\n\\begin{aligned}x &= \\left({1}, {2}\\right) \\\\\n'
        "y &= \\mathbb{R}\\end{aligned} \\tag{2.1}\n$$",
        "$$\n\\begin{aligned}\nu &= v\n\\end{aligned} \\tag{2.2}\n$$",
        "> **Note**\n>\n> Quoted text with a formula of its own line:\n>\n"
        "> $$\\begin{aligned}a = b \\\\ c = d\\end{aligned}$$",
        "> **Check**\n>\n> Own title.",
        "> **In the margin**\n>\n> An aside.",
        "<details><summary><b>Refresher: the sum of $n$</b></summary>\n\nInside $|x|$.\n\n- one\n- two\n\n</details>",
        "## 2.1. Lists and tables",
        "3. third\n4. fourth with a formula\n\n   $$\\begin{aligned}a \\\\ b\\end{aligned}$$",
        "| a | b |\n|---|---|\n| $\\vert x\\vert $ | `p` or q |",
        "- **Term**: Its meaning.",
        "> Said by another.",
        "```python\ndef f():\n    return 1\n```",
        "**A listing**\n\n`````text\n```` inside\n`````",
        "A sentence with a note.<sup>",
        "The note.",
        f"![A grey field.]({SITE}_images/photo.png)",
        "**Fig. 2.1** A caption with [(2.1)](#equation-eq-one).",
        "<details><summary>What the figure shows</summary>\n\nA line &lt; a curve.\n\n</details>",
        "### Exercise 2.1",
        "**First.** Show [(2.2)](#equation-eq-two).",
        "#### Solution to Exercise 2.1\n\nIt follows.",
        "### Continued\n\nA closing word.",
        "## 2.3. Summary\n\nThe end.",
    ],
)
def test_directives_become_plain_markdown(built: dict[str, Any], expected: str) -> None:
    assert expected in text_of(built)


def test_the_first_cells_say_where_it_comes_from_and_install_the_package(built: dict[str, Any]) -> None:
    first, second = built["cells"][:2]
    assert first["source"].startswith("# 2. A *page* of $\\mathbb{R}$\n")
    assert f"]({PAGE}) of the book [The Book]({SITE})" in first["source"]
    assert second["cell_type"] == "code"
    assert f'%pip install --quiet "recurrence-book @ git+{REPOSITORY}@c0ffee"' in second["source"]


def test_every_link_within_the_notebook_has_its_place_once(built: dict[str, Any]) -> None:
    text = text_of(built)
    places = re.findall(r'<a id="([^"]+)"', text)
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) == set(places)
    assert len(places) == len(set(places)) >= 5


def test_hidden_and_removed_cells(built: dict[str, Any]) -> None:
    hidden = cell_with(built, "import math")["metadata"]
    assert hidden["cellView"] == "form"
    assert hidden["jupyter"] == {"source_hidden": True}
    assert hidden["tags"] == ["hide-input"]
    assert "jupyter" not in cell_with(built, "draw()")["metadata"]
    assert cell_with(built, "shown = 2")["metadata"]["jupyter"] == {"source_hidden": True}
    both = {"source_hidden": True, "outputs_hidden": True}
    assert cell_with(built, "needed = 1")["metadata"]["jupyter"] == both
    assert cell_with(built, "all_hidden")["metadata"]["jupyter"] == both
    assert "glue" not in json.dumps(built)


def test_code_cells_keep_their_order(built: dict[str, Any]) -> None:
    sources = [cell["source"] for cell in built["cells"] if cell["cell_type"] == "code"]
    wanted = ["import math", "draw()", "needed = 1", "shown = 2", "all_hidden", "solve()", "last = 1"]
    assert sources[1:] == wanted


def test_solutions_are_folded_in_jupyterlab_and_in_colab(built: dict[str, Any]) -> None:
    solution = cell_with(built, "#### Solution")
    assert solution["metadata"]["jp-MarkdownHeadingCollapsed"] is True
    assert built["metadata"]["colab"]["collapsed_sections"] == [solution["id"]] == ["solution-ex-one"]
    assert solution["metadata"]["id"] == solution["id"]
    # The fold ends at the next heading of the same or a higher rank.
    ids = [cell["id"] for cell in built["cells"]]
    between = built["cells"][ids.index(solution["id"]) + 1 : ids.index(cell_with(built, "A closing word.")["id"])]
    assert [cell["source"] for cell in between] == ["solve()"]


def test_a_notebook_has_no_outputs_and_unique_ids(built: dict[str, Any]) -> None:
    assert all(cell["outputs"] == [] for cell in built["cells"] if cell["cell_type"] == "code")
    ids = [cell["id"] for cell in built["cells"]]
    assert len(ids) == len(set(ids))
    nbformat.validate(nbformat.from_dict(built))


def test_a_new_cell_renames_none_of_another_section() -> None:
    sections = [markdown.Heading(1, "T", "t"), markdown.Heading(2, "A", "a"), "x", markdown.Heading(2, "B", "b"), "y"]
    cell = {"cell_type": "code", "source": "1", "metadata": {}}
    origin = {"address": PAGE, "site": SITE, "book": "Book"}
    code = markdown.Code(0, False, False)
    before = notebooks.notebook(sections, [], origin, "install")
    after = notebooks.notebook([*sections[:3], code, *sections[3:]], [cell], origin, "install")
    ids = [cell["id"] for cell in after["cells"]]
    assert [name for name in ids if name != "a-2"] == [cell["id"] for cell in before["cells"]]


def test_unchanged_pages_follow_the_commit_and_gone_ones_go(
    folder: Path, built: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.parent / "notebooks" / "part" / "page.ipynb"
    before = path.read_bytes()
    (path.parent / "gone.ipynb").write_text("{}")
    build(folder, monkeypatch, commit="decade")
    assert path.read_bytes() == before.replace(b"c0ffee", b"decade")
    assert not (path.parent / "gone.ipynb").exists()
    path.unlink()
    build(folder, monkeypatch)
    assert path.read_bytes() == before
    assert (folder.parent / "html" / "_sources" / "part" / "page.ipynb").read_bytes() == before


def test_the_page_links_to_colab(folder: Path, built: dict[str, Any]) -> None:
    assert built
    assert (folder.parent / "html" / "_sources" / "part" / "page.ipynb").is_file()
    assert ways.opened_by(ways.COLAB, REPOSITORY, "part/page") == (
        "https://colab.research.google.com/github/anna/book/blob/notebooks/part/page.ipynb"
    )
    assert ways.opened_by(ways.BINDER, REPOSITORY, "part/page") == (
        "https://mybinder.org/v2/gh/anna/book/notebooks?urlpath=lab/tree/part/page.ipynb"
    )
    assert ways.opened_by(ways.COLAB, "https://gitlab.com/anna/book", "part/page") is None


@pytest.mark.parametrize(
    ("formula", "expanded"),
    [
        (r"x \in \R^n", r"x \in \mathbb{R}^n"),
        (r"\Rightarrow", r"\Rightarrow"),
        (r"\half x", r"\frac{1}{2} x"),
        (r"\norm{a_{1}}", r"\left\|{a_{1}}\right\|"),
        (r"\norm x", r"\left\|{x}\right\|"),
        (r"\norm{\R}", r"\left\|{\mathbb{R}}\right\|"),
        (r"\step x", r"\sigma  x"),
    ],
)
def test_macros_are_expanded(formula: str, expanded: str) -> None:
    macros = {r"\R": r"\mathbb{R}", r"\half": r"\frac{1}{2}", r"\norm": r"\left\|#1\right\|", r"\step": r"\sigma"}
    assert markdown.expand(formula, macros) == expanded


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a < b & c > d", "a &lt; b & c > d"),
        ("snake_case _private_", "snake_case \\_private\\_"),
        ("[1] and *two*", "&#91;1&#93; and \\*two\\*"),
        ("back\\slash `tick` ~~gone~~", "back\\\\slash \\`tick\\` \\~~gone\\~~"),
        ("&amp; &c", "&amp;amp; &c"),
    ],
)
def test_text_is_escaped(text: str, escaped: str) -> None:
    assert markdown.escaped(text) == escaped


def test_the_commit_is_the_one_that_is_checked_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_SHA", raising=False)
    assert notebooks.revision(tmp_path, "main") == "main"
    monkeypatch.setenv("GITHUB_SHA", "c0ffee")
    assert notebooks.revision(tmp_path, "main") == "c0ffee"
