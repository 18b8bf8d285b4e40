"""Assertions (RFC 7521, RFC 7523): a JWT that somebody signed for this server, short-lived, and good once."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from math import ceil
from typing import Any

from ...domain.crypto import jws
from ...domain.oauth import tokens
from ...domain.records.once import SpentAssertion
from ...services import Services, Write
from . import keys

MAX_SECONDS = 3600  # what common libraries ask for; each is good once, however long it lives


class UnfitAssertionError(Exception):
    """An assertion that is not good here; its text says why, for the log alone.

    `rule` is for the answer, for who sent it has shown the key: what it did not keep to. "" where no key was shown.
    """

    def __init__(self, reason: str, rule: str = "") -> None:
        super().__init__(reason)
        self.rule = rule


def verify(
    svc: Services,
    assertion: str,
    *,
    jwks: Mapping[str, Any],
    jwks_uri: str,
    audiences: set[str],
    network: str,
    algorithms: Collection[str] = jws.ALGORITHMS,
) -> dict[str, Any]:
    """The claims of an assertion that one of these keys signed, for none but these audiences, and that is good now.

    Raises UnfitAssertionError for any other; nothing is written. Fetched keys count against the `network`.
    """
    claims = _signed_claims(svc, assertion, jwks, jwks_uri, algorithms, network)
    aud = claims.get("aud")
    if not set(map(str, aud if isinstance(aud, list) and aud else [aud])) <= audiences:
        raise UnfitAssertionError("assertion for another", "`aud` is the issuer")
    _check_times(claims, svc.now())
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 500:
        raise UnfitAssertionError("assertion without jti", "`jti` is a text of at most 500 characters")
    return claims


def spend(svc: Services, claims: Mapping[str, Any], *, signer: str) -> bool:
    """Uses up a verified assertion of a signer, for as long as it is good; False if that was done before."""
    text, kept_until = _kept(claims, signer)
    return svc.once.put_if_absent(SpentAssertion(), text, expires_at=kept_until, now=svc.now())


def consumption(svc: Services, claims: Mapping[str, Any], *, signer: str) -> Write:
    """The same, to be written with what the assertion is good for."""
    text, kept_until = _kept(claims, signer)
    return svc.once.creation(SpentAssertion(), text, expires_at=kept_until, now=svc.now())


def _kept(claims: Mapping[str, Any], signer: str) -> tuple[str, int]:
    """What a signer's assertion is kept under, and until when."""
    return f"{signer}\0{claims['jti']}", ceil(claims["exp"]) + tokens.CLOCK_SKEW + 1


def _signed_claims(
    svc: Services,
    assertion: str,
    jwks: Mapping[str, Any],
    jwks_uri: str,
    algorithms: Collection[str],
    network: str,
) -> dict[str, Any]:
    try:
        header = jws.unverified_header(assertion)
    except ValueError:
        raise UnfitAssertionError("assertion malformed") from None
    if header.get("alg") not in algorithms:
        raise UnfitAssertionError("assertion's algorithm")
    for key in keys.find(svc, jwks, jwks_uri, kid=header.get("kid"), network=network):
        with suppress(ValueError):
            return jws.verify(assertion, key)
    raise UnfitAssertionError("assertion's signature")


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    exp = claims.get("exp")
    if not jws.is_numeric_date(exp) or not now - tokens.CLOCK_SKEW < exp <= now + MAX_SECONDS + tokens.CLOCK_SKEW:
        raise UnfitAssertionError("assertion expired or too long-lived", "`exp` is to come, within an hour")
    begins = (claims.get("nbf", now), claims.get("iat", now))
    if not all(jws.is_numeric_date(begin) and begin <= now + tokens.CLOCK_SKEW for begin in begins):
        raise UnfitAssertionError("assertion not yet valid", "`iat` and `nbf` are past")
