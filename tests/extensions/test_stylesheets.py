"""Of a style sheet stays what a page or a script can ask for, and it says the same in fewer characters."""

from __future__ import annotations

from pathlib import Path

import pytest
from sphinx.errors import ExtensionError

from recurrence_book.stylesheets import join, names

PAGE = '<body class="page"><main id="top" style="color: var(--own)"><a>b</a></main><script>go("added")</script></body>'
SCRIPT = """list.add("bs-tooltip-" + side, `level-${depth}`); const NAME = "card"; add(`${NAME}-header`);"""


def kept(tmp_path: Path, sheet: str) -> str:
    (tmp_path / "sheet.css").write_text(sheet, "utf-8")
    return join([tmp_path / "sheet.css"], tmp_path, names([PAGE], [SCRIPT])).strip()


@pytest.mark.parametrize(
    "selector",
    [
        "*",
        "a",
        "A:hover",
        ".page",
        "#top",
        ".page>#top",
        ".added",
        ".bs-tooltip-left",
        ".level-3",
        ".card-header",
        "main:not(.never)",
        "main:has(.never)",
        ":is(.never,.page) a",
        "[data-bs-theme=dark]",
        "html[data-theme=dark] a::before",
        ":root",
    ],
)
def test_what_a_page_can_have_stays(tmp_path: Path, selector: str) -> None:
    # The elements that every page has.
    known = selector.replace("html", "main")
    assert kept(tmp_path, known + " { color: red }") == known + "{color:red}"


@pytest.mark.parametrize("selector", [".never", "#never", "video", ".page .never", "a.never:hover", ":is(.never, #no)"])
def test_what_no_page_can_have_goes(tmp_path: Path, selector: str) -> None:
    assert kept(tmp_path, selector + " { color: red } a { color: blue }") == "a{color:blue}"


def test_one_selector_of_several_goes_alone(tmp_path: Path) -> None:
    assert kept(tmp_path, ".never, a , .page { color : red }") == "a,.page{color:red}"


def test_blocks_are_followed_and_empty_ones_go(tmp_path: Path) -> None:
    sheet = "@media print { .never { color: red } } @media (min-width: 3px) { a { color: red; } .never { top: 0 } }"
    assert kept(tmp_path, sheet) == "@media (min-width: 3px){a{color:red}}"


def test_values_survive(tmp_path: Path) -> None:
    sheet = """a { width: calc(1px + 2px); content: "a , b"; background: url("data:image/svg+xml,%3Csvg a='{;}'/%3E");
               color: red !important; transition: a 1s , b 2s; --own: { x } }"""
    assert kept(tmp_path, sheet) == (
        """a{width:calc(1px + 2px);content:"a , b";background:url("data:image/svg+xml,%3Csvg a='{;}'/%3E");"""
        "color:red!important;transition:a 1s,b 2s;--own:{ x }}"
    )


def test_variables_and_keyframes_stay_where_they_are_read(tmp_path: Path) -> None:
    sheet = """a { --one: 1px; --two: var(--one); --three: 3px; --four: "a;b"; width: var(--three) }
               @keyframes turn { from { left: 0 } to { left: 1px } } @keyframes rest { to { left: 0 } }
               .page { animation: turn 1s }"""
    assert kept(tmp_path, sheet) == (
        "a{--three:3px;width:var(--three)}@keyframes turn{from{left:0}to{left:1px}}.page{animation:turn 1s}"
    )


def test_rules_inside_a_rule_are_refused_rather_than_lost(tmp_path: Path) -> None:
    with pytest.raises(ExtensionError, match="rules inside a rule"):
        kept(tmp_path, "a { color: red; &:hover { color: blue } }")


def test_licences_stay_once_at_the_start(tmp_path: Path) -> None:
    sheet = "/* why */ a { top: 0 } /*! MIT */ /*! MIT */ .page { top: 0 }"
    assert kept(tmp_path, sheet) == "/*! MIT */\na{top:0}.page{top:0}"


def test_a_small_font_comes_inside_the_sheet(tmp_path: Path) -> None:
    (tmp_path / "a.woff2").write_bytes(b"small")
    sheet = kept(tmp_path, "@font-face { font-family: A; src: url(a.woff2) format('woff2') }")
    assert "url(data:font/woff2;base64,c21hbGw=)" in sheet
