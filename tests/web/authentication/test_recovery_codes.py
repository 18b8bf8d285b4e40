"""Recovery codes: ten, shown once, each good once, and only for who has another factor that they stand in for."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.services import Services
from tests.support.code_app import CodeApp, enrol, log_in
from tests.support.forge import peek
from tests.support.login_clients import LOGIN_CLIENTS, LoginClient, login_client
from tests.support.phone import Clock, Phone, refusal

FACTORS, CODES = "/me/factors", "POST /me/factors/recovery-codes"


@pytest.fixture
def token(phone: Phone) -> str:
    """The access token of a session of minutes ago."""
    token: str = phone.sign_up()["access_token"]
    return token


@pytest.fixture
def app(phone: Phone, token: str, clock: Clock) -> CodeApp:
    """An app for codes that is the account's."""
    return enrol(phone, token, clock)


def new_codes(phone: Phone, token: str) -> list[str]:
    answer = phone.call(CODES, token=token)
    assert answer.status == 201, answer.body
    codes: list[str] = answer.json()["codes"]
    return codes


def left(phone: Phone, token: str) -> int | None:
    """How many the account says are left."""
    factors = phone.call(f"GET {FACTORS}", token=token).json()["factors"]
    counts = [each["codes_left"] for each in factors if each["kind"] == "recovery_code"]
    return counts[0] if counts else None


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("name", LOGIN_CLIENTS)
def test_each_of_ten_codes_logs_in_once_and_is_never_the_first_that_is_offered(
    phone: Phone, token: str, svc: Services, name: str
) -> None:
    at = login_client(name, svc, phone)
    codes = new_codes(phone, token)
    assert len(set(codes)) == 10
    for number, code in enumerate(codes, 1):
        first = at.password()
        assert first.json()["factors"] == ["totp", "recovery_code"]
        login = at.token(first)
        typed = code.upper().replace("-", " ") if number % 2 else code
        claims = peek(at.access_token(at.prove(login, "recovery_code", typed)))[1]
        assert (claims["amr"], claims["acr"]) == (["pwd", "otp", "mfa"], "aal2")
        assert left(phone, token) == 10 - number
        if number == 1:
            assert at.error(at.prove(at.token(at.password()), "recovery_code", code)) == at.wrong
    assert at.error(at.prove(at.token(at.password()), "recovery_code", codes[0])) == at.wrong


@pytest.mark.usefixtures("app")
def test_of_many_who_use_one_code_at_once_one_logs_in(phone: Phone, token: str, svc: Services) -> None:
    codes = new_codes(phone, token)
    at = login_client("json", svc, phone)
    logins = [at.token(at.password()) for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda login: at.prove(login, "recovery_code", codes[3]), logins))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401, 401]
    assert left(phone, token) == 9


@pytest.mark.usefixtures("app")
def test_new_codes_replace_all_that_there_were(phone: Phone, token: str, svc: Services) -> None:
    old, new = new_codes(phone, token), new_codes(phone, token)
    at: LoginClient = login_client("json", svc, phone)
    assert left(phone, token) == 10
    login = at.token(at.password())
    assert at.error(at.prove(login, "recovery_code", old[0])) == at.wrong
    assert at.access_token(at.prove(login, "recovery_code", new[0]))


@pytest.mark.usefixtures("app")
def test_no_code_is_stored_or_shown_again(phone: Phone, token: str, svc: Services) -> None:
    codes = new_codes(phone, token)
    stored = str(svc.users._client.call("Scan", TableName=svc.settings.users_table)["Items"])
    listing = phone.call(f"GET {FACTORS}", token=token).body.decode()
    for code in codes:
        for text in (code, code.replace("-", "")):
            assert text not in stored
            assert text not in listing


def test_an_account_without_a_factor_that_they_stand_in_for_gets_none(phone: Phone, token: str) -> None:
    assert refusal(phone.call(CODES, token=token)) == (400, "invalid_request")
    assert refusal(phone.call(f"POST {FACTORS}", {"kind": "recovery_code"}, token=token)) == (400, "invalid_request")


@pytest.mark.usefixtures("app")
def test_they_go_with_the_last_factor_that_they_stand_in_for(phone: Phone, token: str, svc: Services) -> None:
    new_codes(phone, token)
    (app_id,) = [
        each["id"] for each in phone.call(f"GET {FACTORS}", token=token).json()["factors"] if each["kind"] == "totp"
    ]
    assert phone.call(f"DELETE {FACTORS}/{app_id}", token=token).status == 204
    assert phone.call(f"GET {FACTORS}", token=token).json()["factors"] == []
    assert phone.log_in()
    stored = svc.users._client.call("Scan", TableName=svc.settings.users_table)["Items"]
    assert not [item for item in stored if item["sk"]["S"].startswith("factor#")]


def test_they_can_be_removed_by_themselves(phone: Phone, token: str, app: CodeApp, clock: Clock) -> None:
    new_codes(phone, token)
    (codes_id,) = [
        each["id"]
        for each in phone.call(f"GET {FACTORS}", token=token).json()["factors"]
        if each["kind"] == "recovery_code"
    ]
    assert phone.call(f"DELETE {FACTORS}/{codes_id}", token=token).status == 204
    assert left(phone, token) is None
    clock.advance(30)
    assert log_in(phone, "totp", app.code())


@pytest.mark.usefixtures("app")
def test_the_codes_of_one_account_are_none_of_another(phone: Phone, token: str, svc: Services, clock: Clock) -> None:
    codes = new_codes(phone, token)
    other = phone.sign_up("bob@example.com")["access_token"]
    enrol(phone, other, clock)
    new_codes(phone, other)
    at = login_client("json", svc, phone)
    login = phone.call("POST /login", {"email": "bob@example.com", "password": "correct horse battery staple"}).json()
    assert at.error(at.prove(login["mfa_token"], "recovery_code", codes[0])) == at.wrong


@pytest.mark.usefixtures("app")
def test_guesses_at_codes_and_at_the_app_are_of_one_budget_at_every_endpoint(
    phone: Phone, token: str, svc: Services
) -> None:
    codes = new_codes(phone, token)
    free, _ = svc.settings.limits["factor_account_network"]
    clients = [login_client(name, svc, phone) for name in LOGIN_CLIENTS]
    for number in range(free):
        client = clients[number % len(clients)]
        factor = ("totp", "recovery_code")[number % 2]
        assert client.error(client.prove(client.token(client.password()), factor, "x")) == client.wrong
    for client in clients:
        answer = client.prove(client.token(client.password()), "recovery_code", codes[0])
        assert client.error(answer) == (429, "too_many_requests")
    assert left(phone, token) == 10  # not even used up
