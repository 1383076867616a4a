"""A chapter runs on a Jupyter server of the reader's own: connected by its form, run, changed, refused, let go."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import run_in_node

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = "neurons/leaky_integration"
STEP = 3  # the cell that prints the five numbers
FIGURE = 2  # the cell that draws the first figure
TOKEN = "a-token-for-this-test"
PATIENCE = 120_000  # ms: the machine may be busy with other tests
# To save time: the cells as far as the flipbook, and a quick one for the last, which the page does not show.
SHORTEN = """() => {
    const script = document.querySelector("div.run-page script[type='application/json']");
    const config = JSON.parse(script.textContent);
    config.cells = config.cells.filter(cell => cell.number <= 15 || !cell.id);
    config.cells.at(-1).source = "unseen = 'has run too'";
    script.textContent = JSON.stringify(config);
}"""

# RECURRENCE_PAGES=all runs every chapter, whole. For each change of the book one will do, which draws other things.
WHOLE = run_in_node.names() if os.environ.get("RECURRENCE_PAGES") == "all" else ["basics/backpropagation"]

# One process for all of them: they share the server and a page that has been run.
pytestmark = pytest.mark.xdist_group("own-server")


@dataclass
class Jupyter:
    """A server of the reader's own."""

    address: str
    process: subprocess.Popen[bytes]

    def answer(self, path: str) -> str:
        """What it answers to who has the token."""
        with urlopen(Request(f"{self.address}{path}", headers={"Authorization": f"token {TOKEN}"}), timeout=5) as got:
            return str(got.read().decode())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


@pytest.fixture(scope="module")
def jupyter(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A Jupyter server, started as the book says, that lets in pages of the site under test alone."""
    folder = tmp_path_factory.mktemp("jupyter")
    port = free_port()
    command = [sys.executable, "-m", "jupyter_server", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--ServerApp.allow_origin={origin_of(address)}", f"--IdentityProvider.token={TOKEN}"]
    command += ["--allow-root", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    paths = [str(ROOT / "code"), os.environ.get("PYTHONPATH", "")]
    own = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    environment = os.environ | own | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        server = Jupyter(f"http://127.0.0.1:{port}", process)
        for _ in range(300):
            try:
                server.answer("/api/status")
                break
            except URLError:
                assert process.poll() is None, (folder / "log").read_text("utf-8")
                time.sleep(0.1)
        yield server
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def connected(browser: Browser, address: str, jupyter: Jupyter) -> Iterator[Page]:
    """The chapter, all of whose cells have been run on the server."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    problems: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/{CHAPTER}.html", wait_until="networkidle")
    assert [url for url in asked if re.search(r"own_server/|thebe|codemirror|runner/", url)] == []
    page.evaluate(SHORTEN)
    page.evaluate("location.hash = '#own-server'")
    give(page, jupyter.address, TOKEN)
    expect(note(page)).to_have_text(re.compile(r"16 cells ran in [\d.]+ s on "), timeout=PATIENCE)
    yield page
    places = {origin_of(address), jupyter.address}
    assert {origin_of(url) for url in asked if url.startswith("http")} <= places, "something came from elsewhere"
    assert problems == []
    context.close()


def form(page: Page) -> Locator:
    return page.get_by_role("region", name="My Jupyter server")


def note(page: Page) -> Locator:
    return page.locator(".own-note")


def give(page: Page, server: str, token: str) -> None:
    """Fill in the form, and press its button."""
    form(page).get_by_label("Address").fill(server)
    form(page).get_by_label("Token").fill(token)
    form(page).get_by_role("button", name="Connect").click()


def cell(page: Page, number: int) -> Locator:
    return page.locator(f"#cell-{number}")


def press(page: Page, name: str, number: int) -> None:
    cell(page, number).get_by_role("button", name=f"{name} cell {number}", exact=True).click()


def write(page: Page, number: int, code: str) -> None:
    cell(page, number).locator(".cm-content").fill(code)


def shown(page: Page, number: int) -> Locator:
    return cell(page, number).locator(".run-output")


def test_cells_show_text_figures_and_flipbooks(connected: Page) -> None:
    assert shown(connected, STEP).inner_text().split() == ["0.5", "0.25", "0.125", "0.0625", "0.03125"]
    image = shown(connected, FIGURE).locator("img")
    assert image.count() == 1
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
    assert len(image.get_attribute("alt") or "") > 20
    assert shown(connected, FIGURE).locator("figcaption").count() == 1
    assert connected.locator("#fig-leaky-balance").count() == 1, "links to the figure lead nowhere"
    book = connected.locator(".run-output .flipbook[data-started]").first
    before = book.locator(".figure-pair").inner_html()
    book.get_by_role("slider").first.press("ArrowRight")
    connected.wait_for_function(
        "before => document.querySelector('.run-output .flipbook .figure-pair').innerHTML !== before", arg=before
    )
    assert connected.locator(".own-output img:not([alt])").count() == 0


@pytest.mark.parametrize("name", WHOLE)
def test_every_cell_of_a_page_runs(browser: Browser, address: str, jupyter: Jupyter, name: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    page.evaluate("location.hash = '#own-server'")
    give(page, jupyter.address, TOKEN)
    expect(note(page)).to_have_text(re.compile(r"\d+ cells ran in [\d.]+ s on "), timeout=PATIENCE)
    assert page.locator(".run-error").count() == 0
    page.get_by_role("button", name="Disconnect").click()
    page.close()


def test_only_one_of_both_ways_at_a_time(connected: Page) -> None:
    assert connected.get_by_role("button", name="Run this page").count() == 0
    assert connected.evaluate("'ownServer' in document.documentElement.dataset")
    # Nor does the menu start the other one.
    assert connected.locator(".run-start").is_disabled()


def test_token_is_kept_for_the_tab_alone(connected: Page, jupyter: Jupyter) -> None:
    kept = connected.evaluate("JSON.parse(sessionStorage.getItem('recurrence-own-server'))")
    assert kept == {"address": jupyter.address, "token": TOKEN}
    assert TOKEN not in connected.evaluate("JSON.stringify(localStorage) + document.cookie + location.href")


def test_a_changed_cell_runs_and_an_error_stops(connected: Page) -> None:
    write(connected, STEP, "print('unseen', unseen)")
    press(connected, "Run", STEP)
    expect(shown(connected, STEP)).to_have_text(re.compile("unseen has run too"))
    write(connected, STEP, "a = 0\nprint(1 / a)")
    press(connected, "Run", STEP)
    expect(note(connected)).to_contain_text(f"Cell {STEP} stopped with an error.")
    expect(shown(connected, STEP)).to_contain_text("ZeroDivisionError: division by zero")
    write(connected, STEP, "import recurrence.nowhere")
    press(connected, "Run", STEP)
    expect(note(connected)).to_contain_text(f"Cell {STEP} stopped with an error.")
    write(connected, STEP, "raise ModuleNotFoundError(\"No module named 'recurrence'\")")
    press(connected, "Run", STEP)
    expect(note(connected)).to_contain_text("does not have the book’s code")
    press(connected, "Reset", STEP)
    assert cell(connected, STEP).locator(".cell_output").inner_text().split()[:2] == ["0.5", "0.25"]


def test_stop_interrupts_and_keeps_what_was_computed(connected: Page) -> None:
    write(connected, STEP, "kept = 42\nimport time\nprint('begun', flush=True)\ntime.sleep(600)")
    press(connected, "Run", STEP)
    expect(shown(connected, STEP)).to_contain_text("begun")
    press(connected, "Stop", STEP)
    expect(shown(connected, STEP)).to_contain_text("KeyboardInterrupt")
    write(connected, STEP, "print('still', kept)")
    press(connected, "Run", STEP)
    expect(shown(connected, STEP)).to_contain_text("still 42")


def test_restart_forgets(connected: Page) -> None:
    connected.get_by_role("button", name="Restart Python").click()
    expect(note(connected)).to_contain_text("has started anew")
    write(connected, STEP, "print('kept' in globals(), 'plots' in globals())")
    press(connected, "Run", STEP)
    # What stands above has run again.
    expect(shown(connected, STEP)).to_contain_text("False True")


def test_python_that_dies_is_said_and_started_anew(connected: Page) -> None:
    write(connected, STEP, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    press(connected, "Run", STEP)
    expect(note(connected)).to_contain_text("Python on your server died", timeout=PATIENCE)
    write(connected, STEP, "print('alive', 'plots' in globals())")
    press(connected, "Run", STEP)
    expect(shown(connected, STEP)).to_contain_text("alive True", timeout=PATIENCE)


def test_the_panel_fits_a_phone(connected: Page) -> None:
    connected.set_viewport_size({"width": 360, "height": 740})
    assert connected.evaluate("document.documentElement.scrollWidth") <= 360
    connected.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_connected_page_breaks_no_rule(
    connected: Page, violations: Callable[[Page], list[str]], width: int, theme: str
) -> None:
    connected.set_viewport_size({"width": width, "height": 900})
    connected.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    assert violations(connected) == []
    connected.evaluate("document.documentElement.dataset.theme = 'light'")
    connected.set_viewport_size({"width": 1280, "height": 900})


def test_to_disconnect_ends_python_on_the_server(connected: Page, jupyter: Jupyter) -> None:
    assert jupyter.answer("/api/kernels") != "[]"
    connected.get_by_role("button", name="Disconnect").click()
    expect(note(connected)).to_contain_text("Disconnected")
    deadline = time.monotonic() + 20
    while jupyter.answer("/api/kernels") != "[]" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert jupyter.answer("/api/kernels") == "[]"
    assert connected.evaluate("sessionStorage.getItem('recurrence-own-server')") is None
    press(connected, "Run", STEP)
    expect(note(connected)).to_contain_text("No server is connected.")


# Where it cannot connect


@pytest.fixture(scope="module")
def reader(browser: Browser, address: str) -> Iterator[Page]:
    """A page with the form open, and what it printed kept in `window.printed`."""
    page = browser.new_page()
    page.goto(f"{address}/{CHAPTER}.html#own-server")
    expect(form(page)).to_be_visible()
    page.evaluate(f"window.printed = {OUTPUTS}")
    yield page
    page.close()


OUTPUTS = "[...document.querySelectorAll('div.cell')].map(cell => cell.innerHTML).join()"


def refused(page: Page, server: str, token: str) -> str:
    """What the form says to that; the page is as it was, and can be run in the other way."""
    give(page, server, token)
    expect(page.locator(".own-server.run-refused .own-note")).to_be_visible(timeout=30_000)
    assert page.evaluate(f"{OUTPUTS} === window.printed")
    assert page.evaluate("window.printed.includes('<img')")
    assert page.get_by_role("button", name="Run this page").is_enabled()
    assert page.evaluate("sessionStorage.getItem('recurrence-own-server')") is None
    return note(page).text_content() or ""


def test_what_is_no_address_and_no_token(reader: Page, jupyter: Jupyter) -> None:
    assert "not the address of a server" in refused(reader, "not an address", TOKEN)
    assert "token is missing" in refused(reader, jupyter.address, "")


def test_no_server_there(reader: Page) -> None:
    assert "No server answers" in refused(reader, f"http://127.0.0.1:{free_port()}", TOKEN)


def test_wrong_token(reader: Page, jupyter: Jupyter) -> None:
    assert "does not accept this token" in refused(reader, jupyter.address, "another")
    assert "does not accept this token" in refused(reader, f"{jupyter.address}/lab?token=another", "")


def test_another_origin_is_refused(browser: Browser, address: str, jupyter: Jupyter) -> None:
    page = browser.new_page()
    page.goto(f"{address.replace('127.0.0.1', 'localhost')}/{CHAPTER}.html#own-server")
    page.evaluate(f"window.printed = {OUTPUTS}")
    words = refused(page, jupyter.address, TOKEN)
    assert f"--ServerApp.allow_origin={origin_of(page.url)}." in words
    page.close()


def test_what_answers_is_something_else(reader: Page, address: str) -> None:
    assert "not a Jupyter server" in refused(reader, origin_of(address), TOKEN)


def test_a_page_that_runs_already(reader: Page, jupyter: Jupyter) -> None:
    reader.evaluate("document.querySelector('.run-start').disabled = true")
    give(reader, jupyter.address, TOKEN)
    expect(note(reader)).to_contain_text("already runs in your browser")
    reader.evaluate("document.querySelector('.run-start').disabled = false")


def test_from_the_file_system_the_page_says_why_not(browser: Browser, site: Path) -> None:
    page = browser.new_page()
    page.goto((site / f"{CHAPTER}.html").as_uri() + "#own-server")
    expect(page.locator(".run-note")).to_contain_text("talk to a server")
    page.close()


def test_a_server_that_goes_away_is_said(browser: Browser, address: str, jupyter: Jupyter) -> None:
    """Last of all, because it ends the server."""
    page = browser.new_page()
    page.goto(f"{address}/basics/neuron.html#own-server")
    give(page, jupyter.address, TOKEN)
    expect(note(page)).to_contain_text("Running cell", timeout=PATIENCE)
    jupyter.process.send_signal(signal.SIGTERM)
    jupyter.process.wait(20)
    expect(note(page)).to_contain_text("connection to the server was lost", timeout=PATIENCE)
    page.close()
