from ...domain import errors
from ...flows.accounts import recovery
from ...services import Services
from ..http.answers import Answer
from ..http.routing import Caller
from . import form_errors, forms
from .error_pages import REFUSALS
from .page_request import PageRequest, path_with_query, redirect, redirect_to_page
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

ASK, MAILED, PAGE, DONE = (
    "account/forgot-password",
    "account/reset-mailed",
    "account/reset-password",
    "account/password-reset",
)
ASK_FORM, FORM = "forgotten password", "new password"


@pages.route("GET /.well-known/change-password", errors=(*REFUSALS, errors.NotFound))
def well_known_page(svc: Services, _: Caller) -> Answer:
    """Where password managers send people for a new password (W3C, A Well-Known URL for Changing Passwords)."""
    if not svc.settings.mail_from:
        raise errors.NotFound("No mail is sent here.")
    return redirect(f"{svc.settings.issuer}/{ASK}")


@pages.page(f"/{ASK}")
def forgot_password_page(page_request: PageRequest) -> Answer:
    """Asks for the address of who has forgotten their password."""
    return forms.show(page_request, "forgot_password.html", ASK_FORM)


@pages.form(f"/{ASK}", name=ASK_FORM, takes=frozenset({"email"}))
def request_reset_on_page(page_request: PageRequest) -> Answer:
    """Has the link mailed; says the same whether there is such an account or not."""
    svc, network = page_request.svc, page_request.caller.network
    address = page_request.fields.get("email", "")
    try:
        recovery.request(svc, address=address, network=network, language=page_request.language)
    except errors.InvalidRequest:
        pass  # too long to be anybody's, which is no news either
    except errors.TooManyRequests as refusal:
        browser = (ASK_FORM, page_request.browser_token())
        return form_errors.redirect_with_errors(page_request, ASK, browser, refusal, refusal.code, email=address)
    return redirect_to_page(page_request, MAILED)


@pages.page(f"/{MAILED}")
def reset_mailed_page(page_request: PageRequest) -> Answer:
    """Says that a mail is on its way, if there is such an account."""
    return page_request.show("reset_state.html", state="reset_mailed")


@pages.page(f"/{PAGE}", takes=LANGUAGE | {"token"})
def reset_password_page(page_request: PageRequest) -> Answer:
    """Where the link of a mail leads: it asks for the new password."""
    token = page_request.fields.get("token", "")
    try:
        address = recovery.read_link(page_request.svc, token).email
    except errors.NotFound:
        return page_request.show("reset_state.html", state="reset_too_old")
    return forms.show(page_request, "reset_password.html", FORM, signed={"token": token}, user=address)


@pages.form(f"/{PAGE}", name=FORM, signed=("token",), takes=frozenset({"password"}))
def reset_password_on_page(page_request: PageRequest) -> Answer:
    """Sets the new password, in whichever browser the link was opened; it logs nobody in."""
    token, password = (page_request.fields.get(name, "") for name in ("token", "password"))
    network, language = page_request.caller.network, page_request.language
    try:
        recovery.reset(page_request.svc, token, new_password=password, network=network, language=language)
    except errors.NotFound:
        return redirect_to_page(page_request, PAGE)
    except (errors.WeakPassword, errors.InvalidRequest, errors.TooManyRequests) as refusal:
        error = form_errors.of_password(refusal)
        browser = (FORM, page_request.browser_token())
        back = path_with_query(PAGE, [*page_request.query, ("token", token)])
        return form_errors.redirect_with_errors(page_request, back, browser, refusal, error)
    return redirect_to_page(page_request, DONE)


@pages.page(f"/{DONE}")
def password_reset_page(page_request: PageRequest) -> Answer:
    """Says that it is done."""
    return page_request.show("reset_state.html", state="password_reset")
