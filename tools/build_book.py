"""Build the book: execute the chapters in parallel, then let Jupyter Book make the site, warnings as errors.

    python tools/build_book.py                      # the site, into _build/html
    python tools/build_book.py --builder linkcheck  # ask every external link whether it still answers

A chapter whose cells, package, lock file and Python have not changed is not executed again. A build that failed or
was stopped leaves no half-read pages behind, so that the next one reports the same warnings again.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

# For the kernels that run the chapters. One thread for linear algebra: for matrices this small it is faster, and the
# same on every machine. And no progress bars: a page shows what was learnt, not how long it took.
FOR_KERNELS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TQDM_DISABLE": "1"}

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_extensions"))

from pack_site import pack  # noqa: E402
from recurrence_book.execution import cache_folder, prune  # noqa: E402

if TYPE_CHECKING:
    from jupyter_cache.base import JupyterCacheAbstract
    from jupyter_cache.cache.db import NbProjectRecord

READER = {"type": "plugin", "name": "myst_nb_md"}
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class BuildError(Exception):
    """Something about the book is wrong; the message says what, in words for whoever wrote it."""


def chapters(root: Path) -> list[Path]:
    """Pages of the table of contents that have cells to run, in reading order."""
    from myst_nb.core.read import is_myst_markdown_notebook
    from sphinx_external_toc.parsing import parse_toc_yaml

    pages = [root / "book" / f"{name}.md" for name in parse_toc_yaml(root / "_toc.yml")]
    missing = [page.relative_to(root).as_posix() for page in pages if not page.exists()]
    if missing:
        raise BuildError(f"_toc.yml names pages that do not exist: {', '.join(missing)}.")
    found = [page for page in pages if "{code-cell}" in page.read_text("utf-8")]
    for page in found:
        if not is_myst_markdown_notebook(page.read_text("utf-8")):
            raise BuildError(
                f"{page.relative_to(root).as_posix()} has code cells, but its front matter does not say that it is a "
                "notebook: begin it with the jupytext and kernelspec lines of another chapter."
            )
    return found


def execute(root: Path, build: Path, timeout: float) -> None:
    """Run every chapter that the cache does not hold, as many at once as there are processors."""
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    for name, value in FOR_KERNELS.items():
        os.environ.setdefault(name, value)
    folder = cache_folder(build, root)
    prune(build, folder)
    cache = get_cache(folder)
    records = [cache.add_nb_to_project(str(page), read_data=READER) for page in chapters(root)]
    waiting = [record for record in records if cache.get_cached_project_nb(record.pk) is None]
    if not waiting:
        print("No chapter needs executing: the outputs of all of them are in the cache.", flush=True)
        return
    names = ", ".join(Path(record.uri).stem for record in waiting)
    print(f"Executing {names}.", flush=True)
    failures = []
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        runs = pool.map(lambda record: run_chapter(cache, record, timeout), waiting)
        for record, (result, failure) in zip(waiting, runs, strict=True):
            page = Path(record.uri).relative_to(root).as_posix()
            if failure:
                failures.append(f"{page}: {failure}")
                continue
            # The cache is one SQLite file: written here, by one thread.
            data = {"execution_seconds": result.time}
            bundle = CacheBundleIn(result.nb, record.uri, data=data)
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            print(f"  {page} in {result.time:.1f} s", flush=True)
    if failures:
        raise BuildError("\n\n".join(failures))


def run_chapter(cache: JupyterCacheAbstract, record: NbProjectRecord, timeout: float) -> tuple[Any, str | None]:
    """Execute one chapter in a kernel of its own: the executed notebook, or what went wrong."""
    from jupyter_cache.executors.utils import single_nb_execution

    notebook = cache.get_project_notebook(record.pk).nb
    folder = str(Path(record.uri).parent)
    try:
        result = single_nb_execution(
            notebook,
            cwd=folder,
            timeout=timeout,
            allow_errors=False,
            extra_arguments=["--log-level=ERROR"],  # to the kernel, whose own remarks are not the chapter's
        )
    except Exception as error:  # a kernel can die in more ways than its client has names for
        return None, f"its kernel stopped ({type(error).__name__}: {error})"
    if result.err is not None:
        return None, "a cell failed.\n" + ANSI.sub("", str(result.err)).strip()
    return result, None


def run_sphinx(root: Path, build: Path, builder: str) -> None:
    """Make the site from the executed chapters; any warning is an error."""
    doctrees, unfinished = build / ".doctrees", build / ".unfinished"
    if unfinished.exists():
        # Pages already read are not read again, so their warnings would be lost.
        shutil.rmtree(doctrees, ignore_errors=True)
    unfinished.touch()
    # Sphinx leaves pages of source code that are older than the templates or whose modules are gone: they make way.
    # But it writes none where no page of the book has changed: then they come back.
    modules, aside = build / "html" / "_modules", build / ".modules"
    if modules.exists():
        shutil.rmtree(aside, ignore_errors=True)
        modules.rename(aside)
    program = shutil.which("jupyter-book", path=str(Path(sys.executable).parent))
    if program is None:
        raise BuildError("Jupyter Book is not installed here: run 'nox -s book', which installs it.")
    command = [program, "build", str(root / "book")]
    command += ["--config", str(root / "_config.yml"), "--toc", str((root / "_toc.yml").resolve())]
    command += ["--path-output", str(build.parent), "--builder", builder]
    command += ["--warningiserror", "--keep-going", "--nitpick", "--quiet"]
    # Its standard output only repeats what we say better; warnings come on the other one.
    if subprocess.run(command, cwd=root, check=False, stdout=subprocess.DEVNULL).returncode != 0:
        what = "Some links do not answer" if builder == "linkcheck" else "The site was not built"
        raise BuildError(f"{what}: see the warnings above.")
    if not modules.exists() and aside.exists():
        aside.rename(modules)
    unfinished.unlink()


@contextmanager
def only_one(build: Path) -> Iterator[None]:
    """Wait until no other build works in the same folder; the operating system drops the lock of a dead one."""
    build.mkdir(parents=True, exist_ok=True)
    with open(build / ".lock", "w") as handle:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build_book(root: Path = ROOT, builder: str = "html", timeout: float = 300) -> Path:
    """Build the book of `root` and return the folder of the result; raise BuildError with what is wrong."""
    build = root / "_build"
    with only_one(build):
        execute(root, build, timeout)
        run_sphinx(root, build, builder)
        if builder == "html":
            pack(build / "html")
    return build / builder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builder", default="html", choices=["html", "linkcheck"])
    parser.add_argument("--root", type=Path, default=ROOT, help="the book's repository")
    arguments = parser.parse_args()
    start = time.perf_counter()
    try:
        result = build_book(arguments.root.resolve(), arguments.builder)
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Executed chapters are kept; the next build goes on from them.", file=sys.stderr)
        return 130
    seconds = time.perf_counter() - start
    if arguments.builder == "html":
        page = result / "index.html"
        print(f"\nThe book is built ({seconds:.0f} s):\n  {page}")
        print("Open that file in a browser, or run 'nox -s serve' to read while you write.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
