"""A token that no verifier takes is not issued, and costs nothing: API Gateway has room for 10,240 bytes of headers."""

from dataclasses import replace

import pytest

from chalicelib.domain.errors import InvalidClientMetadata
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, TOKEN_EXCHANGE, Client
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from tests.support.browser import API, App, Browser, register, token_response
from tests.support.phone import Phone, refusal

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
MANY = tuple(f"{number:02}{'x' * 120}" for number in range(80))
TOO_LONG = (400, "invalid_scope")


def widen(app: App, svc: Services, scopes: tuple[str, ...]) -> None:
    """Gives a client more than it may be given today, as it may have been given it yesterday."""
    client = svc.clients.read(app.id)
    assert client
    assert svc.clients.replace(client, replace(client, scopes=scopes, version=client.version + 1))


def is_active(api: App, token: str) -> bool:
    active: bool = api.post("/oauth/introspect", {"token": token}).json()["active"]
    return active and len(token) <= 8192


def test_a_client_gets_no_token_that_nobody_would_take(svc: Services, phone: Phone) -> None:
    machine, api = register(svc, phone, "machine"), register(svc, phone, "api")
    widen(machine, svc, MANY)
    assert refusal(machine.token(CLIENT_CREDENTIALS)) == TOO_LONG
    longest = 0
    for number in range(1, 51):
        answer = machine.token(CLIENT_CREDENTIALS, scope=" ".join(MANY[:number]))
        if answer.status == 200:
            assert is_active(api, token_response(answer)["access_token"])
            longest = number
        else:
            assert refusal(answer) == TOO_LONG
    assert 30 < longest < 50


def test_a_code_and_a_refresh_token_are_not_spent_for_one(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, "spa")
    wide, few = ("email", "offline_access", *MANY), ("email", "offline_access", *MANY[:2])
    first = app.tokens(browser, scope="email offline_access")["refresh_token"]
    widen(app, svc, wide)
    code = browser.code(app, scope=None)
    assert refusal(app.redeem(code)) == TOO_LONG
    widen(app, svc, few)
    tokens = token_response(app.redeem(code))
    assert tokens["scope"].split() == [scope for scope in few if scope != "offline_access"]  # for it named none
    widen(app, svc, wide)
    assert refusal(app.refresh(tokens["refresh_token"])) == TOO_LONG
    narrow = token_response(app.refresh(tokens["refresh_token"], scope="email"))
    assert narrow["scope"] == "email"
    token_response(app.refresh(first))


def test_a_chain_of_actors_ends_where_nobody_would_take_it(svc: Services, phone: Phone, browser: Browser) -> None:
    long_id = "https://service.example/" + "x" * 470
    app = register(svc, phone, scopes=("openid", "notes:read"))
    service = register(svc, phone, "exchanger", client_id=long_id)
    token = app.tokens(browser, scope="notes:read")["access_token"]
    actor = token_response(service.token(CLIENT_CREDENTIALS))["access_token"]
    acting = {"subject_token_type": ACCESS, "actor_token": actor, "actor_token_type": ACCESS, "resource": API}
    for _ in range(20):
        answer = service.token(TOKEN_EXCHANGE, subject_token=token, **acting)
        if answer.status != 200:
            break
        token = token_response(answer)["access_token"]
        assert len(token) <= 8192
    assert refusal(answer) == TOO_LONG


@pytest.mark.parametrize(("length", "fits"), [(4096, True), (4097, False)])
def test_a_client_cannot_be_given_scopes_that_fit_into_no_token(svc: Services, length: int, fits: bool) -> None:
    scopes = (*("x" * 127 for _ in range(31)), "y" * (length - 31 * 128))
    scopes = tuple(f"{number:02}{scope[2:]}" for number, scope in enumerate(scopes))
    assert len(" ".join(scopes)) == length
    client = Client(client_id="", grant_types=(CLIENT_CREDENTIALS,), scopes=scopes)
    if fits:
        manage.create(svc, client)
        return
    with pytest.raises(InvalidClientMetadata) as error:
        manage.create(svc, client)
    assert "too long for an access token" in error.value.description


def test_what_a_client_can_be_given_fits_into_a_token_of_the_longest_names(svc: Services, phone: Phone) -> None:
    scopes = tuple(f"{number:02}{'x' * 125}" for number in range(32))
    resource = "https://api.example/" + "y" * 180
    metadata = {"client_id": "z" * 500, "resources": (resource,), "scopes": scopes}
    machine, api = register(svc, phone, "machine", **metadata), register(svc, phone, "api", resources=(resource,))
    token = token_response(machine.token(CLIENT_CREDENTIALS, resource=resource))["access_token"]
    assert is_active(api, token)
