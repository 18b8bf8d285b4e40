"""Whether a token is ours: its signature, issuer, audience and time. Whether its session is in force, `live` says."""

from typing import Any

from ...domain.oauth import tokens
from ...domain.oauth.tokens import VerifiedClaims, Verifier
from ...services import Services
from ..platform import keys


def verify_access_token(svc: Services, unverified_token: str, *, any_audience: bool = False) -> VerifiedClaims:
    """The claims of an access token of ours, for this server's own APIs or for any; raises InvalidToken."""
    audience = None if any_audience else svc.settings.audience
    return _verifier(svc, unverified_token, audience).verify(unverified_token, now=svc.now())


def verify_id_token_hint(svc: Services, id_token: str) -> dict[str, Any] | None:
    """The claims of an id_token of ours, whose key need not be published any more (OpenID Connect Core 3.1.2.1); or None."""
    return tokens.verify_id_token(id_token, keys.current(svc).hint_keys(svc.now()), issuer=svc.settings.issuer)


def _verifier(svc: Services, unverified_token: str, audience: str | None) -> Verifier:
    for force_refresh in (False, True):
        jwks = keys.published(svc, force_refresh=force_refresh)
        # Our own APIs are not among them: there what has this `typ` is never taken.
        jwt_audiences = svc.settings.jwt_audiences if audience is None else ()
        verifier = Verifier(jwks, issuer=svc.settings.issuer, audience=audience, jwt_audiences=jwt_audiences)
        if verifier.knows(unverified_token):
            break
    return verifier
