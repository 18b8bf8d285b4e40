"""Sign-up with a passkey on the pages: beside the password, where the browser can make one."""

from ...domain import errors
from ...flows.accounts import passkey_signup
from ...flows.authentication.login import Incomplete
from ...flows.sessions import browser
from ..http.answers import Answer
from . import form_errors, sign_up_fields
from .login_form import PAGES, SIGN_UP, form_page
from .login_progress import begin_login, redirect_after_sign_up
from .page_request import PageRequest, path_with_query, redirect
from .page_routes import Pages
from .sign_up_fields import MAILED_FORM, MAILED_PAGE

pages = Pages(__name__)
api = pages.api

FORM_ERRORS = (
    errors.InvalidCredentials,
    errors.LoginExpired,
    errors.TooManyRequests,
    errors.EmailTaken,
    errors.EmailDomainRefused,
    errors.InvalidRequest,
)
FIELDS = frozenset({"attempt", "answer", "email", "name"})


@pages.form(f"/authorize/{SIGN_UP}/passkey", name=SIGN_UP, takes=FIELDS)
def sign_up_with_passkey(page_request: PageRequest) -> Answer:
    """The passkey that was made on the sign-up page."""
    try:
        return _sign_up(page_request)
    except FORM_ERRORS as refusal:
        return _redirect_with_errors(page_request, SIGN_UP, form_page(page_request, SIGN_UP), refusal)


@pages.form(f"/{MAILED_PAGE}/passkey", name=MAILED_FORM, signed=("token",), takes=FIELDS)
def mailed_sign_up_with_passkey(page_request: PageRequest) -> Answer:
    """The passkey that was made on the page of a mailed link."""
    page_path = path_with_query(MAILED_PAGE, [*page_request.query, ("token", page_request.fields["token"])])
    try:
        return _sign_up(page_request)
    except errors.NotFound:
        return redirect(f"{page_request.svc.settings.issuer}/{path_with_query(MAILED_PAGE, page_request.query)}")
    except FORM_ERRORS as refusal:
        return _redirect_with_errors(page_request, MAILED_FORM, page_path, refusal)


def _sign_up(page_request: PageRequest) -> Answer:
    svc = page_request.svc
    text, answer, email, name = (page_request.fields.get(each, "") for each in ("attempt", "answer", "email", "name"))
    sign_up_fields.check_name(name)
    new = passkey_signup.draft(
        svc,
        text,
        answer=answer,
        network=page_request.caller.network,
        holder=PAGES,
        address=email,
        name=name,
    )
    first_login = passkey_signup.first_login(svc, begin_login(page_request), new, page_request.user_agent)
    session = None if isinstance(first_login, Incomplete) else browser.draft(svc, first_login)
    passkey_signup.create(svc, new, first=session, language=page_request.language)
    return redirect_after_sign_up(page_request, first_login, session)


def _redirect_with_errors(page_request: PageRequest, form: str, page: str, refusal: errors.LatchkeyError) -> Answer:
    not_made = isinstance(refusal, errors.InvalidCredentials | errors.LoginExpired)
    error = "passkey_not_made" if not_made else form_errors.of_field(refusal)
    fields = {name: page_request.fields.get(name, "") for name in ("email", "name")}
    mistakes = sign_up_fields.mistakes(page_request.svc, error, fields)
    return form_errors.redirect_with_errors(
        page_request, page, (form, page_request.browser_token()), refusal, error, mistakes=mistakes, **fields
    )
