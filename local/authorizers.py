"""How API Gateway asks a Lambda authorizer, what it makes of the answer, and how long it remembers it.

A handler is called as Lambda would call it: with an event of its API's kind and a context. The policy it returns is kept
per token for the authorizer's time to live and judged anew for every request that carries this token.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalice.local import ARNMatcher

log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any], Any], Any]

DEFAULT_TTL_SECONDS = 300  # API Gateway's own
CACHED_TOKENS = 1000
STATEMENT_KEYS = {"Sid", "Effect", "Action", "Resource"}


class Refused(Exception):
    """The gateway answers by itself; `kind` is API Gateway's name for this answer."""

    def __init__(self, kind: str, *, status: int = 500, context: Mapping[str, str] | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = status  # for the kinds that have no status of their own
        self.context = context or {}  # the authorizer's, where it has denied


@dataclass(frozen=True)
class TokenAuthorizer:
    """What an API says of one of its authorizers, and the function behind it."""

    name: str
    header: str
    ttl_seconds: int
    handler: Handler


@dataclass(frozen=True)
class Verdict:
    """A well-formed answer of an authorizer: its policy's statements, and the context for the function."""

    statements: list[Mapping[str, Any]]
    context: dict[str, str]


@dataclass
class Authorizers:
    """All authorizers' remembered answers. `now` is the clock in seconds."""

    now: Callable[[], float] = time.time
    _cached: dict[tuple[str, str], tuple[float, Verdict]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def authorize(
        self, authorizer: TokenAuthorizer, *, token: str, event: dict[str, Any], method_arn: str, context: Any
    ) -> dict[str, str]:
        """Return what the function gets in `requestContext.authorizer`, or raise Refused; "" is no token."""
        if not token:
            raise Refused("UNAUTHORIZED")
        verdict = self._remembered(authorizer, token)
        if verdict is None:
            verdict = _ask(authorizer, event, context)
            self._remember(authorizer, token, verdict)
        if not _allows(verdict.statements, method_arn):
            raise Refused("ACCESS_DENIED", context=verdict.context)
        return dict(verdict.context)

    def _remembered(self, authorizer: TokenAuthorizer, token: str) -> Verdict | None:
        until, verdict = self._cached.get((authorizer.name, token), (0.0, None))
        return verdict if self.now() < until else None

    def _remember(self, authorizer: TokenAuthorizer, token: str, verdict: Verdict) -> None:
        with self._lock:
            if len(self._cached) >= CACHED_TOKENS:
                self._cached.clear()
            self._cached[authorizer.name, token] = (self.now() + authorizer.ttl_seconds, verdict)


def _ask(authorizer: TokenAuthorizer, event: dict[str, Any], context: Any) -> Verdict:
    try:
        answer = authorizer.handler(event, context)
    except Exception as error:
        # The text itself is API Gateway's signal: exactly this word is a 401, whatever else is a fault.
        if str(error) == "Unauthorized":
            raise Refused("UNAUTHORIZED") from None
        log.exception("The authorizer %s failed", authorizer.name)
        raise Refused("AUTHORIZER_FAILURE") from None
    try:
        return _verdict(answer)
    except (TypeError, KeyError, ValueError) as error:
        log.error("The answer of the authorizer %s is not usable: %r", authorizer.name, error)
        raise Refused("AUTHORIZER_CONFIGURATION_ERROR") from None


def _verdict(answer: Any) -> Verdict:
    statements = answer["policyDocument"]["Statement"]
    context = {key: _text(value) for key, value in (answer.get("context") or {}).items()}
    context["principalId"] = _text(answer["principalId"])
    listed = [statements] if isinstance(statements, Mapping) else list(statements)
    for statement in listed:
        _check_statement(statement)
    return Verdict(listed, context)


def _check_statement(statement: Mapping[str, Any]) -> None:
    # Conditions and their like are not evaluated here. Letting them pass unread could admit what AWS denies.
    if not statement.keys() <= STATEMENT_KEYS or statement["Effect"] not in {"Allow", "Deny"}:
        raise ValueError("a statement has more than Effect, Action and Resource")
    if not all(isinstance(each, str) for key in ("Action", "Resource") for each in _listed(statement[key])):
        raise TypeError("Action and Resource are strings or lists of strings")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError("a context value is a string, a number or a boolean")


def _allows(statements: Iterable[Mapping[str, Any]], method_arn: str) -> bool:
    matcher = ARNMatcher(method_arn)
    effects = {
        statement["Effect"]
        for statement in statements
        if any(_is_invoke(action) for action in _listed(statement["Action"]))
        and matcher.does_any_resource_match(_listed(statement["Resource"]))
    }
    return effects == {"Allow"}


def _is_invoke(action: str) -> bool:
    return action.lower() in {"execute-api:invoke", "execute-api:*", "*"}


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else list(value)
