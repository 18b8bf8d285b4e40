from ...domain import errors
from ...flows.accounts import recovery
from ...flows.authentication.factors import FACTORS
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.routing import Caller
from . import form_errors, forms
from .error_pages import REFUSALS
from .page_request import PageRequest, page_request_of, path_with_query, redirect, redirect_to_page
from .page_routes import LANGUAGE, Pages
from .proof_fields import proof_fields

pages = Pages(__name__)
api = pages.api

ASK, MAILED, PAGE, DONE = (
    "account/forgot-password",
    "account/reset-mailed",
    "account/reset-password",
    "account/password-reset",
)
OF_ACCOUNT = "account/password"  # where who is logged in chooses one
FORM_ERRORS = (
    errors.WeakPassword,
    errors.InvalidRequest,
    errors.InvalidCredentials,
    errors.MfaRequired,
    errors.TooManyRequests,
)
ASK_FORM, FORM = "forgotten password", "new password"


@pages.route("GET /.well-known/change-password", errors=(*REFUSALS, errors.NotFound))
def well_known_page(svc: Services, caller: Caller) -> Answer:
    """Where password managers send people for a new password (W3C, A Well-Known URL for Changing Passwords).

    Who is logged in chooses one on their own page; anybody else by a mail.
    """
    if page_request_of(svc, caller, caller.query).browser():
        return redirect(f"{svc.settings.issuer}/{OF_ACCOUNT}")
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
        form = (ASK_FORM, page_request.browser_token())
        return form_errors.redirect_with_errors(page_request, ASK, form, refusal, refusal.code, email=address)
    return redirect_to_page(page_request, MAILED)


@pages.page(f"/{MAILED}")
def reset_mailed_page(page_request: PageRequest) -> Answer:
    """Says that a mail is on its way, if there is such an account."""
    return page_request.show("reset_state.html", state="reset_mailed")


@pages.page(f"/{PAGE}", takes=LANGUAGE | {"token", "factor"})
def reset_password_page(page_request: PageRequest) -> Answer:
    """Where the link of a mail leads: it asks for the new password."""
    svc, token = page_request.svc, page_request.fields.get("token", "")
    try:
        address = recovery.read_link(svc, token).email
        missing = recovery.missing_factors(svc, token)
    except errors.NotFound:
        return page_request.show("reset_state.html", state="reset_too_old")
    factors = [name for name in missing if FACTORS[name].is_shown_first]
    choice = page_request.fields.get("factor", "")
    factor = choice if choice in factors else next(iter(factors), "")
    others = {name: path_with_query(PAGE, _query(page_request, token, name)) for name in factors if name != factor}
    return forms.show(
        page_request,
        "reset_password.html",
        FORM,
        signed={"token": token},
        user=address,
        **proof_fields(factor, lambda: recovery.challenge(svc, token, factor=factor, agent=page_request.user_agent)),
        others=others,
    )


def _query(page_request: PageRequest, token: str, factor: str) -> list[tuple[str, str]]:
    return [*page_request.query, ("token", token), *([("factor", factor)] if factor else [])]


@pages.form(f"/{PAGE}", name=FORM, signed=("token",), takes=frozenset({"password", "factor", "answer"}))
def reset_password_on_page(page_request: PageRequest) -> Answer:
    """Sets the new password, in whichever browser the link was opened; it logs nobody in."""
    token, password, factor, answer = (
        page_request.fields.get(name, "") for name in ("token", "password", "factor", "answer")
    )
    agent = page_request.user_agent
    try:
        link = recovery.reset(page_request.svc, token, new_password=password, agent=agent, factor=factor, answer=answer)
    except (errors.NotFound, errors.LoginExpired):
        return redirect_to_page(page_request, PAGE)
    except FORM_ERRORS as refusal:
        form = (FORM, page_request.browser_token())
        page_path = path_with_query(PAGE, _query(page_request, token, factor))
        return form_errors.redirect_with_errors(page_request, page_path, form, refusal, _error(refusal))
    request_log.set_reset(link.uid, operator=link.operator)
    return redirect_to_page(page_request, DONE)


@pages.page(f"/{DONE}")
def password_reset_page(page_request: PageRequest) -> Answer:
    """Says that it is done."""
    return page_request.show("reset_state.html", state="password_reset")


def _error(refusal: errors.LatchkeyError) -> str:
    of_answer = isinstance(refusal, errors.InvalidCredentials | errors.MfaRequired)
    return "wrong_answer" if of_answer else form_errors.of_password(refusal)
