"""What the frame around all pages asks for: another language, and the sign in the browser's tab."""

from ...services import Services
from ..http.answers import Answer
from ..http.routing import Caller
from . import language_choice
from .page_request import PageRequest, redirect, with_cookie
from .page_routes import Pages

pages = Pages(__name__)
api = pages.api

DAY = {"Cache-Control": "public, max-age=86400"}


@pages.form("/language", takes=frozenset({"language", "instead_of"}))
def choose_language(page_request: PageRequest) -> Answer:
    """Keeps the language that somebody chose in the footer, and leads back to the page on which they did."""
    page_request.verify_origin()
    settings, headers = page_request.svc.settings, page_request.caller.headers
    referrer = headers.get("referer", "")
    page_uri = referrer if referrer.startswith(f"{settings.issuer}/") else f"{settings.issuer}/{page_request.to}"
    language, instead_of = (page_request.fields.get(name, "") for name in ("language", "instead_of"))
    if language not in settings.languages:
        return redirect(page_uri)
    kept = instead_of if instead_of.isalnum() and instead_of.isascii() and len(instead_of) <= 16 else ""
    return with_cookie(redirect(page_uri), language_choice.cookie(settings, language, kept))


@pages.route("GET /favicon.ico", status=204)
def favicon(svc: Services, _: Caller) -> Answer:
    """The brand's sign for browsers that ask for it unbidden; nothing where there is none."""
    if not svc.settings.brand.favicon:
        return Answer(body=None, headers=DAY)
    return Answer(body="", status=303, headers={**DAY, "Location": svc.settings.brand.favicon})
