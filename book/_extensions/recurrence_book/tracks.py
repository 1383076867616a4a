"""Reader tracks: refreshers of the kinds a reader has chosen stand open before the page is seen.

A chapter has refreshers of mathematics and of neural networks, folded. A menu in the page's header chooses which of
them stand open (`tracks.html`, `tracks.js`). The choice is kept in the browser. Two small scripts in the page apply
it while the page is still being read: one in the head looks it up, and one at the start of each refresher opens it,
before anything below is there to be moved. Where no script runs there is no menu, and every refresher is folded.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_design.dropdown import dropdown_main

TRACKS = ("mathematics", "networks")
LOOK_UP = """<script>
    let openTracks = "";
    try { openTracks = localStorage.getItem("tracks") || ""; } catch { /* Storage is blocked: nothing is known. */ }
    const openChosen = box => { box.open ||= openTracks.split(" ").some(track => box.classList.contains(track)); };
  </script>"""
OPEN = "<script>openChosen(document.currentScript.parentElement)</script>"


def refreshers(document: nodes.document, track: str) -> list[dropdown_main]:
    """All refreshers of a kind in a page that is about to be written."""
    return [box for box in document.findall(dropdown_main) if {"refresher", track} <= set(box["classes"])]


class OpenRefreshers(SphinxPostTransform):
    """Before a page is written: put the script that opens it at the start of each refresher."""

    default_priority = 210  # sphinx-design has made its dropdowns at 199
    formats = ("html",)

    def run(self, **options: Any) -> None:
        for track in TRACKS:
            for box in refreshers(self.document, track):
                box.insert(1, nodes.raw("", OPEN, format="html"))


def count(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Tell the templates how many refreshers of each kind the page has; they show the menu where there are any."""
    context["refreshers"] = {} if doctree is None else {track: len(refreshers(doctree, track)) for track in TRACKS}
    if any(context["refreshers"].values()):
        context["metatags"] = f"{context.get('metatags', '')}\n  {LOOK_UP}"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(OpenRefreshers)
    app.connect("html-page-context", count, priority=450)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
