"""Figures that suit the page: light and dark, of known size, small, and never without alternative text.

A figure drawn by matplotlib becomes two files in the palette of `recurrence.plots`, one for each theme. The page holds
both images side by side in one element, and the style sheet shows the one that fits the theme the reader has chosen. An
`<img>` can follow the theme by itself only where a browser passes `color-scheme` on to it, which not all do.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.images import get_image_size
from sphinx.writers.html5 import HTML5Translator

from recurrence.plots import DARK, dark

from .panels import cut

logger = logging.getLogger(__name__)

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
UNITS = {"": 1.0, "px": 1.0, "pt": 96 / 72, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4}


def pixels(svg: str) -> tuple[int, int] | None:
    """Width and height of an SVG in CSS pixels, or None where it does not say."""
    tag = re.search(r"<svg\b[^>]*>", svg)
    if tag is None:
        return None
    sides = []
    for side in ("width", "height"):
        said = re.search(rf'\s{side}="([\d.]+)([a-z]*)"', tag[0])
        if said is None or said[2] not in UNITS:
            break
        sides.append(round(float(said[1]) * UNITS[said[2]]))
    else:
        return sides[0], sides[1]
    box = re.search(r'\sviewBox="[-\d.]+[ ,]+[-\d.]+[ ,]+([\d.]+)[ ,]+([\d.]+)"', tag[0])
    return (round(float(box[1])), round(float(box[2]))) if box else None


def minify(svg: str) -> str:
    """The same drawing without prolog, metadata, comments, unused ids and empty groups, to a hundredth of a point.

    Meant for what matplotlib writes: all coordinates absolute, no text that depends on white space.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{SVG}metadata":
                parent.remove(child)
    used = set(re.findall(r"""url\(#([^)]+)\)|href="#([^"]+)\"""", svg))
    kept = {first or second for first, second in used}
    for element in root.iter():
        if element.get("id") not in kept:
            element.attrib.pop("id", None)
        if "style" in element.attrib:
            element.set("style", re.sub(r"\s*([:;])\s*", r"\1", element.attrib["style"]).rstrip(";"))
        for name in ("d", "points"):
            if name in element.attrib:
                element.set(name, _path(element.attrib[name]))
        for name in ("x", "y", "width", "height"):
            if name in element.attrib and element is not root:
                element.set(name, _rounded(element.attrib[name]))
        if "transform" in element.attrib:
            moved = re.sub(r"translate\([^)]*\)", lambda match: _rounded(match[0]), element.attrib["transform"])
            element.set("transform", moved)
    _unwrap(root)
    return f"{_written(root)}\n"


def _rounded(text: str) -> str:
    def short(match: re.Match[str]) -> str:
        number = f"{float(match[0]):.2f}".rstrip("0").rstrip(".")
        return "0" if number == "-0" else number

    return re.sub(r"-?\d+\.\d+(?:e[-+]?\d+)?", short, text)


def _path(data: str) -> str:
    data = re.sub(r"\s+", " ", _rounded(data)).strip()
    return re.sub(r" ?([A-Za-z]) ?", r"\1", data).replace(" -", "-")


def _unwrap(parent: ElementTree.Element) -> None:
    """Put the content of every group that has no attributes in its place; drop what is empty."""
    children: list[ElementTree.Element] = []
    for child in parent:
        _unwrap(child)
        group = child.tag in (f"{SVG}g", f"{SVG}defs")
        if group and len(child) == 0:
            continue
        if child.tag == f"{SVG}g" and not child.attrib:
            children.extend(child)
        else:
            children.append(child)
    parent[:] = children


def _written(element: ElementTree.Element, root: bool = True) -> str:
    """Markup of an SVG element without white space between tags, SVG as default namespace and plain `href`."""
    tag = element.tag.removeprefix(SVG)
    attributes = [("xmlns", SVG[1:-1])] if root else []
    attributes += [("href" if name == LINK else name, value) for name, value in element.attrib.items()]
    opening = tag + "".join(f' {name}="{_escaped(value)}"' for name, value in attributes)
    inside = _escaped((element.text or "").strip()) + "".join(_written(child, root=False) for child in element)
    return f"<{opening}>{inside}</{tag}>" if inside else f"<{opening}/>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


class Figures(SphinxTransform):
    """While a page is read: ask for alternative text, measure every image, and give matplotlib's a dark twin."""

    default_priority = 600

    def apply(self, **kwargs: Any) -> None:
        for image in list(self.document.findall(nodes.image)):
            if not image.get("alt", "").strip():
                where = "Set it in the cell: mystnb → image → alt." if _is_output(image) else "Give it an alt text."
                logger.warning(
                    "image without alternative text: a reader who cannot see it learns nothing. %s",
                    where,
                    location=_placed(image),
                    type="recurrence",
                    subtype="alt",
                )
            path = self._file(image["uri"])
            if path is None:
                continue
            if path.suffix != ".svg":
                image["pixels"] = get_image_size(str(path))
                continue
            svg = path.read_text(encoding="utf-8")
            image["pixels"] = pixels(svg)
            if 'id="figure_1"' in svg:
                self._pair(image, minify(svg), path)

    def _file(self, uri: str) -> Path | None:
        """The image's file: an address from "/" starts in the source folder, any other beside the page."""
        if urllib.parse.urlparse(uri).scheme:
            return None
        _, path = self.env.relfn2path(urllib.parse.unquote(uri), self.env.docname)
        return Path(path) if Path(path).is_file() else None

    def _pair(self, image: nodes.image, svg: str, path: Path) -> None:
        stem = f"{self.env.docname.rpartition('/')[2]}-{hashlib.sha256(svg.encode()).hexdigest()[:10]}"
        folder = image["uri"].rpartition("/")[0]
        pair = nodes.inline(classes=["figure-pair"])
        # A flipbook has looked at more frames than this one.
        where = image["cut"] if "cut" in image else cut([svg])
        box = re.search(r'\sviewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
        if where and box:
            pair["classes"].append("figure-cut")
            image["halves"] = halves(float(box[1]), float(box[2]), where)
        for theme, content in (("light", svg), ("dark", dark(svg))):
            name = f"{stem}-{theme}.svg"
            (path.parent / name).write_text(content, encoding="utf-8")
            twin = image.deepcopy()
            twin["uri"] = f"{folder}/{name}" if folder else name
            # "dark-light" tells the theme that the image suits both; its own "only-dark" would hide captions too.
            twin["classes"] += [f"for-{theme}", "dark-light"]
            pair += twin
        pair.source, pair.line = image.source, image.line
        image.replace_self(pair)


def halves(width: float, height: float, where: float) -> list[tuple[float, float, float]]:
    """Left side, width and height of the two parts of a drawing that is cut at a share of its width."""
    side = round(where * width, 2)
    return [(0.0, side, height), (side, round(width - side, 2), height)]


def _placed(node: nodes.Node) -> nodes.Node:
    """The node itself or the nearest one around it that knows its line: an image inside a paragraph does not."""
    while not node.line and node.parent is not None:
        node = node.parent
    return node


def _is_output(image: nodes.image) -> bool:
    parent = image.parent
    return isinstance(parent, nodes.container) and "mime_type" in parent


def visit_image(self: HTML5Translator, node: nodes.image) -> None:
    """Write the image as Sphinx does, with its size, and fetched only when it comes near the reader's window."""
    HTML5Translator.visit_image(self, node)
    added = ""
    if node.get("pixels"):
        width, height = node["pixels"]
        added += f' width="{width}" height="{height}"'
    # The first picture is usually in sight from the start; its dark twin is hidden for most readers.
    if getattr(self, "_seen_an_image", False) or "for-dark" in node["classes"]:
        added += ' loading="lazy" decoding="async"'
    else:
        added += ' fetchpriority="high"'
    self._seen_an_image = True
    whole = self.body[-1].replace("<img ", f"<img{added} ", 1)
    parts = [_half(whole, *half, first=k == 0) for k, half in enumerate(node.get("halves", ()))]
    self.body[-1] = "".join([whole, *parts])


def _half(whole: str, left: float, width: float, height: float, *, first: bool) -> str:
    """The tag of an image, changed to show a part of its drawing. One alternative text says what both halves show."""
    view = f"#svgView(viewBox({left:g},0,{width:g},{height:g}))"
    tag = re.sub(r'\ssrc="([^"]*)"', lambda src: f' src="{src[1]}{view}"', whole)
    tag = re.sub(r'\s(?:width|height|loading|decoding|style)="[^"]*"', "", tag)
    tag = tag.replace('class="', 'class="half ', 1)
    if not first:
        tag = re.sub(r'\salt="[^"]*"', ' alt=""', tag)
    # The file knows only the shape of the whole.
    shape = f'width="{width:.0f}" height="{height:.0f}" style="aspect-ratio:{width:g}/{height:g}"'
    return tag.replace("<img ", f'<img {shape} loading="lazy" decoding="async" ', 1)


def depart_image(self: HTML5Translator, node: nodes.image) -> None:
    HTML5Translator.depart_image(self, node)


def setup(app: Sphinx) -> dict[str, Any]:
    # A changed palette makes every page be read, and so every twin be drawn, again.
    app.add_config_value("recurrence_palette", sorted(DARK.items()), "env", [list])
    app.add_transform(Figures)
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
