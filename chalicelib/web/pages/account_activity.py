"""What has happened to somebody's account lately, and what to do if it was not them."""

from typing import Any

from ...domain.accounts.events import EVENTS, NEW, OPERATOR, Event
from ...flows.accounts import activity
from ...flows.accounts.activity import Activity
from ...flows.oauth.interactions import Interaction
from ...flows.sessions import logout
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from ..http.decoding import number
from . import forms, long_lists
from .page_request import PageRequest, path_with_query
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

PAGE, FORM, OTHERS_ENDED = "account/activity", "activity", "others_ended"
USUAL = 25  # events of a page


@pages.page(f"/{PAGE}", takes=LANGUAGE | {"before"}, logged_in=True)
def activity_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """What has happened, the latest first, with when and where."""
    svc, interaction = page_request.svc, page_request.interaction(browser_session)
    before = number(dict(page_request.query).get("before", ""), digits=activity.MAX_DIGITS) or 0
    listed = activity.read(svc, browser_session.user, before=before, usual=USUAL)
    language = long_lists.language(page_request)
    return forms.show(
        page_request,
        "activity.html",
        FORM,
        browser_session,
        user=browser_session.user.email,
        events=[_values(each, listed) for each in listed.events if each.type in EVENTS],
        older=path_with_query(PAGE, [*language, ("before", str(listed.next))]) if listed.next else "",
        done=interaction.action if interaction else "",
        query=path_with_query("", language),
    )


@pages.form(f"/{PAGE}", name=FORM, takes=frozenset({"others"}), logged_in=True)
def end_others_after_activity(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Logs all other devices out: what somebody wants at once who finds there what they have not done."""
    user, session = browser_session.user, browser_session.session
    logout.end_other_sessions(page_request.svc, user, session, network=page_request.caller.network)
    return page_request.redirect_after(browser_session, Interaction(OTHERS_ENDED))


def _values(event: Event, listed: Activity) -> dict[str, Any]:
    return {
        "type": event.type,
        "reason": event.reason.replace(" ", "_"),
        "at": event.at,
        "factor": event.factor,
        "browser": event.browser,
        "system": event.system,
        "network": event.network,
        "client": listed.client_names.get(event.client, ""),
        "is_new_device": event.device == NEW,
        "by_operator": event.by == OPERATOR,
    }
