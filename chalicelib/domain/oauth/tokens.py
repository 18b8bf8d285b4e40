import json
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt

from ..crypto import algorithms, base64url, strict_json
from ..errors import InvalidToken

if TYPE_CHECKING:
    from ..crypto.keyset import SigningKey  # private keys: the guard, which has none, does not load what makes them

ACCESS_TOKEN = "at+jwt"  # RFC 9068 section 2.1
JWT = ID_TOKEN = "JWT"
# No longer token is issued. API Gateway takes 10,240 bytes of headers, and a DPoP proof has to go beside it.
MAX_LENGTH = 8192
# No token of ours lives longer, whatever a client is allowed: as long does the key that signed it stay published.
MAX_LIFETIME = 24 * 3600
CLOCK_SKEW = 60
TEXTS = ("sub", "client_id", "scope", "jti")


class VerifiedClaims(NamedTuple):
    """The claims of an access token (RFC 9068) that `verify` has found authentic and in force; only `verify` makes one.

    `sid` is "" where a client acts for itself, in no user's session.
    """

    sub: str
    sid: str
    client_id: str
    scope: tuple[str, ...]
    exp: int
    all: Mapping[str, Any]

    @property
    def audiences(self) -> tuple[str, ...]:
        """The APIs that it is for: `aud` may be one or several (RFC 7519 section 4.1.3)."""
        aud = self.all["aud"]
        return tuple(aud) if isinstance(aud, list) else (aud,)


def credentials(authorization: str) -> tuple[str, str]:
    """The scheme of an Authorization header in lower case, and what follows it after some spaces (RFC 9110 section 11.4)."""
    scheme, _, rest = authorization.partition(" ")
    return scheme.lower(), rest.lstrip(" ")


class Verifier:
    """Knows which keys, issuer and audience an access token must have; it asks nobody."""

    def __init__(
        self,
        jwks: Iterable[Mapping[str, str]],
        *,
        issuer: str,
        audience: str | None,
        jwt_audiences: Collection[str] = (),
    ) -> None:
        """Raises for a key that cannot be used, and for a kind that we never publish, such as a shared secret.

        `audience` is None for whoever tells others what a token is worth. Tokens for `jwt_audiences` alone may have the
        `typ` of any JWT; what tells them from id_tokens are their claims.
        """
        self._issuer = issuer
        self._audience = audience
        # A token of ours has one of a few exact headers, so the header is looked up, never believed: an unknown alg, typ,
        # kid, crit, jwk or jku is simply not in the list.
        keys = [(jwk, _key(jwk)) for jwk in jwks]
        self._keys = {header_segment(jwk): key for jwk, key in keys}
        self._jwt_audiences = frozenset(jwt_audiences)
        self._jwt_keys = {header_segment(jwk, typ=JWT): key for jwk, key in keys if jwt_audiences}

    def knows(self, unverified_token: str) -> bool:
        """Whether the token's header names one of the keys."""
        segment = unverified_token[:MAX_LENGTH].partition(".")[0]
        return segment in self._keys or segment in self._jwt_keys

    def verify(self, unverified_token: str, *, now: int) -> VerifiedClaims:
        """The claims of an authentic access token in force at `now` (epoch seconds, RFC 9068 section 4); raises InvalidToken."""
        if len(unverified_token) > MAX_LENGTH:
            raise InvalidToken(reason="too long")
        segment = unverified_token.partition(".")[0]
        key = self._keys.get(segment) or self._jwt_keys.get(segment)
        if key is None:
            raise InvalidToken(reason="unknown header")
        claims = self._check_claims(_verify_signature(unverified_token, *key), now)
        if segment in self._jwt_keys and not set(claims.audiences) <= self._jwt_audiences:
            raise InvalidToken(reason="an API whose tokens have another typ")
        return claims

    def _check_claims(self, claims: Any, now: int) -> VerifiedClaims:
        if not isinstance(claims, dict) or claims.get("iss") != self._issuer:
            raise InvalidToken(reason="issuer")
        if not self._is_audience(claims.get("aud")):
            raise InvalidToken(reason="audience")
        exp = claims.get("exp")
        if type(exp) is not int or not now < exp <= now + MAX_LIFETIME:
            raise InvalidToken(reason="expired")
        if _in_future(claims.get("iat"), now) or _in_future(claims.get("nbf", now), now):
            raise InvalidToken(reason="not yet valid")
        if {*map(type, map(claims.get, TEXTS))} != {str}:
            raise InvalidToken(reason="claims")
        return VerifiedClaims(
            sub=claims["sub"],
            sid=_session_of(claims),
            client_id=claims["client_id"],
            scope=tuple(claims["scope"].split()),
            exp=exp,
            all=claims,
        )

    def _is_audience(self, aud: Any) -> bool:
        if self._audience is None:
            return isinstance(aud, str | list)
        return aud == self._audience or (isinstance(aud, list) and self._audience in aud)


def _session_of(claims: Mapping[str, Any]) -> str:
    """The session of a user's token; a client's own has no such claim at all, and is about that client."""
    if "sid" not in claims and claims["sub"] == claims["client_id"]:
        return ""
    if type(claims.get("sid")) is not str or not claims["sid"]:
        raise InvalidToken(reason="claims")
    sid: str = claims["sid"]
    return sid


def _key(jwk: Mapping[str, str]) -> tuple[Any, list[str]]:
    if jwk["alg"] not in algorithms.OF_TOKENS:
        raise ValueError("not a public key for signatures")
    return _public_key(tuple(jwk.items())), [jwk["alg"]]


@lru_cache(maxsize=16)
def _public_key(jwk: tuple[tuple[str, str], ...]) -> Any:
    # To make the two published ones takes as long as a verification, and most requests come with the same two.
    return jwt.PyJWK(dict(jwk)).key


# PyJWT's own class keeps all algorithms; each call names the one that its key is for.
_jws = jwt.PyJWS()


def _verify_signature(unverified_token: str, key: Any, algorithms: list[str]) -> Any:
    try:
        decoded = _jws.decode_complete(unverified_token, key, algorithms=algorithms)
        claims = strict_json.decode(decoded["payload"])
    except (jwt.InvalidTokenError, ValueError):
        raise InvalidToken(reason="signature") from None
    # The signature covers all but itself, and base64 has spare bits: one token has exactly one spelling.
    if not unverified_token.endswith(f".{base64url.encode(decoded['signature'])}"):
        raise InvalidToken(reason="spelling")
    return claims


def _in_future(moment: Any, now: int) -> bool:
    return type(moment) is not int or moment > now + CLOCK_SKEW


def verify_id_token(
    unverified_id_token: str, jwks: Iterable[Mapping[str, str]], *, issuer: str
) -> dict[str, Any] | None:
    """The claims of an id_token that we signed, expired or not; None for any other text."""
    segment = unverified_id_token[:MAX_LENGTH].partition(".")[0]
    jwk = next((each for each in jwks if segment == header_segment(each, typ=ID_TOKEN)), None)
    if jwk is None:
        return None
    try:
        claims = _verify_signature(unverified_id_token, *_key(jwk))
    except InvalidToken:
        return None
    return claims if _is_id_token(claims) and claims["iss"] == issuer else None


def _is_id_token(claims: Any) -> bool:
    # An access token may have the same `typ`, where an API's verifiers can take no other.
    if not isinstance(claims, dict) or {"scope", "client_id"} & set(claims):
        return False
    return all(type(claims.get(name)) is str for name in ("iss", "sub", "aud")) and type(claims.get("iat")) is int


def header_segment(jwk: Mapping[str, str], *, typ: str = ACCESS_TOKEN) -> str:
    """The first segment of every token of a kind signed with this key, exactly as `sign` writes it."""
    header = {"alg": jwk["alg"], "kid": jwk["kid"], "typ": typ}
    return base64url.encode(json.dumps(header, separators=(",", ":")).encode())


def sign(claims: Mapping[str, Any], key: "SigningKey", *, typ: str) -> str:
    """A token with exactly these claims; its `typ` is under the signature, so that no kind passes for another."""
    headers = {"kid": key.kid, "typ": typ}
    return jwt.encode(dict(claims), key.private, algorithm=key.algorithm, headers=headers)
