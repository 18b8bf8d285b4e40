from contextlib import suppress
from typing import Any

from ...domain import errors
from ...domain.accounts.model import Session
from ...domain.accounts.remembered_device import RememberedDevice
from ...flows.clients import own
from ...flows.oauth.interactions import Interaction
from ...flows.sessions import logout, manage, remembered_devices
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import forms, long_lists
from .page_request import PageRequest, path_with_query, redirect
from .page_routes import Pages

pages = Pages(__name__)
api = pages.api

PAGE, FORM = "account/sessions", "sessions"
MOST = 20  # sessions and devices of a page
ENDED, GONE, OTHERS_ENDED, FORGOTTEN = "session_ended", "session_gone", "others_ended", "device_forgotten"


@pages.page(f"/{PAGE}", takes=long_lists.TAKES, logged_in=True)
def sessions_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Where somebody is logged in: every browser and application, since when, and when it was last used."""
    svc, user, current = page_request.svc, browser_session.user, browser_session.session
    listed = manage.list_sessions(svc, user, current)
    # This browser's own may have ended since it was read, and is then none of the list.
    others = [session for session in listed if session.session_id != current.session_id]
    rows = [*others, *remembered_devices.list_devices(svc, user)]
    rows_of_page, more = long_lists.part(page_request, PAGE, rows, most=MOST)
    interaction = page_request.interaction(browser_session)
    return forms.show(
        page_request,
        "sessions.html",
        FORM,
        browser_session,
        user=user.email,
        current=_values(current),
        has_others=bool(others),
        others=[_values(each) for each in rows_of_page if isinstance(each, Session)],
        devices=[_device(each) for each in rows_of_page if isinstance(each, RememberedDevice)],
        more=more,
        done=interaction.action if interaction else "",
        query=_language(page_request),
    )


@pages.form(f"/{PAGE}", name=FORM, takes=frozenset({"session", "others", "device"}), logged_in=True)
def end_sessions(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Ends one session of the list, or all but this browser's, or forgets a device. This browser's own ends by logging out."""
    if "device" in page_request.fields:
        return page_request.redirect_after(browser_session, Interaction(_forget(page_request, browser_session)))
    session_id = page_request.fields.get("session", "")
    if session_id == browser_session.session.session_id:
        return redirect(f"{page_request.svc.settings.issuer}/oauth/logout{_language(page_request)}")
    others = "others" in page_request.fields
    action = _end_others(page_request, browser_session) if others else _end(page_request, browser_session, session_id)
    return page_request.redirect_after(browser_session, Interaction(action))


def _end(page_request: PageRequest, browser_session: Browser, session_id: str) -> str:
    svc, network = page_request.svc, page_request.caller.network
    try:
        logout.end_one(svc, browser_session.user, sid=session_id, network=network)
    except errors.NotFound:  # the list was an old one
        return GONE
    return ENDED


def _forget(page_request: PageRequest, browser_session: Browser) -> str:
    with suppress(errors.NotFound):  # the list was an old one
        remembered_devices.forget(page_request.svc, browser_session.user, page_request.fields["device"])
    return FORGOTTEN


def _end_others(page_request: PageRequest, browser_session: Browser) -> str:
    user, session = browser_session.user, browser_session.session
    logout.end_other_sessions(page_request.svc, user, session, network=page_request.caller.network)
    return OTHERS_ENDED


def _values(session: Session) -> dict[str, Any]:
    is_browser = session.client_id == own.BROWSER.client_id
    return {
        "id": session.session_id,
        "is_browser": is_browser,
        "name": "" if is_browser else session.device,
        "last_used_at": session.last_used_at,
        "created_at": session.created_at,
    }


def _device(device: RememberedDevice) -> dict[str, Any]:
    return {
        "id": device.device_id,
        "browser": device.browser,
        "system": device.system,
        "last_used_at": device.last_used_at,
    }


def _language(page_request: PageRequest) -> str:
    return path_with_query("", long_lists.language(page_request))
