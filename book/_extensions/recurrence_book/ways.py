"""Where else a page can be run or taken: one list for each page, with what every way asks of the reader.

Templates find it as `ways`. Each entry says in `needs` what a reader should know before following it.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx.application import Sphinx

from recurrence_book.notebooks import page_sources

BRANCH = "notebooks"  # where the workflow that publishes the site puts the notebooks; see tools/publish_notebooks.py
ARCHIVE = "recurrence.zip"  # the whole site, made when all else is there: see tools/pack_site.py
COLAB = "https://colab.research.google.com/github"


@dataclass(frozen=True)
class Way:
    """One way to run or to take a page: what it is called, where it leads, and what it needs."""

    name: str
    label: str
    address: str
    needs: str


def colab_address(repository: str, docname: str) -> str | None:
    """Where Colab opens the notebook of a page; None where the repository is not on GitHub, which Colab reads alone."""
    found = re.match(r"^https://github\.com/([\w.-]+/[\w.-]+)$", repository)
    return f"{COLAB}/{found[1]}/blob/{BRANCH}/{docname}.ipynb" if found else None


def ways(app: Sphinx, docname: str, root: str) -> list[Way]:
    """Ways to run or to take a page; `root` leads from it to the site's front page."""
    needs = "A few megabytes. Unpack it and open index.html: everything but running code works without a network."
    archive = Way("archive", "whole site, .zip", f"{root}{ARCHIVE}", needs)
    if not page_sources(app, docname):
        return [archive]
    found = []
    colab = colab_address(app.config.html_theme_options.get("repository_url", ""), docname)
    if colab:
        needs = "A Google account. The first cell takes about half a minute to install the book’s code."
        found.append(Way("colab", "Colab", colab, needs))
    needs = "Jupyter on your own machine; the first cell installs the book’s code."
    found.append(Way("notebook", ".ipynb", f"{root}_sources/{docname}.ipynb", needs))
    return [*found, archive]


def add_ways(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the page its list, and the theme's menus what they lack."""
    if doctree is None:
        return
    found = ways(app, pagename, "../" * pagename.count("/"))
    context["ways"] = [asdict(way) for way in found]
    groups = {group.get("label"): group for group in context.get("header_buttons", [])}
    for way in found:
        if way.name == "colab" and "launch-buttons" in groups:
            button = {"type": "link", "text": way.label, "url": way.address, "tooltip": f"Open in Colab. {way.needs}"}
            groups["launch-buttons"]["buttons"].append({**button, "icon": "_static/images/logo_colab.png"})
        if way.name == "archive" and "download-buttons" in groups:
            button = {"type": "link", "text": way.label, "url": way.address, "tooltip": f"Download it all. {way.needs}"}
            groups["download-buttons"]["buttons"].append({**button, "icon": "fas fa-file-zipper"})


def link_archive(  # noqa: PLR0917
    name: str, rawtext: str, text: str, lineno: int, inliner: Inliner, options: Any = None, content: Any = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Role `site-archive`: a link with these words to the site in one file, from wherever the page stands."""
    depth = inliner.document.settings.env.docname.count("/")
    return [nodes.reference(rawtext, text, refuri=f"{'../' * depth}{ARCHIVE}")], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("site-archive", link_archive)
    # After the theme has made its menus.
    app.connect("html-page-context", add_ways, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
