"""What is in the tokens and answers of a code login, down to the small print of OpenID Connect, RFC 8707 and RFC 9449."""

import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.oauth.client import TOKEN_EXCHANGE
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from tests.support import forge
from tests.support.aws import container
from tests.support.browser import API, ISSUER, App, Browser, callback_params, forms, register, token_response
from tests.support.forge import b64
from tests.support.oidc import verified
from tests.support.phone import EMAIL, Clock, Phone, installed
from tests.support.prover import Prover

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
NARROW = "openid offline_access"


@pytest.fixture
def browser(phone: Phone) -> Browser:
    phone.sign_up(name="Ann")
    return Browser(phone)


@pytest.fixture
def app(svc: Services, browser: Browser) -> App:
    return register(svc, browser.phone, resources=(API,))


def claims_of(svc: Services, app: App, tokens: dict[str, Any]) -> dict[str, Any]:
    return verified(tokens["id_token"], keys.published(svc), audience=app.id)


def userinfo(app: App, tokens: dict[str, Any]) -> dict[str, Any]:
    answer = app.phone.call("GET /oauth/userinfo", token=tokens["access_token"])
    assert answer.status == 200, answer.body
    claims: dict[str, Any] = answer.json()
    return claims


# id_tokens
def test_a_refreshed_id_token_is_of_the_same_login_without_the_nonce(
    svc: Services, app: App, browser: Browser, clock: Clock
) -> None:
    tokens = app.tokens(browser)
    first = claims_of(svc, app, tokens)
    clock.advance(100)
    renewed = token_response(app.refresh(tokens["refresh_token"]))
    second = claims_of(svc, app, renewed)
    assert "nonce" in first
    assert "nonce" not in second
    same = ("iss", "sub", "aud", "auth_time", "amr", "acr", "sid")
    assert {name: first[name] for name in same} == {name: second[name] for name in same}
    assert second["iat"] == first["iat"] + 100
    assert second["exp"] == first["exp"] + 100


def test_a_refresh_without_openid_gives_no_id_token(app: App, browser: Browser) -> None:
    tokens = app.tokens(browser)
    assert "id_token" not in token_response(app.refresh(tokens["refresh_token"], scope="notes:read"))


def test_without_openid_there_is_no_id_token_and_userinfo_is_shut(app: App, browser: Browser) -> None:
    tokens = app.tokens(browser, scope="email notes:read")
    assert "id_token" not in tokens
    assert app.phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()["error"] == "insufficient_scope"


@pytest.mark.parametrize(
    ("algorithm", "digest"), [("ES256", hashlib.sha256), ("RS256", hashlib.sha256), ("EdDSA", hashlib.sha512)]
)
def test_at_hash_is_half_of_the_hash_that_the_signature_uses(
    svc: Services, clock: Clock, algorithm: str, digest: Any
) -> None:
    path = f"{svc.settings.keys_path}/{algorithm}"
    settings = replace(svc.settings, algorithm=algorithm, keys_path=path)
    own = container(settings, now=clock)
    with installed(own):
        phone = Phone(clock)
        phone.sign_up()
        tokens = register(own, phone).tokens(Browser(phone))
    header, claims = forge.peek(tokens["id_token"])
    assert header["alg"] == algorithm
    whole = digest(tokens["access_token"].encode()).digest()
    assert claims["at_hash"] == b64(whole[: len(whole) // 2])
    assert "c_hash" not in claims  # Core 3.1.3.6: for tokens of the authorization endpoint, and there are none


@pytest.mark.usefixtures("browser")
def test_the_json_api_gives_an_id_token_where_openid_was_asked_for(svc: Services, clock: Clock) -> None:
    offered = (*svc.settings.scopes, "openid", "email")
    open_services = replace(svc, settings=replace(svc.settings, scopes=offered))
    with installed(open_services):
        phone = Phone(clock)
        tokens = phone.log_in(scope="openid email account")
        claims = verified(tokens["id_token"], keys.published(svc), audience=svc.settings.client_id)
        assert claims["sub"] == forge.peek(tokens["access_token"])[1]["sub"]
        assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()["email"] == EMAIL
        assert "id_token" in phone.refresh(tokens["refresh_token"])
        assert "id_token" not in phone.log_in(scope="account")


# offline_access (OpenID Connect Core 11)
@pytest.mark.parametrize(
    ("scope", "first_party", "refreshes"),
    [
        ("openid", False, False),
        ("openid offline_access", False, True),
        ("notes:read", False, True),
        ("openid", True, True),
    ],
)
def test_an_openid_client_gets_refresh_tokens_for_offline_access_only(
    svc: Services, browser: Browser, scope: str, first_party: bool, refreshes: bool
) -> None:
    app = register(svc, browser.phone, first_party=first_party)
    assert ("refresh_token" in app.tokens(browser, scope=scope)) is refreshes


def test_offline_access_is_a_scope_that_the_user_is_asked_for(app: App, browser: Browser) -> None:
    app.tokens(browser, scope="openid")
    assert "code" in callback_params(browser.authorize(app, scope="openid", prompt="none"))
    assert callback_params(browser.authorize(app, scope=NARROW, prompt="none"))["error"] == "consent_required"


# The claims parameter (OpenID Connect Core 5.5)
def test_a_single_claim_goes_where_it_was_asked_for(svc: Services, app: App, browser: Browser) -> None:
    claims_request = {"id_token": {"email": {"essential": True}}, "userinfo": {"name": None, "nickname": None}}
    tokens = app.tokens(browser, scope=NARROW, claims=json.dumps(claims_request))
    assert claims_of(svc, app, tokens)["email"] == EMAIL
    assert "name" not in claims_of(svc, app, tokens)
    userinfo_claims = userinfo(app, tokens)
    assert userinfo_claims["name"] == "Ann"
    assert "email" not in userinfo_claims
    assert "nickname" not in userinfo_claims
    renewed = token_response(app.refresh(tokens["refresh_token"]))
    assert claims_of(svc, app, renewed)["email"] == EMAIL
    assert userinfo(app, renewed)["name"] == "Ann"


def test_a_single_claim_needs_the_users_consent_to_the_scope_that_it_is_of(app: App, browser: Browser) -> None:
    app.tokens(browser, scope="openid")
    claims_request = json.dumps({"userinfo": {"email": None}})
    assert "code" in callback_params(browser.authorize(app, scope="openid", prompt="none"))
    answer = browser.authorize(app, scope="openid", prompt="none", claims=claims_request)
    assert callback_params(answer)["error"] == "consent_required"
    page = browser.authorize(app, scope="openid", claims=claims_request)
    assert "/authorize/consent" in forms(page)
    callback_params(browser.finish(page))
    assert "code" in callback_params(browser.authorize(app, scope="openid", prompt="none", claims=claims_request))


def test_a_client_never_gets_a_claim_that_none_of_its_scopes_opens(svc: Services, browser: Browser) -> None:
    app = register(svc, browser.phone, scopes=("openid", "profile"))
    claims_request = {part: {"email": {"essential": True}, "name": None} for part in ("id_token", "userinfo")}
    tokens = app.tokens(browser, scope="openid", claims=json.dumps(claims_request))
    for tokens_of_target in (claims_of(svc, app, tokens), userinfo(app, tokens)):
        assert tokens_of_target["name"] == "Ann"
        assert "email" not in tokens_of_target


def test_a_single_claim_does_not_come_along_with_a_narrower_token(svc: Services, app: App, browser: Browser) -> None:
    claims_request = {part: {"email": None} for part in ("id_token", "userinfo")}
    scope = "openid offline_access notes:read"
    tokens = app.tokens(browser, scope=scope, claims=json.dumps(claims_request))
    assert userinfo(app, tokens)["email"] == claims_of(svc, app, tokens)["email"] == EMAIL
    scopes = ("openid", "notes:read")
    service = register(svc, app.phone, "exchanger", scopes=scopes)
    subject = {"subject_token": tokens["access_token"], "subject_token_type": ACCESS}
    exchanged = token_response(service.token(TOKEN_EXCHANGE, **subject))
    same = register(svc, app.phone, "exchanger", scopes=scope.split())
    as_wide = token_response(same.token(TOKEN_EXCHANGE, **subject))
    narrowed = token_response(app.refresh(tokens["refresh_token"], scope="openid"))
    for tokens_of_target in (exchanged, as_wide, narrowed):
        assert "email" not in userinfo(app, tokens_of_target)
    assert "email" not in claims_of(svc, app, narrowed)
    whole = token_response(app.refresh(narrowed["refresh_token"], scope="notes:read openid offline_access"))
    assert userinfo(app, whole)["email"] == claims_of(svc, app, whole)["email"] == EMAIL


def test_an_answer_about_one_user_is_never_about_another(svc: Services, app: App, browser: Browser) -> None:
    sub = claims_of(svc, app, app.tokens(browser))["sub"]
    claims_request = {value: json.dumps({"id_token": {"sub": {"value": value}}}) for value in (sub, "0" * 32)}
    assert "code" in callback_params(browser.authorize(app, prompt="none", claims=claims_request[sub]))
    assert (
        callback_params(browser.authorize(app, prompt="none", claims=claims_request["0" * 32]))["error"]
        == "login_required"
    )
    page = browser.authorize(app, claims=claims_request["0" * 32])
    assert "/authorize/login" in forms(page)
    assert callback_params(browser.finish(page))["error"] == "login_required"


@pytest.mark.parametrize("value", [1, None, "", [], {}])
def test_a_subject_that_is_no_text_is_refused(app: App, browser: Browser, value: object) -> None:
    claims_request = json.dumps({"id_token": {"sub": {"value": value}}})
    assert callback_params(browser.authorize(app, claims=claims_request))["error"] == "invalid_request"


# resource (RFC 8707)
def test_a_token_is_for_the_api_that_was_asked_for_at_every_step(app: App, browser: Browser) -> None:
    code = browser.code(app, resource=API, scope="notes:read")
    assert app.redeem(code, resource="https://elsewhere.example").json()["error"] == "invalid_target"
    tokens = token_response(app.redeem(code, resource=API))
    assert forge.peek(tokens["access_token"])[1]["aud"] == API
    tokens = token_response(app.refresh(tokens["refresh_token"]))
    assert forge.peek(tokens["access_token"])[1]["aud"] == API
    tokens = token_response(app.refresh(tokens["refresh_token"], resource=API))
    assert forge.peek(tokens["access_token"])[1]["aud"] == API


def test_an_api_opens_nothing_but_userinfo_with_the_openid_tokens_that_it_is_shown(
    svc: Services, app: App, browser: Browser
) -> None:
    scopes = ("openid", "account", "notes:read")
    client = register(svc, browser.phone, "spa", scopes=scopes, resources=(API,))
    tokens = client.tokens(browser, scope=" ".join(scopes), resource=API)
    token = tokens["access_token"]
    assert forge.peek(token)[1]["aud"] == API
    for route in ("GET /me", "PATCH /me", "GET /me/sessions", "DELETE /me"):
        assert app.phone.call(route, {}, token=token).status == 401, route
    assert app.phone.call("POST /verify", {"token": token}).json() == {"active": False}
    assert userinfo(app, tokens)["sub"] == forge.peek(tokens["id_token"])[1]["sub"]


def test_this_servers_own_api_may_be_named_as_its_metadata_names_it(svc: Services, app: App, browser: Browser) -> None:
    resource = app.phone.call("GET /.well-known/oauth-protected-resource").json()["resource"]
    tokens = app.tokens(browser, scope="openid offline_access", resource=resource)
    plain = app.tokens(browser, scope="openid offline_access")
    for refresh_token in (tokens["refresh_token"], plain["refresh_token"]):
        token_response(app.refresh(refresh_token, resource=resource))
    code = browser.code(app, resource=API)
    assert app.redeem(code, resource=resource).json()["error"] == "invalid_target"
    pushed = app.post("/oauth/par", app.request(resource=resource))
    assert pushed.status == 201
    page = browser.get("/oauth/authorize", {"client_id": app.id, "request_uri": pushed.json()["request_uri"]})
    redeemed = token_response(app.redeem(callback_params(browser.finish(page))["code"], resource=resource))
    machine = token_response(register(svc, app.phone, "machine").token("client_credentials", resource=resource))
    for tokens_of_target in (tokens, redeemed, machine):
        assert forge.peek(tokens_of_target["access_token"])[1]["aud"] == resource


def test_a_session_that_was_stored_with_our_own_api_by_its_name_goes_on(
    svc: Services, app: App, browser: Browser
) -> None:
    tokens = app.tokens(browser)
    (session,) = [g for g in svc.sessions.of_user(svc.users.find(EMAIL) or "") if g.client_id == app.id]
    svc.transactions.commit(svc.sessions.creation(replace(session, resource=svc.settings.audience)))
    tokens = token_response(app.refresh(tokens["refresh_token"], resource=svc.settings.audience))
    assert token_response(app.refresh(tokens["refresh_token"]))


def test_a_refresh_for_another_api_is_refused_and_spends_nothing(app: App, browser: Browser) -> None:
    tokens = app.tokens(browser, scope="notes:read")
    for resource in (API, "https://elsewhere.example", "x"):
        answer = app.refresh(tokens["refresh_token"], resource=resource)
        assert (answer.status, answer.json()["error"]) == (400, "invalid_target")
    assert token_response(app.refresh(tokens["refresh_token"]))


# DPoP at userinfo (RFC 9449 section 7.1)
class Bound:
    def __init__(self, svc: Services, browser: Browser, kind: str) -> None:
        self.app = register(svc, browser.phone, kind)
        self.owner = Prover(svc.now)
        code = browser.code(self.app)
        answer = self.app.redeem(code, headers=self.owner.headers())
        assert answer.json()["error"] == "use_dpop_nonce"
        self.owner.nonce = answer.header("DPoP-Nonce") or ""
        self.tokens = token_response(self.app.redeem(code, headers=self.owner.headers()))
        self.token = self.tokens["access_token"]

    def proof(self, method: str = "GET", **changes: Any) -> list[tuple[str, str]]:
        usual: dict[str, Any] = {"method": method, "token": self.token}
        return self.owner.headers("/oauth/userinfo", **{**usual, **changes})

    def userinfo(self, headers: list[tuple[str, str]], *, scheme: str = "DPoP", method: str = "GET") -> Any:
        lines = [("Authorization", f"{scheme} {self.token}"), *headers]
        return self.app.phone.call(f"{method} /oauth/userinfo", headers=lines)


@pytest.fixture(params=["spa", "web"])
def bound(svc: Services, browser: Browser, request: pytest.FixtureRequest) -> Bound:
    return Bound(svc, browser, request.param)


def challenge(answer: Any) -> str:
    assert answer.status == 401
    header: str = answer.header("WWW-Authenticate")
    assert header.startswith("DPoP ")
    assert 'algs="' in header
    return header


def test_a_bound_token_opens_userinfo_with_a_proof_and_the_answer_has_the_next_nonce(bound: Bound) -> None:
    for method in ("GET", "POST"):
        answer = bound.userinfo(bound.proof(method), method=method)
        assert answer.status == 200
        assert answer.json()["email"] == EMAIL
        assert answer.header("DPoP-Nonce")


def test_a_proof_without_a_nonce_of_now_is_told_the_nonce(bound: Bound, clock: Clock) -> None:
    for nonce in ("", "x", "1.x", bound.owner.nonce[:-1]):
        answer = bound.userinfo(bound.proof(nonce=nonce))
        assert 'error="use_dpop_nonce"' in challenge(answer)
        assert bound.userinfo(bound.proof(nonce=answer.header("DPoP-Nonce"))).status == 200
    clock.advance(600)
    assert 'error="use_dpop_nonce"' in challenge(bound.userinfo(bound.proof()))


def test_a_refused_caller_of_userinfo_is_challenged_in_the_scheme_that_it_tried(app: App, browser: Browser) -> None:
    """RFC 6750 section 3, RFC 9449 section 7.1."""
    phone, path = app.phone, "GET /oauth/userinfo"
    pointer = f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource"'
    machine = app.tokens(browser, scope="notes:read")["access_token"]

    def callback_params(headers: dict[str, str]) -> tuple[int, str]:
        answer = phone.call(path, headers=headers)
        return answer.status, answer.header("WWW-Authenticate") or ""

    assert callback_params({}) == (401, f"Bearer {pointer}")
    assert callback_params({"Authorization": "Bearer x"}) == (401, f'Bearer error="invalid_token", {pointer}')
    status, text = callback_params({"Authorization": "DPoP x"})
    assert status == 401
    assert re.fullmatch(rf'DPoP algs="[A-Za-z0-9 ]+", error="invalid_token", {re.escape(pointer)}', text)
    narrow = callback_params({"Authorization": f"Bearer {machine}"})
    assert narrow == (403, f'Bearer error="insufficient_scope", scope="openid", {pointer}')


def test_a_bound_token_is_no_bearer_token_at_userinfo(bound: Bound) -> None:
    for headers, scheme in (([], "Bearer"), ([], "DPoP"), (bound.proof(), "Bearer")):
        assert 'error="invalid_token"' in challenge(bound.userinfo(headers, scheme=scheme))


def test_a_proof_of_another_key_or_for_another_request_opens_nothing(bound: Bound, svc: Services) -> None:
    thief = Prover(svc.now, nonce=bound.owner.nonce)
    foreign_proof = thief.headers("/oauth/userinfo", method="GET", token=bound.token)
    assert 'error="invalid_token"' in challenge(bound.userinfo(foreign_proof))
    proof = bound.proof()
    assert bound.userinfo(proof).status == 200
    for headers in (proof, bound.proof(token=""), bound.proof(token="x"), bound.proof("POST"), bound.proof(htu="x")):
        assert 'error="invalid_dpop_proof"' in challenge(bound.userinfo(headers))


def test_an_unbound_token_is_no_dpop_token(bound: Bound, app: App, browser: Browser) -> None:
    bound.token = app.tokens(browser)["access_token"]
    assert 'error="invalid_token"' in challenge(bound.userinfo(bound.proof()))


def test_the_refresh_token_of_a_public_client_is_bound_and_that_of_a_confidential_one_is_its_secrets(
    bound: Bound, svc: Services
) -> None:
    refresh_token = bound.tokens["refresh_token"]
    thief = Prover(svc.now, nonce=bound.owner.nonce)
    without = [bound.app.refresh(refresh_token, headers=headers).status for headers in ((), thief.headers())]
    assert without == ([400, 400] if bound.app.client.public else [200, 200])
    assert token_response(bound.app.refresh(refresh_token, headers=bound.owner.headers()))["token_type"] == "DPoP"


@pytest.mark.parametrize("bound", ["spa"], indirect=True)
def test_a_bound_refresh_token_may_be_retried_as_long_as_its_successor_is_unused(bound: Bound, clock: Clock) -> None:
    first = bound.tokens["refresh_token"]
    second = token_response(bound.app.refresh(first, headers=bound.owner.headers()))["refresh_token"]
    clock.advance(40)
    assert token_response(bound.app.refresh(first, headers=bound.owner.headers()))["refresh_token"] == second
    third = token_response(bound.app.refresh(second, headers=bound.owner.headers()))["refresh_token"]
    assert bound.app.refresh(first, headers=bound.owner.headers()).status == 400
    assert bound.app.refresh(third, headers=bound.owner.headers()).status == 400


def test_a_pushed_request_with_a_proof_is_bound_to_its_key(svc: Services, browser: Browser) -> None:
    app, owner = register(svc, browser.phone), Prover(svc.now)
    answer = app.post("/oauth/par", app.request(), headers=owner.headers("/oauth/par"))
    assert answer.json()["error"] == "use_dpop_nonce"
    owner.nonce = answer.header("DPoP-Nonce") or ""
    other = app.request(dpop_jkt=Prover(svc.now).thumbprint)
    mixed = app.post("/oauth/par", other, headers=owner.headers("/oauth/par"))
    assert mixed.json()["error"] == "invalid_dpop_proof"
    pushed = app.post("/oauth/par", app.request(), headers=owner.headers("/oauth/par")).json()
    page = browser.get("/oauth/authorize", {"client_id": app.id, "request_uri": pushed["request_uri"]})
    code = callback_params(browser.finish(page))["code"]
    assert app.redeem(code).json()["error"] == "invalid_grant"
    assert token_response(app.redeem(code, headers=owner.headers()))["token_type"] == "DPoP"
