"""A copy of all that is kept of somebody, for who has just logged in: what is in it, and the button that fetches it."""

import msgspec

from ...domain import errors
from ...flows.accounts import export
from ...flows.sessions.browser import Browser
from ..http.answers import Answer, as_file
from . import form_errors, forms
from .page_request import PageRequest
from .page_routes import Pages

pages = Pages(__name__)
api = pages.api

PAGE, FORM = "account/export", "export"
JSON, HTML = "application/json", "text/html; charset=utf-8"


@pages.page(f"/{PAGE}", logged_in=True, fresh=True)
def export_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Says what is in the copy; whoever has not just logged in does so first."""
    return forms.show(
        page_request,
        "export.html",
        FORM,
        browser_session,
        user=browser_session.user.email,
        query=page_request.to.removeprefix(PAGE),
    )


@pages.form(f"/{PAGE}", name=FORM, logged_in=True, fresh=True, media=(JSON, HTML))
def export_on_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """The copy, as a file: the browser stays at the page."""
    svc, session = page_request.svc, browser_session.session
    try:
        exported = export.read(svc, browser_session.user, session, auth_time=session.auth_time)
    except errors.TooManyRequests as refusal:
        form = (FORM, session.session_id)
        return form_errors.redirect_with_errors(page_request, page_request.to, form, refusal, refusal.code)
    text = msgspec.json.format(msgspec.json.encode(exported)).decode()
    headers = {**as_file(export.FILE), "Content-Type": JSON, "X-Content-Type-Options": "nosniff"}
    return Answer(body=text, headers=headers)
