"""The whole site in one file: unpacked and opened without a server, its pages look and work as on the web."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

import pack_site
from recurrence_book.ways import ARCHIVE

CHAPTER = "neurons/leaky_integration"


@pytest.fixture(scope="module")
def unpacked(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(site / pack_site.NAME) as archive:
        archive.extractall(folder)
    return folder / pack_site.FOLDER


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that refuses to end well if anything failed on it or anything foreign was asked for."""
    page = browser.new_page(color_scheme="light")
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:")) else problems.append(request.url)
    )
    yield page
    page.close()
    assert problems == []


def open_page(page: Page, folder: Path, name: str, query: str = "") -> None:
    page.goto(f"{(folder / f'{name}.html').as_uri()}{query}", wait_until="networkidle")


def test_the_archive_is_the_one_that_pages_link_to(site: Path, unpacked: Path) -> None:
    assert pack_site.NAME == ARCHIVE
    assert (site / ARCHIVE).stat().st_size < 10_000_000, "the pages say: a few megabytes"
    assert f'href="../{ARCHIVE}"' in (unpacked / f"{CHAPTER}.html").read_text("utf-8")
    assert f'href="{ARCHIVE}"' in (unpacked / "index.html").read_text("utf-8")
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*.html")} == pages - {"404.html"}
    assert (unpacked / "_sources" / f"{CHAPTER}.ipynb").exists()
    assert (unpacked / "_sources" / f"{CHAPTER}.md").exists()


def test_a_chapter_is_whole_without_a_server(page: Page, unpacked: Path) -> None:
    open_page(page, unpacked, CHAPTER)
    assert page.locator("article h1").inner_text().startswith("Leaky integration")
    assert "Recurrence Serif" in page.locator("article p").first.evaluate("node => getComputedStyle(node).fontFamily")
    loaded = page.evaluate("[...document.fonts].filter(face => face.status === 'loaded').map(face => face.family)")
    assert {"Recurrence Serif", "KaTeX_Main"} <= {family.strip('"') for family in loaded}
    pictures = page.locator("article img:visible")
    assert pictures.count() > 0
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
    page.wait_for_function(
        "[...document.querySelectorAll('article img')].every(one => !one.offsetParent || one.complete)"
    )
    assert pictures.evaluate_all("all => all.filter(one => one.naturalWidth === 0).map(one => one.src)") == []


def test_flipbooks_slide_without_a_server(page: Page, unpacked: Path) -> None:
    open_page(page, unpacked, CHAPTER)
    book = page.locator(".flipbook").first
    slider = book.locator("input[type=range]").first
    slider.scroll_into_view_if_needed()
    before, said = book.locator(".figure-pair").inner_html(), slider.get_attribute("aria-valuetext")
    slider.focus()
    slider.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.flipbook .figure-pair').innerHTML !== before", arg=before, timeout=10_000
    )
    assert slider.get_attribute("aria-valuetext") != said


def test_the_theme_switches_without_a_server(page: Page, unpacked: Path) -> None:
    open_page(page, unpacked, CHAPTER)
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(paper)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    for _ in range(3):  # light, dark, as the system has it
        page.locator("button.theme-switch-button:visible").first.click()
        if page.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    page.wait_for_function(f"before => {paper} !== before", arg=before, timeout=5_000)


def test_search_finds_and_links_lead_without_a_server(page: Page, unpacked: Path) -> None:
    open_page(page, unpacked, "search", "?q=leak")
    found = page.locator("#search-results li a", has_text="Leaky integration").first
    found.wait_for()
    found.click()
    page.wait_for_url("**/leaky_integration.html*")
    assert page.locator("article h1").is_visible()


def small_site(folder: Path) -> Path:
    (folder / "_static" / "pyodide").mkdir(parents=True)
    (folder / "_static" / "pyodide" / "big.wasm").write_bytes(b"big")
    (folder / "_static" / "options.js").write_text(
        "const A = {SHOW_SEARCH_SUMMARY: true, B:1}, C = {SHOW_SEARCH_SUMMARY:!0}"
    )
    head = '<link rel="stylesheet" href="a.css" />\n  <link rel="preload" as="font" href="a.woff2" crossorigin />'
    (folder / "index.html").write_text(f"<head>{head}</head><script>A={{SHOW_SEARCH_SUMMARY:true}}</script>")
    (folder / "404.html").write_text("lost")
    return folder


def contents(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as opened:
        return {item.filename: opened.read(item) for item in opened.infolist()}


def test_packing_takes_out_what_would_be_fetched(tmp_path: Path) -> None:
    packed = contents(pack_site.pack(small_site(tmp_path)))
    assert set(packed) == {"recurrence/index.html", "recurrence/_static/options.js"}
    assert packed["recurrence/index.html"] == (
        b'<head><link rel="stylesheet" href="a.css" /></head><script>A={SHOW_SEARCH_SUMMARY:false}</script>'
    )
    assert packed["recurrence/_static/options.js"].count(b"SHOW_SEARCH_SUMMARY") == 2
    assert b"true" not in packed["recurrence/_static/options.js"]
    assert b"!0" not in packed["recurrence/_static/options.js"]


def test_packing_follows_the_site_and_gives_the_same_bytes(tmp_path: Path) -> None:
    archive = pack_site.pack(small_site(tmp_path))
    first = archive.read_bytes()
    archive.unlink()
    assert pack_site.pack(tmp_path).read_bytes() == first
    stamp = archive.stat().st_mtime_ns
    pack_site.pack(tmp_path)
    assert archive.stat().st_mtime_ns == stamp, "nothing had changed"
    (tmp_path / "more.html").write_text("more")
    assert "recurrence/more.html" in contents(pack_site.pack(tmp_path))
    (tmp_path / "more.html").unlink()
    assert "recurrence/more.html" not in contents(pack_site.pack(tmp_path))
