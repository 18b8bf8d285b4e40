"""The revocation endpoint (RFC 7009) and the introspection endpoint (RFC 7662)."""

import re

from ...domain import errors
from ...domain.oauth import parameters
from ...domain.oauth.client import Client
from ...flows.clients import authenticate as clients
from ...flows.oauth import introspection
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Api, Caller
from .client_credentials import authorization_header
from .error_answers import CLIENT_ERRORS, STATUSES

api = Api(__name__)

JSON, SIGNED = "application/json", f"application/{introspection.RESPONSE_TYPE}"
PARAMETERS = clients.CREDENTIALS | {"token", "token_type_hint"}


@api.route(
    "POST /oauth/revoke",
    body=Form,
    takes=PARAMETERS,
    statuses=STATUSES,
    errors=(*CLIENT_ERRORS, errors.UnsupportedTokenType),
)
def revoke(svc: Services, caller: Caller, form: Form) -> Answer:
    """Ends the session of a token (RFC 7009). Says the same for a token that is not the client's, or none."""
    client, unverified_token = _client_and_token(svc, caller, form)
    request_log.set_user(introspection.revoke(svc, client, unverified_token))
    return Answer(body="", status=200)


@api.route(
    "POST /oauth/introspect", body=Form, takes=PARAMETERS, media=(JSON, SIGNED), statuses=STATUSES, errors=CLIENT_ERRORS
)
def introspect(svc: Services, caller: Caller, form: Form) -> Answer:
    """Tells a resource server what a token is worth (RFC 7662), signed if it accepts that (RFC 9701)."""
    client, unverified_token = _client_and_token(svc, caller, form)
    response = introspection.introspect(svc, client, unverified_token)
    if _accepts(caller, SIGNED):
        return Answer(body=introspection.sign_response(svc, client, response), headers={"Content-Type": SIGNED})
    return Answer(body=response)


def _accepts(caller: Caller, media: str) -> bool:
    """Whether the request names a media type as one that it takes (RFC 9110 section 12.5.1); a wildcard names none."""
    for each in caller.headers.get("accept", "").lower().split(","):
        name, *options = [part.strip() for part in each.split(";")]
        if name == media:
            return not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in options)
    return False


def _client_and_token(svc: Services, caller: Caller, form: Form) -> tuple[Client, str]:
    params = parameters.parse(form.pairs, known=PARAMETERS)
    client = clients.authenticate(svc, params, authorization_header(caller), network=caller.network)
    if "token" not in params:
        raise errors.InvalidRequest("`token` is missing.")
    return client, params["token"]
