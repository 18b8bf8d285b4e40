"""Accounts with passkeys, and logins by them at the endpoints that apps use."""

import json
from typing import Any

from chalicelib.domain.accounts.model import EnrolledFactor
from chalicelib.flows.authentication.factors import passkey
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.account_pages import AGENT
from tests.support.authenticator import Authenticator, Members
from tests.support.login_clients import LoginClient


def enrol(
    svc: Services, uid: str, authenticator: Authenticator, *, automatic: bool = False, **changes: Any
) -> EnrolledFactor:
    """Gives an account the passkey of an authenticator."""
    user = svc.users.read(uid)
    assert user
    begin_one = passkey.begin_automatic if automatic else passkey.begin
    state, challenge = begin_one(svc, user, AGENT)
    factor, _ = passkey.finish(svc, user, state, json.dumps(authenticator.create(challenge["publicKey"], **changes)))
    assert svc.transactions.commit(svc.factors.enrolment(user, factor)) is None
    return factor


def withdraw(svc: Services, factor: EnrolledFactor) -> None:
    """Takes a passkey from its account."""
    user = svc.users.read(factor.uid)
    assert user
    assert svc.transactions.commit(svc.factors.removal(user, [factor.entry])) is None


def begin(at: LoginClient, **request: str) -> tuple[str, Members]:
    """A login without a user name: what carries it on, and the options for the browser."""
    answer = at.begin_passkey(**request).json()
    return answer[at.member], answer["challenge"]["publicKey"]


def prove(at: LoginClient, token: str, answer: object) -> Answer:
    """The step with a passkey's answer."""
    return at.prove(token, "passkey", json.dumps(answer))
