"""The book's own Sphinx extension: mathematics, figures, links, and what a page loads."""

from sphinx.application import Sphinx

PARTS = (
    "execution",
    "katex",
    "figures",
    "flipbook",
    "tracks",
    "repository",
    "pages",
    "notebooks",
    "ways",
    "runner",
    "feed",
    "cards",
    "report",
    "search",
    "html_fixes",
    "icons",
    "previews",
    "assets",
)


def setup(app: Sphinx) -> dict[str, bool]:
    for part in PARTS:
        app.setup_extension(f"{__name__}.{part}")
    return {"parallel_read_safe": True, "parallel_write_safe": False}
