import re
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any
from uuid import uuid4

from chalice.app import Request, Response

from ...domain import errors
from ...domain.oauth.client import Client
from ...flows.clients import current, refusals
from ...flows.platform import notes
from ...flows.platform.origin import OfRequest, Origin
from ...services import RoundTrips, services
from . import decoding, request_log
from .answers import error_response
from .user_agents import names_of

ALLOWED_METHODS = "GET,POST,PUT,PATCH,DELETE,OPTIONS"
ALLOWED_HEADERS = "Authorization,Content-Type,DPoP"
HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
# Scripts of every website may call these: no cookie counts there, only the credentials in the request itself.
FOR_EVERY_ORIGIN = (
    "/.well-known/",
    "/openapi.json",
    "/oauth/token",
    "/oauth/revoke",
    "/oauth/userinfo",
    "/oauth/register",
)

# What Chalice answers by itself, in our words.
CHALICE: Mapping[int, tuple[str, str]] = {
    404: (errors.NotFound.code, errors.NotFound.default),
    405: ("method_not_allowed", "This resource does not take that method: see the header Allow."),
    415: (errors.UnsupportedMediaType.code, errors.UnsupportedMediaType.default),
}


def middleware(request: Request | None, get_response: Callable[[Any], Response]) -> Response:
    """Middleware around every route: the one error shape, the headers that every answer has, and one log line."""
    started = perf_counter()
    context = request.context if request else {}
    request_id = context.get("requestId") or str(uuid4())  # `chalice local` gives none
    route = f"{context.get('httpMethod')} {context.get('resourcePath')}"
    of_request = OfRequest(lambda: _origin(request, request_id))
    with RoundTrips() as calls, request_log.Line(request_id, route) as entry, of_request:
        try:
            response = _with_our_error_shape(get_response(request), entry)
        finally:
            client, entry.notes = current.take(), notes.take()
        if client:
            _note_client(client, entry)
        response.headers["X-Request-Id"] = request_id
        response.headers["Vary"] = "Origin"
        if request and (origin := request.headers.get("origin")):
            response.headers.update(_cors(request, origin, response))
        entry.status, entry.dynamodb_calls = response.status_code, len(calls)
        entry.ms = round((perf_counter() - started) * 1000, 1)
    return response


def _origin(request: Request | None, request_id: str) -> Origin:
    if request is None:
        return Origin(request_id)
    browser, system = names_of(request.headers.get("user-agent", ""))
    return Origin(request_id, decoding.network_of_request(request), browser, system)


def _note_client(client: Client, entry: request_log.Entry) -> None:
    entry.client, entry.security_profile = client.client_id, client.security_profile if client.fapi else ""
    if entry.outcome == "ok":
        return
    entry.setting = refusals.setting_of(code=entry.outcome, reason=entry.reason)
    try:
        refusals.keep(services(), client, code=entry.outcome, reason=entry.reason)
    except Exception as fault:  # whoever was refused gets that answer, whatever becomes of the note
        request_log.fault(fault)


def _with_our_error_shape(response: Response, entry: request_log.Entry) -> Response:
    if not (isinstance(response.body, dict) and "Code" in response.body):
        return response
    code, description = CHALICE.get(response.status_code, (errors.LatchkeyError.code, errors.LatchkeyError.default))
    entry.outcome, entry.reason = code, "answered by Chalice"
    status = response.status_code if response.status_code in CHALICE else 500
    error = error_response(status, code, description)
    error.headers |= {name: value for name, value in response.headers.items() if name.lower() == "allow"}
    return error


def _cors(request: Request, origin: str, response: Response) -> Mapping[str, str]:
    for_every_origin = (request.context.get("resourcePath") or "").startswith(FOR_EVERY_ORIGIN)
    if not for_every_origin and origin not in services().settings.origins:
        return {}
    # No script may read our pages, or where they redirect (RFC 9700 section 2.6).
    if response.status_code == 303 or "text/html" in response.headers.get("Content-Type", ""):
        return {}
    return {
        "Access-Control-Allow-Origin": "*" if for_every_origin else origin,
        "Access-Control-Allow-Methods": ALLOWED_METHODS,
        "Access-Control-Allow-Headers": _allowed_headers(request.headers.get("access-control-request-headers", "")),
        "Access-Control-Expose-Headers": "X-Request-Id,Retry-After,WWW-Authenticate,DPoP-Nonce",
        "Access-Control-Max-Age": "600",
    }


def _allowed_headers(requested: str) -> str:
    # Only ALLOWED_HEADERS have a meaning here, so to allow others too does no harm.
    return requested if len(requested) <= 1024 and HEADER_NAMES.fullmatch(requested) else ALLOWED_HEADERS
