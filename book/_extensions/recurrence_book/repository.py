"""Edit, report and launch links that follow the repository the site is built from.

`_config.yml` holds the default address. A build in a GitHub workflow, or in a clone whose remote `origin` is on a
known host, uses that repository instead, so that a fork's pages point at the fork without any edit.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.application import Sphinx
from sphinx.config import Config

REMOTE = re.compile(
    r"^(?:https://(?:[^@/]+@)?|git@|ssh://git@)(?P<host>github\.com|gitlab\.com)[:/]"
    r"(?P<path>[\w.-]+/[\w.-]+?)(?:\.git)?/?$"
)


def address_from_remote(remote: str) -> str | None:
    """Web address of a repository given its git remote, or None where the host is not one we know."""
    match = REMOTE.match(remote.strip())
    return f"https://{match['host']}/{match['path']}" if match else None


def address_from_environment(environment: Mapping[str, str]) -> str | None:
    """Web address of the repository whose GitHub workflow is running, or None outside one."""
    name = environment.get("GITHUB_REPOSITORY")
    if not name:
        return None
    return f"{environment.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}"


def git_remote(folder: Path) -> str:
    """Address of the remote `origin`, empty where there is none or no git."""
    try:
        command = ["git", "-C", str(folder), "config", "--get", "remote.origin.url"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def pages_address(repository: str) -> str | None:
    """Where GitHub Pages publishes a repository; None for other hosts."""
    match = re.match(r"^https://github\.com/([\w.-]+)/([\w.-]+)$", repository)
    if not match:
        return None
    owner, name = match[1].lower(), match[2]
    root = f"https://{owner}.github.io/"
    return root if name.lower() == f"{owner}.github.io" else f"{root}{name}/"


def follow_repository(app: Sphinx, config: Config) -> None:
    options = config.html_theme_options
    found = address_from_environment(os.environ) or address_from_remote(git_remote(Path(app.srcdir)))
    if found and found != options["repository_url"]:
        options["repository_url"] = found
        config.html_baseurl = pages_address(found) or config.html_baseurl
    # The workflow that publishes the site knows its address better than any rule.
    if site := os.environ.get("RECURRENCE_SITE_URL"):
        config.html_baseurl = site.rstrip("/") + "/"
    # A pull request's reference is no branch that anybody could edit.
    if os.environ.get("GITHUB_REF", "").startswith("refs/heads/"):
        options["repository_branch"] = os.environ["GITHUB_REF_NAME"]
    # The page shown for a wrong address cannot know how deep that address is: its links start at the site's root.
    config.notfound_urls_prefix = urlsplit(config.html_baseurl).path


def setup(app: Sphinx) -> dict[str, bool]:
    # Before the theme and the extensions that read these settings.
    app.connect("config-inited", follow_repository, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
