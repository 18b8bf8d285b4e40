"""A user's token for whom an issuer vouches that the client's operator trusts, and all that does not pass for its word
(RFC 7523 sections 2.1 and 3, RFC 7521 sections 4.1 and 5.2)."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.accounts.model import User
from chalicelib.domain.errors import InvalidClientMetadata
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, JWT_BEARER
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from tests.support.browser import API, ASSERTION_TYPE, ISSUER, App, Browser, register, send, token_response
from tests.support.forge import by, by_hmac, compact, jwk, peek, stranger
from tests.support.internet import Internet, Page
from tests.support.issuer import Issuer, present, trusting
from tests.support.phone import EMAIL, Clock, Phone, installed, refusal
from tests.support.prover import Prover
from tests.support.staged import just_before
from tests.support.wire import Wire, clients, refusing, watched

INVALID = (400, "invalid_grant")
KEYS = "https://app.example/keys"
NOBODY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def ann(phone: Phone) -> str:
    """The `sub` of a user with an account."""
    subject: str = phone.sign_up()["user"]["sub"]
    return subject


def test_a_good_assertion_is_worth_a_users_token_that_says_nothing_of_a_login(
    trusted: App, issuer: Issuer, ann: str, clock: Clock
) -> None:
    tokens = token_response(present(trusted, issuer.assertion(ann, now=clock())))
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope"}  # RFC 7521 4.1: no refresh token
    header, claims = peek(tokens["access_token"])
    assert header["typ"] == "at+jwt"
    assert (claims["sub"], claims["client_id"], claims["aud"]) == (ann, trusted.id, ISSUER)
    assert set(claims) == {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "sid", "scope"}
    assert set(tokens["scope"].split()) == {"openid", "profile", "email", "notes:read", "notes:write"}


def test_what_is_asked_for_is_narrowed_as_everywhere(svc: Services, phone: Phone, issuer: Issuer, ann: str) -> None:
    app = trusting(svc, phone, issuer, resources=(API,))
    tokens = token_response(present(app, issuer.assertion(ann, now=svc.now()), scope="notes:read", resource=API))
    assert (tokens["scope"], peek(tokens["access_token"])[1]["aud"]) == ("notes:read", API)
    for name, value, error in (
        ("scope", "admin", "invalid_scope"),
        ("scope", "notes:read offline_access", "invalid_scope"),
        ("resource", "https://evil.example", "invalid_target"),
    ):
        assertion = issuer.assertion(ann, now=svc.now())
        wrong = {"grant_type": JWT_BEARER, "assertion": assertion, name: value}
        assert refusal(app.post("/oauth/token", wrong)) == (400, error)
        token_response(present(app, assertion))  # and it has not been used up by that


def test_a_proof_of_a_key_binds_the_token_and_is_used_up(trusted: App, issuer: Issuer, ann: str, clock: Clock) -> None:
    prover = Prover(clock)
    proof = [("DPoP", prover.proof("/oauth/token"))]
    first = present(trusted, issuer.assertion(ann, now=clock()), headers=proof)
    assert refusal(first) == (400, "use_dpop_nonce")
    prover.nonce = first.header("DPoP-Nonce") or ""
    proof = [("DPoP", prover.proof("/oauth/token"))]
    tokens = token_response(trusted.token(JWT_BEARER, assertion=issuer.assertion(ann, now=clock()), headers=proof))
    assert tokens["token_type"] == "DPoP"
    assert peek(tokens["access_token"])[1]["cnf"] == {"jkt": prover.thumbprint}
    again = present(trusted, issuer.assertion(ann, now=clock()), headers=proof)
    assert refusal(again) == (400, "invalid_dpop_proof")


def test_the_session_is_in_the_users_list_and_ends_with_the_others(
    svc: Services, phone: Phone, issuer: Issuer, ann: str
) -> None:
    app = trusting(svc, phone, issuer, scopes=("account",))
    token = token_response(present(app, issuer.assertion(ann, now=svc.now())))["access_token"]
    own = phone.log_in()["access_token"]
    assert phone.call("GET /me", token=token).status == 200
    listed = phone.call("GET /me/sessions", token=own).json()["sessions"]
    assert peek(token)[1]["sid"] in [session["id"] for session in listed]
    assert refusal(phone.call("DELETE /me", token=token)) == (401, "login_required")
    assert phone.call("DELETE /me/sessions", token=own).status == 204
    assert refusal(phone.call("GET /me", token=token)) == (401, "invalid_token")


def test_the_session_ends_with_its_token(svc: Services, trusted: App, issuer: Issuer, ann: str, clock: Clock) -> None:
    token = token_response(present(trusted, issuer.assertion(ann, now=clock())))
    sid = peek(token["access_token"])[1]["sid"]
    clock.advance(token["expires_in"] - 1)
    live = svc.sessions.with_user(ann, sid)[1]
    assert live
    assert live.alive(clock())
    assert not live.alive(clock() + 1)


def test_the_client_revokes_the_token_and_the_session_is_over(trusted: App, issuer: Issuer, ann: str) -> None:
    token = token_response(present(trusted, issuer.assertion(ann, now=trusted.svc.now())))["access_token"]
    assert trusted.post("/oauth/revoke", {"token": token}).status == 200
    assert refusal(trusted.phone.call("GET /oauth/userinfo", token=token)) == (401, "invalid_token")


# What an assertion has to be.


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{ISSUER}/oauth/token"},
        {"aud": [ISSUER]},
        {"aud": [ISSUER, f"{ISSUER}/oauth/token"]},
        {"iat": None},
        {"nbf": 0},
        {"jti": "x" * 500},
        {"header": {"alg": "ES256"}},
        {"header": {"alg": "ES256", "typ": "JWT"}},
        {"header": {"alg": "ES256", "typ": "jwt"}},
        {"header": {"alg": "ES256", "typ": "application/authorization-grant+jwt"}},
    ],
)
def test_what_the_specifications_leave_open_is_accepted(
    trusted: App, issuer: Issuer, ann: str, clock: Clock, changes: dict[str, Any]
) -> None:
    token_response(present(trusted, issuer.assertion(ann, now=clock(), **changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"iss": "https://idp.example/"},
        {"iss": "https://IDP.example"},
        {"iss": ISSUER},
        {"iss": ["https://idp.example"]},
        {"iss": {}},
        {"iss": None},
        {"aud": "https://other.example"},
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": f"{ISSUER}/oauth/par"},
        {"aud": []},
        {"aud": None},
        {"aud": ISSUER + "/"},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e400},
        {"jti": None},
        {"jti": ""},
        {"jti": 1},
        {"jti": "x" * 501},
        {"nbf": "now"},
        {"iat": []},
        {"sub": None},
        {"sub": ""},
        {"sub": 1},
        {"sub": NOBODY},
        {"sub": f"{NOBODY}#"},
        {"sub": "x" * 5000},
        {"sub": EMAIL},
        {"header": {"alg": "none"}},
        {"header": {"alg": "RS256", "kid": "1"}},
        {"header": {"alg": "ES256", "kid": "2"}},
        {"header": {"alg": "ES256", "kid": ["1"]}},
        {"header": {"alg": "ES256", "kid": "1", "typ": "at+jwt"}},
        {"header": {"alg": "ES256", "kid": "1", "typ": "logout+jwt"}},
        {"header": {"alg": "ES256", "kid": "1", "typ": ["JWT"]}},
        {"header": {"alg": "ES256", "kid": "1", "crit": ["b64"], "b64": False}},
        {"header": "{}"},
        {"header": "[]"},
    ],
)
def test_an_assertion_that_is_not_as_it_has_to_be_is_refused_and_nothing_is_written(
    svc: Services, trusted: App, issuer: Issuer, ann: str, clock: Clock, changes: dict[str, Any]
) -> None:
    with watched(svc) as traffic:
        assert refusal(present(trusted, issuer.assertion(ann, now=clock(), **changes))) == INVALID
    assert set(traffic.calls_of_flows) <= {"GetItem"}


@pytest.mark.parametrize(
    ("claim", "seconds", "expected"),
    [
        ("exp", -59, True),
        ("exp", -60, False),
        ("exp", 3660, True),
        ("exp", 3661, False),
        ("nbf", 60, True),
        ("nbf", 61, False),
        ("iat", 60, True),
        ("iat", 61, False),
    ],
)
def test_its_times_are_judged_to_the_second_with_the_usual_leeway(
    trusted: App, issuer: Issuer, ann: str, clock: Clock, claim: str, seconds: int, expected: bool
) -> None:
    changes: dict[str, Any] = {claim: clock() + seconds}
    assertion = issuer.assertion(ann, now=clock(), **changes)
    assert (present(trusted, assertion).status == 200) is expected


def test_only_the_key_of_the_issuer_that_is_named_signs_for_it(
    svc: Services, phone: Phone, issuer: Issuer, ann: str, clock: Clock
) -> None:
    second = Issuer("https://second.example")
    app = trusting(svc, phone, issuer, assertion_issuers={**issuer.entry(), **second.entry()})
    token_response(present(app, second.assertion(ann, now=clock())))
    assert refusal(present(app, second.assertion(ann, now=clock(), iss=issuer.name))) == INVALID
    assert refusal(present(app, Issuer().assertion(ann, now=clock()))) == INVALID
    other = trusting(svc, phone, second)
    assert refusal(present(other, issuer.assertion(ann, now=clock()))) == INVALID
    without = register(svc, phone, "trusting")
    assert refusal(present(without, issuer.assertion(ann, now=clock()))) == INVALID


def test_no_key_comes_with_the_assertion_and_no_public_key_is_a_secret(
    trusted: App, issuer: Issuer, ann: str, clock: Clock, internet: Internet
) -> None:
    thief = Issuer(key=stranger("ES256"))
    for more in ({"jwk": jwk(thief.key)}, {"jku": KEYS}, {"x5u": KEYS}, {"x5c": ["MIIB"]}):
        header = {"alg": "ES256", "kid": "1", **more}
        assert refusal(present(trusted, thief.assertion(ann, now=clock(), header=header))) == INVALID
    assert internet.requests == []
    claims = peek(issuer.assertion(ann, now=clock()))[1]
    for secret in (
        json.dumps(issuer.jwks).encode(),
        json.dumps(jwk(issuer.key)).encode(),
        trusted.secret.encode(),
        b"",
    ):
        assert refusal(present(trusted, compact({"alg": "HS256"}, claims, by_hmac(secret)))) == INVALID
    assert refusal(present(trusted, compact({"alg": "none"}, claims, lambda _: b""))) == INVALID


@pytest.mark.parametrize(
    "assertion", ["x", "x.y", "x.y.z", "...", "eyJ.e30.x", "é.é.é", "a." * 100, "." * 30000, "e30.e30.e30"]
)
def test_what_is_no_token_is_refused(trusted: App, assertion: str) -> None:
    assert refusal(present(trusted, assertion)) == INVALID
    assert refusal(trusted.token(JWT_BEARER)) == (400, "invalid_request")


def test_a_token_in_a_token_and_json_that_is_deep_or_double_is_refused(
    trusted: App, issuer: Issuer, ann: str, clock: Clock
) -> None:
    nested = json.dumps(issuer.assertion(ann, now=clock()))
    deep = '{"iss": "https://idp.example", "x": ' + "[" * 5000 + "]" * 5000 + "}"
    twice = json.dumps(peek(issuer.assertion(ann, now=clock()))[1])[:-1] + f', "sub": "{ann}"}}'
    for payload in (nested, deep, twice, "null", "[]"):
        assertion = compact({"alg": "ES256", "cty": "JWT"}, payload, by(issuer.key))
        assert refusal(present(trusted, assertion)) == INVALID


# Once.


def test_an_assertion_is_good_once_also_for_another_client_and_after_it_expired(
    svc: Services, phone: Phone, trusted: App, issuer: Issuer, ann: str, clock: Clock
) -> None:
    assertion = issuer.assertion(ann, now=clock())
    token_response(present(trusted, assertion))
    assert refusal(present(trusted, assertion)) == INVALID
    assert refusal(present(trusting(svc, phone, issuer), assertion)) == INVALID
    clock.advance(119)
    assert refusal(present(trusted, assertion)) == INVALID


def test_of_many_at_once_one_gets_a_token(svc: Services, trusted: App, issuer: Issuer, ann: str, clock: Clock) -> None:
    assertion = issuer.assertion(ann, now=clock())
    with just_before(clients(svc)[0], "TransactWriteItems", lambda: token_response(present(trusted, assertion))):
        assert refusal(present(trusted, assertion)) == INVALID
    other = issuer.assertion(ann, now=clock())
    with ThreadPoolExecutor(8) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: present(trusted, other), range(8))]
    assert sorted(statuses) == [200] + [400] * 7


def test_an_assertion_that_gave_no_session_is_not_used_up(
    svc: Services, trusted: App, issuer: Issuer, phone: Phone
) -> None:
    account = phone.sign_up()
    assertion = issuer.assertion(account["user"]["sub"], now=svc.now())

    def end_other_sessions() -> None:
        assert phone.call("DELETE /me/sessions", token=account["access_token"]).status == 204

    with just_before(clients(svc)[0], "TransactWriteItems", end_other_sessions):
        assert refusal(present(trusted, assertion)) == (503, "temporarily_unavailable")
    with watched(svc, Wire(fail_at=3, failure=refusing("ThrottlingException"))) as traffic:
        assert refusal(present(trusted, assertion)) == (503, "temporarily_unavailable")
    assert traffic.calls == ["GetItem", "GetItem", "TransactWriteItems"]
    token_response(present(trusted, assertion))
    assert refusal(present(trusted, assertion)) == INVALID


def test_two_issuers_may_use_the_same_jti_and_a_client_as_well(
    svc: Services, phone: Phone, issuer: Issuer, ann: str, clock: Clock
) -> None:
    second = Issuer("https://second.example")
    both = {**issuer.entry(), **second.entry()}
    own = {"token_endpoint_auth_method": "private_key_jwt", "grant_types": (JWT_BEARER, CLIENT_CREDENTIALS)}
    app = trusting(svc, phone, issuer, assertion_issuers=both, client_id=issuer.name + "/app", **own)
    credentials = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": app.assertion(jti="1")}
    token_response(send(phone, "/oauth/token", {**credentials, "grant_type": CLIENT_CREDENTIALS}))
    token_response(present(app, issuer.assertion(ann, now=clock(), jti="1")))
    token_response(present(app, second.assertion(ann, now=clock(), jti="1")))


# Who may use it.


def test_nobody_registers_for_it_and_no_public_client_has_it(svc: Services, phone: Phone, issuer: Issuer) -> None:
    with installed(replace(svc, settings=replace(svc.settings, registration_open=True))):
        wish = {"grant_types": [JWT_BEARER], "token_endpoint_auth_method": "client_secret_basic"}
        assert refusal(phone.call("POST /oauth/register", wish)) == (400, "invalid_client_metadata")
        more = {"redirect_uris": ["https://app.example/cb"], "assertion_issuers": issuer.entry()}
        registered = phone.call("POST /oauth/register", more).json()
    assert "assertion_issuers" not in registered
    client = svc.clients.read(registered["client_id"])
    assert client
    assert client.assertion_issuers == {}
    with pytest.raises(InvalidClientMetadata):
        trusting(svc, phone, issuer, token_endpoint_auth_method="none")


def test_a_client_without_the_grant_gets_nothing_by_its_issuers(svc: Services, phone: Phone, issuer: Issuer) -> None:
    app = trusting(svc, phone, issuer, grant_types=(CLIENT_CREDENTIALS,))
    assertion = issuer.assertion(NOBODY, now=svc.now())
    assert refusal(present(app, assertion)) == (400, "unauthorized_client")


def test_the_assertion_is_no_proof_of_a_client(trusted: App, issuer: Issuer, ann: str, phone: Phone) -> None:
    assertion = issuer.assertion(ann, now=trusted.svc.now())
    fields = {"grant_type": JWT_BEARER, "assertion": assertion}
    assert refusal(send(phone, "/oauth/token", fields)) == (401, "invalid_client")
    assert refusal(send(phone, "/oauth/token", {**fields, "client_id": trusted.id})) == (401, "invalid_client")
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    assert refusal(send(phone, "/oauth/token", {**fields, **proof})) == (401, "invalid_client")


def test_the_proof_of_a_client_is_no_word_for_a_user(svc: Services, phone: Phone, ann: str) -> None:
    issuer = Issuer("https://app.example/client")
    own = {"client_id": issuer.name, "token_endpoint_auth_method": "private_key_jwt", "jwks": issuer.jwks}
    app = trusting(svc, phone, issuer, **own)
    app.key = issuer.key
    assert refusal(present(app, app.assertion())) == INVALID
    assert refusal(present(app, app.assertion(sub=ann))) == INVALID


def test_no_token_of_our_own_is_an_assertion(browser: Browser, app: App, svc: Services, phone: Phone) -> None:
    tokens = app.tokens(browser)
    own_keys = {"keys": phone.call("GET /.well-known/jwks.json").json()["keys"]}
    mine = trusting(svc, phone, Issuer(), assertion_issuers={ISSUER: {"jwks": own_keys}})
    for token in (tokens["access_token"], tokens["id_token"]):
        assert refusal(present(mine, token)) == INVALID


# About whom.


def test_a_user_who_is_disabled_or_gone_gets_no_token(
    svc: Services, phone: Phone, trusted: App, issuer: Issuer, ann: str
) -> None:
    svc.users.disable(ann)
    assert refusal(present(trusted, issuer.assertion(ann, now=svc.now()))) == INVALID
    bob = phone.sign_up("bob@example.com")
    assert phone.call("DELETE /me", token=bob["access_token"]).status == 204
    assert refusal(present(trusted, issuer.assertion(bob["user"]["sub"], now=svc.now()))) == INVALID


def test_a_user_who_is_disabled_at_that_moment_gets_no_session(
    svc: Services, trusted: App, issuer: Issuer, ann: str
) -> None:
    assertion = issuer.assertion(ann, now=svc.now())
    with just_before(clients(svc)[0], "TransactWriteItems", lambda: svc.users.disable(ann)):
        assert refusal(present(trusted, assertion)) == (503, "temporarily_unavailable")
    assert [session for session in svc.sessions.of_user(ann) if session.client_id == trusted.id] == []


def test_a_pairwise_client_knows_its_users_by_their_names_in_its_own_sector(
    svc: Services, phone: Phone, browser: Browser, issuer: Issuer
) -> None:
    def of_sector(host: str) -> App:
        return trusting(svc, phone, issuer, subject_type="pairwise", sector_identifier=host)

    login = register(svc, phone, subject_type="pairwise", sector_identifier="a.example")
    name = peek(login.tokens(browser, scope="openid")["id_token"])[1]["sub"]
    uid = svc.users.find(EMAIL)
    token = token_response(present(of_sector("a.example"), issuer.assertion(name, now=svc.now())))["access_token"]
    assert peek(token)[1]["sub"] == name
    for app, subject in ((of_sector("b.example"), name), (of_sector("a.example"), uid)):
        assert refusal(present(app, issuer.assertion(subject, now=svc.now()))) == INVALID


def with_address(svc: Services, address: str, *, verified: bool) -> User:
    """An account with an address that is or is not known to be its owner's."""
    user = User(uid=NOBODY, email=address, password_hash="$", created_at=0, email_verified=verified)
    assert svc.transactions.commit(svc.users.creation(user, canonical_email=address)) is None
    return user


def test_an_address_means_a_user_only_where_the_operator_says_so_and_only_if_it_is_verified(
    svc: Services, phone: Phone, issuer: Issuer, ann: str
) -> None:
    app = trusting(svc, phone, issuer, assertion_issuers=issuer.entry(email=True))
    with_address(svc, "vera@example.com", verified=True)
    for spelling in ("vera@example.com", "Vera@EXAMPLE.com"):
        token = token_response(present(app, issuer.assertion(spelling, now=svc.now())))["access_token"]
        assert peek(token)[1]["sub"] == NOBODY
    for subject in (EMAIL, ann, NOBODY, "nobody@example.com", "x" * 5000, "\U0001f600" * 254):
        assert refusal(present(app, issuer.assertion(subject, now=svc.now()))) == INVALID


# Its keys.


def test_the_keys_at_an_issuers_address_are_fetched_for_a_trusted_issuer_alone(
    svc: Services, phone: Phone, issuer: Issuer, ann: str, internet: Internet
) -> None:
    with installed(replace(svc, fetch=internet.fetch())):
        app = trusting(svc, phone, issuer, assertion_issuers={issuer.name: {"jwks_uri": KEYS}})
        assert refusal(present(app, Issuer("https://other.example").assertion(ann, now=svc.now()))) == INVALID
        assert (
            refusal(present(app, issuer.assertion(ann, now=svc.now(), header={"alg": "ES256", "typ": "at+jwt"})))
            == INVALID
        )
        assert internet.requests == []
        internet.pages[KEYS] = Page(json.dumps(issuer.jwks).encode())
        token_response(present(app, issuer.assertion(ann, now=svc.now())))
        token_response(present(app, issuer.assertion(ann, now=svc.now())))
        assert refusal(present(app, Issuer().assertion(ann, now=svc.now()))) == INVALID
        assert len(internet.requests) == 1  # they are kept


def test_keys_that_cannot_be_read_are_our_fault_and_use_nothing_up(
    svc: Services, phone: Phone, issuer: Issuer, ann: str, internet: Internet, clock: Clock
) -> None:
    with installed(replace(svc, fetch=internet.fetch())):
        app = trusting(svc, phone, issuer, assertion_issuers={issuer.name: {"jwks_uri": KEYS}})
        assertion = issuer.assertion(ann, now=clock(), exp=clock() + 600)
        internet.pages[KEYS] = Page(status=500)
        assert refusal(present(app, assertion)) == (503, "temporarily_unavailable")
        internet.pages[KEYS] = Page(json.dumps(issuer.jwks).encode())
        clock.advance(120)
        token_response(present(app, assertion))


# What an operator may register.

GOOD: dict[str, Any] = {"jwks_uri": KEYS}


@pytest.mark.parametrize(
    ("issuers", "expected"),
    [
        ({}, True),
        ({"https://idp.example": GOOD}, True),
        ({"https://idp.example": {**GOOD, "email": True}}, True),
        ({"https://idp.example": {"jwks": {"keys": [jwk(stranger("ES256"))]}}}, True),
        ({f"https://{number}.example": GOOD for number in range(10)}, True),
        ({f"https://{number}.example": GOOD for number in range(11)}, False),
        ({"": GOOD}, False),
        ({"an issuer": GOOD}, False),
        ({"https://idp.example": {}}, False),
        ({"https://idp.example": []}, False),
        ({"https://idp.example": {"jwks_uri": "http://idp.example/keys"}}, False),
        ({"https://idp.example": {"jwks_uri": 1}}, False),
        ({"https://idp.example": {"jwks": {"keys": []}}}, False),
        ({"https://idp.example": {"jwks": "x"}}, False),
        ({"https://idp.example": {"jwks": {"keys": [{**jwk(stranger("ES256")), "d": "x"}]}}}, False),
        ({"https://idp.example": {"jwks": {"keys": [jwk(stranger("ES256"))]}, **GOOD}}, False),
        ({"https://idp.example": {**GOOD, "email": "yes"}}, False),
        ({"https://idp.example": {**GOOD, "e-mail": True}}, False),
    ],
    ids=range(18),
)
def test_an_issuer_is_registered_with_its_keys_or_their_address(
    svc: Services, phone: Phone, issuers: dict[str, Any], expected: bool
) -> None:
    if expected:
        app = register(svc, phone, "trusting", assertion_issuers=issuers)
        assert svc.clients.read(app.id) == app.client
        return
    with pytest.raises(InvalidClientMetadata) as refused:
        register(svc, phone, "trusting", assertion_issuers=issuers)
    assert "`assertion_issuers` is a few issuers" in refused.value.description


@pytest.mark.parametrize("uri", ["https://idp.example:8443/keys", "https://10.0.0.1/keys", "https://keycloak/keys"])
def test_an_issuers_keys_are_where_they_can_be_asked_for_or_it_is_not_registered(
    svc: Services, phone: Phone, issuer: Issuer, uri: str
) -> None:
    uncallable = {issuer.name: {"jwks_uri": uri}}
    with pytest.raises(InvalidClientMetadata, match="invalid_client_metadata") as refused:
        register(svc, phone, "trusting", assertion_issuers=uncallable)
    assert f"The `jwks_uri` of {issuer.name} cannot be called from here" in refused.value.description
    # One of an earlier release keeps no operator from changing the rest.
    client = trusting(svc, phone, issuer).client
    stored = replace(client, version=client.version + 1, assertion_issuers=uncallable)
    assert svc.clients.replace(client, stored)
    assert manage.change(svc, stored, replace(stored, client_name="Other")).client_name == "Other"
    with pytest.raises(InvalidClientMetadata):
        manage.change(svc, client, stored)
