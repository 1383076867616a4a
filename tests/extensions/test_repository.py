"""Links follow the repository a site is built from, and the default stands where nothing is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from recurrence_book import repository

DEFAULT = "https://github.com/recurrence-book/recurrence"


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/anna/recurrence.git", "https://github.com/anna/recurrence"),
        ("https://github.com/anna/recurrence", "https://github.com/anna/recurrence"),
        ("https://token@github.com/anna/recurrence.git\n", "https://github.com/anna/recurrence"),
        ("git@github.com:anna/my.book.git", "https://github.com/anna/my.book"),
        ("ssh://git@gitlab.com/anna/recurrence.git", "https://gitlab.com/anna/recurrence"),
        ("/srv/git/recurrence.git", None),
        ("https://example.org/anna/recurrence.git", None),
        ("", None),
    ],
)
def test_address_from_remote(remote: str, address: str | None) -> None:
    assert repository.address_from_remote(remote) == address


def test_address_from_environment() -> None:
    environment = {"GITHUB_REPOSITORY": "anna/recurrence", "GITHUB_SERVER_URL": "https://github.com"}
    assert repository.address_from_environment(environment) == "https://github.com/anna/recurrence"
    assert repository.address_from_environment({}) is None


@pytest.mark.parametrize(
    ("address", "pages"),
    [
        ("https://github.com/Anna/recurrence", "https://anna.github.io/recurrence/"),
        ("https://github.com/anna/anna.github.io", "https://anna.github.io/"),
        ("https://gitlab.com/anna/recurrence", None),
    ],
)
def test_pages_address(address: str, pages: str | None) -> None:
    assert repository.pages_address(address) == pages


def settings() -> Any:
    options = {"repository_url": DEFAULT, "repository_branch": "main"}
    return SimpleNamespace(html_theme_options=options, html_baseurl="https://recurrence-book.github.io/recurrence/")


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_REPOSITORY", "GITHUB_SERVER_URL", "GITHUB_REF", "GITHUB_REF_NAME", "RECURRENCE_SITE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(repository, "git_remote", lambda folder: "")


def test_default_stands(nowhere: None) -> None:
    config = settings()
    repository.follow_repository(SimpleNamespace(srcdir="."), config)  # type: ignore[arg-type]
    assert config.html_theme_options == settings().html_theme_options
    assert config.html_baseurl == settings().html_baseurl


def test_fork_is_followed(nowhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "anna/book")
    monkeypatch.setenv("GITHUB_REF", "refs/heads/drafts")
    monkeypatch.setenv("GITHUB_REF_NAME", "drafts")
    config = settings()
    repository.follow_repository(SimpleNamespace(srcdir="."), config)  # type: ignore[arg-type]
    assert config.html_theme_options == {
        "repository_url": "https://github.com/anna/book",
        "repository_branch": "drafts",
    }
    assert config.html_baseurl == "https://anna.github.io/book/"
    assert config.notfound_urls_prefix == "/book/"


def test_site_address_of_the_workflow_wins(nowhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCE_SITE_URL", "https://book.example.org")
    config = settings()
    repository.follow_repository(SimpleNamespace(srcdir="."), config)  # type: ignore[arg-type]
    assert config.html_baseurl == "https://book.example.org/"
    assert config.notfound_urls_prefix == "/"


def test_a_pull_request_is_no_branch_to_edit(nowhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "anna/book")
    monkeypatch.setenv("GITHUB_REF", "refs/pull/7/merge")
    monkeypatch.setenv("GITHUB_REF_NAME", "7/merge")
    config = settings()
    repository.follow_repository(SimpleNamespace(srcdir="."), config)  # type: ignore[arg-type]
    assert config.html_theme_options["repository_branch"] == "main"
