"""The applications that somebody has allowed to use their account, and how that is taken back."""

from ...domain import errors
from ...flows.accounts import apps
from ...flows.oauth.interactions import Interaction
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import forms, long_lists
from .page_request import PageRequest, path_with_query
from .page_routes import Pages
from .scopes import apis_of

pages = Pages(__name__)
api = pages.api

PAGE, FORM, REVOKED, GONE = "account/apps", "apps", "revoked", "gone"
MOST = 10  # applications of a page


@pages.page(f"/{PAGE}", takes=long_lists.TAKES, logged_in=True)
def apps_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Each application, what it may do, and since when."""
    svc, interaction = page_request.svc, page_request.interaction(browser_session)
    listed, more = long_lists.part(page_request, PAGE, apps.list_apps(svc, browser_session.user), most=MOST)
    return forms.show(
        page_request,
        "apps.html",
        FORM,
        browser_session,
        user=browser_session.user.email,
        apps=listed,
        apis=apis_of(svc.settings, [each.resource for app in listed for each in app.allowed]),
        done=interaction.action if interaction else "",
        more=more,
        query=path_with_query("", long_lists.language(page_request)),
    )


@pages.form(f"/{PAGE}", name=FORM, takes=frozenset({"revoke"}), logged_in=True)
def revoke_app(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Takes back what one application may do, and ends its sessions."""
    svc, client_id = page_request.svc, page_request.fields.get("revoke", "")
    try:
        apps.revoke(svc, browser_session.user, client_id, network=page_request.caller.network)
    except errors.NotFound:  # the list was an old one
        return page_request.redirect_after(browser_session, Interaction(GONE))
    return page_request.redirect_after(browser_session, Interaction(REVOKED))
