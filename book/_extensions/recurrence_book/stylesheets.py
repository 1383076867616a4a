"""Style sheets joined into one, without the rules that no page can use.

A rule goes only if each of its selectors names a class, an id or an element that stands in no page and as no word in
any script of the site. What scripts add to a page therefore keeps its style: its name stands in the script, or the
part of it before or after a hyphen where the script puts the name together.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tinycss2
from sphinx.errors import ExtensionError

NESTING = ("media", "supports", "layer", "container")
LICENCE = re.compile(r"^!|licen[cs]e|copyright", re.I)
URL = re.compile(r"""url\(\s*(?P<quote>["']?)(?P<address>(?!data:|[a-z]+:|#|/)[^"')]+)(?P=quote)\s*\)""")
SMALL = 3000  # bytes: a font below this costs less inside the sheet than a request of its own
READ = re.compile(r"var\(\s*(--[\w-]+)")
PLAYED = re.compile(r"animation(?:-name)?:([^;}]*)")

Nodes = Iterable[Any]


@dataclass(frozen=True)
class Names:
    """What selectors may name: classes, ids and elements of the pages, words and beginnings of words of the scripts."""

    classes: frozenset[str]
    ids: frozenset[str]
    elements: frozenset[str]
    words: frozenset[str]
    beginnings: tuple[str, ...]
    ends: tuple[str, ...]

    def has(self, kind: str, name: str) -> bool:
        """Whether a page may have an element of that class or id or name, now or once scripts have run."""
        if kind == "element":
            return name.lower() in self.elements or name.lower() in self.words
        known = self.classes if kind == "class" else self.ids
        return (
            name in known
            or name in self.words
            or name.startswith(self.beginnings)
            or any(name.endswith(end) and name.removesuffix(end) in self.words for end in self.ends)
        )


def names(pages: Iterable[str], scripts: Iterable[str]) -> Names:
    """Names that stand in the pages and, as words, in the scripts; a script inside a page is a script too."""
    classes: set[str] = set()
    ids: set[str] = set()
    elements: set[str] = set()
    read: set[str] = set()
    inside: list[str] = []
    for page in pages:
        for found in set(re.findall(r'\bclass="([^"]*)"', page)):
            classes.update(found.split())
        ids.update(re.findall(r'\bid="([^"]*)"', page))
        elements.update(tag.lower() for tag in set(re.findall(r"<([A-Za-z][\w-]*)", page)))
        read.update(READ.findall(page))
        inside.extend(re.findall(r"<script[^>]*>(.+?)</script>", page, re.S))
    text = "\n".join([*scripts, *set(inside)])
    return Names(
        classes=frozenset(classes),
        ids=frozenset(ids),
        elements=frozenset(elements),
        words=frozenset(re.findall(r"[\w-]+", text)) | read,
        beginnings=tuple(sorted(set(re.findall(r"""\b(\w[\w-]*-)(?:\$\{|["'`])""", text)))),
        ends=tuple(sorted(set(re.findall(r"""["'`}](-[\w-]*\w)\b""", text)))),
    )


@dataclass(frozen=True)
class Block:
    """A rule: what stands before its brace, and inside either declarations, by name, or further rules."""

    head: str
    declarations: tuple[tuple[str, str], ...] = ()
    blocks: tuple[Block, ...] = ()
    statement: bool = False

    def text(self, dropped: set[str]) -> str:
        """The rule as CSS without the dropped variables and keyframes; nothing where nothing is left."""
        if self.statement:
            return f"{self.head};"
        if self.head.startswith("@") and self.head.rpartition("keyframes ")[2] in dropped:
            return ""
        inside = ";".join(f"{name}:{value}" for name, value in self.declarations if name not in dropped)
        inside += "".join(block.text(dropped) for block in self.blocks)
        return f"{self.head}{{{inside}}}" if inside else ""


def join(sheets: Iterable[Path], home: Path, known: Names) -> str:
    """One style sheet in the folder `home` that does for the known names what the sheets do one after another."""
    blocks: list[Block] = []
    licences: list[str] = []
    for sheet in sheets:
        for node in _nodes(sheet, home):
            if node.type == "comment" and LICENCE.search(node.value):
                licences.append(f"/*{node.value}*/")
            blocks.extend(_blocks([node], known))
    return "\n".join(dict.fromkeys(licences)) + "\n" + _without_unread(blocks, known)


def _without_unread(blocks: Sequence[Block], known: Names) -> str:
    """The rules as text, without keyframes that none plays and variables that neither a rule nor a script reads."""
    defined = set(_defined(blocks))
    dropped: set[str] = set()
    while True:
        text = "".join(block.text(dropped) for block in blocks)
        # A variable may be read by one alone that is itself unread: once that is gone, it goes too.
        played = {name for value in PLAYED.findall(text) for name in re.findall(r"[\w-]+", value)}
        unread = defined - set(READ.findall(text)) - played - known.words - dropped
        unread = {name for name in unread if not name.startswith(known.beginnings)}
        if not unread:
            return text
        dropped |= unread


def _defined(blocks: Iterable[Block]) -> Iterator[str]:
    """Names of all variables and keyframes."""
    for block in blocks:
        yield from (name for name, _ in block.declarations if name.startswith("--"))
        yield from _defined(block.blocks)
        if "keyframes " in block.head:
            yield block.head.rpartition(" ")[2]


def _nodes(sheet: Path, home: Path) -> Iterator[Any]:
    """Rules of a sheet and of those it imports, with addresses that lead there from the folder `home`."""
    text = URL.sub(lambda match: _rebased(match, sheet, home), sheet.read_text("utf-8"))
    for node in tinycss2.parse_stylesheet(text, skip_comments=False, skip_whitespace=True):
        if node.type == "error":
            raise ExtensionError(f"{sheet.name}, line {node.source_line}: {node.message}")
        if node.type == "at-rule" and node.lower_at_keyword == "charset":
            continue
        if node.type == "at-rule" and node.lower_at_keyword == "import":
            address = next(part for part in node.prelude if part.type in ("string", "url"))
            yield from _nodes(sheet.parent / address.value, home)
        else:
            yield node


def _rebased(match: re.Match[str], sheet: Path, home: Path) -> str:
    """The address as seen from `home`, with a digest of what it leads to, or a small font itself."""
    address = match["address"].partition("?")[0]
    target = (sheet.parent / address).resolve()
    if not target.is_file():
        return match[0]
    content = target.read_bytes()
    if target.suffix == ".woff2" and len(content) < SMALL:
        return f"url(data:font/woff2;base64,{base64.b64encode(content).decode()})"
    return f"url({target.relative_to(home.resolve()).as_posix()}?v={digest(content)})"


def digest(content: bytes) -> str:
    """A name for a content: when one changes, so does the other, and no cache is ever stale."""
    return hashlib.sha256(content).hexdigest()[:10]


def _blocks(nodes: Nodes, known: Names) -> Iterator[Block]:
    """Those of the rules that some page can use."""
    for node in nodes:
        if node.type == "qualified-rule":
            selectors = [part for part in _split(node.prelude) if can_match(part, known)]
            if selectors:
                yield Block(",".join(map(_short, selectors)), _declarations(node.content))
        elif node.type == "at-rule":
            head = f"@{node.at_keyword} {_short(node.prelude)}".rstrip()
            if node.content is None:
                yield Block(head, statement=True)
            elif node.lower_at_keyword in NESTING:
                yield Block(head, blocks=tuple(_blocks(_rules(node.content), known)))
            elif node.lower_at_keyword.endswith("keyframes"):
                frames = (Block(_short(frame.prelude), _declarations(frame.content)) for frame in _rules(node.content))
                yield Block(head, blocks=tuple(frames))
            else:
                yield Block(head, _declarations(node.content))


def _rules(content: Nodes) -> list[Any]:
    return list(tinycss2.parse_rule_list(content, skip_comments=True, skip_whitespace=True))


def can_match(selector: Nodes, known: Names) -> bool:
    """Whether all that the selector names is known. What a function but `:is()` and `:where()` asks is taken as so."""
    before = ""
    for node in selector:
        if node.type == "ident" and before != ":":
            kind = "class" if before == "." else "element"
            if not known.has(kind, node.value):
                return False
        if node.type == "hash" and not known.has("id", node.value):
            return False
        if node.type == "function" and node.lower_name in ("is", "where"):
            parts = _split(node.arguments)
            if not any(can_match(part, known) for part in parts):
                return False
        before = node.value if node.type == "literal" else ""
    return True


def _split(nodes: Nodes) -> list[list[Any]]:
    """The parts between commas."""
    parts: list[list[Any]] = [[]]
    for node in nodes:
        if node == ",":
            parts.append([])
        else:
            parts[-1].append(node)
    return parts


def _declarations(content: Nodes) -> tuple[tuple[str, str], ...]:
    """Names and values. What a browser cannot read, it passes over, and so do we."""
    nodes = tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True)
    for node in nodes:
        if node.type in ("qualified-rule", "at-rule"):
            raise ExtensionError(f"A style sheet has rules inside a rule: write {node.serialize()!r} out by itself.")
    return tuple(
        (node.name, _short(node.value) + ("!important" if node.important else ""))
        for node in nodes
        if node.type == "declaration"
    )


def _short(nodes: Nodes) -> str:
    """Text without comments and with no more white space than it needs."""
    kept: list[Any] = []
    for node in nodes:
        if node.type == "comment":
            continue
        if node.type == "whitespace" and kept and kept[-1].type == "whitespace":
            continue
        kept.append(node)
    text = str(tinycss2.serialize(kept)).strip()
    # Inside strings and addresses white space may mean something.
    if any(character in text for character in "\"'") or "url(" in text:
        return text
    return re.sub(r"\s*([,>])\s*", r"\1", re.sub(r"\s+", " ", text))
