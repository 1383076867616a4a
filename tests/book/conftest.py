"""The built site, served from this machine, and a real browser to look at it."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
# No sandbox: as root in a container Chromium has none to give. The rest keeps it from calling home.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update"]
FLAGS += ["--disable-background-networking", "--disable-sync"]


def find_chromium(playwright: Playwright) -> str | None:
    """Path of a Chromium: the one named by RECURRENCE_CHROMIUM, Playwright's own, or the system's."""
    candidates = [os.environ.get("RECURRENCE_CHROMIUM"), playwright.chromium.executable_path]
    candidates += [shutil.which(name) for name in PROGRAMS]
    candidates += PLACES
    return next((path for path in candidates if path and Path(path).exists()), None)


@pytest.fixture(scope="session")
def site() -> Path:
    if not (SITE / "index.html").exists():
        pytest.fail("The book is not built. 'nox -s tests' builds it first; or run 'nox -s book' yourself.")
    return SITE


class UnderPrefix(SimpleHTTPRequestHandler):
    """Serves the site where it will be published: below the path of its address, as GitHub Pages does."""

    prefix = "/"

    def do_GET(self) -> None:
        """Send fonts late to those who ask for it, as a slow line would: what then moves was laid out wrongly."""
        if self.path.endswith(".woff2") and self.headers.get("Late-Fonts"):
            time.sleep(0.3)
        with suppress(ConnectionError):  # a page that is closed takes no more
            super().do_GET()

    def translate_path(self, path: str) -> str:
        return super().translate_path("/" + path.removeprefix(self.prefix))

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Address of the site, without a slash at its end, served on a free port."""
    published = re.search(r"<loc>([^<\s]*?/)index\.html</loc>", (site / "sitemap.xml").read_text("utf-8"))
    assert published, "the sitemap names no front page"
    UnderPrefix.prefix = urlsplit(published[1]).path
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(UnderPrefix, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{UnderPrefix.prefix.rstrip('/')}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            message = (
                "No Chromium was found, so the pages were not looked at. Install one ('apt install chromium', "
                "'brew install --cask chromium', or Chrome itself), or run 'playwright install chromium', "
                "or name one in RECURRENCE_CHROMIUM."
            )
            if os.environ.get("RECURRENCE_REQUIRE_BROWSER") == "1":
                pytest.fail(message)
            pytest.skip(message)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
