"""Who calls: the client that an id means, and its proof that it is the one."""

import hashlib
import hmac
from base64 import b64decode
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_plus

import msgspec

from ...domain.crypto import jws
from ...domain.errors import InvalidClient, InvalidRequest
from ...domain.oauth import parameters, request_object, tokens, uris
from ...domain.oauth.client import Client
from ...services import Services
from . import assertions, current, offer, own
from . import documents as client_documents

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHMS = jws.ALGORITHMS
# Whom an assertion may be for, beside the issuer: the token endpoint (RFC 7523 section 3), and those that take one as well.
ENDPOINTS = ("token", "par", "device", "introspect", "revoke", "authorize-challenge")
REQUEST_PARAMETERS = parameters.AUTHORIZATION_REQUEST - {"client_id"}
CREDENTIALS = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})

# Whoever knows the secret is the client, wherever it puts it: many libraries try one place and then the other.
BY_SECRET = ("client_secret_basic", "client_secret_post")
BY_KEY, BY_NOTHING = ("private_key_jwt",), ("none",)
MALFORMED_BASIC = "The Basic credentials are `client_id:secret`, each form-encoded, in base64 (RFC 6749 section 2.3.1)."
# What a request by each of these lacked. A stranger learns from it what was sent, and nothing of any client.
REFUSALS = {
    BY_SECRET: "No client of this id has this secret, or it is registered to authenticate without one.",
    BY_KEY: "The assertion is not by a key of a client of this id, or the client is registered to authenticate otherwise.",
    BY_NOTHING: "No client of this id is public: send its secret, by Basic or as `client_secret`, or a `client_assertion`.",
}


class ClientCredentials(msgspec.Struct, frozen=True):
    """How a client says who it is, with what goes with it: good for clients that are registered for one of these methods."""

    methods: tuple[str, ...]
    client_id: str
    secret: str = ""


def read_credentials(params: Mapping[str, str], authorization: str) -> ClientCredentials:
    """The one way in which a request authenticates its client; raises InvalidRequest where there are two.

    A secret that is sent by Basic and in the body is one, if it is the same.
    """
    asserts = bool({"client_assertion", "client_assertion_type"} & set(params))
    if asserts and (authorization or "client_secret" in params):
        raise InvalidRequest("A client authenticates in one way only: by its secret or by an assertion, not by both.")
    if authorization:
        return _by_header(params, authorization)
    if asserts:
        return ClientCredentials(BY_KEY, _assertion_issuer(params), params.get("client_assertion", ""))
    if not params.get("client_id"):
        raise InvalidClient("`client_id` is missing.")
    if "client_secret" in params:
        return ClientCredentials(BY_SECRET, params["client_id"], params["client_secret"])
    return ClientCredentials(BY_NOTHING, params["client_id"])


def _by_header(params: Mapping[str, str], authorization: str) -> ClientCredentials:
    try:
        credentials = _basic(authorization, params.get("client_id", ""))
    except InvalidClient as unusable:
        if "client_secret" in params:
            raise InvalidRequest(f"{unusable.description} And `client_secret` is in the body besides.") from None
        raise
    if params.get("client_secret", credentials.secret) != credentials.secret:
        raise InvalidRequest("The `client_secret` in the body is another than that of the Basic credentials.")
    return credentials


def _basic(authorization: str, client_id: str) -> ClientCredentials:
    scheme, encoded = tokens.credentials(authorization)
    if scheme != "basic":
        raise InvalidClient("The scheme of `Authorization` is Basic here.", reason="another scheme than Basic")
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        name, secret = unquote_plus(user, errors="strict"), unquote_plus(password, errors="strict")
    except ValueError:
        raise InvalidClient(MALFORMED_BASIC, reason="malformed Basic") from None
    if not colon or not name:
        raise InvalidClient(MALFORMED_BASIC, reason="malformed Basic")
    if client_id not in ("", name):
        raise InvalidClient("`client_id` is another than that of the Basic credentials.", reason="two client_ids")
    # RFC 6749 section 2.3.1: an empty secret is as good as none.
    return ClientCredentials(BY_SECRET if secret else BY_NOTHING, name, secret)


def _assertion_issuer(params: Mapping[str, str]) -> str:
    if params.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidRequest(f"`client_assertion_type` is {ASSERTION_TYPE}.")
    if "client_assertion" not in params:
        raise InvalidRequest("`client_assertion` is missing.")
    try:
        issuer = jws.unverified_claims(params["client_assertion"]).get("iss")
    except ValueError:
        raise InvalidClient("`client_assertion` is not a JWT with claims.", reason="assertion malformed") from None
    if not isinstance(issuer, str) or params.get("client_id", issuer) != issuer:
        raise InvalidClient("The assertion's `iss` is not the `client_id`.", reason="assertion of another client")
    return issuer


def authenticate(svc: Services, params: Mapping[str, str], authorization: str, *, network: str) -> Client:
    """The client behind a request, proved by what it is registered to prove itself with (one read); raises InvalidClient.

    What is fetched for that, its document or its keys, counts against the `network` that the request comes from.
    """
    credentials = read_credentials(params, authorization)
    client = find(svc, credentials.client_id, network=network)
    if client is None:
        raise InvalidClient(REFUSALS[credentials.methods], reason="unknown client")
    current.note(client)
    if client.token_endpoint_auth_method not in credentials.methods:
        raise InvalidClient(REFUSALS[credentials.methods], reason="another method")
    if credentials.methods is BY_SECRET:
        digest = digest_of(credentials.secret)
        if True not in [hmac.compare_digest(digest, registered) for registered in client.secrets]:
            raise InvalidClient(REFUSALS[BY_SECRET], reason="wrong secret")
    elif credentials.methods is BY_KEY:
        _check_assertion(svc, client, credentials.secret, network)
    return client


def find(svc: Services, client_id: str, *, network: str) -> Client | None:
    """A client that is registered, or that has a document of its own at its id."""
    if not 0 < len(client_id) <= 500 or is_reserved(svc, client_id):
        return None
    client = svc.clients.read(client_id) or client_documents.find(svc, client_id, network=network)
    return offer.as_offered(svc, client) if client and not client.has_expired(svc.now()) else None


def is_reserved(svc: Services, client_id: str) -> bool:
    """Whether an id is a client of this server's own, or an audience of tokens, in any spelling (RFC 3986 6)."""
    own_ids = (svc.settings.client_id, own.BROWSER.client_id)
    return client_id in own_ids or uris.normalise(client_id) in _normalised(svc.settings.audiences)


@lru_cache(maxsize=4)
def _normalised(audiences: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(uris.normalise, audiences))


def digest_of(secret: str) -> str:
    """How a generated secret is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _check_assertion(svc: Services, client: Client, assertion: str, network: str) -> None:
    """RFC 7523 section 3: for this server, of this client, short-lived, and never used before."""
    own_audiences = {svc.settings.issuer, *(f"{svc.settings.issuer}/oauth/{each}" for each in ENDPOINTS)}
    try:
        claims = assertions.verify(
            svc,
            assertion,
            jwks=client.jwks,
            jwks_uri=client.jwks_uri,
            audiences=own_audiences,
            network=network,
            algorithms=client.assertion_algorithms,
        )
    except assertions.UnfitAssertionError as unfit:
        described = f"Of the client's assertion, {unfit.rule}." if unfit.rule else REFUSALS[BY_KEY]
        raise InvalidClient(described, reason=str(unfit)) from None
    # Neither stands for the other: a request object (RFC 9101 section 10.8) is no proof of who brings it.
    header = jws.unverified_header(assertion)
    if request_object.media_type(header) == request_object.TYPE or REQUEST_PARAMETERS & set(claims):
        raise InvalidClient(
            "Of the client's assertion, nothing is an authorization request.", reason="assertion is a request object"
        )
    if claims.get("sub") != client.client_id:
        raise InvalidClient("Of the client's assertion, `sub` is the client_id.", reason="assertion for another")
    # FAPI 2.0 Security Profile 5.3.2.1: an endpoint's name, or a second audience, could have been another server's choice.
    if client.fapi and claims["aud"] != svc.settings.issuer:
        raise InvalidClient(
            "Of the client's assertion, `aud` is this server's issuer alone, as a text.",
            reason="assertion for another audience",
        )
    if not assertions.spend(svc, claims, signer=client.client_id):
        raise InvalidClient(
            "Of the client's assertion, `jti` is new each time: it is good once.", reason="assertion replayed"
        )
