from typing import Any

from ...domain.accounts.model import User
from ...domain.errors import InsufficientScope, InvalidToken, UnprovedToken
from ...domain.oauth import claims as user_claims
from ...domain.oauth import tokens
from ...domain.oauth.client import Client
from ...services import Services
from ..platform import attributes, keys
from ..sessions import live
from . import dpop


def read(svc: Services, *, authorization: str, proof: str, method: str, path: str) -> tuple[User, dict[str, Any] | str]:
    """The user and the claims that an access token opens (OpenID Connect Core 5.3), a bearer or a bound one (RFC 9449 7).

    They are a JWT for a client that is registered for one (5.3.2).
    """
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
    standard = user_claims.of_user(user, scope=claims.scope, claims=token.userinfo_claims())
    about_user = {**attributes.claims(svc, token.client, user), **standard, "sub": claims.sub}
    return user, _sign(svc, token.client, about_user) if token.client.userinfo_signed_response_alg else about_user


def _sign(svc: Services, client: Client, about_user: dict[str, Any]) -> str:
    # Without iat and exp, so that it is no id_token either, which has the same type.
    key = keys.signer(keys.current(svc), client.userinfo_algorithms, now=svc.now())
    return tokens.sign({**about_user, "iss": svc.settings.issuer, "aud": client.client_id}, key, typ=tokens.ID_TOKEN)
