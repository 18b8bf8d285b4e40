"""What a handler behind the guard answers where one of its operations needs more than its route: for a tool of an MCP server.

It needs nothing but the standard library and nothing else of this package: copy the file into an API of your own.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

OFFLINE_ACCESS = "offline_access"  # no API's to ask for: a client adds it where it wants refresh tokens


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
def insufficient_scope(granted: tuple[str, ...], needed: tuple[str, ...], resource_metadata: str) -> Challenge:
    """403 `insufficient_scope` that asks for the scopes that are needed beside those of the token; only to be read."""
    scopes = [scope for scope in dict.fromkeys((*granted, *needed)) if scope != OFFLINE_ACCESS]
    return _challenge(
        403,
        "insufficient_scope",
        "The access token does not carry the scope that this needs.",
        scope=" ".join(scopes),
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
