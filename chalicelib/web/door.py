import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from chalice.app import Blueprint, Request, Response

from ..domain import errors
from ..domain.errors import LatchkeyError
from ..services import services
from . import journal
from .guard import guard
from .scope_map import SCOPES

MAX_BODY_BYTES = 64 * 1024
JSON = re.compile(r"application/json(\s*;\s*charset\s*=\s*\"?utf-8\"?)?\s*", re.IGNORECASE)
Headers = dict[str, str | list[str]]
# API Gateway puts this in the place of bytes that are not UTF-8, so that different passwords would come out the same.
REPLACEMENT = "\ufffd".encode()
NOT_JSON = "The body is not well-formed JSON in UTF-8."
SINGLE_HEADERS = ("authorization", "content-type", "origin")

STATUS: Mapping[str, int] = {
    errors.InvalidRequest.code: 400,
    errors.InvalidScope.code: 400,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A body with headers other than the usual ones; a text is sent as it is."""

    body: object
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the network a request comes from, and what the guard proved of it (empty on an open route)."""

    network: str
    uid: str = ""
    sid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route as it was declared: what it takes, what it answers, and the function behind it."""

    method: str
    path: str
    story: Callable[..., Any]
    status: int
    body: type | None
    body_optional: bool
    answer: type | None
    errors: tuple[type[LatchkeyError], ...]

    @property
    def scope(self) -> str | None:
        """The scope that its caller needs; None for an open route."""
        return SCOPES.get(f"{self.method} {self.path}")

    def serve(self, request: Request, path_parameters: Mapping[str, str]) -> Response:
        """Answers one request; every refusal and every fault of ours leaves in the one error shape."""
        try:
            _refuse_doubled_headers(request)
            svc = services()
            caller = _caller(request, self.scope, svc.now())
            body = [_decoded(request, self.body, optional=self.body_optional)] if self.body else []
            return _success(self.story(svc, caller, *body, **path_parameters), self.status)
        except LatchkeyError as refusal:
            return refused(refusal)
        except Exception as fault:
            journal.fault(fault)
            return refused(LatchkeyError(reason=type(fault).__name__))


class Door(Blueprint):
    """Declares routes whose bodies are typed and whose answers, refusals too, are JSON.

    A route that is in the scope map stands behind the guard and is told its caller.
    """

    def __init__(self, import_name: str) -> None:
        super().__init__(import_name)
        self.operations: list[Operation] = []

    def serves(
        self,
        line: str,
        *,
        status: int = 200,
        body: type | None = None,
        body_optional: bool = False,
        answer: type | None = None,
        errors: tuple[type[LatchkeyError], ...] = (),
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares `"METHOD /path"`; the function gets Services, Caller, its body if it has one, and path parameters."""
        method, _, path = line.partition(" ")

        def declare(story: Callable[..., Any]) -> Callable[..., Any]:
            operation = Operation(
                method=method,
                path=path,
                story=story,
                status=status,
                body=body,
                body_optional=body_optional,
                answer=answer,
                errors=errors,
            )
            self._add(operation)
            return story

        return declare

    def _add(self, operation: Operation) -> None:
        def view(**path_parameters: str) -> Response:
            return operation.serve(self.current_request, path_parameters)

        def preflight(**_: str) -> Response:
            return Response("", status_code=204, headers={})

        guarded = {"authorizer": guard} if operation.scope else {}
        name = operation.story.__name__
        route = {"content_types": ["*/*"]}  # Chalice's own check has another shape and other holes: see _decoded
        self.route(operation.path, methods=[operation.method], name=name, **route, **guarded)(view)
        if all(operation.path != other.path for other in self.operations):
            self.route(operation.path, methods=["OPTIONS"], name=f"{name}_preflight", **route)(preflight)
        self.operations.append(operation)


def _refuse_doubled_headers(request: Request) -> None:
    for name, values in (request.to_original_event().get("multiValueHeaders") or {}).items():
        if name.lower() in SINGLE_HEADERS and len(values) > 1:
            raise errors.InvalidRequest(f"The header {name.title()} was sent more than once.")


def _caller(request: Request, scope: str | None, now: int) -> Caller:
    network = network_of(request.context.get("identity", {}).get("sourceIp") or "")
    if scope is None:
        return Caller(network)
    proved = request.context.get("authorizer") or {}
    # The gateway keeps a policy for minutes, so it can outlive the token that it was made for.
    if not proved.get("sub") or not proved.get("sid") or int(proved.get("exp") or 0) <= now:
        raise errors.InvalidToken()
    journal.concerns(proved["sub"])
    if scope not in proved.get("scope", "").split(" "):
        raise errors.InsufficientScope(f"This route needs the scope {scope}.")
    return Caller(network, uid=proved["sub"], sid=proved["sid"])


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
    raw = request.raw_body
    if len(raw) > MAX_BODY_BYTES:
        raise errors.PayloadTooLarge(f"A body has at most {MAX_BODY_BYTES} bytes.")
    if optional and not raw:
        return body()
    if not JSON.fullmatch(request.headers.get("content-type", "")):
        raise errors.UnsupportedMediaType()
    if REPLACEMENT in raw:
        raise errors.InvalidRequest(NOT_JSON)
    try:
        return msgspec.json.decode(raw, type=body)
    except msgspec.ValidationError as error:
        raise errors.InvalidRequest(_explained(str(error), body)) from None
    except (ValueError, RecursionError):
        raise errors.InvalidRequest(NOT_JSON) from None


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
        headers |= result.headers
        result = result.body
    if result is None:
        return Response("", status_code=204, headers=headers)
    text = result if isinstance(result, str) else msgspec.json.encode(result).decode()
    return Response(text, status_code=status, headers=headers)


def refused(refusal: LatchkeyError) -> Response:
    """A refusal as clients see it: its code and description, the status, and the headers that the status asks for."""
    status = STATUS[refusal.code]
    journal.outcome(refusal)
    return error_response(status, refusal.code, refusal.description, retry_after=getattr(refusal, "retry_after", None))


def error_response(status: int, code: str, description: str, *, retry_after: int | None = None) -> Response:
    """The one error shape, with the headers that the status asks for (RFC 6750 section 3, RFC 9110 section 10.2.3)."""
    headers: Headers = {"Cache-Control": "no-store", "Content-Type": "application/json"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="latchkey"' + (
            f', error="{code}"' if code == errors.InvalidToken.code else ""
        )
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return Response(msgspec.json.encode(ErrorBody(code, description)).decode(), status_code=status, headers=headers)
