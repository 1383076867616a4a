"""The workflows run what the README says, with pinned actions, few rights and a time limit; the forms fit the site."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.y*ml"))
COMMANDS = ["pip install nox", "nox -s book", "nox -s tests"]
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return data


def steps(job: dict[str, Any], action: str) -> list[dict[str, Any]]:
    return [step for step in job["steps"] if step.get("uses", "").startswith(f"{action}@")]


def scripts(path: Path) -> list[str]:
    """Every line that a workflow hands to a shell."""
    runs = [step["run"] for job in load(path)["jobs"].values() for step in job["steps"] if "run" in step]
    return [line.strip() for run in runs for line in run.splitlines()]


def supported_pythons() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    specifier = SpecifierSet(project["requires-python"])
    return [f"3.{minor}" for minor in range(50) if specifier.contains(f"3.{minor}")]


def test_the_three_workflows_are_there() -> None:
    assert [path.name for path in WORKFLOWS] == ["pages.yml", "test.yml", "weekly.yml"]


@every_workflow
def test_every_action_is_pinned_to_a_commit_with_its_version(path: Path) -> None:
    lines = [line.strip().removeprefix("- ") for line in path.read_text("utf-8").splitlines() if "uses:" in line]
    assert lines
    loose = [line for line in lines if not PINNED.search(line)]
    assert not loose, (
        f"{path.name}: pin these to a commit, as in 'uses: owner/action@<40 hex digits> # v1.2.3': {loose}"
    )


def test_one_action_has_one_commit_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r"uses: ([^@\s]+)@(.+)", path.read_text("utf-8")):
            pins.setdefault(action, set()).add(pin)
    assert not {action: found for action, found in pins.items() if len(found) > 1}


@every_workflow
def test_rights_are_the_fewest(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in workflow["jobs"].items():
        rights = job["permissions"]
        assert isinstance(rights, dict), f"{path.name}, {name}: name each right"
        writing = {right for right, level in rights.items() if level == "write"}
        if steps(job, "actions/deploy-pages"):
            assert rights == {"pages": "write", "id-token": "write"}
            assert job["environment"]["name"] == "github-pages"
        elif "nox -s publish_notebooks" in [step.get("run") for step in job["steps"]]:
            assert rights == {"contents": "write"}
            assert job["needs"] == "deploy"
        else:
            assert not writing, f"{path.name}, {name} may write {writing}, but only the jobs that publish need to"
            assert set(rights) <= {"contents", "pages"}


@every_workflow
def test_jobs_end_and_runs_do_not_pile_up(path: Path) -> None:
    workflow = load(path)
    assert workflow["concurrency"]["group"]
    for name, job in workflow["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 60, f"{path.name}, {name}"


@every_workflow
def test_no_credentials_stay_and_no_template_reaches_a_shell(path: Path) -> None:
    for job in load(path)["jobs"].values():
        for step in steps(job, "actions/checkout"):
            assert step["with"]["persist-credentials"] is False
    assert not [line for line in scripts(path) if "${{" in line]
    # YAML 1.1 reads the key `on` as true.
    events = load(path)[True]  # type: ignore[index]
    assert "pull_request_target" not in events
    assert "workflow_run" not in events


def test_workflows_and_readme_give_the_same_commands() -> None:
    run = {line for path in WORKFLOWS for line in scripts(path)}
    readme = (ROOT / "README.md").read_text("utf-8")
    for command in COMMANDS:
        assert command in run
        assert command in readme, f"the README does not say '{command}'"


@every_workflow
def test_every_command_is_a_session_of_the_noxfile(path: Path) -> None:
    sessions = set(re.findall(r"^@nox\.session.*\ndef (\w+)\(", (ROOT / "noxfile.py").read_text("utf-8"), re.M))
    for line in scripts(path):
        if line == "pip install nox":
            continue
        assert line.startswith("nox -s "), f"{path.name}: a newcomer has no such command: {line}"
        assert set(line.partition(" -- ")[0].split()[2:]) <= sessions, (
            f"{path.name}: the noxfile has no such session: {line}"
        )


def test_oldest_and_newest_python_on_three_systems() -> None:
    (job,) = (job for job in load(GITHUB / "workflows" / "test.yml")["jobs"].values() if "strategy" in job)
    matrix = job["strategy"]["matrix"]
    pythons = supported_pythons()
    assert {pythons[0], pythons[-1]} <= set(matrix["python"])
    assert set(matrix["python"]) <= set(pythons)
    assert set(matrix["os"]) == {"ubuntu-latest", "macos-latest", "windows-latest"}
    assert job["runs-on"] == "${{ matrix.os }}"
    (python,) = steps(job, "actions/setup-python")
    assert python["with"]["python-version"] == "${{ matrix.python }}"


@every_workflow
def test_other_jobs_use_a_supported_python_and_the_lock_keys_the_cache(path: Path) -> None:
    for job in load(path)["jobs"].values():
        for step in steps(job, "actions/setup-python"):
            options = step["with"]
            assert options["python-version"] in [*supported_pythons(), "${{ matrix.python }}"]
            if "cache" in options:
                assert options["cache-dependency-path"] == "requirements/dev.txt"


def test_a_missing_browser_fails_on_linux() -> None:
    text = (GITHUB / "workflows" / "test.yml").read_text("utf-8")
    assert "RECURRENCE_REQUIRE_BROWSER: ${{ matrix.os == 'ubuntu-latest' && '1' || '' }}" in text


def test_the_site_is_built_for_its_own_address_and_published_from_main_alone() -> None:
    workflow = load(GITHUB / "workflows" / "pages.yml")
    events = workflow[True]  # type: ignore[index]
    assert events["push"] == {"branches": ["main"]}
    assert "pull_request" not in events
    build, deploy = workflow["jobs"]["build"], workflow["jobs"]["deploy"]
    assert build["if"] == "github.ref == 'refs/heads/main'"
    assert deploy["needs"] == "build"
    (configure,) = steps(build, "actions/configure-pages")
    (nox,) = (step for step in build["steps"] if step.get("run") == "nox -s pyodide book")
    assert nox["env"]["RECURRENCE_SITE_URL"] == f"${{{{ steps.{configure['id']}.outputs.base_url }}}}"
    (upload,) = steps(build, "actions/upload-pages-artifact")
    assert upload["with"]["path"] == "_build/html"


def test_executed_pages_are_cached_by_what_they_depend_on() -> None:
    build = load(GITHUB / "workflows" / "pages.yml")["jobs"]["build"]
    (cache,) = steps(build, "actions/cache")
    options = cache["with"]
    assert options["path"] == "_build/.jupyter_cache"
    for pattern in ("code/**", "requirements/dev.txt", "book/**"):
        assert pattern in options["key"]
    # What is restored in place of an exact match was at least made by the same package and the same lock.
    assert options["key"].startswith(options["restore-keys"])
    assert "code/**" in options["restore-keys"]
    assert "requirements/dev.txt" in options["restore-keys"]


@pytest.mark.parametrize("name", ["error", "idea"])
def test_issue_forms_have_what_github_asks_for(name: str) -> None:
    form = load(GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml")
    assert form["name"]
    assert form["description"]
    fields = [entry for entry in form["body"] if entry["type"] != "markdown"]
    ids = [field["id"] for field in fields]
    assert len(set(ids)) == len(ids)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_the_site_can_fill_in_page_and_section() -> None:
    """GitHub fills a field from the query parameter of its id: ``issues/new?template=error.yml&page=…&section=…``."""
    form = load(GITHUB / "ISSUE_TEMPLATE" / "error.yml")
    types = {entry.get("id"): entry["type"] for entry in form["body"]}
    assert types["page"] == types["section"] == "input"


def test_a_fork_needs_no_edit() -> None:
    """No file that GitHub or Binder reads names the repository: a fork's runs and links are the fork's own."""
    address = load(ROOT / "CITATION.cff")["repository-code"]
    name = address.removeprefix("https://github.com/").encode()
    for path in [*GITHUB.rglob("*"), *(ROOT / ".binder").rglob("*"), ROOT / "noxfile.py"]:
        if path.is_file():
            assert name not in path.read_bytes(), path.relative_to(ROOT).as_posix()


def test_the_notebooks_that_are_published_are_those_of_the_build() -> None:
    jobs = load(GITHUB / "workflows" / "pages.yml")["jobs"]
    (upload,) = steps(jobs["build"], "actions/upload-artifact")
    (download,) = steps(jobs["notebooks"], "actions/download-artifact")
    assert upload["with"]["name"] == download["with"]["name"]
    assert upload["with"]["path"] == download["with"]["path"] == "_build/notebooks"
    assert upload["with"]["if-no-files-found"] == "error"
    (publish,) = (step for step in jobs["notebooks"]["steps"] if step.get("run") == "nox -s publish_notebooks")
    assert publish["env"] == {"GITHUB_TOKEN": "${{ github.token }}"}
    # Nothing else of that job sees the token.
    assert sum("github.token" in str(step) for step in jobs["notebooks"]["steps"]) == 1
