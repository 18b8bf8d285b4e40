"""Texts that browsers carry for the server: forged, cut, of another purpose, version, key, browser or time, at each endpoint."""

import re
from collections.abc import Iterator

import pytest

from chalicelib.config import Settings
from chalicelib.domain.records.sealed import (
    SEALED,
    SealedErrorPage,
    SealedFormError,
    SealedInteraction,
)
from chalicelib.domain.versioned import SealedRecord
from chalicelib.flows.platform import sealing
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.aws import container
from tests.support.browser import FORM_TYPE, ISSUER, App, Browser, callback_params, encoded, forms
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, deployed
from tests.support.records import plaintext_of, resealed, sealed_by_hand

LOGIN = {"email": EMAIL, "password": PASSWORD}
WRONG = {"email": EMAIL, "password": "a wrong and long password"}
MISTAKE = "__Host-latchkey-mistake"
SECONDS = 300
SAMPLES: tuple[SealedRecord, ...] = (
    SealedInteraction(action="agreed", detail="", id="i", sid="s", to="t"),
    SealedFormError(error="e", retry_at=0, form_token="m", fields={}),
    SealedErrorPage(error="e", description="d", status=400, retry_at=0, again="", locales=""),
)


def first_answer(browser: Browser, page: Answer, path: str, **typed: str) -> Answer:
    """The answer to a form itself, which the browser has not yet followed."""
    filled = encoded({**forms(page)[path].hidden, **typed}).encode()
    return browser._call("POST", path, filled, [("Content-Type", FORM_TYPE), ("Origin", ISSUER)])


def query_of(answer: Answer, name: str) -> str:
    return callback_params(answer)[name]


def forgeries(svc: Services, kind: type[SealedRecord], text: str) -> Iterator[tuple[str, str]]:
    """All that is not the text, with a name for each."""
    middle = len(text) // 2
    yield "cut short", text[: middle - middle % 4]
    yield "the end cut off", text.rstrip("=")[:-4]
    yield "a letter changed", text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]
    yield "nothing of ours", "A" * 200
    stranger = container(deployed(), now=svc.now)
    yield "of another server", sealed_by_hand(stranger, kind.purpose, plaintext_of(svc, kind.purpose, text))
    for other in SEALED:
        if other is not kind:
            by_hand = sealed_by_hand(svc, other.purpose, plaintext_of(svc, kind.purpose, text))
            yield f"for the purpose of {other.__name__}", by_hand
    for sample in SAMPLES:
        if type(sample) is not kind:
            yield f"a {type(sample).__name__}", sealing.seal(svc, sample)
    yield "of a higher version", resealed(svc, kind.purpose, text, v=2)
    yield "with one more member", resealed(svc, kind.purpose, text, more=1)
    yield "without an end", resealed(svc, kind.purpose, text, until=None)
    yield "with an end of another type", resealed(svc, kind.purpose, text, until="9999999999")
    yield "over", resealed(svc, kind.purpose, text, until=svc.now())


def test_only_the_very_text_says_that_something_was_done(svc: Services, browser: Browser, app: App) -> None:
    browser.log_in(app)
    page = browser.authorize(app, prompt="select_account")
    done = query_of(first_answer(browser, page, "/authorize/continue"), "latchkey_interaction")
    request = app.request(prompt="select_account")
    for name, text in forgeries(svc, SealedInteraction, done):
        again = browser.get("/oauth/authorize", {**request, "latchkey_interaction": text})
        assert (again.status, "/authorize/continue" in forms(again)) == (200, True), name
    assert "code" in callback_params(browser.get("/oauth/authorize", {**request, "latchkey_interaction": done}))


def test_what_was_done_in_one_browser_of_a_user_was_not_done_in_another(
    svc: Services, browser: Browser, app: App, phone: Phone
) -> None:
    browser.log_in(app)
    other = Browser(phone)
    other.log_in(app)
    request = app.request(prompt="select_account")
    page = browser.authorize(app, prompt="select_account")
    done = query_of(first_answer(browser, page, "/authorize/continue"), "latchkey_interaction")
    again = other.get("/oauth/authorize", {**request, "latchkey_interaction": done})
    assert "/authorize/continue" in forms(again)
    moved = resealed(svc, SealedInteraction.purpose, done, sid="0" * 32)
    assert "/authorize/continue" in forms(browser.get("/oauth/authorize", {**request, "latchkey_interaction": moved}))


def test_only_the_very_cookie_shows_a_forms_error(svc: Services, browser: Browser, app: App) -> None:
    answer = first_answer(browser, browser.authorize(app), "/authorize/login", **WRONG)
    location, cookie = (answer.header("Location") or "").removeprefix(ISSUER), browser.cookies[MISTAKE]
    for name, text in forgeries(svc, SealedFormError, cookie):
        browser.cookies[MISTAKE] = text
        page = browser.get(location)
        assert (page.status, b"is wrong" in page.body) == (200, False), name
    browser.cookies[MISTAKE] = cookie
    assert b"is wrong" in browser.get(location).body


def test_only_the_very_text_shows_an_error_page(svc: Services, browser: Browser, app: App, clock: Clock) -> None:
    page = browser.authorize(app)
    what = query_of(first_answer(browser, page, "/authorize/login", form_token="x", **LOGIN), "what")
    for name, text in forgeries(svc, SealedErrorPage, what):
        assert browser.get("/error", {"what": text}).status == 404, name
    assert browser.get("/error", {"what": what}).status == 403
    clock.advance(SECONDS)
    assert browser.get("/error", {"what": what}).status == 404


def test_a_page_that_was_open_during_an_upgrade_goes_on_once(
    svc: Services, browser: Browser, app: App, settings: Settings, clock: Clock
) -> None:
    browser.log_in(app)
    page = browser.authorize(app, prompt="select_account")
    done = query_of(first_answer(browser, page, "/authorize/continue"), "latchkey_interaction")
    # As the release before sealed it, which knew no versions.
    before = resealed(svc, SealedInteraction.purpose, done, v=None)
    request = {**app.request(prompt="select_account"), "latchkey_interaction": before}
    assert "code" in callback_params(browser.get("/oauth/authorize", request))
    clock.advance(settings.retry_window_seconds + 1)
    assert "/authorize/continue" in forms(browser.get("/oauth/authorize", request))


@pytest.mark.parametrize("kind", ["form", "arrived"])
@pytest.mark.parametrize("value", ["\u202e", "\u00e9", "a b", '"x"', "a,b", "<x>"])
def test_a_cookie_that_we_cannot_have_written_is_not_sent_back(
    browser: Browser, app: App, kind: str, value: str
) -> None:
    pushed = app.post("/oauth/par", app.request()).json()["request_uri"]
    browser.cookies[f"__Host-latchkey-{kind}"] = value
    page = browser.get("/oauth/authorize", {"client_id": app.id, "request_uri": pushed})
    assert "/authorize/login" in forms(page)
    kept = [cookie.partition("=")[2].partition(";")[0] for cookie in browser.set_cookies]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{20,}\.?", each) for each in kept), kept
    assert "code" in callback_params(browser.finish(page))
