"""Third-party files are the ones their packages gave, all of them recorded, and each folder has its licence."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

import vendor

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = json.loads((ROOT / "tools" / "vendor.json").read_text(encoding="utf-8"))
FOLDERS = (
    "book/_static/fonts",
    "book/_static/katex",
    "book/_static/codemirror",
    "book/_static/thebe",
    "code/recurrence/plots/fonts",
    "tests/book/vendor/axe-core",
)


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_file_is_the_recorded_one(name: str) -> None:
    assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == MANIFEST[name]["sha256"]


def test_nothing_is_unrecorded() -> None:
    files = {path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")}
    files |= {f"{folder}/{name}" for folder in FOLDERS for name in ("LICENSE",) if (ROOT / folder / name).exists()}
    assert files == set(MANIFEST)


def test_versions_are_those_that_the_script_names() -> None:
    script = (ROOT / "tools" / "vendor.py").read_text(encoding="utf-8")
    for entry in MANIFEST.values():
        assert f'"{entry["package"]}": "{entry["version"]}"' in script


@pytest.mark.parametrize("folder", FOLDERS)
def test_licence_lies_beside(folder: str) -> None:
    assert any(name in ("OFL.txt", "LICENSE") for name in (Path(n).name for n in MANIFEST if n.startswith(folder)))


@pytest.mark.parametrize("sheet", ["katex/katex.min.css", "recurrence.css"])
def test_style_sheets_name_only_fonts_that_exist(sheet: str) -> None:
    path = ROOT / "book" / "_static" / sheet
    named = re.findall(r"url\(([^)]+)\)", path.read_text(encoding="utf-8"))
    assert named
    for name in named:
        assert name.endswith(".woff2")
        assert (path.parent / name).is_file(), name


def test_the_serif_that_every_page_needs_is_light() -> None:
    weights = [(ROOT / name).stat().st_size for name in MANIFEST if name.endswith("-core.woff2")]
    assert len(weights) == 3
    assert sum(weights) < 40 * 1024


def test_the_style_sheet_asks_for_each_part_of_the_serif_where_it_is_needed() -> None:
    sheet = (ROOT / "book" / "_static" / "recurrence.css").read_text(encoding="utf-8")
    ranges = dict(re.findall(r"url\(fonts/([\w-]+\.woff2)\)[^;]*; unicode-range: ([^;]+);", sheet))
    for stem, _, _ in vendor.WOFF2:
        assert ranges[f"{stem}-core.woff2"] == vendor.unicode_range(vendor.CORE)
        assert ranges[f"{stem}-rare.woff2"] == vendor.unicode_range(vendor.RARE)


@pytest.mark.parametrize(("characters", "css"), [("a", "U+61"), ("cab", "U+61-63"), ("aé–b", "U+61-62, U+E9, U+2013")])
def test_unicode_range(characters: str, css: str) -> None:
    assert vendor.unicode_range(characters) == css
