"""Where executed chapters are cached, and when the cache and the pages made from it are out of date.

A chapter's outputs depend on its own cells, on the package they import, on the locked versions of everything
else, and on the Python that runs them. The cache that Jupyter Book uses looks at the cells alone. So it
gets one folder per digest of all the rest, and that digest is also a Sphinx setting: when it
changes, Sphinx reads every page again.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).resolve().parents[3]
KEPT_FOLDERS = 4  # enough to switch between a few branches without executing everything again


def digest(root: Path, patterns: Iterable[str], *more: str) -> str:
    """Hash of the names and contents of all files below `root` that match the patterns, and of `more`."""
    total = hashlib.sha256(repr(more).encode())
    for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
        if path.is_file() and "__pycache__" not in path.parts:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    return total.hexdigest()[:16]


def execution_key(root: Path = ROOT) -> str:
    """Digest of what the outputs of a page depend on, its own cells aside."""
    python = "{}.{}".format(*sys.version_info)
    return digest(root, ["code/**/*", "requirements/dev.txt"], python)


def site_key(root: Path = ROOT) -> str:
    """Digest of what the pages depend on beside their sources and outputs: extensions, style sheets and scripts."""
    return digest(
        root, ["book/_extensions/**/*.py", "book/_extensions/**/*.js", "book/_static/*.css", "book/_static/*.js"]
    )


def cache_folder(build: Path, root: Path = ROOT) -> Path:
    """Folder of executed chapters that fit the package, the lock file and the Python in use."""
    return build / ".jupyter_cache" / execution_key(root)


def prune(build: Path, current: Path) -> None:
    """Remove all but the most recently used cache folders."""
    current.mkdir(parents=True, exist_ok=True)
    current.touch()
    folders = sorted(
        (path for path in current.parent.iterdir() if path.is_dir()),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for folder in folders[KEPT_FOLDERS:]:
        if folder != current:
            shutil.rmtree(folder)


def set_keys(app: Sphinx, config: Config) -> None:
    config.recurrence_execution_key = execution_key()
    config.recurrence_site_key = site_key()
    config.nb_execution_cache_path = str(cache_folder(Path(app.outdir).parent))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("recurrence_execution_key", "", "env", str)
    app.add_config_value("recurrence_site_key", "", "env", str)
    app.connect("config-inited", set_keys)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
