"""The places that say what to install (pyproject, environment.yml, Binder, the lock files) say the same."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements/dev.txt", ".binder/requirements.txt"]
# Where conda-forge has another name for what PyPI calls the same.
CONDA_NAMES = {"matplotlib-base": "matplotlib"}

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
GROUPS = PYPROJECT["dependency-groups"]


def bounds(lines: list[str]) -> dict[str, SpecifierSet]:
    """Version bounds by normalised name of requirements such as ``numpy>=2.1``."""
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): one.specifier for one in requirements}


def conda_environment() -> tuple[dict[str, SpecifierSet], list[str]]:
    """What environment.yml asks for, by the names of PyPI; and the local paths it installs."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    pip_lines = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    conda_lines = [entry for entry in listed if isinstance(entry, str)]
    wanted = bounds([line for line in [*conda_lines, *pip_lines] if not line.startswith("-e ")])
    paths = [line.removeprefix("-e ") for line in pip_lines if line.startswith("-e ")]
    return {CONDA_NAMES.get(name, name): specifier for name, specifier in wanted.items()}, paths


def lock_entries(text: str) -> list[str]:
    """Logical lines of a lock file: continued lines joined, comments and empty lines left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip()]


def locked(path: str) -> dict[str, tuple[Version, str]]:
    """Version and marker by normalised name of the pinned packages in a lock file."""
    found: dict[str, tuple[Version, str]] = {}
    for entry in lock_entries((ROOT / path).read_text("utf-8")):
        requirement = Requirement(entry.split("--hash")[0].strip())
        (pin,) = requirement.specifier
        assert pin.operator == "==", f"{path}: {requirement} is not pinned to one version"
        name = canonicalize_name(requirement.name)
        assert name not in found, f"{path} pins {name} twice: resolve with --fork-strategy fewest"
        found[name] = (Version(pin.version), str(requirement.marker or ""))
    return found


def direct_requirements(groups: list[str]) -> dict[str, SpecifierSet]:
    return bounds([*PROJECT["dependencies"], *(line for group in groups for line in GROUPS[group])])


def test_lines_of_a_lock_file_are_joined() -> None:
    text = "# by hand\nnumpy==2.4.6 \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\n    # via scipy\n\nsix==1.17.0\n"
    entries = lock_entries(text)
    assert [entry.split()[0] for entry in entries] == ["numpy==2.4.6", "six==1.17.0"]
    assert entries[0].count("--hash=") == 2


def test_conda_users_get_the_same_requirements() -> None:
    wanted = direct_requirements(["book", "test"])
    wanted["python"] = SpecifierSet(PROJECT["requires-python"])
    wanted["pip"] = SpecifierSet()
    found, paths = conda_environment()
    assert found == wanted
    assert paths == ["."]


def test_conda_environment_names_no_build_and_no_platform() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    for entry in listed:
        if isinstance(entry, str):
            assert re.fullmatch(r"[a-z0-9-]+( [<>=!~]=?[\d.]+(,[<>=!~]=?[\d.]+)*)?", entry), entry


@pytest.mark.parametrize(
    ("path", "groups"),
    [(LOCKS[0], ["book", "test", "lint"]), (LOCKS[1], ["binder"])],
)
def test_lock_holds_every_requirement_within_its_bounds(path: str, groups: list[str]) -> None:
    pins = locked(path)
    wanted = direct_requirements(groups)
    missing = sorted(set(wanted) - set(pins))
    assert not missing, f"{path} lacks {missing}: run 'nox -s lock'"
    outside = {name: str(pins[name][0]) for name in wanted if not wanted[name].contains(pins[name][0])}
    assert not outside, f"{path} is outside the bounds of pyproject.toml at {outside}: run 'nox -s lock'"


@pytest.mark.parametrize("path", LOCKS)
def test_lock_holds_the_build_tool(path: str) -> None:
    """The package is installed with --no-build-isolation, so its build tool comes from the lock, with a hash."""
    pins = locked(path)
    for name, specifier in bounds(PYPROJECT["build-system"]["requires"]).items():
        assert name in pins, f"{path} lacks {name}, which builds the package"
        assert specifier.contains(pins[name][0])


@pytest.mark.parametrize("path", LOCKS)
def test_every_line_of_a_lock_is_a_hashed_pin(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    for entry in lock_entries(text):
        assert not entry.startswith("-"), f"{path} carries an option, for instance the address of an index: {entry}"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), f"{path}: no hash in {entry}"
    assert "://" not in text, f"{path} names an address"


def test_both_locks_agree() -> None:
    tests, binder = (locked(path) for path in LOCKS)
    both = set(tests) & set(binder)
    assert {"numpy", "matplotlib"} <= both
    differing = {
        name: (str(tests[name][0]), str(binder[name][0])) for name in both if tests[name][0] != binder[name][0]
    }
    assert not differing, f"Binder would get other versions than the tests: {differing}; run 'nox -s lock'"


def test_binder_runs_a_supported_python() -> None:
    match = re.fullmatch(r"python-(3\.\d+)\n", (ROOT / ".binder" / "runtime.txt").read_text("utf-8"))
    assert match, ".binder/runtime.txt must be one line such as python-3.13"
    assert SpecifierSet(PROJECT["requires-python"]).contains(match[1])


def imported_by_cells(text: str) -> set[str]:
    """Top-level names that the code cells of a page import, unless a condition asks first whether they are there."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.If | ast.Try):
                visit(child)

    for cell in re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", text, re.M | re.S):
        lines = [line for line in cell.splitlines() if not line.startswith((":", "%", "!"))]
        visit(ast.parse(re.sub(r"\A---\n.*?\n---\n", "", "\n".join(lines), flags=re.S)))
    return found


def test_imports_of_cells_are_found() -> None:
    page = """# A page
```{code-cell} ipython3
---
tags: [hide-input]
---
import numpy as np
from recurrence.compare import compare
```
```{code-cell} ipython3
:tags: [check]
def f():
    import scipy.signal
if importlib.util.find_spec("myst_nb"):
    from myst_nb import glue
```
```python
import torch
```
"""
    assert imported_by_cells(page) == {"numpy", "recurrence", "scipy"}


@pytest.mark.parametrize("page", sorted((ROOT / "book").rglob("*.md")), ids=lambda path: path.stem)
def test_binder_has_what_the_cells_of_a_page_import(page: Path) -> None:
    there = {"recurrence", *sys.stdlib_module_names, *locked(LOCKS[1])}
    wanted = {canonicalize_name(name) for name in imported_by_cells(page.read_text("utf-8"))}
    assert wanted <= there, f"on Binder these are missing: {sorted(wanted - there)}; see group 'binder'"


def test_binder_installs_the_package() -> None:
    script = (ROOT / ".binder" / "postBuild").read_bytes().decode()
    assert script.startswith("#!/bin/bash\n")
    assert "\r" not in script
    assert re.search(r'pip install .*--no-deps --no-build-isolation "\$\{wheels\[@\]:-\.\}"$', script, re.M)
