from typing import Any

from ...domain.accounts.model import User
from ...domain.errors import InsufficientScope, InvalidToken, UnprovedToken
from ...domain.oauth import claims as user_claims
from ...domain.oauth import tokens
from ...services import Services
from ..sessions import live
from . import dpop


def read(svc: Services, *, authorization: str, proof: str, method: str, path: str) -> tuple[User, dict[str, Any]]:
    """The user and the claims that an access token opens (OpenID Connect Core 5.3), a bearer or a bound one (RFC 9449 7)."""
    scheme, access_token = tokens.credentials(authorization)
    if scheme not in ("bearer", "dpop") or not access_token:
        raise InvalidToken("The access token is missing: send it in `Authorization`, as Bearer or DPoP.")
    # Whatever API it is for: that our own audience need not be in it keeps an API from using it at our other routes.
    token = live.read(svc, access_token, any_audience=True)
    claims, user = token.claims, token.user
    if "cnf" in claims.all or scheme == "dpop":
        verified_proof = dpop.verify(svc, proof, method=method, path=path, access_token=access_token)
        if scheme != "dpop" or not verified_proof.jkt or claims.all.get("cnf") != {"jkt": verified_proof.jkt}:
            raise UnprovedToken(uid=user.uid if user else "")
        dpop.check_algorithm(token.client, verified_proof)
        dpop.spend_proof(svc, verified_proof)
    if user is None or "openid" not in claims.scope:
        raise InsufficientScope("This needs the scope openid.")
    return user, {"sub": claims.sub, **user_claims.of_user(user, scope=claims.scope, claims=token.userinfo_claims())}
