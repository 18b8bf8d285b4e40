"""A thin API Gateway: serves a Chalice app as the real one would, in process and from many threads.

It matches the route, asks the authorizer, calls the app with the event of a Lambda proxy integration, and
answers by itself what never reaches Lambda. `api_kinds` has what a REST API and an HTTP API do differently, `server`
puts it on a port.
"""

import base64
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from chalice.app import Chalice, ChaliceAuthorizer, CORSConfig, CustomAuthorizer, RouteEntry
from chalice.local import LambdaContext

from local.api_kinds import Kind, RestApi
from local.authorizers import DEFAULT_TTL_SECONDS, Authorizers, Handler, Refused, TokenAuthorizer
from local.events import Api, Call, gathered, proxy_event
from local.function import LAMBDA_MILLISECONDS, per_thread

log = logging.getLogger(__name__)

BODY_LIMIT = 10 * 1024 * 1024
REST_API = RestApi()


class Answer(NamedTuple):
    """An HTTP answer; a header that is sent several times is listed several times."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's last value, whatever the case of its name."""
        return {key.lower(): value for key, value in self.headers}.get(name.lower())

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


class Route(NamedTuple):
    """A resource of the API: its pattern, how to match it, and what it does for each method."""

    pattern: str
    regex: re.Pattern[str]
    names: tuple[str, ...]
    methods: dict[str, RouteEntry]


class Gateway:
    """Serves one Chalice app.

    `authorizers` gives, by name, the functions behind its CustomAuthorizers. `kind` is a REST API's unless another is given.
    """

    def __init__(
        self,
        app: Chalice,
        *,
        api_id: str = "latchkey",
        stage: str = "api",
        authorizers: Mapping[str, Handler] | None = None,
        kind: Kind = REST_API,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app = per_thread(app)
        self._api = Api(api_id, stage)
        self._kind = kind
        self._now = now
        self._routes = _routes(app)
        self._remembered = Authorizers(now=now)
        self._authorizers = _authorizers(self._routes, authorizers or {})

    def handle(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | None = b"",
        *,
        source_ip: str = "127.0.0.1",
    ) -> Answer:
        """Answer one request.

        `target` is path and query as the request line has them; a body of None is one too long to be read.
        """
        path, _, query = target.partition("?")
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        call = Call(method, path, query, gathered(pairs), body or b"", source_ip, self._now())
        try:
            if body is None or len(body) > BODY_LIMIT:
                raise Refused("REQUEST_TOO_LARGE")
            return self._answer(call)
        except Refused as refused:
            status, own_headers, content = self._kind.own_answer(refused, call)
            json_type = ("Content-Type", "application/json")
            return Answer(status, [json_type, *own_headers], json.dumps(content).encode())

    def _answer(self, call: Call) -> Answer:
        route, parameters = self._match(call)
        entry = route.methods.get(call.method)
        if entry is None:
            return _preflight(route, call)
        context = LambdaContext(self._app.app_name, 1024, LAMBDA_MILLISECONDS)
        allowed = self._authorize(entry, call, route.pattern, context)
        event = proxy_event(
            call,
            self._api,
            pattern=route.pattern,
            parameters=parameters,
            binary_types=self._app.api.binary_types,
        )
        if allowed is not None:
            event["requestContext"]["authorizer"] = allowed
        try:
            return self._from_lambda(self._app({**self._kind.event, **event}, context), call)
        except Exception:
            log.exception("The function failed for %s %s", call.method, route.pattern)
            raise Refused("DEFAULT_5XX", status=502) from None

    def _match(self, call: Call) -> tuple[Route, dict[str, str]]:
        path = call.path[:-1] if call.path.endswith("/") and call.path != "/" else call.path
        for route in self._routes:
            if match := route.regex.fullmatch(path):
                return route, dict(zip(route.names, match.groups(), strict=True))
        raise Refused("MISSING_AUTHENTICATION_TOKEN")

    def _authorize(self, entry: RouteEntry, call: Call, pattern: str, context: LambdaContext) -> dict[str, str] | None:
        if entry.authorizer is None:
            return None
        authorizer = self._authorizers[entry.authorizer.name]
        token = call.header(authorizer.header) or ""
        event = self._kind.authorizer_event(call, self._api, pattern=pattern, token=token)
        arn = self._api.method_arn(call.method, call.path)
        return self._remembered.authorize(authorizer, token=token, event=event, method_arn=arn, context=context)

    def _from_lambda(self, answer: Mapping[str, Any], call: Call) -> Answer:
        several = answer.get("multiValueHeaders") or {}
        headers = [(name, value) for name, value in (answer.get("headers") or {}).items() if name not in several]
        headers += [(name, value) for name, values in several.items() for value in values]
        headers = [(self._kind.header_name(name), value) for name, value in headers]
        for name, value in headers:
            f"{name}: {value}".encode("latin-1")  # what cannot be put on the wire is a fault here, not there
            if re.search(r"[\r\n]", name + value):
                raise ValueError("a header has a line break in it")
        body = answer.get("body") or ""
        content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        return Answer(int(answer["statusCode"]), [*headers, ("x-amzn-RequestId", call.id)], content)


def _preflight(route: Route, call: Call) -> Answer:
    """Answer as the mock integration that Chalice deploys for `cors=`; every other method is unknown here."""
    declared: dict[str, CORSConfig | None] = {name: entry.cors for name, entry in route.methods.items()}
    shared = {method: cors for method, cors in declared.items() if cors is not None}
    if call.method != "OPTIONS" or not shared:
        raise Refused("MISSING_AUTHENTICATION_TOKEN")
    one_for_all = next(iter(shared.values()))  # Chalice sees to it
    methods = ",".join([*shared, "OPTIONS"])
    headers = {**one_for_all.get_access_control_headers(), "Access-Control-Allow-Methods": methods}
    return Answer(200, [*headers.items(), ("x-amzn-RequestId", call.id)], b"")


def _routes(app: Chalice) -> list[Route]:
    """Return the app's routes, those with fewer and later variables first: `/me` goes before `/{name}`."""
    routes = [_route(pattern, methods) for pattern, methods in app.routes.items()]
    return sorted(routes, key=lambda route: _looseness(route.pattern))


def _route(pattern: str, methods: dict[str, RouteEntry]) -> Route:
    return Route(pattern, *_matcher(pattern), dict(methods))


@cache  # an app has many gateways in a process: one for each who calls it
def _matcher(pattern: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    parts = re.split(r"\{([^{}]+)\}", pattern)
    wild = {True: "(.+)", False: "([^/]+)"}
    regex = "".join(wild[part.endswith("+")] if number % 2 else re.escape(part) for number, part in enumerate(parts))
    return re.compile(regex), tuple(name.removesuffix("+") for name in parts[1::2])


@cache
def _looseness(pattern: str) -> list[int]:
    return [part.startswith("{") + part.endswith("+}") for part in pattern.split("/")]


def _authorizers(routes: Iterable[Route], custom: Mapping[str, Handler]) -> dict[str, TokenAuthorizer]:
    by_name = {}
    for entry in [entry for route in routes for entry in route.methods.values()]:
        # Admitting everybody where something cannot be checked is what a gateway must never do.
        if entry.api_key_required:
            raise ValueError("an API key is asked for, which cannot be checked here")
        if entry.authorizer is not None:
            by_name[entry.authorizer.name] = _authorizer(entry.authorizer, custom)
    return by_name


def _authorizer(declared: Any, custom: Mapping[str, Handler]) -> TokenAuthorizer:
    if isinstance(declared, ChaliceAuthorizer):
        ttl = declared.config.ttl_seconds
        header = declared.config.header
        return TokenAuthorizer(declared.name, header, DEFAULT_TTL_SECONDS if ttl is None else ttl, declared)
    if not isinstance(declared, CustomAuthorizer) or declared.name not in custom:
        raise ValueError(f"no function is given for the authorizer {declared.name}")
    described = declared.to_swagger()
    ttl = described["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"]
    return TokenAuthorizer(declared.name, described["name"], ttl, custom[declared.name])
