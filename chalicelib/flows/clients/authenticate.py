"""Who calls: the client that an id means, and its proof that it is the one."""

import hashlib
import hmac
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_plus

from ...domain.crypto import jws
from ...domain.errors import InvalidClient, InvalidRequest
from ...domain.oauth import tokens, uris
from ...domain.oauth.client import Client
from ...services import Services
from . import assertions, own
from . import documents as client_documents

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHMS = jws.ALGORITHMS
# Whom an assertion may be for, beside the issuer: the token endpoint (RFC 7523 section 3), and those that take one as well.
ENDPOINTS = ("token", "par", "device", "introspect", "revoke", "authorize-challenge")
CREDENTIALS = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})

# Whoever knows the secret is the client, wherever it puts it: many libraries try one place and then the other.
BY_SECRET = ("client_secret_basic", "client_secret_post")
BY_KEY, BY_NOTHING = ("private_key_jwt",), ("none",)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """How a client says who it is, with what goes with it: good for clients that are registered for one of these methods."""

    methods: tuple[str, ...]
    client_id: str
    secret: str = ""


def read_credentials(params: Mapping[str, str], authorization: str) -> ClientCredentials:
    """The one way in which a request authenticates its client; raises InvalidRequest where there are two."""
    asserts = bool({"client_assertion", "client_assertion_type"} & set(params))
    ways = [bool(authorization), "client_secret" in params, asserts]
    if sum(ways) > 1:
        raise InvalidRequest("A client authenticates in one way only.")
    scheme, credentials = tokens.credentials(authorization)
    if authorization and scheme != "basic":
        raise InvalidClient(reason="another scheme than Basic")
    if authorization:
        return _basic(credentials, params.get("client_id", ""))
    if asserts:
        return ClientCredentials(BY_KEY, _assertion_issuer(params), params.get("client_assertion", ""))
    if not params.get("client_id"):
        raise InvalidClient("`client_id` is missing.")
    if "client_secret" in params:
        return ClientCredentials(BY_SECRET, params["client_id"], params["client_secret"])
    return ClientCredentials(BY_NOTHING, params["client_id"])


def _basic(credentials: str, client_id: str) -> ClientCredentials:
    try:
        user, colon, password = b64decode(credentials.strip(), validate=True).decode().partition(":")
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        name, secret = unquote_plus(user, errors="strict"), unquote_plus(password, errors="strict")
    except ValueError:
        raise InvalidClient(reason="malformed Basic") from None
    if not colon or not name or client_id not in ("", name):
        raise InvalidClient(reason="malformed Basic")
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
        raise InvalidClient(reason="assertion malformed") from None
    if not isinstance(issuer, str) or params.get("client_id", issuer) != issuer:
        raise InvalidClient(reason="assertion of another client")
    return issuer


def authenticate(svc: Services, params: Mapping[str, str], authorization: str, *, network: str) -> Client:
    """The client behind a request, proved by what it is registered to prove itself with (one read); raises InvalidClient.

    What is fetched for that, its document or its keys, counts against the `network` that the request comes from.
    """
    credentials = read_credentials(params, authorization)
    client = find(svc, credentials.client_id, network=network)
    if client is None or client.token_endpoint_auth_method not in credentials.methods:
        raise InvalidClient(reason="unknown, or another method")
    if credentials.methods is BY_SECRET:
        digest = digest_of(credentials.secret)
        if True not in [hmac.compare_digest(digest, registered) for registered in client.secrets]:
            raise InvalidClient(reason="wrong secret")
    elif credentials.methods is BY_KEY:
        _check_assertion(svc, client, credentials.secret, network)
    return client


def find(svc: Services, client_id: str, *, network: str) -> Client | None:
    """A client that is registered, or that has a document of its own at its id."""
    if not 0 < len(client_id) <= 500 or is_reserved(svc, client_id):
        return None
    return svc.clients.read(client_id) or client_documents.find(svc, client_id, network=network)


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
        raise InvalidClient(reason=str(unfit)) from None
    if claims.get("sub") != client.client_id:
        raise InvalidClient(reason="assertion for another")
    if not assertions.spend(svc, claims, signer=client.client_id):
        raise InvalidClient(reason="assertion replayed")
