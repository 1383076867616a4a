"""The built site, served from this machine, and a real browser to look at it."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, TimeoutError, sync_playwright
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
# Those of the table of contents, those that Sphinx adds, and of the pages of source code, all alike, one with classes.
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
PAGES += ["search", "genindex", "py-modindex", "404", "_modules/index", "_modules/recurrence/train"]
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


# A moment after the page has changed its width, the theme's script makes code that now scrolls a stop of the Tab key.
REACHED = """() => [...document.querySelectorAll("pre")].every(
    pre => pre.scrollWidth <= pre.clientWidth || pre.tabIndex === 0 || !pre.checkVisibility())"""


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


@pytest.fixture(scope="session")
def violations() -> Callable[[Page], list[str]]:
    """What axe-core finds on a page: all rules that are on by default, best practices among them, anywhere."""

    def find(page: Page) -> list[str]:
        # A button fades from one theme's colour to the other's, and is pale on its way.
        page.wait_for_function("document.getAnimations().every(each => each.playState !== 'running')")
        with suppress(TimeoutError):
            page.wait_for_function(REACHED, timeout=1_000)
        if page.evaluate("typeof axe === 'undefined'"):
            page.evaluate(AXE.read_text("utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert found["passes"], "no rule was applied"
        return [f"{rule['id']}: {node['html']}" for rule in found["violations"] for node in rule["nodes"]]

    return find


@dataclass
class Visit:
    """One page, open in the browser. It stays open while all tests that look at it are run, one after the other."""

    name: str
    page: Page
    chapter: bool
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def show(self, width: int, theme: Literal["light", "dark"], unfolded: bool) -> Page:
        """The page as wide as that, in that theme, and all that can be folded open or folded."""
        self.page.set_viewport_size({"width": width, "height": 800})
        self.page.emulate_media(color_scheme=theme)
        self.page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
        self.page.evaluate(FOLD, unfolded)
        # A button fades from one theme's colour to the other's, and is pale on its way.
        self.page.wait_for_function("document.getAnimations().every(each => each.playState !== 'running')")
        with suppress(TimeoutError):
            self.page.wait_for_function(REACHED, timeout=1_000)
        return self.page


FOLD = """unfolded => {
    for (const details of document.querySelectorAll("details")) details.open = unfolded;
}"""


def scroll_through(page: Page) -> None:
    """Bring every part of the page near once, so that what loads late has loaded."""
    page.evaluate(
        """async () => {
            for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight / 2) {
                scrollTo({top: y, behavior: "instant"});
                await new Promise(resolve => setTimeout(resolve, 30));
            }
            scrollTo({top: 0, behavior: "instant"});
        }"""
    )
    page.wait_for_load_state("networkidle")


def is_chapter(name: str) -> bool:
    """Whether a page is a chapter: its front matter then says when it was finished."""
    source = ROOT / "book" / f"{name}.md"
    return source.exists() and "\ndate:" in source.read_text("utf-8").split("\n---\n")[0]


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One profile for all visits, so that style sheets and scripts come from its cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    yield context
    context.close()


@pytest.fixture(scope="session", params=PAGES)
def visit(request: pytest.FixtureRequest, context: BrowserContext, address: str) -> Iterator[Visit]:
    """A page, scrolled through once, with what went wrong. Tests of one page follow each other, so one visit does."""
    visit = Visit(request.param, context.new_page(), is_chapter(request.param))
    page, problems = visit.page, visit.problems
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda failed: problems.append(f"failed: {failed.url}"))
    page.on("response", lambda got: problems.append(f"{got.status}: {got.url}") if got.status >= 400 else None)
    page.on("request", lambda asked: visit.requests.append(asked.url))
    page.goto(f"{address}/{visit.name}.html", wait_until="networkidle")
    scroll_through(page)
    yield visit
    page.close()
