"""The execution cache is left when, and only when, something changes that outputs depend on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recurrence_book import execution


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in {
        "code/recurrence/time.py": "x = 1",
        "code/recurrence/plots/style.mplstyle": "y",
        "requirements/dev.txt": "numpy==2",
        "book/index.md": "# Title",
        "book/_extensions/recurrence_book/pages.py": "z",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "executes_again", "reads_again"),
    [
        ("code/recurrence/time.py", True, False),
        ("code/recurrence/plots/style.mplstyle", True, False),
        ("code/recurrence/new.py", True, False),
        ("requirements/dev.txt", True, False),
        ("book/_extensions/recurrence_book/pages.py", False, True),
        ("book/index.md", False, False),
        ("code/recurrence/__pycache__/time.pyc", False, False),
    ],
)
def test_what_a_change_invalidates(repository: Path, name: str, executes_again: bool, reads_again: bool) -> None:
    before = execution.execution_key(repository), execution.site_key(repository)
    path = repository / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("changed")
    after = execution.execution_key(repository), execution.site_key(repository)
    assert (before[0] != after[0], before[1] != after[1]) == (executes_again, reads_again)


def test_a_moved_file_counts_as_a_change(repository: Path) -> None:
    before = execution.execution_key(repository)
    (repository / "code/recurrence/time.py").rename(repository / "code/recurrence/times.py")
    assert execution.execution_key(repository) != before


def test_old_caches_are_pruned_and_the_current_one_never(tmp_path: Path) -> None:
    folders = [tmp_path / ".jupyter_cache" / f"{n:016x}" for n in range(8)]
    for age, folder in enumerate(folders):
        folder.mkdir(parents=True)
        os.utime(folder, (1e9 - age, 1e9 - age))
    current = folders[-1]  # the oldest, about to be used again
    execution.prune(tmp_path, current)
    left = set(current.parent.iterdir())
    assert current in left
    assert left == {current, *folders[: execution.KEPT_FOLDERS - 1]}
