"""Run the cells of pages as a reader's browser would, in Pyodide, and hold what they show against the built book.

    python tools/run_in_node.py                  # every chapter of the built site
    python tools/run_in_node.py basics/neuron    # or these

What a cell shows must be the same, word for word, and its numbers must agree: within one part in a million, or
within one unit of the last digit that is printed. Where that is too much to ask, the cell says in its own metadata
how far apart its numbers may lie, as a share of the number:

    ```{code-cell} python
    ---
    agrees: 0.001   # single precision; a trained network prints a statistic, with the band in which it lies
    ---

Tables of `recurrence.compare` have checked their own rows wherever they are run. Of them the words and the single
numbers are compared, but neither the differences, which are rounding, nor which number of an array lies furthest off.
Of figures and flipbooks there have to be as many as in the book. A page that was run before, with the same cells,
package and Pyodide, is not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyodide
from build_book import ROOT, chapters
from recurrence_book.execution import cache_folder
from recurrence_book.katex import find_node

CLOSE = 1e-6
LONGEST = 60.0  # seconds that the cells of a page may take
NUMBER = re.compile(r"[-−+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
TABLE_ROW = re.compile(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td><td>.*?</td></tr>')
BUILD = ROOT / "_build"


@dataclass(frozen=True)
class Run:
    """How a page went: seconds of the processor in Pyodide, seconds it took the build, and what did not agree."""

    name: str
    cells: int
    seconds: float
    native: float
    problems: tuple[str, ...]


def names() -> list[str]:
    """Pages that can be run: every chapter, but not the front page, whose cell only draws its figure."""
    paths = [path for path in chapters(ROOT) if "\ndate:" in path.read_text("utf-8").split("\n---\n")[0]]
    return [path.relative_to(ROOT / "book").with_suffix("").as_posix() for path in paths]


def control_of(site: Path, name: str) -> dict[str, Any]:
    """What the control of a built page says of its cells and of Python."""
    text = (site / f"{name}.html").read_text(encoding="utf-8")
    found = re.search(r'<div class="run-page".*?<script type="application/json">(.*?)</script>', text, re.S)
    if found is None:
        raise SystemExit(f"{name} has no control to run it: build the book again.")
    control: dict[str, Any] = json.loads(found[1])
    return control


def in_pyodide(name: str) -> tuple[list[dict[str, Any]], float]:
    """What each cell of a built page shows in Pyodide, and the processor's seconds it took altogether."""
    site = BUILD / "html"
    control = control_of(site, name)
    script = ROOT / "book" / "_static" / "runner" / "run_cells.py"
    program = Path(__file__).with_suffix(".mjs")
    wheel = site / "_static" / "runner" / control["python"]["wheel"].rpartition("/")[2]
    question = {"packages": control["python"]["packages"], "cells": control["cells"]}
    parts = [json.dumps(question).encode(), *(path.read_bytes() for path in (script, program, wheel))]
    parts += [pyodide.VERSION.encode(), str(pyodide.FORMAT).encode()]
    key = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]
    kept = BUILD / "pyodide_runs" / f"{name.replace('/', '-')}-{key}.json"
    if not kept.exists():
        place = pyodide.folder()
        if not pyodide.complete(place):
            raise SystemExit("Pyodide is not here: run 'python tools/pyodide.py', which fetches it once.")
        question |= {"folder": str(place), "wheel": str(wheel), "script": str(script)}
        done = subprocess.run(
            [find_node(), str(program)],
            check=False,
            input=json.dumps(question),
            capture_output=True,
            encoding="utf-8",
        )
        if done.returncode != 0:
            raise SystemExit(f"{name} did not run in Pyodide:\n{done.stderr[-2000:]}")
        kept.parent.mkdir(exist_ok=True)
        for old in kept.parent.glob(f"{name.replace('/', '-')}-*.json"):
            old.unlink()
        kept.write_text(done.stdout, encoding="utf-8")
    answer = json.loads(kept.read_text(encoding="utf-8"))
    return answer["cells"], answer["seconds"]


def in_the_book(name: str) -> tuple[list[Any], float]:
    """The executed cells of a page that Pyodide runs too, as the build has them, and the seconds they took."""
    from jupyter_cache import get_cache
    from myst_nb.core.read import read_myst_markdown_notebook

    cache = get_cache(cache_folder(BUILD, ROOT))
    notebook = read_myst_markdown_notebook((ROOT / "book" / f"{name}.md").read_text(encoding="utf-8"))
    record = cache.match_cache_notebook(notebook)
    executed = cache.get_cache_bundle(record.pk).nb
    cells = [
        cell
        for cell in executed.cells
        if cell.cell_type == "code" and cell.source.strip() and "skip-execution" not in cell.metadata.get("tags", [])
    ]
    return cells, float(record.data["execution_seconds"])


def shown_by_book(outputs: Iterable[Any]) -> list[tuple[str, str]]:
    """What a cell of the book shows: (kind, text), consecutive pieces of text joined."""
    found = []
    for output in outputs:
        data = output.get("data", {})
        if output["output_type"] == "stream":
            found.append((output["name"], output["text"]))
        elif output["output_type"] == "error":
            found.append(("error", output["ename"]))
        elif "image/svg+xml" in data or "image/png" in data:
            found.append(("figure", ""))
        elif "text/html" in data:
            html = data["text/html"]
            found.append(("flipbook", "") if html.startswith('<div class="flipbook') else ("html", html))
        elif "text/plain" in data and not any("glue" in kind for kind in data):
            found.append(("text", data["text/plain"]))
    return _joined(found)


def shown_by_pyodide(messages: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """The same of what a cell told in Pyodide."""
    found = []
    for message in messages:
        kind = message["kind"]
        if kind == "stream":
            found.append((message["stream"], message["text"]))
        elif kind in ("figure", "png", "flipbook"):
            found.append(("flipbook" if kind == "flipbook" else "figure", ""))
        else:
            found.append((kind, message["name"] if kind == "error" else message[kind]))
    return _joined(found)


def _joined(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    joined: list[tuple[str, str]] = []
    for kind, text in pieces:
        if joined and joined[-1][0] == kind and kind in ("stdout", "stderr"):
            joined[-1] = (kind, joined[-1][1] + text)
        else:
            joined.append((kind, text))
    return joined


def disagreement(book: list[tuple[str, str]], here: list[tuple[str, str]], share: float) -> str | None:
    """What is not the same in two showings of a cell, or None."""
    if [kind for kind, _ in book] != [kind for kind, _ in here]:
        return f"the book shows {_kinds(book)}, Pyodide {_kinds(here)}"
    for (_, expected), (_, found) in zip(book, here, strict=True):
        difference = differs(_without_rounding(expected), _without_rounding(found), share)
        if difference is not None:
            return difference
    return None


def _kinds(pieces: list[tuple[str, str]]) -> str:
    return ", ".join(kind for kind, _ in pieces) or "nothing"


def _without_rounding(html: str) -> str:
    """A table of `compare` without what rounding decides."""

    def kept(row: re.Match[str]) -> str:
        return row[1] if "(worst of " in row[1] else f"{row[1]}: {row[2]} and {row[3]}"

    return TABLE_ROW.sub(kept, html) if html.startswith('<table class="compare">') else html


def differs(expected: str, found: str, share: float) -> str | None:
    """Where two texts differ in a word, or in a number by more than a share of it and more than its last digit."""
    if NUMBER.sub("#", expected) != NUMBER.sub("#", found):
        return f"the book says {_short(expected)}, Pyodide {_short(found)}"
    for one, other in zip(NUMBER.findall(expected), NUMBER.findall(found), strict=True):
        a, b = _value(one), _value(other)
        # Whole numbers have no last digit to spare; of two numbers printed to different places the finer one counts.
        digit = min(_last_digit(one), _last_digit(other)) if "." in one + other else 0.0
        if not math.isclose(a, b, rel_tol=share, abs_tol=1.001 * digit):
            return f"the book says {one}, Pyodide {other}"
    return None


def _value(number: str) -> float:
    return float(number.replace("−", "-").replace(",", ""))


def _last_digit(number: str) -> float:
    """One unit in the last place that is printed: 0.01 for 3.14, 1e-9 for 3.14e-7."""
    digits, _, power = number.lower().partition("e")
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) < 160 else text[:160] + "…")


def run_page(name: str) -> Run:
    """Run a page's cells in Pyodide and compare them with the book's."""
    cells, native = in_the_book(name)
    results, seconds = in_pyodide(name)
    problems = []
    for number, cell in enumerate(cells, 1):
        if number > len(results):
            problems.append(f"cells {number} to {len(cells)} were not reached")
            break
        result = results[number - 1]
        raises = "raises-exception" in cell.metadata.get("tags", [])
        if not result["well"] and not raises:
            problems.append(f"cell {number} failed: {result['shown'][-1]['text']}")
            continue
        share = float(cell.metadata.get("agrees", CLOSE))
        difference = disagreement(shown_by_book(cell.outputs), shown_by_pyodide(result["shown"]), share)
        if difference:
            problems.append(f"cell {number}: {difference}")
    if seconds > LONGEST:
        problems.append(f"its cells take {seconds:.0f} s, and a reader waits no longer than {LONGEST:.0f} s")
    return Run(name, len(cells), seconds, native, tuple(problems))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="*", help="such as basics/neuron; every chapter if none is named")
    wanted = parser.parse_args().pages or names()
    begun = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = list(pool.map(run_page, wanted))
    print(f"{'page':34} {'cells':>5} {'book':>8} {'Pyodide':>8}")
    for run in runs:
        print(f"{run.name:34} {run.cells:5} {run.native:6.1f} s {run.seconds:6.1f} s")
        for problem in run.problems:
            print(f"    {problem}")
    print(f"{time.perf_counter() - begun:.0f} s in all")
    return 1 if any(run.problems for run in runs) else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "book" / "_extensions"))
    raise SystemExit(main())
