"""The command `recurrence data`: what it prints and with which status it ends."""

import hashlib
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from recurrence import data as sets
from recurrence.data import Card, Entry, File, digits
from recurrence.workbench.data_command import data

CONTENT = b"what is fetched"


class Quiet(SimpleHTTPRequestHandler):
    """Serve a folder and say nothing about it."""

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Give each test an empty cache, and three sets: one to fetch, one without a home, one whose home is closed."""
    import pooch

    monkeypatch.delenv("RECURRENCE_DATA", raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "caches" / project)
    served = tmp_path / "served"
    served.mkdir()
    (served / "fetched.txt").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        open_home, closed = f"http://127.0.0.1:{server.server_port}/fetched.txt", "http://127.0.0.1:9/shut.txt"
        file = File("fetched.txt", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), (open_home,))
        card = Card("open", "a set to fetch", "CC0", "nobody", files=(file,))
        cards = (
            card,
            replace(card, name="homeless", files=(replace(file, name="homeless.txt", mirrors=()),)),
            replace(card, name="shut", files=(replace(file, name="shut.txt", mirrors=(closed,)),)),
            sets.SETS["digits"].card,
            sets.SETS["adding"].card,
        )
        for name in list(sets.SETS):
            monkeypatch.delitem(sets.SETS, name)
        for one in cards:
            monkeypatch.setitem(sets.SETS, one.name, Entry(one, lambda: None))
        yield tmp_path
        server.shutdown()
        thread.join()


@pytest.fixture
def own(folders, monkeypatch):
    folder = folders / "own"
    folder.mkdir()
    monkeypatch.setenv("RECURRENCE_DATA", str(folder))
    return folder


def run(*words):
    result = CliRunner().invoke(data, words)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


def table(result):
    assert result.exit_code == 0
    head, *rows = result.stdout.splitlines()
    assert head.split() == ["name", "here", "size", "licence", "what", "it", "is"]
    assert all(row == row.rstrip() for row in rows)
    return {row.split("  ")[0]: [cell.strip() for cell in row.split("  ") if cell.strip()][1:] for row in rows}


def test_list_says_what_there_is(own):
    (own / "fetched.txt").write_bytes(CONTENT)
    (own / "shut.txt").write_bytes(b"damaged")
    rows = table(run("list"))
    assert list(rows) == list(sets.SETS)
    assert rows["open"] == ["yes", "0.00 MB", "CC0", "a set to fetch"]
    assert rows["homeless"][0] == "no" and rows["shut"][0] == "damaged"
    assert rows["digits"] == ["in the package", "0.05 MB", "CC BY 4.0", "1,797 handwritten digits, 8×8 pixels"]
    assert rows["adding"][:2] == ["generated", "–"]


def test_fetch_puts_files_into_the_cache(folders):
    result = run("fetch", "open", "digits", "adding")
    cache = folders / "caches" / "recurrence"
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"open: {cache}", "digits: in the package", "adding: generated"]
    assert (cache / "fetched.txt").read_bytes() == CONTENT
    assert table(run("list"))["open"][0] == "yes"
    assert run("fetch", "--quiet", "open").stderr == ""


def test_fetch_goes_on_after_a_failure_and_ends_with_status_1(folders):
    result = run("fetch", "--quiet", "shut", "homeless", "open")
    assert result.exit_code == 1
    assert result.stdout == f"open: {folders / 'caches' / 'recurrence'}\n"
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: shut.txt is not on this machine") and "127.0.0.1: no connection" in first
    assert second.startswith("Error: homeless.txt is not on this machine") and "no stable home" in second


def test_fetch_all_skips_what_has_no_home(monkeypatch):
    monkeypatch.delitem(sets.SETS, "shut")
    result = run("fetch", "--all", "--quiet")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("open: ") and second == "homeless: skipped, for it has no stable home on the network"


@pytest.mark.parametrize("words", [("fetch",), ("fetch", "--all", "open")])
def test_fetch_needs_names_or_all(words):
    result = run(*words)
    assert result.exit_code == 2
    assert "Error: Give either names of data sets or --all" in result.stderr


@pytest.mark.parametrize("command", ["fetch", "where"])
def test_an_unknown_name_is_a_mistake_in_the_command(command):
    result = run(command, "digit")
    assert result.exit_code == 2
    assert "Error: There is no data set 'digit'; did you mean digits?" in result.stderr


def test_where_names_the_folders(folders, own, monkeypatch):
    cache = folders / "caches" / "recurrence"
    assert run("where").stdout.splitlines() == [f"RECURRENCE_DATA: {own}", f"cache: {cache}"]
    monkeypatch.delenv("RECURRENCE_DATA")
    assert run("where").stdout.splitlines() == ["RECURRENCE_DATA: not set", f"cache: {cache}"]


def test_where_names_the_files(own):
    (own / "fetched.txt").write_bytes(CONTENT)
    result = run("where", "open", "digits", "adding")
    assert result.exit_code == 0
    expected = [str(own / "fetched.txt"), str(digits.PATH), "adding is generated and has no file"]
    assert result.stdout.splitlines() == expected


def test_where_says_what_is_missing_or_damaged(own):
    (own / "fetched.txt").write_bytes(b"damaged")
    result = run("where", "open", "homeless", "shut")
    assert result.exit_code == 1 and result.stdout == ""
    damaged, homeless, shut = result.stderr.splitlines()
    assert damaged.startswith(f"Error: {own / 'fetched.txt'} is damaged or another file")
    assert homeless.startswith("Error: homeless lacks homeless.txt on this machine; put them into a folder of yours")
    assert shut == "Error: shut lacks shut.txt on this machine; run 'recurrence data fetch shut'."


@pytest.mark.parametrize("words", [("list",), ("where",), ("where", "open"), ("fetch", "open")])
def test_a_folder_that_is_none_is_told_once(folders, monkeypatch, words):
    monkeypatch.setenv("RECURRENCE_DATA", str(folders / "nowhere"))
    result = run(*words)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: RECURRENCE_DATA names") and "which is no folder" in line


def test_help_names_the_statuses():
    assert "Exit status: 0 if all is well, 1 if data cannot be had, 2" in " ".join(run("--help").stdout.split())
