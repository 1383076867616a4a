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
    broken = []
    followed = 0
    for page, anchors in pages.items():
        if page == "404.html":  # its links are absolute, because it stands in for any address
            continue
        for address in anchors.addresses:
            if urlsplit(address).scheme or address.startswith("//"):
                continue
            target, fragment = urldefrag(urljoin(f"/{page}", address))
            target = unquote(urlsplit(target).path).lstrip("/")
            target = target + "index.html" if target == "" or target.endswith("/") else target
            followed += 1
            if not (site / target).exists():
                broken.append(f"{page}: {address}")
            elif fragment and target in pages and unquote(fragment) not in pages[target].ids:
                broken.append(f"{page}: {address} (no such anchor)")
    assert followed > 100
    assert broken == []


def test_edit_and_launch_links_follow_one_repository(site: Path, pages: dict[str, Anchors]) -> None:
    """All point at one repository, and the files they name exist in it."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    edit = re.compile(r"^(https://\S+?)/edit/[^/]+/(book/\S+\.md)$")
    launch = re.compile(r"^https://mybinder\.org/v2/\w+/\S+?\?urlpath=lab/tree/(book/\S+\.md)$")
    repositories, files = set(), set()
    for anchors in pages.values():
        for address in anchors.addresses:
            if match := edit.match(address):
                repositories.add(match[1])
                files.add(match[2])
            elif match := launch.match(address):
                files.add(match[1])
    assert len(repositories) == 1
    assert "book/neurons/leaky_integration.md" in files
    assert [file for file in files if not (ROOT / file).exists()] == []
    assert config["repository"]["path_to_book"] == "book"
