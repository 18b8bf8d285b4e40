"""The server's metadata, walked: whatever is advertised works, and whatever works is advertised."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import jwt
import pytest

from app import app as server
from chalicelib.config.languages import SHIPPED
from chalicelib.domain.accounts import profile
from chalicelib.domain.oauth import authorization_request as oauth
from chalicelib.domain.oauth import claims, client, dpop
from chalicelib.domain.oauth.client import DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE
from chalicelib.flows.authentication import policy
from chalicelib.flows.clients import authenticate as clients
from chalicelib.flows.oauth.grants import GRANTS
from chalicelib.services import Services
from chalicelib.web.metadata.server import ENDPOINTS, Metadata
from chalicelib.web.pages import html
from deploy.registered_apis import entry
from local.gateway import Answer
from tests.support import code_app, passkeys
from tests.support.authenticator import Authenticator
from tests.support.browser import (
    ASSERTION_TYPE,
    CALLBACK,
    ISSUER,
    App,
    Browser,
    callback_params,
    forms,
    place,
    register,
    send,
    token_response,
)
from tests.support.delivery import deliver
from tests.support.forge import PrivateKey, by, compact, jwk, peek, stranger
from tests.support.grants import EXPECTED, UNKNOWN
from tests.support.internet import Internet, Page
from tests.support.issuer import Issuer, present, trusting
from tests.support.login_clients import REQUEST, FirstParty
from tests.support.phone import EMAIL, NETWORK, PASSWORD, Clock, Phone, installed, refusal

WELL_KNOWN = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
HOOK = "https://app.example/backchannel"
DOCUMENT = "https://app.example/client.json"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    """A deployment with all that can be switched on."""
    settings = replace(svc.settings, registration_open=True, client_documents=True)
    return replace(svc, settings=settings, fetch=internet.fetch())


@dataclass
class World:
    """The server with a user, and what a test needs to try what it advertises."""

    svc: Services
    phone: Phone
    internet: Internet

    def app(self, kind: str = "web", **metadata: Any) -> App:
        return register(self.svc, self.phone, kind, **metadata)

    def browser(self) -> Browser:
        return Browser(self.phone)

    @cached_property
    def claims(self) -> set[str]:
        """The claims that a client can get to see."""
        uid, said = str(self.svc.users.find(EMAIL)), dict.fromkeys(profile.CLAIMS, "Ann")
        self.svc.users.set_roles(uid, roles=("admin",))
        self.svc.users.change_profile(uid, said, now=self.svc.now())
        app = self.app(scopes=("openid", "profile", "email", "groups"))
        tokens = app.tokens(self.browser(), scope="openid profile email groups")
        about = self.phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()
        return {*peek(tokens["id_token"])[1], *about}


@pytest.fixture
def world(svc: Services, phone: Phone, internet: Internet) -> World:
    phone.sign_up(name="Ann")
    return World(svc, phone, internet)


def metadata(phone: Phone) -> dict[str, Any]:
    body: dict[str, Any] = phone.call(f"GET {WELL_KNOWN[1]}").json()
    return body


def key_for(algorithm: str) -> PrivateKey:
    return stranger("RS256" if algorithm[1] == "S" and algorithm[0] in "RP" else algorithm)


def sign_jwt(body: dict[str, Any], key: PrivateKey, algorithm: str, **header: Any) -> str:
    if algorithm == "Ed25519":  # PyJWT does not know this name (RFC 9864)
        return compact({"alg": algorithm, **header}, body, by(key))
    return jwt.encode(body, key, algorithm, headers=header)


# One way to try each member; it gets each of its values in turn.


def endpoint(world: World, address: str) -> None:
    path = address.removeprefix(ISSUER)
    methods = server.routes[path]
    answers = [world.phone.call(f"{method} {path}") for method in methods if method != "OPTIONS"]
    assert answers
    assert {answer.status for answer in answers} <= {200, 400, 401, 415}


def issuer(world: World, value: str) -> None:
    assert value == world.svc.settings.issuer


def scope(world: World, value: str) -> None:
    app = world.app(scopes=("openid", value))
    assert value in app.tokens(world.browser(), scope=value)["scope"].split()


def response_type(world: World, value: str) -> None:
    assert value in world.browser().log_in(world.app(), response_type=value)


def response_mode(world: World, value: str) -> None:
    browser, app = world.browser(), world.app()
    answer = browser.finish(browser.authorize(app, response_mode=value))
    assert place(answer) == CALLBACK if value == "query" else CALLBACK in forms(answer)


def grant_type(world: World, value: str) -> None:
    TRY_GRANT[value](world)


def refresh(world: World) -> None:
    app = world.app()
    token_response(app.refresh(app.tokens(world.browser())["refresh_token"]))


def television(world: World) -> None:
    app = world.app("television")
    begun = app.post("/oauth/device", {"scope": "openid"}).json()
    assert refusal(app.token(DEVICE_CODE, device_code=begun["device_code"])) == (400, "authorization_pending")


def exchange(world: World) -> None:
    subject = world.app().tokens(world.browser())["access_token"]
    app = world.app("exchanger")
    assert token_response(app.token(TOKEN_EXCHANGE, subject_token=subject, subject_token_type=ACCESS_TOKEN))


def vouched(world: World) -> None:
    issuer = Issuer()
    app = trusting(world.svc, world.phone, issuer)
    subject = world.svc.users.find("ann@example.com")
    token_response(present(app, issuer.assertion(subject, now=world.svc.now())))


TRY_GRANT: Mapping[str, Callable[[World], object]] = {
    "authorization_code": lambda world: world.app().tokens(world.browser()),
    "refresh_token": refresh,
    "client_credentials": lambda world: token_response(world.app("machine").token("client_credentials")),
    DEVICE_CODE: television,
    TOKEN_EXCHANGE: exchange,
    JWT_BEARER: vouched,
}


def challenge_method(world: World, value: str) -> None:
    assert world.app().tokens(world.browser(), code_challenge_method=value)


def prompt(world: World, value: str) -> None:
    browser, app = world.browser(), world.app()
    if value == "none":
        assert callback_params(browser.authorize(app, prompt=value))["error"] == "login_required"
        return
    browser.log_in(app)
    form = {
        "login": "/authorize/login",
        "consent": "/authorize/consent",
        "select_account": "/authorize/continue",
        "create": "/authorize/signup",
    }
    assert form[value] in forms(browser.authorize(app, prompt=value))


def acr(world: World, value: str) -> None:
    claims_request = json.dumps({"id_token": {"acr": {"essential": True, "value": value}}})
    request = {**REQUEST, "claims": claims_request}
    at = FirstParty(world.svc, world.phone, (403, ""), (400, ""), "auth_session")
    at.app = world.app("native", first_party=True)
    if value == "phr":
        device = Authenticator()
        passkeys.enrol(world.svc, str(world.svc.users.find(EMAIL)), device)
        challenge = at.send(**request, factor="passkey").json()
        answer = passkeys.prove(at, challenge["auth_session"], device.get(challenge["challenge"]["publicKey"]))
    elif value == "aal2":
        codes = code_app.enrol(world.phone, world.phone.log_in()["access_token"], cast("Clock", world.svc.now))
        begun = at.send(**request, email=EMAIL, password=PASSWORD).json()
        answer = at.prove(begun["auth_session"], "totp", codes.code(1))
    else:
        answer = at.send(**request, email=EMAIL, password=PASSWORD)
    assert peek(at.access_token(answer))[1]["acr"] == value


def display(world: World, value: str) -> None:
    assert world.browser().authorize(world.app(), display=value).status == 200


def locale(world: World, value: str) -> None:
    page = world.browser().authorize(world.app(), ui_locales=value)
    assert f'<html lang="{value}"'.encode() in page.body


def subject_type(world: World, value: str) -> None:
    _, of_token = peek(world.app(subject_type=value).tokens(world.browser(), scope="openid")["id_token"])
    assert (of_token["sub"] == world.svc.users.find("ann@example.com")) == (value == "public")


def claim_type(world: World, value: str) -> None:
    assert value == "normal"  # OpenID Connect Core 5.6: no claim is at another place
    assert not {"_claim_names", "_claim_sources"} & world.claims


def claim(world: World, value: str) -> None:
    assert value in world.claims


def claims_parameter(world: World, value: bool) -> None:
    claims_request = json.dumps({"userinfo": {"name": None}})
    tokens = world.app(first_party=True).tokens(world.browser(), scope="openid", claims=claims_request)
    assert ("name" in world.phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()) == value


def id_token_algorithm(world: World, value: str) -> None:
    assert peek(world.app().tokens(world.browser())["id_token"])[0]["alg"] == value


def userinfo_algorithm(world: World, value: str) -> None:
    tokens = world.app(userinfo_signed_response_alg=value).tokens(world.browser())
    answer = world.phone.call("GET /oauth/userinfo", token=tokens["access_token"])
    assert peek(answer.body.decode())[0]["alg"] == value


def introspection_algorithm(world: World, value: str) -> None:
    accept = ("Accept", "application/token-introspection+jwt")
    answer = world.app("api").post("/oauth/introspect", {"token": "x"}, headers=[accept])
    assert peek(answer.body.decode())[0]["alg"] == value


KIND_OF = {"none": "spa", "client_secret_basic": "web", "client_secret_post": "post", "private_key_jwt": "key"}


def method_at(path: str) -> Callable[[World, str], None]:
    def attempt(world: World, value: str) -> None:
        app = world.app(KIND_OF[value], introspects=True)
        assert app.client.token_endpoint_auth_method == value
        assert is_authenticated(app.post(path, {"token": "x", "grant_type": "refresh_token", "refresh_token": "x"}))

    return attempt


def is_authenticated(answer: Answer) -> bool:
    return answer.status == 200 or answer.json()["error"] == "invalid_grant"


def assertion_at(path: str) -> Callable[[World, str], None]:
    def attempt(world: World, value: str) -> None:
        assert is_authenticated(send_assertion(world, path, value))

    return attempt


def send_assertion(world: World, path: str, algorithm: str) -> Answer:
    key = key_for(algorithm)
    app = world.app("key", jwks={"keys": [jwk(key)]}, introspects=True)
    now = world.svc.now()
    body = {"iss": app.id, "sub": app.id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": uuid4().hex}
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": sign_jwt(body, key, algorithm)}
    return send(world.phone, path, {**proof, "token": "x", "grant_type": "refresh_token", "refresh_token": "x"})


def proof_algorithm(world: World, value: str) -> None:
    answer = with_proof(world, value)
    assert answer.json()["error"] == "use_dpop_nonce"  # which is said of a proof that is good but for its nonce


def with_proof(world: World, algorithm: str) -> Answer:
    key = key_for(algorithm)
    body = {"htm": "POST", "htu": f"{ISSUER}/oauth/token", "iat": world.svc.now(), "jti": uuid4().hex}
    proof = sign_jwt(body, key, algorithm, typ="dpop+jwt", jwk=jwk(key))
    return world.app("machine").token("client_credentials", headers=[("DPoP", proof)])


def request_object(world: World, value: bool) -> None:
    assert ("code" in signed_request(world, "ES256")) == value


def signing_is_due(world: World, value: bool) -> None:
    assert ("code" in world.browser().log_in(world.app())) != value


def request_algorithm(world: World, value: str) -> None:
    assert "code" in signed_request(world, value)


def signed_request(world: World, algorithm: str) -> dict[str, str]:
    key = key_for(algorithm)
    app = world.app("key", jwks={"keys": [jwk(key)]})
    body = {**app.request(), "iss": app.id, "aud": ISSUER, "exp": world.svc.now() + 60}
    request = {"client_id": app.id, "redirect_uri": CALLBACK, "request": sign_jwt(body, key, algorithm)}
    browser = world.browser()
    return callback_params(browser.finish(browser.get("/oauth/authorize", request)))


def request_uri(world: World, value: bool) -> None:
    answer = callback_params(world.browser().authorize(world.app(), request_uri="https://app.example/request.jwt"))
    assert value is False
    assert answer["error"] == "request_uri_not_supported"
    assert world.internet.requests == []


def pushing_is_due(world: World, value: bool) -> None:
    assert ("code" in world.browser().log_in(world.app())) != value


def issuer_in_answers(world: World, value: bool) -> None:
    assert (world.browser().log_in(world.app()).get("iss") == ISSUER) == value


def logged_out(world: World) -> dict[str, Any]:
    world.internet.pages[HOOK] = Page()
    browser = world.browser()
    app = world.app(backchannel_logout_uri=HOOK, backchannel_logout_session_required=True)
    tokens = app.tokens(browser, scope="openid")
    browser.get("/oauth/logout", {"id_token_hint": tokens["id_token"]})
    deliver()
    return peek(world.internet.requests[-1].form["logout_token"])[1]


def document(world: World, value: bool) -> None:
    body = {"client_id": DOCUMENT, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    world.internet.pages[DOCUMENT] = Page(json.dumps(body).encode())
    assert (clients.find(world.svc, DOCUMENT, network=NETWORK) is not None) == value


TRY: Mapping[str, Callable[[World, Any], None]] = {
    "issuer": issuer,
    **dict.fromkeys(ENDPOINTS, endpoint),
    "scopes_supported": scope,
    "response_types_supported": response_type,
    "response_modes_supported": response_mode,
    "grant_types_supported": grant_type,
    "code_challenge_methods_supported": challenge_method,
    "prompt_values_supported": prompt,
    "acr_values_supported": acr,
    "display_values_supported": display,
    "ui_locales_supported": locale,
    "subject_types_supported": subject_type,
    "claim_types_supported": claim_type,
    "claims_supported": claim,
    "claims_parameter_supported": claims_parameter,
    "id_token_signing_alg_values_supported": id_token_algorithm,
    "userinfo_signing_alg_values_supported": userinfo_algorithm,
    "introspection_signing_alg_values_supported": introspection_algorithm,
    "token_endpoint_auth_methods_supported": method_at("/oauth/token"),
    "token_endpoint_auth_signing_alg_values_supported": assertion_at("/oauth/token"),
    "revocation_endpoint_auth_methods_supported": method_at("/oauth/revoke"),
    "revocation_endpoint_auth_signing_alg_values_supported": assertion_at("/oauth/revoke"),
    "introspection_endpoint_auth_methods_supported": method_at("/oauth/introspect"),
    "introspection_endpoint_auth_signing_alg_values_supported": assertion_at("/oauth/introspect"),
    "dpop_signing_alg_values_supported": proof_algorithm,
    "request_parameter_supported": request_object,
    "request_object_signing_alg_values_supported": request_algorithm,
    "require_signed_request_object": signing_is_due,
    "request_uri_parameter_supported": request_uri,
    "require_pushed_authorization_requests": pushing_is_due,
    "authorization_response_iss_parameter_supported": issuer_in_answers,
    "backchannel_logout_supported": lambda world, value: check(bool(logged_out(world)) == value),
    "backchannel_logout_session_supported": lambda world, value: check(("sid" in logged_out(world)) == value),
    "client_id_metadata_document_supported": document,
}


def check(fact: bool) -> None:
    assert fact


@pytest.mark.parametrize("member", TRY)
def test_every_advertised_value_works(world: World, member: str) -> None:
    value = metadata(world.phone)[member]
    for each in value if isinstance(value, list) else [value]:
        TRY[member](world, each)


def test_nothing_is_advertised_that_is_not_tried(world: World) -> None:
    assert set(metadata(world.phone)) == set(TRY) == set(Metadata.__struct_fields__)


# What the server is to be able to do, by the registered names of the specifications. What it refuses is gated by lists of
# the code's own, which must be these: a value that is lost there would be neither advertised nor missed.
IMPLEMENTED = {
    "response_types_supported": {"code"},
    "response_modes_supported": {"query", "form_post"},
    "prompt_values_supported": {"none", "login", "consent", "select_account", "create"},
    "acr_values_supported": {"aal1", "aal2", "phr"},
    "subject_types_supported": {"public", "pairwise"},
    "code_challenge_methods_supported": {"S256"},
    "token_endpoint_auth_methods_supported": {
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    },
    "grant_types_supported": set(EXPECTED),
}


@pytest.mark.parametrize("member", IMPLEMENTED)
def test_what_the_server_is_to_do_it_advertises_and_nothing_else(world: World, member: str) -> None:
    assert set(metadata(world.phone)[member]) == IMPLEMENTED[member]


def test_the_first_method_is_one_for_a_secret_and_none_is_the_last(world: World) -> None:
    # pac4j takes the first that it knows, and with private_key_jwt or none it has no use for its secret.
    for endpoint in ("token", "revocation", "introspection"):
        methods = metadata(world.phone)[f"{endpoint}_endpoint_auth_methods_supported"]
        assert methods[0] == "client_secret_basic"
        assert "none" not in methods[:-1]


def test_whatever_the_code_has_is_advertised(world: World) -> None:
    advertised = metadata(world.phone)
    assert set(advertised["grant_types_supported"]) == set(GRANTS) == set(client.GRANT_TYPES)
    assert set(advertised["response_modes_supported"]) == set(oauth.RESPONSE_MODES)
    assert set(advertised["prompt_values_supported"]) == set(oauth.PROMPTS)
    assert set(advertised["acr_values_supported"]) == set(policy.supported_levels())
    assert set(advertised["subject_types_supported"]) == set(client.SUBJECT_TYPES)
    assert set(advertised["token_endpoint_auth_methods_supported"]) == set(client.AUTH_METHODS) == set(KIND_OF)
    assert set(advertised["dpop_signing_alg_values_supported"]) == set(dpop.ALGORITHMS)
    assert set(advertised["token_endpoint_auth_signing_alg_values_supported"]) == set(clients.ASSERTION_ALGORITHMS)
    assert set(advertised["claims_supported"]) >= {name for names in claims.OF_SCOPE.values() for name in names}
    languages = {file.stem for file in (html.DIRECTORY / "messages").glob("*.json")}
    assert set(advertised["ui_locales_supported"]) == set(SHIPPED) == languages


def test_every_claim_of_a_token_is_advertised(world: World) -> None:
    assert world.claims <= set(metadata(world.phone)["claims_supported"])


def test_every_route_of_the_standard_endpoints_is_advertised(world: World) -> None:
    served = metadata(world.phone)
    advertised = {value.removeprefix(ISSUER) for value in served.values() if isinstance(value, str)}
    # What a client is led to, and does not have to know beforehand.
    led_to = {"/oauth/logout/confirm", "/oauth/register/{client_id}"}
    assert {path for path in server.routes if path.startswith("/oauth/")} - led_to <= advertised


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "jwt"}, "invalid_request"),
        ({"response_mode": "web_message"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "register"}, "invalid_request"),
        ({"scope": "phone address"}, "invalid_scope"),
    ],
)
def test_what_is_not_advertised_is_refused(world: World, changes: dict[str, str], error: str) -> None:
    assert callback_params(world.browser().authorize(world.app(), **changes))["error"] == error


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS384", "PS512"])
def test_no_algorithm_works_that_is_not_advertised(world: World, algorithm: str) -> None:
    assert refusal(send_assertion(world, "/oauth/token", algorithm)) == (401, "invalid_client")
    assert refusal(with_proof(world, algorithm)) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize("name", UNKNOWN)
def test_no_grant_works_that_is_not_advertised(world: World, name: str) -> None:
    assert refusal(world.app("machine").token(name)) == (400, "unsupported_grant_type")


# Where it is, and what depends on the deployment.


def test_both_places_say_the_same(world: World) -> None:
    first, second = (world.phone.call(f"GET {path}") for path in WELL_KNOWN)
    assert first.body == second.body


def test_what_is_switched_off_is_not_advertised(svc: Services, clock: Clock) -> None:
    with installed(replace(svc, settings=replace(svc.settings, registration_open=False, client_documents=False))):
        advertised = metadata(Phone(clock))
    assert "registration_endpoint" not in advertised
    assert advertised["client_id_metadata_document_supported"] is False


def test_registration_behind_a_token_is_advertised(svc: Services, clock: Clock) -> None:
    behind = replace(svc.settings, registration_open=False, registration_tokens=frozenset({"0" * 64}))
    with installed(replace(svc, settings=behind)):
        assert "registration_endpoint" in metadata(Phone(clock))


@pytest.mark.parametrize("path", WELL_KNOWN)
def test_an_issuer_with_a_path_is_found_at_the_hosts_root_as_well(svc: Services, clock: Clock, path: str) -> None:
    """RFC 8414 section 3.1, as far as requests for the root get here at all."""
    staged = replace(svc, settings=replace(svc.settings, issuer="https://id.example/api"))
    with installed(staged):
        phone = Phone(clock)
        below, root = phone.call(f"GET {path}"), phone.call(f"GET {path}/api")
        assert below.body == root.body
        assert root.json()["issuer"] == "https://id.example/api"
        assert root.json()["token_endpoint"] == "https://id.example/api/oauth/token"
        assert refusal(phone.call(f"GET {path}/other")) == (404, "not_found")


def test_an_issuer_without_a_path_is_not_found_at_one(world: World) -> None:
    for path in WELL_KNOWN:
        assert refusal(world.phone.call(f"GET {path}/api")) == (404, "not_found")


# RFC 9728.

RESOURCE = "/.well-known/oauth-protected-resource"


@pytest.mark.parametrize("scheme", ["", "Bearer", "DPoP"])
def test_whoever_comes_without_a_good_token_is_told_where_to_read_how_to_get_one(world: World, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} x.y.z"} if scheme else {}
    answer = world.phone.call("GET /oauth/userinfo", headers={**headers, "DPoP": "x"} if scheme == "DPoP" else headers)
    assert answer.status == 401
    pointer = re.search(r'resource_metadata="([^"]+)"', answer.header("WWW-Authenticate") or "")
    assert pointer
    # RFC 9728 section 3.3: what is found there is about the resource that was called.
    assert world.phone.call(f"GET {pointer[1].removeprefix(ISSUER)}").json()["resource"] == world.svc.settings.audience


def test_an_api_is_announced_for_dpop_where_it_was_registered_for_it(
    svc: Services, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "apis.json"
    entries = {
        str(dpop): entry(
            name=f"api-{dpop}",
            scopes={"GET /": "x"},
            revocation="stateless",
            answer="simple",
            audience="https://a.example",
            dpop=dpop,
        )
        for dpop in (True, False)
    }
    file.write_text(json.dumps(entries))
    with installed(replace(svc, settings=replace(svc.settings, apis_file=str(file)))):
        for takes_proofs in (True, False):
            described = Phone(clock).call(f"GET {RESOURCE}/api-{takes_proofs}").json()
            assert described["resource"] == "https://a.example"
            assert ("dpop_signing_alg_values_supported" in described) is takes_proofs
            assert ("dpop_bound_access_tokens_required" in described) is takes_proofs


def test_our_own_api_is_described_as_a_resource(world: World) -> None:
    advertised = world.phone.call(f"GET {RESOURCE}").json()
    assert advertised["resource"] == world.svc.settings.audience
    assert advertised["authorization_servers"] == [ISSUER]
    assert advertised["scopes_supported"] == ["account"]
    assert advertised["bearer_methods_supported"] == ["header"]


def test_a_resource_with_a_path_is_found_where_rfc_9728_has_it_too(svc: Services, clock: Clock) -> None:
    staged = replace(
        svc, settings=replace(svc.settings, issuer="https://id.example/api", audience="https://id.example/api")
    )
    with installed(staged):
        phone = Phone(clock)
        assert phone.call(f"GET {RESOURCE}/api").json() == phone.call(f"GET {RESOURCE}").json()


def test_an_api_behind_the_guard_is_described_as_a_resource(svc: Services, clock: Clock) -> None:
    entry = {"name": "notes", "audience": "https://notes.example", "revocation": "stateless"}
    plain = {**entry, "name": "plain", "scopes": {"GET /": "plain:read"}}
    del plain["audience"]
    scopes = {"GET /notes": "notes:read", "POST /notes": "notes:read notes:write"}
    Path(svc.settings.apis_file).write_text(json.dumps({"abc": {**entry, "scopes": scopes}, "def": plain}))
    with installed(svc):
        phone = Phone(clock)
        advertised = phone.call(f"GET {RESOURCE}/notes").json()
        assert (advertised["resource"], advertised["resource_name"]) == ("https://notes.example", "notes")
        assert advertised["scopes_supported"] == ["notes:read", "notes:write"]
        assert phone.call(f"GET {RESOURCE}/plain").json()["resource"] == svc.settings.audience
        assert refusal(phone.call(f"GET {RESOURCE}/unknown")) == (404, "not_found")
