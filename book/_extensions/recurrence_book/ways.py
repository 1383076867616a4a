"""All ways to run a page and to take it along, in one menu that says what each of them asks of the reader.

The menu stands in the header, in the place of the theme's own two (`ways.html`). It opens without scripts. With them
(`ways.js`) it offers what runs in the page itself, and remembers the way a reader took last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx.application import Sphinx

from recurrence_book.notebooks import page_sources
from recurrence_book.runner import price, run_control

BRANCH = "notebooks"  # where the workflow that publishes the site puts the notebooks; see tools/publish_notebooks.py
ARCHIVE = "recurrence.zip"  # the whole site, made when all else is there: see tools/pack_site.py
BINDER = "https://mybinder.org/v2/gh/{repository}/{branch}?urlpath=lab/tree/{notebook}"
COLAB = "https://colab.research.google.com/github/{repository}/blob/{branch}/{notebook}"


@dataclass(frozen=True)
class Way:
    """One way to run or to take a page: what it is called, where it leads, and what it needs.

    Without an address it is something that the page's own script does. With `download` it leads to a file to keep.
    """

    name: str
    label: str
    kind: Literal["run", "take"]
    needs: str
    address: str = ""
    download: bool = False


def opened_by(service: str, repository: str, docname: str) -> str | None:
    """Where Binder or Colab opens the notebook of a page; None where the repository is not on GitHub.

    Of all places for repositories Colab reads GitHub alone, and for each of them Binder wants another address.
    """
    found = re.match(r"^https://github\.com/([\w.-]+/[\w.-]+)$", repository)
    return service.format(repository=found[1], branch=BRANCH, notebook=f"{docname}.ipynb") if found else None


def ways(app: Sphinx, context: Mapping[str, Any], doctree: nodes.document) -> list[Way]:
    """Ways to run or to take a page that is about to be written."""
    docname, root = context["pagename"], "../" * context["pagename"].count("/")
    chapter = bool(page_sources(app, docname))
    found = []
    for control in doctree.findall(run_control):
        found.append(Way("page", "In this page", "run", f"No account. {price(control['packages'])}"))
    if found:
        needs = "Jupyter on your own machine, started with one line. For what takes long."
        found.append(Way("own", "On my own server", "run", needs))
    repository = app.config.html_theme_options.get("repository_url", "")
    if chapter and (binder := opened_by(BINDER, repository, docname)):
        needs = "No account. A borrowed computer; starting it can take some minutes, and nothing is kept there."
        found.append(Way("binder", "On Binder", "run", needs, binder))
    if chapter and (colab := opened_by(COLAB, repository, docname)):
        needs = "A Google account. The first cell takes about half a minute to install the book’s code."
        found.append(Way("colab", "In Colab", "run", needs, colab))
    if chapter:
        needs = "For Jupyter on your own machine; the first cell installs the book’s code."
        found.append(Way("notebook", "Notebook, .ipynb", "take", needs, f"{root}_sources/{docname}.ipynb", True))
    if context.get("sourcename"):
        needs = "The text that this page is made from."
        found.append(Way("source", "Source, .md", "take", needs, f"{root}_sources/{context['sourcename']}", True))
    found.append(Way("print", "Paper or PDF", "take", "By way of your browser’s print dialogue."))
    needs = "A few megabytes. Unpack it and open index.html: all but running code works without a network."
    found.append(Way("archive", "The whole site, .zip", "take", needs, f"{root}{ARCHIVE}", True))
    return found


def add_ways(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the page its list, before the theme asks which of its templates have anything to show."""
    if doctree is not None:
        context["ways"] = [asdict(way) for way in ways(app, context, doctree)]


def replace_menus(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Take away the theme's menus for which the list stands."""
    if doctree is None:
        return
    buttons = context.get("header_buttons", [])
    buttons[:] = [one for one in buttons if one.get("label") not in ("launch-buttons", "download-buttons")]


def link_archive(  # noqa: PLR0917
    name: str, rawtext: str, text: str, lineno: int, inliner: Inliner, options: Any = None, content: Any = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Role `site-archive`: a link with these words to the site in one file, from wherever the page stands."""
    depth = inliner.document.settings.env.docname.count("/")
    return [nodes.reference(rawtext, text, refuri=f"{'../' * depth}{ARCHIVE}")], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("site-archive", link_archive)
    app.connect("html-page-context", add_ways, priority=460)
    # After the theme has made its menus.
    app.connect("html-page-context", replace_menus, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
