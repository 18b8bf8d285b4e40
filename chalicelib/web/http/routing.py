"""Routes as they are declared, and how each is served: the caller, the function behind it, the answer or the refusal."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
from chalice.app import Blueprint, Request, Response

from ...config.languages import SHIPPED
from ...domain import errors
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import LatchkeyError
from ...domain.oauth.tokens import credentials
from ...flows.platform import origin
from ...flows.sessions import live
from ...guard.functions import guard
from ...guard.scope_map import SCOPES
from ...services import Services, services
from . import decoding, request_log
from .answers import Answer, refusal_response, success
from .languages import language_of
from .user_agents import names_of


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as the request says it, and what the guard verified (on a guarded route).

    That is a user in a session (`uid`, `sid`, `auth_time`) or, where the route takes those, a client that acts for itself
    (`machine`, its client_id); what belongs to the other kind is empty.
    """

    request: Request
    uid: str = ""
    sid: str = ""
    auth_time: int = 0
    machine: str = ""
    languages: tuple[str, ...] = SHIPPED

    @property
    def network(self) -> str:
        """The network that rate limits count."""
        return decoding.network_of_request(self.request)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whatever the case of their names."""
        headers: Mapping[str, str] = self.request.headers
        return headers

    @property
    def language(self) -> str:
        """The language of ours that the caller reads best."""
        return language_of(self.languages, "", self.headers.get("accept-language", ""))

    def user_agent(
        self, device_token: str = "", *, proof_of_work: str = "", language: str = "", remember: bool = False
    ) -> UserAgent:
        """What the caller logs in with, as far as the request says it; `language` is what a page is in."""
        browser, system = names_of(self.headers.get("user-agent", ""))
        return UserAgent(
            network=self.network,
            language=language or self.language,
            browser=browser,
            system=system,
            device_token=device_token,
            remember=remember,
            proof_of_work=proof_of_work,
        )

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The query, in its order; a name may come twice."""
        return decoding.query(self.request)


# What a route may verify by itself besides access tokens: the token of a registration, or that to register with.
REGISTRATION, INITIAL = "registration", "initial"

# Makes the page of an error, from the request's headers and those of its fields that could be read.
RefusalPage = Callable[[Services, Mapping[str, str], tuple[tuple[str, str], ...], LatchkeyError], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route as it was declared: what it takes, what it answers, and the function behind it.

    `scope` is what its caller needs, None for an open route. A guarded route is for users in a session; with `machines`
    it is for clients that act for themselves as well. With `page`, refusals are pages and not JSON. What has no type of
    its own is described by name: `takes` are the fields of a form or a query, `media` the content types of an answer.
    `logged_in` is a page, or a form of one, that is for who is logged in in the browser, and a `fresh` one for who has
    just logged in. `accepted` is the shape of an answer with 202, where a mail has to come first. An open route may
    verify what it needs by itself: an access token with `verified_scope`, or `credentials` of another kind.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    scope: str | None
    machines: bool = False
    status: int = 200
    body: type | None = None
    body_optional: bool = False
    answer: type | None = None
    accepted: type | None = None
    errors: tuple[type[LatchkeyError], ...] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    page: RefusalPage | None = None
    takes: frozenset[str] = frozenset()
    media: tuple[str, ...] = ()
    logged_in: bool = False
    fresh: bool = False
    verified_scope: str = ""
    credentials: str = ""

    def __post_init__(self) -> None:
        if self.machines and not self.scope:
            raise ValueError(f"{self.method} {self.path} is open to everybody: it has no scope in the map")

    def serve(self, request: Request, path_parameters: Mapping[str, str]) -> Response:
        """Answers one request; every refusal and every fault of ours leaves in the one error shape."""
        try:
            decoding.refuse_doubled_headers(request)
            svc = services()
            caller = _caller(svc, request, self)
            body = [decoding.decode_body(request, self.body, optional=self.body_optional)] if self.body else []
            return success(self.handler(svc, caller, *body, **path_parameters), self.status)
        except LatchkeyError as refusal:
            return self._refused(request, refusal)
        except Exception as fault:
            request_log.fault(fault)
            return self._refused(request, LatchkeyError(reason=type(fault).__name__))

    def _refused(self, request: Request, refusal: LatchkeyError) -> Response:
        json_response = refusal_response(refusal, self.statuses)
        if self.page is None:
            return json_response
        page_response = success(
            self.page(services(), request.headers, decoding.readable_fields(request), refusal),
            json_response.status_code,
        )
        if page_response.status_code != 303:
            page_response.headers = {**json_response.headers, **page_response.headers}
        return page_response


class Api:
    """Declares routes whose bodies are typed and whose answers, refusals too, are JSON.

    A route that is in the scope map is behind the guard and gets its caller's uid and sid. `blueprint` is what Chalice registers.
    """

    def __init__(self, import_name: str) -> None:
        self.blueprint = Blueprint(import_name)
        self.operations: list[Operation] = []

    def route(self, line: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares `"METHOD /path"` with the fields of Operation; a wrong one fails when the app is imported.

        The function gets Services, Caller, its body if it has one, and path parameters.
        """
        method, _, path = line.partition(" ")

        def declare(handler: Callable[..., Any]) -> Callable[..., Any]:
            self._add(Operation(method=method, path=path, handler=handler, scope=SCOPES.get(line), **declared))
            return handler

        return declare

    def _add(self, operation: Operation) -> None:
        def view(**path_parameters: str) -> Response:
            return operation.serve(self.blueprint.current_request, path_parameters)

        def preflight(**_: str) -> Response:
            return Response("", status_code=204, headers={})

        guarded = {"authorizer": guard} if operation.scope else {}
        name = operation.handler.__name__
        declare = partial(self.blueprint.route, operation.path, content_types=[])  # decoding checks the content type
        declare(methods=[operation.method], name=name, **guarded)(view)
        # No script of another origin may call a page, so it has no preflight.
        if operation.page is None and all(operation.path != other.path for other in self.operations):
            declare(methods=["OPTIONS"], name=f"{name}_preflight")(preflight)
        self.operations.append(operation)


def _caller(svc: Services, request: Request, operation: Operation) -> Caller:
    languages = svc.settings.languages
    if operation.scope is None:
        return Caller(request=request, languages=languages)
    authorizer_context = request.context.get("authorizer") or {}
    sub, sid = authorizer_context.get("sub", ""), authorizer_context.get("sid", "")
    machine = not sid and sub == authorizer_context.get("client_id")
    # The gateway caches a policy for minutes, so it can outlive its token.
    if not sub or not (sid or machine) or int(authorizer_context.get("exp") or 0) <= svc.now():
        raise errors.InvalidToken()
    request_log.set_subject(sub)
    _check_scope(operation.scope, authorizer_context.get("scope", "").split(" "))
    if not machine:
        origin.set_session(sub, sid)
        auth_time = int(authorizer_context.get("auth_time") or 0)
        return Caller(request=request, uid=sub, sid=sid, auth_time=auth_time, languages=languages)
    if not operation.machines:
        raise errors.UserRequired()
    return _machine(svc, request, operation.scope)


def _machine(svc: Services, request: Request, scope: str) -> Caller:
    """A client by what its registration is now, as a user's session is read by what is behind a route."""
    _, token = credentials(request.headers.get("authorization", ""))
    live_token = live.read(svc, token)
    _check_scope(scope, live_token.claims.scope)
    request_log.set_user(live_token.client.client_id)
    return Caller(request=request, machine=live_token.client.client_id)


def _check_scope(needed: str, scopes: Collection[str]) -> None:
    if needed not in scopes:
        raise errors.InsufficientScope(f"This route needs the scope {needed}.")
