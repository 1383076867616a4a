"""What the built site says of itself elsewhere: its feed by the rules of RFC 4287, and a link preview of every page."""

from __future__ import annotations

import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import pytest
from PIL import Image
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
HEADS = {name: (ROOT / "book" / f"{name}.md").read_text("utf-8").split("\n---\n")[0] for name in PAGES}
DATED = [name for name, head in HEADS.items() if "\ndate:" in head]
ATOM = "{http://www.w3.org/2005/Atom}"
# RFC 3339, section 5.6.
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class Head(HTMLParser):
    """The meta and link elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.meta: dict[str, list[str]] = {}
        self.links: list[dict[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "meta":
            self.meta.setdefault(said.get("property") or said.get("name", ""), []).append(said.get("content", ""))
        if tag == "link":
            self.links.append(said)


@pytest.fixture(scope="module")
def base(site: Path) -> str:
    """Where the site will be published, as its front page says."""
    (address,) = Head((site / "index.html").read_text("utf-8")).meta["og:url"]
    return address.removesuffix("index.html")


@pytest.fixture(scope="module")
def feed(site: Path) -> ElementTree.Element:
    return ElementTree.parse(site / "feed.xml").getroot()


def one(parent: ElementTree.Element, tag: str) -> str:
    (child,) = parent.findall(f"{ATOM}{tag}")
    assert child.text
    assert child.text.strip()
    return child.text


def links(parent: ElementTree.Element, rel: str) -> list[ElementTree.Element]:
    # 4.2.7.2: a link that names no relation is an alternate.
    return [link for link in parent.findall(f"{ATOM}link") if link.get("rel", "alternate") == rel]


def test_feed_keeps_the_rules(feed: ElementTree.Element, base: str) -> None:
    """Numbers are those of the sections of RFC 4287."""
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    assert entries
    for parent in (feed, *entries):
        # 4.1.1, 4.1.2: one id, title and updated each; ids are absolute and differ; dates as in RFC 3339 (3.3).
        assert urlsplit(one(parent, "id")).scheme
        assert one(parent, "title")
        assert MOMENT.fullmatch(one(parent, "updated"))
        # 4.1.1: not two alternates of one type and language.
        kinds = [(link.get("type"), link.get("hreflang")) for link in links(parent, "alternate")]
        assert len(kinds) == len(set(kinds))
        for link in parent.findall(f"{ATOM}link"):
            assert link.get("href", "").startswith(base)
    ids = [one(entry, "id") for entry in entries]
    assert len(set(ids)) == len(ids)
    # 4.1.1: a feed should have a link to itself.
    assert [link.get("href") for link in links(feed, "self")] == [f"{base}feed.xml"]
    for entry in entries:
        # 4.1.2: an entry without content has an alternate; authors in all entries if the feed has none.
        assert len(links(entry, "alternate")) == 1
        assert all(one(author, "name") for author in entry.findall(f"{ATOM}author"))
        assert feed.findall(f"{ATOM}author") or entry.findall(f"{ATOM}author")
        assert one(entry, "summary")
        assert datetime.fromisoformat(one(entry, "published")) <= datetime.fromisoformat(one(entry, "updated"))
        assert all(category.get("term") for category in entry.findall(f"{ATOM}category"))
    assert one(feed, "updated") == max(one(entry, "updated") for entry in entries)
    published = [one(entry, "published") for entry in entries]
    assert published == sorted(published, reverse=True)


def test_feed_holds_every_dated_page(feed: ElementTree.Element, base: str, site: Path) -> None:
    found = [links(entry, "alternate")[0].get("href", "") for entry in feed.findall(f"{ATOM}entry")]
    assert sorted(found) == sorted(f"{base}{name}.html" for name in DATED)
    assert all((site / address.removeprefix(base)).exists() for address in found)


@pytest.mark.parametrize("name", [*PAGES, "search", "genindex", "404"])
def test_every_page_leads_to_the_feed(site: Path, base: str, name: str) -> None:
    head = Head((site / f"{name}.html").read_text("utf-8"))
    (link,) = [link for link in head.links if link.get("type") == "application/atom+xml"]
    assert link["rel"] == "alternate"
    assert urljoin(f"{base}{name}.html", link["href"]) == f"{base}feed.xml"


@pytest.mark.parametrize("name", PAGES)
def test_a_link_to_a_page_shows_what_it_is(site: Path, base: str, name: str) -> None:
    meta = Head((site / f"{name}.html").read_text("utf-8")).meta
    wanted = ("title", "type", "url", "site_name", "description", "image", "image:alt", "image:width", "image:height")
    said = {key: meta[f"og:{key}"][0] for key in wanted}
    assert all(len(meta[f"og:{key}"]) == 1 for key in wanted)
    assert all(said.values())
    assert said["url"] == f"{base}{name}.html"
    assert said["site_name"] == "Recurrence"
    assert [said["description"]] == meta["description"]
    assert meta["twitter:card"] == ["summary_large_image"]
    assert len(said["image:alt"].split()) >= 5
    assert said["image"].startswith(base)
    with Image.open(site / said["image"].removeprefix(base)) as image:
        assert image.format == "PNG"
        assert image.size == (1200, 630) == (int(said["image:width"]), int(said["image:height"]))
    assert (site / said["image"].removeprefix(base)).stat().st_size < 300_000


def test_chapters_have_pictures_of_their_own(site: Path) -> None:
    pictures = [Head((site / f"{name}.html").read_text("utf-8")).meta["og:image"][0] for name in DATED]
    assert len(set(pictures)) == len(pictures) > 1
