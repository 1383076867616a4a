"""Previews: what a link leads to, cut from the page it leads to, for the card that `_static/previews.js` shows.

A target on the reader's own page is taken from there. Those on other pages are gathered here, once all pages are
written, into one file that is fetched when the reader first rests on such a link. The file is a script, because
browsers refuse to fetch anything else from the file system.
"""

from __future__ import annotations

import html
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urldefrag

from sphinx.application import Sphinx

FILE = "previews-targets.js"
# Stands in a fragment for the way from a page to the root of the site, which each page knows of itself.
TO_ROOT = "%root%/"

TAG = re.compile(r"""<(?P<end>/?)(?P<name>[a-zA-Z][\w-]*)(?:"[^"]*"|'[^']*'|[^'">])*>""")
LINK = re.compile(r'<a\b[^>]*\bclass="[^"]*\breference internal\b[^"]*"[^>]*>')
VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
# Parts of a target that say nothing on a card.
DROPPED = re.compile(
    r'<a class="headerlink".*?</a>|<a class="reference internal"[^>]*><span class="viewcode-link">.*?</a>|'
    r"<script.*?</script>|</?a\b[^>]*>",
    re.S,
)
DESCRIPTION = re.compile(r'<meta name="description" content="([^"]*)"')


def article(page: str) -> str:
    """The part of a page that its author wrote."""
    found = re.search(r'<article class="bd-article">(.*?)</article>', page, re.S)
    return found[1] if found else ""


def linked(page: str, name: str) -> set[tuple[str, str]]:
    """Other pages that the article of page `name` (such as basics/neuron) refers to, each with the anchor on it."""
    found = set()
    for tag in LINK.findall(article(page)):
        address = re.search(r'href="([^"]*)"', tag)
        target, anchor = urldefrag(html.unescape(address[1])) if address else ("", "")
        if target.endswith(".html") and ":" not in target:
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(target)))
            found.add((path.removesuffix(".html"), unquote(anchor)))
    return {pair for pair in found if pair[0] != name and not pair[0].startswith((".", "_"))}


def tags(text: str, start: int) -> Iterator[tuple[str, int, int, int]]:
    """Name, depth, begin and end of every tag of the element that begins at `start`; end tags have a slash in front."""
    depth = 0
    for tag in TAG.finditer(text, start):
        name = tag["name"].lower()
        if tag["end"]:
            depth -= 1
            yield f"/{name}", depth, tag.start(), tag.end()
        else:
            yield name, depth, tag.start(), tag.end()
            if name not in VOID and not tag[0].endswith("/>"):
                depth += 1
        if depth == 0:
            return


def element(text: str, start: int) -> str:
    """Markup of the element that begins at `start`."""
    return text[start : max((end for *_, end in tags(text, start)), default=start)]


def first_child(text: str, start: int, names: tuple[str, ...]) -> str:
    """Markup of the first child that has one of the names, of the element that begins at `start`; may be empty."""
    for name, depth, begin, _ in tags(text, start):
        if depth == 1 and name in names:
            return element(text, begin)
    return ""


HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def excerpt(page: str, anchor: str) -> str:
    """What a card shows of an anchor on a page, or of the whole page where the anchor is empty; may be empty."""
    text = article(page)
    if not anchor:
        start = text.find("<section")
        said = DESCRIPTION.search(page)
        summary = f"<p>{said[1]}</p>" if said else first_child(text, start, ("p",))
        return f"<section>{first_child(text, start, HEADINGS)}{summary}</section>" if start >= 0 else ""
    opening = re.search(rf'<(\w+)\b[^>]*\sid="{re.escape(html.escape(anchor))}"[^>]*>', text)
    if not opening:
        return ""
    start, name = opening.start(), opening[1]
    if name == "span":  # a second name of the section around it
        start, name = text.rfind("<section", 0, start), "section"
    if name == "section":
        return f"<section>{first_child(text, start, HEADINGS)}{first_child(text, start, ('p',))}</section>"
    if name == "dt":
        said_at = text.find("<dd", start)
        return f"<dl>{element(text, start)}<dd>{first_child(text, said_at, ('p',))}</dd></dl>"
    return element(text, start)


def slim(fragment: str, name: str) -> str:
    """The fragment without ids and links, its pictures named from the root of the site."""

    def from_root(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), match[1]))
        return f' src="{TO_ROOT}{path}"'

    fragment = DROPPED.sub("", fragment)
    fragment = re.sub(r'(<[^>]*?)\sid="[^"]*"', r"\1", fragment)
    return re.sub(r'\ssrc="([^":]*)"', from_root, fragment)


def gather(pages: Mapping[str, str]) -> dict[str, str]:
    """Fragments by address from the root, such as ``reference/glossary.html#term-leak``."""
    wanted = {target for name, page in pages.items() for target in linked(page, name)}
    found = {}
    for name, anchor in sorted(wanted):
        fragment = slim(excerpt(pages[name], anchor), name) if name in pages else ""
        if fragment:
            found[f"{name}.html#{anchor}".removesuffix("#")] = fragment
    return found


def as_script(found: Mapping[str, str]) -> str:
    """The fragments as a call of the function that waits for them."""
    return f"recurrencePreviews({json.dumps(found, ensure_ascii=False, separators=(',', ':'))});\n"


def write_targets(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir)
    paths = {name: folder / f"{name}.html" for name in sorted(app.env.found_docs)}
    found = gather({name: path.read_text("utf-8") for name, path in paths.items() if path.exists()})
    (folder / "_static" / FILE).write_text(as_script(found), "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write_targets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
