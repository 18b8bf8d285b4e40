"""openid-client, a certified relying party, in every flow that it has: one script a flow, started by these tests."""

import json

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, DEVICE_CODE, REFRESH, TOKEN_EXCHANGE
from tests.interop import javascript
from tests.interop.javascript import run
from tests.interop.served import API, CALLBACK, OF_THE_API, REGISTRATION_TOKEN, Served
from tests.support.forge import peek
from tests.support.internet import Page

javascript.needed()
ALGORITHM = "RS256"
METHODS = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")


@pytest.mark.parametrize("algorithm", ["oidc", "oauth2"])
def test_it_finds_the_server_by_either_metadata_document(served: Served, algorithm: str) -> None:
    found = run("openid_client/discovery.mjs", served.client("none"), algorithm=algorithm)
    assert found["issuer"] == served.issuer
    assert found["pkce"] is True


@pytest.mark.parametrize("method", METHODS)
def test_a_code_login_with_pkce_state_nonce_and_issuer(served: Served, method: str) -> None:
    person = served.person()
    got = run("openid_client/code.mjs", served.client(method), person)
    assert got["tokens"]["token_type"] == "bearer"  # as the library writes it
    assert got["claims"]["iss"] == served.issuer
    assert got["userinfo"]["email"] == person.email
    assert got["userinfo"]["name"] == "Ann"
    assert got["userinfo"]["sub"] == got["claims"]["sub"]


def test_a_native_app_takes_its_code_on_whatever_loopback_port_is_free(served: Served) -> None:
    told = served.client("none", redirect_uris=("http://127.0.0.1/cb",), application_type="native")
    got = run("openid_client/code.mjs", {**told, "redirect_uri": "http://127.0.0.1:49152/cb"}, served.person())
    assert "id_token" in got["tokens"]


def test_the_answer_comes_as_a_form_where_the_client_asks_for_it(served: Served) -> None:
    told = served.client("client_secret_basic")
    got = run("openid_client/code.mjs", told, served.person(), parameters={"response_mode": "form_post"})
    assert "id_token" in got["tokens"]


def test_the_age_of_the_login_is_in_the_id_token(served: Served) -> None:
    told = served.client("client_secret_basic")
    got = run("openid_client/code.mjs", told, served.person(), parameters={"max_age": "60"}, max_age=60)
    assert got["claims"]["auth_time"] <= got["claims"]["iat"]


def test_the_claims_parameter_opens_single_claims(served: Served) -> None:
    person = served.person()
    claims = '{"id_token": {"email": null}, "userinfo": {"name": {"essential": true}}}'
    parameters = {"claims": claims, "scope": "openid"}
    got = run("openid_client/code.mjs", served.client("none"), person, parameters=parameters)
    assert got["claims"]["email"] == person.email
    assert got["userinfo"] == {"sub": got["claims"]["sub"], "name": "Ann"}


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"resource": "https://unknown.example"}, "invalid_target"),
        (
            {"acr_values": "", "claims": '{"id_token": {"acr": {"essential": true, "value": "aal3"}}}'},
            "unmet_authentication_requirements",
        ),
    ],
)
def test_it_reads_a_refusal_at_its_redirect_uri(served: Served, parameters: dict[str, str], error: str) -> None:
    told = served.client("client_secret_basic")
    assert run("openid_client/code.mjs", told, served.person(), parameters=parameters)["error"] == error


def test_it_reads_the_users_refusal(served: Served) -> None:
    told = served.client("client_secret_basic")
    assert run("openid_client/code.mjs", told, served.person("deny"))["error"] == "access_denied"


@pytest.mark.parametrize("method", METHODS)
def test_a_pushed_request_leaves_nothing_of_itself_in_the_browser(served: Served, method: str) -> None:
    told = served.client(method, require_pushed_authorization_requests=True)
    got = run("openid_client/pushed.mjs", told, served.person())
    assert set(got["sent"]) == {"client_id", "request_uri"}
    assert "id_token" in got["tokens"]


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
def test_refresh_tokens_rotate_and_a_lost_answer_is_given_again(served: Served, method: str) -> None:
    got = run("openid_client/refresh.mjs", served.client(method), served.person())
    tokens = [got[name]["refresh_token"] for name in ("first", "second", "again", "narrowed")]
    assert tokens[1] == tokens[2]
    assert len(set(tokens)) == 3
    assert got["narrowed"]["scope"] == "openid"
    assert (got["reuse"], got["after"]) == ("invalid_grant", "invalid_grant")


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "private_key_jwt"])
def test_tokens_bound_to_a_key_are_of_no_use_without_it(served: Served, method: str) -> None:
    person = served.person()
    got = run("openid_client/dpop.mjs", served.client(method, dpop_bound_access_tokens=True), person)
    assert got["tokens"]["token_type"] == "dpop"
    bound = [peek(got[name]["access_token"])[1]["cnf"]["jkt"] for name in ("tokens", "refreshed")]
    assert bound == [got["thumbprint"]] * 2
    assert got["userinfo"]["sub"] == peek(got["tokens"]["id_token"])[1]["sub"]
    assert (got["without"], got["strange"]) == ("invalid_token", "invalid_token")
    assert got["stolen"] == ("invalid_grant" if method == "none" else "accepted")  # RFC 9449 section 5


@pytest.mark.parametrize("method", [method for method in METHODS if method != "none"])
@pytest.mark.parametrize("dpop", [False, True])
def test_a_machine_gets_tokens_for_itself(served: Served, method: str, dpop: bool) -> None:
    told = served.client(method, grant_types=(CLIENT_CREDENTIALS,), redirect_uris=(), scopes=OF_THE_API)
    got = run("openid_client/client_credentials.mjs", told, parameters={"scope": "notes:read"}, dpop=dpop)
    assert (got["token_type"], got["scope"]) == ("dpop" if dpop else "bearer", "notes:read")
    assert peek(got["access_token"])[1]["sub"] == told["client_id"]
    assert "refresh_token" not in got


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_machine_with_a_wrong_secret_is_told_so(served: Served, method: str) -> None:
    told = served.client(method, grant_types=(CLIENT_CREDENTIALS,), redirect_uris=(), scopes=OF_THE_API)
    got = run("openid_client/client_credentials.mjs", {**told, "client_secret": "wrong +%& secret"})
    assert got == {"error": "invalid_client", "status": 401}


def test_a_television_logs_its_user_in(served: Served) -> None:
    told = served.client("none", grant_types=(DEVICE_CODE, REFRESH), redirect_uris=())
    got = run("openid_client/device.mjs", told, served.person())
    assert got["tokens"]["scope"] == "openid offline_access notes:read"
    assert {"id_token", "refresh_token"} <= set(got["tokens"])


def test_a_television_hears_that_its_user_refused(served: Served) -> None:
    told = served.client("none", grant_types=(DEVICE_CODE, REFRESH), redirect_uris=())
    assert run("openid_client/device.mjs", told, served.person("deny"))["tokens"] == {"error": "access_denied"}


@pytest.fixture
def subject_token(served: Served) -> str:
    """An access token of a user, for notes:read and more."""
    parameters = {"scope": "openid notes:read"}
    got = run("openid_client/code.mjs", served.client("none"), served.person(), parameters=parameters)
    found: str = got["tokens"]["access_token"]
    return found


@pytest.mark.parametrize("delegated", [False, True])
def test_a_service_exchanges_a_users_token_for_one_at_another_api(
    served: Served, subject_token: str, delegated: bool
) -> None:
    told = served.client(
        "client_secret_basic",
        grant_types=(TOKEN_EXCHANGE, CLIENT_CREDENTIALS),
        redirect_uris=(),
        scopes=OF_THE_API,
        resources=(API,),
        exchanges=("impersonation", "delegation"),
    )
    told |= {"subject_token": subject_token, "delegated": delegated}
    got = run("openid_client/exchange.mjs", told, parameters={"resource": API})
    claims, before = peek(got["access_token"])[1], peek(subject_token)[1]
    assert got["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert (claims["sub"], claims["aud"], claims["scope"]) == (before["sub"], API, "notes:read")
    assert claims.get("act", {}).get("sub") == (told["client_id"] if delegated else None)
    wider = run("openid_client/exchange.mjs", told, parameters={"scope": "notes:write"})
    assert wider == {"error": "invalid_scope", "status": 400}


@pytest.mark.parametrize("metadata", [{}, {"introspection_signed_response_alg": ALGORITHM}])
def test_an_api_asks_what_a_token_is_worth(served: Served, subject_token: str, metadata: dict[str, str]) -> None:
    told = served.client("client_secret_basic", grant_types=(CLIENT_CREDENTIALS,), redirect_uris=(), introspects=True)
    tokens = [subject_token, "not a token"]
    active, unknown = run("openid_client/introspection.mjs", told, tokens=tokens, metadata=metadata)
    assert active["active"] is True
    assert active["sub"] == peek(subject_token)[1]["sub"]
    assert unknown == {"active": False}


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_a_revoked_token_ends_its_session(served: Served, kind: str) -> None:
    got = run("openid_client/revocation.mjs", served.client("none"), served.person(), kind=kind)
    assert got == {"refresh": "invalid_grant", "userinfo": "invalid_token"}


def test_the_user_leaves_by_the_clients_button_and_has_to_log_in_again(served: Served) -> None:
    bye = "https://app.example/bye"
    told = served.client("client_secret_basic", post_logout_redirect_uris=(bye,))
    got = run("openid_client/logout.mjs", told, served.person(), post_logout_redirect_uri=bye)
    assert got["left"] == f"{bye}?state={got['state']}"
    assert got["silent"] == "login_required"


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_a_client_registers_itself(served: Served, method: str) -> None:
    metadata = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": method, "client_name": "Newcomer"}
    told = {"issuer": served.issuer, "method": method, "redirect_uri": CALLBACK, "metadata": metadata}
    got = run("openid_client/registration.mjs", told, served.person(), initial_access_token=REGISTRATION_TOKEN)
    assert got["claims"]["aud"] == got["client"]["client_id"]
    assert metadata.items() <= got["client"].items()


def test_a_client_that_nobody_registered_is_known_by_its_document(served: Served) -> None:
    address = "https://app.example/client.json"
    document = {"client_id": address, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    served.internet.pages[address] = Page(json.dumps(document).encode())
    told = {"issuer": served.issuer, "client_id": address, "method": "none", "redirect_uri": CALLBACK}
    got = run("openid_client/code.mjs", told, served.person(), parameters={"scope": "openid"})
    assert got["claims"]["aud"] == address
