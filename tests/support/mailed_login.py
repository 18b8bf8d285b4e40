"""A login by mail as it stands before whoever has its mail."""

from chalicelib.domain.authentication.attempt import Attempt
from chalicelib.domain.records.outbox import LoginMail
from chalicelib.domain.records.sealed import SealedLoginLink
from chalicelib.flows.authentication import mailed_login
from chalicelib.flows.platform import sealing
from chalicelib.services import Services

COOKIE = "__Host-latchkey-attempt"


def code_for(svc: Services, attempt_text: str) -> str:
    """The code of the mail that completes an attempt, as its holder carries it."""
    return mailed_login.code(svc, _link(svc, attempt_text))


def link_for(svc: Services, attempt_text: str) -> str:
    """The token of the link in that mail."""
    return sealing.seal(svc, _link(svc, attempt_text))


def _link(svc: Services, attempt_text: str) -> SealedLoginLink:
    attempt = sealing.unseal(svc, attempt_text, Attempt)
    assert attempt
    user = svc.users.read(svc.users.find(attempt.request[mailed_login.ADDRESS]) or "")
    assert user
    mail = LoginMail(
        name=mailed_login.MAIL,
        uid=user.uid,
        to=user.email,
        language="en",
        attempt_id=attempt.id,
        expires_at=attempt.expires_at,
    )
    link = mailed_login.link_of(svc, user, mail)
    assert link
    return link
