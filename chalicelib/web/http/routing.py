import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from chalice.app import Blueprint, Request, Response

from ...config import RESOURCE_METADATA
from ...domain import errors
from ...domain.errors import LatchkeyError
from ...flows.platform import limits
from ...guard.functions import guard
from ...guard.scope_map import SCOPES
from ...services import Services, services
from . import request_log

MAX_BODY_BYTES = 64 * 1024
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
MAX_FIELDS = 100
Headers = dict[str, str | list[str]]
# API Gateway puts this in the place of bytes that are not UTF-8, so that different passwords would come out the same.
REPLACEMENT = "\ufffd".encode()
NOT_A_FORM = "Send the body as application/x-www-form-urlencoded."
NOT_JSON = "The body is not well-formed JSON in UTF-8."
SINGLE_HEADERS = ("authorization", "content-type", "origin", "dpop")

STATUS: Mapping[str, int] = {
    errors.InvalidRequest.code: 400,
    errors.InvalidScope.code: 400,
    errors.InvalidClient.code: 401,
    errors.InvalidCredentials.code: 401,
    errors.InvalidGrant.code: 401,
    errors.InvalidToken.code: 401,
    errors.LoginRequired.code: 401,
    errors.AccountDisabled.code: 403,
    errors.InsufficientScope.code: 403,
    errors.NotFound.code: 404,
    errors.EmailTaken.code: 409,
    errors.PayloadTooLarge.code: 413,
    errors.UnsupportedMediaType.code: 415,
    errors.WeakPassword.code: 422,
    errors.TooManyRequests.code: 429,
    errors.LatchkeyError.code: 500,
    errors.TemporarilyUnavailable.code: 503,
}


class ErrorBody(msgspec.Struct, frozen=True):
    """The shape of every refusal."""

    error: str
    error_description: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A body with a status or headers other than the usual ones; a text is sent as it is."""

    body: object
    status: int | None = None
    headers: Mapping[str, str | list[str]] = {}


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in their order; one may come twice."""

    pairs: tuple[tuple[str, str], ...]


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as the request says it, and what the guard proved (on a guarded route). Most routes ask for little of it."""

    request: Request
    uid: str = ""
    sid: str = ""

    @property
    def network(self) -> str:
        """The network that rate limits count."""
        return network_of(self.request.context.get("identity", {}).get("sourceIp") or "")

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whatever the case of their names."""
        found: Mapping[str, str] = self.request.headers
        return found

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The query, in its order; a name may come twice."""
        return _query(self.request)


# Makes a page of a refusal, from the request's headers and whatever fields of it could be read.
RefusalPage = Callable[[Services, Mapping[str, str], tuple[tuple[str, str], ...], LatchkeyError], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route as it was declared: what it takes, what it answers, and the function behind it.

    `scope` is what its caller needs, None for an open route. With `page`, refusals are pages and not JSON. What has no type
    of its own is described by name: `takes` are the fields of a form or a query, `media` the content types of an answer.
    """

    method: str
    path: str
    story: Callable[..., Any]
    scope: str | None
    status: int = 200
    body: type | None = None
    body_optional: bool = False
    answer: type | None = None
    errors: tuple[type[LatchkeyError], ...] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    page: RefusalPage | None = None
    takes: frozenset[str] = frozenset()
    media: tuple[str, ...] = ()

    def serve(self, request: Request, path_parameters: Mapping[str, str]) -> Response:
        """Answers one request; every refusal and every fault of ours leaves in the one error shape."""
        try:
            _refuse_doubled_headers(request)
            svc = services()
            caller = _caller(request, self.scope, svc.now())
            limits.asking.set(lambda: caller.network)
            body = [_decoded(request, self.body, optional=self.body_optional)] if self.body else []
            return _success(self.story(svc, caller, *body, **path_parameters), self.status)
        except LatchkeyError as refusal:
            return self._refused(request, refusal)
        except Exception as fault:
            request_log.fault(fault)
            return self._refused(request, LatchkeyError(reason=type(fault).__name__))

    def _refused(self, request: Request, refusal: LatchkeyError) -> Response:
        plain = refused(refusal, self.statuses)
        if self.page is None:
            return plain
        shown = _success(self.page(services(), request.headers, _sent(request), refusal), plain.status_code)
        if shown.status_code != 303:
            shown.headers = {**plain.headers, **shown.headers}
        return shown


class Door(Blueprint):
    """Declares routes whose bodies are typed and whose answers, refusals too, are JSON.

    A route that is in the scope map stands behind the guard and is told its caller.
    """

    def __init__(self, import_name: str) -> None:
        super().__init__(import_name)
        self.operations: list[Operation] = []

    def serves(self, line: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares `"METHOD /path"` with the fields of Operation; a wrong one fails when the app is imported.

        The function gets Services, Caller, its body if it has one, and path parameters.
        """
        method, _, path = line.partition(" ")

        def declare(story: Callable[..., Any]) -> Callable[..., Any]:
            self._add(Operation(method=method, path=path, story=story, scope=SCOPES.get(line), **declared))
            return story

        return declare

    def _add(self, operation: Operation) -> None:
        def view(**path_parameters: str) -> Response:
            return operation.serve(self.current_request, path_parameters)

        def preflight(**_: str) -> Response:
            return Response("", status_code=204, headers={})

        guarded = {"authorizer": guard} if operation.scope else {}
        name = operation.story.__name__
        declare = partial(self.route, operation.path, content_types=[])  # what may come is _decoded's to say
        declare(methods=[operation.method], name=name, **guarded)(view)
        # A page is for no script of another origin, and so has no preflight.
        if operation.page is None and all(operation.path != other.path for other in self.operations):
            declare(methods=["OPTIONS"], name=f"{name}_preflight")(preflight)
        self.operations.append(operation)


def _refuse_doubled_headers(request: Request) -> None:
    for name, values in (request.to_original_event().get("multiValueHeaders") or {}).items():
        if len(values) > 1 and name.lower() in SINGLE_HEADERS:
            raise errors.InvalidRequest(f"The header {name.title()} was sent more than once.")


def _caller(request: Request, scope: str | None, now: int) -> Caller:
    if scope is None:
        return Caller(request=request)
    authorizer_context = request.context.get("authorizer") or {}
    # The gateway keeps a policy for minutes, so it can outlive the token that it was made for.
    if (
        not authorizer_context.get("sub")
        or not authorizer_context.get("sid")
        or int(authorizer_context.get("exp") or 0) <= now
    ):
        raise errors.InvalidToken()
    request_log.set_user(authorizer_context["sub"])
    if scope not in authorizer_context.get("scope", "").split(" "):
        raise errors.InsufficientScope(f"This route needs the scope {scope}.")
    return Caller(request=request, uid=authorizer_context["sub"], sid=authorizer_context["sid"])


def _query(request: Request) -> tuple[tuple[str, str], ...]:
    many = request.to_original_event().get("multiValueQueryStringParameters") or {}
    return tuple((name, value) for name, values in many.items() for value in values)


def _sent(request: Request) -> tuple[tuple[str, str], ...]:
    raw = request.raw_body if isinstance(request.raw_body, bytes) else request.raw_body.encode()
    return (*_query(request), *parse_qsl(raw[:MAX_BODY_BYTES].decode(errors="replace")))


def network_of(address: str) -> str:
    """The network that rate limits count: an IPv4 address, or the /64 that one IPv6 customer has for himself."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _decoded(request: Request, body: type, *, optional: bool) -> Any:
    raw = request.raw_body if isinstance(request.raw_body, bytes) else request.raw_body.encode()
    if len(raw) > MAX_BODY_BYTES:
        raise errors.PayloadTooLarge(f"A body has at most {MAX_BODY_BYTES} bytes.")
    if body is Form:
        return _form(request, raw)
    if optional and not raw:
        return body()
    if _media_type(request) != JSON:
        raise errors.UnsupportedMediaType()
    if REPLACEMENT in raw:
        raise errors.InvalidRequest(NOT_JSON)
    try:
        return msgspec.json.decode(raw, type=body)
    except msgspec.ValidationError as error:
        refusal: type[LatchkeyError] = getattr(body, "REFUSAL", errors.InvalidRequest)
        raise refusal(_explained(str(error), body)) from None
    except (ValueError, RecursionError):
        raise errors.InvalidRequest(NOT_JSON) from None


def _media_type(request: Request) -> str:
    """Type and subtype (RFC 9110 section 8.3.1); of its encoding a body says more than its parameters do."""
    said: str = request.headers.get("content-type", "")
    return said.partition(";")[0].strip().lower()


def _form(request: Request, raw: bytes) -> Form:
    if _media_type(request) != FORM:
        raise errors.InvalidRequest(NOT_A_FORM)  # RFC 6749 section 5.2 knows no other code for it
    if raw.count(b"&") >= MAX_FIELDS:
        raise errors.InvalidRequest(f"A form has at most {MAX_FIELDS} fields.")
    try:
        return Form(tuple(parse_qsl(raw.decode(), keep_blank_values=True, errors="strict")))
    except ValueError:
        raise errors.InvalidRequest("The body is not a form in UTF-8.") from None


def _explained(validation_error: str, body: type) -> str:
    """What is wrong with a body, without a word that its sender wrote."""
    if "unknown field" in validation_error:
        known = ", ".join(f.encode_name for f in msgspec.structs.fields(body))
        return f"The body has an unknown field: it takes {known}."
    if "matching regex" in validation_error:
        return f"The body has control characters in it{validation_error[validation_error.rindex(' - at') :]}."
    return f"The body is not as documented: {validation_error}."


def _success(result: object, status: int) -> Response:
    headers: Headers = {"Cache-Control": "no-store", "Content-Type": "application/json"}
    if isinstance(result, Answer):
        headers.update(result.headers)
        status = result.status or status
        result = result.body
    if result is None:
        return Response("", status_code=204, headers=headers)
    text = result if isinstance(result, str) else msgspec.json.encode(result).decode()
    return Response(text, status_code=status, headers=headers)


def status_of(code: str, statuses: Mapping[str, int]) -> int:
    """The status of an error code: what a route has for it, or the usual; 400 for OAuth's own codes (RFC 6749 5.2)."""
    return statuses.get(code) or STATUS.get(code, 400)


def refused(refusal: LatchkeyError, statuses: Mapping[str, int] = {}) -> Response:
    """A refusal as clients see it: its code and description, the status, and the headers that the status asks for."""
    status = status_of(refusal.code, statuses)
    request_log.set_outcome(refusal)
    extra: Headers = {}
    if isinstance(refusal, errors.InvalidClient):
        extra["WWW-Authenticate"] = 'Basic realm="latchkey", charset="UTF-8"'
    if isinstance(refusal, errors.InvalidToken):
        extra["WWW-Authenticate"] = f'Bearer realm="latchkey", error="{refusal.code}", {resource_metadata()}'
    if isinstance(refusal, errors.UseDpopNonce):
        extra["DPoP-Nonce"] = refusal.nonce
    if (wait := getattr(refusal, "retry_after", None)) is not None:
        extra["Retry-After"] = str(wait)
    return error_response(status, refusal.code, refusal.description, extra)


def resource_metadata() -> str:
    """Where a client without a token may read how to get one, as a challenge has it (RFC 9728 section 5.1)."""
    return f'resource_metadata="{services().settings.issuer}{RESOURCE_METADATA}"'


def error_response(status: int, code: str, description: str, extra: Mapping[str, str | list[str]] = {}) -> Response:
    """The one error shape, with the headers that the status asks for (RFC 6750 section 3, RFC 9110 section 10.2.3)."""
    headers: Headers = {"Cache-Control": "no-store", "Content-Type": "application/json", **extra}
    if status == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="latchkey"')
    return Response(msgspec.json.encode(ErrorBody(code, description)).decode(), status_code=status, headers=headers)
