"""What is looked at in each page: axe finds nothing, and it fits a small telephone."""

from pathlib import Path
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT, AxeResults  # type: ignore[import-untyped]
from playwright.sync_api import Page

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
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
    window.evaluate(AXE_SCRIPT)
    for scheme in SCHEMES:
        window.emulate_media(color_scheme=scheme)
        # Nothing but its colours changes with the scheme.
        colours = {"runOnly": {"type": "rule", "values": ["color-contrast"]}} if scheme == "dark" else {}
        results = AxeResults(window.evaluate(AXE, {"resultTypes": ["violations"], **colours}))
        assert results.violations_count == 0, results.generate_report()
    window.set_viewport_size({"width": 320, "height": 640})
    assert window.evaluate(SIDEWAYS) <= 0
    assert is_docs or window.evaluate(SMALL) == []
    # 1280 px at 200 % zoom, and text alone twice as large.
    window.set_viewport_size({"width": 640, "height": 400})
    window.evaluate("document.documentElement.style.fontSize = '200%'")
    assert window.evaluate(SIDEWAYS) <= 0


def picture(window: Page, name: str) -> None:
    """Keeps the page in a window as a picture, the reference without what is below the fold."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    window.screenshot(path=PICTURES / f"{name}.png", full_page=not window.url.endswith("/docs"))
