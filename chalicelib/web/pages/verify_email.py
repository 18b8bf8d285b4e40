from ...domain import errors
from ...flows.accounts import verification
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import forms
from .login_form import LOG_IN, show_form
from .page_request import PageRequest, redirect_to_page
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

PAGE, DONE, FORM = "account/verify-email", "account/email-verified", "verify email"


@pages.page(f"/{PAGE}", takes=LANGUAGE | {"token"}, destination=True)
def verify_email_page(page_request: PageRequest) -> Answer:
    """Where the link of a mail leads: it asks, and does nothing by itself, for mail is opened by programs too.

    Who is not logged in to the link's account logs in first, which somebody else's account stops at.
    """
    token = page_request.fields.get("token", "")
    try:
        link = verification.read_link(page_request.svc, token)
    except errors.NotFound:
        return page_request.show("email_verified.html", verified=False)
    browser_session = page_request.browser()
    if browser_session is None or browser_session.user.uid != link.uid:
        return show_form(page_request, LOG_IN, confirms=link.email)
    signed = {"token": token}
    return forms.show(page_request, "verify_email.html", FORM, browser_session, signed=signed, user=link.email)


@pages.form(f"/{PAGE}", name=FORM, signed=("token",), logged_in=True)
def verify_email_on_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Verifies the address of who is logged in."""
    try:
        verification.confirm_link(page_request.svc, browser_session.user, page_request.fields["token"])
    except errors.NotFound:
        return redirect_to_page(page_request, PAGE)
    return redirect_to_page(page_request, DONE)


@pages.page(f"/{DONE}")
def email_verified_page(page_request: PageRequest) -> Answer:
    """Says that it is done."""
    return page_request.show("email_verified.html", verified=True)
