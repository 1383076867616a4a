"""The launch link of a page opens its notebook in JupyterLab and it runs, in the environment that Binder would make.

Binder gets the branch of the notebooks, which is put together here as the workflow does. The environment is made from
its recipe alone, as Binder makes it, and kept until that changes. RECURRENCE_PAGES=all opens every chapter instead of
one.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sphinx_external_toc.parsing import parse_toc_yaml

from build_book import only_one
from publish_notebooks import commit_notebooks
from recurrence_book.execution import digest

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [
    name for name in PAGES if "\ndate:" in (ROOT / "book" / f"{name}.md").read_text("utf-8").split("\n---\n")[0]
]
LAUNCH = re.compile(r'href="https://mybinder\.org/v2/[^"?]+\?urlpath=([^"]+)"')
# One chapter will do: all have the same kernel, the same directives and the same first cell.
OPENED = CHAPTERS if os.environ.get("RECURRENCE_PAGES") == "all" else ["neurons/leaky_integration"]

# A copy for each process: none lays it anew under the feet of another's server.
REPOSITORY = f"repository-{os.getpid()}"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Binder is Linux, and so is its last build step"),
    pytest.mark.xdist_group("binder"),
]


def run(command: list[str | Path], **options: object) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"


def variables(state: Path) -> dict[str, str]:
    """Return the environment of a Binder image's user: a home of its own, its programs first, nothing of ours."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RECURRENCE", "JUPYTER"))
    }
    kept |= {"HOME": str(state / "home"), "PATH": f"{state / 'environment' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    return kept | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def image(site: Path) -> Path:
    """Folder with what a Binder image holds: the environment, the repository, a home; made as its recipe says."""
    state = site.parent / "binder"
    with only_one(state):
        wanted = digest(ROOT, [".binder/*"], sys.version)
        made = state / "made"
        if not made.exists() or made.read_text() != wanted:
            for folder in ("environment", "home"):
                shutil.rmtree(state / folder, ignore_errors=True)
            (state / "home").mkdir()
            venv.create(state / "environment", with_pip=True)
            lock = site.parent / "notebooks" / "binder" / "requirements.txt"
            python = state / "environment" / "bin" / "python"
            run([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock], env=variables(state))
            made.write_text(wanted)
        shutil.rmtree(state / REPOSITORY, ignore_errors=True)
        (state / REPOSITORY).mkdir()
        commit_notebooks(site.parent / "notebooks", state / REPOSITORY, "c0ffee", "2026-11-21T12:00:00+00:00")
        run(["./binder/postBuild"], cwd=state / REPOSITORY, env=variables(state))
    return state


@pytest.fixture(scope="module")
def lab(image: Path) -> Iterator[tuple[str, str]]:
    """Address and token of a JupyterLab on this machine alone, ended with the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        image / "environment" / "bin" / "jupyter-lab",
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
    ]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    log = (image / "lab.log").open("w")
    server = subprocess.Popen(
        command, cwd=image / REPOSITORY, env=variables(image), stdout=log, stderr=subprocess.STDOUT
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert server.poll() is None, (image / "lab.log").read_text()
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5).close()
                break
            except OSError:
                time.sleep(0.25)
        yield address, token
    finally:
        server.terminate()
        server.wait(timeout=30)
        log.close()


def launch_path(site: Path, name: str) -> str:
    (path,) = set(LAUNCH.findall((site / f"{name}.html").read_text("utf-8")))
    return str(path)


def next_cell(page: Page) -> None:
    """Run the selected cell and select the next, as a reader does with Shift and Enter."""
    page.keyboard.press("Shift+Enter")


@pytest.mark.parametrize("name", OPENED)
def test_the_launch_link_opens_a_notebook_that_runs(
    browser: Browser, site: Path, lab: tuple[str, str], name: str
) -> None:
    address, token = lab
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(90_000)
    page.goto(f"{address}/{launch_path(site, name)}?token={token}")
    # JupyterLab brings back what was open before, behind it.
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    notebook = panel.locator(".jp-Notebook")
    notebook.wait_for()
    assert page.locator(".jp-FileEditor, .jp-MarkdownViewer").count() == 0
    title = (ROOT / "book" / f"{name}.md").read_text("utf-8").partition("\n# ")[2].splitlines()[0]
    notebook.locator("h1", has_text=title).wait_for()
    # Formulas with numbers, words on figures that fold, and nothing left of the book's own markup.
    notebook.locator(".katex-display, mjx-container[display=true], .MathJax_Display").first.wait_for(state="attached")
    folded = notebook.locator("details").first
    folded.wait_for(state="attached")
    assert folded.evaluate("details => !details.open && details.querySelector('summary') !== null")
    left = re.search(r"^:::|\{(eq|term|doc|ref|numref|glue:text|cite:[pt])\}`", notebook.inner_text(), re.M)
    assert left is None, left
    # The kernel runs the page's own first cells with the installed package, until one of them draws.
    panel.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    notebook.locator(".jp-Cell").first.click()
    picture = notebook.locator(".jp-OutputArea-output img, .jp-OutputArea-output svg")
    for _ in range(7):
        next_cell(page)
        page.wait_for_timeout(300)
        if picture.count():
            break
    picture.first.wait_for()
    assert notebook.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count() == 0
    page.close()


def test_every_chapter_has_a_launch_link_to_itself(site: Path) -> None:
    for name in CHAPTERS:
        assert launch_path(site, name) == f"lab/tree/{name}.ipynb"


def test_the_image_holds_the_package_of_the_repository(image: Path) -> None:
    command = [
        str(image / "environment" / "bin" / "python"),
        "-I",
        "-c",
        "import recurrence; print(recurrence.__file__)",
    ]
    found = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=image / "home", env=variables(image)
    )
    assert (image / "environment").resolve() in Path(found.stdout.strip()).resolve().parents
