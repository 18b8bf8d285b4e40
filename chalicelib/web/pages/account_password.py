"""The password of an account, for who has just logged in: another one, or the first."""

from ...domain import errors
from ...flows.accounts import account
from ...flows.oauth.interactions import Interaction
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import form_errors, forms
from .page_request import PageRequest
from .page_routes import Pages

pages = Pages(__name__)
api = pages.api

PAGE, FORM, CHANGED = "account/password", "password", "changed"
FORM_ERRORS = (errors.WeakPassword, errors.TooManyRequests, errors.InvalidRequest)


@pages.page(f"/{PAGE}", logged_in=True, fresh=True)
def password_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Asks for a new password; whoever has not just logged in with all factors does so first."""
    user = browser_session.user
    interaction = page_request.interaction(browser_session)
    return forms.show(
        page_request,
        "password.html",
        FORM,
        browser_session,
        user=user.email,
        has_password=bool(user.password_hash),
        done=interaction.action if interaction else "",
        query=page_request.to.removeprefix(PAGE),
    )


@pages.form(f"/{PAGE}", name=FORM, takes=frozenset({"password"}), logged_in=True, fresh=True)
def change_password_on_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Sets the new password, which ends every session but this browser's."""
    try:
        account.set_password_after_login(
            page_request.svc,
            browser_session.user,
            browser_session.session,
            new_password=page_request.fields.get("password", ""),
            network=page_request.caller.network,
            language=page_request.language,
        )
    except FORM_ERRORS as refusal:
        form, error = (FORM, browser_session.session.session_id), form_errors.of_password(refusal)
        return form_errors.redirect_with_errors(page_request, page_request.to, form, refusal, error)
    return page_request.redirect_after(browser_session, Interaction(CHANGED))
