"""Wheels for the browser hold bytecode that runs as their sources would, and nothing that only compilers read."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from compile_wheel import SITE, compile_wheel

FILES = {
    "some/__init__.py": '"""About some."""\nfrom some.deep.module import divide\n',
    "some/deep/__init__.py": "",
    "some/deep/module.py": "def divide(x):\n    return 1 / x\n",
    "some/template.py": "def {name}(: pass\n",  # no Python yet
    "some/__init__.pyi": "def divide(x: float) -> float: ...\n",
    "some/include/some.h": "int some;\n",
    "some/data.txt": "0.5\n",
    "some-1.dist-info/METADATA": "Name: some\n",
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    with zipfile.ZipFile(folder / "before.whl", "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
    compile_wheel(str(folder / "before.whl"), str(folder / "after.whl"))
    return folder / "after.whl"


def test_sources_give_way_to_bytecode_and_the_rest_stays(compiled: Path) -> None:
    with zipfile.ZipFile(compiled) as archive:
        assert archive.namelist() == [
            "some/__init__.pyc",
            "some/deep/__init__.pyc",
            "some/deep/module.pyc",
            "some/template.py",
            "some/data.txt",
            "some-1.dist-info/METADATA",
        ]
        assert archive.read("some/data.txt") == b"0.5\n"
        assert archive.read("some/template.py") == FILES["some/template.py"].encode()


def test_the_bytecode_runs_and_names_the_file_where_it_failed(compiled: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(compiled) as archive:
        archive.extractall(tmp_path)
    program = "import some; print(some.__doc__, some.divide(4)); some.divide(0)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
    )
    assert done.stdout == "About some. 0.25\n"
    assert f'File "{SITE}some/deep/module.py", line 2, in divide' in done.stderr
    assert "ZeroDivisionError" in done.stderr
