"""Links to report an error: they open the repository's form with the page filled in.

The link in the header and the one below every page work without scripts. `_static/report.js` adds the section that is
in the reader's view. The repository is the one the site is built from: see repository.py.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sphinx.application import Sphinx

# The file of the form below .github/ISSUE_TEMPLATE; the names of the other fields are ids in it.
FORM = "error.yml"


def address(repository: str, name: str, title: str) -> str:
    """Address of a new report on page `name`, such as basics/neuron."""
    if urlsplit(repository).hostname == "gitlab.com":
        fields = {"issue[title]": f"Error: {title}", "issue[description]": f"Page: {name}"}
        return f"{repository}/-/issues/new?{urlencode(fields, quote_via=quote)}"
    fields = {"template": FORM, "title": f"Error: {title}", "page": name}
    return f"{repository}/issues/new?{urlencode(fields, quote_via=quote)}"


def fill_in(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the page the address of its report, and the theme's button the same."""
    titles = app.env.titles
    title = titles[name].astext() if name in titles else context.get("title", name)
    context["report"] = address(app.config.html_theme_options["repository_url"], name, title)
    waiting = list(context.get("header_buttons", ()))
    while waiting:
        button = waiting.pop()
        waiting.extend(button.get("buttons", ()))
        if button.get("label") == "source-issues-button":
            button |= {"url": context["report"], "text": "Report an error", "tooltip": "Report an error on this page"}


def setup(app: Sphinx) -> dict[str, bool]:
    # After the theme has made its buttons.
    app.connect("html-page-context", fill_in, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
