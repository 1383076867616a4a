"""Reports open the repository's form with the page filled in, wherever the repository is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from recurrence_book import report

ROOT = Path(__file__).resolve().parents[2]
PAGE = ("basics/neuron", "Neuron & more")


def test_github_opens_the_form_with_fields_that_it_has() -> None:
    address = urlsplit(report.address("https://github.com/anna/book", *PAGE))
    assert (address.netloc, address.path) == ("github.com", "/anna/book/issues/new")
    fields = parse_qs(address.query)
    assert fields == {"template": ["error.yml"], "title": ["Error: Neuron & more"], "page": ["basics/neuron"]}
    assert "+" not in address.query
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / report.FORM).read_text("utf-8"))
    ids = {field.get("id") for field in form["body"]}
    assert {"page", "section"} <= ids
    assert form["title"] == "Error: "


def test_gitlab_gets_a_title_and_the_page() -> None:
    address = urlsplit(report.address("https://gitlab.com/anna/book", *PAGE))
    assert address.path == "/anna/book/-/issues/new"
    assert parse_qs(address.query) == {
        "issue[title]": ["Error: Neuron & more"],
        "issue[description]": ["Page: basics/neuron"],
    }


@pytest.mark.parametrize("grouped", [True, False])
def test_the_button_of_the_theme_leads_to_the_form(grouped: bool) -> None:
    edit: dict[str, Any] = {"label": "source-edit-button", "url": "edit", "text": "Suggest edit"}
    issue: dict[str, Any] = {"label": "source-issues-button", "url": "plain", "text": "Open issue"}
    buttons = [{"label": "source-buttons", "buttons": [edit, issue]}] if grouped else [edit, issue]
    context: dict[str, Any] = {"header_buttons": buttons}
    app: Any = SimpleNamespace(
        env=SimpleNamespace(titles={"basics/neuron": SimpleNamespace(astext=lambda: "Neuron")}),
        config=SimpleNamespace(html_theme_options={"repository_url": "https://github.com/anna/book"}),
    )
    report.fill_in(app, "basics/neuron", "page.html", context, None)
    assert (
        issue["url"] == context["report"] == report.address("https://github.com/anna/book", "basics/neuron", "Neuron")
    )
    assert issue["text"] == "Report an error"
    assert edit["url"] == "edit"
