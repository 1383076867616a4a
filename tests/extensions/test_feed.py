"""The feed keeps the rules of RFC 4287, and front matter is read as it is meant."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from recurrence_book import feed as fd
from recurrence_book.feed import Post

SITE = "https://anna.github.io/book/"
IDENTITY = "tag:example.org,2026:"


def post(name: str, published: str, updated: str | None = None, **more: Any) -> Post:
    said: dict[str, Any] = {"title": f"About {name} & more", "description": "Less < more.", "authors": ("Anna", "Bo")}
    said |= {"tags": ("one", "two"), **more}
    day = date.fromisoformat(published)
    return Post(name=name, published=day, updated=date.fromisoformat(updated) if updated else day, **said)


def test_feed_says_what_the_posts_say() -> None:
    entries = [post("b/new", "2026-12-01"), post("a/old", "2026-11-02", "2026-12-24")]
    root = ElementTree.fromstring(fd.feed("Book", "A book.", SITE, IDENTITY, entries).encode())
    atom = {"a": fd.ATOM}
    assert root.findtext("a:updated", namespaces=atom) == "2026-12-24T00:00:00Z"
    assert [entry.findtext("a:id", namespaces=atom) for entry in root.findall("a:entry", atom)] == [
        "tag:example.org,2026:b/new",
        "tag:example.org,2026:a/old",
    ]
    entry = root.findall("a:entry", atom)[1]
    assert entry.findtext("a:title", namespaces=atom) == "About a/old & more"
    assert entry.findtext("a:published", namespaces=atom) == "2026-11-02T00:00:00Z"
    assert entry.findtext("a:summary", namespaces=atom) == "Less < more."
    assert [name.text for name in entry.findall("a:author/a:name", atom)] == ["Anna", "Bo"]
    assert [tag.get("term") for tag in entry.findall("a:category", atom)] == ["one", "two"]
    assert [link.get("href") for link in entry.findall("a:link", atom)] == [f"{SITE}a/old.html"]


def test_ids_stay_where_the_site_moves() -> None:
    entries = [post("a", "2026-11-02")]
    texts = [fd.feed("Book", "", site, IDENTITY, entries) for site in (SITE, "https://book.example.org/")]
    ids = [[one.text for one in ElementTree.fromstring(text).iter(f"{{{fd.ATOM}}}id")] for text in texts]
    assert ids[0] == ids[1] == ["tag:example.org,2026:feed", "tag:example.org,2026:a"]
    assert texts[0] != texts[1]


@pytest.fixture
def book(tmp_path: Path) -> Any:
    """An environment of four pages, as far as the posts ask for it."""
    pages = {
        "index": "# Front\n",
        "first": "---\ndate: 2026-11-21\nauthors: [{name: Anna}, Bo]\ntags: [a b]\ndescription: '1: 2'\n---\n# 1\n",
        "second": "---\ndate: '2026-11-21'\nupdated: 2026-11-30\n---\n# Second\n",
        "third": "---\ndate: 2026-11-22\n---\n# Third\n",
    }
    for name, text in pages.items():
        (tmp_path / f"{name}.md").write_text(text, "utf-8")
    return SimpleNamespace(
        doc2path=lambda name: str(tmp_path / f"{name}.md"),
        titles={name: SimpleNamespace(astext=lambda name=name: name.capitalize()) for name in pages},
        toctree_includes={"index": ["first", "second", "third"]},
        config=SimpleNamespace(root_doc="index", author="The authors"),
    )


def test_posts_are_the_dated_pages_newest_first(book: Any) -> None:
    found = fd.posts(book)
    # Of one day, the later chapter comes first.
    assert [one.name for one in found] == ["third", "second", "first"]
    assert found[2].authors == ("Anna", "Bo")
    assert found[2].description == "1: 2"
    assert found[2].tags == ("a b",)
    assert found[1].authors == ("The authors",)
    assert (found[1].published, found[1].updated) == (date(2026, 11, 21), date(2026, 11, 30))


def test_a_date_that_is_none_is_a_warning_at_its_page(book: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(book.doc2path("third")).write_text("---\ndate: yesterday\n---\n# Third\n", "utf-8")
    said: list[Any] = []
    monkeypatch.setattr(fd.logger, "warning", lambda *words, **where: said.append(where["location"]))
    assert [one.name for one in fd.posts(book)] == ["second", "first"]
    assert said == ["third"]


def test_lists_of_posts_are_read_again_when_pages_changed() -> None:
    env = SimpleNamespace(metadata={"index": {fd.LISTS_POSTS: True}, "first": {}})
    nothing: set[str] = set()
    assert fd.read_lists_again(None, env, nothing, nothing, nothing) == []  # type: ignore[arg-type]
    assert fd.read_lists_again(None, env, {"new"}, nothing, nothing) == ["index"]  # type: ignore[arg-type]
    assert fd.read_lists_again(None, env, nothing, {"first"}, nothing) == ["index"]  # type: ignore[arg-type]
    assert fd.read_lists_again(None, env, nothing, nothing, {"index"}) == []  # type: ignore[arg-type]
