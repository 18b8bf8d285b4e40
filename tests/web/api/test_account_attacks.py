"""Attacks on accounts through the public endpoints."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from chalicelib.config import Settings
from chalicelib.domain.accounts import passwords
from chalicelib.domain.accounts.passwords import HashProfile
from chalicelib.domain.authentication.user_agent import UserAgent
from chalicelib.flows.accounts import signup
from chalicelib.flows.authentication import api_login
from chalicelib.flows.clients import own
from chalicelib.flows.platform import keys
from chalicelib.flows.sessions import live, refresh
from chalicelib.services import Services
from chalicelib.store.aws.client import Transport
from local.gateway import Answer
from tests.support import wire
from tests.support.aws import container
from tests.support.browser import register, send
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.staged import just_before

QUARTER, HOUR = 900, 3600
WRONG = {"email": EMAIL, "password": "not the password"}
RIGHT = {"email": EMAIL, "password": PASSWORD}


@contextmanager
def counted_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every Argon2id computation, by the cost that it was done at."""
    done: list[str] = []
    real = Argon2id

    class Counting:
        @staticmethod
        def verify_phc_encoded(secret: bytes, stored: str) -> None:
            done.append(stored.split("$")[3])
            real.verify_phc_encoded(secret, stored)

        def __new__(cls, **kwargs: Any) -> Any:
            done.append("new")
            return real(**kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(passwords, "Argon2id", Counting)
        yield done


def items(svc: Services, kind: str) -> list[Any]:
    """All stored items whose partition begins with this word."""
    tables = {
        "attempts": svc.settings.grants_table,
        "user": svc.settings.users_table,
        "email": svc.settings.users_table,
    }
    stored = svc.users._client.call("Scan", TableName=tables[kind])["Items"]
    return [item for item in stored if item["pk"]["S"].startswith(f"{kind}#")]


def all_items(svc: Services) -> int:
    client, settings = svc.users._client, svc.settings
    return sum(client.call("Scan", TableName=t)["Count"] for t in (settings.users_table, settings.grants_table))


# 51, 52
def test_whoever_fails_to_log_in_is_told_the_same_at_the_cost_of_one_hash(
    phone: Phone, svc: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.sign_up()
    disabled = phone.sign_up("disabled@example.com")["user"]["sub"]
    svc.users.disable(disabled)
    passwordless = phone.sign_up("passwordless@example.com")["user"]["sub"]
    user = svc.users.read(passwordless)
    assert user
    svc.users.rehash(user, password_hash="")
    answers = []
    for email in (
        EMAIL,
        "unknown@example.com",
        "disabled@example.com",
        "passwordless@example.com",
        "no address",
        "#@#",
    ):
        with counted_hashes(monkeypatch) as done:
            answer = phone.call("POST /login", {"email": email, "password": "not the password"})
        assert done == ["m=8,t=1,p=1"], email
        answers.append((answer.status, answer.body, [h for h in answer.headers if "request" not in h[0].lower()]))
    assert all(each == answers[0] for each in answers)
    assert answers[0][0] == 401


def test_a_disabled_account_says_so_to_its_owner_only(phone: Phone, svc: Services) -> None:
    svc.users.disable(phone.sign_up()["user"]["sub"])
    assert refusal(phone.call("POST /login", RIGHT)) == (403, "account_disabled")
    assert refusal(phone.call("POST /login", WRONG)) == (401, "invalid_credentials")


@pytest.mark.parametrize(
    "password", ["", " ", "\x00", "0" * 32, "AAAA", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", PASSWORD]
)
def test_a_user_without_a_password_cannot_log_in_with_any(phone: Phone, svc: Services, password: str) -> None:
    user = svc.users.read(phone.sign_up()["user"]["sub"])
    assert user
    svc.users.rehash(user, password_hash="")
    answer = phone.call("POST /login", {"email": EMAIL, "password": password})
    assert refusal(answer) in ((401, "invalid_credentials"), (400, "invalid_request"))


@pytest.mark.parametrize(
    "stored", ["plain", "$1$x$y", "$argon2i$v=19$m=8,t=1,p=1$AAAA$AAAA", "$argon2id$", "$argon2id$v=19$m=8"]
)
def test_a_stored_hash_that_cannot_be_read_lets_nobody_in(phone: Phone, svc: Services, stored: str) -> None:
    user = svc.users.read(phone.sign_up()["user"]["sub"])
    assert user
    svc.users.rehash(user, password_hash=stored)
    for password in (PASSWORD, stored):
        assert phone.call("POST /login", {"email": EMAIL, "password": password}).status in (401, 500)


def test_a_login_hashes_as_often_whether_or_not_the_password_is_right(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.sign_up()
    with counted_hashes(monkeypatch) as done:
        phone.log_in()
    assert len(done) == 1


def test_a_weak_hash_is_upgraded_at_login_and_still_fits(
    phone: Phone, svc: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = phone.sign_up()["user"]["sub"]
    stronger = replace(svc, hashing=HashProfile(memory=16, passes=2, lanes=1))
    api_login.with_password(stronger, address=EMAIL, password=PASSWORD, agent=UserAgent(network="n", language="en"))
    user = svc.users.read(uid)
    assert user
    assert user.password_hash.startswith("$argon2id$v=19$m=16,t=2,p=1$")
    with counted_hashes(monkeypatch) as done:
        api_login.with_password(stronger, address=EMAIL, password=PASSWORD, agent=UserAgent(network="n", language="en"))
    assert done == ["m=16,t=2,p=1"]


# 53
LOOKALIKES = [
    "ANN@EXAMPLE.COM",
    "Ann@Example.Com",
    "\uff21\uff4e\uff4e@example.com",
    "ann\uff20example.com",
    "ann@\uff45xample.com",
    "ann@example\u3002com",
    "ann@ex\u00adample.com",
    "ann@exa\u200bmple.com",
    "\U0001d41a\U0001d427\U0001d427@example.com",
]
STRANGERS = [
    "\u0430nn@example.com",  # Cyrillic a
    "an\u0578@example.com",
    "ann@ex\u0430mple.com",
    "\u0131nn@example.com",
    "an\u0144@example.com",
    "ann@example.co",
    "ann+tag@example.com",
    "a.nn@example.com",
    "ann@examp1e.com",
]


@pytest.mark.parametrize("email", LOOKALIKES, ids=ascii)
def test_another_spelling_of_an_address_is_the_same_account(phone: Phone, email: str) -> None:
    user = phone.sign_up()["user"]
    answer = phone.call("POST /signup", {**RIGHT, "email": email})
    assert refusal(answer) in ((409, "email_taken"), (400, "invalid_request"))
    answer = phone.call("POST /login", {**RIGHT, "email": email})
    if answer.status == 200:
        assert peek(answer.json()["access_token"])[1]["sub"] == user["sub"]
        assert phone.call("GET /me", token=answer.json()["access_token"]).json()["email"] == EMAIL
    else:
        assert refusal(answer) == (401, "invalid_credentials")


@pytest.mark.parametrize("email", STRANGERS, ids=ascii)
def test_an_address_that_merely_looks_alike_is_another_account(phone: Phone, email: str) -> None:
    ann = phone.sign_up()["user"]["sub"]
    assert refusal(phone.call("POST /login", {**RIGHT, "email": email})) == (401, "invalid_credentials")
    other = phone.sign_up(email)["user"]["sub"]
    assert other != ann
    assert peek(phone.log_in(email)["access_token"])[1]["sub"] == other
    assert peek(phone.log_in()["access_token"])[1]["sub"] == ann


PAIRS = [
    ("mike@example.org", "m\u0131ke@example.org"),
    ("kelvin@example.org", "\u212aelvin@example.org"),
    ("stra\u00dfe@example.org", "strasse@example.org"),
    ("fish@example.org", "\ufb01sh@example.org"),
    ("\u00e5ke@example.org", "a\u030ake@example.org"),
    ("j@b\u00fccher.example", "j@xn--bcher-kva.example"),
    ("j@b\u00fccher.example", "j@BU\u0308CHER.EXAMPLE"),
    ("\u0130@example.org", "i\u0307@example.org"),
]


@pytest.mark.parametrize("pair", PAIRS, ids=ascii)
def test_two_spellings_are_one_account_or_two_but_the_same_at_sign_up_and_login(
    phone: Phone, pair: tuple[str, str]
) -> None:
    for first, second in (pair, pair[::-1]):
        owner = phone.sign_up(first)["user"]["sub"]
        assert peek(phone.log_in(first)["access_token"])[1]["sub"] == owner
        conflict = phone.call("POST /signup", {**RIGHT, "email": second, "password": PASSWORD + " 2"}).status == 409
        entered = phone.call("POST /login", {**RIGHT, "email": second})
        assert (entered.status == 200) is conflict, (first, second)
        for email, password in ((first, PASSWORD), (second, PASSWORD + " 2")):
            answer = phone.call("POST /login", {"email": email, "password": password})
            if answer.status == 200:
                token = answer.json()["access_token"]
                assert phone.call("DELETE /me", token=token).status == 204


def test_the_stored_address_is_the_owners_spelling_not_the_callers(phone: Phone, svc: Services) -> None:
    phone.sign_up("Ann@Example.COM")
    phone.log_in("ann@example.com")
    phone.log_in("ANN@EXAMPLE.COM")
    (user,) = items(svc, "user")
    assert user["email"]["S"] == "Ann@example.com"


def test_the_same_password_in_another_unicode_form_is_the_same(phone: Phone) -> None:
    phone.sign_up(password="caf\u00e9 horse battery staple")
    assert phone.log_in(password="cafe\u0301 horse battery staple")
    for other in (
        "cafe horse battery staple",
        "CAF\u00c9 horse battery staple",
        "caf\u00e9 horse battery staple ",
        "caf\u00e9",
    ):
        answer = phone.call("POST /login", {"email": EMAIL, "password": other})
        assert refusal(answer) == (401, "invalid_credentials")


def test_no_part_of_a_password_is_ignored(phone: Phone, clock: Clock) -> None:
    long = PASSWORD + "x" * 200
    phone.sign_up(password=long)
    for other in (long[:-1], long + "x", long[:72], long[:128], long.upper(), long + "\x00", "\x00" + long):
        answer = phone.call("POST /login", {"email": EMAIL, "password": other})
        assert refusal(answer) == (401, "invalid_credentials")
        clock.advance(8)
    assert phone.log_in(password=long)
    phone.sign_up("nul@example.com", password="correct horse\x00battery staple")
    answer = phone.call("POST /login", {"email": "nul@example.com", "password": "correct horse"})
    assert refusal(answer) == (401, "invalid_credentials")


# 54
def consistent(svc: Services) -> None:
    """Every address has its user, and every user its one address."""
    users = {item["pk"]["S"].partition("#")[2] for item in items(svc, "user")}
    assert sorted(item["uid"]["S"] for item in items(svc, "email")) == sorted(users)


def test_of_many_sign_ups_at_once_for_one_address_exactly_one_succeeds(phone: Phone, svc: Services) -> None:
    spellings = [EMAIL, EMAIL.upper(), "Ann@Example.com", "\uff41nn@example.com"] * 2
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda email: phone.call("POST /signup", {**RIGHT, "email": email}), spellings))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    consistent(svc)
    assert len(items(svc, "user")) == 1
    assert phone.log_in()


def test_a_sign_up_overtaken_by_a_rival_leaves_no_orphan_half(phone: Phone, svc: Services) -> None:
    won: list[dict[str, Any]] = []
    # The first transaction counts the attempt, so the rival waits for the one that writes the account.
    calls: list[str] = []

    def overtake(proceed: Transport, operation: str, request: Mapping[str, Any]) -> Any:
        if operation == "TransactWriteItems":
            calls.append(operation)
            if len(calls) == 2:
                won.append(phone.sign_up(EMAIL.upper()))
        return proceed(operation, request)

    with wire.intercepted(svc.users._client, overtake, first=True):
        answer = phone.call("POST /signup", RIGHT)
    assert refusal(answer) == (409, "email_taken")
    consistent(svc)
    (user,) = items(svc, "user")
    assert user["pk"]["S"] == f"user#{won[0]['user']['sub']}"
    sessions = svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"]
    assert len([g for g in sessions if g["sk"]["S"].startswith("grant#")]) == 1


def test_deleting_and_signing_up_at_once_leaves_no_orphan_half(phone: Phone, svc: Services) -> None:
    access = phone.sign_up()["access_token"]

    def again(_: int) -> Answer:
        return phone.call("POST /signup", RIGHT)

    with ThreadPoolExecutor(4) as pool:
        deletion = pool.submit(phone.call, "DELETE /me", {"password": PASSWORD}, token=access)
        answers = list(pool.map(again, range(3)))
    assert deletion.result().status == 204
    assert {answer.status for answer in answers} <= {201, 409}
    consistent(svc)


def test_an_account_that_is_deleted_twice_at_once_is_deleted_once(phone: Phone, svc: Services) -> None:
    first, second = phone.sign_up(), phone.log_in()

    def overtake() -> None:
        assert phone.call("DELETE /me", {"password": PASSWORD}, token=second["access_token"]).status == 204

    with just_before(svc.users._client, "Query", overtake):
        answer = phone.call("DELETE /me", token=first["access_token"])
    assert answer.status in (204, 401, 503)
    assert items(svc, "user") == items(svc, "email") == []


def test_an_address_taken_anew_during_a_deletion_is_not_torn_down(phone: Phone, svc: Services) -> None:
    first = phone.sign_up()

    def overtake() -> None:
        assert phone.call("DELETE /me", {"password": PASSWORD}, token=first["access_token"]).status == 204
        phone.sign_up()

    with just_before(svc.users._client, "Query", overtake):
        answer = phone.call("DELETE /me", token=first["access_token"])
    assert answer.status in (204, 401, 503)
    consistent(svc)
    assert phone.log_in()


# 55, 56
@pytest.mark.parametrize(
    "extra",
    [
        "role",
        "roles",
        "scope",
        "status",
        "tv",
        "token_version",
        "email_verified",
        "disabled",
        "id",
        "uid",
        "sub",
        "pk",
        "sk",
    ],
)
def test_nobody_signs_up_with_more_than_the_form_has(phone: Phone, svc: Services, extra: str) -> None:
    values: list[object] = ["admin", ["admin"], True, 7, {"S": "admin"}, None, {"a": {"b": {}}}]
    for value in values:
        answer = phone.call("POST /signup", {**RIGHT, extra: value})
        assert refusal(answer) == (400, "invalid_request")
    assert all_items(svc) == 0


def test_a_new_account_has_no_roles_and_the_usual_scopes(phone: Phone) -> None:
    _, claims = peek(phone.sign_up()["access_token"])
    assert "roles" not in claims
    assert claims["scope"] == "account notes:read notes:write"


@pytest.mark.parametrize(
    "scope", ["admin", "users:read", "account admin", "*", "openid", "", "account  notes:read", "\u0430ccount"]
)
def test_nobody_logs_in_to_a_scope_that_is_not_offered(phone: Phone, scope: str) -> None:
    phone.sign_up()
    assert refusal(phone.call("POST /login", {**RIGHT, "scope": scope})) == (400, "invalid_scope")


@pytest.mark.parametrize("name", ["uid", "sub", "user_id", "id", "sid"])
def test_a_user_id_in_the_body_query_or_headers_is_nobody(phone: Phone, name: str) -> None:
    uid = phone.sign_up()["user"]["sub"]
    for line in (f"GET /me?{name}={uid}", f"DELETE /me?{name}={uid}", f"PATCH /me?{name}={uid}"):
        answer = phone.call(line, {name: uid}, headers={f"X-{name}": uid, "X-Amzn-Principal-Id": uid})
        assert refusal(answer) == (401, "invalid_token")
    other = phone.sign_up("ben@example.com")
    assert refusal(phone.call("PATCH /me", {"name": "x", name: uid}, token=other["access_token"]))[0] == 400
    assert phone.call(f"GET /me?{name}={uid}", token=other["access_token"]).json() == other["user"]


def test_a_scope_of_another_api_does_not_open_the_account(phone: Phone) -> None:
    phone.sign_up()
    access = phone.log_in(scope="notes:read notes:write")["access_token"]
    for line in ("GET /me", "DELETE /me", "POST /me/password", "GET /me/sessions"):
        assert refusal(phone.call(line, token=access)) == (403, "insufficient_scope")


# 26, 57
POISON = [
    "Host",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Prefix",
    "Forwarded",
    "X-Original-URL",
    "X-Host",
]


@pytest.mark.parametrize("name", POISON)
def test_no_header_moves_the_issuer(phone: Phone, name: str) -> None:
    poison = {name: "host=evil.example" if name == "Forwarded" else "evil.example"}
    for path in (
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/openapi.json",
        "/docs",
    ):
        answer = phone.call(f"GET {path}", headers=poison)
        assert answer.body == phone.call(f"GET {path}").body
        assert b"evil" not in answer.body
        assert not any("evil" in value for _, value in answer.headers)
    session = phone.call("POST /signup", RIGHT, headers=poison).json()
    _, claims = peek(session["access_token"])
    assert (claims["iss"], claims["aud"]) == ("https://id.example", "https://id.example")


# 60
def guess(phone: Phone, times: int, **changes: Any) -> list[int]:
    return [phone.call("POST /login", {**WRONG, **changes}).status for _ in range(times)]


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
def test_one_network_has_five_guesses_at_a_password_and_then_waits_that_double(
    phone: Phone, clock: Clock, email: str
) -> None:
    phone.sign_up()
    assert guess(phone, 7, email=email) == [401] * 5 + [429] * 2
    waits = []
    for _ in range(13):
        # Even the right password is not looked at meanwhile.
        answer = phone.call("POST /login", {**RIGHT, "email": email})
        assert refusal(answer) == (429, "too_many_requests")
        waits.append(int(answer.header("Retry-After") or 0))
        clock.advance(waits[-1])
        assert guess(phone, 1, email=email) == [401]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_the_owner_is_let_in_after_the_longest_wait(phone: Phone, clock: Clock) -> None:
    phone.sign_up()
    guess(phone, 5)
    for seconds in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
        clock.advance(seconds)
        assert guess(phone, 2) == [401, 429]
    clock.advance(899)
    assert refusal(phone.call("POST /login", RIGHT))[0] == 429
    clock.advance(1)
    assert phone.log_in()


def test_right_log_ins_at_once_do_not_stand_in_each_others_way(phone: Phone, svc: Services) -> None:
    phone.sign_up()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: phone.call("POST /login", RIGHT).status, range(10)))
    assert answers == [200] * 10
    counts = [item for item in items(svc, "attempts") if item["sk"]["S"] == "guesses"]
    assert [(item["attempts"]["N"], item["failures"]["N"]) for item in counts] == [("0", "0")]


def test_a_fault_of_ours_is_no_guess(phone: Phone, svc: Services) -> None:
    phone.sign_up()
    for _ in range(30):
        with wire.watched(svc, wire.Wire(fail_at=2, failure=wire.refusing("ThrottlingException"))):
            assert phone.call("POST /login", WRONG).status == 503
    assert guess(phone, 6) == [401] * 5 + [429]


def test_a_refused_guess_costs_no_hash_and_no_look_at_the_account(
    phone: Phone, svc: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.sign_up()
    guess(phone, 5)
    with counted_hashes(monkeypatch) as done, wire.watched(svc) as traffic:
        assert guess(phone, 3) == [429] * 3
    assert done == []
    assert traffic.calls == ["TransactWriteItems"] * 3


@pytest.mark.parametrize(
    "disguise",
    [
        {"X-Forwarded-For": "203.0.113.{n}"},
        {"X-Forwarded-For": "203.0.113.{n}, 198.51.100.7"},
        {"Forwarded": "for=203.0.113.{n}"},
        {"X-Real-IP": "203.0.113.{n}"},
        {"CF-Connecting-IP": "203.0.113.{n}"},
        {"True-Client-IP": "203.0.113.{n}"},
        {"X-Client-IP": "203.0.113.{n}"},
        {"User-Agent": "phone {n}"},
        {"Host": "h{n}.example"},
        {"Cookie": "session={n}"},
    ],
    ids=str,
)
def test_no_header_makes_a_caller_another(phone: Phone, disguise: dict[str, str]) -> None:
    phone.sign_up()
    statuses = [
        phone.call("POST /login", WRONG, headers={k: v.replace("{n}", str(n)) for k, v in disguise.items()}).status
        for n in range(12)
    ]
    assert statuses == [401] * 5 + [429] * 7


def test_no_spelling_of_the_address_or_path_gives_more_guesses(phone: Phone) -> None:
    phone.sign_up()
    spellings = [
        EMAIL.upper(),
        "Ann@example.com",
        "ann@EXAMPLE.com",
        "\uff41nn@example.com",
        "ann@example\u3002com",
        EMAIL,
    ] * 2
    statuses = [phone.call("POST /login", {**WRONG, "email": spelling}).status for spelling in spellings]
    assert statuses == [401] * 5 + [429] * 7
    for path in ("/login/", "/login?x=1", "/login?email=x", "/login#x"):
        assert phone.call(f"POST {path}", RIGHT).status in (404, 429)


def test_an_ipv6_customer_is_one_network_however_he_numbers_his_hosts(phone: Phone) -> None:
    phone.sign_up()
    statuses = []
    for n in range(12):
        phone.address = f"2001:db8:1:2:{n:x}:{n:x}::{n:x}"
        statuses += guess(phone, 1)
    assert statuses == [401] * 5 + [429] * 7
    phone.address = "2001:db8:1:3::1"
    assert phone.log_in()


def test_an_ipv4_address_is_one_network_in_every_spelling(phone: Phone) -> None:
    phone.sign_up()
    statuses = []
    for n in range(12):
        phone.address = ["198.51.100.7", "::ffff:198.51.100.7", "::ffff:c633:6407"][n % 3]
        statuses += guess(phone, 1)
    assert statuses == [401] * 5 + [429] * 7


def test_one_network_cannot_lock_its_victim_out_of_another(phone: Phone) -> None:
    phone.sign_up()
    guess(phone, 30)
    phone.address = "203.0.113.9"
    assert phone.log_in()


def test_an_account_that_is_guessed_at_from_everywhere_is_open_to_its_owner_and_nearly_shut_to_all_others(
    phone: Phone, clock: Clock
) -> None:
    mine = phone.sign_up()
    for n in range(20):
        phone.address = f"203.0.113.{n}"
        assert guess(phone, 5) == [401] * 5
    # Twenty networks have had their five; from now on one has three an hour, wherever it comes from.
    assert guess(phone, 2) == [429] * 2
    for n in range(20, 23):
        phone.address = f"203.0.113.{n}"
        assert guess(phone, 5) == [401] * 3 + [429] * 2
    clock.advance(15 * 60)
    assert guess(phone, 1) == [429]
    phone.address = "198.51.100.7"
    assert phone.log_in()
    assert phone.refresh(mine["refresh_token"])
    phone.address = "203.0.113.9"
    clock.advance(HOUR)
    assert guess(phone, 6) == [401] * 5 + [429]


def test_a_network_cannot_try_one_password_on_everybody(phone: Phone) -> None:
    statuses = [phone.call("POST /login", {**WRONG, "email": f"user{n}@example.com"}).status for n in range(103)]
    assert statuses == [401] * 100 + [429] * 3


def test_a_parallel_burst_of_guesses_gets_no_more_than_twice_its_five(phone: Phone) -> None:
    phone.sign_up()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: phone.call("POST /login", WRONG).status, range(40)))
    assert 5 <= statuses.count(401) <= 10
    assert set(statuses) <= {401, 429, 503}


def test_a_guess_that_is_overtaken_by_the_last_one_allowed_is_refused(phone: Phone, svc: Services) -> None:
    phone.sign_up()
    guess(phone, 4)
    with just_before(svc.users._client, "TransactWriteItems", lambda: guess(phone, 1)):
        assert refusal(phone.call("POST /login", RIGHT))[0] == 429


def test_guesses_behind_a_stolen_access_token_are_counted_with_the_others(phone: Phone) -> None:
    access = phone.sign_up()["access_token"]
    change = {"current_password": "wrong guess", "new_password": "an entirely other phrase 7"}
    tried: list[Callable[[], int]] = [
        lambda: phone.call("POST /me/password", change, token=access).status,
        lambda: phone.call("DELETE /me", {"password": "wrong guess"}, token=access).status,
        lambda: phone.call("POST /login", WRONG).status,
    ]
    assert [tried[n % 3]() for n in range(12)] == [401] * 5 + [429] * 7
    assert phone.call("GET /me", token=access).status == 200


def test_one_network_makes_twenty_accounts_an_hour(phone: Phone, clock: Clock) -> None:
    for n in range(20):
        phone.sign_up(f"user{n}@example.com")
    answer = phone.call("POST /signup", RIGHT)
    assert refusal(answer) == (429, "too_many_requests")
    phone.address = "203.0.113.9"
    assert phone.sign_up("elsewhere@example.com")
    phone.address = "198.51.100.7"
    clock.advance(int(answer.header("Retry-After") or 0))
    assert phone.sign_up()


def test_counts_of_attempts_hold_no_address_and_expire(phone: Phone, svc: Services, clock: Clock) -> None:
    phone.sign_up()
    guess(phone, 1)
    for item in items(svc, "attempts"):
        assert clock() < int(item["expires_at"]["N"]) <= clock() + HOUR
        assert "ann" not in str(item)
        assert "198.51" not in str(item)


# 61: see test_bad_input.py; 62: see test_faults.py
# 63
def cold(settings: Settings, clock: Clock) -> Services:
    """A container that has just started."""
    return container(settings, now=clock)


def of_one_mind(*containers: Services) -> None:
    """All have the same keys and verify each other's tokens, refresh tokens too."""
    published = [[jwk["kid"] for jwk in keys.published(svc)] for svc in containers]
    assert len(published[0]) == 1
    assert all(each == published[0] for each in published)
    secrets = [keys.current(svc).handle_secrets() for svc in containers]
    assert all(each == secrets[0] for each in secrets)
    for number, svc in enumerate(containers):
        agent = UserAgent(network=f"n{number}", language="en")
        _, pair = signup.sign_up(svc, address=f"user{number}@example.com", password=PASSWORD, agent=agent)
        for other in containers:
            assert live.read(other, pair.access_token).claims.sub == pair.uid
        for other in containers:
            pair = refresh.refresh(other, own.json_api(other), pair.refresh_token)


@pytest.mark.parametrize("step", range(1, 6))  # look, look, make, make, look
def test_a_cold_start_overtaken_by_another_at_any_step_ends_with_the_same_keys(
    settings: Settings, clock: Clock, step: int
) -> None:
    ours, rival = cold(settings, clock), cold(settings, clock)
    calls: list[str] = []

    def overtake(proceed: Transport, operation: str, request: Mapping[str, Any]) -> Any:
        calls.append(operation)
        if len(calls) == step:
            keys.current(rival)
        return proceed(operation, request)

    with wire.intercepted(ours.keys._client, overtake, first=True):
        keys.current(ours)
    keys.current(rival)
    assert len(calls) >= step
    of_one_mind(ours, rival)


@pytest.mark.parametrize("kind", ["signing", "refresh"])
def test_a_cold_start_that_finds_half_of_the_keys_makes_the_other_half(
    settings: Settings, clock: Clock, kind: str
) -> None:
    first = cold(settings, clock)
    if kind == "signing":
        first.keys.create_signing(1, algorithm="ES256", active_at=clock())
    else:
        first.keys.create_refresh(1, active_at=clock())
    of_one_mind(cold(settings, clock), cold(settings, clock), first)


def test_cold_starts_all_at_once_agree_on_one_key_set(settings: Settings, clock: Clock) -> None:
    containers = [cold(settings, clock) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(keys.current, containers))
    of_one_mind(*containers)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://id.example.evil.example", "http://id.example"]
)
def test_a_website_guesses_no_passwords_through_its_visitors(
    svc: Services, phone: Phone, clock: Clock, origin: str
) -> None:
    """A form goes to another site without a preflight: many visitors of one page could lock an account."""
    phone.sign_up()
    app = register(svc, phone, "native", first_party=True)
    fields = {**app.request(), "email": EMAIL, "password": "wrong"}
    for visitor in [Phone(clock, address=f"192.0.2.{number}") for number in range(10)] * 10:
        answer = send(visitor, "/oauth/authorize-challenge", fields, headers=[("Origin", origin)])
        assert refusal(answer) == (400, "invalid_request")
    assert phone.log_in()
    for ours in ("https://id.example", "https://app.example"):
        answer = send(phone, "/oauth/authorize-challenge", {**fields, "password": PASSWORD}, headers=[("Origin", ours)])
        assert answer.status == 200
