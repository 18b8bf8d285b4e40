import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config.languages import SHIPPED
from chalicelib.domain.records.outbox import Mail
from chalicelib.services import Services
from deploy import custom
from tests.support.commands import run
from tests.support.phone import EMAIL, PASSWORD, Phone
from tests.support.remembered import remember


def did(capsys: pytest.CaptureFixture[str], svc: Services, *arguments: str) -> dict[str, Any]:
    capsys.readouterr()  # the log of the requests before
    run("users", *arguments, on=svc)
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def test_an_account_is_found_by_its_address_in_any_spelling_and_its_password_is_not_printed(
    svc: Services, phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    uid = phone.sign_up(name="Ann")["user"]["sub"]
    printed = did(capsys, svc, "find", EMAIL.upper())
    assert (printed["uid"], printed["email"], printed["email_verified"]) == (uid, EMAIL, False)
    assert not [name for name in printed if "password" in name]


def test_an_operator_verifies_an_address_and_clients_are_told(
    svc: Services, phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    token = phone.sign_up()["access_token"]
    assert phone.call("GET /me", token=token).json()["email_verified"] is False
    assert did(capsys, svc, "verify-email", EMAIL)["email_verified"] is True
    assert phone.call("GET /me", token=token).json()["email_verified"] is True


def test_an_address_that_has_changed_meanwhile_is_not_verified(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    user = svc.users.read(str(svc.users.find(EMAIL)))
    assert user
    assert (
        svc.users.verify_email(type(user)(uid=user.uid, email="b@example.com", password_hash="", created_at=0)) is None
    )
    unchanged = svc.users.read(user.uid)
    assert unchanged
    assert not unchanged.email_verified


def test_roles_are_replaced(svc: Services, phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
    phone.sign_up()
    assert did(capsys, svc, "roles", EMAIL, "admin", "editor", "admin")["roles"] == ["admin", "editor"]
    assert did(capsys, svc, "roles", EMAIL)["roles"] == []
    for wrong in ("two words", "x" * 65, ""):
        with pytest.raises(SystemExit, match="Roles are"):
            run("users", "roles", EMAIL, wrong, on=svc)


def test_a_disabled_account_is_closed_and_has_no_session_any_more(
    svc: Services, phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = phone.sign_up()
    for _ in range(2):
        assert did(capsys, svc, "disable", EMAIL)["disabled"] is True
    assert phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}).json()["error"] == "account_disabled"
    assert phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]}).status == 401
    (message,) = svc.outbox.undelivered()
    assert message.kind == "ended sessions"


def test_what_an_operator_does_is_in_the_account_s_activity_and_on_the_standard_error(
    svc: Services, phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    uid = phone.sign_up()["user"]["sub"]
    remember(svc, uid)
    capsys.readouterr()
    for command, *more in (
        ("verify-email",),
        ("roles", "admin"),
        ("forget-devices",),
        ("link", "--operator", "olive"),
        ("disable",),
    ):
        run("users", command, EMAIL, *more, on=svc)
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.err.splitlines()]
    names = ["email_verified", "roles_changed", "device_forgotten", "operator_link_created", "account_disabled"]
    assert [(line["event"], line["by"], line["uid"]) for line in lines] == [(each, "operator", uid) for each in names]
    assert [line.get("operator", "") for line in lines] == ["", "", "", "olive", ""]
    assert '"event"' not in printed.out
    stored, _ = svc.events.of_user(uid, before=svc.now() + 3600, since=0, least=99)
    assert [event.type for event in stored] == [*reversed(["signed_up", *names])]


@pytest.mark.parametrize("command", ["find", "verify-email", "roles", "disable"])
@pytest.mark.parametrize("address", ["nobody@example.com", "", "no address"])
def test_nobody_else_is_found(svc: Services, command: str, address: str) -> None:
    with pytest.raises(SystemExit, match="no account"):
        run("users", command, address, on=svc)


@pytest.mark.parametrize("language", [*SHIPPED, "fr", "pt-BR"])
def test_an_invitation_is_in_any_language_of_the_deployment(
    svc: Services,
    phone: Phone,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    language: str,
) -> None:
    phone.sign_up()
    capsys.readouterr()
    settings = replace(svc.settings, mail_from="login@id.example", sign_up="invitation", languages=(*SHIPPED, "fr"))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "pt-BR.json").write_text("{}")
    monkeypatch.setattr(custom, "folder", lambda: tmp_path)
    run("users", "invite", "Bob@Example.com", "--language", language, on=replace(svc, settings=settings))
    assert capsys.readouterr().out == "An invitation goes to Bob@example.com.\n"
    (item,) = svc.outbox.undelivered()
    assert item.message == Mail(name="invitation", uid="", to="Bob@example.com", language=language)


@pytest.mark.parametrize(
    ("change", "arguments", "reason"),
    [
        ({}, [EMAIL], "exists already"),
        ({"sign_up": "closed"}, ["bob@example.com"], "Nobody can sign up here"),
        ({"mail_domains": ("example.net",)}, ["bob@example.com"], "of this domain"),
        ({"mail_from": ""}, ["bob@example.com"], "LATCHKEY_MAIL_FROM"),
        ({}, ["no address"], "not an e-mail address"),
        ({}, ["bob@example.com", "--language", "fr"], "Mails are in"),
    ],
)
def test_who_cannot_be_invited_gets_no_mail_and_the_operator_a_reason(
    svc: Services, phone: Phone, change: dict[str, Any], arguments: list[str], reason: str
) -> None:
    phone.sign_up()
    mailing = replace(svc, settings=replace(svc.settings, **{"mail_from": "login@id.example", **change}))
    with pytest.raises(SystemExit, match=reason):
        run("users", "invite", *arguments, on=mailing)
    assert list(svc.outbox.undelivered()) == []
