"""Pack the built site into one file that a reader can unpack and open without a network or a server.

A page opened from the file system may not fetch anything, so two things are taken out on the way: fonts asked for
ahead of their style sheet, and the lines of text that a search shows below each page it finds. The same site gives the
same bytes.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

NAME = "recurrence.zip"
FOLDER = "recurrence"
# For servers and robots, or of no use without a network.
LEFT_OUT = re.compile(
    r"^(?:\.buildinfo|404\.html|sitemap\.xml|robots\.txt|_static/(?:pyodide|thebe)/.*|_runner/.*|.*\.zip)$"
)
EARLY_FONT = re.compile(rb'\s*<link (?=[^>]*rel="preload")(?=[^>]*as="font")[^>]*>')
SUMMARIES = re.compile(rb"(SHOW_SEARCH_SUMMARY:\s*)(?:true|!0)")
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first date that the format knows


def without_fetching(name: str, content: bytes) -> bytes:
    """Take out of a file what a browser refuses to do for a page from the file system."""
    if name.endswith(".html"):
        content = EARLY_FONT.sub(b"", content)
    if name.endswith((".html", ".js")):
        return SUMMARIES.sub(rb"\1false", content)
    return content


def pack(site: Path) -> Path:
    """Write the archive into the site, unless the one there is newer than everything else."""
    archive = site / NAME
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file())
    kept = [name for name in names if not LEFT_OUT.match(name)]
    if archive.exists():
        made = archive.stat().st_mtime_ns
        with zipfile.ZipFile(archive) as there:
            same = {item.filename for item in there.infolist()} == {f"{FOLDER}/{name}" for name in kept}
        if same and all((site / name).stat().st_mtime_ns < made for name in kept):
            return archive
    unfinished = archive.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made_now:
        for name in kept:
            item = zipfile.ZipInfo(f"{FOLDER}/{name}", LONG_AGO)
            item.compress_type, item.create_system, item.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            made_now.writestr(item, without_fetching(name, (site / name).read_bytes()))
    unfinished.replace(archive)  # so that a build that is stopped leaves no half of it
    return archive
