"""What a link leads to is cut from its page whole, slim, and only where a card could show it."""

from __future__ import annotations

import json

import pytest

from recurrence_book import previews

GLOSSARY = """<head><meta name="description" content="Terms &amp; words." /></head>
<article class="bd-article">
<section id="glossary">
<h1>Glossary<a class="headerlink" href="#glossary">#</a></h1>
<dl class="simple glossary">
<dt id="term-leak">leak<a class="headerlink" href="#term-leak">#</a></dt><dd><p>The share <b id="x">α</b>.</p>
<p>More.</p>
</dd>
<dt id="term-two">one name</dt><dt id="term-three">another</dt><dd><p>Both.</p></dd>
</dl>
<section id="module-a"><span id="b"></span>
<h2>Plain</h2>
<div class="cell"><details><summary><p class="admonition-title">Show</p></summary></details></div>
<figure id="fig-a"><img alt="a &gt; b" src="../_images/a.svg"><img alt="" src="pic.svg"/>
<figcaption><p>Caption.</p></figcaption></figure>
<p>First <a class="reference internal" href="#b">words</a>.</p><p>Second.</p>
</section></section>
</article>"""

CHAPTER = """<nav><a class="reference internal" href="../reference/elsewhere.html">nav</a></nav>
<article class="bd-article"><p>
<a class="reference internal" href="../reference/glossary.html#term-leak">leak</a>
<a class="reference internal" href="../reference/glossary.html#term-leak">leak</a>
<a class="reference internal" href="../reference/glossary.html"><span>terms</span></a>
<a class="reference internal" href="../reference/glossary.html#gone">gone</a>
<a class="reference internal" href="#here">here</a>
<a class="reference internal" href="../_modules/recurrence/time.html#scan">source</a>
<a class="reference internal" href="../missing.html">missing</a>
<a class="reference external" href="https://example.org/a.html">out</a>
</p></article>"""


def test_links_to_other_pages_are_found_once() -> None:
    assert previews.linked(CHAPTER, "basics/neuron") == {
        ("reference/glossary", "term-leak"),
        ("reference/glossary", ""),
        ("reference/glossary", "gone"),
        ("missing", ""),
    }


@pytest.mark.parametrize(
    ("anchor", "expected"),
    [
        ("term-leak", "<dl><dt>leak</dt><dd><p>The share <b>α</b>.</p></dd></dl>"),
        ("term-two", "<dl><dt>one name</dt><dd><p>Both.</p></dd></dl>"),
        ("module-a", "<section><h2>Plain</h2><p>First words.</p></section>"),
        ("b", "<section><h2>Plain</h2><p>First words.</p></section>"),
        ("", "<section><h1>Glossary</h1><p>Terms &amp; words.</p></section>"),
        ("absent", ""),
    ],
)
def test_excerpt_is_what_a_card_shows(anchor: str, expected: str) -> None:
    assert previews.slim(previews.excerpt(GLOSSARY, anchor), "reference/glossary") == expected


def test_a_figure_is_whole_and_its_pictures_are_named_from_the_root() -> None:
    fragment = previews.slim(previews.excerpt(GLOSSARY, "fig-a"), "reference/glossary")
    assert fragment.startswith("<figure>")
    assert fragment.endswith("<figcaption><p>Caption.</p></figcaption></figure>")
    assert 'alt="a &gt; b" src="%root%/_images/a.svg"' in fragment
    assert 'src="%root%/reference/pic.svg"' in fragment


def test_gathered_are_those_that_exist() -> None:
    found = previews.gather({"basics/neuron": CHAPTER, "reference/glossary": GLOSSARY})
    assert set(found) == {"reference/glossary.html", "reference/glossary.html#term-leak"}


def test_nested_and_void_elements_end_where_they_end() -> None:
    text = '<div id="a"><div><br><img src="x"><path d="M0 0"/></div><p title="</div>">b</p></div><div>c</div>'
    assert previews.element(text, 0) == text.removesuffix("<div>c</div>")


def test_the_file_is_a_call_with_any_text() -> None:
    data = {"a.html#b": '<p>"quoted" \\sqrt{x} – φ</p>'}
    script = previews.as_script(data)
    assert json.loads(script.removeprefix("recurrencePreviews(").removesuffix(");\n")) == data
