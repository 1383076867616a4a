"""What a page loads, and what it says of itself to feeds and link previews.

Jupyter Book brings parts that this book does not use and that cannot be left out by configuration: one of them,
sphinx_thebe, asks a foreign server for a script on every page, another folds what the browser folds by itself. Their
listeners are taken off.
"""

from __future__ import annotations

import html
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

# What Sphinx adds by itself has no front matter to say what it is.
WITHOUT_SOURCE = {
    "genindex": "All terms, functions and classes of the book in alphabetical order.",
    "py-modindex": "The modules of the package in alphabetical order.",
    "search": "Search the chapters, the glossary and the reference of the book.",
    "404": "There is no page at this address; the contents of the book lead on.",
    "_modules/index": "All modules of the package whose source code can be read here.",
}
UNUSED_EXTENSIONS = ("sphinx_thebe", "sphinx_comments", "sphinx_togglebutton")
# In the names of the files and in the lines of script that they have asked for by then.
UNUSED = ("thebe", "togglebutton", "togglehint", "toggleopenonprint")


def silence_unused(app: Sphinx, config: Config) -> None:
    """Take the listeners of unused extensions off every event."""
    for name, listeners in app.events.listeners.items():
        kept = [item for item in listeners if not _module(item.handler).startswith(UNUSED_EXTENSIONS)]
        app.events.listeners[name] = kept
    app.registry.css_files = [sheet for sheet in app.registry.css_files if _is_used(sheet)]
    app.registry.js_files = [script for script in app.registry.js_files if _is_used(script)]


def _is_used(asset: Any) -> bool:
    return not any(name in str(asset).lower() for name in UNUSED)


def _module(handler: Any) -> str:
    return str(getattr(handler, "__module__", ""))


def describe(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the page the description of its front matter, for search engines and link previews."""
    description = (context.get("meta") or {}).get("description") or WITHOUT_SOURCE.get(pagename)
    if pagename.startswith("_modules/recurrence/"):
        description = f"Source code of the module {pagename.removeprefix('_modules/').replace('/', '.')}."
    if description:
        tag = f'<meta name="description" content="{html.escape(description)}" />'
        context["metatags"] = f"{context.get('metatags', '')}\n{tag}"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", silence_unused, priority=900)
    app.connect("html-page-context", describe, priority=450)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
