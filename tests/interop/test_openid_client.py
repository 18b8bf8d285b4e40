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
    metadata = run("openid_client/discovery.mjs", served.client("none"), algorithm=algorithm)
    assert metadata["issuer"] == served.issuer
    assert metadata["pkce"] is True


@pytest.mark.parametrize("method", METHODS)
def test_a_code_login_with_pkce_state_nonce_and_issuer(served: Served, method: str) -> None:
    person = served.person()
    answer = run("openid_client/code.mjs", served.client(method), person)
    assert answer["tokens"]["token_type"] == "bearer"  # as the library writes it
    assert answer["claims"]["iss"] == served.issuer
    assert answer["userinfo"]["email"] == person.email
    assert answer["userinfo"]["name"] == "Ann"
    assert answer["userinfo"]["sub"] == answer["claims"]["sub"]


def test_a_native_app_takes_its_code_on_whatever_loopback_port_is_free(served: Served) -> None:
    registration = served.client("none", redirect_uris=("http://127.0.0.1/cb",), application_type="native")
    answer = run(
        "openid_client/code.mjs", {**registration, "redirect_uri": "http://127.0.0.1:49152/cb"}, served.person()
    )
    assert "id_token" in answer["tokens"]


def test_the_answer_comes_as_a_form_where_the_client_asks_for_it(served: Served) -> None:
    registration = served.client("client_secret_basic")
    answer = run("openid_client/code.mjs", registration, served.person(), parameters={"response_mode": "form_post"})
    assert "id_token" in answer["tokens"]


def test_the_age_of_the_login_is_in_the_id_token(served: Served) -> None:
    registration = served.client("client_secret_basic")
    answer = run("openid_client/code.mjs", registration, served.person(), parameters={"max_age": "60"}, max_age=60)
    assert answer["claims"]["auth_time"] <= answer["claims"]["iat"]


def test_the_claims_parameter_opens_single_claims(served: Served) -> None:
    person = served.person()
    claims = '{"id_token": {"email": null}, "userinfo": {"name": {"essential": true}}}'
    parameters = {"claims": claims, "scope": "openid"}
    answer = run("openid_client/code.mjs", served.client("none"), person, parameters=parameters)
    assert answer["claims"]["email"] == person.email
    assert answer["userinfo"] == {"sub": answer["claims"]["sub"], "name": "Ann"}


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
    registration = served.client("client_secret_basic")
    assert run("openid_client/code.mjs", registration, served.person(), parameters=parameters)["error"] == error


def test_it_reads_the_users_refusal(served: Served) -> None:
    registration = served.client("client_secret_basic")
    assert run("openid_client/code.mjs", registration, served.person("deny"))["error"] == "access_denied"


@pytest.mark.parametrize("method", METHODS)
def test_a_pushed_request_leaves_nothing_of_itself_in_the_browser(served: Served, method: str) -> None:
    registration = served.client(method, require_pushed_authorization_requests=True)
    answer = run("openid_client/pushed.mjs", registration, served.person())
    assert set(answer["authorization"]) == {"client_id", "request_uri"}
    assert "id_token" in answer["tokens"]


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
def test_refresh_tokens_rotate_and_a_lost_answer_is_given_again(served: Served, method: str) -> None:
    answer = run("openid_client/refresh.mjs", served.client(method), served.person())
    tokens = [answer[name]["refresh_token"] for name in ("first", "second", "again", "narrowed")]
    assert tokens[1] == tokens[2]
    assert len(set(tokens)) == 3
    assert answer["narrowed"]["scope"] == "openid"
    assert (answer["reuse"], answer["after"]) == ("invalid_grant", "invalid_grant")


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "private_key_jwt"])
def test_tokens_bound_to_a_key_are_of_no_use_without_it(served: Served, method: str) -> None:
    person = served.person()
    answer = run("openid_client/dpop.mjs", served.client(method, dpop_bound_access_tokens=True), person)
    assert answer["tokens"]["token_type"] == "dpop"
    bound = [peek(answer[name]["access_token"])[1]["cnf"]["jkt"] for name in ("tokens", "refreshed")]
    assert bound == [answer["thumbprint"]] * 2
    assert answer["userinfo"]["sub"] == peek(answer["tokens"]["id_token"])[1]["sub"]
    assert (answer["without"], answer["strange"]) == ("invalid_token", "invalid_token")
    assert answer["stolen"] == ("invalid_grant" if method == "none" else "accepted")  # RFC 9449 section 5


@pytest.mark.parametrize("method", [method for method in METHODS if method != "none"])
@pytest.mark.parametrize("dpop", [False, True])
def test_a_machine_gets_tokens_for_itself(served: Served, method: str, dpop: bool) -> None:
    registration = served.client(method, grant_types=(CLIENT_CREDENTIALS,), redirect_uris=(), scopes=OF_THE_API)
    answer = run("openid_client/client_credentials.mjs", registration, parameters={"scope": "notes:read"}, dpop=dpop)
    assert (answer["token_type"], answer["scope"]) == ("dpop" if dpop else "bearer", "notes:read")
    assert peek(answer["access_token"])[1]["sub"] == registration["client_id"]
    assert "refresh_token" not in answer


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_machine_with_a_wrong_secret_is_told_so(served: Served, method: str) -> None:
    registration = served.client(method, grant_types=(CLIENT_CREDENTIALS,), redirect_uris=(), scopes=OF_THE_API)
    answer = run("openid_client/client_credentials.mjs", {**registration, "client_secret": "wrong +%& secret"})
    assert answer == {"error": "invalid_client", "status": 401}


def test_a_television_logs_its_user_in(served: Served) -> None:
    registration = served.client("none", grant_types=(DEVICE_CODE, REFRESH), redirect_uris=())
    answer = run("openid_client/device.mjs", registration, served.person())
    assert answer["tokens"]["scope"] == "openid offline_access notes:read"
    assert {"id_token", "refresh_token"} <= set(answer["tokens"])


def test_a_television_hears_that_its_user_refused(served: Served) -> None:
    registration = served.client("none", grant_types=(DEVICE_CODE, REFRESH), redirect_uris=())
    assert run("openid_client/device.mjs", registration, served.person("deny"))["tokens"] == {"error": "access_denied"}


@pytest.fixture
def subject_token(served: Served) -> str:
    """An access token of a user, for notes:read and more."""
    parameters = {"scope": "openid notes:read"}
    answer = run("openid_client/code.mjs", served.client("none"), served.person(), parameters=parameters)
    token: str = answer["tokens"]["access_token"]
    return token


@pytest.mark.parametrize("delegated", [False, True])
def test_a_service_exchanges_a_users_token_for_one_at_another_api(
    served: Served, subject_token: str, delegated: bool
) -> None:
    registration = served.client(
        "client_secret_basic",
        grant_types=(TOKEN_EXCHANGE, CLIENT_CREDENTIALS),
        redirect_uris=(),
        scopes=OF_THE_API,
        resources=(API,),
        exchanges=("impersonation", "delegation"),
    )
    registration |= {"subject_token": subject_token, "delegated": delegated}
    answer = run("openid_client/exchange.mjs", registration, parameters={"resource": API})
    claims, before = peek(answer["access_token"])[1], peek(subject_token)[1]
    assert answer["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert (claims["sub"], claims["aud"], claims["scope"]) == (before["sub"], API, "notes:read")
    assert claims.get("act", {}).get("sub") == (registration["client_id"] if delegated else None)
    wider = run("openid_client/exchange.mjs", registration, parameters={"scope": "notes:write"})
    assert wider == {"error": "invalid_scope", "status": 400}


@pytest.mark.parametrize("metadata", [{}, {"introspection_signed_response_alg": ALGORITHM}])
def test_an_api_asks_what_a_token_is_worth(served: Served, subject_token: str, metadata: dict[str, str]) -> None:
    registration = served.client(
        "client_secret_basic", grant_types=(CLIENT_CREDENTIALS,), redirect_uris=(), introspects=True
    )
    tokens = [subject_token, "not a token"]
    active, unknown = run("openid_client/introspection.mjs", registration, tokens=tokens, metadata=metadata)
    assert active["active"] is True
    assert active["sub"] == peek(subject_token)[1]["sub"]
    assert unknown == {"active": False}


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_a_revoked_token_ends_its_session(served: Served, kind: str) -> None:
    answer = run("openid_client/revocation.mjs", served.client("none"), served.person(), kind=kind)
    assert answer == {"refresh": "invalid_grant", "userinfo": "invalid_token"}


def test_the_user_leaves_by_the_clients_button_and_has_to_log_in_again(served: Served) -> None:
    bye = "https://app.example/bye"
    registration = served.client("client_secret_basic", post_logout_redirect_uris=(bye,))
    answer = run("openid_client/logout.mjs", registration, served.person(), post_logout_redirect_uri=bye)
    assert answer["landing"] == f"{bye}?state={answer['state']}"
    assert answer["silent"] == "login_required"


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_a_client_registers_itself(served: Served, method: str) -> None:
    metadata = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": method, "client_name": "Newcomer"}
    params = {"issuer": served.issuer, "method": method, "redirect_uri": CALLBACK, "metadata": metadata}
    answer = run("openid_client/registration.mjs", params, served.person(), initial_access_token=REGISTRATION_TOKEN)
    assert answer["claims"]["aud"] == answer["client"]["client_id"]
    assert metadata.items() <= answer["client"].items()


def test_a_client_that_nobody_registered_is_known_by_its_document(served: Served) -> None:
    address = "https://app.example/client.json"
    document = {"client_id": address, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    served.internet.pages[address] = Page(json.dumps(document).encode())
    params = {"issuer": served.issuer, "client_id": address, "method": "none", "redirect_uri": CALLBACK}
    answer = run("openid_client/code.mjs", params, served.person(), parameters={"scope": "openid"})
    assert answer["claims"]["aud"] == address
