"""/docs: what people read of the OpenAPI document, as a list, or by Swagger UI where a deployment has asked for it.

Swagger UI is not ours and runs in the issuer's origin, so it is in no zip that did not ask for it. Its files and
ours are served under /docs/; nothing on the page comes from anywhere else, or may.
"""

from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...config import Settings
from ...config.reference import RENDERER
from ...domain.errors import NotFound
from ..http.answers import Answer
from ..pages import html

STATIC = html.DIRECTORY / "static"
STYLE = (STATIC / "docs.css").read_text()
STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
HTML, CSS, SCRIPT = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"
OURS = ("reference.js", "reference.css")
IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


def page(settings: Settings, doc: Mapping[str, Any]) -> str:
    """The document as a page to read; where there is a renderer it takes the place of the list."""
    files = (
        {name: f"docs/{name}?{_version(settings, name)}" for name in (*RENDERER, *OURS)} if settings.reference else {}
    )
    template = html.templates().get_template("docs.html")
    return template.render(doc=doc, style=STYLE, files=files, client=settings.reference_client)


def page_headers(settings: Settings) -> dict[str, str]:
    """The headers of the page: nothing runs on it and nothing is loaded but what it needs, all from here."""
    files = f"{settings.issuer}/docs/"
    allowed = (
        # data: are the arrows in the renderer's stylesheet; it calls the API from the page.
        f"script-src {files}; style-src {files}; img-src data:; connect-src 'self'"
        if settings.reference
        else f"style-src 'sha256-{STYLE_HASH}'"
    )
    return {
        "Content-Type": HTML,
        "Content-Security-Policy": f"default-src 'none'; {allowed}; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


def file(settings: Settings, name: str) -> Answer:
    """A file that the page needs. The page asks for it by its version, so it may be kept."""
    if not settings.reference or name not in (*RENDERER, *OURS):
        raise NotFound("There is no file of this name.")
    content_type = SCRIPT if name.endswith(".js") else CSS
    return Answer(body=_path(settings, name).read_text(), headers={**IMMUTABLE, "Content-Type": content_type})


def _path(settings: Settings, name: str) -> Path:
    return (STATIC if name in OURS else Path(settings.reference)) / name


@lru_cache(maxsize=8)
def _version(settings: Settings, name: str) -> str:
    return sha256(_path(settings, name).read_bytes()).hexdigest()[:12]
