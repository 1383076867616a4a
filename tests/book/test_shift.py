"""Nothing on a page moves while it loads, however late its fonts come."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
OBSERVE = """
    window.shifts = [];
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) {
            const what = entry.sources.map(source => source.node && (source.node.className || source.node.nodeName));
            window.shifts.push([entry.value, what]);
        }
    }).observe({type: "layout-shift", buffered: true});
"""


@pytest.mark.parametrize("name", [*PAGES, "search", "genindex", "404"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("late", [False, True], ids=["fonts-in-time", "fonts-late"])
def test_nothing_moves(browser: Browser, address: str, name: str, width: int, late: bool) -> None:
    headers = {"Late-Fonts": "yes"} if late else {}
    context = browser.new_context(viewport={"width": width, "height": 740}, extra_http_headers=headers)
    context.add_init_script(OBSERVE)
    page = context.new_page()
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(150)
    shifts = page.evaluate("window.shifts")
    context.close()
    assert sum(value for value, _ in shifts) < 0.02, shifts
