"""Nobody finds an erased account: not its address in any table or in any line ever, nor its id after the erasure's line."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.accounts import email
from chalicelib.flows.accounts import cleanup
from chalicelib.services import Services
from tests.support import lived, ses
from tests.support.browser import forms
from tests.support.delivery import DeliveringPhone, deliver
from tests.support.internet import Internet, Page, running
from tests.support.lived import Life
from tests.support.phone import Clock, installed
from tests.support.ses import Ses

pytestmark = pytest.mark.usefixtures("aws")

HOOKS = """
def after_sign_up(event):
    print(end="")


def before_login(event):
    return None


def after_login(event):
    raise ValueError(event.user.email)
"""
PROFILE = {"Annabel", "Leigh"}
DAY = 24 * 3600


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "app.example") as network:
        network.pages["https://app.example/out"] = Page()
        yield network


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ses]:
    with ses.running(monkeypatch) as running_ses:
        yield running_ses


@pytest.fixture
def svc(svc: Services, internet: Internet, tmp_path: Path) -> Iterator[Services]:
    """Services of a deployment in which most can happen, its own functions included."""
    hooks = tmp_path / "hooks.py"
    hooks.write_text(HOOKS)
    settings = replace(lived.where_most_can_happen(svc.settings), hooks_file=str(hooks))
    services = replace(svc, fetch=internet.fetch(), settings=settings)
    with installed(services):
        yield services


@pytest.fixture
def life(svc: Services, clock: Clock, mailbox: Ses) -> Life:
    return Life(svc, DeliveringPhone(clock), mailbox, clock)


def stored(svc: Services) -> list[str]:
    """Every item of every table, as text."""
    tables = svc.settings.tables.values()
    pages = [svc.users._client.call("Scan", TableName=table) for table in tables]
    assert not any("LastEvaluatedKey" in page for page in pages)
    return [json.dumps(item, ensure_ascii=False) for page in pages for item in page["Items"]]


def names(*addresses: str) -> set[str]:
    """What an address is known by: as it was typed, and as it is compared, in both spellings of a key."""
    return {text.casefold() for each in addresses for text in (each, email.canonical(each))}


def by_the_api(life: Life) -> None:
    assert life.phone.call("DELETE /me", {"password": lived.NEW_PASSWORD}, token=life.access_token).status == 204


def on_the_page(life: Life) -> None:
    assert life.browser
    assert life.app
    life.clock.advance(60)
    web, login = life.browser, "/authorize/login"
    page = web.get("/account/delete")
    if login in forms(page):
        page = web.submit(page, login, email=lived.EMAIL, password=lived.NEW_PASSWORD)
    if "/authorize/proof" in forms(page):
        page = web.submit(page, "/authorize/proof", factor="totp", answer=life.app.code())
    assert b"Your account is deleted" in web.submit(page, "/account/delete", decision="delete").body


def by_the_job(life: Life) -> None:
    svc = life.svc
    with installed(replace(svc, settings=replace(svc.settings, deletion_seconds=DAY))):
        assert life.phone.call("DELETE /me", token=life.access_token).status == 202
    life.clock.advance(DAY)
    with installed(svc):
        assert [user.uid for user in cleanup.erase_scheduled(svc)] == [life.uid]
        deliver()


WAYS: Sequence[Callable[[Life], None]] = (by_the_api, on_the_page, by_the_job)


@pytest.mark.parametrize("erase", WAYS, ids=lambda way: way.__name__)
def test_of_an_account_that_has_done_everything_nothing_is_left(
    life: Life, svc: Services, capfd: pytest.CaptureFixture[str], erase: Callable[[Life], None]
) -> None:
    lived.live(life)
    assert life.call("GET /me/export")["account"]["sub"] == life.uid
    before = stored(svc)
    for text in (life.uid, "annabel", *names(lived.OLD, lived.EMAIL)):
        assert any(text in item.casefold() for item in before), text  # it is looked for as it is stored
    erase(life)
    with installed(svc):
        deliver()
        come_back(life)
    left = stored(svc)
    assert left  # counters, clients, what is good once
    for text in (life.uid, "annabel", "1990-04-17", *names(lived.OLD, lived.EMAIL, lived.NEVER)):
        assert [item for item in left if text in item.casefold()] == [], text
    look_at_the_log(capfd.readouterr(), life)


def come_back(life: Life) -> None:
    """With whatever of the account is still on some device or in some mailbox: none of it opens anything."""
    phone, web = life.phone, life.browser
    assert web
    for line in ("GET /me", "DELETE /me", "GET /me/activity", "GET /me/export", "GET /oauth/userinfo"):
        assert phone.call(line, token=life.access_token).status == 401, line
    assert phone.call("PATCH /me", {"name": 7}, token=life.access_token).status in (400, 401)
    for text in life.secrets:
        assert phone.call("POST /refresh", {"refresh_token": text}).status == 401
        assert phone.call("POST /verify", {"token": text}).json() == {"active": False}
        assert phone.call("POST /logout", {"refresh_token": text}).status == 204
        proof = {"mfa_token": text, "factor": "totp", "answer": "123456"}
        assert phone.call("POST /login/proof", proof).status == 401
    links = [mail.token for mail in life.mailbox.mails if "?token=" in mail.text]
    assert links
    for token in links:
        reset = {"token": token, "new_password": lived.NEW_PASSWORD}
        assert phone.call("POST /password/reset/confirm", reset).status in (400, 404)
    for path in ("/account", "/account/activity", "/device"):
        assert b"/authorize/login" in web.get(path).body, path


def look_at_the_log(output: Any, life: Life) -> None:
    """No address and no name in any line, and no id in those after the erasure's own."""
    text = (output.out + output.err).casefold()
    assert life.uid in text
    for each in ("annabel", "1990-04-17", *names(lived.OLD, lived.EMAIL, lived.NEVER)):
        assert each not in text, each
    lines = [json.loads(line) for line in output.out.splitlines()]
    (end,) = [place for place, line in enumerate(lines) if line.get("event") == "account_erased"]
    after = [line for line in lines[end + 1 :] if life.uid in json.dumps(line)]
    # The request that it was done in has its own line at its end.
    assert [line.get("route") for line in after] in ([], ["DELETE /me"], ["POST /account/delete"])
    assert sum(line.get("route") is not None and line.get("uid") == life.uid for line in lines) > 20
