from ...domain import errors
from ...flows.accounts import email_change
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import forms
from .login_form import LOG_IN, show_form
from .page_request import PageRequest, redirect_to_page
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

CHANGE, CHANGED, UNDO, UNDONE = (
    "account/change-email",
    "account/email-changed",
    "account/undo-email-change",
    "account/email-restored",
)
CHANGE_FORM, UNDO_FORM = "change email", "undo change of email"


@pages.page(f"/{CHANGE}", takes=LANGUAGE | {"token"}, destination=True)
def change_email_page(page_request: PageRequest) -> Answer:
    """Where the link of a mail to a new address leads: it asks, and does nothing by itself.

    Who is not logged in to the account that asked for it logs in first, which somebody else's account stops at.
    """
    token = page_request.fields.get("token", "")
    try:
        link = email_change.read_link(page_request.svc, token)
    except errors.NotFound:
        return _state(page_request, "too_old")
    browser_session = page_request.browser()
    if browser_session is None or browser_session.user.uid != link.uid:
        return show_form(page_request, LOG_IN, confirms=link.new_email)
    return _ask(page_request, CHANGE, CHANGE_FORM, "change", token, link.new_email, browser_session)


@pages.form(f"/{CHANGE}", name=CHANGE_FORM, signed=("token",), logged_in=True)
def change_email_on_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Changes the address of who is logged in."""
    token, language = page_request.fields["token"], page_request.language
    try:
        email_change.confirm_link(page_request.svc, browser_session.user, token, language=language)
    except errors.NotFound:
        return redirect_to_page(page_request, CHANGE)
    return redirect_to_page(page_request, CHANGED)


@pages.page(f"/{CHANGED}")
def email_changed_page(page_request: PageRequest) -> Answer:
    """Says that it is done."""
    return _state(page_request, "changed")


@pages.page(f"/{UNDO}", takes=LANGUAGE | {"token"})
def undo_email_change_page(page_request: PageRequest) -> Answer:
    """Where the link of a mail to the previous address leads: it asks, and does nothing by itself."""
    token = page_request.fields.get("token", "")
    try:
        address = email_change.read_undo(page_request.svc, token).email
    except errors.NotFound:
        return _state(page_request, "too_old")
    return _ask(page_request, UNDO, UNDO_FORM, "undo", token, address)


@pages.form(f"/{UNDO}", name=UNDO_FORM, signed=("token",))
def undo_email_change_on_page(page_request: PageRequest) -> Answer:
    """Puts the previous address back, in whichever browser the link was opened; it logs nobody in."""
    token, network = page_request.fields["token"], page_request.caller.network
    try:
        email_change.undo(page_request.svc, token, network=network, language=page_request.language)
    except errors.NotFound:
        return redirect_to_page(page_request, UNDO)
    return redirect_to_page(page_request, UNDONE)


@pages.page(f"/{UNDONE}")
def email_restored_page(page_request: PageRequest) -> Answer:
    """Says that it is done, and where the link for a new password is."""
    return _state(page_request, "restored")


def _ask(
    page_request: PageRequest,
    page: str,
    form: str,
    state: str,
    token: str,
    address: str,
    browser_session: Browser | None = None,
) -> Answer:
    return forms.show(
        page_request,
        "change_email.html",
        form,
        browser_session,
        signed={"token": token},
        state=state,
        page=page,
        user=address,
    )


def _state(page_request: PageRequest, state: str) -> Answer:
    return page_request.show("email_change_state.html", state=state)
