"""What other sites show of a link to a page: its title, its description and a picture (OpenGraph).

The picture is composed as SVG from the chapter's title, its question and its first figure, in the type and the colours
of the book, and turned into PNG by resvg, which gives the same bytes every time. It is drawn only when its SVG has
changed, and beside the writing of the pages: resvg runs without Python's lock.
"""

from __future__ import annotations

import hashlib
import html
import posixpath
import re
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import resvg_py
from docutils import nodes
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

from recurrence import plots
from recurrence_book.feed import as_date, front_matter

WIDTH, HEIGHT = 1200, 630
MARGIN = 72
INNER = WIDTH - 2 * MARGIN
FOLDER = "_images/cards"
COLOURS = plots.COLOURS
FONTS = resources.files(plots).joinpath("fonts")


_pool = ThreadPoolExecutor(max_workers=2)
_drawing: list[Future[None]] = []


@lru_cache(maxsize=1)
def _advances() -> tuple[dict[int, int], int]:
    """Width of every character of the serif, and the unit of these widths."""
    with resources.as_file(FONTS / "RecurrenceSerif-Regular.ttf") as path, TTFont(path) as font:
        widths = font["hmtx"]
        return {code: widths[glyph][0] for code, glyph in font.getBestCmap().items()}, font["head"].unitsPerEm


def width(text: str, size: float) -> float:
    """Width of a line of text at a size, without kerning."""
    advances, unit = _advances()
    return sum(advances.get(ord(letter), unit // 2) for letter in text) * size / unit


def wrap(text: str, size: float, room: float, most: int) -> list[str]:
    """The text in lines that fit the room; what exceeds the last line is cut after a word, with an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= room:
            lines[-1] = longer
        elif len(lines) < most:
            lines.append(word)
        else:
            while " " in lines[-1] and width(f"{lines[-1]} …", size) > room:
                lines[-1] = lines[-1].rpartition(" ")[0]
            lines[-1] += " …"
            return lines
    return lines


def balance(text: str, size: float, room: float, most: int) -> list[str]:
    """The text in as few lines as fit the room, all about as long."""
    lines = wrap(text, size, room, most)
    while room > size:
        room -= size
        tighter = wrap(text, size, room, most)
        if len(tighter) > len(lines) or tighter[-1:] != wrap(text, size, room, most + 1)[-1:]:
            break
        lines = tighter
    return lines


def compose(title: str, words: str, logo: str, figure: str | None) -> str:
    """The picture as SVG: logo, title, words and, where there is one, a figure (both as SVG)."""
    size = 78.0
    while width(title, size) > INNER and size > 30:
        size -= 2
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{COLOURS["paper"]}"/>']
    parts.append(f'<rect width="{WIDTH}" height="12" fill="{COLOURS["blue"]}"/>')
    parts.append(_placed(logo, (WIDTH - MARGIN - 215, 34, 215, 40), "xMaxYMid"))
    baseline = 94 + 0.72 * size if figure else 250
    parts.append(_line(title, MARGIN, baseline, size, COLOURS["ink"]))
    small = 33 if figure else 40
    for text in balance(words, small, INNER, 2 if figure else 4):
        baseline += 1.42 * small
        parts.append(_line(text, MARGIN, baseline + 10, small, COLOURS["muted"]))
    if figure:
        top = baseline + 42
        parts.append(_placed(figure, (MARGIN, top, INNER, HEIGHT - 36 - top), "xMidYMid"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
    return f"{head}{''.join(parts)}</svg>"


def _line(text: str, x: float, y: float, size: float, colour: str) -> str:
    where = f'x="{x:g}" y="{y:.1f}" font-size="{size:g}" fill="{colour}"'
    return f'<text {where} font-family="{plots.FAMILY}">{html.escape(text)}</text>'


def _placed(svg: str, box: tuple[float, float, float, float], align: str) -> str:
    """A drawing fitted into a box (left, top, width, height), as part of another."""
    svg = svg[svg.index("<svg") :]
    opening = re.match(r"<svg\b[^>]*>", svg)
    assert opening is not None
    view = re.search(r'\sviewBox="([^"]*)"', opening[0])
    kept = re.sub(r'\s(?:width|height|viewBox|x|y|preserveAspectRatio)="[^"]*"', "", opening[0])
    added = "".join(f' {side}="{at:.1f}"' for side, at in zip(("x", "y", "width", "height"), box, strict=True))
    if view:
        added += f' viewBox="{view[1]}" preserveAspectRatio="{align} meet"'
    return f"{kept[:-1]}{added}>{svg[opening.end() :]}"


def draw(svg: str) -> bytes:
    """The picture as PNG, with the fonts of the book alone, so that it is the same on every machine."""
    with resources.as_file(FONTS) as folder:
        return resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True, font_dirs=[str(folder)])


def write_picture(svg: str, target: Path, cache: Path) -> None:
    """Put the picture in its place, drawn only if it has never been."""
    key = hashlib.sha256(f"{resvg_py.__version__}\n{svg}".encode()).hexdigest()[:20]
    kept = cache / f"{key}.png"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        part.write_bytes(draw(svg))
        part.replace(kept)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, target)


def question(doctree: nodes.document) -> str | None:
    """The question that a chapter asks in bold near its top, if there are no formulas in it."""
    for strong in doctree.findall(nodes.strong):
        if strong.astext().strip().endswith("?") and not list(strong.findall(nodes.math)):
            return " ".join(strong.astext().split())
    return None


def first_figure(app: Sphinx, doctree: nodes.document) -> tuple[str, str] | None:
    """The first figure of a page in its light form, as SVG, and its alternative text."""
    # The page is written by now, and its images bear the names under which they will lie in the site.
    sources = {name: source for source, name in app.builder.images.items()}
    for image in doctree.findall(nodes.image):
        source = sources.get(posixpath.basename(unquote(image["uri"])))
        if source and "for-light" in image["classes"]:
            return Path(app.srcdir, source).read_text("utf-8"), image.get("alt", "")
    return None


def tags(said: dict[str, str]) -> str:
    """The meta elements of names and what they say; names of OpenGraph are properties."""
    lines = []
    for name, content in said.items():
        kind = "name" if name.startswith("twitter:") else "property"
        lines.append(f'<meta {kind}="{name}" content="{html.escape(content)}" />')
    return "\n".join(lines)


def add_card(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    if doctree is None or app.builder.name != "html":
        return
    config = app.config
    said = front_matter(Path(app.env.doc2path(name)))
    root = front_matter(Path(app.env.doc2path(config.root_doc)))
    site, book = config.html_baseurl, config.html_title
    title = app.env.titles[name].astext()
    description = str(said.get("description") or root.get("description", ""))
    found = first_figure(app, doctree)
    # A page without a figure is shown by the picture of the front page.
    picture, alt = config.root_doc, f"{book}. {root.get('description', '')}"
    if found or name == config.root_doc:
        picture = name
        words = question(doctree) or description
        logo = Path(app.srcdir, config.html_logo).read_text("utf-8")
        svg = compose(title, words, logo, found[0] if found else None)
        target, cache = Path(app.outdir, FOLDER, f"{name}.png"), Path(app.doctreedir).parent / ".cards"
        _drawing.append(_pool.submit(write_picture, svg, target, cache))
        alt = f"{title}. {words} {found[1] if found else ''}".strip()
    shown = {
        "og:title": title,
        "og:type": "article" if "date" in said else "website",
        "og:url": f"{site}{name}.html",
        "og:site_name": book,
        "og:description": description,
        "og:image": f"{site}{FOLDER}/{picture}.png",
        "og:image:type": "image/png",
        "og:image:width": str(WIDTH),
        "og:image:height": str(HEIGHT),
        "og:image:alt": alt,
    }
    if published := as_date(said.get("date")):
        shown["article:published_time"] = published.isoformat()
    shown["twitter:card"] = "summary_large_image"
    context["metatags"] = f"{context.get('metatags', '')}\n{tags(shown)}"


def wait(app: Sphinx, exception: Exception | None) -> None:
    """Wait for the last picture; what went wrong with one is raised here."""
    while _drawing:
        _drawing.pop().result()


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", add_card)
    app.connect("build-finished", wait)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
