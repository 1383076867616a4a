"""Files: where they are looked for, how they are fetched, and that nothing wrong or half-written is left or used."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from recurrence.data import DataError, fetch

BAD = ["missing", "hangs", "page", "wrong", "longer", "truncated", "stalls"]


def get(file, timeout=0.3):
    return fetch.fetch(file, progress=False, timeout=timeout)


def names(folder):
    return [path.name for path in folder.iterdir()]


def refusal(file, **options):
    with pytest.raises(DataError) as caught:
        get(file, **options)
    sentence = str(caught.value)
    assert file.name in sentence
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


# From the network


@pytest.mark.parametrize("behaviour", ["good", "unsized"])
def test_a_file_is_fetched_once(mirror, cache, behaviour):
    file = mirror.file(behaviour)
    assert fetch.locate(file) is None
    assert get(file) == get(file) == fetch.locate(file) == cache / file.name
    assert (cache / file.name).read_bytes() == mirror.content
    assert names(cache) == [file.name]
    assert mirror.asked == [behaviour]


@pytest.mark.parametrize("bad", BAD)
def test_the_next_mirror_is_asked(mirror, cache, bad):
    assert get(mirror.file(bad, "good")).read_bytes() == mirror.content
    assert mirror.asked == [bad, "good"]
    assert len(names(cache)) == 1


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("missing", "127.0.0.1: HTTP status 404"),
        ("hangs", "127.0.0.1: no answer in time"),
        ("stalls", "127.0.0.1: no answer in time"),
        ("page", "127.0.0.1: it sent another file"),
        ("wrong", "127.0.0.1: it sent another file"),
        ("longer", "127.0.0.1: it sent another file"),
        ("truncated", "127.0.0.1: the connection broke off"),
    ],
)
def test_without_a_good_mirror_nothing_is_left(mirror, cache, bad, said):
    sentence = refusal(mirror.file(bad))
    assert said in sentence
    assert "RECURRENCE_DATA is not set" in sentence and str(cache) in sentence
    assert "connect to the network and try again, or put numbers.bin into a folder of yours" in sentence
    assert names(cache) == []


def test_every_mirror_that_failed_is_named(mirror):
    file = mirror.file("missing", "wrong")
    file = replace(file, mirrors=(*file.mirrors, "http://127.0.0.1:9/numbers.bin"))
    assert "(127.0.0.1: HTTP status 404; 127.0.0.1: it sent another file; 127.0.0.1: no connection)" in refusal(file)


def test_the_bar_names_the_file_and_pooch_is_silent(mirror, capsys):
    fetch.fetch(mirror.file("good"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "numbers.bin" in shown.err and "300k" in shown.err and "Downloading" not in shown.err
    get(mirror.file("good", name="others.bin"))
    assert capsys.readouterr().err == ""


# In the folders


def test_the_own_folder_is_first(mirror, own, cache):
    file = mirror.file("good")
    (own / file.name).write_bytes(mirror.content)
    assert get(file) == fetch.locate(file) == own / file.name
    assert mirror.asked == [] and not cache.exists()


def test_what_the_own_folder_lacks_is_cached_and_not_put_there(mirror, own, cache):
    file = mirror.file("good")
    assert get(file) == get(file) == cache / file.name
    assert mirror.asked == ["good"]
    assert not list(own.iterdir())
    assert f"it is not in {own}, which RECURRENCE_DATA names" in refusal(mirror.file("missing", name="other"))


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 300_000])
def test_a_damaged_file_of_the_user_is_named_and_left_alone(mirror, own, cache, content):
    file = mirror.file("good")
    (own / file.name).write_bytes(content)
    sentence = refusal(file)
    assert f"{own / file.name} is damaged or another file" in sentence and file.sha256[:12] in sentence
    assert (own / file.name).read_bytes() == content
    assert mirror.asked == [] and not cache.exists()


def test_a_damaged_file_in_the_cache_is_replaced(mirror, cache):
    file = mirror.file("good")
    get(file)
    (cache / file.name).write_bytes(mirror.content[:-1])
    assert fetch.locate(file) is None
    assert get(file).read_bytes() == mirror.content
    assert mirror.asked == ["good", "good"]


def test_a_damaged_file_in_the_cache_is_not_kept_without_a_network(mirror, cache):
    cache.mkdir(parents=True)
    file = mirror.file("missing")
    (cache / file.name).write_bytes(b"damaged")
    assert f"and only a damaged copy is in the cache {cache}, and no mirror gave it" in refusal(file)
    assert names(cache) == []


def test_a_folder_that_is_none_is_named(mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRENCE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(
        DataError, match=r"RECURRENCE_DATA names .*nowhere, which is no folder; correct it, or unset it"
    ):
        get(mirror.file("good"))
    assert mirror.asked == []


def test_an_empty_variable_is_an_unset_one_and_a_tilde_is_home(own, monkeypatch):
    monkeypatch.setenv("RECURRENCE_DATA", "")
    assert fetch.own_folder() is None
    monkeypatch.setenv("HOME", str(own.parent))
    monkeypatch.setenv("USERPROFILE", str(own.parent))
    monkeypatch.setenv("RECURRENCE_DATA", "~/own")
    assert fetch.own_folder() == own


def test_a_folder_in_the_place_of_a_file_is_named(mirror, own):
    file = mirror.file("good")
    (own / file.name).mkdir()
    assert f"{own / file.name} cannot be read" in refusal(file)


def test_a_file_without_a_home_must_be_put_there(mirror, own):
    file = mirror.file()
    sentence = refusal(file)
    assert "it has no stable home on the network; put numbers.bin into a folder of yours" in sentence
    (own / file.name).write_bytes(mirror.content)
    assert get(file) == own / file.name


# What goes wrong on this machine


def test_a_cache_that_cannot_be_made_is_named(mirror, cache):
    cache.parent.write_text("a file where a folder should be")
    sentence = refusal(mirror.file("good", "good"))
    assert f"cannot be written to the cache folder {cache} (" in sentence
    assert "make that folder writable, or put numbers.bin into a folder of yours" in sentence


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_a_cache_that_must_not_be_written_is_named(mirror, cache):
    cache.mkdir(parents=True)
    cache.chmod(0o500)
    try:
        assert "(Permission denied)" in refusal(mirror.file("good"))
    finally:
        cache.chmod(0o700)


def test_a_refusal_of_the_system_is_told_in_its_own_words(mirror, monkeypatch):
    import pooch

    def refuse(*_, **__):
        try:
            raise PermissionError(errno.EACCES, "Permission denied")
        except PermissionError as error:
            raise PermissionError("pooch's own words") from error

    monkeypatch.setattr(pooch, "retrieve", refuse)
    assert "(Permission denied); make that folder writable" in refusal(mirror.file("good"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "the connection broke off"),
        (TimeoutError(errno.ETIMEDOUT, "no words that tell"), "no answer in time"),
    ],
)
def test_a_fault_of_the_network_is_not_taken_for_one_of_the_disk(mirror, cache, monkeypatch, error, said):
    def fail(*_):
        raise error

    monkeypatch.setattr(fetch._AtMost, "write", fail)
    assert f"(127.0.0.1: {said}; 127.0.0.1: {said})" in refusal(mirror.file("good", "good"))
    assert names(cache) == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_interrupts_a_download_leaves_nothing(mirror, cache, monkeypatch, error):
    write = fetch._AtMost.write

    def interrupted(self, piece):
        write(self, piece)
        assert len(names(cache)) == 1
        raise error

    file = mirror.file("good", "good")
    with monkeypatch.context() as patch:
        patch.setattr(fetch._AtMost, "write", interrupted)
        with pytest.raises((DataError, KeyboardInterrupt)) as caught:
            get(file)
    if isinstance(error, OSError):
        assert "needs 300,000 bytes, which no longer fit on the disk of" in str(caught.value)
    assert mirror.asked == ["good"]
    assert names(cache) == []
    assert get(file).read_bytes() == mirror.content


@pytest.mark.skipif(os.name != "posix", reason="only there is Ctrl-C a signal that can be sent to one process")
def test_ctrl_c_leaves_nothing(mirror, tmp_path):
    file = mirror.file("stalls")
    code = f"""
import pathlib, pooch
pooch.os_cache = lambda project: pathlib.Path({str(tmp_path)!r}) / "cache"
from recurrence.data import File, fetch
fetch.fetch({file!r}, timeout=20)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    unfinished = []
    deadline = time.monotonic() + 20
    while not unfinished and time.monotonic() < deadline:
        unfinished = [path for path in tmp_path.glob("cache/*") if path.stat().st_size]
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert unfinished and b"KeyboardInterrupt" in said
    assert not list(tmp_path.glob("cache/*"))


def test_without_pooch_there_is_still_the_own_folder(mirror, own, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    file = mirror.file("good")
    with pytest.raises(DataError, match="pooch, which is not installed; install it, or put the files into a folder"):
        get(file)
    (own / file.name).write_bytes(mirror.content)
    assert get(file) == own / file.name
