from typing import Any

from ...domain.accounts.model import User
from ...domain.errors import InsufficientScope, InvalidToken, UnprovedToken
from ...domain.oauth import claims as claim
from ...domain.oauth import tokens
from ...services import Services
from ..sessions import live
from . import dpop


def read(svc: Services, *, authorization: str, proof: str, method: str, path: str) -> tuple[User, dict[str, Any]]:
    """The user and the claims that an access token opens (OpenID Connect Core 5.3), a bearer or a bound one (RFC 9449 7)."""
    scheme, text = tokens.credentials(authorization)
    if scheme not in ("bearer", "dpop") or not text:
        raise InvalidToken()
    # Whatever API it is for: that our own audience need not be in it keeps an API from using it at our other routes.
    token = live.read(svc, text, any_audience=True)
    found, user = token.claims, token.user
    if "cnf" in found.all or scheme == "dpop":
        shown = dpop.verify(svc, proof, method=method, path=path, access_token=text)
        if scheme != "dpop" or not shown.jkt or found.all.get("cnf") != {"jkt": shown.jkt}:
            raise UnprovedToken(uid=user.uid if user else "")
        dpop.remember(svc, shown)
    if user is None or "openid" not in found.scope:
        raise InsufficientScope("This needs the scope openid.")
    return user, {"sub": found.sub, **claim.of_user(user, scope=found.scope, claims=token.userinfo_claims())}
