"""The address of an account, for who has just logged in: whether it is verified, whether mail arrives, and another one."""

from ...domain import errors
from ...flows.accounts import email_change, verification
from ...flows.oauth.interactions import Interaction
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import form_errors, forms
from .page_request import PageRequest
from .page_routes import Pages

pages = Pages(__name__)
api = pages.api

PAGE, FORM = "account/email", "email"
VERIFICATION, CHANGE, WITHDRAWN = "verification_mailed", "change_mailed", "withdrawn"
FORM_ERRORS = (errors.InvalidRequest, errors.EmailDomainRefused, errors.TooManyRequests)


@pages.page(f"/{PAGE}", logged_in=True, fresh=True)
def email_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Where mail for the account goes, and whether it arrives; whoever has not just logged in does so first."""
    user = browser_session.user
    interaction = page_request.interaction(browser_session)
    return forms.show(
        page_request,
        "email.html",
        FORM,
        browser_session,
        user=user.email,
        verified=user.email_verified,
        problem=user.email_problem,
        pending=user.pending_email_at(page_request.svc.now()),
        sends_mail=bool(page_request.svc.settings.mail_from),
        verification_is_due=verification.is_due(user),
        done=interaction.action if interaction else "",
        mailed_to=interaction.detail if interaction else "",
        query=page_request.to.removeprefix(PAGE),
    )


@pages.form(f"/{PAGE}", name=FORM, takes=frozenset({"verify", "email", "withdraw"}), logged_in=True, fresh=True)
def change_email_on_account_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Has a link mailed: to the address for its verification, or to the one that the account is to have; or takes that back."""
    try:
        return page_request.redirect_after(browser_session, _request(page_request, browser_session))
    except errors.NotFound:
        return page_request.start_over(PAGE)  # which has no form where no mail is sent
    except FORM_ERRORS as refusal:
        error = "invalid_email" if isinstance(refusal, errors.InvalidRequest) else refusal.code
        form, typed = (FORM, browser_session.session.session_id), page_request.fields.get("email", "")
        return form_errors.redirect_with_errors(page_request, page_request.to, form, refusal, error, email=typed)


def _request(page_request: PageRequest, browser_session: Browser) -> Interaction:
    svc, fields = page_request.svc, page_request.fields
    user, session = browser_session.user, browser_session.session
    network, language = page_request.caller.network, page_request.language
    if "verify" in fields:
        verification.request(svc, user, network=network, language=language)
        return Interaction(VERIFICATION, user.email)
    if "withdraw" in fields:
        email_change.withdraw(svc, user)
        return Interaction(WITHDRAWN)
    mailed_to = email_change.request_after_login(
        svc, user, session, address=fields.get("email", ""), network=network, language=language
    )
    return Interaction(CHANGE, mailed_to)
