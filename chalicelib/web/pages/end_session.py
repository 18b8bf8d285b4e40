"""The page of the mail about a login on a new device."""

from ...domain import errors
from ...flows.sessions import new_device
from ..http.answers import Answer
from . import forms
from .page_request import PageRequest, redirect_to_page
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

PAGE, DONE, FORM = "account/end-session", "account/session-ended", "end session"


@pages.page(f"/{PAGE}", takes=LANGUAGE | {"token"})
def end_session_page(page_request: PageRequest) -> Answer:
    """Where the link of a mail leads: it asks, and ends nothing by itself, for mail is opened by programs too."""
    token = page_request.fields.get("token", "")
    try:
        address = new_device.read_link(page_request.svc, token).email
    except errors.NotFound:
        return _state(page_request, "too_old")
    return forms.show(page_request, "end_session.html", FORM, signed={"token": token}, user=address)


@pages.form(f"/{PAGE}", name=FORM, signed=("token",))
def end_session_on_page(page_request: PageRequest) -> Answer:
    """Ends the session, in whichever browser the link was opened."""
    token, network = page_request.fields["token"], page_request.caller.network
    try:
        new_device.end(page_request.svc, token, network=network)
    except errors.NotFound:
        return redirect_to_page(page_request, PAGE)
    return redirect_to_page(page_request, DONE)


@pages.page(f"/{DONE}")
def session_ended_page(page_request: PageRequest) -> Answer:
    """Says that it is done, and leads to a new password."""
    return _state(page_request, "ended")


def _state(page_request: PageRequest, state: str) -> Answer:
    mails = bool(page_request.svc.settings.mail_from)
    return page_request.show("session_ended.html", state=state, mails=mails)
