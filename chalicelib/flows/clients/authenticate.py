import hashlib
import hmac
import secrets
from base64 import b64decode
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from urllib.parse import unquote_plus

from ...domain.crypto import jws
from ...domain.errors import InvalidClient, InvalidRequest, NotFound, TemporarilyUnavailable, UnauthorizedClient
from ...domain.oauth import client as clients
from ...domain.oauth import tokens, uris
from ...domain.oauth.client import Client
from ...services import Services
from ..platform.ids import new_id
from . import documents as client_documents
from . import keys as client_keys
from . import own

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHMS = jws.ALGORITHMS
ASSERTION_SECONDS = 3600  # what common libraries ask for; each is good once, however long it lives
# Whom an assertion may be for, beside the issuer: the token endpoint (RFC 7523 section 3), and those that take one as well.
ENDPOINTS = ("token", "par", "device", "introspect", "revoke", "authorize-challenge")
CREDENTIALS = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})

# Whoever knows the secret is the client, wherever it puts it: many libraries try one place and then the other.
BY_SECRET = ("client_secret_basic", "client_secret_post")
BY_KEY, BY_NOTHING = ("private_key_jwt",), ("none",)


@dataclass(frozen=True, slots=True)
class Presented:
    """How a client says who it is, with what goes with it: good for clients that are registered for one of these methods."""

    methods: tuple[str, ...]
    client_id: str
    secret: str = ""


def presented(params: Mapping[str, str], authorization: str) -> Presented:
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
        return Presented(BY_KEY, _assertion_issuer(params), params.get("client_assertion", ""))
    if not params.get("client_id"):
        raise InvalidClient("`client_id` is missing.")
    if "client_secret" in params:
        return Presented(BY_SECRET, params["client_id"], params["client_secret"])
    return Presented(BY_NOTHING, params["client_id"])


def _basic(credentials: str, client_id: str) -> Presented:
    try:
        user, colon, password = b64decode(credentials.strip(), validate=True).decode().partition(":")
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        name, secret = unquote_plus(user, errors="strict"), unquote_plus(password, errors="strict")
    except ValueError:
        raise InvalidClient(reason="malformed Basic") from None
    if not colon or not name or client_id not in ("", name):
        raise InvalidClient(reason="malformed Basic")
    # RFC 6749 section 2.3.1: an empty secret is as good as none.
    return Presented(BY_SECRET if secret else BY_NOTHING, name, secret)


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


def authenticate(svc: Services, params: Mapping[str, str], authorization: str) -> Client:
    """The client behind a request, proved by what it is registered to prove itself with (one read); raises InvalidClient."""
    shown = presented(params, authorization)
    client = find(svc, shown.client_id)
    if client is None or client.token_endpoint_auth_method not in shown.methods:
        raise InvalidClient(reason="unknown, or another method")
    if shown.methods is BY_SECRET:
        digest = digest_of(shown.secret)
        if True not in [hmac.compare_digest(digest, known) for known in client.secrets]:
            raise InvalidClient(reason="wrong secret")
    elif shown.methods is BY_KEY:
        _check_assertion(svc, client, shown.secret)
    return client


def find(svc: Services, client_id: str) -> Client | None:
    """A client that is registered, or that has a document of its own at its id."""
    if not 0 < len(client_id) <= 500 or is_reserved(svc, client_id):
        return None
    return svc.clients.read(client_id) or client_documents.find(svc, client_id)


def is_reserved(svc: Services, client_id: str) -> bool:
    """Whether an id would be taken for a door of ours, or for what a token can be for, in any spelling (RFC 3986 6)."""
    doors = (svc.settings.client_id, own.BROWSER.client_id)
    return client_id in doors or uris.normal(client_id) in _normal(svc.settings.audiences)


@lru_cache(maxsize=4)
def _normal(audiences: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(uris.normal, audiences))


def digest_of(secret: str) -> str:
    """How a generated secret is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _check_assertion(svc: Services, client: Client, assertion: str) -> None:
    """RFC 7523 section 3: ours to be heard, of this client, short-lived, and never heard before."""
    now = svc.now()
    claims = _signed_by(svc, client, assertion)
    aud = claims.get("aud")
    audiences = aud if isinstance(aud, list) and aud else [aud]
    ours = {svc.settings.issuer, *(f"{svc.settings.issuer}/oauth/{each}" for each in ENDPOINTS)}
    exp, jti = claims.get("exp"), claims.get("jti")
    if claims.get("sub") != client.client_id or not set(map(str, audiences)) <= ours:
        raise InvalidClient(reason="assertion for another")
    if not jws.is_numeric_date(exp) or not now - tokens.CLOCK_SKEW < exp <= now + ASSERTION_SECONDS + tokens.CLOCK_SKEW:
        raise InvalidClient(reason="assertion expired or too long-lived")
    begins = (claims.get("nbf", now), claims.get("iat", now))
    if not all(jws.is_numeric_date(begin) and begin <= now + tokens.CLOCK_SKEW for begin in begins):
        raise InvalidClient(reason="assertion not yet valid")
    if not isinstance(jti, str) or not 0 < len(jti) <= 500:
        raise InvalidClient(reason="assertion without jti")
    seen_until = ceil(exp) + tokens.CLOCK_SKEW + 1
    if not svc.once.put_if_absent("assertion", f"{client.client_id}\0{jti}", expires_at=seen_until, now=now):
        raise InvalidClient(reason="assertion replayed")


def _signed_by(svc: Services, client: Client, assertion: str) -> dict[str, object]:
    try:
        kid = jws.unverified_header(assertion).get("kid")
    except ValueError:
        raise InvalidClient(reason="assertion malformed") from None
    for key in client_keys.find(svc, client, kid=kid):
        with suppress(ValueError):
            return jws.verify(assertion, key)
    raise InvalidClient(reason="assertion's signature")


def create(svc: Services, client: Client, *, secret: str = "") -> tuple[Client, str]:
    """A new client with a fresh id unless it brings one, and its secret if it has one, which is told this once.

    A `secret` that somebody chose is for a demo alone: one that is made here has full entropy.
    """
    client, secret = draft(svc, client, secret=secret)
    add(svc, client)
    return client, secret


def draft(svc: Services, client: Client, *, secret: str = "") -> tuple[Client, str]:
    """A client that can be made, with its secret if it has one; not yet written anywhere."""
    client, secret = with_secret(replace(client, secrets=()), secret=secret)
    # No two clients begin with the same version: what was read of one is never written over another of its id.
    began = secrets.randbits(32)
    client = replace(client, client_id=client.client_id or new_id(), created_at=svc.now(), version=began)
    return clients.check(client, local=svc.settings.local), secret


def add(svc: Services, client: Client) -> None:
    """Writes a new client; raises InvalidRequest if its id is reserved, or another's."""
    if is_reserved(svc, client.client_id):
        raise InvalidRequest(
            f"The client id {client.client_id} is reserved: it would be taken for a part of this server."
        )
    if not svc.clients.create(client):
        raise InvalidRequest(f"The client id {client.client_id} is taken.")


def with_secret(client: Client, *, secret: str = "") -> tuple[Client, str]:
    """A client with as many secrets as its way to authenticate needs: none, or those it has, or a new one, which is told."""
    if not client.token_endpoint_auth_method.startswith("client_secret"):
        return replace(client, secrets=()), ""
    if client.secrets:
        return client, ""
    secret = secret or _new_secret()
    return replace(client, secrets=(digest_of(secret),)), secret


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def change(svc: Services, old: Client, new: Client, *, named: Collection[str] = ()) -> Client:
    """A client as its operator changes it. What they set, by another value or by name, is not the client's own any more."""
    if old.registration_token and new.operator_set == old.operator_set:
        set_now = [n for n in clients.SELF_REGISTRABLE if n in named or getattr(old, n) != getattr(new, n)]
        new = replace(new, operator_set=tuple(dict.fromkeys((*old.operator_set, *set_now))))
    return replace_by(svc, old, new)


def replace_by(svc: Services, old: Client, new: Client) -> Client:
    """A client with other metadata; raises TemporarilyUnavailable if it changed meanwhile."""
    new = replace(clients.check(new, local=svc.settings.local), version=old.version + 1)
    if not svc.clients.replace(old, new):
        raise TemporarilyUnavailable(reason="client changed meanwhile")
    return new


def rotate_secret(svc: Services, client: Client, *, keep_old: bool) -> str:
    """A new secret for a client, beside the old one until the next rotation if that is to be kept."""
    if not client.secrets:
        raise UnauthorizedClient("This client has no secret.")
    secret = _new_secret()
    kept = client.secrets[:1] if keep_old else ()
    change(svc, client, replace(client, secrets=(digest_of(secret), *kept)))
    return secret


def delete(svc: Services, client_id: str) -> None:
    """A client gone for good. Its sessions end with their next refresh, which needs the client."""
    if not svc.clients.delete(client_id):
        raise NotFound()
