"""What tests of data sets share: an empty cache, mirrors on this machine, a small MNIST, and the real files if any."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from recurrence import data
from recurrence.data import File, idx, mnist

REAL = os.environ.get("RECURRENCE_DATA")
CONTENT = np.random.default_rng(0).bytes(300_000)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test an empty cache, no folder of its own, and no proxy."""
    import pooch

    monkeypatch.delenv("RECURRENCE_DATA", raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "caches" / project)
    return tmp_path / "caches" / "recurrence"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder of the user's own and name it in RECURRENCE_DATA."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("RECURRENCE_DATA", str(folder))
    return folder


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], data.Dataset]:
    """Load a data set from the real files, where RECURRENCE_DATA named them when the tests began."""

    def load(name: str) -> data.Dataset:
        missing = [file.name for file in data.find(name).card.files if not REAL or not Path(REAL, file.name).exists()]
        if missing:
            pytest.skip(f"the real {', '.join(missing)} are not in a folder that RECURRENCE_DATA names")
        monkeypatch.setenv("RECURRENCE_DATA", str(REAL))
        return data.load(name)

    return load


@dataclass
class Mirror:
    """A server on this machine: the first part of an address says how it misbehaves."""

    address: str
    asked: list[str] = field(default_factory=list)
    content: bytes = CONTENT
    contents: dict[str, bytes] = field(default_factory=dict)

    def file(self, *behaviours: str, name: str = "numbers.bin") -> File:
        """Describe a file and the mirrors that behave like this, in this order."""
        content = self.contents.get(name, self.content)
        mirrors = tuple(f"{self.address}/{behaviour}/{name}" for behaviour in behaviours)
        return File(name, hashlib.sha256(content).hexdigest(), len(content), mirrors)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, behaviour, name = self.path.split("/")
            served.asked.append(behaviour)
            content = served.contents.get(name, served.content)
            if behaviour == "missing":
                self.send_error(404)
                return
            if behaviour == "hangs":
                closing.wait(10)
                return
            self.send_response(200)
            if behaviour == "page":
                content = b"<html>Please log in.</html>"
            if behaviour == "wrong":
                content = content[::-1]
            if behaviour == "longer":
                content = content + b"more"
            if behaviour != "unsized":
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if behaviour in ("truncated", "stalls"):
                content = content[: len(content) // 2]
            self.wfile.write(content)
            if behaviour == "stalls":
                self.wfile.flush()
                closing.wait(10)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Be calm when a client has given up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        served = Mirror(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        closing.set()
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Small:
    """A tiny set in MNIST's form, with the card and the facts that belong to it."""

    card: data.Card
    facts: mnist.Facts
    images: tuple[np.ndarray, np.ndarray]
    labels: tuple[np.ndarray, np.ndarray]


@pytest.fixture
def small(own: Path) -> Small:
    """Write a tiny MNIST of 40 and 20 images of 5×4 pixels into the user's own folder."""
    rng = np.random.default_rng(0)
    images = tuple(rng.integers(0, 256, (count, 5, 4)).astype(np.uint8) for count in (40, 20))
    labels = tuple((np.arange(count) % 10).astype(np.uint8) for count in (40, 20))
    files = []
    for file, array in zip(mnist.CARD.files, (images[0], labels[0], images[1], labels[1]), strict=True):
        idx.write(own / file.name, array)
        content = (own / file.name).read_bytes()
        files.append(File(file.name, hashlib.sha256(content).hexdigest(), len(content)))
    pixels = images[0] / 255
    facts = mnist.Facts((5, 4), (4,) * 10, (2,) * 10, (round(pixels.mean(), 5), round(pixels.std(), 5)))
    return Small(replace(mnist.CARD, files=tuple(files)), facts, images, labels)
