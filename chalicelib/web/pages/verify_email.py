from ...domain import errors
from ...flows.accounts import verification
from ..http.answers import Answer
from . import forms
from .page_request import PageRequest, redirect_to_page
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

PAGE, DONE, FORM = "account/verify-email", "account/email-verified", "verify email"


@pages.page(f"/{PAGE}", takes=LANGUAGE | {"token"})
def verify_email_page(page_request: PageRequest) -> Answer:
    """Where the link of a mail leads: it asks, and does nothing by itself, for mail is opened by programs too."""
    token = page_request.fields.get("token", "")
    try:
        address = verification.read_link(page_request.svc, token).email
    except errors.NotFound:
        return page_request.show("email_verified.html", verified=False)
    return forms.show(page_request, "verify_email.html", FORM, signed={"token": token}, user=address)


@pages.form(f"/{PAGE}", name=FORM, signed=("token",))
def verify_email_on_page(page_request: PageRequest) -> Answer:
    """Verifies the address, in whichever browser the link was opened; it logs nobody in."""
    try:
        verification.confirm_link(page_request.svc, page_request.fields["token"])
    except errors.NotFound:
        return redirect_to_page(page_request, PAGE)
    return redirect_to_page(page_request, DONE)


@pages.page(f"/{DONE}")
def email_verified_page(page_request: PageRequest) -> Answer:
    """Says that it is done."""
    return page_request.show("email_verified.html", verified=True)
