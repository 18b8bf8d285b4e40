"""A page with a form of ours on it: its hidden fields, what was wrong with it before, and the browser that it is for."""

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec

from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import form_errors
from .page_request import PageRequest


def show(
    page_request: PageRequest,
    template: str,
    form: str,
    browser_session: Browser | None = None,
    *,
    signed: Mapping[str, str] = {},
    **values: Any,
) -> Answer:
    """A page with a form of this name; without a browser session a cookie ties it to a browser where nobody is logged in.

    `signed` are fields that have to come back as they are.
    The template gets `hidden`, and what form_errors.FormError says if the form had one, the fields by the name `typed`.
    """
    browser = browser_session.session.session_id if browser_session else page_request.browser_token()
    browser = browser or secrets.token_urlsafe(16)
    form_error = form_errors.read(page_request, (form, browser))
    hidden = page_request.hidden(form, browser, **signed)
    of_error = msgspec.structs.asdict(form_error)
    of_error["typed"] = of_error.pop("fields")
    page = form_errors.clear(page_request, form_error, page_request.show(template, hidden=hidden, **of_error, **values))
    if browser_session:
        return page
    return page_request.with_browser_token(page, browser)
