"""The stylesheet of all pages: static/pages.css, and the operator's colour in shades that can be read."""

import re
from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

SHEET = Path(__file__).parent / "static" / "pages.css"
BLACK, WHITE = "#000000", "#ffffff"
# What text stands on, the same as in the file; the less friendly of --ground and --card for each scheme.
LIGHT_GROUND, DARK_GROUND = "#f3f4f6", "#1d2026"
READABLE = 4.5  # WCAG 2.2, success criterion 1.4.3


@lru_cache(maxsize=4)
def stylesheet(colour: str) -> str:
    """The stylesheet for a brand's colour (#rrggbb), as each page has it inside: without comments and indentation."""
    return _compact(f"""{SHEET.read_text()}
:root {{ --brand: {colour}; --on-brand: {text_on(colour)}; --accent: {readable(colour, LIGHT_GROUND)}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --accent: {readable(colour, DARK_GROUND)}; }} }}
""")


@lru_cache(maxsize=4)
def digest(colour: str) -> str:
    """What a Content-Security-Policy allows exactly this stylesheet by."""
    return b64encode(sha256(stylesheet(colour).encode()).digest()).decode()


def _compact(sheet: str) -> str:
    # A space before a colon means something (`form :focus`), one after it does not.
    lines = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL))
    return re.sub(r" ?([{};,]) ?|(?<=:) ", r"\1", lines).replace(";}", "}").strip()


def text_on(colour: str) -> str:
    """Black or white: whichever is easier to read on a colour. One of the two always has a contrast over 4.5."""
    return max(WHITE, BLACK, key=lambda ink: contrast(ink, colour))


def readable(colour: str, ground: str) -> str:
    """The colour itself, or the nearest shade of it that can be read on a ground."""
    ink = text_on(ground)
    for percent in range(0, 100, 5):
        shade = _mixed(colour, ink, percent)
        if contrast(shade, ground) >= READABLE:
            return shade
    return ink


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.2), from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [part / 255 for part in _parts(colour)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mixed(colour: str, other: str, percent: int) -> str:
    pairs = zip(_parts(colour), _parts(other), strict=True)
    return "#" + "".join(f"{(a * (100 - percent) + b * percent) // 100:02x}" for a, b in pairs)


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))
