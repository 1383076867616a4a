"""The figures' identity: colours that everyone can tell apart and read, the right font, the same bytes every time."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import font_manager, ft2font, pyplot
from numpy.typing import NDArray

from recurrence import plots

ROOT = Path(__file__).resolve().parents[2]
SHEET = ROOT / "book" / "_static" / "recurrence.css"
FONTS = ROOT / "code" / "recurrence" / "plots" / "fonts"
Array = NDArray[np.float64]

# Machado, Oliveira and Fernandes (2009), "A physiologically-based model for simulation of color vision deficiency",
# IEEE Transactions on Visualization and Computer Graphics 15(6): linear RGB, severity 1.0.
VISION: dict[str, Array] = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
# Ottosson (2020), "A perceptual color space for image processing": from linear sRGB by way of cones.
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
OKABE_ITO = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")


def linear(colour: str) -> Array:
    """Linear RGB of a hex colour (IEC 61966-2-1)."""
    encoded = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    """Contrast ratio of WCAG 2."""
    high, low = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (first, second)), reverse=True)
    return high / low


def closest(colours: list[str], vision: str) -> float:
    """Distance in OKLab of the two colours of a list that are hardest to tell apart."""
    seen = [np.clip(VISION[vision] @ linear(c), 0.0, 1.0) for c in colours]
    places = [TO_OKLAB @ np.cbrt(TO_CONES @ c) for c in seen]
    return float(min(np.linalg.norm(a - b) for a, b in combinations(places, 2)))


def cycle(theme: str) -> list[str]:
    light = [plots.COLOURS[name] for name in plots.CYCLE]
    return light if theme == "light" else [plots.DARK[colour] for colour in light]


def paper(theme: str) -> str:
    return plots.COLOURS["paper"] if theme == "light" else plots.DARK[plots.COLOURS["paper"]]


both_themes = pytest.mark.parametrize("theme", ["light", "dark"])


def test_contrast_of_black_and_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)


@both_themes
def test_every_line_and_its_label_can_be_read(theme: str) -> None:
    page = paper(theme)
    assert min(contrast(colour, page) for colour in cycle(theme)) >= 4.5
    ink, muted = (
        plots.COLOURS[name] if theme == "light" else plots.DARK[plots.COLOURS[name]] for name in ("ink", "muted")
    )
    assert contrast(ink, page) >= 7
    assert contrast(muted, page) >= 4.5


@both_themes
@pytest.mark.parametrize("vision", sorted(VISION))
def test_lines_stay_apart_for_every_kind_of_colour_vision(theme: str, vision: str) -> None:
    assert closest(cycle(theme), vision) >= 0.09


def test_the_palette_is_easier_to_tell_apart_than_its_origin() -> None:
    ours, origin = (min(closest(list(c), vision) for vision in VISION) for c in (cycle("light"), OKABE_ITO))
    assert ours > origin


def test_each_light_colour_has_one_dark_partner() -> None:
    assert set(plots.DARK) == set(plots.COLOURS.values())
    assert len(plots.DARK) == len(plots.COLOURS) == len(set(plots.DARK.values()))


def test_the_page_has_the_figures_palette() -> None:
    sheet = SHEET.read_text(encoding="utf-8")
    blocks = re.findall(r"html[^{}]*\{([^{}]*--rc-paper:[^{}]*)\}", sheet)
    palettes = [dict(re.findall(r"--rc-(\w+):\s*(#[0-9a-f]{6})", block)) for block in blocks]
    dark = {name: plots.DARK[colour] for name, colour in plots.COLOURS.items()}
    assert len(palettes) == 3
    for palette, expected in zip(palettes, (plots.COLOURS, dark, dark), strict=True):
        assert {name: palette[name] for name in expected} == expected


@pytest.fixture
def identity() -> object:
    """The book's style for one test, and matplotlib's own afterwards."""
    with mpl.rc_context():
        plots.use()
        yield
    pyplot.close("all")


@pytest.mark.usefixtures("identity")
def test_the_style_sheet_has_the_palette() -> None:
    names = {"text.color": "ink", "axes.labelcolor": "ink", "axes.edgecolor": "muted", "grid.color": "grid"}
    for key, name in names.items():
        assert f"#{mpl.rcParams[key]}".replace("##", "#") == plots.COLOURS[name], key
    assert [f"#{c}".replace("##", "#") for c in mpl.rcParams["axes.prop_cycle"].by_key()["color"]] == cycle("light")


@pytest.mark.usefixtures("identity")
@pytest.mark.parametrize("style", ["normal", "italic"])
def test_text_is_set_in_our_own_font(style: str) -> None:
    found = font_manager.findfont(
        font_manager.FontProperties(family=mpl.rcParams["font.family"], style=style), fallback_to_default=False
    )
    assert Path(found).parent == FONTS
    characters = set(ft2font.FT2Font(found).get_charmap())
    wanted = "abcxyzABCXYZ0123456789αβγδθλμπστφψωΓΔΘΣΦΨΩ−–—×·±÷°→≤≥≈≠∞√∑∫∂′²³µäöüéßłčšž"
    assert [c for c in wanted if ord(c) not in characters] == []


@pytest.mark.usefixtures("identity")
def test_two_figures_have_text_width() -> None:
    for shape, height in (((1, 1), 2.6), ((2, 3), 4.0)):
        fig, _ = plots.figure(*shape, height=height)
        assert tuple(fig.get_size_inches()) == (plots.WIDTH, height)
        root = re.search(r"<svg [^>]*>", plots.svg(fig))
        assert root is not None
        assert f'width="{72 * plots.WIDTH:g}pt" height="{72 * height:g}pt"' in root[0]


def test_one_axes_comes_alone_and_several_as_an_array() -> None:
    assert plots.figure()[1].get_xlim() == (0.0, 1.0)
    assert plots.figure(2, 3)[1].shape == (2, 3)
    pyplot.close("all")


DRAW = """
import numpy as np
from recurrence import plots
plots.use()
plots.use()
fig, (left, right) = plots.figure(1, 2)
line, = left.plot(np.arange(9.0), np.arange(9.0) ** 2)
plots.label_end(line, r"$y = x^2$")
left.set_title("dotted $\\\\alpha_1$ − and hatched")
right.fill_between([0.0, 1.0], [0.0, 1.0], hatch="//", clip_on=True)
right.imshow(np.eye(3))
"""


def run(program: str, seed: str = "0") -> str:
    # matplotlib_inline itself still uses a deprecated way of observing its options.
    warnings = ["-W", "error", "-W", "ignore:InlineBackend:DeprecationWarning"]
    environment = {"PYTHONHASHSEED": seed, "MPLBACKEND": "agg", "PATH": "", "HOME": str(Path.home())}
    child = subprocess.run(
        [sys.executable, *warnings, "-c", program], capture_output=True, text=True, check=False, env=environment
    )
    assert child.returncode == 0, child.stderr
    assert child.stderr == ""
    return child.stdout


def test_the_same_figure_is_the_same_file_without_ipython() -> None:
    program = f"import sys\nsys.modules['IPython'] = None\n{DRAW}\nprint(plots.svg(fig))"
    first, second = run(program, seed="1"), run(program, seed="2")
    assert first == second
    assert first.count("<path") > 20
    assert "<text" not in first
    assert "<metadata>" not in first or "date" not in first


def test_a_notebook_shows_svg_of_full_size() -> None:
    program = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
{DRAW}
data, _ = shell.display_formatter.format(fig)
print(sorted(data))
print(data["image/svg+xml"])
"""
    kinds, _, svg = run(program).partition("\n")
    assert kinds == "['image/svg+xml', 'text/plain']"
    assert 'width="504pt" height="187.2pt"' in svg
    assert "<dc:date>" not in svg
