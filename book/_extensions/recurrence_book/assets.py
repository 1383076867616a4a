"""One style sheet and one script for all pages, in the place of the two dozen that theme and extensions link.

Once all pages are written, what they link is known. The sheets are joined without the rules that no page can use
(`stylesheets`), the scripts in their order; the names of both carry a digest of their content. The first lines of each
say what it is made of: a later build that writes a few pages anew joins the same for all. Modules (`.mjs`, or
`type="module"`), what lies outside `_static`, and the scripts of the search page stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import rjsmin
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from .stylesheets import digest, join, names

LOCAL = r'"(?P<root>(?![a-z]+:|//)[^"]*?)_static/(?P<name>[^"?]+\.{suffix})(?:\?[^"]*)?"'
SHEET = re.compile(r"[ \t]*<link\b(?=[^>]*stylesheet)[^>]*\bhref=" + LOCAL.format(suffix="css") + r"[^>]*>\n?")
SCRIPT = re.compile(r"[ \t]*<script\b(?![^>]*module)[^>]*\bsrc=" + LOCAL.format(suffix="js") + r"[^>]*></script>\n?")
ELSEWHERE = re.compile(r"<script(?= src=)")
FONT = re.compile(r'(?P<before><link\b(?=[^>]*preload)[^>]*_static/(?P<name>[^"?]+\.woff2))(?:\?[^"]*)?"')
# Pictures in the menus of the header, which are closed: 8 KB that a browser need not fetch until one opens.
MENU_ICON = re.compile(r'(?<=<span class="btn__icon-container">)(\s*)<img (?!loading)')
JOINED = re.compile(r"_static/all-[0-9a-f]{10}\.(css|js)")
MADE_OF = re.compile(r"/\* Made of (.*?) \*/")
DEFINED = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.M)
# What scripts written into pages ask for: it is written into them too, since a joined script comes later.
SETTINGS = "documentation_options.js"
SEARCH = ("searchtools.js", "language_data.js")  # 8 KB that only the search page needs
NEVER = ("scripts/fontawesome.js",)  # half a megabyte that the theme would load: see icons.py
FOREIGN = "thebe/thebe-core.mjs"  # loaded when asked for, and it dresses itself in no sheet of ours


def join_assets(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.name == "html":
        join_site(Path(app.outdir))


def join_site(site: Path) -> None:
    """Make the joined sheet and script of a site, and let its pages link them."""
    static = site / "_static"
    paths = [path for path in site.rglob("*.html") if path.relative_to(site).parts[0] not in ("_static", "_sources")]
    pages = {path: path.read_text("utf-8") for path in paths}
    fresh = [page for page in pages.values() if any(not _is_joined(match["name"]) for match in SHEET.finditer(page))]
    if not fresh:
        return
    before = sorted(static.glob("all-*.*"))
    sheets = _merged([*map(_sheets, fresh), *(_made_of(path) for path in before if path.suffix == ".css")])
    scripts = _merged([*map(_scripts, fresh), *(_made_of(path) for path in before if path.suffix == ".js")])
    known = names(pages.values(), (path.read_text("utf-8") for path in _all_scripts(static)))
    made = {
        "css": f"/* Made of {', '.join(sheets)} */\n" + join([static / name for name in sheets], static, known),
        "js": f"/* Made of {', '.join(scripts)} */\n" + join_scripts([static / name for name in scripts]),
    }
    linked = {suffix: f"all-{digest(text.encode())}.{suffix}" for suffix, text in made.items()}
    for path in before:
        path.unlink()
    for suffix, text in made.items():
        (static / linked[suffix]).write_text(text, "utf-8")
    settings = minified((static / SETTINGS).read_text("utf-8"))
    for path, page in pages.items():
        path.write_text(_linked(page, linked, settings, static), "utf-8")
    for name in (*sheets, *scripts, *NEVER):
        for path in static.glob(f"{name}*"):  # its map too
            if not path.name.endswith(".LICENSE.txt"):
                path.unlink()


def _is_joined(name: str) -> bool:
    return JOINED.fullmatch(f"_static/{name}") is not None


def _sheets(page: str) -> list[str]:
    return [match["name"] for match in SHEET.finditer(page)]


def _scripts(page: str) -> list[str]:
    return [match["name"] for match in SCRIPT.finditer(page) if match["name"] not in (SETTINGS, *SEARCH)]


def _made_of(path: Path) -> list[str]:
    found = MADE_OF.match(path.read_text("utf-8"))
    return found[1].split(", ") if found else []


def _all_scripts(static: Path) -> list[Path]:
    found = [*static.rglob("*.js"), *static.rglob("*.mjs")]
    return [path for path in found if path.relative_to(static).as_posix() not in (*NEVER, FOREIGN)]


def _merged(lists: Iterable[Sequence[str]]) -> list[str]:
    """All names, each after the one that it follows in its own list."""
    merged: list[str] = []
    for names_in_order in sorted(lists, key=len, reverse=True):
        place = 0
        for name in names_in_order:
            if name not in merged:
                merged.insert(place, name)
            place = merged.index(name) + 1
    return merged


def join_scripts(paths: Sequence[Path]) -> str:
    """The scripts as one, which runs once the page is read; raise where two of them define the same name."""
    texts = [path.read_text("utf-8") for path in paths]
    defined: dict[str, str] = {}
    for path, text in zip(paths, texts, strict=True):
        for name in set(DEFINED.findall(text)):
            if name in defined:
                raise ExtensionError(
                    f"{path.name} and {defined[name]} both define {name}: one script cannot hold both."
                )
            defined[name] = path.name
    # The empty statement in front keeps a first "use strict" from ruling over all that follows.
    return ";" + "\n;".join(minified(_with_licence(path, text)) for path, text in zip(paths, texts, strict=True))


def _with_licence(path: Path, text: str) -> str:
    """The script with the words of its licence where it only points at them."""
    licence = path.with_name(f"{path.name}.LICENSE.txt")
    if licence.exists():
        text = re.sub(r"/\*! For license information[^*]*\*/", "", text)
        return f"{licence.read_text('utf-8').strip()}\n{text}"
    return text


def minified(script: str) -> str:
    """The script without comments, other than those on its licence, and with little white space."""
    script = re.sub(r"^//# sourceMappingURL=.*$", "", script, flags=re.M)
    script = re.sub(r"/\*(?![!*]*/)[*!]?((?:(?!\*/).)*?(?:licen[cs]e|copyright))", r"/*!\1", script, flags=re.S | re.I)
    return str(rjsmin.jsmin(script, keep_bang_comments=True)).strip()


def _linked(page: str, linked: dict[str, str], settings: str, static: Path) -> str:
    """The page with links to the joined files, and to fonts by the addresses that the sheet has for them."""
    page = MENU_ICON.sub(r'\1<img loading="lazy" ', page)
    page = JOINED.sub(lambda match: f"_static/{linked[match[1]]}", page)
    seen: set[str] = set()

    def sheet(match: re.Match[str]) -> str:
        if "css" in seen:
            return ""
        seen.add("css")
        return f'  <link rel="stylesheet" href="{match["root"]}_static/{linked["css"]}" />\n'

    def script(match: re.Match[str]) -> str:
        if match["name"] == SETTINGS:
            return f"  <script>{settings}</script>\n"
        if match["name"] in SEARCH:
            return f'  <script defer src="{match["root"]}_static/{match["name"]}"></script>\n'
        if "js" in seen:
            return ""
        seen.add("js")
        return f'  <script defer src="{match["root"]}_static/{linked["js"]}"></script>\n'

    def font(match: re.Match[str]) -> str:
        return f'{match["before"]}?v={digest((static / match["name"]).read_bytes())}"'

    page = ELSEWHERE.sub("<script defer", SCRIPT.sub(script, SHEET.sub(sheet, page)))
    return FONT.sub(font, page)


def setup(app: Sphinx) -> dict[str, bool]:
    # After what changes pages, sheets and fonts.
    app.connect("build-finished", join_assets, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
