"""Every page is valid HTML, as far as rules that need no other program can tell.

Stricter than the standard in one point: every element that is opened is closed, in order, although the standard lets
some end tags be left out. `nox -s validate` asks the Nu HTML checker, which knows all rules.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

Attributes = list[tuple[str, str | None]]


def words(text: str) -> set[str]:
    return set(text.split())


def each(names: str, value: set[str]) -> dict[str, set[str]]:
    return dict.fromkeys(names.split(), value)


VOID = words("area base br col embed hr img input link meta source track wbr")
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
PHRASING = words(
    "a abbr area audio b bdi bdo br button canvas cite code data datalist del dfn em embed i iframe img input ins kbd "
    "label link map mark math meta meter noscript object output picture progress q ruby s samp script select slot "
    "small span strong sub sup svg template textarea time u var video wbr"
)
FLOW = PHRASING | HEADINGS
FLOW |= words(
    "address article aside blockquote details dialog div dl fieldset figure footer form header hgroup hr main menu nav "
    "ol p pre search section table ul"
)
HELPERS = {"script", "template"}
# What an element may hold as its children; transparent ones hold what their parent may.
CONTENT = {
    "html": {"head", "body"},
    "head": words("base link meta noscript script style template title"),
    **each("ul ol menu", {"li"} | HELPERS),
    "dl": {"dt", "dd", "div"} | HELPERS,
    "dt": FLOW - HEADINGS - {"article", "aside", "footer", "header", "nav", "section"},
    "table": words("caption colgroup thead tbody tfoot tr") | HELPERS,
    "colgroup": {"col", "template"},
    **each("thead tbody tfoot", {"tr"} | HELPERS),
    "tr": {"td", "th"} | HELPERS,
    "th": FLOW - HEADINGS - {"article", "aside", "footer", "header", "nav", "section"},
    "caption": FLOW - {"table"},
    "select": {"optgroup", "option", "hr"} | HELPERS,
    "optgroup": {"option"} | HELPERS,
    "datalist": PHRASING | {"option"},
    "picture": {"source", "img"} | HELPERS,
    "details": FLOW | {"summary"},
    "figure": FLOW | {"figcaption"},
    "fieldset": FLOW | {"legend"},
    "hgroup": HEADINGS | {"p"} | HELPERS,
    "ruby": PHRASING | {"rt", "rp"},
    **each("summary legend", PHRASING | HEADINGS),
    **each("option textarea title script style iframe", set()),
    **each("td li dd body figcaption blockquote address", FLOW),
}
TRANSPARENT = {"a", "ins", "del", "map", "noscript", "canvas", "object", "slot", "video", "audio"}
ONLY_PHRASING = HEADINGS | words(
    "p pre span em strong small s cite q dfn abbr data time code var samp kbd sub sup i b u mark bdi bdo label button "
    "output progress meter rt rp"
)
INTERACTIVE = {"a", "button", "details", "embed", "iframe", "input", "label", "select", "textarea"}
NO_TEXT = words("html head ul ol menu dl table colgroup thead tbody tfoot tr select optgroup picture")
# Inside the first no second: not as a child, and not further down.
NEVER_INSIDE = {
    **each("a button", INTERACTIVE),
    "label": {"label"},
    "form": {"form"},
    "header": {"header", "footer", "main"},
    "footer": {"header", "footer", "main"},
    "dfn": {"dfn"},
    **each("article aside nav", {"main"}),
}
MATHML = words(
    "annotation maction math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot "
    "mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover semantics"
)
MATHML_LEAVES = {"mi", "mn", "mo", "ms", "mtext", "mspace", "annotation"}

GLOBAL = words(
    "accesskey autocapitalize autocorrect autofocus class contenteditable dir draggable enterkeyhint hidden id inert "
    "inputmode itemid itemprop itemref itemscope itemtype lang nonce popover role slot spellcheck style tabindex title "
    "translate"
)
SUBMITS = "form formaction formenctype formmethod formnovalidate formtarget popovertarget popovertargetaction"
MEDIA = "autoplay controls crossorigin loop muted preload src"
OWN = {
    "a": "download href hreflang ping referrerpolicy rel target type",
    "area": "alt coords download href ping referrerpolicy rel shape target",
    "audio": MEDIA,
    "base": "href target",
    "blockquote": "cite",
    "button": f"{SUBMITS} command commandfor disabled name type value",
    "canvas": "height width",
    "col": "span",
    "colgroup": "span",
    "data": "value",
    "del": "cite datetime",
    "details": "name open",
    "dialog": "closedby open",
    "embed": "height src type width",
    "fieldset": "disabled form name",
    "form": "accept-charset action autocomplete enctype method name novalidate rel target",
    "iframe": "allow allowfullscreen height loading name referrerpolicy sandbox src srcdoc width",
    "img": "alt crossorigin decoding fetchpriority height ismap loading referrerpolicy sizes src srcset usemap width",
    "input": f"{SUBMITS} accept alt autocomplete checked dirname disabled height list max maxlength min minlength "
    "multiple name pattern placeholder readonly required size src step type value width",
    "ins": "cite datetime",
    "label": "for",
    "li": "value",
    "link": "as blocking color crossorigin disabled fetchpriority href hreflang imagesizes imagesrcset integrity media "
    "referrerpolicy rel sizes type",
    "map": "name",
    "meta": "charset content http-equiv media name property",
    "meter": "high low max min optimum value",
    "object": "data form height name type width",
    "ol": "reversed start type",
    "optgroup": "disabled label",
    "option": "disabled label selected value",
    "output": "for form name",
    "progress": "max value",
    "q": "cite",
    "script": "async blocking crossorigin defer fetchpriority integrity nomodule referrerpolicy src type",
    "select": "autocomplete disabled form multiple name required size",
    "slot": "name",
    "source": "height media sizes src srcset type width",
    "style": "blocking media",
    "td": "colspan headers rowspan",
    "textarea": "autocomplete cols dirname disabled form maxlength minlength name placeholder readonly required rows "
    "wrap",
    "th": "abbr colspan headers rowspan scope",
    "time": "datetime",
    "track": "default kind label src srclang",
    "video": f"{MEDIA} height playsinline poster width",
}
KNOWN = set(CONTENT) | FLOW | VOID | set(OWN)
KNOWN |= {child for children in CONTENT.values() for child in children}
POINTERS = {"for", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns", "aria-details", "headers"}
NOT_ON_TICKS = {"autocomplete", "placeholder", "readonly", "min", "max", "step", "maxlength", "minlength", "pattern"}


class Page(HTMLParser):
    """Reads a page from tag to tag and notes in `errors` what breaks a rule, each with its line."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.errors: list[str] = []
        self.open: list[tuple[str, set[str], list[str]]] = []  # names, attributes, names of the children so far
        self.ids: set[str] = set()
        self.pointers: list[tuple[str, str]] = []
        if not text.lstrip().lower().startswith("<!doctype html>"):
            self.wrong("the page does not begin with <!DOCTYPE html>")
        self.feed(text)
        self.close()
        for name, *_ in self.open:
            self.wrong(f"<{name}> is never closed")
        self.errors += [f"{where} leads to no id of the page" for where, name in self.pointers if name not in self.ids]

    def wrong(self, what: str) -> None:
        self.errors.append(f"line {self.getpos()[0]}: {what}")

    @property
    def names(self) -> list[str]:
        return [name for name, *_ in self.open]

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.attributes(tag, attrs)
        self.place(tag, {name for name, _ in attrs})
        if self.open:
            self.open[-1][2].append(tag)
        if tag not in VOID:
            self.open.append((tag, {name for name, _ in attrs}, []))

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            if not {"svg", "math"} & set(self.names):
                self.wrong(f"<{tag}/> does not close the element")
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or not self.open or self.open[-1][0] != tag:
            self.wrong(f"</{tag}> where {self.names[-1:]} is open")
            if tag in self.names:
                while self.open.pop()[0] != tag:
                    pass
            return
        name, _, children = self.open.pop()
        first_only = {"details": "summary", "fieldset": "legend", "table": "caption"}.get(name)
        if first_only in children[1:] or (name == "details" and "summary" not in children):
            self.wrong(f"<{first_only}> is not the first child of <{name}>")
        if name == "figure" and "figcaption" in children[1:-1]:
            self.wrong("<figcaption> is neither first nor last in <figure>")

    def handle_data(self, data: str) -> None:
        holder = self.open[-1][0] if self.open else "html"
        if data.strip() and holder in NO_TEXT:
            self.wrong(f"text stands in {holder}, which holds elements only")

    def handle_entityref(self, name: str) -> None:
        if f"{name};" not in html.entities.html5:
            self.wrong(f"&{name}; is no character")

    def attributes(self, tag: str, attrs: Attributes) -> None:
        names = [name for name, _ in attrs]
        values = {name: value or "" for name, value in attrs}
        if len(names) != len(set(names)):
            self.wrong(f"<{tag}> has an attribute twice: {names}")
        for name, value in values.items():
            if name == "id":
                if value in self.ids or not value or re.search(r"\s", value):
                    self.wrong(f"the id {value!r} is empty, has a space, or was there before")
                self.ids.add(value)
            if name in POINTERS:
                self.pointers += [(f"line {self.getpos()[0]}: {name}={value}", each) for each in value.split()]
        if {"svg", "math"} & {tag, *self.names}:
            return
        allowed = GLOBAL | words(OWN.get(tag, ""))
        for name in values:
            if name not in allowed and not name.startswith(("data-", "aria-", "on")):
                self.wrong(f"<{tag}> has no attribute {name}")
        if tag == "img" and not {"src", "alt"} <= values.keys():
            self.wrong("<img> without src or alt")
        if tag == "html" and not values.get("lang"):
            self.wrong("<html> without lang")
        if tag == "input" and values.get("type") in ("checkbox", "radio", "button", "submit"):
            self.errors += [
                f"line {self.getpos()[0]}: {name} means nothing here" for name in NOT_ON_TICKS & values.keys()
            ]

    def place(self, tag: str, attributes: set[str]) -> None:
        """Whether the element may stand where it does."""
        names = self.names
        parent = names[-1] if names else ""
        if "svg" in names:
            return
        if "math" in names:
            if tag not in MATHML:
                self.wrong(f"<{tag}> is no element of MathML")
            elif parent in MATHML_LEAVES:
                self.wrong(f"<{tag}> stands in <{parent}>, which holds text only")
            return
        if tag not in KNOWN and "-" not in tag:
            self.wrong(f"<{tag}> is no element of HTML, or is one no longer")
            return
        for outer in names:
            if tag in NEVER_INSIDE.get(outer, set()) and not (tag == "a" and "href" not in attributes):
                self.wrong(f"<{tag}> stands inside <{outer}>")
        holders = [name for name in names if name not in TRANSPARENT]
        holder = holders[-1] if holders else ""
        if parent == "noscript" and holder == "head":
            may = {"link", "meta", "style"}
        elif holder == "div" and "dl" in holders[-2:-1]:
            may = {"dt", "dd"} | HELPERS
        elif holder in ONLY_PHRASING:
            may = PHRASING
        else:
            may = CONTENT.get(holder, FLOW) if holder else {"html"}
        if tag not in may and "-" not in tag:
            self.wrong(f"<{tag}> may not stand in <{holder}>")


def errors(text: str) -> list[str]:
    return Page(text).errors


def pages_of(site: Path) -> list[Path]:
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.relative_to(site).parts]


def test_pages_are_valid(site: Path) -> None:
    pages = pages_of(site)
    assert len(pages) > 20
    found = {path.relative_to(site).as_posix(): errors(path.read_text("utf-8")) for path in pages}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


SOUND = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>T</title></head><body><main>
<h1 id="t">T</h1><p>A <a href="#t">link</a>, &amp; <math><mi>x</mi></math><br/></p><ul><li><p>1</p></li></ul>
<details><summary>S</summary><pre>code</pre></details><label>n <input type="number" min="1"></label>
<svg viewBox="0 0 1 1"><path d="M0 0"/></svg><dl><dt>a</dt><dd>b</dd></dl>%s</main></body></html>"""


def test_a_sound_page_has_no_error() -> None:
    assert errors(SOUND % "") == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("<p>open", "where ['p'] is open"),
        ("</p>", "</p> where"),
        ("<b><i></b></i>", "</b> where ['i']"),
        ("<div/>", "does not close"),
        ("<p><ul><li></li></ul></p>", "<ul> may not stand in <p>"),
        ("<p><a href='x'><div></div></a></p>", "<div> may not stand in <p>"),
        ("<pre><div></div></pre>", "<div> may not stand in <pre>"),
        ("<details><summary><p>S</p></summary></details>", "<p> may not stand in <summary>"),
        ("<details><p>S</p></details>", "<summary> is not the first"),
        ("<ul><ul><li></li></ul></ul>", "<ul> may not stand in <ul>"),
        ("<ul>text</ul>", "text stands in ul"),
        ("<li></li>", "<li> may not stand in <main>"),
        ("<table><td></td></table>", "<td> may not stand in <table>"),
        ("<table><tr><td></td></tr><caption></caption></table>", "<caption> is not the first"),
        ("<figure><p></p><figcaption></figcaption><p></p></figure>", "neither first nor last"),
        ("<a href='x'><button type='button'>b</button></a>", "<button> stands inside <a>"),
        ("<label><label></label></label>", "<label> stands inside <label>"),
        ("<center></center>", "no element of HTML"),
        ("<div align='left'></div>", "no attribute align"),
        ("<img src='x'>", "without src or alt"),
        ("<p class='a' class='b'></p>", "an attribute twice"),
        ("<p id='t'></p>", "the id 't'"),
        ("<p id=''></p>", "the id ''"),
        ("<p aria-describedby='nowhere'></p>", "leads to no id"),
        ("<label for='nowhere'></label>", "leads to no id"),
        ("<input type='checkbox' autocomplete='off'>", "autocomplete means nothing here"),
        ("<p>&nonsense;</p>", "&nonsense;"),
        ("<math><mi><mo>x</mo></mi></math>", "<mo> stands in <mi>"),
        ("<math><b>x</b></math>", "no element of MathML"),
        ("<style></style>", "<style> may not stand"),
        ("<main></main><p>", "where ['p'] is open"),
    ],
)
def test_faults_are_found(fault: str, said: str) -> None:
    found = errors(SOUND % fault)
    assert any(said in error for error in found), found


@pytest.mark.parametrize(
    ("of", "to", "said"),
    [
        ("<!DOCTYPE html>", "", "does not begin"),
        (' lang="en"', "", "without lang"),
        ("</body></html>", "", "never closed"),
        ("<title>", "<p></p><title>", "<p> may not stand in <head>"),
    ],
)
def test_faults_of_the_whole_are_found(of: str, to: str, said: str) -> None:
    assert any(said in error for error in errors((SOUND % "").replace(of, to)))
