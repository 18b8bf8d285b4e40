"""The end of an account, for who has just logged in: what it means, a button behind another, and what comes after."""

from ...domain import errors
from ...flows.accounts import apps, deletion
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import cookies, form_errors, forms
from .page_request import PageRequest, redirect_to_page, with_cookie
from .page_routes import Pages

pages = Pages(__name__)
api = pages.api

PAGE, DONE, LATER, FORM = "account/delete", "account/deleted", "account/deletion-scheduled", "delete"


@pages.page(f"/{PAGE}", logged_in=True, fresh=True)
def delete_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Says what is erased, who is told, and whether there is a way back; whoever has not just logged in does so first."""
    svc, user = page_request.svc, browser_session.user
    return forms.show(
        page_request,
        "delete.html",
        FORM,
        browser_session,
        user=user.email,
        apps=[app.name for app in apps.list_apps(svc, user)],
        seconds=svc.settings.deletion_seconds,
        query=page_request.to.removeprefix(PAGE),
    )


@pages.form(f"/{PAGE}", name=FORM, takes=frozenset({"decision"}), logged_in=True, fresh=True)
def delete_on_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Deletes the account, at once or from when on the deployment says, and logs this browser out."""
    svc, user, session = page_request.svc, browser_session.user, browser_session.session
    if page_request.fields.get("decision") != "delete":
        return page_request.start_over(PAGE)
    try:
        delete_after = deletion.delete(
            svc,
            user,
            session,
            auth_time=session.auth_time,
            password=None,
            network=page_request.caller.network,
            language=page_request.language,
        )
    except errors.TooManyRequests as refusal:
        form = (FORM, session.session_id)
        return form_errors.redirect_with_errors(page_request, page_request.to, form, refusal, refusal.code)
    answer = redirect_to_page(page_request, LATER if delete_after else DONE)
    return with_cookie(answer, cookies.write(svc.settings, cookies.SESSION, "", seconds=0))


@pages.page(f"/{DONE}")
def deleted_page(page_request: PageRequest) -> Answer:
    """Says that the account is gone."""
    return page_request.show("deleted.html", state="deleted", seconds=0)


@pages.page(f"/{LATER}")
def deletion_scheduled_page(page_request: PageRequest) -> Answer:
    """Says that the account will go, and how it is kept."""
    seconds = page_request.svc.settings.deletion_seconds
    return page_request.show("deleted.html", state="scheduled" if seconds else "deleted", seconds=seconds)
