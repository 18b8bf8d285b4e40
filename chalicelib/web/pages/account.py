"""The start of a person's own pages: who they are, what they say of themselves, and where everything else is."""

from collections.abc import Mapping

from ...domain import errors
from ...domain.accounts import profile
from ...flows.accounts import account
from ...flows.oauth.interactions import Interaction
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import form_errors, forms, language_choice
from .account_menu import MENU
from .page_request import PageRequest, with_cookie
from .page_routes import Pages

pages = Pages(__name__)
api = pages.api

PAGE, FORM, SAVED, LOCALE = "account", "profile", "saved", "locale"
# What is asked for, and what a browser knows it by (HTML's autofill); the rest of the claims is for applications to set.
FIELDS: Mapping[str, str] = {
    "name": "name",
    "given_name": "given-name",
    "family_name": "family-name",
    "nickname": "nickname",
    "website": "url",
}


@pages.page(f"/{PAGE}", logged_in=True)
def account_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Who is logged in, with what they say of themselves, and links to all pages of the account."""
    user, interaction = browser_session.user, page_request.interaction(browser_session)
    return forms.show(
        page_request,
        "account.html",
        FORM,
        browser_session,
        user=user.email,
        values={"name": user.name, **{name: user.claims.get(name, "") for name in FIELDS if name != "name"}},
        autofill=FIELDS,
        locale=user.claims.get("locale", ""),
        tags=page_request.svc.settings.languages,
        menu=MENU,
        done=interaction.action if interaction else "",
        query=page_request.to.removeprefix(PAGE),
    )


@pages.form(f"/{PAGE}", name=FORM, takes=frozenset({*FIELDS, LOCALE}), logged_in=True)
def change_profile_on_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Saves what its owner says of themselves; an empty field takes it away."""
    values = {name: page_request.fields[name].strip() for name in (*FIELDS, LOCALE) if name in page_request.fields}
    mistakes = {
        name: "wrong_website" if name == "website" else "long_name"
        for name, text in values.items()
        if not profile.is_valid(name, text)
    }
    if mistakes:
        wrong, error = next(iter(mistakes.items()))
        refusal = errors.InvalidRequest(f"The profile takes no such `{wrong}`.", reason=wrong)
        form = (FORM, browser_session.session.session_id)
        return form_errors.redirect_with_errors(
            page_request, page_request.to, form, refusal, error, mistakes=mistakes, **values
        )
    if values:
        account.change_profile(page_request.svc, browser_session.user, values)
    answer = page_request.redirect_after(browser_session, Interaction(SAVED))
    return with_cookie(answer, _language_cookie(page_request, values[LOCALE])) if LOCALE in values else answer


def _language_cookie(page_request: PageRequest, locale: str) -> str:
    """What this browser has from now on: else an earlier choice in it would hide the new one."""
    ui_locales = dict(page_request.query).get("ui_locales", "")
    settings = page_request.svc.settings
    tag = locale if locale in settings.languages else ""
    return language_choice.cookie(settings, tag, language_choice.digest(ui_locales))
