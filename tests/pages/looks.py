"""What is looked at in each page: axe finds nothing, and it fits a small telephone."""

from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT, AxeResults  # type: ignore[import-untyped]
from playwright.sync_api import Page

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("dark", "light")
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# A link inside a sentence is as high as its line (WCAG 2.2, 2.5.8); everything else has room for a thumb.
SMALL = """[...document.querySelectorAll("main a, main button, main input:not([type=hidden]), main summary")]
    .filter(e => !e.closest("p:not(.aside)") && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)"""

MAX_BYTES = 30_000
# What a browser waits for before it shows anything, besides the page.
BLOCKING = """performance.getEntriesByType("resource")
    .filter(e => ["link", "css", "script"].includes(e.initiatorType)).map(e => e.name)"""
# Of what it found fine, which is much, nothing is needed.
AXE = "options => axe.run(options).then(({ violations }) => ({ violations }))"
BYTES = 'performance.getEntriesByType("navigation")[0].decodedBodySize'


def look_at(window: Page) -> None:
    """Holds the page in a window to all of it, and leaves the window small and its text large."""
    is_docs = window.url.endswith("/docs")
    assert is_docs or (window.evaluate(BLOCKING) == [] and window.evaluate(BYTES) < MAX_BYTES)
    bring_axe(window)
    for scheme in SCHEMES:
        inspect(window, scheme)
    window.set_viewport_size({"width": 320, "height": 640})
    assert window.evaluate(SIDEWAYS) <= 0
    assert is_docs or window.evaluate(SMALL) == []
    # 1280 px at 200 % zoom, and text alone twice as large.
    window.set_viewport_size({"width": 640, "height": 400})
    window.evaluate("document.documentElement.style.fontSize = '200%'")
    assert window.evaluate(SIDEWAYS) <= 0


def bring_axe(window: Page) -> None:
    """Puts axe into the page in a window."""
    window.evaluate(AXE_SCRIPT)


def inspect(window: Page, scheme: Scheme) -> None:
    """Has axe, which is in the page, look at it in a scheme: in the dark at its colours, for nothing else changes."""
    window.emulate_media(color_scheme=scheme)
    colours = {"runOnly": {"type": "rule", "values": ["color-contrast"]}} if scheme == "dark" else {}
    results = AxeResults(window.evaluate(AXE, {"resultTypes": ["violations"], **colours}))
    assert results.violations_count == 0, results.generate_report()
