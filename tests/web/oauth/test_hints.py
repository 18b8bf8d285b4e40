"""An id_token as a hint says who logged in when it was issued, whatever has become of the key that signed it."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib.domain.crypto.keyset import PrivateKey
from chalicelib.domain.errors import TemporarilyUnavailable
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from tests.support import wire
from tests.support.aws import container
from tests.support.browser import App, Browser, callback_params, forms, place, register
from tests.support.forge import by, by_hmac, compact, peek, resigned, stranger
from tests.support.phone import Clock, Phone, refusal
from tests.support.staged import just_before

DAY = 24 * 3600
LEFT = "https://app.example/left"
LOGOUT = "/oauth/logout"


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    return register(svc, phone, post_logout_redirect_uris=(LEFT,), scopes=("openid", "account", "notes:read"))


def logs_out(browser: Browser, id_token: str) -> bool:
    """Whether the hint alone logs its user out, without a question."""
    answer = browser.get(LOGOUT, {"id_token_hint": id_token, "post_logout_redirect_uri": LEFT})
    return place(answer) == LEFT


def silent(browser: Browser, app: App, id_token: str) -> str:
    """What comes of a login without a page: "" for a code."""
    return callback_params(browser.authorize(app, scope="openid", prompt="none", id_token_hint=id_token)).get(
        "error", ""
    )


def rotated(svc: Services, clock: Clock, *, regularly: bool = True) -> None:
    """The key that signs is followed by another and, a day later, dropped."""
    if regularly:
        clock.advance(90 * DAY)
    keys.rotate(svc, at_once=not regularly, lead=0)
    clock.advance(DAY)
    keys.rotate(svc)


def numbers(svc: Services) -> list[int]:
    return [key.number for key in svc.keys.read(svc.now()).signing]


def retired_kids(svc: Services) -> list[str]:
    return [key.jwk["kid"] for key in svc.keys.read(svc.now()).retired]


def kid(token: str) -> str:
    key_id: str = peek(token)[0]["kid"]
    return key_id


def test_an_id_token_of_a_key_that_was_regularly_followed_by_another_stays_a_hint(
    browser: Browser, app: App, svc: Services, clock: Clock
) -> None:
    keys.ensure(svc)
    clock.advance(90 * DAY - 3600)
    old = app.tokens(browser, scope="openid")["id_token"]
    clock.advance(3600)
    keys.rotate(svc)  # publishes the next one, which signs from tomorrow on
    for _ in range(10):
        clock.advance(DAY)
        keys.rotate(svc)
        assert silent(browser, app, old) == ""
    assert numbers(svc) == [2]
    assert kid(old) not in {jwk["kid"] for jwk in keys.published(svc)}
    assert logs_out(browser, old)
    assert callback_params(browser.authorize(app, scope="openid", prompt="none"))["error"] == "login_required"


def test_it_is_one_between_the_end_of_its_keys_publication_and_the_rotation_that_drops_it(
    browser: Browser, app: App, svc: Services, clock: Clock
) -> None:
    old = app.tokens(browser, scope="openid")["id_token"]
    keys.rotate(svc, at_once=True, lead=0)
    clock.advance(DAY)
    assert kid(old) not in {jwk["kid"] for jwk in keys.published(svc)}
    assert silent(browser, app, old) == ""
    assert logs_out(browser, old)


def test_it_still_means_one_user_and_one_session(
    browser: Browser, app: App, svc: Services, phone: Phone, clock: Clock
) -> None:
    phone.sign_up("eve@example.com")
    eve = Browser(phone)
    of_eve = app.tokens(eve, email="eve@example.com", scope="openid")["id_token"]
    app.tokens(browser, scope="openid")
    rotated(svc, clock, regularly=False)
    assert silent(browser, app, of_eve) == "login_required"
    assert not logs_out(browser, of_eve)
    assert silent(eve, app, of_eve) == ""


def test_a_key_is_known_until_no_session_that_it_signed_for_can_live(
    svc: Services, clock: Clock, app: App, browser: Browser
) -> None:
    old = app.tokens(browser, scope="openid")["id_token"]
    keys.rotate(svc, at_once=True, lead=0)
    replaced_at = clock()
    clock.advance(DAY)
    keys.rotate(svc)
    clock.seconds = replaced_at + svc.settings.refresh_absolute_seconds - 1
    fresh = Browser(browser.phone)
    app.tokens(fresh, scope="openid")
    assert retired_kids(svc) == [kid(old)]
    assert silent(fresh, app, old) == ""
    clock.advance(1)
    assert silent(fresh, app, old) == "login_required"  # whether it has been dropped or not
    keys.rotate(svc)
    assert retired_kids(svc) == []


def test_what_is_known_is_not_published_and_signs_no_token_for_anybody(
    browser: Browser, app: App, svc: Services, phone: Phone, clock: Clock
) -> None:
    tokens = app.tokens(browser, scope="openid account")
    thief = svc.keys.read(clock()).signing[0].private
    rotated(svc, clock, regularly=False)
    assert retired_kids(svc) == [kid(tokens["access_token"])]
    published = phone.call("GET /.well-known/jwks.json").json()["keys"]
    assert [key["kid"] for key in published] == [key.kid for key in svc.keys.read(clock()).signing]
    access = resigned(tokens["access_token"], by(thief), iat=clock(), exp=clock() + 600)
    for line in ("GET /me", "GET /oauth/userinfo"):
        assert refusal(phone.call(line, token=access))[0] == 401
    api = register(svc, phone, "api")
    assert api.post("/oauth/introspect", {"token": access}).json() == {"active": False}


def test_a_key_that_was_struck_out_is_not_known(browser: Browser, app: App, svc: Services, clock: Clock) -> None:
    old = app.tokens(browser, scope="openid")["id_token"]
    svc.keys.delete("signing", 1)  # as operators do with the AWS command line
    clock.advance(600)
    keys.rotate(svc)
    assert retired_kids(svc) == []
    assert silent(browser, app, old) == "login_required"
    assert not logs_out(browser, old)


def test_a_key_that_is_struck_out_after_it_was_retired_is_not_known(
    browser: Browser, app: App, svc: Services, clock: Clock
) -> None:
    old = app.tokens(browser, scope="openid")["id_token"]
    rotated(svc, clock, regularly=False)
    svc.keys.delete("retired", kid(old))
    clock.advance(600)
    assert not logs_out(browser, old)


def test_keys_that_had_the_same_number_are_both_known(browser: Browser, app: App, svc: Services, clock: Clock) -> None:
    first = app.tokens(browser, scope="openid")["id_token"]
    rotated(svc, clock, regularly=False)
    svc.keys.delete("signing", 2)
    clock.advance(600)
    second = app.tokens(browser, scope="openid")["id_token"]
    assert numbers(svc) == [1]
    rotated(svc, clock, regularly=False)
    assert sorted(retired_kids(svc)) == sorted({kid(first), kid(second)})
    assert silent(browser, app, first) == silent(browser, app, second) == ""


@pytest.mark.parametrize("operation", ["PutParameter", "DeleteParameter"])
def test_two_rotations_at_once_keep_a_key_once(
    browser: Browser, app: App, svc: Services, clock: Clock, operation: str
) -> None:
    old = app.tokens(browser, scope="openid")["id_token"]
    keys.rotate(svc, at_once=True, lead=0)
    clock.advance(DAY)
    other = container(svc.settings, now=clock)
    with just_before(svc.keys._client, operation, lambda: keys.rotate(other)):
        keys.rotate(svc)
    assert (numbers(svc), retired_kids(svc)) == ([2], [kid(old)])
    assert logs_out(browser, old)


def test_a_key_that_could_not_be_kept_is_not_dropped(svc: Services, clock: Clock, app: App, browser: Browser) -> None:
    old = app.tokens(browser, scope="openid")["id_token"]
    keys.rotate(svc, at_once=True, lead=0)
    clock.advance(DAY)
    failing = wire.Wire(fail_at=3, failure=wire.refusing("ThrottlingException"))
    with wire.watched(svc, failing), pytest.raises(TemporarilyUnavailable):
        keys.rotate(svc)
    assert failing.calls[-1] == "PutParameter"
    assert (numbers(svc), retired_kids(svc)) == ([1, 2], [])
    keys.rotate(svc)
    assert (numbers(svc), retired_kids(svc)) == ([2], [kid(old)])


def test_however_many_keys_there_are_all_are_known(browser: Browser, app: App, svc: Services, clock: Clock) -> None:
    hints = []
    for _ in range(8):
        hints.append(app.tokens(browser, scope="openid")["id_token"])
        rotated(svc, clock, regularly=False)
    assert len(set(map(kid, hints))) == 8
    assert [silent(browser, app, token) for token in hints] == [""] * 8


def forgeries(good: str, key: PrivateKey, ours: PrivateKey) -> list[str]:
    header, claims = peek(good)
    head, _, signature = good.rpartition(".")
    fields: list[Mapping[str, Any]] = [
        {"alg": "none"},
        {"alg": "HS256"},
        {"kid": "another"},
        {"typ": "at+jwt"},
        {"typ": "logout+jwt"},
        {"crit": ["x"]},
    ]
    return [
        "x",
        "..",
        good[:-1],
        f"{good}=",
        f"{head}.",
        f"{head}.{signature[::-1]}",
        resigned(good, by(key)),
        *(resigned(good, by(key), header={**header, **change}) for change in fields),
        resigned(good, by_hmac(b""), header={**header, "alg": "HS256"}),
        resigned(good, by(ours), iss="https://another.example"),
        # An access token with the `typ` that some verifiers want.
        resigned(good, by(ours), scope="openid", client_id=claims["aud"]),
        resigned(good, by(ours), scope="openid"),
        resigned(good, by(ours), client_id=claims["aud"]),
        *(resigned(good, by(ours), **{name: None}) for name in ("iss", "sub", "aud", "iat")),
        *(resigned(good, by(ours), **{name: [claims[name]]}) for name in ("iss", "sub", "aud", "iat")),
        *(compact(header, other, by(ours)) for other in ("[]", '"text"', "1", "null", "{}")),
    ]


def test_a_text_that_is_no_id_token_of_ours_is_no_hint_and_is_found_out_without_asking_anybody(
    browser: Browser, app: App, svc: Services, phone: Phone
) -> None:
    good = app.tokens(browser, scope="openid")["id_token"]
    ours = svc.keys.read(svc.now()).signing[0].private
    nobody = Browser(phone)
    for text in forgeries(good, stranger("ES256"), ours):
        with wire.watched(svc) as traffic:
            assert "/oauth/logout/confirm" not in forms(nobody.get(LOGOUT, {"id_token_hint": text}))
        assert traffic.calls == [], text
        assert silent(browser, app, text) == "login_required", text
    assert silent(browser, app, good) == ""


def test_a_hint_has_one_spelling(browser: Browser, app: App) -> None:
    good = app.tokens(browser, scope="openid")["id_token"]
    raw = base64.urlsafe_b64decode(good.rpartition(".")[2] + "==")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same = [
        good[:-1] + letter
        for letter in letters
        if base64.urlsafe_b64decode((good[:-1] + letter).rpartition(".")[2] + "==") == raw
    ]
    assert len(same) == 16  # 64 bytes leave four bits to spare
    assert [text for text in same if silent(browser, app, text) == ""] == [good]


def test_the_public_half_is_kept_as_it_was_published(svc: Services, clock: Clock, browser: Browser, app: App) -> None:
    app.tokens(browser, scope="openid")
    before = keys.published(svc)
    rotated(svc, clock, regularly=False)
    where = f"{svc.settings.keys_path}/retired"
    (parameter,) = svc.keys._client.call("GetParametersByPath", Path=where, WithDecryption=True)["Parameters"]
    assert parameter["Name"] == f"{where}/{before[0]['kid']}"
    stored = json.loads(parameter["Value"])
    assert stored == {"v": 1, "jwk": before[0], "until": clock() - DAY + 365 * DAY}
    assert "d" not in stored["jwk"]
