"""How a client asks for a login without a browser of its own: pushed, on a device, or in an app's own form."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from ...domain import errors
from ...domain.oauth import parameters
from ...flows.clients import authenticate as clients
from ...flows.oauth import authorize_challenge, device, dpop, pushed_requests
from ...services import Services
from ..http.decoding import Form
from ..http.routing import Api, Caller
from .client_credentials import authorization_header
from .error_answers import CLIENT_ERRORS, PROOF_ERRORS, STATUSES

api = Api(__name__)

# The fields of these endpoints' forms.
CHALLENGE_PARAMETERS = authorize_challenge.PARAMETERS | clients.CREDENTIALS
PUSH_PARAMETERS = parameters.AUTHORIZATION_REQUEST | clients.CREDENTIALS
DEVICE_PARAMETERS = clients.CREDENTIALS | {"scope", "resource"}


class PushedRequest(msgspec.Struct, frozen=True):
    """RFC 9126 section 2.2."""

    request_uri: str
    expires_in: Annotated[int, Meta(description="Seconds.")]


class DeviceAuthorization(msgspec.Struct, frozen=True):
    """RFC 8628 section 3.2."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: Annotated[int, Meta(description="Seconds.")]
    interval: Annotated[int, Meta(description="Seconds between two polls.")]


class AuthorizationCode(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a first-party app gets for the right password."""

    authorization_code: str
    device_token: Annotated[str, Meta(description="To keep on this device, and to send with its next login.")]
    deletion_withdrawn: bool = False


@api.route(
    "POST /oauth/authorize-challenge",
    body=Form,
    takes=CHALLENGE_PARAMETERS,
    answer=AuthorizationCode,
    statuses={**STATUSES, errors.InsufficientAuthorization.code: 403},
    errors=(
        *CLIENT_ERRORS,
        errors.InsufficientAuthorization,
        errors.RedirectToWeb,
        errors.InvalidSession,
        errors.AccountDisabled,
        errors.ProofOfWorkRequired,
        errors.AccessDenied,
        errors.TooManyRequests,
        errors.InvalidTarget,
        errors.UnsupportedResponseType,
        errors.UnmetAuthentication,
        *PROOF_ERRORS,
    ),
)
def challenge(svc: Services, caller: Caller, form: Form) -> AuthorizationCode:
    """Logs a user in through a first-party app's own form (draft-ietf-oauth-first-party-apps)."""
    _refuse_foreign_origin(svc, caller)
    params = parameters.parse(form.pairs, known=CHALLENGE_PARAMETERS)
    client = clients.authenticate(svc, params, authorization_header(caller), network=caller.network)
    proof = dpop.verify(svc, caller.headers.get("dpop", ""), method="POST", path="/oauth/authorize-challenge")
    agent = caller.user_agent(
        params.get("device_token", ""),
        proof_of_work=params.get("proof_of_work", ""),
        remember=params.get("remember_device") == "true",
    )
    issued = authorize_challenge.challenge(svc, client, params, jkt=proof.jkt, agent=agent)
    # The id of a public client is nobody's secret: what is written is for who has logged in.
    dpop.spend_proof(svc, proof)
    return AuthorizationCode(issued.code, issued.device_token, issued.deletion_withdrawn)


def _refuse_foreign_origin(svc: Services, caller: Caller) -> None:
    # A form needs no preflight: any website could use up a user's tries through the browsers of its visitors.
    origin, issuer = caller.headers.get("origin"), urlsplit(svc.settings.issuer)
    if origin is not None and origin not in {f"{issuer.scheme}://{issuer.netloc}", *svc.settings.origins}:
        raise errors.InvalidRequest("This website may not log users in: its origin is not one that is allowed here.")


@api.route(
    "POST /oauth/par",
    status=201,
    body=Form,
    takes=PUSH_PARAMETERS,
    answer=PushedRequest,
    statuses=STATUSES,
    errors=(
        *CLIENT_ERRORS,
        errors.UnsupportedResponseType,
        errors.InvalidTarget,
        errors.RequestNotSupported,
        errors.RequestUriNotSupported,
        errors.InvalidRequestObject,
        errors.UnmetAuthentication,
        errors.TooManyRequests,
        *PROOF_ERRORS,
    ),
)
def push_request(svc: Services, caller: Caller, form: Form) -> PushedRequest:
    """Takes an authorization request before the browser brings it (RFC 9126)."""
    params = parameters.parse(form.pairs, known=PUSH_PARAMETERS)
    client = clients.authenticate(svc, params, authorization_header(caller), network=caller.network)
    request_params = {name: value for name, value in params.items() if name in parameters.AUTHORIZATION_REQUEST}
    proof = dpop.verify(svc, caller.headers.get("dpop", ""), method="POST", path="/oauth/par")
    dpop.check_algorithm(client, proof)
    request_uri = pushed_requests.push(svc, client, request_params, jkt=proof.jkt, network=caller.network)
    dpop.spend_proof(svc, proof)  # after the limit that there is for public clients
    return PushedRequest(request_uri, svc.settings.pushed_request_seconds)


@api.route(
    "POST /oauth/device",
    body=Form,
    body_optional=True,  # a client that authenticates by Basic may have nothing else to say
    takes=DEVICE_PARAMETERS,
    answer=DeviceAuthorization,
    statuses=STATUSES,
    errors=(*CLIENT_ERRORS, errors.InvalidTarget, errors.TooManyRequests),
)
def begin_device(svc: Services, caller: Caller, form: Form) -> DeviceAuthorization:
    """Begins a login on a device without a browser (RFC 8628)."""
    params, authorization = parameters.parse(form.pairs, known=DEVICE_PARAMETERS), authorization_header(caller)
    if not form.pairs and not authorization:
        raise errors.InvalidRequest("The body is empty: send `client_id` in a form (RFC 8628 section 3.1).")
    client = clients.authenticate(svc, params, authorization, network=caller.network)
    resource = params.get("resource", "")
    codes = device.authorize(svc, client, scope=params.get("scope"), resource=resource, network=caller.network)
    verification_uri = f"{svc.settings.issuer}/device"
    return DeviceAuthorization(
        verification_uri=verification_uri,
        verification_uri_complete=f"{verification_uri}?user_code={codes.user_code}",
        **msgspec.structs.asdict(codes),
    )
