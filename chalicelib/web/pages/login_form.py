"""The login and the sign-up form: what they show, wherever they lead."""

import json
from typing import Any

from ...domain.accounts.model import User
from ...domain.errors import EmailDomainRefused
from ...domain.oauth.client import host_of, loopback_host
from ...flows.accounts import passkey_signup
from ...flows.oauth.client_request import ClientRequest
from ...flows.platform import passkey_domain
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import forms
from .login_progress import attempt_by_mail, leads_here, step_page
from .page_request import PageRequest, path_with_query, redirect

# The two forms, which pages below `authorize` and templates are called by too, and that of who is logged in already.
LOG_IN, SIGN_UP, CONTINUE = "login", "signup", "continue"
MAILED_LOGIN = "authorize/mailed"
# The form's token ties a sign-up to its browser; this keeps what was begun for an app apart.
PAGES = "pages"


def show_form(
    page_request: PageRequest,
    form: str,
    *,
    client_request: ClientRequest | None = None,
    browser_session: Browser | None = None,
    email: str = "",
    confirms: str = "",
) -> Answer:
    """The login or sign-up page, tied to this browser; who is logged in in `browser_session` may continue.

    It says which address a mail's link `confirms` afterwards. Where strangers have to show work, that page comes first.
    """
    if _waits_for_work(page_request, form):
        return redirect(f"{page_request.svc.settings.issuer}/{work_path(page_request, form)}")
    attempt = attempt_by_mail(page_request)
    return forms.show(
        page_request,
        f"{form}.html",
        form,
        user=browser_session.user.email if browser_session else "",
        account=_account(page_request, browser_session.user) if browser_session else {},
        continue_fields=_continue_fields(page_request, browser_session) if browser_session else {},
        email=email,
        confirms=confirms,
        rp=passkey_domain.relying_party(page_request.svc).id if passkey_domain.is_name(page_request.svc) else "",
        sign_up_passkey=sign_up_options(page_request) if form == SIGN_UP else "",
        mails=bool(page_request.svc.settings.mail_from),
        mailed_login=page_request.svc.settings.mailed_login,
        code_page=mailed_page(page_request) if attempt and leads_here(page_request, attempt) else "",
        by_mail=page_request.svc.settings.sign_up == "verified",
        sign_up_open=page_request.svc.settings.sign_up_open,
        other=f"{page_request.svc.settings.issuer}/{form_page(page_request, LOG_IN if form == SIGN_UP else SIGN_UP)}",
        **client_values(page_request, client_request),
    )


def sign_up_options(page_request: PageRequest, link: str = "") -> str:
    """What the script of a sign-up page makes a passkey by, "" where nobody can: no address has been named for it yet.

    It is fetched by nobody after a click, which some browsers would not wait for.
    """
    svc = page_request.svc
    if not passkey_domain.is_name(svc) or (not link and svc.settings.sign_up != "open"):
        return ""
    try:
        pending = passkey_signup.begin(svc, holder=PAGES, link=link)
    except EmailDomainRefused:  # which the form by a password says once it is sent
        return ""
    return json.dumps({"attempt": pending.token, **pending.challenge})


def _waits_for_work(page_request: PageRequest, form: str) -> bool:
    if form == LOG_IN:
        return page_request.work_is_due and not page_request.user_agent.device_token
    # Where a mail comes first, the form has no password.
    return page_request.work_is_due and page_request.svc.settings.sign_up == "open"


def work_path(page_request: PageRequest, form: str) -> str:
    """The path of the page that works, and leads to the login or sign-up page then."""
    return path_with_query(
        "authorize/work", [("next_form", form), *([("to", page_request.to)] if page_request.to else [])]
    )


def form_page(page_request: PageRequest, form: str) -> str:
    """The path of the login or sign-up page that leads on to where this request leads."""
    return step_page(page_request, f"authorize/{form}")


def mailed_page(page_request: PageRequest) -> str:
    """The path of the page that asks for the code of a mail."""
    return step_page(page_request, MAILED_LOGIN)


def _account(page_request: PageRequest, user: User) -> dict[str, str]:
    """What somebody knows an account by at a glance."""
    picture = page_request.svc.settings.brand.picture(user.claims.get("picture", ""))
    return {"name": user.name, "picture": picture}


def _continue_fields(page_request: PageRequest, browser_session: Browser) -> dict[str, str]:
    return page_request.hidden(CONTINUE, browser_session.session.session_id)


def client_values(page_request: PageRequest, client_request: ClientRequest | None = None) -> dict[str, Any]:
    """What a page says of the client that a login is for, if it is for one."""
    if client_request is None and page_request.request:
        client_request = page_request.client_request
    if client_request is None:
        return {"client": "", "host": "", "sends_to": ""}
    redirect_uri = client_request.params["redirect_uri"]
    return {
        "client": client_request.client.client_name,
        # Where a document is says nothing of who runs a program on the user's device.
        "host": "" if loopback_host(redirect_uri) else host_of(client_request.client.client_id),
        "sends_to": redirect_uri,
        "locales": client_request.params.get("ui_locales", ""),
    }
