"""What an API behind the guard says of itself, and what a handler answers where an operation needs more than its route: for
the tools of an MCP server above all.

It needs nothing but the standard library and nothing else of this package: copy the file into an API of your own.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

OFFLINE_ACCESS = "offline_access"  # no API's to ask for: a client adds it where it wants refresh tokens


LEVELS = ("aal1", "aal2", "phr")  # what `acr` of a token may be, the weakest first


class Challenge(NamedTuple):
    """An answer with status, headers and body, as RFC 6750 section 3 has them."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, str]

    def as_proxy_answer(self) -> dict[str, object]:
        """The same as Lambda's proxy integration takes it, for a handler without a framework."""
        return {"statusCode": self.status, "headers": dict(self.headers), "body": json.dumps(self.body)}


def for_scopes(context: Mapping[str, str], *needed: str, resource_metadata: str = "") -> Challenge | None:
    """403 `insufficient_scope` for a token without the scopes that an operation needs; None for one that has them.

    `context` is what the guard passed on, `requestContext.authorizer`; an HTTP API has it in `lambda` there. The scopes of
    the challenge are what the token has and what is needed besides, for a client asks for just these (RFC 6750 section 3.1).
    """
    granted = tuple(str(context.get("scope", "")).split())
    return None if set(needed) <= set(granted) else insufficient_scope(granted, needed, resource_metadata)


@lru_cache(maxsize=1024)
def insufficient_scope(
    granted: tuple[str, ...], needed: tuple[str, ...], resource_metadata: str, acr_values: tuple[str, ...] = ()
) -> Challenge:
    """403 `insufficient_scope` that asks for the scopes that are needed beside those of the token; only to be read.

    The `acr_values` are what is needed besides (RFC 9470 section 3), so that the client asks for both at once.
    """
    scopes = [scope for scope in dict.fromkeys((*granted, *needed)) if scope != OFFLINE_ACCESS]
    return _challenge(
        403,
        "insufficient_scope",
        "The access token does not carry the scope that this needs.",
        scope=" ".join(scopes),
        acr_values=" ".join(acr_values),
        resource_metadata=resource_metadata,
    )


def for_tools(
    message: object, context: Mapping[str, str], tools: Mapping[str, str], *, resource_metadata: str = ""
) -> Challenge | None:
    """The same for the tools that a JSON-RPC message of MCP calls, one or several, by the scopes that each of them needs.

    A tool that is not among the `tools` needs no more than its route.
    """
    needed = [scope for name in _called_tools(message) for scope in tools.get(name, "").split()]
    return for_scopes(context, *needed, resource_metadata=resource_metadata)


def _called_tools(message: object) -> list[str]:
    calls = message if isinstance(message, list) else [message]
    params = [call.get("params") for call in calls if isinstance(call, dict) and call.get("method") == "tools/call"]
    names = [each.get("name") for each in params if isinstance(each, dict)]
    return [name for name in names if isinstance(name, str)]


def without_token(*scopes: str, resource_metadata: str) -> Challenge:
    """401 for a request without a token: where there is one, and for which scopes; no error (RFC 6750 section 3.1)."""
    return _challenge(401, "", "", scope=" ".join(scopes), resource_metadata=resource_metadata)


def for_level(context: Mapping[str, str], *acr_values: str, resource_metadata: str = "") -> Challenge | None:
    """401 `insufficient_user_authentication` for a login that is of none of the levels `acr_values`; None for one that is.

    The client then has its user give one proof more (RFC 9470 section 3). A level includes those below it: aal1, aal2, phr.
    """
    level = context.get("acr", "")
    rank = LEVELS.index(level) if level in LEVELS else -1
    if not acr_values or any(acr in LEVELS and LEVELS.index(acr) <= rank for acr in acr_values):
        return None
    return insufficient_level(acr_values, resource_metadata)


def insufficient_level(acr_values: tuple[str, ...], resource_metadata: str) -> Challenge:
    """401 `insufficient_user_authentication` that asks for a login of one of these levels."""
    return _challenge(
        401,
        "insufficient_user_authentication",
        "A login with one proof more is needed.",
        acr_values=" ".join(acr_values),
        resource_metadata=resource_metadata,
    )


def for_login(
    context: Mapping[str, str], *, now: int, max_age: int, acr_values: Iterable[str] = (), resource_metadata: str = ""
) -> Challenge | None:
    """401 `insufficient_user_authentication` for a login that is older than `max_age` seconds; None for a newer one.

    The client then has its user log in, by one of the `acr_values` (RFC 9470 section 3). A token without a login is too old.
    """
    auth_time = str(context.get("auth_time", ""))
    if auth_time.isdecimal() and now - int(auth_time) <= max_age:
        return None
    return _challenge(
        401,
        "insufficient_user_authentication",
        "A more recent login is needed.",
        acr_values=" ".join(acr_values),
        max_age=str(max_age),
        resource_metadata=resource_metadata,
    )


def _challenge(status: int, error: str, description: str, **parameters: str) -> Challenge:
    named = {"error": error, "error_description": description, **parameters}
    named = {name: quotable for name, value in named.items() if (quotable := _quotable(value))}
    quoted = ", ".join(f'{name}="{value}"' for name, value in named.items())
    body = {name: value for name, value in named.items() if name in {"error", "error_description", "scope"}}
    return Challenge(status, {"WWW-Authenticate": f"Bearer {quoted}", "Content-Type": "application/json"}, body)


def _quotable(value: str) -> str:
    """What can be between quotation marks in a header: a client's own text is in none of it, but a scope may come from one."""
    return "".join(character for character in value if " " <= character <= "~" and character not in '"\\')


def serve_metadata(app: Any, resource: str, *, issuer: str, scopes: Iterable[str]) -> str:
    """Gives a Chalice app the route that says who issues tokens for it (RFC 9728 section 3), and returns its URL.

    `resource` is the API's own URL and the audience of its tokens, `scopes` are what a client asks for at first.
    """
    from urllib.parse import urlsplit  # which the guard, that reads this file as well, has no need of

    url = urlsplit(resource)
    path = f"/.well-known/oauth-protected-resource{url.path.rstrip('/')}"
    metadata = {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": list(scopes),
        "bearer_methods_supported": ["header"],
    }
    app.route(path, methods=["GET"], cors=True)(lambda: metadata)
    return f"{url.scheme}://{url.netloc}{path}"


class ToolScopes:
    """ASGI middleware that challenges calls of tools which need more than the server: for FastMCP, `http_app(middleware=…)`.

    It goes by what the guard passed on, or else by the token that the server has checked itself; without either it is a 401.
    """

    def __init__(self, app: Any, *, tools: Mapping[str, str], resource_metadata: str) -> None:
        self._app = app
        self._tools = tools
        self._resource_metadata = resource_metadata

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Answers a call that lacks a scope, and hands every other request on."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        challenge = self._challenge(b"".join(each.get("body", b"") for each in messages), scope)
        if challenge is None:
            await self._app(scope, _replay(messages, receive), send)
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in challenge.headers.items()]
        await send({"type": "http.response.start", "status": challenge.status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(challenge.body).encode()})

    def _challenge(self, body: bytes, scope: Mapping[str, Any]) -> Challenge | None:
        try:
            message = json.loads(body)
        except ValueError:
            return None  # no call of a tool; the server says what is wrong with it
        except RecursionError:  # a server that reads it elsewhere, with more room left, could find a call in it
            return _challenge(400, "invalid_request", "The JSON is nested too deeply.")
        context = _context(scope)
        challenge = for_tools(message, context or {}, self._tools, resource_metadata=self._resource_metadata)
        if challenge is None or context is not None:
            return challenge
        return without_token(*challenge.body["scope"].split(), resource_metadata=self._resource_metadata)


def _replay(messages: list[Any], receive: Any) -> Any:
    pending = iter(messages)

    async def next_message() -> Any:
        for message in pending:
            return message
        return await receive()

    return next_message


def _context(scope: Mapping[str, Any]) -> Mapping[str, str] | None:
    """What is known of the token of an ASGI request: by Lambda's event, as Mangum has it, or by Starlette; None without one."""
    authorizer = scope.get("aws.event", {}).get("requestContext", {}).get("authorizer")
    if authorizer:
        context: Mapping[str, str] = authorizer.get("lambda", authorizer)
        return context
    known = getattr(scope.get("user"), "is_authenticated", False)
    return {"scope": " ".join(scope["auth"].scopes)} if known else None
