"""The fonts of icons and formulas, cut down to what the site shows.

The theme draws its icons with two fonts of 270 KB that hold thousands, and KaTeX brings 270 KB too. Once all pages
are written, what they show is known: of icons, the classes in the HTML and the few that the theme's style sheet
puts before links and titles; of formulas, their characters. The fonts are reduced to those.
"""

from __future__ import annotations

import hashlib
import html
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

SHEET = "styles/pydata-sphinx-theme.css"
FONTS = "vendor/fontawesome/webfonts"
FORMULA_FONTS = "katex/fonts"
RULE = re.compile(r'(?P<selectors>(?:\.fa-[\w-]+:before,?)+)\{content:"\\(?P<code>[0-9a-f]+)"\}')
CLASS = re.compile(r"\bfa-[\w-]+")
GLYPHS = re.compile(r"<span[^>]*>([^<]+)</span>")
VARIABLE = re.compile(r'--pst-(?:icon|breadcrumb)-[\w-]+:\s*"(?P<text>[^"]*)"')


def classes_shown(pages: Iterable[str]) -> set[str]:
    """Names of all icon classes in the pages."""
    return {name for page in pages for tag in re.findall(r'class="([^"]*)"', page) for name in CLASS.findall(tag)}


def reduce_sheet(sheet: str, shown: set[str]) -> tuple[str, set[int]]:
    """The style sheet without the rules of icons that are not shown, and the characters it still asks for."""
    characters = {ord(letter) for text in VARIABLE.findall(sheet) for letter in _unescape(text)}

    def keep(match: re.Match[str]) -> str:
        if shown.isdisjoint(CLASS.findall(match["selectors"])):
            return ""
        characters.add(int(match["code"], 16))
        return match[0]

    return RULE.sub(keep, sheet), characters


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-9a-fA-F]{1,6}) ?", lambda match: chr(int(match[1], 16)), text)


def reduce_font(path: Path, characters: set[int]) -> None:
    """Rewrite a WOFF2 font with the given characters only."""
    options = Options()
    options.flavor = "woff2"
    options.layout_features = []
    options.hinting = False
    font = TTFont(path, recalcTimestamp=False)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    font.flavor = "woff2"
    font.save(path)


def characters_in_formulas(pages: Iterable[str]) -> set[int]:
    """All characters that stand in formulas, in whatever font."""
    found = set("\xa0\u200b")  # spaces that the style sheet sets by itself
    for page in pages:
        for formula in page.split('class="katex-html"')[1:]:
            found.update(html.unescape("".join(GLYPHS.findall(formula.partition('class="katex-mathml"')[0]))))
    return set(map(ord, found))


def reduce_formulas(app: Sphinx, exception: Exception | None) -> None:
    """Cut the fonts of the formulas down; what was cut once is kept beside the site."""
    if exception is not None or app.builder.name != "html":
        return
    characters = characters_in_formulas(path.read_text("utf-8") for path in Path(app.outdir).rglob("*.html"))
    kept = Path(app.outdir).parent / ".fonts"
    kept.mkdir(exist_ok=True)
    used = set()
    for font in sorted(Path(app.srcdir, "_static", FORMULA_FONTS).glob("*.woff2")):
        key = hashlib.sha256(font.read_bytes() + repr(sorted(characters)).encode()).hexdigest()[:16]
        used.add(kept / f"{key}.woff2")
        if not (kept / f"{key}.woff2").exists():
            shutil.copyfile(font, kept / f"{key}.part")
            reduce_font(kept / f"{key}.part", characters)
            (kept / f"{key}.part").rename(kept / f"{key}.woff2")
        shutil.copyfile(kept / f"{key}.woff2", Path(app.outdir, "_static", FORMULA_FONTS, font.name))
    for font in set(kept.iterdir()) - used:
        font.unlink()


def reduce_icons(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.name != "html":
        return
    static = Path(app.outdir, "_static")
    if not (static / SHEET).exists():
        return  # no page was written, so nothing was copied anew, and `assets` has joined and removed the last copy
    pages = (path.read_text("utf-8") for path in Path(app.outdir).rglob("*.html"))
    sheet, characters = reduce_sheet((static / SHEET).read_text("utf-8"), classes_shown(pages))
    if not characters:
        logger.warning("no icon was found in %s: has the theme changed how it draws them?", SHEET, type="icons")
        return
    # Browsers that know no WOFF2 are gone: the TrueType twins would only make the site larger.
    sheet = re.sub(r',url\([^)]*\.ttf\) format\("truetype"\)', "", sheet)
    (static / SHEET).write_text(sheet, "utf-8")
    for font in (static / FONTS).iterdir():
        if font.suffix == ".woff2":
            reduce_font(font, characters)
        else:
            font.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", reduce_icons)
    app.connect("build-finished", reduce_formulas)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
