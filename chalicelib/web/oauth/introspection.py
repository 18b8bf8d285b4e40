"""What becomes of a token: ended (RFC 7009), or judged for a resource server (RFC 7662)."""

import re

from ...domain import errors
from ...domain.oauth import authorization_request as oauth
from ...domain.oauth.client import Client
from ...flows.clients import authenticate as clients
from ...flows.oauth import introspection
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Api, Caller
from .shared import REFUSALS, RFC6749, credentials

api = Api(__name__)

JSON, SIGNED = "application/json", f"application/{introspection.INTROSPECTION}"
OF_TOKEN = clients.CREDENTIALS | {"token", "token_type_hint"}


@api.route(
    "POST /oauth/revoke",
    body=Form,
    takes=OF_TOKEN,
    statuses=RFC6749,
    errors=(*REFUSALS, errors.UnsupportedTokenType),
)
def revoke(svc: Services, caller: Caller, form: Form) -> Answer:
    """Ends the session of a token (RFC 7009). Says the same for a token that is not the client's, or none."""
    client, unverified_token = _token_of(svc, caller, form)
    request_log.set_user(introspection.revoke(svc, client, unverified_token))
    return Answer(body="", status=200)


@api.route("POST /oauth/introspect", body=Form, takes=OF_TOKEN, media=(JSON, SIGNED), statuses=RFC6749, errors=REFUSALS)
def introspect(svc: Services, caller: Caller, form: Form) -> Answer:
    """Tells a resource server what a token is worth (RFC 7662), signed if it accepts that (RFC 9701)."""
    client, unverified_token = _token_of(svc, caller, form)
    told = introspection.introspect(svc, client, unverified_token)
    if _accepts(caller, SIGNED):
        return Answer(body=introspection.signed(svc, client, told), headers={"Content-Type": SIGNED})
    return Answer(body=told)


def _accepts(caller: Caller, media: str) -> bool:
    """Whether the request names a media type as one that it takes (RFC 9110 section 12.5.1); a wildcard names none."""
    for each in caller.headers.get("accept", "").lower().split(","):
        name, *parameters = [part.strip() for part in each.split(";")]
        if name == media:
            return not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
    return False


def _token_of(svc: Services, caller: Caller, form: Form) -> tuple[Client, str]:
    params = oauth.parse_parameters(form.pairs, known=OF_TOKEN)
    client = clients.authenticate(svc, params, credentials(caller), network=caller.network)
    if "token" not in params:
        raise errors.InvalidRequest("`token` is missing.")
    return client, params["token"]
