"""Sign-ups with a passkey, as an app does them: options first, then what the device has made by them."""

import json
from typing import Any

from local.gateway import Answer
from tests.support.authenticator import Authenticator, Members
from tests.support.phone import EMAIL, Phone

BEGIN, CONFIRM = "POST /signup/passkey", "POST /signup/passkey/confirm"
BEGIN_UPGRADE, CONFIRM_UPGRADE = "POST /me/upgrade/passkey", "POST /me/upgrade/passkey/confirm"


def begin(phone: Phone, email: str = EMAIL, **more: str) -> tuple[str, Members]:
    """What brings the sign-up back, and the options for the device."""
    return token_and_options(phone.call(BEGIN, {"email": email, **more}))


def begin_by_link(phone: Phone, link: str, **more: str) -> tuple[str, Members]:
    """The same by the token of a mail."""
    return token_and_options(phone.call(BEGIN, {"token": link, **more}))


def token_and_options(answer: Answer) -> tuple[str, Members]:
    """What an answer that must be one says of how to go on."""
    assert answer.status == 200, answer.body
    body = answer.json()
    return body["token"], body["challenge"]["publicKey"]


def confirm(phone: Phone, token: str, answer: object, **more: str) -> Answer:
    """The second step."""
    return phone.call(CONFIRM, {"token": token, "answer": json.dumps(answer), **more})


def sign_up(phone: Phone, device: Authenticator, email: str = EMAIL, **more: str) -> dict[str, Any]:
    """The answer to a sign-up that must succeed."""
    token, options = begin(phone, email, **more)
    answer = confirm(phone, token, device.create(options))
    assert answer.status == 201, answer.body
    tokens: dict[str, Any] = answer.json()
    return tokens
