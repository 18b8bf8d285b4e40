"""Whose authorization request it is, and where its answer and its errors may go."""

from collections.abc import Iterable, Mapping

import msgspec

from ...domain.errors import InvalidRequest, LatchkeyError, OAuthError
from ...domain.oauth import authorization_request as oauth
from ...domain.oauth import parameters
from ...domain.oauth.client import Client
from ...services import Services
from ..clients import authenticate as clients
from ..clients import current, documents
from . import pushed_requests, request_objects


class Redirect(msgspec.Struct, frozen=True):
    """Send the browser back to the client with these fields, in its response mode; `error` is what they tell it, if one."""

    uri: str
    fields: Mapping[str, str]
    mode: str = "query"
    error: LatchkeyError | None = None


class ClientRequest(msgspec.Struct, frozen=True):
    """A request of a known client that may be answered at its redirect URI, its errors too.

    It was `signed` by its client, or `object_error` is what is wrong with its request object.
    """

    client: Client
    params: Mapping[str, str]
    faults: Mapping[str, str]
    pushed_uri: str = ""
    signed: bool = False
    object_error: OAuthError | None = None

    def answer(self, issuer: str, fields: Mapping[str, str]) -> Redirect:
        """The answer with what every answer has (RFC 6749 section 4.1.2, RFC 9207)."""
        state = {"state": self.params["state"]} if "state" in self.params else {}
        mode = self.params.get("response_mode", "query")
        mode = mode if mode in oauth.RESPONSE_MODES else "query"
        return Redirect(self.params["redirect_uri"], {**fields, **state, "iss": issuer}, mode)


def read(svc: Services, pairs: Iterable[tuple[str, str]], *, in_this_browser: bool, network: str) -> ClientRequest:
    """Whose request this is and where its answer may go; what it raises is shown on a page, for no redirect URI is known.

    A pushed request that came in time `in_this_browser` waits for its user.
    """
    sent_pairs, signed = pushed_requests.expand(svc, pairs)
    params, faults = parameters.collect(sent_pairs)
    if "client_id" in faults or "client_id" not in params:
        raise InvalidRequest("`client_id` is missing or sent more than once.")
    client = _client(svc, params["client_id"], network)
    pushed_uri, object_error = "", None
    if params.get("request_uri", "").startswith(pushed_requests.PUSHED_REQUEST):
        pushed_uri = params["request_uri"]
        params, faults = pushed_requests.load(svc, client, pushed_uri, in_this_browser=in_this_browser), {}
    elif "request" in params and "" not in faults:
        try:
            params, faults = request_objects.read(svc, client, params["request"], network=network), {}
            signed = True
        except OAuthError as error:
            params, object_error = request_objects.with_its_response_mode(params, params["request"]), error
    if "redirect_uri" in faults:
        raise InvalidRequest(faults["redirect_uri"])
    params = parameters.with_redirect_uri(params, client)
    if not client.redirects_to(params["redirect_uri"]):
        raise InvalidRequest(
            "The application asked for its answer at a `redirect_uri` that is not registered for it, to the letter.",
            reason="redirect URI",
        )
    return ClientRequest(client, params, faults, pushed_uri, signed, object_error)


def _client(svc: Services, client_id: str, network: str) -> Client:
    client = clients.find(svc, client_id, network=network)
    if client is None:
        why = documents.why_not(svc, client_id)
        raise InvalidRequest(
            f"The document at the application's `client_id` is no good here: {why}"
            if why
            else "The application that sent you here is not registered."
        )
    current.note(client)
    return client


def error_redirect(svc: Services, client_request: ClientRequest, error: LatchkeyError) -> Redirect:
    """An error for the client, at its redirect URI."""
    fields = {"error": error.code, "error_description": error.description.replace('"', "'")}
    return msgspec.structs.replace(client_request.answer(svc.settings.issuer, fields), error=error)
