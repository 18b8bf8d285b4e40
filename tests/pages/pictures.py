"""Pictures of every page, to look at: `python -m tests.pages.pictures` takes them, `build/pictures/index.html` shows them.

Each is taken on a desk, on a telephone and at 200 % zoom, light and dark, in each language. Words after the command choose
pages by a part of their name.
"""

import html
import os
import sys
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from playwright.sync_api import Page

from chalicelib.config.languages import SHIPPED
from tests.pages.site import Application
from tests.pages.test_looks import (  # noqa: F401 - pytest takes the fixtures from here
    PAGES,
    _further_factors,
    window_in,
    windows,
)
from tests.pages.test_reference import docs as docs_url  # noqa: F401 - this too
from tests.pages.test_reference import show

PICTURES = Path(__file__).parents[2] / "build" / "pictures"
WORDS = "PICTURES_OF"


class View(NamedTuple):
    """A screen as its page sees it, and how large its text is."""

    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"
    text: str = "100%"


VIEWS: Mapping[str, View] = {
    "desk": View(1280, 800),
    "desk-dark": View(1280, 800, "dark"),
    "phone": View(360, 740),
    "phone-dark": View(360, 740, "dark"),
    "zoom": View(640, 400),
    "large-text": View(360, 740, text="200%"),
}
REFERENCE = "reference"  # /docs with its renderer, which a deployment asks for


def is_asked_for(page: str) -> bool:
    """Whether one of the words of the command is in the name of a page, or there was none."""
    return any(word in page for word in os.environ.get(WORDS, "").split() or [""])


PAGES_IN_LANGUAGES = [
    (page, language)
    for page, language in product(PAGES, SHIPPED)
    if (page, language) != ("docs", "ar") and is_asked_for(page)
]


@pytest.mark.parametrize(("page", "language"), PAGES_IN_LANGUAGES)
def test_pictures(
    window_in: Callable[[str], Page],  # noqa: F811 - the fixture
    application: Application,
    page: str,
    language: str,
) -> None:
    """Take the pictures of a page in a language; pytest makes the site and the browser for it."""
    window = window_in(language)
    PAGES[page](window, application)
    # The reference is as long as the API.
    take(window, f"{page}-{language}", whole=page != "docs")


@pytest.mark.skipif(not is_asked_for(REFERENCE), reason="others are asked for")
def test_pictures_of_the_reference(open_page: Callable[..., Page], docs_url: str) -> None:  # noqa: F811 - the fixture
    """The same of /docs as the renderer draws it."""
    window = open_page()
    show(window, docs_url)
    take(window, f"{REFERENCE}-en", whole=False)


def take(window: Page, name: str, *, whole: bool) -> None:
    """The pictures of what a window shows in each view, below the fold too where it is wanted `whole`."""
    for each, view in VIEWS.items():
        window.emulate_media(color_scheme=view.scheme)
        window.set_viewport_size({"width": view.width, "height": view.height})
        window.evaluate(f"document.documentElement.style.fontSize = '{view.text}'")
        window.screenshot(path=PICTURES / f"{name}-{each}.png", full_page=whole)


def main(words: list[str]) -> int:
    """Take the pictures and write the page that shows them."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    os.environ[WORDS] = " ".join(words)
    options = ["-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadscope", "-o", "python_files=pictures.py"]
    status = pytest.main([__file__, *options])
    (PICTURES / "index.html").write_text(_index())
    sys.stdout.write(f"{PICTURES / 'index.html'}\n")
    return int(status)


def _index() -> str:
    rows = []
    for page, language in product([*PAGES, REFERENCE], SHIPPED):
        files = [
            f"{page}-{language}-{view}.png" for view in VIEWS if (PICTURES / f"{page}-{language}-{view}.png").exists()
        ]
        pictures = "".join(f'<a href="{file}"><img src="{file}" alt="{file}" loading="lazy"></a>' for file in files)
        if files:
            rows.append(f"<section><h2>{html.escape(page)} <small>{language}</small></h2>{pictures}</section>")
    return (
        '<!doctype html><meta charset="utf-8"><title>The pages</title><style>body{font:1rem system-ui;margin:2rem}'
        "section{display:flex;flex-wrap:wrap;gap:1rem;align-items:start}h2{width:100%;margin:2rem 0 0}"
        "img{height:22rem;border:1px solid #ccc}</style>" + "\n".join(rows)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
