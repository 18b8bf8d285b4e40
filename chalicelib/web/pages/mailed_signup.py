"""The page of a mailed link that makes an account."""

from ...domain import errors
from ...flows.accounts import mailed_signup
from ...flows.authentication import login
from ...flows.authentication.login import Incomplete
from ...flows.sessions import browser
from ..http.answers import Answer
from . import form_errors, forms, sign_up_fields
from .login_form import LOG_IN, SIGN_UP, form_page, sign_up_options
from .login_progress import LOGIN_PAGE, begin_login, redirect_after_sign_up
from .page_request import PageRequest, path_with_query, redirect
from .page_routes import LANGUAGE, Pages
from .sign_up_fields import MAILED_FORM, MAILED_PAGE

pages = Pages(__name__)
api = pages.api

MAILED = "account/sign-up-mailed"
FORM_ERRORS = (errors.WeakPassword, errors.EmailDomainRefused, errors.TooManyRequests, errors.InvalidRequest)


@pages.page(f"/{MAILED}", takes=LANGUAGE | {"to"})
def sign_up_mailed_page(page_request: PageRequest) -> Answer:
    """Says that a mail is on its way, to whomever."""
    onward = form_page(page_request, LOG_IN)
    return page_request.show("sign_up_state.html", state="mailed", onward=onward, again=_again(page_request))


@pages.page(f"/{MAILED_PAGE}", takes=LANGUAGE | {"token"})
def mailed_sign_up_page(page_request: PageRequest) -> Answer:
    """Where the link of a mail leads: it asks for the password, and makes nothing by itself."""
    token = page_request.fields.get("token", "")
    try:
        address = mailed_signup.read_link(page_request.svc, token).email
    except errors.NotFound:
        return page_request.show("sign_up_state.html", state="too_old", onward=LOGIN_PAGE, again=_again(page_request))
    return forms.show(
        page_request,
        "mailed_sign_up.html",
        MAILED_FORM,
        signed={"token": token},
        user=address,
        sign_up_passkey=sign_up_options(page_request, token),
    )


@pages.form(f"/{MAILED_PAGE}", name=MAILED_FORM, signed=("token",), takes=frozenset({"password", "name"}))
def mailed_sign_up_on_page(page_request: PageRequest) -> Answer:
    """Makes the account, and logs it in in whichever browser the password was chosen in."""
    try:
        return _sign_up(page_request)
    except errors.NotFound:
        return redirect(f"{page_request.svc.settings.issuer}/{path_with_query(MAILED_PAGE, page_request.query)}")
    except FORM_ERRORS as refusal:
        error = form_errors.of_password(refusal)
        page_path = path_with_query(MAILED_PAGE, [*page_request.query, ("token", page_request.fields["token"])])
        typed = {name: page_request.fields.get(name, "") for name in ("password", "name")}
        mistakes = sign_up_fields.mistakes(page_request.svc, error, typed)
        form, name = (MAILED_FORM, page_request.browser_token()), typed["name"]
        return form_errors.redirect_with_errors(
            page_request, page_path, form, refusal, error, mistakes=mistakes, name=name
        )


def _again(page_request: PageRequest) -> str:
    """Where somebody asks for the mail once more, "" where nobody may by themselves."""
    return form_page(page_request, SIGN_UP) if page_request.svc.settings.sign_up_open else ""


def _sign_up(page_request: PageRequest) -> Answer:
    svc = page_request.svc
    token, password, name = (page_request.fields.get(field, "") for field in ("token", "password", "name"))
    sign_up_fields.check_name(name)
    user = mailed_signup.draft(svc, token, password=password, name=name, network=page_request.caller.network)
    first_login = login.of_new_account(svc, begin_login(page_request), user, page_request.user_agent)
    session = None if isinstance(first_login, Incomplete) else browser.draft(svc, first_login)
    mailed_signup.create(svc, token, user, first=session)
    return redirect_after_sign_up(page_request, first_login, session)
