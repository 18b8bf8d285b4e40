"""Which passwords may be chosen, and that every refusal says by which rule, to apps and on pages."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config import Settings
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import Browser, register
from tests.support.internet import Internet, Page
from tests.support.phone import EMAIL, PASSWORD, Phone, installed, refusal

SECOND, THIRD, FOURTH = "an entirely other phrase 7", "velvet tram over Lisbon 8", "k7#Qm!x2Lp9v"
URL = "https://app.example/range/"
WEAK = (422, "weak_password")
GUESSABLE, SHORT, PROFILE = "qwertyuiop", "Ab3$x", "ann.example87"


@contextmanager
def deployment(svc: Services, internet: Internet, **settings: Any) -> Iterator[None]:
    with installed(replace(svc, settings=replace(svc.settings, **settings), fetch=internet.fetch())):
        yield


def publish(internet: Internet, password: str, *, count: str = "3", status: int = 200) -> str:
    """Has a list of breached passwords say how often it has one; gives the path that it is asked at."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    lines = ["0" * 35 + ":1", f"{digest[5:]}:{count}", "F" * 35 + ":0"]
    internet.pages[URL + digest[:5]] = Page("\r\n".join(lines).encode(), status)
    return f"/range/{digest[:5]}"


def change(phone: Phone, access: str, old: str, new: str) -> Answer:
    return phone.call("POST /me/password", {"current_password": old, "new_password": new}, token=access)


def rule(answer: Answer) -> str:
    assert refusal(answer) == WEAK
    return str(answer.json()["rule"])


@pytest.mark.parametrize(
    ("password", "broken"),
    [(SHORT, "short"), (GUESSABLE, "guessable"), (PROFILE, "profile"), ("Ann Smith 1999", "profile")],
)
def test_a_refusal_says_which_rule_a_password_breaks(phone: Phone, password: str, broken: str) -> None:
    account = {"email": "ann.example@mail.example", "name": "Ann Smith"}
    assert rule(phone.call("POST /signup", {**account, "password": password})) == broken
    tokens = phone.call("POST /signup", {**account, "password": PASSWORD}).json()
    assert rule(change(phone, tokens["access_token"], PASSWORD, password)) == broken


def test_what_an_account_says_of_its_user_is_no_password(phone: Phone) -> None:
    access = phone.sign_up()["access_token"]
    assert phone.call("PATCH /me", {"nickname": "Bluebird Bicycle"}, token=access).status == 200
    assert rule(change(phone, access, PASSWORD, "bluebird-bicycle-99")) == "profile"


ON_PAGES = {
    SHORT: "It needs at least 8 characters.",
    GUESSABLE: "too easy to guess",
    "annexample1999": "hardly more than your address or your name",
    SECOND: "stolen elsewhere",
}


@pytest.mark.parametrize("password", ON_PAGES)
def test_a_person_reads_at_the_field_what_is_wrong_with_a_password(
    svc: Services, phone: Phone, internet: Internet, password: str
) -> None:
    publish(internet, SECOND)
    with deployment(svc, internet, breached_passwords_url=URL):
        browser = Browser(phone)
        page = browser.authorize(register(svc, phone), prompt="create")
        page = browser.submit(page, "/authorize/signup", email=EMAIL, password=password, name="")
        assert ON_PAGES[password].encode() in page.body
        assert b'aria-invalid="true" aria-describedby="password-error password-hint"' in page.body


def test_a_deployment_chooses_how_hard_to_guess_a_password_has_to_be(svc: Services, phone: Phone) -> None:
    def status(score: int, password: str) -> int:
        with installed(replace(svc, settings=replace(svc.settings, password_score=score))):
            return phone.call("POST /signup", {"email": "bob@example.com", "password": password}).status

    assert status(4, "velvet9tram") == 422  # zxcvbn's 3
    assert status(3, GUESSABLE) == 422
    assert status(0, SHORT) == 422
    assert status(0, GUESSABLE) == 201


# The last ones of the account
def test_the_last_three_passwords_do_not_come_back(svc: Services, phone: Phone) -> None:
    with installed(replace(svc, settings=replace(svc.settings, password_history=3))):
        access = phone.sign_up()["access_token"]
        assert rule(change(phone, access, PASSWORD, PASSWORD)) == "reused"
        assert change(phone, access, PASSWORD, SECOND).status == 204
        access = phone.log_in(password=SECOND)["access_token"]
        assert change(phone, access, SECOND, THIRD).status == 204
        access = phone.log_in(password=THIRD)["access_token"]
        for old in (PASSWORD, SECOND, THIRD):
            assert rule(change(phone, access, THIRD, old)) == "reused"
        assert change(phone, access, THIRD, FOURTH).status == 204
        access = phone.log_in(password=FOURTH)["access_token"]
        assert change(phone, access, FOURTH, PASSWORD).status == 204


def test_no_more_is_remembered_than_the_deployment_says(svc: Services, phone: Phone) -> None:
    uid, old = phone.sign_up()["user"]["sub"], PASSWORD
    for number, (most, kept) in enumerate([(0, 0), (3, 1), (3, 2), (3, 2), (2, 1), (1, 0), (3, 1), (0, 0)]):
        new = f"{SECOND} {number}"
        with installed(replace(svc, settings=replace(svc.settings, password_history=most))):
            assert change(phone, phone.log_in(password=old)["access_token"], old, new).status == 204
        user, old = svc.users.read(uid), new
        assert user
        assert len(user.previous_password_hashes) == kept


# Lists of breached passwords
def by_sign_up(phone: Phone) -> Answer:
    return phone.call("POST /signup", {"email": "bob@example.com", "password": SECOND})


def by_change(phone: Phone) -> Answer:
    return change(phone, phone.sign_up()["access_token"], PASSWORD, SECOND)


BY = pytest.mark.parametrize("choose", [by_sign_up, by_change])


@BY
def test_a_breached_password_is_refused_and_the_list_learns_five_digits_of_its_digest(
    svc: Services, phone: Phone, internet: Internet, choose: Callable[[Phone], Answer]
) -> None:
    path = publish(internet, SECOND)
    with deployment(svc, internet, breached_passwords_url=URL):
        assert rule(choose(phone)) == "breached"
    request = internet.requests[-1]
    assert request.line == f"GET {path}"
    assert (request.headers["add-padding"], request.body) == ("true", b"")
    assert SECOND not in str(request.headers)


@BY
def test_the_padding_of_an_answer_is_no_breach(
    svc: Services, phone: Phone, internet: Internet, choose: Callable[[Phone], Answer]
) -> None:
    publish(internet, SECOND, count="0")
    with deployment(svc, internet, breached_passwords_url=URL):
        assert choose(phone).status in (201, 204)


@BY
@pytest.mark.parametrize("how", ["unreachable", "refuses", "endless"])
def test_a_list_that_does_not_answer_stops_nobody_and_the_log_says_so(
    svc: Services,
    phone: Phone,
    internet: Internet,
    capsys: pytest.CaptureFixture[str],
    choose: Callable[[Phone], Answer],
    how: str,
) -> None:
    path = publish(internet, SECOND, status=503 if how == "refuses" else 200)
    if how == "endless":
        internet.pages[f"https://app.example{path}"] = Page(b"x" * 100_000)
    if how == "unreachable":
        internet.addresses["app.example"] = ["127.0.0.1"]
    with deployment(svc, internet, breached_passwords_url=URL):
        assert choose(phone).status in (201, 204)
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [note.partition(":")[0] for note in line["notes"]] == ["breached passwords"]
    phone.call("GET /.well-known/jwks.json")
    assert "notes" not in json.loads(capsys.readouterr().out.splitlines()[-1])


def test_no_list_is_asked_unless_the_deployment_names_one(
    svc: Services, phone: Phone, internet: Internet, settings: Settings
) -> None:
    assert settings.breached_passwords_url == ""
    with deployment(svc, internet):
        assert by_sign_up(phone).status == 201
    assert internet.requests == []


def test_a_login_asks_no_list(svc: Services, phone: Phone, internet: Internet) -> None:
    phone.sign_up()
    with deployment(svc, internet, breached_passwords_url=URL):
        phone.log_in()
    assert internet.requests == []
