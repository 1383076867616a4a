"""The search index of the book: formulas are found by their Greek letters, and chapters come before names of the code.

Sphinx indexes a formula as the words of its source, so that "sigma" finds one and "σ" does not. What changes on the
search page itself is in `search_page.js`, which Sphinx includes there and nowhere else.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from sphinx import search
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.search.en import SearchEnglish

LETTERS = {
    unicodedata.name(letter).rpartition(" ")[2].lower().replace("lamda", "lambda"): letter
    for letter in "αβγδεζηθικλμνξπρστυφχψω"
}
MACRO = re.compile(rf"\\(?:var)?({'|'.join(LETTERS)})(?![a-z])", re.IGNORECASE)


class SearchBook(SearchEnglish):
    """English, with the letters that formulas name."""

    def split(self, input: str) -> list[str]:
        return super().split(input) + [LETTERS[name.lower()] for name in MACRO.findall(input)]


def use(app: Sphinx, config: Config) -> None:
    search.languages["en"] = SearchBook
    config.html_search_scorer = str(Path(__file__).with_name("search_page.js"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", use)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
