"""The two kinds of API that API Gateway has, as far as they differ for who calls them and for the function behind."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

from deploy import gateway_responses
from local.authorizers import Refused
from local.events import Api, Call, authorizer_request

Headers = list[tuple[str, str]]
RENAMED = {"www-authenticate": "x-amzn-Remapped-WWW-Authenticate"}


class Kind(ABC):
    """What an API of a kind asks its authorizer, tells its function, and answers by itself."""

    event: ClassVar[Mapping[str, str]] = {}  # what its events have besides

    @abstractmethod
    def authorizer_event(self, call: Call, api: Api, *, pattern: str, token: str) -> dict[str, Any]:
        """Return the event for the authorizer."""

    @abstractmethod
    def own_answer(self, refused: Refused, call: Call) -> tuple[int, Headers, Any]:
        """Return status, headers and body of what never reached the function."""

    @abstractmethod
    def header_name(self, name: str) -> str:
        """Return what a function's own header is called in the answer."""


@dataclass(frozen=True)
class RestApi(Kind):
    """A REST API, which answers in our words: `metadata` is where it is described, `scopes` are all that it needs.

    With `remaps` it renames a function's own WWW-Authenticate, as the real one does.
    """

    metadata: str = ""
    scopes: Iterable[str] = ()
    remaps: bool = False

    def authorizer_event(self, call: Call, api: Api, *, pattern: str, token: str) -> dict[str, Any]:  # noqa: ARG002 - the other kind needs it
        """Return what a TOKEN authorizer gets."""
        return {"type": "TOKEN", "methodArn": api.method_arn(call.method, call.path), "authorizationToken": token}

    def own_answer(self, refused: Refused, call: Call) -> tuple[int, Headers, Any]:
        """Return an answer of `gateway_responses`, with what the authorizer has said in it."""
        answer = gateway_responses.ANSWERS[refused.kind]
        context = {"requestId": call.id, **{f"authorizer.{name}": value for name, value in refused.context.items()}}
        headers = gateway_responses.headers(answer, metadata=self.metadata, scopes=self.scopes)
        values = {name: gateway_responses.value(expression, context) for name, expression in headers.items()}
        body = {
            name: gateway_responses.value(text[1:], context) if text.startswith("$") else text
            for name, text in answer.body().items()
        }
        return answer.status or refused.status, [(name, value) for name, value in values.items() if value], body

    def header_name(self, name: str) -> str:
        """Return what a function's own header is called in the answer."""
        return RENAMED.get(name.lower(), name) if self.remaps else name


class HttpApi(Kind):
    """An HTTP API: its own answers have a message and no challenge, and it leaves a function's headers as they are."""

    event: ClassVar[Mapping[str, str]] = {"version": "1.0"}

    def authorizer_event(self, call: Call, api: Api, *, pattern: str, token: str) -> dict[str, Any]:
        """Return what a REQUEST authorizer gets, of payload 2.0."""
        return authorizer_request(call, api, pattern=pattern, token=token)

    def own_answer(self, refused: Refused, call: Call) -> tuple[int, Headers, Any]:  # noqa: ARG002 - the other kind needs it
        """Return the gateway's message for a status; nothing in it can be chosen."""
        status = HTTPStatus(gateway_responses.ANSWERS[refused.kind].status or refused.status)
        fault = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        message = "Internal Server Error" if fault else status.phrase
        return (500 if fault else status.value), [], {"message": message}

    def header_name(self, name: str) -> str:
        """Return a function's own header by its name."""
        return name
