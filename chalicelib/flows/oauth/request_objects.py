"""Request objects by value (RFC 9101): verified by the client's registered keys, whoever brings them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ...domain.crypto import jws
from ...domain.errors import InvalidRequestObject, RequestNotSupported
from ...domain.oauth import authorization_request as oauth
from ...domain.oauth import request_object
from ...domain.oauth.client import Client
from ...services import Services
from ..clients import keys


def read(svc: Services, client: Client, unverified_object: str, *, network: str) -> dict[str, str]:
    """The request in an object that its client has signed; raises InvalidRequestObject, or RequestNotSupported.

    Keys that are fetched for that count against the `network`.
    """
    claims = _verify(svc, client, unverified_object, network)
    return request_object.parameters(claims, client, issuer=svc.settings.issuer, now=svc.now())


def with_its_response_mode(params: Mapping[str, str], unverified_object: str) -> dict[str, str]:
    """A request whose object is refused, with the way that the object wants its answer: it leads to no other place."""
    try:
        mode = jws.unverified_claims(unverified_object).get("response_mode")
    except ValueError:
        mode = None
    return {**params, "response_mode": mode} if mode in oauth.RESPONSE_MODES else dict(params)


def _verify(svc: Services, client: Client, unverified_object: str, network: str) -> dict[str, Any]:
    try:
        header = jws.unverified_header(unverified_object)
    except ValueError:
        raise InvalidRequestObject("`request` is no signed JWT.") from None
    algorithm = header.get("alg")
    if algorithm == "none" or not (client.jwks or client.jwks_uri):
        raise RequestNotSupported(
            "A request object is signed by a key that its client has registered (`jwks`, `jwks_uri`)."
        )
    if algorithm not in client.request_algorithms or request_object.media_type(header) not in request_object.TYPES:
        raise InvalidRequestObject(
            f"The request object has `typ` {request_object.TYPE}, and is signed by {' or '.join(client.request_algorithms)}.",
            reason="request object's algorithm",
        )
    for key in keys.find(svc, client.jwks, client.jwks_uri, kid=header.get("kid"), network=network):
        with suppress(ValueError):
            return jws.verify(unverified_object, key)
    raise InvalidRequestObject(
        "The request object is not signed by a registered key of its client.", reason="request object's key"
    )
