"""Flipbooks of a page: the frame shown first is a figure like any other, the rest a file that is fetched when needed.

A cell that ends in a `recurrence.plots.flipbook` leaves HTML with all frames inside. In the page that would be too
much to load: here it becomes an image, which `figures` pairs with its dark twin, the sliders, and a script file
with the frames beside the image. The HTML is recognised by what it holds, so no renderer has to be registered.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.writers.html5 import HTML5Translator

from recurrence import plots

from .panels import cut

FILES = ("flipbook.js", "flipbook.css")
# Controls are hidden where no script runs. This one line shows them while the page is still being read, so that the
# script, which comes later, moves nothing.
SHOW = "<script>document.currentScript.previousElementSibling.hidden = false</script>"


class flipbook(nodes.General, nodes.Element):  # type: ignore[misc]
    """An image, and around it the sliders that change it: attributes `key`, `frames` (a file) and `controls` (HTML)."""


class Flipbooks(SphinxTransform):
    """While a page is read: put an image and sliders in the place of a flipbook's HTML."""

    # Before the transform that measures images and makes their dark twins.
    default_priority = 590

    def apply(self, **kwargs: Any) -> None:
        for raw in list(self.document.findall(nodes.raw)):
            book = plots.Flipbook.from_html(raw.astext()) if raw.get("format") == "html" else None
            if book is not None:
                raw.replace_self(self._made(book, raw))

    def _made(self, book: plots.Flipbook, raw: nodes.raw) -> flipbook:
        frames = book.to_json()
        key = hashlib.sha256(frames.encode()).hexdigest()[:10]
        folder = Path(self.app.outdir).parent / "jupyter_execute"
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{self.env.docname.rpartition('/')[2]}-{key}"
        script = folder / f"{stem}-frames.js"
        script.write_text(f'recurrenceFlipbook.frames("{key}",{frames});\n', encoding="utf-8")
        still = folder / f"{stem}.svg"
        # The name by which a drawing of matplotlib is known.
        still.write_text(book.svg().replace("<svg ", '<svg id="figure_1" ', 1), encoding="utf-8")
        image = nodes.image(uri=f"/{Path(os.path.relpath(still, self.app.srcdir)).as_posix()}", alt=book.alt)
        image.source, image.line = raw.source, raw.line
        last = len(book.frames) - 1
        image["cut"] = cut(book.svg(frame) for frame in sorted({0, last // 3, 2 * last // 3, last, book.start}))
        return flipbook("", image, key=key, frames=str(script), controls=book.controls(), cut=image["cut"])


def visit_html(self: HTML5Translator, node: flipbook) -> None:
    builder = self.builder
    source = Path(node["frames"])
    images = Path(builder.outdir) / builder.imagedir
    images.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, images / source.name)
    address = f"{builder.imgpath}/{source.name}"
    cut = f' data-cut="{node["cut"]}"' if node["cut"] else ""
    self.body.append(f'<div class="flipbook" data-flipbook="{node["key"]}" data-frames="{address}"{cut}>')


def depart_html(self: HTML5Translator, node: flipbook) -> None:
    self.body.append(f"{node['controls']}{SHOW}</div>\n")


def skip(self: nodes.NodeVisitor, node: flipbook) -> None:
    """Write the image alone: on paper there is nothing to slide."""


def add_files(app: Sphinx) -> None:
    """Take the script and the style sheet from the package, which needs them in notebooks too."""
    folder = resources.files(plots)
    app.config.html_static_path.extend(str(folder.joinpath(name)) for name in FILES)


def link_files(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Load the script and the style sheet on no other pages than those that have a flipbook."""
    if doctree is not None and next(iter(doctree.findall(flipbook)), None) is not None:
        app.add_css_file("flipbook.css")
        app.add_js_file("flipbook.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(flipbook, html=(visit_html, depart_html), latex=(skip, skip), text=(skip, skip))
    app.add_transform(Flipbooks)
    app.connect("builder-inited", add_files)
    # Before those that gather what a page loads.
    app.connect("html-page-context", link_files, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
