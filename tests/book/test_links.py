"""Links between the built pages, and out of them to the repository, lead where they say."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


class Anchors(HTMLParser):
    """The ids of a page and the addresses it refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id":
                self.ids.append(value)
            elif name in {"href", "src"}:
                self.addresses.append(value)


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[str, Anchors]:
    found = {}
    for path in site.rglob("*.html"):
        relative = path.relative_to(site).as_posix()
        if relative.startswith(("_static/", "_sources/")):
            continue
        found[relative] = Anchors()
        found[relative].feed(path.read_text("utf-8"))
    return found


def test_internal_links_and_anchors_resolve(site: Path, pages: dict[str, Anchors]) -> None:
    published = re.search(r"<loc>([^<\s]*?/)index\.html</loc>", (site / "sitemap.xml").read_text("utf-8"))
    assert published, "the sitemap names no front page"
    prefix = urlsplit(published[1]).path
    broken = []
    followed = 0
    for page, anchors in pages.items():
        for address in anchors.addresses:
            if urlsplit(address).scheme or address.startswith("//"):
                continue
            # The page on errors stands in for any address, so that only whole addresses lead anywhere from it.
            if page == "404.html" and not address.startswith(("#", prefix)):
                broken.append(f"{page}: {address}")
                continue
            target, fragment = urldefrag(urljoin(f"{prefix}{page}", address))
            target = unquote(urlsplit(target).path).removeprefix(prefix)
            target = target + "index.html" if target == "" or target.endswith("/") else target
            followed += 1
            if not (site / target).exists():
                broken.append(f"{page}: {address}")
            elif fragment and target in pages and unquote(fragment) not in pages[target].ids:
                broken.append(f"{page}: {address} (no such anchor)")
    assert followed > 100
    assert broken == []


def test_references_to_equations_show_their_numbers(site: Path) -> None:
    """Each shows in parentheses the number that stands beside the formula it leads to."""
    formula = re.compile(r'<span class="eqno">(\(\d+\))<a class="headerlink" href="#(equation-[^"]+)"')
    reference = re.compile(r'<a class="reference internal" href="([^"#]*)#(equation-[^"]+)">(.*?)</a>', re.S)
    texts = {path.relative_to(site).as_posix(): path.read_text("utf-8") for path in site.rglob("*.html")}
    numbers = {(page, name): number for page, text in texts.items() for number, name in formula.findall(text)}
    wrong, seen = [], 0
    for page, text in texts.items():
        for address, name, shown in reference.findall(text):
            target = urljoin(f"/{page}", address).lstrip("/") if address else page
            seen += 1
            if re.sub(r"<[^>]+>", "", shown) != numbers.get((target, name)):
                wrong.append(f"{page}: {shown} for {target}#{name}, {numbers.get((target, name))}")
    assert seen > 20
    assert wrong == []


def test_edit_and_launch_links_follow_one_repository(site: Path, pages: dict[str, Anchors]) -> None:
    """All point at one repository, and the files they name exist in it."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    edit = re.compile(r"^(https://\S+?)/edit/[^/]+/(book/\S+\.md)$")
    launch = re.compile(r"^https://mybinder\.org/v2/gh/\S+?/notebooks\?urlpath=lab/tree/(\S+)\.ipynb$")
    repositories, files = set(), set()
    for anchors in pages.values():
        for address in anchors.addresses:
            if match := edit.match(address):
                repositories.add(match[1])
                files.add(match[2])
            elif match := launch.match(address):
                files.add(f"book/{match[1]}.md")
    assert len(repositories) == 1
    assert "book/neurons/leaky_integration.md" in files
    assert [file for file in files if not (ROOT / file).exists()] == []
    assert config["repository"]["path_to_book"] == "book"
