"""A login by mail in a first-party app's own form (draft-ietf-oauth-first-party-apps)."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.flows.oauth import dpop
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import CHALLENGE, App, register, token_response
from tests.support.delivery import DeliveringPhone
from tests.support.oidc import verified
from tests.support.phone import EMAIL, installed
from tests.support.prover import Prover
from tests.support.ses import SentMail, Ses

PATH = "/oauth/authorize-challenge"
REQUEST = {
    "response_type": "code",
    "scope": "openid notes:read",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
def app(svc: Services, phone: DeliveringPhone, mailbox: Ses) -> App:
    user = svc.users.read(phone.sign_up()["user"]["sub"])
    assert user
    svc.users.verify_email(user)
    mailbox.mails.clear()
    return register(svc, phone, "native", first_party=True)


def send(app: App, *, headers: Any = (), **fields: str) -> Answer:
    return app.post(PATH, fields, headers=headers)


def insufficient(answer: Answer) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status, body["error"]) == (403, "insufficient_authorization"), answer.body
    return body


def ask(app: App, mailbox: Ses, **more: Any) -> tuple[str, SentMail]:
    """The login that waits, and the mail that came for it."""
    mailbox.mails.clear()
    body = insufficient(send(app, **{**REQUEST, "email": EMAIL, "factor": "mail", **more}))
    (mail,) = mailbox.mails
    return str(body["auth_session"]), mail


def answered(app: App, auth_session: str, answer: str, **more: Any) -> Answer:
    return send(app, auth_session=auth_session, factor="mail", answer=answer, **more)


def test_the_first_answer_says_what_a_login_begins_with(app: App, svc: Services) -> None:
    assert insufficient(send(app, **REQUEST))["factors"] == ["password", "mail"]
    with installed(replace(svc, settings=replace(svc.settings, login_by_mail=False))):
        assert "factors" not in insufficient(send(app, **REQUEST))
        assert send(app, **REQUEST, email=EMAIL, factor="mail").json()["error"] == "invalid_request"


@pytest.mark.parametrize("by", ["code", "token"])
def test_the_code_or_the_link_gives_a_code_for_the_request_that_was_begun(
    app: App, svc: Services, mailbox: Ses, by: str
) -> None:
    auth_session, mail = ask(app, mailbox)
    tokens = token_response(
        app.redeem(
            token_response(answered(app, auth_session, getattr(mail, by)))["authorization_code"], redirect_uri=None
        )
    )
    claims = verified(tokens["id_token"], keys.published(svc), audience=app.id)
    assert (claims["amr"], claims["acr"], claims["auth_time"]) == (["otp"], "aal1", svc.now())
    assert answered(app, auth_session, getattr(mail, by)).json()["error"] == "invalid_session"


def test_a_wrong_code_may_be_followed_by_the_right_one(app: App, mailbox: Ses) -> None:
    auth_session, mail = ask(app, mailbox)
    again = insufficient(answered(app, auth_session, "000000"))
    assert token_response(answered(app, again["auth_session"], mail.code))["authorization_code"]


def test_a_login_is_finished_by_the_client_that_began_it_and_with_its_own_mail(
    app: App, svc: Services, mailbox: Ses
) -> None:
    other = register(svc, app.phone, "native", first_party=True)
    auth_session, mail = ask(app, mailbox)
    others_session, others_mail = ask(other, mailbox)
    assert answered(other, auth_session, mail.code).json()["error"] == "invalid_session"
    for wrong in (others_mail.code, others_mail.token):
        insufficient(answered(app, auth_session, wrong))
    from_json_api = app.phone.call("POST /login/code/confirm", {"login_token": auth_session, "code": mail.code})
    assert from_json_api.json()["error"] == "login_expired"
    assert token_response(answered(other, others_session, others_mail.token))["authorization_code"]


def test_a_login_that_is_bound_to_a_key_is_finished_by_that_key_alone(app: App, svc: Services, mailbox: Ses) -> None:
    """The server decides what it is bound to: who asks with a key cannot be followed by who has none."""
    owner = Prover(svc.now, nonce=dpop.nonce(svc))
    thief = Prover(svc.now, nonce=owner.nonce)
    auth_session, mail = ask(app, mailbox, headers=owner.headers(PATH))
    assert answered(app, auth_session, mail.code).json()["error"] == "invalid_session"
    stolen = answered(app, auth_session, mail.code, headers=thief.headers(PATH))
    assert stolen.json()["error"] == "invalid_session"
    right = answered(app, auth_session, mail.code, headers=owner.headers(PATH))
    assert token_response(right)["authorization_code"]


def test_without_a_request_for_a_mail_there_is_no_answer_to_one(app: App, mailbox: Ses) -> None:
    auth_session = insufficient(send(app, **REQUEST))["auth_session"]
    assert answered(app, auth_session, "000000").json()["error"] == "invalid_session"
    assert mailbox.mails == []
