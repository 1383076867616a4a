"""The dated chapters as posts: an Atom feed of them all, and a list of the newest for the landing page.

A page is a post if its front matter has a `date`. The feed's address, and all within it, follow the address of the
site; the ids of its entries do not, so that a site that moves does not show its readers every chapter as new.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

FILE = "feed.xml"
ATOM = "http://www.w3.org/2005/Atom"
# Under which page names the list of the newest posts stands, among the metadata that Sphinx keeps of a page.
LISTS_POSTS = "lists_posts"


@dataclass(frozen=True)
class Post:
    """A dated page: its name such as basics/neuron, its title, and what its front matter says."""

    name: str
    title: str
    published: date
    updated: date
    description: str
    authors: tuple[str, ...]
    tags: tuple[str, ...]


def front_matter(path: Path) -> dict[str, Any]:
    """What stands between the first two rules of a page, empty where there is nothing."""
    return _front_matter(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1024)
def _front_matter(path: Path, changed: int) -> dict[str, Any]:
    text = path.read_text("utf-8")
    if not text.startswith("---\n"):
        return {}
    said = yaml.safe_load(text[4:].partition("\n---")[0])
    return said if isinstance(said, dict) else {}


def as_date(value: Any) -> date | None:
    """The date of front matter, which YAML may have read already; None where it is none."""
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        return None


def posts(env: BuildEnvironment) -> list[Post]:
    """All dated pages, newest first; of one day, the later chapter first."""
    found = []
    for name in reading_order(env):
        said = front_matter(Path(env.doc2path(name)))
        if "date" not in said:
            continue
        published = as_date(said["date"])
        updated = as_date(said.get("updated", said["date"]))
        if published is None or updated is None:
            logger.warning("the date of a chapter is written like 2026-11-21.", location=name, type="recurrence")
            continue
        authors = said.get("authors") or [env.config.author]
        found.append(
            Post(
                name=name,
                title=env.titles[name].astext(),
                published=published,
                updated=updated,
                description=str(said.get("description", "")),
                authors=tuple(one["name"] if isinstance(one, dict) else str(one) for one in authors),
                tags=tuple(map(str, said.get("tags", ()))),
            )
        )
    return sorted(found, key=lambda post: post.published)[::-1]


def reading_order(env: BuildEnvironment) -> list[str]:
    """Names of all pages that the table of contents leads to, in its order."""
    root = env.config.root_doc
    found = [root]
    for name in found:
        found.extend(child for child in env.toctree_includes.get(name, ()) if child not in found)
    return found


def feed(title: str, subtitle: str, site: str, identity: str, entries: Iterable[Post]) -> str:
    """Return an Atom feed (RFC 4287) of at least one post, newest first.

    `site` is the address of the site, with a slash at its end; `identity` begins the id of every entry.
    """
    listed = list(entries)
    root = ElementTree.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})

    def add(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
        child = ElementTree.SubElement(parent, tag, attributes)
        child.text = text or None
        return child

    add(root, "id", f"{identity}feed")
    add(root, "title", title)
    add(root, "subtitle", subtitle)
    add(root, "updated", _moment(max(post.updated for post in listed)))
    add(root, "link", rel="self", type="application/atom+xml", href=f"{site}{FILE}")
    add(root, "link", rel="alternate", type="text/html", href=site)
    add(root, "icon", f"{site}_static/favicon.svg")
    add(root, "rights", "Creative Commons Attribution 4.0")
    for post in listed:
        entry = add(root, "entry")
        add(entry, "id", f"{identity}{post.name}")
        add(entry, "title", post.title)
        add(entry, "published", _moment(post.published))
        add(entry, "updated", _moment(post.updated))
        for author in post.authors:
            add(add(entry, "author"), "name", author)
        add(entry, "link", rel="alternate", type="text/html", href=f"{site}{post.name}.html")
        add(entry, "summary", post.description or post.title)
        for tag in post.tags:
            add(entry, "category", term=tag)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _moment(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def write_feed(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.name != "html":
        return
    found = posts(app.env)
    path = Path(app.outdir, FILE)
    if not found:
        path.unlink(missing_ok=True)
        return
    config = app.config
    subtitle = str(front_matter(Path(app.env.doc2path(config.root_doc))).get("description", ""))
    path.write_text(feed(config.html_title, subtitle, config.html_baseurl, config.feed_identity, found), "utf-8")


# The list of the newest posts


class newest(nodes.General, nodes.Element):  # type: ignore[misc]
    """The place of a list of the newest posts, filled when all pages are read."""


class Newest(SphinxDirective):
    """List the newest posts: title, date and description; option `count`."""

    option_spec = {"count": directives.positive_int}  # noqa: RUF012 — as docutils wants it

    def run(self) -> list[nodes.Node]:
        self.env.metadata[self.env.docname][LISTS_POSTS] = True
        return [newest(count=self.options.get("count", 5))]


def fill(app: Sphinx, doctree: nodes.document, name: str) -> None:
    for place in list(doctree.findall(newest)):
        entries = nodes.bullet_list(classes=["newest"])
        for post in posts(app.env)[: place["count"]]:
            address = app.builder.get_relative_uri(name, post.name)
            title = nodes.reference("", post.title, internal=True, refuri=address)
            day = f"{post.published.day} {post.published:%B %Y}"
            head = nodes.paragraph("", "", title, nodes.inline("", day, classes=["newest-date"]))
            entries += nodes.list_item("", head, nodes.paragraph("", post.description))
        place.replace_self(entries)


def read_lists_again(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> Any:
    """A page that lists posts is out of date as soon as any page has changed."""
    if not (added or changed or removed):
        return []
    return [name for name, said in env.metadata.items() if said.get(LISTS_POSTS) and name not in removed]


def skip(self: nodes.NodeVisitor, node: newest) -> None:
    """Write nothing: `fill` has put the list in its place before."""


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("feed_identity", "tag:recurrence-book.github.io,2026:", "html", [str])
    app.add_node(newest, html=(skip, skip), latex=(skip, skip), text=(skip, skip))
    app.add_directive("newest", Newest)
    app.connect("env-get-outdated", read_lists_again)
    app.connect("doctree-resolved", fill)
    app.connect("build-finished", write_feed)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
