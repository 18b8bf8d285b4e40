"""Errors of what is no page, for a person whose browser went there: the same answer as a page, with a way on."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from chalice.app import Request, Response

from ...services import services
from ..http import request_log
from ..http.answers import ErrorBody
from . import error_pages


def middleware(request: Request | None, get_response: Callable[[Any], Response]) -> Response:
    """Middleware around all others: an error in JSON becomes a page where a browser wants to show what it gets."""
    response = get_response(request)
    if request is None or response.status_code < 400 or not _is_json(response) or not _shows(request.headers):
        return response
    try:
        return _page(request, response)
    except Exception as fault:  # the answer is right as it is
        request_log.fault(fault)
        return response


def _is_json(response: Response) -> bool:
    return str(response.headers.get("Content-Type", "")).startswith("application/json")


def _shows(headers: Mapping[str, str]) -> bool:
    """Whether somebody went there by an address, a link or a form; scripts and programs want what is there."""
    if mode := headers.get("sec-fetch-mode"):
        return mode == "navigate"
    # Old programs ask for text/html before anything else, but for no XHTML, as each browser does.
    accepted = headers.get("accept", "")
    return "text/html" in accepted and "application/xhtml+xml" in accepted


def _page(request: Request, response: Response) -> Response:
    error = msgspec.json.decode(response.body, type=ErrorBody)
    retry_after = str(response.headers.get("Retry-After", ""))
    page = error_pages.page_of(
        services(),
        request.headers,
        error=error.error,
        description=error.error_description,
        wait=int(retry_after) if retry_after.isdecimal() else 0,
        request_id=str(response.headers.get("X-Request-Id", "")),
    )
    # No script may read a page of ours.
    kept = {name: value for name, value in response.headers.items() if not name.startswith("Access-Control-")}
    return Response(page.body, status_code=response.status_code, headers={**kept, **page.headers})
