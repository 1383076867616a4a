"""Run every chapter's notebook where a reader has nothing but Jupyter: its own first cell installs all the rest.

    python tools/run_notebooks.py            # with the versions of the lock file
    python tools/run_notebooks.py --newest   # with the newest versions, which a reader gets today

What the first cell would fetch from the repository is built from the files at hand. A notebook that has run is not run
again until it, the package or the versions change.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat

from build_book import ANSI, ROOT, BuildError, only_one
from recurrence_book.execution import digest
from recurrence_book.notebooks import read_notebook

REQUIREMENT = re.compile(r'(?<=")recurrence-book @ git\+https://\S+@\w+(?=")')
# A reader has no clone of the book, none of its data and none of our settings.
OURS = ("PYTHON", "RECURRENCE", "VIRTUAL_ENV", "PYTEST", "MPL", "TQDM", "OMP_", "OPENBLAS_", "MKL_")


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run a program and return what it says; raise BuildError with that if it fails."""
    words = [str(part) for part in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    if done.returncode != 0:
        raise BuildError(f"This failed: {' '.join(words)}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def locked_versions(lock: str) -> str:
    """Name and version of every package of a lock file, without hashes: what comes from a direct address has none."""
    lines = [line.rstrip("\\ ") for line in lock.splitlines() if re.match(r"[\w.-]+==", line)]
    return "".join(f"{line}\n" for line in lines)


class Reader:
    """A reader's machine: an environment with pip and ipykernel alone, kept until the versions change."""

    def __init__(self, folder: Path, newest: bool) -> None:
        self.folder = folder / "environment"
        self.newest = newest
        self.versions = digest(ROOT, ["requirements/dev.txt", "pyproject.toml"], sys.version, str(newest))

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        # As many threads as there are notebooks at once are enough.
        kept |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return kept if self.newest else kept | {"PIP_CONSTRAINT": str(self.folder / "versions.txt")}

    def prepare(self) -> None:
        """Make the environment, unless it is there; take the package out of it in any case."""
        made = self.folder / "made"
        if not made.exists() or made.read_text() != self.versions:
            shutil.rmtree(self.folder, ignore_errors=True)
            venv.create(self.folder, with_pip=True)
            (self.folder / "versions.txt").write_text(
                locked_versions((ROOT / "requirements/dev.txt").read_text("utf-8"))
            )
            self.pip("install", "--quiet", "ipykernel")
            if "numpy" in self.pip("list"):
                raise BuildError("The environment is not as bare as a reader's: NumPy is in it already.")
            # A kernel of our own, by full path: plain "python" would be the one that runs this program.
            spec: dict[str, Any] = {"argv": [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
            spec["argv"].append("--log-level=ERROR")  # its own remarks are not the notebook's
            spec |= {"display_name": "Reader", "language": "python"}
            (self.folder / "kernels" / "reader").mkdir(parents=True)
            (self.folder / "kernels" / "reader" / "kernel.json").write_text(json.dumps(spec))
            made.write_text(self.versions)
        self.pip("uninstall", "--quiet", "--yes", "recurrence-book")

    def pip(self, *arguments: str) -> str:
        return run(self.python, "-m", "pip", *arguments, environment=self.variables())

    def execute(self, content: Any) -> None:
        """Run a notebook in an empty folder; raise what goes wrong in it."""
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import KernelManager
        from nbclient import NotebookClient

        kernels = KernelSpecManager(kernel_dirs=[str(self.folder / "kernels")], ensure_native_kernel=False)
        manager = KernelManager(kernel_name="reader", kernel_spec_manager=kernels)
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(content, km=manager, timeout=300, resources={"metadata": {"path": folder}})
            try:
                client.execute(env=self.variables())
            finally:
                manager.shutdown_kernel(now=True)


def with_package(content: Any, package: str) -> Any:
    """The notebook with that package in the place of the repository's; nothing else of its first cell is touched."""
    install = content.cells[1]
    install.source, count = REQUIREMENT.subn(package, install.source)
    if count != 1:
        raise BuildError(f"The second cell of a notebook should install the package, but it reads:\n{install.source}")
    return content


def build_wheel(folder: Path) -> Path:
    """Build the package from the files at hand."""
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def run_all(notebooks: Path, state: Path, newest: bool) -> None:
    """Run the notebooks that have not run yet as they are; raise BuildError with what failed."""
    reader = Reader(state, newest)
    package = digest(ROOT, ["code/**/*"], reader.versions)
    waiting: dict[Path, Path] = {}
    for path in sorted(notebooks.rglob("*.ipynb")):
        cells = [cell.source for cell in read_notebook(path).cells if cell.cell_type == "code"]
        key = hashlib.sha256(REQUIREMENT.sub("", "\0".join([package, *cells])).encode()).hexdigest()
        if not (state / "ran" / key).exists():
            waiting[path] = state / "ran" / key
    if not waiting:
        print("No notebook needs running: none has changed since it ran.")
        return
    reader.prepare()
    address = f"recurrence-book @ {build_wheel(state / 'wheel').as_uri()}"
    contents = {path: with_package(read_notebook(path), address) for path in waiting}
    # One kernel installs, before the others find everything there.
    first = next(iter(contents.values())).cells[1]
    reader.execute(nbformat.v4.new_notebook(cells=[first.copy()]))  # type: ignore[no-untyped-call]
    if "recurrence-book" not in reader.pip("list"):
        raise BuildError(f"This cell installs no package:\n{first.source}")
    (state / "ran").mkdir(exist_ok=True)

    def timed(path: Path) -> str:
        start = time.perf_counter()
        try:
            reader.execute(contents[path])
        except Exception as error:  # a cell's own error, or a kernel that died
            return f"{path.stem}: {ANSI.sub('', str(error))}"
        waiting[path].touch()
        print(f"  {path.relative_to(notebooks).as_posix()} in {time.perf_counter() - start:.1f} s", flush=True)
        return ""

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        failures = list(filter(None, pool.map(timed, waiting)))
    if failures:
        raise BuildError("\n\n".join(failures))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--newest", action="store_true", help="take the newest versions, not those of the lock file")
    parser.add_argument("--notebooks", type=Path, default=ROOT / "_build" / "notebooks", help="where they are")
    arguments = parser.parse_args()
    state = ROOT / "_build" / "reader"
    try:
        if not any(arguments.notebooks.rglob("*.ipynb")):
            raise BuildError("There are no notebooks: run 'nox -s book', which makes them.")
        with only_one(state):
            run_all(arguments.notebooks.resolve(), state, arguments.newest)
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
