from collections.abc import Mapping

from ...domain import errors
from ...domain.accounts.model import User
from ...domain.errors import InvalidRequest, LatchkeyError
from ...flows.accounts import mailed_signup, signup
from ...flows.authentication import login
from ...flows.authentication.login import Incomplete, Progress
from ...flows.oauth.authorize import UserAction
from ...flows.sessions import browser
from ..http import request_log
from ..http.answers import Answer
from . import cookies, form_errors, sign_up_fields
from .error_pages import FORM_REFUSALS, REFUSALS, unseal_page
from .login_form import CONTINUE, LOG_IN, SIGN_UP, form_page, show_form, work_path
from .login_progress import begin_login, redirect_after, redirect_after_sign_up, redirect_onward
from .page_request import HOME, PageRequest, path_with_query, redirect, with_cookie
from .page_routes import LANGUAGE, Pages
from .passkey_offer import offer_passkey

pages = Pages(__name__)
api = pages.api

# Errors that are shown in the form itself; any other has a page of its own.
FORM_ERRORS = (errors.InvalidCredentials, errors.AccountDisabled, errors.TooManyRequests, errors.InvalidRequest)
SIGN_UP_FORM_ERRORS = (
    errors.AccountDisabled,
    errors.TooManyRequests,
    errors.WeakPassword,
    errors.EmailTaken,
    errors.EmailDomainRefused,
    errors.InvalidRequest,
)
SIGN_UP_FIELDS = ("email", "password", "name")


# For developers, below the issuer, and what is there.
LINKS = (
    ("docs", "The API, call by call"),
    ("openapi.json", "The same for tools (OpenAPI 3.1)"),
    (".well-known/openid-configuration", "Discovery for OpenID Connect"),
    (".well-known/oauth-authorization-server", "Metadata for OAuth 2"),
    (".well-known/jwks.json", "The public keys of tokens"),
)


@pages.page("/", destination=True)
def home(page_request: PageRequest) -> Answer:
    """What runs here, for whoever wonders, and who is logged in."""
    browser_session = page_request.browser()
    page_request = page_request.of_account(browser_session.user if browser_session else None)
    forms = {form: form_page(page_request, form) for form in (LOG_IN, SIGN_UP)}
    return page_request.show(
        "home.html",
        user=browser_session.user.email if browser_session else "",
        **forms,
        sign_up_open=page_request.svc.settings.sign_up_open,
        query=page_request.to,
        links=LINKS,
    )


@pages.page("/error", takes=frozenset({"what"}), errors=FORM_REFUSALS)
def error_page(page_request: PageRequest) -> Answer:
    """What went wrong with a form."""
    return unseal_page(page_request.svc, page_request.caller.headers, page_request.fields.get("what", ""))


@pages.page(f"/authorize/{LOG_IN}", takes=LANGUAGE | {"to"})
def login_page(page_request: PageRequest) -> Answer:
    """The login form by itself, behind the account of who is logged in, unless another one is wanted for something."""
    leads_home = page_request.to.partition("?")[0] == HOME
    return show_form(page_request, LOG_IN, browser_session=page_request.browser() if leads_home else None)


@pages.page(f"/authorize/{SIGN_UP}", takes=LANGUAGE | {"to"}, errors=(*REFUSALS, errors.SignUpClosed))
def sign_up_page(page_request: PageRequest) -> Answer:
    """The sign-up form."""
    signup.check_open(page_request.svc)
    return show_form(page_request, SIGN_UP)


@pages.form(f"/authorize/{LOG_IN}", name=LOG_IN, takes=frozenset({"email", "password", "passkeys"}))
def log_in_on_page(page_request: PageRequest) -> Answer:
    """The login form. Work that the browser has shown with it was good for this once."""
    return _without_work(page_request, _answer_login(page_request))


def _without_work(page_request: PageRequest, answer: Answer) -> Answer:
    if not page_request.user_agent.proof_of_work:
        return answer
    return with_cookie(answer, cookies.write(page_request.svc.settings, cookies.WORK, "", seconds=0))


def _answer_login(page_request: PageRequest) -> Answer:
    try:
        progress = _log_in(page_request)
    except errors.ProofOfWorkRequired as refusal:
        request_log.set_outcome(refusal)
        return redirect(f"{page_request.svc.settings.issuer}/{work_path(page_request, LOG_IN)}")
    except FORM_ERRORS as refusal:
        malformed = isinstance(refusal, InvalidRequest)
        return _redirect_with_errors(
            page_request, LOG_IN, refusal, errors.InvalidCredentials.code if malformed else refusal.code
        )
    return offer_passkey(page_request, progress, redirect_after(page_request, progress))


def _log_in(page_request: PageRequest) -> Progress:
    address, password = (page_request.fields.get(name, "") for name in ("email", "password"))
    attempt, agent = begin_login(page_request), page_request.user_agent
    return login.with_password(page_request.svc, attempt, address=address, password=password, agent=agent)


@pages.form(f"/authorize/{SIGN_UP}", name=SIGN_UP, takes=frozenset(SIGN_UP_FIELDS))
def sign_up_on_page(page_request: PageRequest) -> Answer:
    """The sign-up form, filled in. Work that the browser has shown with it was good for this once."""
    return _without_work(page_request, _answer_sign_up(page_request))


def _answer_sign_up(page_request: PageRequest) -> Answer:
    try:
        return _sign_up(page_request)
    except errors.ProofOfWorkRequired as refusal:
        return _redirect_with_errors(page_request, SIGN_UP, refusal, refusal.code, at=work_path(page_request, SIGN_UP))
    except SIGN_UP_FORM_ERRORS as refusal:
        error = form_errors.of_field(refusal)
        by_mail = page_request.svc.settings.sign_up == "verified"
        typed = {name: page_request.fields.get(name, "") for name in (("email",) if by_mail else SIGN_UP_FIELDS)}
        mistakes = sign_up_fields.mistakes(page_request.svc, error, typed)
        return _redirect_with_errors(page_request, SIGN_UP, refusal, error, mistakes)


def _sign_up(page_request: PageRequest) -> Answer:
    if page_request.svc.settings.sign_up == "verified":
        return _mail_sign_up(page_request)
    user = _draft_user(page_request)
    first_login = login.of_new_account(page_request.svc, begin_login(page_request), user, page_request.user_agent)
    session = None if isinstance(first_login, Incomplete) else browser.draft(page_request.svc, first_login)
    try:
        signup.create(page_request.svc, user, first=session, language=page_request.language)
    except errors.EmailTaken:
        # A button may be pressed twice: whoever knows the password of the account has just created it, or may log in.
        try:
            return redirect_after(page_request, _log_in(page_request))
        except (errors.InvalidCredentials, errors.ProofOfWorkRequired):
            raise errors.EmailTaken() from None
    return redirect_after_sign_up(page_request, first_login, session)


def _mail_sign_up(page_request: PageRequest) -> Answer:
    address, language = page_request.fields.get("email", ""), page_request.language
    mailed_signup.request(page_request.svc, address=address, network=page_request.caller.network, language=language)
    mailed = path_with_query("account/sign-up-mailed", [("to", page_request.to)])
    return redirect(f"{page_request.svc.settings.issuer}/{mailed}")


def _draft_user(page_request: PageRequest) -> User:
    address, password, name = (page_request.fields.get(field, "") for field in SIGN_UP_FIELDS)
    sign_up_fields.check_name(name)
    agent = page_request.user_agent
    return signup.draft(
        page_request.svc,
        address=address,
        password=password,
        name=name,
        network=agent.network,
        work=agent.proof_of_work,
    )


@pages.form("/authorize/continue")
def continue_as_known(page_request: PageRequest) -> Answer:
    """The choice to go on as who is logged in already: as that user, or not at all."""
    browser_session = page_request.browser()
    if browser_session is None:
        return redirect(f"{page_request.svc.settings.issuer}/{form_page(page_request, LOG_IN)}")
    page_request.verify_form_token(CONTINUE, browser_session)
    return redirect_onward(page_request, browser_session, UserAction.ACCOUNT_CHOSEN)


def _redirect_with_errors(
    page_request: PageRequest,
    form: str,
    refusal: LatchkeyError,
    error: str,
    mistakes: Mapping[str, str] = {},
    *,
    at: str = "",
) -> Answer:
    fields = {name: page_request.fields.get(name, "") for name in ("email", "name")}
    page_path, browser = at or form_page(page_request, form), page_request.browser_token()
    return form_errors.redirect_with_errors(
        page_request, page_path, (form, browser), refusal, error, mistakes=mistakes, **fields
    )
