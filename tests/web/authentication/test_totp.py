"""An app for codes: added by who has just logged in, and from then on asked for at every login, each code good once."""

import re
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest

from chalicelib.services import Services
from chalicelib.store import factors as store
from local.gateway import Answer
from tests.support import counter
from tests.support.code_app import CodeApp, begin, enrol, log_in
from tests.support.forge import peek
from tests.support.login_clients import LOGIN_CLIENTS, LoginClient, login_client
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal

FACTORS, CONFIRM = "/me/factors", "POST /me/factors/confirm"


@pytest.fixture
def token(phone: Phone) -> str:
    """The access token of a session of minutes ago, of an account with nothing but a password."""
    token: str = phone.sign_up()["access_token"]
    return token


@pytest.fixture
def app(phone: Phone, token: str, clock: Clock) -> CodeApp:
    """An app for codes that is the account's."""
    return enrol(phone, token, clock)


@pytest.fixture(params=LOGIN_CLIENTS)
def at(request: pytest.FixtureRequest, svc: Services, phone: Phone) -> LoginClient:
    """Each of the clients that log in."""
    return login_client(request.param, svc, phone)


def confirm(phone: Phone, token: str, text: str, answer: str, **more: object) -> Answer:
    return phone.call(CONFIRM, {"token": text, "answer": answer, **more}, token=token)


def test_what_is_shown_is_a_secret_of_160_bits_its_address_and_the_same_as_a_picture(
    phone: Phone, token: str, clock: Clock
) -> None:
    answer = phone.call(f"POST {FACTORS}", {"kind": "totp"}, token=token).json()
    challenge = answer["challenge"]
    app = CodeApp(challenge["uri"], clock)
    assert app.label == f"Latchkey:{EMAIL}"
    secret = challenge["secret"]
    expected = {"secret": secret, "issuer": "Latchkey", "algorithm": "SHA1", "digits": "6", "period": "30"}
    assert app.parameters == expected
    assert re.fullmatch("[A-Z2-7]{32}", secret)
    picture = ElementTree.fromstring(challenge["qr_svg"])  # noqa: S314 - our own
    assert picture.tag.endswith("svg")
    # All of it is seen at whatever size: 4 modules of margin on either side of a symbol of 4 n + 17 (ISO/IEC 18004).
    left, top, width, height = map(int, (picture.get("viewBox") or "").split())
    assert (left, top, width % 4, width) == (0, 0, 1, height)
    assert picture.get("width") is None
    assert "http" not in challenge["qr_svg"].replace("http://www.w3.org/2000/svg", "")
    again = phone.call(f"POST {FACTORS}", {"kind": "totp"}, token=token).json()
    assert again["challenge"]["secret"] != secret
    assert secret not in answer["token"]
    assert answer["expires_in"] == 600


def test_nothing_is_stored_of_an_app_that_is_not_confirmed(
    phone: Phone, token: str, clock: Clock, svc: Services
) -> None:
    text, app = begin(phone, token, clock)
    for wrong in ("000000" if app.code() != "000000" else "000001", "x", "123"):
        assert refusal(confirm(phone, token, text, wrong)) == (401, "invalid_credentials")
    stored = svc.users._client.call("Scan", TableName=svc.settings.users_table)["Items"]
    assert not [item for item in stored if item["sk"]["S"].startswith("factor#")]
    assert phone.log_in()


def test_a_confirmed_app_is_asked_for_at_every_endpoint(
    at: LoginClient, phone: Phone, token: str, clock: Clock
) -> None:
    app = enrol(phone, token, clock, "Ann's phone")
    (factor,) = phone.call(f"GET {FACTORS}", token=token).json()["factors"]
    assert (factor["kind"], factor["name"]) == ("totp", "Ann's phone")
    clock.advance(30)
    first = at.password()
    assert first.json()["factors"] == ["totp"]
    claims = peek(
        at.access_token(at.prove(at.token(first), "totp", f"Your code is {app.code()[:3]} {app.code()[3:]}!"))
    )
    assert (claims[1]["amr"], claims[1]["acr"]) == (["pwd", "otp", "mfa"], "aal2")


def test_the_code_that_confirms_an_app_is_used_up_by_that(
    at: LoginClient, phone: Phone, token: str, clock: Clock
) -> None:
    app = enrol(phone, token, clock)
    login = at.token(at.password())
    assert at.error(at.prove(login, "totp", app.code())) == at.wrong
    assert at.access_token(at.prove(login, "totp", app.code(1)))  # of a clock that is half a minute fast


@pytest.mark.usefixtures("token")
def test_a_code_is_good_in_one_login_and_so_are_those_before_it(app: CodeApp, phone: Phone, clock: Clock) -> None:
    clock.advance(300)
    assert log_in(phone, "totp", app.code())
    at = login_client("json", None, phone)  # type: ignore[arg-type]
    login = at.token(at.password())
    for steps in (0, -1):
        assert at.error(at.prove(login, "totp", app.code(steps))) == at.wrong
    assert at.access_token(at.prove(login, "totp", app.code(1)))


def test_of_a_code_that_is_sent_many_times_at_once_one_logs_in(
    app: CodeApp, phone: Phone, svc: Services, clock: Clock
) -> None:
    clock.advance(300)
    at = login_client("json", svc, phone)
    logins, code = [at.token(at.password()) for _ in range(4)], app.code()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda login: at.prove(login, "totp", code), logins))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]


def test_a_clock_may_be_half_a_minute_wrong_and_no_more(
    app: CodeApp, phone: Phone, clock: Clock, svc: Services
) -> None:
    clock.advance(3600)
    at = login_client("json", svc, phone)
    login = at.token(at.password())
    for steps in (-2, 2):
        assert at.error(at.prove(login, "totp", app.code(steps))) == at.wrong
    assert at.access_token(at.prove(login, "totp", app.code(-1)))


@pytest.mark.usefixtures("app")
def test_the_session_that_adds_an_app_has_proved_it_and_may_go_on(phone: Phone, token: str) -> None:
    codes = phone.call(f"POST {FACTORS}/recovery-codes", token=token)
    assert codes.status == 201
    assert len(codes.json()["codes"]) == 10


def test_another_session_that_only_knows_the_password_adds_and_changes_nothing(phone: Phone, clock: Clock) -> None:
    owner, thief = phone.sign_up()["access_token"], phone.log_in()["access_token"]
    text, thief_s_app = begin(phone, thief, clock)  # while there was no other factor
    enrol(phone, owner, clock)
    (factor,) = phone.call(f"GET {FACTORS}", token=owner).json()["factors"]
    assert refusal(confirm(phone, thief, text, thief_s_app.code())) == (401, "login_required")
    for line, body in (
        (f"POST {FACTORS}", {"kind": "totp"}),
        (f"POST {FACTORS}/recovery-codes", None),
        (f"DELETE {FACTORS}/{factor['id']}", None),
    ):
        assert refusal(phone.call(line, body, token=thief)) == (401, "login_required")
    assert phone.call(f"GET {FACTORS}", token=owner).json()["factors"] == [factor]


def test_a_stale_login_adds_nothing(phone: Phone, token: str, clock: Clock, svc: Services) -> None:
    clock.advance(svc.settings.fresh_login_seconds + 1)
    assert refusal(phone.call(f"POST {FACTORS}", {"kind": "totp"}, token=token)) == (401, "login_required")
    assert refusal(phone.call(f"POST {FACTORS}/recovery-codes", token=token)) == (401, "login_required")


def test_an_app_is_confirmed_in_the_session_that_began_it_for_its_account_while_that_is_as_it_was(
    phone: Phone, token: str, clock: Clock
) -> None:
    text, app = begin(phone, token, clock)
    other_session = phone.log_in()["access_token"]
    other_account = phone.sign_up("bob@example.com")["access_token"]
    for session in (other_session, other_account):
        assert refusal(confirm(phone, session, text, app.code())) == (401, "login_expired")
    for wrong in ("x", text[:-4], text + "A"):
        assert refusal(confirm(phone, token, wrong, app.code())) == (401, "login_expired")
    body = {"current_password": PASSWORD, "new_password": "an entirely other phrase 7"}
    assert phone.call("POST /me/password", body, token=token).status == 204
    assert refusal(confirm(phone, token, text, app.code())) == (401, "login_expired")
    text, app = begin(phone, token, clock)
    clock.advance(600)
    assert refusal(confirm(phone, token, text, app.code())) == (401, "login_expired")


def test_an_app_is_added_once_by_what_confirms_it_twice(phone: Phone, token: str, clock: Clock) -> None:
    text, app = begin(phone, token, clock)
    assert confirm(phone, token, text, app.code()).status == 201
    for _ in range(2):
        assert refusal(confirm(phone, token, text, app.code())) == (401, "login_expired")
        clock.advance(30)
    assert len(phone.call(f"GET {FACTORS}", token=token).json()["factors"]) == 1


def test_two_devices_that_add_an_app_at_once_have_one_each(phone: Phone, clock: Clock, svc: Services) -> None:
    sessions = [phone.sign_up()["access_token"], phone.log_in()["access_token"]]
    begun = [begin(phone, session, clock) for session in sessions]

    def add(place: int) -> Answer:
        text, app = begun[place]
        return confirm(phone, sessions[place], text, app.code())

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(add, range(2)))
    statuses = sorted(answer.status for answer in answers)
    # Whoever comes second is below the account's new level, or told to try again, which ends there.
    assert statuses[0] == 201
    assert statuses[1] in (401, 503)
    user = svc.users.read(peek(sessions[0])[1]["sub"])
    assert user
    assert len(user.factors) == 1
    assert [each.entry for each in svc.factors.of_user(user)] == list(user.factors)


def test_an_account_has_three_apps_at_most_and_any_of_them_logs_in(phone: Phone, token: str, clock: Clock) -> None:
    apps = []
    for number in range(3):
        apps.append(enrol(phone, token, clock, f"App {number}"))
        clock.advance(30)
    assert refusal(phone.call(f"POST {FACTORS}", {"kind": "totp"}, token=token)) == (409, "too_many_factors")
    for app in apps:
        clock.advance(30)
        assert log_in(phone, "totp", app.code())


def test_a_fourth_app_that_was_begun_before_is_refused_too(phone: Phone, token: str, clock: Clock) -> None:
    text, app = begin(phone, token, clock)
    for _ in range(3):
        enrol(phone, token, clock)
    assert refusal(confirm(phone, token, text, app.code())) == (409, "too_many_factors")


@pytest.mark.parametrize("kind", ["password", "recovery_code", "", "TOTP", "totp ", "profile"])
def test_what_is_no_kind_that_can_be_added_is_refused(phone: Phone, token: str, kind: str) -> None:
    assert refusal(phone.call(f"POST {FACTORS}", {"kind": kind}, token=token)) == (400, "invalid_request")


def test_a_body_that_leaves_something_out_changes_nothing(phone: Phone, token: str, app: CodeApp, clock: Clock) -> None:
    (factor,) = phone.call(f"GET {FACTORS}", token=token).json()["factors"]
    for line in (f"POST {FACTORS}", CONFIRM, f"PATCH {FACTORS}/{factor['id']}"):
        assert refusal(phone.call(line, {}, token=token)) == (400, "invalid_request")
    body = {"token": "x", "answer": app.code(), "totp": True}
    assert refusal(phone.call(CONFIRM, body, token=token)) == (400, "invalid_request")
    assert phone.call(f"GET {FACTORS}", token=token).json()["factors"] == [factor]
    clock.advance(30)
    assert log_in(phone, "totp", app.code())


def test_guesses_at_an_app_that_is_to_be_added_are_the_account_s_guesses(
    phone: Phone, token: str, clock: Clock, svc: Services
) -> None:
    free, _ = svc.settings.limits["factor_account_network"]
    text, app = begin(phone, token, clock)
    for _ in range(free):
        assert refusal(confirm(phone, token, text, "x")) == (401, "invalid_credentials")
    assert refusal(confirm(phone, token, text, app.code())) == (429, "too_many_requests")


def test_the_secret_is_not_in_the_table_and_is_good_for_its_own_account_alone(
    phone: Phone, token: str, app: CodeApp, svc: Services, clock: Clock
) -> None:
    uid = peek(token)[1]["sub"]
    user = svc.users.read(uid)
    assert user
    (factor,) = svc.factors.of_user(user)
    assert app.parameters["secret"] not in str(store.to_item(factor))
    other = phone.sign_up("bob@example.com")
    enrol(phone, other["access_token"], clock)
    bob = svc.users.read(other["user"]["sub"])
    assert bob
    (of_bob,) = svc.factors.of_user(bob)
    # Whoever can write to the table puts his own app into another's item: that is a fault, and no login.
    item = {**store.to_item(factor), "factor_record": {"S": of_bob.record}}
    svc.users._client.call("PutItem", TableName=svc.settings.users_table, Item=item)
    clock.advance(60)
    at = login_client("json", svc, phone)
    answer = at.prove(at.token(at.password()), "totp", app.code())
    assert answer.status == 500


def test_a_secret_is_read_when_all_keys_of_its_time_are_gone(
    phone: Phone, app: CodeApp, svc: Services, clock: Clock
) -> None:
    from chalicelib.flows.platform import keys

    clock.advance(400 * 24 * 3600)
    keys.rotate(svc, lead=0, at_once=True)
    for key in svc.keys.read(clock()).refresh[:-1]:
        svc.keys.delete("refresh", key.number)
    svc.keys.read(clock())
    assert log_in(phone, "totp", app.code())


def test_an_app_that_was_removed_between_the_question_and_the_answer_counts_for_nothing(
    phone: Phone, token: str, clock: Clock, svc: Services
) -> None:
    first, second = enrol(phone, token, clock, "old"), enrol(phone, token, clock, "new")
    clock.advance(60)
    at = login_client("json", svc, phone)
    login = at.token(at.password())
    old, new = phone.call(f"GET {FACTORS}", token=token).json()["factors"]
    if (old["name"], new["name"]) != ("old", "new"):
        old, new = new, old
    assert phone.call(f"DELETE {FACTORS}/{old['id']}", token=token).status == 204
    assert at.error(at.prove(login, "totp", first.code())) == at.wrong
    assert at.access_token(at.prove(login, "totp", second.code()))
    login = at.token(at.password())
    assert phone.call(f"DELETE {FACTORS}/{new['id']}", token=token).status == 204
    assert at.error(at.prove(login, "totp", second.code(1))) == at.over
    assert phone.log_in()


def test_the_one_that_is_made_for_tests_is_added_as_every_other(phone: Phone, token: str) -> None:
    with counter.installed():
        begun = phone.call(f"POST {FACTORS}", {"kind": "counter"}, token=token).json()
        assert begun["challenge"] == {"hint": "count from nought"}
        uid = peek(token)[1]["sub"]
        assert refusal(confirm(phone, token, begun["token"], "x")) == (401, "invalid_credentials")
        assert confirm(phone, token, begun["token"], counter.code(uid, 0), name="Mine").json()["name"] == "Mine"
        listed = phone.call(f"GET {FACTORS}", token=token).json()
        assert [each["kind"] for each in listed["factors"]] == ["counter"]
        assert {"totp", "counter"} <= set(listed["kinds"])
        assert log_in(phone, "counter", counter.code(uid, 1))
