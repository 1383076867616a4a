"""Repairs of the HTML of Sphinx, its extensions and KaTeX, where it breaks the rules or misleads a screen reader.

Each repair is a function of its own and says what it mends. `tests/extensions/test_html_fixes.py` shows each fault as
its maker writes it, and so tells when a repair is no longer needed. What the theme's templates get wrong is mended
by templates of the same name below `book/_templates`.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator
from sphinx_exercise.nodes import solution_node

BLOCKS = (nodes.bullet_list, nodes.enumerated_list, nodes.definition_list, nodes.literal_block, nodes.block_quote)
TAG = re.compile(r"<(?P<end>/?)(?P<name>\w+)[^>]*>")
CELL_PARTS = {"cell_code_source": "Code", "cell_code_output": "Output"}
ICON = re.compile(r'<(i|span) (?=class="fa[brs]?[ -])(?![^>]*aria-hidden)')
LOGO = re.compile(r'<img (?=alt="[^"]*" src="[^"]*_static/images/logo_\w+\.(svg|png)")')
MINUS = '<img width="11" height="11" src="_static/minus.png"'
MARK = r'<span class="viewcode-block" \1>\2'
LEAVES = ("mi", "mo", "mn", "mtext")


def sound_mathml(html: str) -> str:
    r"""Formulas in which only ``mrow`` groups elements.

    KaTeX puts what ``\underset`` makes inside ``mi`` and ``mo``, which hold text and nothing else.
    """
    return re.sub(r"<math\b.*?</math>", lambda match: _grouped(match[0]), html, flags=re.S)


def _grouped(math: str) -> str:
    tags = list(TAG.finditer(math))
    open_tags: list[bool] = []  # for each leaf that is open: does it hold elements?
    written, done = [], 0
    for tag, following in zip(tags, [*tags[1:], None], strict=True):
        if tag["name"] not in LEAVES:
            continue
        if tag["end"]:
            wrong = open_tags.pop()
        else:
            wrong = following is not None and not following["end"]
            open_tags.append(wrong)
        if wrong:
            written += [math[done : tag.start()], f"<{tag['end']}mrow>"]
            done = tag.end()
    return "".join([*written, math[done:]])


def visit_hidden_cell(self: HTML5Translator, node: HideCodeCellNode) -> None:
    """Open a folded cell whose summary has its own words for a name: MyST-NB gives it others, and paragraphs."""
    self.body.append(f'<details class="admonition hide {" ".join(node["classes"])}">\n<summary>\n')
    for state, prompt in (("collapsed", node["prompt_show"]), ("expanded", node["prompt_hide"])):
        self.body.append(f'<span class="{state} admonition-title">{escape(prompt)}</span>\n')
    self.body.append("</summary>\n")


def depart_hidden_cell(self: HTML5Translator, node: HideCodeCellNode) -> None:
    self.body.append("</details>\n")


def visit_solution(self: HTML5Translator, node: solution_node) -> None:
    """Open a solution as what the browser itself can fold, without a script, under a name of its own.

    Jupyter Book folds it by a script, and calls the button of every one "Toggle hidden content".
    """
    title = node.children.pop(0)
    node["classes"] = [name for name in node["classes"] if name != "dropdown"]
    self.body.append(self.starttag(node, "details", "", CLASS="admonition"))
    self.body.append(f'\n<summary class="admonition-title">{escape(title.astext())}</summary>\n')


def depart_solution(self: HTML5Translator, node: solution_node) -> None:
    self.body.append("</details>\n")


def visit_citation(self: HTML5Translator, node: nodes.citation) -> None:
    """Open an entry of the bibliography as an item of its list: docutils gives it a role that ARIA has withdrawn."""
    HTML5Translator.visit_citation(self, node)
    self.body[-1] = self.body[-1].replace(' role="doc-biblioentry"', ' role="listitem"')


def depart_citation(self: HTML5Translator, node: nodes.citation) -> None:
    HTML5Translator.depart_citation(self, node)


def label_cells(app: Sphinx) -> None:
    """Tell a screen reader what is code and what it put out: to the eye colour and a rule say so.

    An output that is a figure says what it is by itself. Sphinx-Design has its own way to write containers, so this
    is put round whichever way there is.
    """
    handlers = app.registry.translation_handlers.setdefault("html", {})
    visit, depart = handlers.get("container", (HTML5Translator.visit_container, HTML5Translator.depart_container))

    def visit_container(self: HTML5Translator, node: nodes.container) -> None:
        visit(self, node)
        label = CELL_PARTS.get(node.get("nb_element", ""))
        if label and next(iter(node.findall(nodes.figure)), None) is None:
            self.body[-1] = self.body[-1].replace("<div ", f'<div role="group" aria-label="{label}" ', 1)

    handlers["container"] = (visit_container, depart)


class UnwrapExercises(SphinxPostTransform):
    """Takes what exercises and solutions hold out of a section that has no heading and always the same id."""

    default_priority = 300
    formats = ("html",)

    def run(self, **options: Any) -> None:
        for section in list(self.document.findall(nodes.section)):
            if section["ids"] in (["exercise-content"], ["solution-content"]):
                place = section.parent.index(section)
                section.parent[place : place + 1] = section.children


class UnwrapLists(SphinxPostTransform):
    """Takes lists out of the paragraph that Sphinx puts round what a function returns: a paragraph holds words only."""

    default_priority = 300
    formats = ("html",)

    def run(self, **options: Any) -> None:
        for paragraph in list(self.document.findall(nodes.paragraph)):
            if paragraph.children and all(isinstance(child, BLOCKS) for child in paragraph):
                paragraph.replace_self(paragraph.children)


def sound_module_page(body: str) -> str:
    """A page of source code in which no ``div`` stands inside ``pre``: viewcode marks each function with one.

    The line ends of its markup go too: inside ``pre`` each is an empty line that the source does not have.
    """
    start, pre, code = body.partition("<pre>")
    code, end_pre, end = code.rpartition("</pre>")
    code = re.sub(r'<div class="viewcode-block" (id="[^"]*")>\n(<a [^>]*>[^<]*</a>)\n', MARK, code)
    return start + pre + re.sub(r"</div>\n?", "</span>", code) + end_pre + end


def sound_module_index(body: str) -> str:
    """The list of modules, those of a sub-package inside its item: viewcode puts a list between the items."""
    nested = body.count("<ul>") - 1
    return body.replace("</li>\n<ul>", "\n<ul>").replace("</ul>", "</ul></li>", nested)


def mend_module_pages(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if pagename == "_modules/index":
        context["body"] = sound_module_index(context["body"])
    elif pagename.startswith("_modules/"):
        context["body"] = sound_module_page(context["body"])


def silent_icons(page: str) -> str:
    """The page with its icons hidden from screen readers, who would read out a character of no meaning."""
    return ICON.sub(r'<\1 aria-hidden="true" ', page)


def marked_place(page: str) -> str:
    """The page with the link to itself, in the contents of the book, marked as such: to the eye its colour does."""
    return page.replace(
        '<a class="current reference internal"', '<a aria-current="page" class="current reference internal"'
    )


def sized_logos(page: str) -> str:
    """The page with a size for the logos in the menu of ways to run it, and for the sign that folds an index."""
    return LOGO.sub(r'<img width="24" height="24" ', page.replace('<img src="_static/minus.png"', MINUS))


def mend_pages(app: Sphinx, exception: Exception | None) -> None:
    """Mend what the theme's templates write in many places; a page that was mended before stays as it is."""
    if exception is not None or app.builder.name != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        if "_static" not in path.parts:
            page = path.read_text("utf-8")
            mended = sized_logos(marked_place(silent_icons(page)))
            if mended != page:
                path.write_text(mended, "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(HideCodeCellNode, override=True, html=(visit_hidden_cell, depart_hidden_cell))
    app.add_node(solution_node, override=True, html=(visit_solution, depart_solution))
    app.add_node(nodes.citation, override=True, html=(visit_citation, depart_citation))
    app.add_post_transform(UnwrapExercises)
    app.add_post_transform(UnwrapLists)
    app.connect("html-page-context", mend_module_pages)
    app.connect("builder-inited", label_cells)
    app.connect("build-finished", mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
