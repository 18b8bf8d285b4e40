"""A few requests to a deployment: is it there, is it ours, does it refuse who has no token?"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

DISCOVERY = "/.well-known/openid-configuration"
# A deployment of API Gateway's is everywhere after some seconds.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers and the JSON body."""

    status: int
    headers: Mapping[str, str]
    body: Any


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Leave the redirect as the answer that it is."""


def get(url: str, *, redirects: bool = True, **headers: str) -> Answer:
    """Send one GET; an error status is an answer like any other, and so is a redirect that is not to be followed."""
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(*([] if redirects else [_NoRedirects]))
    try:
        with opener.open(request, timeout=30) as answer:
            return Answer(answer.status, dict(answer.headers), json.loads(answer.read()))
    except urllib.error.HTTPError as answer:
        return Answer(answer.code, dict(answer.headers), json.loads(answer.read() or b"null"))


def failures(issuer: str, *, patience: float = PATIENCE_SECONDS) -> list[str]:
    """Return what is wrong with the deployment, once it is right or patience is at its end."""
    until = time.monotonic() + patience
    while problems := [problem for check in CHECKS if (problem := _problem(check, issuer))]:
        if time.monotonic() > until:
            break
        time.sleep(2)
    return problems


def _problem(check: Callable[[str], str | None], issuer: str) -> str | None:
    try:
        return check(issuer)
    except (OSError, ValueError) as error:
        return f"{check.__name__.strip('_')}: {error}"


def _discovery(issuer: str) -> str | None:
    stated_issuer = get(issuer + DISCOVERY).body.get("issuer")
    return None if stated_issuer == issuer else f"the discovery document names another issuer: {stated_issuer}"


def _keys(issuer: str) -> str | None:
    keys = get(issuer + "/.well-known/jwks.json").body.get("keys")
    return None if keys else "the key set is empty"


def _no_token(issuer: str) -> str | None:
    return _refused(get(issuer + "/me"), status=401, error="invalid_token")


def _forged_token(issuer: str) -> str | None:
    answer = get(issuer + "/me", Authorization="Bearer bm90.YQ.dG9rZW4")
    return _refused(answer, status=401, error="invalid_token")


def _unknown_route(issuer: str) -> str | None:
    return _refused(get(issuer + "/no-such-route"), status=404, error="not_found")


def _refused(answer: Answer, *, status: int, error: str) -> str | None:
    code = answer.body.get("error") if isinstance(answer.body, dict) else None
    if (answer.status, code) != (status, error):
        return f"expected {status} {error}, got {answer.status} {answer.body}"
    if status == 401 and "WWW-Authenticate" not in answer.headers:
        return "a 401 came without WWW-Authenticate"
    return None


CHECKS = (_discovery, _keys, _no_token, _forged_token, _unknown_route)
