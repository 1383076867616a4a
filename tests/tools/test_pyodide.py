"""Python for the browser is what its lock file names, from whatever source, and is made whole or not at all."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import pyodide


def wheel(path: Path, licence: str | None = "May be used.") -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("some-1.dist-info/METADATA", "Name: some\nLicense: BSD\n")
        if licence:
            archive.writestr("some-1.dist-info/licenses/LICENSE", licence)
    return path.read_bytes()


def lock_of(**files: bytes) -> dict[str, Any]:
    packages = {
        name: {
            "version": "1",
            "file_name": f"{name}.whl",
            "sha256": hashlib.sha256(content).hexdigest(),
            "depends": [],
        }
        for name, content in files.items()
    }
    return {"info": {}, "packages": packages}


def giving(**files: bytes) -> Callable[[Iterable[str], Path], None]:
    def source(names: Iterable[str], into: Path) -> None:
        """Give what a test says."""
        for name in names:
            (into / name).write_bytes(files[name.removesuffix(".whl")])

    return source


def broken(names: Iterable[str], into: Path) -> None:
    """Answer nothing."""
    raise OSError("no answer")


def test_the_lock_keeps_what_pages_load_and_no_more() -> None:
    names = ["numpy", "matplotlib", "scipy", "fonttools", "pytz", "cycler", "pandas"]
    packages: dict[str, Any] = {name: {"depends": []} for name in names}
    packages["matplotlib"]["depends"] = ["numpy", "fonttools", "cycler", "pytz"]
    kept = pyodide.reduced({"info": {"python": "3.14"}, "packages": packages})
    assert set(kept["packages"]) == {"numpy", "matplotlib", "scipy", "cycler"}
    assert kept["packages"]["matplotlib"]["depends"] == ["numpy", "cycler"]
    assert kept["info"] == {"python": "3.14"}


def test_the_first_source_that_has_all_unharmed_is_taken(tmp_path: Path) -> None:
    lock = lock_of(numpy=b"right", scipy=b"right too")
    harmed = giving(numpy=b"right", scipy=b"wrong")
    whole = giving(numpy=b"right", scipy=b"right too")
    pyodide.fetch_packages(lock, tmp_path, [broken, harmed, whole, broken])
    assert (tmp_path / "scipy.whl").read_bytes() == b"right too"


def test_when_no_source_is_left_each_is_named(tmp_path: Path) -> None:
    with pytest.raises(pyodide.SourceError) as caught:
        pyodide.fetch_packages(lock_of(numpy=b"right"), tmp_path, [broken, giving(numpy=b"wrong")])
    assert "Answer nothing. no answer" in str(caught.value)
    assert "Give what a test says. numpy.whl is not the file that Pyodide's lock file names." in str(caught.value)


def test_the_folder_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = wheel(tmp_path / "some.whl")
    (tmp_path / "some.whl").unlink()

    def core(into: Path) -> dict[str, Any]:
        for name in pyodide.CORE:
            (into / name).write_bytes(b"core " * 100)
        return lock_of(some=content)

    def compiled(lock: dict[str, Any], place: Path) -> dict[str, Any]:
        started = json.loads((place / "pyodide-lock.json").read_text("utf-8"))
        assert started == lock
        return {**lock, "info": {"compiled": True}}

    monkeypatch.setattr(pyodide, "fetch_core", core)
    monkeypatch.setattr(pyodide, "compile_packages", compiled)
    place = tmp_path / "cache" / "pyodide"
    monkeypatch.setattr(pyodide, "from_release", broken)
    monkeypatch.setattr(pyodide.fetch_packages, "__defaults__", ((broken,),))
    with pytest.raises(pyodide.SourceError):
        pyodide.assemble(place)
    assert list((tmp_path / "cache").iterdir()) == []

    monkeypatch.setattr(pyodide.fetch_packages, "__defaults__", ((broken, giving(some=content)),))
    pyodide.assemble(place)
    assert pyodide.complete(place)
    files = json.loads((place / "files.json").read_text("utf-8"))["files"]
    assert set(files) == {*pyodide.CORE, "pyodide-lock.json", "some.whl"}
    assert json.loads((place / "pyodide-lock.json").read_text("utf-8"))["info"] == {"compiled": True}
    assert files["some.whl"] == {"size": len(content), "wire": len(content)}
    assert files["pyodide.asm.wasm"]["wire"] < files["pyodide.asm.wasm"]["size"] == 500
    assert (place / "licences" / "some.txt").read_text("utf-8") == "May be used."
    assert "some 1: some.txt" in (place / "licences" / "README.txt").read_text("utf-8")
    for name in ("MPL-2.0.txt", "PSF-2.0.txt"):
        assert (place / "licences" / name).stat().st_size > 5000


def test_what_is_served_is_compiled_and_its_lock_says_so() -> None:
    place = pyodide.folder()
    if not pyodide.complete(place):
        pytest.fail("Pyodide is not here: run 'nox -s pyodide', which fetches it once.")
    lock = json.loads((place / "pyodide-lock.json").read_text("utf-8"))
    for entry in lock["packages"].values():
        wheel = place / entry["file_name"]
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == entry["sha256"]
        with zipfile.ZipFile(wheel) as archive:
            assert not [name for name in archive.namelist() if name.endswith("/__init__.py")]
    with zipfile.ZipFile(place / lock["packages"]["numpy"]["file_name"]) as archive:
        # The number of CPython 3.14's bytecode.
        assert archive.read("numpy/__init__.pyc")[:2] == (3627).to_bytes(2, "little")


def test_a_package_without_a_licence_text_states_its_licence(tmp_path: Path) -> None:
    content = wheel(tmp_path / "some.whl", licence=None)
    pyodide.write_licences(lock_of(some=content), tmp_path)
    assert "some 1: BSD" in (tmp_path / "licences" / "README.txt").read_text("utf-8")


def test_its_place_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCE_PYODIDE", str(tmp_path))
    assert pyodide.folder() == tmp_path
    assert not pyodide.complete(tmp_path)
