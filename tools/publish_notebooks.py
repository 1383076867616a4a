"""Put the generated notebooks on a branch of their own, from which Colab and Binder open them.

    python tools/publish_notebooks.py    # in the workflow that publishes the site

The branch holds one commit, made anew each time: nothing of it is worth a history. The same notebooks from the same
commit give the same bytes, so that publishing them again changes nothing.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "_build" / "notebooks"
BRANCH = "notebooks"
README = """# Notebooks

The chapters of the book as notebooks, for Colab and any Jupyter. A program makes them from the pages of the book at
each change of it and replaces all of them: to mend something, change the page on the main branch.

Made from commit {commit}.
"""


class PublishError(Exception):
    """The notebooks cannot be published; the message says why, in words for whoever reads the workflow's log."""


def git(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", **(variables or {})}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise PublishError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def credentials(token: str) -> dict[str, str]:
    """Hand git a token by its environment: on a command line every process of the machine could read it."""
    value = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    header = {"GIT_CONFIG_KEY_0": "http.extraheader", "GIT_CONFIG_VALUE_0": f"Authorization: Basic {value}"}
    return {"GIT_CONFIG_COUNT": "1", **header}


def commit_notebooks(notebooks: Path, folder: Path, commit: str, date: str) -> None:
    """Make a repository of one commit that holds the notebooks and says where they come from."""
    paths = sorted(path for path in notebooks.rglob("*") if path.is_file())
    if not any(path.suffix == ".ipynb" for path in paths):
        raise PublishError("There are no notebooks to publish: run 'nox -s book', which makes them.")
    git(folder, "init", "--quiet", f"--initial-branch={BRANCH}")
    for path in paths:
        target = folder / path.relative_to(notebooks)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (folder / "README.md").write_text(README.format(commit=commit), "utf-8", newline="\n")
    git(folder, "add", "--all")
    # The address that GitHub keeps for its own programs, and the date of the commit that they are made from.
    name, mail = "github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com"
    who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in
           (("NAME", name), ("EMAIL", mail), ("DATE", date))}  # fmt: skip
    message = f"Notebooks of the book at {commit}"
    git(folder, "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", message, variables=who)


def publish(notebooks: Path, remote: str, commit: str, date: str, variables: Mapping[str, str]) -> bool:
    """Replace the branch of the remote; False if it has the same notebooks already."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commit_notebooks(notebooks, folder, commit, date)
        there = git(folder, "ls-remote", remote, f"refs/heads/{BRANCH}", variables=variables).split()
        if there and there[0] == git(folder, "rev-parse", "HEAD"):
            return False
        git(folder, "push", "--quiet", "--force", remote, f"HEAD:refs/heads/{BRANCH}", variables=variables)
    return True


def main() -> int:
    repository, token = os.environ.get("GITHUB_REPOSITORY"), os.environ.get("GITHUB_TOKEN")
    if not repository or not token:
        print("GITHUB_REPOSITORY and GITHUB_TOKEN say where to: only a workflow publishes notebooks.", file=sys.stderr)
        return 1
    try:
        commit = git(ROOT, "rev-parse", "HEAD")
        date = git(ROOT, "show", "--no-patch", "--format=%cI", "HEAD")
        remote = f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}.git"
        changed = publish(NOTEBOOKS, remote, commit, date, credentials(token))
    except PublishError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The notebooks are on branch {BRANCH}." if changed else "The branch has these notebooks already.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
