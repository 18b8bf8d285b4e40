"""Work that strangers show, and a day's budget of hashes, in front of the hash of their guesses."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest

from chalicelib.domain.authentication import proof_of_work
from chalicelib.flows.accounts import mailed_signup
from chalicelib.flows.platform import limits
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import passkey_sign_up, wire
from tests.support.authenticator import Authenticator
from tests.support.browser import Browser, callback_params, forms, register
from tests.support.login_clients import REQUEST, FirstParty, login_client
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

RIGHT = {"email": EMAIL, "password": PASSWORD}
WRONG = {"email": EMAIL, "password": "not my password"}
WORK = "proof_of_work_required"
VECTORS = [("1", 1), ("44", 4), ("167", 8), ("417", 7)]


@contextmanager
def deployment(svc: Services, mode: str, hashes: int = 0, bits: int = 4) -> Iterator[None]:
    settings = replace(svc.settings, proof_of_work=mode, daily_hashes=hashes, proof_of_work_bits=bits)
    with installed(replace(svc, settings=settings)):
        yield


def done(challenge: str, bits: int) -> str:
    """The answer, as whoever reads the documents finds it."""
    for number in count():
        digest = hashlib.sha256(f"{challenge}.{number}".encode()).hexdigest()
        if int(digest, 16) < 1 << (256 - bits):
            return f"{challenge}.{number}"
    raise AssertionError


def work_of(answer: Answer) -> tuple[str, int]:
    assert (answer.status, answer.json()["error"]) == (401, WORK)
    work = answer.json()["proof_of_work"]
    return work["challenge"], work["bits"]


def log_in(phone: Phone, body: dict[str, str] = RIGHT, **more: str) -> Answer:
    return phone.call("POST /login", {**body, **more})


def fresh(phone: Phone) -> str:
    return done(*work_of(log_in(phone)))


# By sha256sum of coreutils: the first number whose digest begins with so many zero bits, and how it begins.
@pytest.mark.parametrize(("number", "bits"), VECTORS)
def test_work_is_a_digest_that_begins_with_so_many_zero_bits(number: str, bits: int) -> None:
    assert proof_of_work.is_done("hello", number, bits=bits)
    assert not proof_of_work.is_done("hello", number, bits=bits + 1)


@pytest.mark.parametrize("number", ["", "-1", "1.0", "٣", "1" * 21, "\ud800", "0x1"])
def test_what_is_no_number_is_no_work(number: str) -> None:
    assert not proof_of_work.is_done("hello", number, bits=1)


def test_a_stranger_works_before_a_password_is_looked_at(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    with deployment(svc, "on"):
        with wire.watched(svc) as traffic:
            for body in (RIGHT, WRONG, {**RIGHT, "email": "nobody@example.com"}):
                work_of(log_in(phone, body))
        assert traffic.calls == []  # a flood of guesses without work costs no call
        assert log_in(phone, proof_of_work=fresh(phone)).status == 200
        wrong = log_in(phone, WRONG, proof_of_work=fresh(phone))
        assert (wrong.status, wrong.json()["error"]) == (401, "invalid_credentials")


def test_work_is_good_once_and_also_for_many_at_once(svc: Services, phone: Phone, clock: Clock) -> None:
    phone.sign_up()
    with deployment(svc, "on"):
        for body, status in ((RIGHT, 200), (WRONG, 401)):
            answer = fresh(phone)
            assert log_in(phone, body, proof_of_work=answer).status == status
            for again in (RIGHT, WRONG, {**WRONG, "email": "bob@example.com"}):
                work_of(log_in(phone, again, proof_of_work=answer))
        answer = fresh(phone)
        clock.advance(599)
        assert log_in(phone, proof_of_work=answer).status == 200
        work_of(log_in(phone, proof_of_work=answer))


def test_work_is_of_a_challenge_of_ours_that_is_not_too_old(svc: Services, phone: Phone, clock: Clock) -> None:
    phone.sign_up()
    with deployment(svc, "on", bits=12):
        challenge, bits = work_of(log_in(phone))
        good = done(challenge, bits)
        number = good.rpartition(".")[2]
        for bad in (
            "",
            ".",
            challenge,
            f"{challenge}.{int(number) + 1}",
            done("x", 12),
            f"{good}.{number}",
            f"{good}0",
        ):
            work_of(log_in(phone, proof_of_work=bad))
        clock.advance(600)
        work_of(log_in(phone, proof_of_work=good))


def test_a_challenge_of_before_a_setting_changed_is_as_hard_as_it_was(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    with deployment(svc, "on", bits=4):
        answer = fresh(phone)
    with deployment(svc, "on", bits=20):
        assert log_in(phone, proof_of_work=answer).status == 200


def test_a_refused_guess_does_not_use_up_the_work(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    for _ in range(5):
        assert log_in(phone, WRONG).status == 401
    with deployment(svc, "on"):
        answer = fresh(phone)
        assert log_in(phone, proof_of_work=answer).status == 429
        phone.address = "203.0.113.9"
        assert log_in(phone, proof_of_work=answer).status == 200


def test_an_app_with_a_form_of_its_own_works_too(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    app = login_client("first-party", svc, phone)
    assert isinstance(app, FirstParty)
    with deployment(svc, "on"):
        challenge, bits = work_of(app.password())
        answer = app.send(**REQUEST, **RIGHT, proof_of_work=done(challenge, bits))
    assert answer.status == 200


# The day's budget
def use_up(phone: Phone, most: int) -> None:
    for number in range(most * 20):
        phone.address = f"10.0.{number >> 8}.{number & 255}"
        log_in(phone, {**WRONG, "email": f"user{number}@example.com"})


@pytest.fixture
def one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget in one part, so that a test can say when it is used up."""
    monkeypatch.setattr(limits, "BUDGET_PARTS", 1)


@pytest.mark.usefixtures("one_part")
def test_a_budget_of_hashes_ends_with_the_day_and_right_passwords_use_none_of_it(
    svc: Services, phone: Phone, clock: Clock
) -> None:
    access = phone.sign_up()["access_token"]
    with deployment(svc, "off", hashes=4):
        for _ in range(8):
            assert log_in(phone).status == 200
        device = log_in(phone).json()["device_token"]
        use_up(phone, 1)
        phone.address = "198.51.100.9"
        answer = log_in(phone)
        assert (answer.status, answer.json()["error"]) == (429, "too_many_requests")
        # A device that the account knows, and who is logged in, go on.
        assert log_in(phone, device_token=device).status == 200
        change = {"current_password": PASSWORD, "new_password": PASSWORD}
        assert phone.call("POST /me/password", change, token=access).status == 204
        clock.advance(int(answer.header("Retry-After") or 0))
        assert log_in(phone).status == 200


@pytest.mark.usefixtures("one_part")
def test_a_deployment_under_attack_asks_for_work_once_the_budget_is_used_up(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    with deployment(svc, "under_attack", hashes=4):
        assert log_in(phone).status == 200
        use_up(phone, 1)
        phone.address = "198.51.100.9"
        answer = fresh(phone)
        assert log_in(phone, WRONG, proof_of_work=answer).status == 401
        assert log_in(phone, proof_of_work=fresh(phone)).status == 200


def test_no_part_of_the_budget_is_every_guesss(svc: Services, phone: Phone) -> None:
    with deployment(svc, "off", hashes=100_000):
        use_up(phone, 2)
    items = svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"]
    parts = [int(item["attempts"]["N"]) for item in items if 1 < int(item.get("attempts", {"N": "0"})["N"]) < 30]
    assert len(parts) >= 8


# Pages
def test_a_browser_works_on_a_page_before_it_shows_the_login_form(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    with deployment(svc, "on"):
        browser, app = Browser(phone), register(svc, phone, first_party=True)
        page = browser.authorize(app)
        form = forms(page)["/authorize/work"]
        assert b"This needs JavaScript" in page.body
        answer = done(form.hidden["challenge"], 4)
        page = browser.submit(page, "/authorize/work", number="no number")
        form = forms(page)["/authorize/work"]
        answer = done(form.hidden["challenge"], 4)
        page = browser.submit(page, "/authorize/work", number=answer.rpartition(".")[2])
        page = browser.submit(page, "/authorize/login", **WRONG)
        # The work is used up: there is new one before the form says what was wrong.
        form = forms(page)["/authorize/work"]
        page = browser.submit(page, "/authorize/work", number=done(form.hidden["challenge"], 4).rpartition(".")[2])
        assert b"The e-mail address or the password is wrong." in page.body
        page = browser.submit(page, "/authorize/login", **RIGHT)
        assert callback_params(page)["code"]


@pytest.mark.usefixtures("one_part")
def test_a_browser_under_attack_is_led_to_the_work_and_back(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    with deployment(svc, "under_attack", hashes=4):
        browser, app = Browser(phone), register(svc, phone, first_party=True)
        page = browser.authorize(app)
        use_up(phone, 1)
        phone.address = "198.51.100.9"
        page = browser.submit(page, "/authorize/login", **RIGHT)
        form = forms(page)["/authorize/work"]
        page = browser.submit(page, "/authorize/work", number=done(form.hidden["challenge"], 4).rpartition(".")[2])
        browser.submit(page, "/authorize/login", **RIGHT)
        assert any("session" in name for name in browser.cookies)


# A sign-up, which has a stranger's password hashed as a login has
NEW = {"email": "new@example.com", "password": PASSWORD}


def sign_up(phone: Phone, number: int = 0, **more: str) -> Answer:
    """A new account, each from a network of its own."""
    phone.address = f"10.1.{number >> 8}.{number & 255}"
    return phone.call("POST /signup", {**NEW, "email": f"new{number}@example.com", **more})


def test_a_stranger_works_before_an_account_is_made(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    with deployment(svc, "on"):
        with wire.watched(svc) as traffic:
            work_of(sign_up(phone))
        assert traffic.calls == []
        answer = done(*work_of(sign_up(phone)))
        assert sign_up(phone, proof_of_work=answer).status == 201
        work_of(sign_up(phone, 1, proof_of_work=answer))
        work_of(log_in(phone, proof_of_work=answer))  # and it is no login's either
        # What is refused before the hash costs new work all the same: zxcvbn has judged it.
        answer = done(*work_of(sign_up(phone, 2)))
        assert sign_up(phone, 2, password="password", proof_of_work=answer).status == 422
        work_of(sign_up(phone, 2, proof_of_work=answer))


@pytest.mark.usefixtures("one_part")
def test_sign_ups_use_up_the_budget_of_hashes_and_end_with_it(svc: Services, phone: Phone, clock: Clock) -> None:
    device = phone.sign_up()["device_token"]
    with deployment(svc, "off", hashes=4):
        for number in range(8):
            assert sign_up(phone, number, password="password").status == 422  # nothing was hashed
        made = [sign_up(phone, number) for number in range(3)]
        assert [answer.status for answer in made] == [201] * 3
        assert sign_up(phone, 0).status == 409  # whose password was hashed as well
        refused = sign_up(phone, 5)
        assert (refused.status, refused.json()["error"]) == (429, "too_many_requests")
        assert svc.users.find("new5@example.com") is None
        assert log_in(phone).status == 429
        assert log_in(phone, device_token=device).status == 200
        clock.advance(int(refused.header("Retry-After") or 0))
        assert sign_up(phone, 5).status == 201


@pytest.mark.usefixtures("one_part")
def test_in_a_flood_of_sign_ups_whoever_works_gets_an_account_and_logs_in(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    with deployment(svc, "under_attack", hashes=3):
        for number in range(3):
            assert sign_up(phone, number).status == 201
        for number in range(3, 5):
            answer = done(*work_of(sign_up(phone, number)))
            assert sign_up(phone, number, proof_of_work=answer).status == 201
        assert log_in(phone, proof_of_work=fresh(phone)).status == 200


@pytest.mark.usefixtures("one_part")
def test_a_guest_is_a_stranger_to_the_hash_of_its_password(svc: Services, phone: Phone) -> None:
    with deployment(replace(svc, settings=replace(svc.settings, guests=True)), "under_attack", hashes=1):
        guests = [phone.call("POST /signup/guest").json()["access_token"] for _ in range(2)]
        bodies = [{**NEW, "email": f"guest{number}@example.com"} for number in range(2)]
        assert phone.call("POST /me/upgrade", bodies[0], token=guests[0]).status == 200
        answer = done(*work_of(phone.call("POST /me/upgrade", bodies[1], token=guests[1])))
        work = {**bodies[1], "proof_of_work": answer}
        assert phone.call("POST /me/upgrade", work, token=guests[1]).status == 200


def test_a_mailed_link_has_few_passwords_hashed_from_however_many_networks(svc: Services, phone: Phone) -> None:
    most, _ = svc.settings.limits["sign_up_address"]
    link, other = (mailed_signup.link(svc, f"{name}@example.com") for name in ("ann", "bob"))
    statuses = []
    with deployment(svc, "on"):  # whoever has read a mail is asked for no work
        for number in range(most + 1):
            phone.address = f"10.2.0.{number}"
            statuses.append(phone.call("POST /signup/confirm", {"token": link, "password": PASSWORD}).status)
        assert statuses == [201, *[404] * (most - 1), 429]
        assert phone.call("POST /signup/confirm", {"token": other, "password": PASSWORD}).status == 201


def test_where_no_password_is_hashed_nobody_works(svc: Services, phone: Phone) -> None:
    with deployment(svc, "on"):
        token, options = passkey_sign_up.begin(phone)
        assert passkey_sign_up.confirm(phone, token, Authenticator().create(options)).status == 201
    with deployment(replace(svc, settings=replace(svc.settings, sign_up="verified", mail_from="a@id.example")), "on"):
        assert phone.call("POST /signup", NEW).status == 202
        assert "/authorize/signup" in forms(Browser(phone).get("/authorize/signup"))


def work_on(browser: Browser, page: Answer) -> Answer:
    """The page after that which works."""
    number = done(forms(page)["/authorize/work"].hidden["challenge"], 4).rpartition(".")[2]
    return browser.submit(page, "/authorize/work", number=number)


def test_a_browser_works_before_it_shows_the_sign_up_form(svc: Services, phone: Phone) -> None:
    with deployment(svc, "on"):
        browser, app = Browser(phone), register(svc, phone, first_party=True)
        page = work_on(browser, browser.authorize(app, prompt="create"))
        weak = browser.submit(page, "/authorize/signup", **{**NEW, "password": "password"})
        page = work_on(browser, weak)  # that of before was good for once
        assert b"easy to guess" in page.body
        assert forms(page)["/authorize/signup"].typed["email"] == NEW["email"]
        browser.submit(page, "/authorize/signup", **NEW)
        assert any("session" in name for name in browser.cookies)
        assert not any("work" in name for name in browser.cookies)


@pytest.mark.usefixtures("one_part")
def test_a_browser_that_signs_up_in_a_flood_is_led_to_the_work_and_back(svc: Services, phone: Phone) -> None:
    with deployment(svc, "under_attack", hashes=1):
        browser = Browser(phone)
        page = browser.get("/authorize/signup")
        sign_up(phone)
        page = work_on(browser, browser.submit(page, "/authorize/signup", **NEW, name="Ann"))
        assert b"Choose your password once more" in page.body
        typed = forms(page)["/authorize/signup"].typed
        assert (typed["email"], typed["name"], typed["password"]) == (NEW["email"], "Ann", "")
        browser.submit(page, "/authorize/signup", **NEW, name="Ann")
        assert any("session" in name for name in browser.cookies)


@pytest.mark.parametrize("field", ["next_form", "challenge"])
def test_what_the_work_was_for_is_not_the_browsers_to_change(svc: Services, phone: Phone, field: str) -> None:
    with deployment(svc, "on"):
        browser = Browser(phone)
        page = browser.get("/authorize/signup")
        hidden = forms(page)["/authorize/work"].hidden
        answer = browser.post("/authorize/work", {**hidden, field: "login", "number": "1"})
        assert "/authorize/work" not in forms(answer)
        assert not any("work" in name for name in browser.cookies)
