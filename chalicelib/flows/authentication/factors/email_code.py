"""A code that is mailed to the account's verified address for one login: for deployments that allow it."""

from collections.abc import Mapping

from ....domain.accounts.model import EnrolledFactor, User
from ....domain.authentication.attempt import Attempt
from ....domain.authentication.model import Proof
from ....domain.authentication.user_agent import UserAgent
from ....domain.errors import InvalidCredentials, InvalidRequest
from ....domain.records.outbox import LoginMail
from ....domain.records.sealed import SealedEnrolment
from ....domain.versioned import Record
from ....services import Services
from ...platform import limits, macs, outbox
from ...platform.ids import new_id
from .factor import Enrolment, Factor, encode

NAME = MAIL = "email_code"
AMR = ("otp",)


class EmailCodeRecord(Record, frozen=True):
    """Nothing is kept of it: codes are the account's and one login's."""


def code(svc: Services, user: User, *, attempt_id: str) -> str:
    """The code of one login, or of what is to be added, as long as the account has this address."""
    return macs.codes(svc, *_parts(user, attempt_id))[0]


def _parts(user: User, attempt_id: str) -> tuple[str, ...]:
    return (NAME, user.uid, user.email, attempt_id)


def _send(svc: Services, user: User, agent: UserAgent, *, attempt_id: str, expires_at: int) -> None:
    limits.mail(svc, user, network=agent.network)
    mail = LoginMail(
        name=MAIL,
        uid=user.uid,
        to=user.email,
        language=agent.language,
        attempt_id=attempt_id,
        expires_at=expires_at,
    )
    svc.transactions.commit(outbox.message(svc, mail))


def _challenge(svc: Services, attempt: Attempt, user: User, agent: UserAgent) -> Mapping[str, str]:
    _send(svc, user, agent, attempt_id=attempt.id, expires_at=attempt.expires_at)
    return {"email": user.email}


def _verify(svc: Services, attempt: Attempt, user: User, answer: str) -> Proof:
    # Good in this attempt alone, which begins one session.
    if not macs.verify_code(svc, answer, *_parts(user, attempt.id)):
        raise InvalidCredentials(reason="wrong mailed code", uid=user.uid)
    return Proof(NAME, AMR, svc.now())


def _begin(svc: Services, user: User, agent: UserAgent) -> tuple[dict[str, str], dict[str, str]]:
    if not user.email_verified:
        raise InvalidRequest("The account's address has to be verified first.")
    state = {"id": new_id()}
    _send(svc, user, agent, attempt_id=state["id"], expires_at=svc.now() + SealedEnrolment.seconds)
    return state, {"email": user.email}


def _finish(svc: Services, user: User, state: Mapping[str, str], answer: str) -> tuple[EnrolledFactor, Proof]:
    if not macs.verify_code(svc, answer, *_parts(user, state["id"])):
        raise InvalidCredentials("This code is wrong or too old.", reason="wrong mailed code", uid=user.uid)
    record = encode(EmailCodeRecord())
    factor = EnrolledFactor(uid=user.uid, kind=NAME, id=state["id"], name="", created_at=svc.now(), record=record)
    return factor, Proof(NAME, AMR, svc.now())


def _enrolled(svc: Services, user: User) -> bool:
    # Also where a deployment allows no new ones any more: no account gets weaker by that.
    return user.has_factor(NAME) and user.email_verified and bool(svc.settings.mail_from)


FACTOR = Factor(
    name=NAME,
    amr=AMR,
    verify=_verify,
    challenge=_challenge,
    enrolled=_enrolled,
    enrolment=Enrolment(_begin, _finish, allowed=lambda svc: svc.settings.email_codes and bool(svc.settings.mail_from)),
    by_mail=True,
    is_number=True,
)
