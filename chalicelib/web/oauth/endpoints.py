import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from ...domain import errors
from ...domain.oauth import authorization_request as oauth
from ...domain.oauth import client as clients_domain
from ...domain.oauth.dpop import ALGORITHMS
from ...flows.clients import authenticate as clients
from ...flows.oauth import authorize, device, dpop, grants, introspection, userinfo
from ...flows.oauth import authorize_challenge as first_party
from ...services import Services
from ..http import request_log
from ..http.answers import Answer, resource_metadata, status_of
from ..http.decoding import Form
from ..http.routing import Caller, Door
from ..http.tokens import Tokens, tokens_of

bp = Door(__name__)

# RFC 6749 section 5.2: at these endpoints a bad grant is the request's fault; 401 is for clients that did not authenticate.
RFC6749 = {errors.InvalidGrant.code: 400}
PROOFS = (errors.InvalidDpopProof, errors.UseDpopNonce)
REFUSALS = (errors.InvalidClient, errors.UnauthorizedClient, errors.InvalidScope)
JSON, SIGNED = "application/json", f"application/{introspection.INTROSPECTION}"
# The fields of these endpoints' forms.
OF_CHALLENGE = first_party.PARAMETERS | clients.CREDENTIALS
OF_PUSHED = oauth.KNOWN | clients.CREDENTIALS
OF_DEVICE = clients.CREDENTIALS | {"scope", "resource"}
OF_TOKEN = clients.CREDENTIALS | {"token", "token_type_hint"}


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


@bp.serves(
    "POST /oauth/token",
    body=Form,
    takes=grants.KNOWN,
    answer=Tokens,
    statuses=RFC6749,
    errors=(
        *REFUSALS,
        errors.InvalidGrant,
        errors.UnsupportedGrantType,
        errors.InvalidTarget,
        *PROOFS,
        errors.AuthorizationPending,
        errors.SlowDown,
        errors.ExpiredToken,
        errors.AccessDenied,
        errors.TooManyRequests,
    ),
)
def token(svc: Services, caller: Caller, form: Form) -> Answer:
    """Exchanges a grant for tokens (RFC 6749 section 3.2)."""
    params = oauth.once(form.pairs, known=grants.KNOWN)
    proof = dpop.verify(svc, caller.headers.get("dpop", ""), method="POST", path="/oauth/token")
    issued = grants.redeem(svc, params, authorization=_credentials(caller), proof=proof, network=caller.network)
    return Answer(body=tokens_of(issued), headers={"DPoP-Nonce": dpop.nonce(svc)} if proof.jkt else {})


class AuthorizationCode(msgspec.Struct, frozen=True):
    """What a first-party app gets for the right password."""

    authorization_code: str


@bp.serves(
    "POST /oauth/authorize-challenge",
    body=Form,
    takes=OF_CHALLENGE,
    answer=AuthorizationCode,
    statuses={**RFC6749, errors.InsufficientAuthorization.code: 403},
    errors=(
        *REFUSALS,
        errors.InsufficientAuthorization,
        errors.InvalidSession,
        errors.AccountDisabled,
        errors.TooManyRequests,
        errors.InvalidTarget,
        errors.UnsupportedResponseType,
        errors.UnmetAuthentication,
        *PROOFS,
    ),
)
def challenge(svc: Services, caller: Caller, form: Form) -> AuthorizationCode | Answer:
    """Logs a user in through a first-party app's own form (draft-ietf-oauth-first-party-apps)."""
    _refuse_foreign_origin(svc, caller)
    params = oauth.once(form.pairs, known=OF_CHALLENGE)
    client = clients.authenticate(svc, params, _credentials(caller), network=caller.network)
    proof = dpop.verify(svc, caller.headers.get("dpop", ""), method="POST", path="/oauth/authorize-challenge")
    try:
        code = first_party.challenge(svc, client, params, jkt=proof.jkt, network=caller.network)
    except errors.InsufficientAuthorization as more:
        return _refused(more, 403, {}, auth_session=more.auth_session)
    # The id of a public client is nobody's secret: what is written is for who has logged in.
    dpop.remember(svc, proof)
    return AuthorizationCode(code)


def _refuse_foreign_origin(svc: Services, caller: Caller) -> None:
    # A form needs no preflight: any website could use up a user's tries through the browsers of its visitors.
    origin, issuer = caller.headers.get("origin"), urlsplit(svc.settings.issuer)
    if origin is not None and origin not in {f"{issuer.scheme}://{issuer.netloc}", *svc.settings.origins}:
        raise errors.InvalidRequest("This website may not log users in: its origin is not one that is allowed here.")


def _refused(refusal: errors.LatchkeyError, status: int, headers: Mapping[str, str], **more: str) -> Answer:
    """A refusal that says more than the usual."""
    request_log.set_outcome(refusal)
    body = {"error": refusal.code, "error_description": refusal.description, **more}
    return Answer(body=body, status=status, headers=headers)


@bp.serves(
    "POST /oauth/par",
    status=201,
    body=Form,
    takes=OF_PUSHED,
    answer=PushedRequest,
    statuses=RFC6749,
    errors=(
        *REFUSALS,
        errors.UnsupportedResponseType,
        errors.InvalidTarget,
        errors.RequestNotSupported,
        errors.RequestUriNotSupported,
        errors.UnmetAuthentication,
        errors.TooManyRequests,
        *PROOFS,
    ),
)
def push_request(svc: Services, caller: Caller, form: Form) -> PushedRequest:
    """Takes an authorization request before the browser brings it (RFC 9126)."""
    params = oauth.once(form.pairs, known=OF_PUSHED)
    client = clients.authenticate(svc, params, _credentials(caller), network=caller.network)
    asked = {name: value for name, value in params.items() if name in oauth.KNOWN}
    proof = dpop.verify(svc, caller.headers.get("dpop", ""), method="POST", path="/oauth/par")
    if proof.jkt and asked.setdefault("dpop_jkt", proof.jkt) != proof.jkt:  # RFC 9449 section 10.1
        raise errors.InvalidDpopProof("`dpop_jkt` is not the key of the DPoP proof.")
    request_uri = authorize.push(svc, client, asked, network=caller.network)
    dpop.remember(svc, proof)  # after the limit that there is for public clients
    return PushedRequest(request_uri, svc.settings.pushed_request_seconds)


@bp.serves(
    "POST /oauth/device",
    body=Form,
    takes=OF_DEVICE,
    answer=DeviceAuthorization,
    statuses=RFC6749,
    errors=(*REFUSALS, errors.InvalidTarget, errors.TooManyRequests),
)
def begin_device(svc: Services, caller: Caller, form: Form) -> DeviceAuthorization:
    """Begins a login on a device without a browser (RFC 8628)."""
    params = oauth.once(form.pairs, known=OF_DEVICE)
    client = clients.authenticate(svc, params, _credentials(caller), network=caller.network)
    resource = params.get("resource", "")
    codes = device.begin(svc, client, scope=params.get("scope"), resource=resource, network=caller.network)
    page = f"{svc.settings.issuer}/device"
    return DeviceAuthorization(
        verification_uri=page, verification_uri_complete=f"{page}?user_code={codes.user_code}", **asdict(codes)
    )


@bp.serves(
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


@bp.serves("POST /oauth/introspect", body=Form, takes=OF_TOKEN, media=(JSON, SIGNED), statuses=RFC6749, errors=REFUSALS)
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


def _token_of(svc: Services, caller: Caller, form: Form) -> tuple[clients_domain.Client, str]:
    params = oauth.once(form.pairs, known=OF_TOKEN)
    client = clients.authenticate(svc, params, _credentials(caller), network=caller.network)
    if "token" not in params:
        raise errors.InvalidRequest("`token` is missing.")
    return client, params["token"]


# RFC 9449 section 7.1: here a bad proof is a bad credential.
AT_RESOURCE = {each.code: 401 for each in PROOFS}


@bp.serves(
    "GET /oauth/userinfo",
    media=(JSON,),
    statuses=AT_RESOURCE,
    errors=(errors.InvalidToken, errors.InsufficientScope, *PROOFS),
)
def read_userinfo(svc: Services, caller: Caller) -> Answer:
    """The user behind an access token (OpenID Connect Core 5.3)."""
    return _userinfo(svc, caller, "GET")


@bp.serves(
    "POST /oauth/userinfo",
    media=(JSON,),
    statuses=AT_RESOURCE,
    errors=(errors.InvalidToken, errors.InsufficientScope, *PROOFS),
)
def post_userinfo(svc: Services, caller: Caller) -> Answer:
    """The same by POST."""
    return _userinfo(svc, caller, "POST")


def _userinfo(svc: Services, caller: Caller, method: str) -> Answer:
    authorization, proof = caller.headers.get("authorization", ""), caller.headers.get("dpop", "")
    fresh = {"DPoP-Nonce": dpop.nonce(svc)} if proof else {}
    try:
        user, told = userinfo.read(svc, authorization=authorization, proof=proof, method=method, path="/oauth/userinfo")
    except (*PROOFS, errors.InvalidToken, errors.InsufficientScope) as refusal:
        status = status_of(refusal.code, AT_RESOURCE)
        return _refused(refusal, status, {**fresh, "WWW-Authenticate": _challenge(refusal, authorization)})
    request_log.set_user(user.uid)
    return Answer(body=told, headers=fresh)


def _challenge(refusal: errors.LatchkeyError, authorization: str) -> str:
    """RFC 6750 section 3, RFC 9449 section 7.1 and RFC 9728 section 5.1, in the scheme that was tried or is needed."""
    bound = isinstance(refusal, (*PROOFS, errors.UnprovedToken)) or authorization[:5].lower() == "dpop "
    told = [f'algs="{" ".join(ALGORITHMS)}"'] if bound else []
    if authorization:  # who came without a token is told of no error (RFC 6750 section 3.1)
        told.append(f'error="{refusal.code}"')
    if isinstance(refusal, errors.InsufficientScope):
        told.append('scope="openid"')
    return f"{'DPoP' if bound else 'Bearer'} {', '.join([*told, resource_metadata()])}"


def _credentials(caller: Caller) -> str:
    if any(name in ("client_secret", "client_assertion") for name, _ in caller.query):
        raise errors.InvalidRequest("Credentials do not belong into a URL.")
    found: str = caller.headers.get("authorization", "")
    return found
