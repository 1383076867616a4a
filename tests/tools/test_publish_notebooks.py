"""The branch of the notebooks holds what was built, nothing older, and is left alone where nothing has changed."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

import publish_notebooks as tool
from recurrence_book.ways import BRANCH

COMMIT, DATE = "c0ffee", "2026-11-21T12:00:00+00:00"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    folder = tmp_path / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True)
    return folder


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    folder = tmp_path / "notebooks"
    (folder / "basics").mkdir(parents=True)
    (folder / "basics" / "neuron.ipynb").write_text("{}\n")
    return folder


def show(remote: Path, *arguments: str) -> str:
    command = ["git", "-C", str(remote), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_branch_is_the_one_that_pages_link_to() -> None:
    assert tool.BRANCH == BRANCH


def test_notebooks_are_published_and_replaced(remote: Path, notebooks: Path) -> None:
    assert tool.publish(notebooks, str(remote), COMMIT, DATE, {})
    assert show(remote, "ls-tree", "-r", "--name-only", BRANCH).split() == ["README.md", "basics/neuron.ipynb"]
    assert f"Made from commit {COMMIT}." in show(remote, "show", f"{BRANCH}:README.md")
    (notebooks / "basics" / "neuron.ipynb").rename(notebooks / "basics" / "network.ipynb")
    assert tool.publish(notebooks, str(remote), COMMIT, DATE, {})
    assert show(remote, "ls-tree", "-r", "--name-only", BRANCH).split() == ["README.md", "basics/network.ipynb"]
    assert show(remote, "rev-list", "--count", BRANCH) == "1"


def test_what_is_there_is_not_published_again(remote: Path, notebooks: Path) -> None:
    assert tool.publish(notebooks, str(remote), COMMIT, DATE, {})
    before = show(remote, "rev-parse", BRANCH)
    assert not tool.publish(notebooks, str(remote), COMMIT, DATE, {})
    assert show(remote, "rev-parse", BRANCH) == before


def test_no_notebooks_and_no_remote_are_said_plainly(tmp_path: Path, notebooks: Path) -> None:
    with pytest.raises(tool.PublishError, match="no notebooks to publish: run 'nox -s book'"):
        tool.publish(tmp_path / "none", "nowhere", COMMIT, DATE, {})
    with pytest.raises(tool.PublishError, match="git ls-remote failed"):
        tool.publish(notebooks, str(tmp_path / "nowhere.git"), COMMIT, DATE, {})


def test_outside_a_workflow_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert tool.main() == 1
    assert "only a workflow publishes notebooks" in capsys.readouterr().err


def test_the_token_reaches_git_as_a_header() -> None:
    given = tool.credentials("secret")
    assert given["GIT_CONFIG_COUNT"] == "1"
    encoded = given["GIT_CONFIG_VALUE_0"].removeprefix("Authorization: Basic ")
    assert base64.b64decode(encoded) == b"x-access-token:secret"
