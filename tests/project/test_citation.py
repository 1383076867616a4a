"""CITATION.cff says what pyproject.toml and _config.yml say."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CITATION: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
BOOK: dict[str, Any] = CITATION["preferred-citation"]


def test_required_fields_are_there() -> None:
    # The format asks for these four, a reference for these three.
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["message"].strip()
    assert CITATION["title"].strip()
    assert CITATION["authors"]
    assert CITATION["type"] == "software"
    assert BOOK["type"] == "book"
    assert BOOK["title"].strip()


@pytest.mark.parametrize("entry", [CITATION, BOOK], ids=["software", "book"])
def test_version_and_authors_agree_with_the_package(entry: dict[str, Any]) -> None:
    assert entry["version"] == PROJECT["version"]
    assert entry["authors"] == PROJECT["authors"]


def test_description_and_keywords_agree_with_the_package() -> None:
    assert CITATION["abstract"].strip() == PROJECT["description"]
    assert CITATION["keywords"] == PROJECT["keywords"]
    assert PROJECT["name"] in CITATION["title"]


def test_licences_have_their_files() -> None:
    assert CITATION["license"] == PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License\n")
    assert BOOK["license"] == "CC-BY-4.0"
    notice = (ROOT / "LICENSE-text.md").read_text("utf-8")
    assert "https://creativecommons.org/licenses/by/4.0/" in notice
    legal_code = (ROOT / "LICENSE-CC-BY-4.0.txt").read_text("utf-8")
    assert legal_code.startswith("Attribution 4.0 International\n")
    assert legal_code.rstrip().endswith("Creative Commons may be contacted at creativecommons.org.")


def test_one_address_of_the_repository() -> None:
    configuration = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    address = configuration["repository"]["url"]
    assert CITATION["repository-code"] == address
    assert BOOK["url"] in PROJECT["urls"].values()
    assert address in PROJECT["urls"].values()
