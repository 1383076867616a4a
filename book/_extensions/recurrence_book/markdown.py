"""A page as plain Markdown: Sphinx's resolved document turned into text that any notebook shows.

No directive, role or macro is left over. Numbers are the site's own, and links lead to its pages or, within the page,
to an anchor in the text. Code cells stay apart from the text, because a notebook keeps them in cells of their own.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urldefrag, urljoin

from docutils import nodes
from sphinx import addnodes
from sphinx.locale import admonitionlabels
from sphinx.util import logging
from sphinx_design.dropdown import dropdown_main, dropdown_title
from sphinx_exercise.nodes import is_exercise_node, is_solution_node

from recurrence_book.flipbook import flipbook
from recurrence_book.katex import BLANK_LINES, ENVIRONMENT, LABEL, STARTS_WITH_ENVIRONMENT, aligned
from recurrence_book.runner import run_control

logger = logging.getLogger(__name__)

# What these hold is for other readers, or has become part of what stands around them.
SILENT = (
    nodes.comment,
    nodes.colspec,
    nodes.substitution_definition,
    nodes.label,
    nodes.title,
    addnodes.index,
    addnodes.toctree,
    dropdown_title,
    run_control,
)
TRANSPARENT = (nodes.container, nodes.compound, nodes.definition, nodes.legend, nodes.topic, flipbook)
WRAPS = {
    nodes.emphasis: ("*", "*"),
    nodes.title_reference: ("*", "*"),
    nodes.strong: ("**", "**"),
    nodes.subscript: ("<sub>", "</sub>"),
    nodes.superscript: ("<sup>", "</sup>"),
    nodes.footnote_reference: ("<sup>", "</sup>"),
}
# Environments that number themselves, and their twins that may stand inside a formula.
INNER = {"align": "aligned", "alignat": "alignedat", "gather": "gathered", "multline": "gathered"}
LANGUAGES = {"ipython": "python", "ipython3": "python", "none": "", "default": ""}
DISPLAY = re.compile(r"\$\$\n(.*?)\n\$\$", re.S)


@dataclass(frozen=True)
class Page:
    """What the Markdown of a page depends on beside its document.

    Parameters
    ----------
    address
        Full address of the page.
    site
        Full address of the site, with a slash at its end.
    numbers
        Sphinx's numbers: for each kind (figure, exercise, displaymath) by the id of what has the number.
    sections
        Numbers of sections by anchor, where the book numbers them.
    formats
        Wording of a number by kind, as in ``Fig. %s``.
    macros
        The book's own commands in formulas, by name with the backslash.
    images
        Names of the site's image files by what the document calls them.
    wanted
        Ids that links within the page lead to.
    """

    address: str
    site: str
    numbers: Mapping[str, Mapping[str, tuple[int, ...]]]
    sections: Mapping[str, tuple[int, ...]]
    formats: Mapping[str, str]
    macros: Mapping[str, str]
    images: Mapping[str, str]
    wanted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Heading:
    """A heading: it opens a part of the page, which is shown folded if it is to be looked at later."""

    level: int
    text: str
    name: str
    folded: bool = False


@dataclass(frozen=True)
class Code:
    """The place of a code cell: its number in the page's notebook, and whether its code and its outputs are shown."""

    index: int
    source_hidden: bool
    outputs_hidden: bool


Piece = str | Heading | Code


# Formulas


def expand(formula: str, macros: Mapping[str, str]) -> str:
    """Put the meaning of each of the book's own commands in its place, arguments and all."""
    for _ in range(20):  # a macro may hold another; one that holds itself shall not keep us
        before = formula
        for name, meaning in macros.items():
            count = max(map(int, re.findall(r"#(\d)", meaning)), default=0)
            argument = r"\s*(\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|\\[A-Za-z]+|[^\s{}\\])"
            end = r"(?![A-Za-z])" if name[-1].isalpha() else ""
            # A function, because a replacement text would read the backslashes of TeX as its own.
            formula = re.sub(re.escape(name) + end + argument * count, lambda found: _filled(meaning, found), formula)  # noqa: B023
        if formula == before:
            break
    return formula


def _filled(meaning: str, found: re.Match[str]) -> str:
    filled = re.sub(r"#(\d)", lambda place: f"{{{_bare(found[int(place[1])])}}}", meaning)
    # A command at the end must not run into a letter that follows.
    return filled + " " if re.search(r"\\[A-Za-z]+$", filled) else filled


def _bare(argument: str) -> str:
    return argument[1:-1] if argument.startswith("{") else argument


def formula(source: str, page: Page) -> str:
    """LaTeX that KaTeX and MathJax both set, without anything that Markdown or HTML could take for its own."""
    source = expand(LABEL.sub("", source), page.macros).strip()
    return re.sub(r"<(?=[A-Za-z/!])", "< ", source)  # "a<b" begins like a tag


def display(node: nodes.Element, page: Page) -> str:
    """Return a formula of its own line, with the site's number."""
    source = formula(node.astext(), page)
    if STARTS_WITH_ENVIRONMENT.match(source):
        source = re.sub(r"\\(begin|end)\{equation\*?\}", "", source).strip()
        source = re.sub(r"\\begin\{eqnarray\*?\}", r"\\begin{array}{rcl}", source)
        source = re.sub(r"\\end\{eqnarray\*?\}", r"\\end{array}", source)
        source = re.sub(ENVIRONMENT.pattern.replace(r"\}", r"\*?\}"), lambda m: f"\\{m[1]}{{{INNER[m[2]]}}}", source)
    elif not node.get("nowrap"):
        parts = [aligned(part) for part in BLANK_LINES.split(source) if part.strip()]
        source = parts[0] if len(parts) == 1 else r"\begin{gathered}" + r"\\".join(parts) + r"\end{gathered}"
    if node.get("number"):
        number = _number("displaymath", node, page) or str(node["number"])
        source += rf" \tag{{{number}}}"
    return f"$$\n{source}\n$$"


# Text within a paragraph


def inline(node: nodes.Node, page: Page) -> str:
    """Markdown of what stands within a line."""
    if isinstance(node, nodes.Text):
        return escaped(node.astext())
    if not isinstance(node, nodes.Element):
        return ""
    for kind, (before, after) in WRAPS.items():
        if isinstance(node, kind):
            return f"{before}{inside(node, page)}{after}"
    for kind, write in INLINE.items():
        if isinstance(node, kind):
            return write(node, page)
    if not isinstance(node, nodes.inline | nodes.generated | nodes.target | nodes.abbreviation | nodes.TextElement):
        _unknown(node)
    return inside(node, page)


def inside(node: nodes.Element, page: Page) -> str:
    text = "".join(inline(child, page) for child in node.children)
    return re.sub(r"\s*\n\s*", " ", text)


def escaped(text: str) -> str:
    """Text with no character left that Markdown would take for its own."""
    text = re.sub(r"[\\`*$]|(?<!\w)_|_(?!\w)|~(?=~)", r"\\\g<0>", text)
    # Entities, because a backslash before a bracket would begin a formula in some notebooks.
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text)
    return text.replace("[", "&#91;").replace("]", "&#93;").replace("<", "&lt;")


def _literal(node: nodes.Element, page: Page) -> str:
    text = re.sub(r"\s+", " ", node.astext())
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _math(node: nodes.Element, page: Page) -> str:
    source = re.sub(r"\s+", " ", formula(node.astext(), page))
    return f"${source}${escaped(node.get('punctuation', ''))}"


def address(node: nodes.Element, page: Page) -> str:
    """Where a reference leads: to an anchor of this page, or to a full address."""
    target = node["refuri"] if node.get("refuri") else f"#{node['refid']}"
    full = urljoin(page.address, target)
    place, fragment = urldefrag(full)
    return f"#{fragment}" if place == page.address and fragment else full


def _reference(node: nodes.Element, page: Page) -> str:
    words = inside(node, page)
    if "refuri" not in node and "refid" not in node:
        return words
    where = address(node, page).replace("(", "%28").replace(")", "%29").replace(" ", "%20")
    # Space at its ends belongs outside a link.
    before, after = (words[: len(words) - len(words.lstrip())], words[len(words.rstrip()) :])
    return f"{before}[{words.strip()}]({where}){after}"


def _image(node: nodes.Element, page: Page) -> str:
    if "for-dark" in node["classes"]:
        return ""  # its light twin stands beside it
    name = page.images.get(node["uri"])
    where = urljoin(page.site, f"_images/{quote(name)}") if name else node["uri"]
    return f"![{escaped(node.get('alt', ''))}]({where})"


def _raw(node: nodes.Element, page: Page) -> str:
    return node.astext() if "html" in node.get("format", "").split() else ""


INLINE: dict[type[nodes.Element], Callable[[nodes.Element, Page], str]] = {
    nodes.literal: _literal,
    nodes.math: _math,
    nodes.reference: _reference,
    nodes.image: _image,
    nodes.raw: _raw,
}


# Blocks


def pieces(node: nodes.Node, page: Page, level: int = 0) -> Iterator[Piece]:
    """Yield the Markdown of a document or of a block in it, one paragraph, heading or cell after the other."""
    if isinstance(node, SILENT) or not isinstance(node, nodes.Element):
        return
    if isinstance(node, nodes.section | nodes.document):
        yield from _section(node, page, level)
        return
    if is_exercise_node(node):
        yield Heading(level + 1, _exercise_title(node, page), node["label"])
        yield from _anchored(node, page, _each(node, page, level + 1))
        return
    if is_solution_node(node):
        folded = "dropdown" in node["classes"]
        yield Heading(level + 2, node[0].astext(), f"solution-{node['target_label']}", folded)
        yield from _anchored(node, page, _each(node, page, level + 2))
        return
    if node.get("nb_element") == "cell_code":
        yield from _cell(node, page)
        return
    for kind, write in BLOCKS.items():
        if isinstance(node, kind):
            yield from _anchored(node, page, filter(None, [write(node, page)]))
            return
    if not isinstance(node, TRANSPARENT):
        _unknown(node)
    yield from _anchored(node, page, _each(node, page, level))


def _each(node: nodes.Element, page: Page, level: int) -> Iterator[Piece]:
    for child in node.children:
        yield from pieces(child, page, level)


def text(node: nodes.Element, page: Page) -> str:
    """Return the Markdown of all blocks within a node that has neither headings nor cells."""
    found = list(_each(node, page, 0))
    for piece in found:
        if not isinstance(piece, str):
            logger.warning("a notebook cannot keep a heading or a cell inside this", location=node, type="notebook")
    return "\n\n".join(piece for piece in found if isinstance(piece, str) and piece.strip())


def _anchored(node: nodes.Element, page: Page, made: Iterable[Piece]) -> Iterator[Piece]:
    """Mark the places that a link within the page leads to; the others would only be in the way."""
    marks = "".join(f'<a id="{name}" name="{name}"></a>' for name in node.get("ids", []) if name in page.wanted)
    for piece in made:
        if marks and isinstance(piece, str):
            # A paragraph takes the anchor in; before anything else it stands alone.
            yield f"{marks}{piece}" if isinstance(node, nodes.paragraph) else f"{marks}\n\n{piece}"
            marks = ""
        else:
            yield piece
    if marks:
        yield marks


def anchors(document: nodes.document, page: Page) -> frozenset[str]:
    """Ids of the page that its own links lead to."""
    found = (address(node, page) for node in document.findall(nodes.reference) if "refuri" in node or "refid" in node)
    return frozenset(where[1:] for where in found if where.startswith("#"))


def _section(node: nodes.Element, page: Page, level: int) -> Iterator[Piece]:
    title = node[0] if node.children and isinstance(node[0], nodes.title) else None
    if title is not None:
        level += 1
        # Sphinx keeps the number of a page's title under no name.
        keys = [""] if level == 1 else [f"#{name}" for name in node["ids"]]
        number = next((page.sections[key] for key in keys if key in page.sections), ())
        before = ".".join(map(str, number)) + ". " if number else ""
        name = node["ids"][-1] if node["ids"] else "section"
        yield Heading(level, before + inside(title, page), name)
        yield from _anchored(node, page, [])
    open_fold = False
    for child in node.children:
        for piece in pieces(child, page, level):
            if open_fold and not isinstance(piece, Heading):
                # What follows a solution must not vanish with it.
                yield Heading(level + 1, "Continued", f"{node['ids'][-1]}-continued" if node["ids"] else "continued")
            open_fold = False
            yield piece
        open_fold = is_solution_node(child)


def _exercise_title(node: nodes.Element, page: Page) -> str:
    number = _number("exercise", node, page)
    before = page.formats["exercise"] % number if number else node.get("title", "Exercise")
    title = inside(node[0], page).strip()
    return f"{before} {title}" if title and title != before else before


def _number(kind: str, node: nodes.Element, page: Page) -> str:
    numbers = page.numbers.get(kind, {})
    return next((".".join(map(str, numbers[name])) for name in node["ids"] if name in numbers), "")


def _cell(node: nodes.Element, page: Page) -> Iterator[Piece]:
    """A code cell, then in words what its figures show: their pictures come when it runs."""
    mode = node.get("hide_mode", "")
    shown = any(child.get("nb_element") == "cell_code_source" for child in node.children)
    yield Code(node["cell_index"], not shown or mode in ("all", "input", "input+output"), mode in ("all", "output"))
    captions: dict[int, str] = {}
    for figure in node.findall(nodes.figure):
        caption = "\n\n".join(map(str, _anchored(figure, page, filter(None, [_caption(figure, page)]))))
        captions |= {id(image): caption for image in figure.findall(nodes.image)}
    for image in node.findall(nodes.image):
        if "for-dark" not in image["classes"]:
            described = _folded("What the figure shows", html.escape(image.get("alt", ""), quote=False))
            yield "\n\n".join(filter(None, [captions.get(id(image)), described]))


def _caption(node: nodes.Element, page: Page) -> str:
    number = _number("figure", node, page)
    before = f"**{page.formats['figure'] % number}** " if number else ""
    captions = [inside(child, page) for child in node.children if isinstance(child, nodes.caption)]
    return before + " ".join(captions) if captions else before.strip()


def _figure(node: nodes.Element, page: Page) -> str:
    drawn = [inline(image, page) for image in node.findall(nodes.image)]
    legends = [text(child, page) for child in node.children if isinstance(child, nodes.legend)]
    return "\n\n".join(part for part in [*drawn, _caption(node, page), *legends] if part)


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def _dropdown(node: nodes.Element, page: Page) -> str:
    title = node.next_node(dropdown_title)
    words = "".join(
        _math(part, page) if isinstance(part, nodes.math) else html.escape(part.astext(), quote=False)
        for part in (title.findall(_is_leaf) if title is not None else [])
    )
    return _folded(f"<b>{words.strip() or 'More'}</b>", text(node, page))


def _is_leaf(node: nodes.Node) -> bool:
    inside_math = isinstance(node.parent, nodes.math)
    drawn = isinstance(node.parent, nodes.raw)
    return isinstance(node, nodes.math) or (isinstance(node, nodes.Text) and not inside_math and not drawn)


def quoted(content: str) -> str:
    """Markdown as a block quotation, formulas on one line: their lines would begin with the mark of the quotation."""
    return "\n".join(f"> {line}".rstrip() for line in one_line_formulas(content).splitlines())


def one_line_formulas(content: str) -> str:
    return DISPLAY.sub(lambda found: f"$${' '.join(found[1].split())}$$", content)


def _admonition(node: nodes.Element, page: Page) -> str:
    title = next((inside(child, page) for child in node.children if isinstance(child, nodes.title)), "")
    if isinstance(node, nodes.sidebar):
        title = title.strip() or "In the margin"
    words = title or admonitionlabels.get(node.tagname, node.tagname.capitalize())
    return quoted(f"**{words}**\n\n{text(node, page)}")


def _listing(node: nodes.Element, page: Page) -> str:
    language = node.get("language", "")
    content = node.astext().rstrip("\n")
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", content)), 3)
    return f"{fence}{LANGUAGES.get(language, language)}\n{content}\n{fence}"


def _list(node: nodes.Element, page: Page) -> str:
    items = []
    for number, item in enumerate(node.children, node.get("start", 1)):
        mark = f"{number}. " if isinstance(node, nodes.enumerated_list) else "- "
        content = one_line_formulas(text(item, page)).replace("\n", "\n" + " " * len(mark))
        items.append(re.sub(r"^ +$", "", f"{mark}{content}", flags=re.M))
    return "\n".join(items)


def _definitions(node: nodes.Element, page: Page) -> str:
    items = []
    for item in node.findall(nodes.definition_list_item):
        terms = [inside(child, page) for child in item.children if isinstance(child, nodes.term)]
        meanings = [text(child, page) for child in item.children if isinstance(child, nodes.definition)]
        content = one_line_formulas(f"**{', '.join(terms)}**: " + "\n\n".join(meanings))
        items.append("- " + content.replace("\n", "\n  "))
    return "\n".join(items)


def _table(node: nodes.Element, page: Page) -> str:
    rows = [[_entry(entry, page) for entry in row.children] for row in node.findall(nodes.row)]
    if node.next_node(nodes.thead) is None:
        rows.insert(0, [""] * len(rows[0]))  # Markdown knows no table without a head
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    title = next((inside(child, page) for child in node.children if isinstance(child, nodes.title)), "")
    number = _number("table", node, page)
    caption = f"**{page.formats['table'] % number}** {title}" if number else title
    return "\n\n".join(part for part in (caption, "\n".join(lines)) if part)


def _entry(node: nodes.Element, page: Page) -> str:
    content = one_line_formulas(text(node, page)).replace("\n\n", "<br>").replace("\n", " ")
    # A bar would end the table's cell: in formulas it has another name, elsewhere a backslash hides it.
    content = re.sub(r"\$[^$]+\$", lambda m: m[0].replace(r"\|", r"\Vert ").replace("|", r"\vert "), content)
    return re.sub(r"(?<!\\)\|", r"\|", content)


def _paragraph(node: nodes.Element, page: Page) -> str:
    # What opens a line of Markdown with a meaning of its own is shown as it is.
    return re.sub(r"^(#|>|\+ |- |\d+[.)] )", r"\\\1", inside(node, page).strip())


BLOCKS: dict[type[nodes.Element] | tuple[type[nodes.Element], ...], Callable[[nodes.Element, Page], str]] = {
    nodes.paragraph: _paragraph,
    nodes.math_block: display,
    nodes.literal_block: _listing,
    dropdown_main: _dropdown,
    (nodes.Admonition, nodes.sidebar): _admonition,
    nodes.block_quote: lambda node, page: quoted(text(node, page)),
    (nodes.bullet_list, nodes.enumerated_list): _list,
    nodes.definition_list: _definitions,
    nodes.table: _table,
    nodes.figure: _figure,
    nodes.image: _image,
    nodes.raw: _raw,
    nodes.footnote: lambda node, page: f"<sup>{node[0].astext()}</sup> {text(node, page)}",
    (nodes.rubric, nodes.caption): lambda node, page: f"**{inside(node, page)}**",
    nodes.transition: lambda node, page: "---",
    nodes.reference: _reference,
    nodes.target: lambda node, page: "",
}


def _unknown(node: nodes.Element) -> Any:
    logger.warning(
        "a notebook has no form for %r yet: give it one in recurrence_book/markdown.py",
        type(node).__name__,
        location=node,
        type="notebook",
    )
