"""Authlib's client, and joserfc for our signatures: a second implementation that is not of our family either."""

from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import JWTBearerGrant, PrivateKeyJWT
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, JWT_BEARER
from tests.interop.person import Person
from tests.interop.served import API, OF_THE_API, Served
from tests.support.delivery import deliver
from tests.support.internet import Page

ALGORITHM = "ES256"
SECRETS = ("client_secret_basic", "client_secret_post")
VERIFIER = "an-authlib-client-makes-its-own-verifier-of-43-letters"


@pytest.fixture(autouse=True)
def insecure_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Authlib talk to loopback without TLS."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


def read_json(address: str) -> Any:
    """What a JSON document says."""
    return requests.get(address, timeout=10).json()


class Peer:
    """An Authlib client that knows the issuer and its own registration."""

    def __init__(
        self, registration: dict[str, Any], scope: str = "openid profile email offline_access notes:read"
    ) -> None:
        self.registration = registration
        self.metadata = read_json(f"{registration['issuer']}/.well-known/openid-configuration")
        self.keys = KeySet.import_key_set(read_json(self.metadata["jwks_uri"]))
        self.session = OAuth2Session(
            registration["client_id"],
            registration["client_secret"] or (registration["key"] and ECKey.import_key(registration["key"])),
            token_endpoint_auth_method=registration["method"],
            revocation_endpoint_auth_method=registration["method"],
            scope=scope,
            redirect_uri=registration["redirect_uri"],
            code_challenge_method="S256",
        )
        assertion = PrivateKeyJWT(self.metadata["token_endpoint"], alg="ES256")
        self.session.register_client_auth_method(assertion)

    def log_in(self, person: Person) -> dict[str, Any]:
        """The tokens of a code login."""
        endpoint = self.metadata["authorization_endpoint"]
        address, state = self.session.create_authorization_url(endpoint, code_verifier=VERIFIER, nonce="n1")
        back = person.visit(address)["url"]
        tokens: dict[str, Any] = self.session.fetch_token(
            self.metadata["token_endpoint"], authorization_response=back, code_verifier=VERIFIER, state=state
        )
        return tokens

    def verified(self, token: str) -> jwt.Token:
        """A token with one of the server's signatures."""
        return jwt.decode(token, self.keys, algorithms=[ALGORITHM])


@pytest.mark.parametrize("method", ["none", *SECRETS, "private_key_jwt"])
def test_a_code_login_with_an_id_token_that_authlib_finds_in_order(served: Served, method: str) -> None:
    peer = Peer(served.client(method))
    tokens = peer.log_in(served.person())
    id_token = peer.verified(tokens["id_token"])
    must = {"iss": served.issuer, "aud": peer.registration["client_id"], "nonce": "n1"}
    options = {name: {"essential": True, "value": value} for name, value in must.items()}
    params = {"nonce": "n1", "client_id": peer.registration["client_id"], "access_token": tokens["access_token"]}
    CodeIDToken(id_token.claims, id_token.header, options, params).validate()
    assert peer.session.get(peer.metadata["userinfo_endpoint"]).json()["sub"] == id_token.claims["sub"]


@pytest.mark.parametrize("method", ["none", *SECRETS])
def test_a_refresh_brings_new_tokens(served: Served, method: str) -> None:
    peer = Peer(served.client(method))
    before = dict(peer.log_in(served.person()))
    after = peer.session.refresh_token(peer.metadata["token_endpoint"])
    assert after["refresh_token"] != before["refresh_token"]
    assert peer.session.get(peer.metadata["userinfo_endpoint"]).ok


def api_of(peer: Peer, audience: str) -> Any:
    """An API in Python that checks our access tokens by Authlib's own reading of RFC 9068."""
    api = JWTBearerTokenValidator(peer.registration["issuer"], audience)
    api.get_jwks = lambda: peer.keys
    return api


@pytest.mark.parametrize("method", [*SECRETS, "private_key_jwt"])
def test_a_machine_gets_a_token_that_an_api_finds_in_order(served: Served, method: str) -> None:
    machine = {"grant_types": (CLIENT_CREDENTIALS,), "redirect_uris": (), "scopes": OF_THE_API, "resources": (API,)}
    peer = Peer(served.client(method, **machine), scope="notes:read")
    tokens = peer.session.fetch_token(peer.metadata["token_endpoint"], grant_type=CLIENT_CREDENTIALS, resource=API)
    api = api_of(peer, API)
    api.validate_token(api.authenticate_token(tokens["access_token"]), ["notes:read"], None)


def test_a_user_for_whom_an_issuer_vouches_gets_a_token_that_an_api_finds_in_order(served: Served) -> None:
    key = ECKey.generate_key("P-256")
    issuers = {"https://idp.example": {"jwks": {"keys": [key.as_dict(private=False)]}}}
    own = {"grant_types": (JWT_BEARER,), "redirect_uris": (), "assertion_issuers": issuers, "resources": (API,)}
    peer = Peer(served.client("client_secret_basic", **own), scope="notes:read")
    subject = peer.verified(Peer(served.client("none")).log_in(served.person())["id_token"]).claims["sub"]
    endpoint, names = peer.metadata["token_endpoint"], {"issuer": "https://idp.example", "subject": subject}
    assertion = JWTBearerGrant.sign(key, audience=endpoint, claims={"jti": "1"}, header={"alg": "ES256"}, **names)
    tokens = peer.session.fetch_token(endpoint, grant_type=JWT_BEARER, assertion=assertion, resource=API)
    api = api_of(peer, API)
    api.validate_token(api.authenticate_token(tokens["access_token"]), ["notes:read"], None)


def test_a_users_token_is_in_order_for_an_api_too(served: Served) -> None:
    peer = Peer(served.client("none"), scope="notes:read")
    api = api_of(peer, served.issuer)
    api.validate_token(api.authenticate_token(peer.log_in(served.person())["access_token"]), ["notes:read"], None)


@pytest.mark.parametrize("method", SECRETS)
def test_an_api_asks_what_a_token_is_worth(served: Served, method: str) -> None:
    token = Peer(served.client("none")).log_in(served.person())["access_token"]
    api = Peer(served.client(method, introspects=True))
    for presented, active in ((token, True), ("not a token", False)):
        answer = api.session.introspect_token(api.metadata["introspection_endpoint"], presented, "access_token")
        assert answer.json()["active"] is active


@pytest.mark.parametrize("method", ["none", *SECRETS])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_revoked_token_ends_its_session(served: Served, method: str, kind: str) -> None:
    peer = Peer(served.client(method))
    token = peer.log_in(served.person())[kind]
    assert peer.session.revoke_token(peer.metadata["revocation_endpoint"], token, token_type_hint=kind).ok
    assert peer.session.get(peer.metadata["userinfo_endpoint"]).status_code == 401


def test_a_client_hears_at_its_back_channel_that_the_user_left(served: Served) -> None:
    hook = "https://app.example/backchannel"
    served.internet.pages[hook] = Page()
    by_session = {"backchannel_logout_uri": hook, "backchannel_logout_session_required": True}
    peer = Peer(served.client("client_secret_basic", **by_session), scope="openid")
    person = served.person()
    id_token = peer.verified(peer.log_in(person)["id_token"]).claims
    person.visit(f"{peer.metadata['end_session_endpoint']}?{urlencode({'client_id': peer.registration['client_id']})}")
    deliver()
    (form,) = [request.form for request in served.internet.requests if request.line == "POST /backchannel"]
    logout_token = peer.verified(form["logout_token"])
    assert logout_token.header["typ"] == "logout+jwt"
    assert (logout_token.claims["iss"], logout_token.claims["aud"]) == (served.issuer, peer.registration["client_id"])
    assert (logout_token.claims["sub"], logout_token.claims["sid"]) == (id_token["sub"], id_token["sid"])
    assert logout_token.claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert "nonce" not in logout_token.claims
    assert logout_token.claims["iat"] < logout_token.claims["exp"]
