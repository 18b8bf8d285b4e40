import pytest

from chalicelib.services import Services
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal


def test_a_phone_signs_up_logs_in_refreshes_and_logs_out(phone: Phone) -> None:
    signed_up = phone.sign_up(name="Ann", device="Pixel 9")
    assert signed_up["user"]["email"] == EMAIL
    logged_in = phone.log_in(device="Tablet")
    assert phone.call("GET /me", token=logged_in["access_token"]).json() == signed_up["user"]
    refreshed = phone.refresh(logged_in["refresh_token"])
    assert phone.call("GET /me", token=refreshed["access_token"]).status == 200
    assert phone.call("POST /logout", {"refresh_token": refreshed["refresh_token"]}).status == 204
    assert refusal(phone.call("POST /refresh", {"refresh_token": refreshed["refresh_token"]})) == (401, "invalid_grant")


def test_the_device_list_names_each_session_and_marks_this_one(phone: Phone, clock: Clock) -> None:
    first = phone.sign_up(device="Pixel 9")
    clock.advance(60)
    phone.log_in(device="Tablet")
    clock.advance(60)
    second = phone.refresh(first["refresh_token"])
    sessions = phone.call("GET /me/sessions", token=second["access_token"]).json()["sessions"]
    devices = [(s["device"], s["created_at"], s["last_used_at"], s["current"]) for s in sessions]
    now = clock()
    assert devices == [("Pixel 9", now - 120, now, True), ("Tablet", now - 60, now - 60, False)]


def test_the_session_that_asks_comes_first_even_where_all_were_used_in_the_same_second(phone: Phone) -> None:
    logins = [phone.sign_up(), phone.log_in(), phone.log_in()]
    for login in logins:
        sessions = phone.call("GET /me/sessions", token=login["access_token"]).json()["sessions"]
        assert [session["current"] for session in sessions] == [True, False, False]


def test_ending_one_session_ends_that_one_alone(phone: Phone) -> None:
    first, second = phone.sign_up(), phone.log_in()
    sessions = phone.call("GET /me/sessions", token=first["access_token"]).json()["sessions"]
    (other,) = [s["id"] for s in sessions if not s["current"]]
    assert phone.call(f"DELETE /me/sessions/{other}", token=first["access_token"]).status == 204
    assert refusal(phone.call("POST /refresh", {"refresh_token": second["refresh_token"]})) == (401, "invalid_grant")
    assert refusal(phone.call("GET /me", token=second["access_token"])) == (401, "invalid_token")
    assert phone.refresh(first["refresh_token"])


def test_ending_all_other_sessions_keeps_this_one(phone: Phone) -> None:
    first, second, third = phone.sign_up(), phone.log_in(), phone.log_in()
    assert phone.call("DELETE /me/sessions", token=second["access_token"]).status == 204
    for session in (first, third):
        assert refusal(phone.call("POST /refresh", {"refresh_token": session["refresh_token"]})) == (
            401,
            "invalid_grant",
        )
    assert phone.refresh(second["refresh_token"])


def test_a_new_password_ends_every_other_session(phone: Phone) -> None:
    first, second = phone.sign_up(), phone.log_in()
    change = {"current_password": PASSWORD, "new_password": "an entirely other phrase 7"}
    assert phone.call("POST /me/password", change, token=first["access_token"]).status == 204
    assert refusal(phone.call("POST /refresh", {"refresh_token": second["refresh_token"]})) == (401, "invalid_grant")
    assert phone.refresh(first["refresh_token"])
    old = {"email": EMAIL, "password": PASSWORD}
    assert refusal(phone.call("POST /login", old)) == (401, "invalid_credentials")
    assert phone.log_in(password="an entirely other phrase 7")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"current_password": "not it", "new_password": "an entirely other phrase 7"}, (401, "invalid_credentials")),
        ({"current_password": PASSWORD, "new_password": "password1"}, (422, "weak_password")),
        ({"current_password": PASSWORD, "new_password": "Ab3$x"}, (422, "weak_password")),
        ({"current_password": PASSWORD, "new_password": "x" * 257}, (400, "invalid_request")),
    ],
)
def test_a_refused_password_change_changes_nothing(
    phone: Phone, change: dict[str, str], expected: tuple[int, str]
) -> None:
    first, second = phone.sign_up(), phone.log_in()
    assert refusal(phone.call("POST /me/password", change, token=first["access_token"])) == expected
    assert phone.refresh(second["refresh_token"])
    assert phone.log_in()


def test_the_profile_name_can_be_changed(phone: Phone, clock: Clock) -> None:
    session = phone.sign_up(name="Ann")
    answer = phone.call("PATCH /me", {"name": "Ann Ä."}, token=session["access_token"])
    assert answer.json() == {**session["user"], "name": "Ann Ä.", "updated_at": clock()}
    assert phone.call("GET /me", token=session["access_token"]).json()["name"] == "Ann Ä."


def test_deleting_the_account_needs_the_password_or_a_fresh_login(phone: Phone, clock: Clock) -> None:
    phone.sign_up()
    session = phone.log_in()
    clock.advance(6 * 60)
    access = phone.refresh(session["refresh_token"])["access_token"]
    assert refusal(phone.call("DELETE /me", token=access)) == (401, "login_required")
    assert refusal(phone.call("DELETE /me", {"password": "wrong"}, token=access)) == (401, "invalid_credentials")
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=access).status == 204


def test_deleting_the_account_frees_the_address_and_ends_every_session(phone: Phone) -> None:
    session, other = phone.sign_up(), phone.log_in()
    assert phone.call("DELETE /me", token=session["access_token"]).status == 204
    for each in (session, other):
        assert refusal(phone.call("POST /refresh", {"refresh_token": each["refresh_token"]})) == (401, "invalid_grant")
        assert refusal(phone.call("GET /me", token=each["access_token"])) == (401, "invalid_token")
    login = phone.call("POST /login", {"email": EMAIL, "password": PASSWORD})
    assert refusal(login) == (401, "invalid_credentials")
    assert phone.sign_up()["user"]["sub"] != session["user"]["sub"]


def test_verify_knows_a_live_token_from_a_dead_one(phone: Phone) -> None:
    session = phone.sign_up()
    answer = phone.call("POST /verify", {"token": session["access_token"]}).json()
    assert answer["active"] is True
    assert answer["claims"]["sub"] == session["user"]["sub"]
    phone.call("POST /logout", {"refresh_token": session["refresh_token"]})
    assert phone.call("POST /verify", {"token": session["access_token"]}).json() == {"active": False}


def test_an_erased_account_leaves_nothing_of_what_it_agreed_to(phone: Phone, svc: Services) -> None:
    session, other = phone.sign_up(), phone.sign_up("bob@example.com")["user"]["sub"]
    uid = session["user"]["sub"]
    owner, bob = svc.users.read(uid), svc.users.read(other)
    assert owner
    assert bob
    for client_id in ("one", "two", "https://app.example/a#b"):
        assert svc.clients.remember_consent(owner, client_id, ("openid",), since=0, now=svc.now())
    assert svc.clients.remember_consent(bob, "one", ("openid",), since=0, now=svc.now())
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=session["access_token"]).status == 204
    assert not any(
        svc.clients.consent(uid, client_id, since=0) for client_id in ("one", "two", "https://app.example/a#b")
    )
    assert svc.clients.consent(other, "one", since=0)
