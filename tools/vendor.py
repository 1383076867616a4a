# /// script
# requires-python = ">=3.11"
# dependencies = ["fonttools==4.68.0", "brotli==1.2.1"]
# ///
"""Make every third-party file that this repository commits: the serif, KaTeX, CodeMirror, thebe-core, and axe-core.

Run it with `uv run tools/vendor.py`, or with any Python that has the two packages named above. It needs npm,
takes the packages named below, writes the files and records each one in `tools/vendor.json` with its package,
version and SHA-256. The same versions give the same bytes, which `git diff` shows and a test holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / "tools" / "vendor.json"
PACKAGES = {"source-serif": "4.5.1", "katex": "0.16.22", "axe-core": "4.14.1", "thebe-core": "0.5.0"}
# The editor comes in many packages, and these are all of them; esbuild makes one module of what EDITOR takes from them.
EDITOR_PACKAGES = {
    "@codemirror/autocomplete": "6.20.4",
    "@codemirror/commands": "6.11.1",
    "@codemirror/lang-python": "6.2.1",
    "@codemirror/language": "6.13.1",
    "@codemirror/state": "6.7.6",
    "@codemirror/streamparser": "6.0.0",
    "@codemirror/view": "6.43.15",
    "@lezer/common": "1.5.5",
    "@lezer/highlight": "1.2.5",
    "@lezer/lr": "1.4.12",
    "@lezer/python": "1.1.19",
    "@marijn/find-cluster-break": "1.0.4",
    "crelt": "1.0.7",
    "style-mod": "4.1.4",
    "w3c-keyname": "2.2.8",
}
ESBUILD = "0.28.2"
EDITOR = """
export { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
export { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
export { pythonLanguage } from "@codemirror/lang-python";
export { LanguageSupport, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
export { EditorState } from "@codemirror/state";
export { EditorView, drawSelection, keymap } from "@codemirror/view";
export { classHighlighter } from "@lezer/highlight";
"""

PAGE_FONTS = ROOT / "book" / "_static" / "fonts"
FIGURE_FONTS = ROOT / "code" / "recurrence" / "plots" / "fonts"
KATEX = ROOT / "book" / "_static" / "katex"
AXE = ROOT / "tests" / "book" / "vendor" / "axe-core"
THEBE = ROOT / "book" / "_static" / "thebe"
CODEMIRROR = ROOT / "book" / "_static" / "codemirror"

# The licence reserves the name "Source", and a subset is a modified version, so ours carries another name.
FAMILY = "Recurrence Serif"

ASCII = "".join(map(chr, range(0x20, 0x7F)))
LATIN = "".join(map(chr, range(0xA0, 0x100)))
NAMES = "ĀāĂăĄąĆćČčĎďĐđĒēĖėĘęĚěĞğĪīİıŁłŃńŇňŌōŐőŒœŘřŚśŞşŠšŤťŪūŮůŰűŹźŻżŽžȘșȚț"
PUNCTUATION = "‐‑–—‘’‚“”„†•…‰′″‹›\u2009\u200a\u202f€"
GREEK = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρςστυφχψω"
MATHEMATICS = "−×·÷±←↑→↓≈≠≤≥∞√∑∏∫∂∆¹²³⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"
CHARACTERS = "".join(sorted(set(ASCII + LATIN + NAMES + PUNCTUATION + GREEK + MATHEMATICS)))

# What nearly every page needs comes in one small file; a page with a rarer character fetches the other one too.
CORE = "".join(sorted(set(ASCII + PUNCTUATION + "\xa0äöüÄÖÜßéèç©°·×±−→≤≥½²")))
RARE = "".join(c for c in CHARACTERS if c not in CORE)

# target without the name of its part, source inside the package, style name
WOFF2 = [
    ("recurrence-serif-400", "TTF/SourceSerif4-Regular.ttf", "Regular"),
    ("recurrence-serif-400-italic", "TTF/SourceSerif4-It.ttf", "Italic"),
    ("recurrence-serif-600", "TTF/SourceSerif4-Semibold.ttf", "Semibold"),
]
# Figure text is set at 9 to 10 points: the optical size "SmText" is drawn for that.
TTF = [
    ("RecurrenceSerif-Regular.ttf", "TTF/SourceSerif4SmText-Regular.ttf", "Regular"),
    ("RecurrenceSerif-Italic.ttf", "TTF/SourceSerif4SmText-It.ttf", "Italic"),
]


def fetch(package: str, folder: Path) -> Path:
    """Download and unpack one npm package at its pinned version; return the folder with its content."""
    spec = f"{package}@{PACKAGES[package]}"
    packed = subprocess.run(
        ["npm", "pack", "--silent", "--pack-destination", str(folder), spec],
        check=True,
        capture_output=True,
        text=True,
    )
    target = folder / package
    with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
        archive.extractall(target, filter="data")
    return target / "package"


def unicode_range(characters: str) -> str:
    """CSS for a set of characters, as the page's style sheet has it: "U+20-7E, U+A0 …"."""
    codes = sorted(map(ord, characters))
    starts = [code for code in codes if code - 1 not in codes]
    ends = [code for code in codes if code + 1 not in codes]
    return ", ".join(f"U+{a:X}" if a == b else f"U+{a:X}-{b:X}" for a, b in zip(starts, ends, strict=True))


def subset(source: Path, target: Path, style: str, characters: str) -> None:
    """Write these characters, with kerning, ligatures and tabular figures, under our own family name."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    font = TTFont(source, recalcTimestamp=False)
    options = Options()
    options.layout_features = ["kern", "liga", "tnum"]
    options.hinting = False
    options.name_IDs = [0, 1, 2, 3, 4, 6, 13, 14]
    subsetter = Subsetter(options)
    subsetter.populate(text=characters)
    subsetter.subset(font)

    compact = FAMILY.replace(" ", "")
    regular = style in ("Regular", "Italic")
    names = {
        1: FAMILY if regular else f"{FAMILY} {style}",
        2: style if regular else "Regular",
        3: f"{compact}-{style}; after Source Serif {PACKAGES['source-serif']}",
        4: f"{FAMILY} {style}",
        6: f"{compact}-{style}",
    }
    for identifier, text in names.items():
        font["name"].setName(text, identifier, 3, 1, 0x409)
    for identifier in (16, 17, 21, 22, 25):
        font["name"].removeNames(nameID=identifier)
    font.flavor = "woff2" if target.suffix == ".woff2" else None
    font.save(target)


def serif(package: Path) -> list[Path]:
    """Write the page's WOFF2 and the figures' TrueType files, each folder with the licence."""
    made = []
    for folder in (PAGE_FONTS, FIGURE_FONTS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copyfile(package / "LICENSE.md", folder / "OFL.txt")
        made.append(folder / "OFL.txt")
    for stem, source, style in WOFF2:
        for part, characters in (("core", CORE), ("rare", RARE)):
            made.append(PAGE_FONTS / f"{stem}-{part}.woff2")
            subset(package / source, made[-1], style, characters)
    for name, source, style in TTF:
        made.append(FIGURE_FONTS / name)
        subset(package / source, made[-1], style, CHARACTERS)
    return made


def katex(package: Path) -> list[Path]:
    """Copy KaTeX's minified style sheet, its WOFF2 fonts and its licence; the sheet then names WOFF2 only."""
    shutil.rmtree(KATEX, ignore_errors=True)
    (KATEX / "fonts").mkdir(parents=True)
    sheet = (package / "dist" / "katex.min.css").read_text(encoding="utf-8")
    sheet, count = re.subn(r'src:(url\(fonts/[\w-]+\.woff2\) format\("woff2"\)),[^;}]*', r"src:\1", sheet)
    named = sorted(set(re.findall(r"url\(fonts/([^)]+)\)", sheet)))
    if count != len(named) or not all(name.endswith(".woff2") for name in named):
        raise SystemExit("KaTeX's style sheet has changed its form: look at the @font-face rules.")
    (KATEX / "katex.min.css").write_text(sheet, encoding="utf-8")
    for name in named:
        shutil.copyfile(package / "dist" / "fonts" / name, KATEX / "fonts" / name)
    shutil.copyfile(package / "LICENSE", KATEX / "LICENSE")
    return [KATEX / "katex.min.css", KATEX / "LICENSE", *(KATEX / "fonts" / name for name in named)]


def axe(package: Path) -> list[Path]:
    """Copy axe-core, which looks for faults of accessibility in the tests, minified, with its licences."""
    shutil.rmtree(AXE, ignore_errors=True)
    AXE.mkdir(parents=True)
    made = [AXE / name for name in ("axe.min.js", "LICENSE", "LICENSE-3RD-PARTY.txt")]
    for path in made:
        shutil.copyfile(package / path.name, path)
    return made


def thebe(package: Path) -> list[Path]:
    """Copy thebe-core, which talks to a Jupyter server, with its licences; it then names no server of others.

    Of its many files one is enough for text, figures and HTML: the rest is for widgets and for editors. It is a
    script, not a module, but as `*.js` Jupyter Book would load it on every page.
    """
    shutil.rmtree(THEBE, ignore_errors=True)
    THEBE.mkdir(parents=True)
    script = (package / "dist" / "lib" / "thebe-core.min.js").read_text(encoding="utf-8")
    script = re.sub(r"\n//# sourceMappingURL=.*\s*$", "\n", script)
    script, count = re.subn(r'"https://(?:cdnjs\.cloudflare\.com|cdn\.jsdelivr\.net)/[^"]*"', '"about:blank#"', script)
    if count != 5 or "//cdn" in script:
        raise SystemExit("thebe-core has changed its form: look at the addresses that it loads scripts from.")
    (THEBE / "thebe-core.mjs").write_text(script, encoding="utf-8")
    licences = [package / "LICENSE", package / "dist" / "lib" / "thebe-core.min.js.LICENSE.txt"]
    texts = [path.read_text(encoding="utf-8").strip() for path in licences]
    (THEBE / "LICENSE").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return [THEBE / "thebe-core.mjs", THEBE / "LICENSE"]


def codemirror(folder: Path) -> list[Path]:
    """Make one minified module of what the editor of "Run this page" uses, and lay the licences beside it."""
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    (folder / "editor.js").write_text(EDITOR, encoding="utf-8")
    specs = [f"{name}@{version}" for name, version in EDITOR_PACKAGES.items()]
    install = ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact"]
    subprocess.run([*install, *specs, f"esbuild@{ESBUILD}"], cwd=folder, check=True, capture_output=True)
    modules = folder / "node_modules"
    found = {
        path.parent.relative_to(modules).as_posix(): json.loads(path.read_text(encoding="utf-8"))["version"]
        for scope in (".", "@codemirror", "@lezer", "@marijn")
        for path in (modules / scope).glob("*/package.json")
        if "esbuild" not in path.parent.name
    }
    if found != EDITOR_PACKAGES:
        raise SystemExit(f"CodeMirror asks for other packages now; EDITOR_PACKAGES should be {found}.")
    shutil.rmtree(CODEMIRROR, ignore_errors=True)
    CODEMIRROR.mkdir()
    bundle = [str(modules / ".bin" / "esbuild"), "editor.js", "--bundle", "--minify", "--format=esm"]
    bundle += ["--target=es2020", "--legal-comments=none", f"--outfile={CODEMIRROR / 'codemirror.mjs'}"]
    subprocess.run(bundle, cwd=folder, check=True, capture_output=True)
    licences = "\n\n".join(
        f"{name} {version}\n\n{(modules / name / 'LICENSE').read_text(encoding='utf-8').strip()}"
        for name, version in EDITOR_PACKAGES.items()
    )
    (CODEMIRROR / "LICENSE").write_text(f"{licences}\n", encoding="utf-8")
    return [CODEMIRROR / "codemirror.mjs", CODEMIRROR / "LICENSE"]


def record(package: str, version: str, path: Path) -> dict[str, str]:
    return {"package": package, "version": version, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    if shutil.which("npm") is None:
        raise SystemExit("npm was not found: put Node's bin folder on PATH and run again.")
    manifest = {}
    with tempfile.TemporaryDirectory() as temporary:
        for package, make in (("source-serif", serif), ("katex", katex), ("axe-core", axe), ("thebe-core", thebe)):
            for path in make(fetch(package, Path(temporary))):
                manifest[path.relative_to(ROOT).as_posix()] = record(package, PACKAGES[package], path)
        for path in codemirror(Path(temporary) / "codemirror"):
            main_package = "@codemirror/view"
            manifest[path.relative_to(ROOT).as_posix()] = record(main_package, EDITOR_PACKAGES[main_package], path)
    MANIFEST.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    total = sum((ROOT / name).stat().st_size for name in manifest)
    print(f"{len(manifest)} files, {total / 1024:.0f} KB, recorded in {MANIFEST.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
