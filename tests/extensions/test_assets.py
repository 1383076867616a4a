"""Sheets and scripts of a small site are joined, old pages follow, and nothing that a page can use is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sphinx.errors import ExtensionError

from recurrence_book.assets import join_scripts, join_site, minified

PAGE = """<html><head>
  <link href="{root}_static/first.css" rel="stylesheet" />
  {more}
  <link rel="stylesheet" type="text/css" href="{root}_static/last.css?v=1" />
  <link rel="preload" as="font" href="{root}_static/fonts/a.woff2" crossorigin />
  <script src="{root}_static/documentation_options.js?v=1"></script>
  <script src="{root}_static/early.js"></script>
  <script src="{root}_static/searchtools.js"></script>
  <script type="module" src="{root}_static/run.mjs"></script>
</head><body class="page"><p id="top">Text</p><span class="btn__icon-container">
    <img alt="Logo" src="a.svg"></span><script defer src="{root}_static/late.js"></script></body></html>
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    files = {
        "index.html": PAGE.format(root="", more=""),
        "part/page.html": PAGE.format(root="../", more='<link rel="stylesheet" href="../_static/own.css" />'),
        "404.html": PAGE.format(root="/book/", more=""),
        "_static/first.css": '@import "base/base.css"; .page { color: red; }',
        "_static/base/base.css": '@font-face { font-family: A; src: url("../fonts/a.woff2"); } .none { color: red; }',
        "_static/own.css": "#top { color: green; }",
        "_static/last.css": ".page { color: blue; }",
        "_static/fonts/a.woff2": "f" * 5000,
        "_static/documentation_options.js": "const OPTIONS = {\n  A: 1 };",
        "_static/early.js": '"use strict";\nconst early = 1; // first',
        "_static/late.js": "later = early;",
        "_static/searchtools.js": "const search = 1;",
        "_static/run.mjs": "export const run = 1;",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path


def joined(site: Path, suffix: str) -> Path:
    (path,) = site.glob(f"_static/all-*.{suffix}")
    return path


def test_every_page_links_the_same_two_files_from_where_it_is(site: Path) -> None:
    join_site(site)
    for page, root in [("index.html", ""), ("part/page.html", "../"), ("404.html", "/book/")]:
        text = (site / page).read_text("utf-8")
        assert re.findall(r'stylesheet" href="([^"]*)"', text) == [f"{root}_static/{joined(site, 'css').name}"]
        assert re.findall(r'<script defer src="([^"]*)"', text) == [
            f"{root}_static/{joined(site, 'js').name}",
            f"{root}_static/searchtools.js",
        ]
        assert '<script type="module" src=' in text
        assert "<script>const OPTIONS={A:1};</script>" in text


def test_sheets_keep_their_order_and_find_their_fonts(site: Path) -> None:
    join_site(site)
    sheet = joined(site, "css").read_text("utf-8")
    assert sheet.index("color:red") < sheet.index("color:green") < sheet.index("color:blue")
    assert ".none" not in sheet
    (font,) = re.findall(r"url\((fonts/a\.woff2\?v=\w{10})\)", sheet)
    preloaded = re.findall(r'as="font" href="([^"]*)"', (site / "part" / "page.html").read_text("utf-8"))
    assert preloaded == [f"../_static/{font}"]


def test_scripts_keep_their_order_and_strictness_is_not_spread(site: Path) -> None:
    join_site(site)
    script = joined(site, "js").read_text("utf-8")
    assert "run = 1" not in script
    assert "first" not in script
    assert script.index("const early=1") < script.index("later=early")
    assert re.search(r'\*/\s*;"use strict"', script)


def test_a_page_written_anew_takes_the_others_along(site: Path) -> None:
    join_site(site)
    before = joined(site, "css").name
    (site / "index.html").write_text(PAGE.format(root="", more="").replace("Text", '<b class="none">Text</b>'), "utf-8")
    for name, text in [("first", ".page{color:red}.none{color:red}"), ("own", "#top{}"), ("last", ".page{margin:0}")]:
        (site / "_static" / f"{name}.css").write_text(text, "utf-8")
    for name in ("early", "late"):
        (site / "_static" / f"{name}.js").write_text("1;", "utf-8")
    join_site(site)
    now = joined(site, "css")
    assert now.name != before
    assert ".none" in now.read_text("utf-8")
    assert "Made of first.css, own.css, last.css" in now.read_text("utf-8")
    assert f"../_static/{now.name}" in (site / "part" / "page.html").read_text("utf-8")
    assert not (site / "_static" / "own.css").exists()


def test_pictures_in_closed_menus_wait(site: Path) -> None:
    join_site(site)
    assert '<img loading="lazy" alt="Logo"' in (site / "part" / "page.html").read_text("utf-8")


def test_nothing_written_anew_changes_nothing(site: Path) -> None:
    join_site(site)
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    join_site(site)
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before


def test_two_scripts_may_not_define_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("function ready() {}", "utf-8")
    (tmp_path / "b.js").write_text("const ready = 1;", "utf-8")
    with pytest.raises(ExtensionError, match=r"b\.js and a\.js both define ready"):
        join_scripts([tmp_path / "a.js", tmp_path / "b.js"])


def test_licences_stay_and_other_remarks_go(tmp_path: Path) -> None:
    assert minified("/* Tool.\n * :license: BSD */\nlet a = 1; /* why */") == "/*! Tool.\n * :license: BSD */let a=1;"
    assert minified("let s = `two\n  lines ${1 + 1}`;") == "let s=`two\n  lines ${1 + 1}`;"
    (tmp_path / "a.js").write_text("/*! For license information please see a.js.LICENSE.txt */\nlet a;", "utf-8")
    (tmp_path / "a.js.LICENSE.txt").write_text("/*! A, MIT */", "utf-8")
    assert join_scripts([tmp_path / "a.js"]) == ";/*! A, MIT */let a;"
