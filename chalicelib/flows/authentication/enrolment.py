"""The further factors of an account: listed, named, added and removed by its owner, who has just logged in.

Whoever adds or removes one is in a session of the account's own level, so that a password alone changes none of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from ...domain.accounts.events import Event
from ...domain.accounts.model import EnrolledFactor, Session, User, kind_and_id, kind_of
from ...domain.authentication import levels
from ...domain.authentication.model import Proof
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import (
    InvalidRequest,
    LastFactor,
    LoginExpired,
    LoginRequired,
    NotFound,
    TooManyFactors,
)
from ...domain.records.sealed import SealedEnrolment
from ...services import Services, Write
from ..platform import audit, limits, mails, sealing
from . import policy
from .factors import FACTORS, recovery_code
from .factors.factor import Enrolment

ADDED, REMOVED = "factor_added", "factor_removed"
MOST = 20  # of one account, of all kinds


class PendingEnrolment(msgspec.Struct, frozen=True):
    """An enrolment to be confirmed: the text that brings it back, and what is shown meanwhile."""

    token: str
    challenge: Mapping[str, Any]


def kinds_on_pages(svc: Services) -> tuple[str, ...]:
    """The kinds of factors that an account can get by a page that has no script."""
    return tuple(kind for kind in policy.possible_kinds(svc) if _enrolment(svc, kind).show)


def list_factors(svc: Services, user: User) -> list[EnrolledFactor]:
    """The further factors of an account, the oldest first."""
    return svc.factors.of_user(user)


def check_fresh(svc: Services, user: User, session: Session, *, auth_time: int) -> None:
    """That a session's user has just logged in, by what a login to the account takes by now; raises LoginRequired.

    `auth_time` is the login's that the access token says it has, 0 for none: one that was exchanged has the session's id, and
    not its login.
    """
    if svc.now() - auth_time > svc.settings.fresh_login_seconds:
        raise LoginRequired("This needs a fresh login.", reason="not fresh", uid=user.uid)
    check_level(svc, user, session)


def is_fresh(svc: Services, user: User, session: Session) -> bool:
    """Whether a session's user has just logged in, by what a login to the account takes by now."""
    try:
        check_fresh(svc, user, session, auth_time=session.auth_time)
    except LoginRequired:
        return False
    return True


def check_level(svc: Services, user: User, session: Session) -> None:
    """That a session is of the account's own level by now; raises LoginRequired."""
    if not policy.reaches_account_level(svc, user, session.amr):
        raise LoginRequired(
            "This needs a login with all factors that the account has.",
            reason="below the account's level",
            uid=user.uid,
        )


def begin(
    svc: Services, user: User, agent: UserAgent, *, kind: str, holder: str, automatic: bool = False
) -> PendingEnrolment:
    """What is shown to who is to have one more factor, and the text by which they confirm it; nothing is stored.

    `holder` is the session, or the login that goes on, that alone may confirm it. An `automatic` one is made by a device
    without its user, where its kind knows that. Raises InvalidRequest, TooManyFactors.
    """
    check_room(svc, user, kind)
    kinds_own = _enrolment(svc, kind)
    begin_one = (kinds_own.begin_automatic if automatic else None) or kinds_own.begin
    state, challenge = begin_one(svc, user, agent)
    record = SealedEnrolment(uid=user.uid, token_version=user.token_version, holder=holder, kind=kind, state=state)
    return PendingEnrolment(sealing.seal(svc, record), challenge)


def reopen(svc: Services, user: User, unverified_text: str, *, holder: str) -> tuple[str, Mapping[str, str]]:
    """The kind of what is to be added, and what is shown once more; raises LoginExpired, InvalidRequest."""
    record = _unseal(svc, user, unverified_text, holder)
    show = _enrolment(svc, record.kind).show
    return record.kind, show(svc, user, record.state) if show else {}


def finish(
    svc: Services,
    user: User,
    unverified_text: str,
    *,
    answer: str,
    name: str,
    holder: str,
    session: Session | None,
    agent: UserAgent,
) -> tuple[EnrolledFactor, Proof]:
    """The factor, once its answer is right: written with what is proved in the session by that, and a mail to its owner.

    Raises LoginExpired, InvalidCredentials, TooManyFactors, TooManyRequests.
    """
    record = _unseal(svc, user, unverified_text, holder)
    check_room(svc, user, record.kind)
    spent = limits.factor_attempt(svc, user, network=agent.network)
    with limits.keep_failure(svc, spent):
        enrolled, proof = _enrolment(svc, record.kind).finish(svc, user, record.state, answer)
        if enrolled.entry in user.factors:  # whose answer was lost
            raise LoginExpired("This has been added already.", uid=user.uid)
        limits.factor_change(svc, user)
    factor = replace(enrolled, name=name or enrolled.name)
    # Only what logins need from now on: a key that did not verify its user would else pass for one that did.
    methods = proof.amr if FACTORS[record.kind].raises_level else ()
    raised = [svc.sessions.proof(session, amr=levels.united(session.amr, methods))] if session else []
    refund = svc.attempts.refund(spent, now=svc.now())
    writes = (svc.factors.enrolment(user, factor), *raised)
    events = [audit.event(svc, ADDED, factor=record.kind)]
    _commit(svc, user, events, *writes, mail=ADDED, language=agent.language, optional=[refund])
    return factor, proof


def replace_recovery_codes(svc: Services, user: User, session: Session, *, auth_time: int, language: str) -> list[str]:
    """Ten new recovery codes in place of those that there are, to be shown once.

    Raises LoginRequired, TooManyRequests, and InvalidRequest for an account without a factor that they could stand in for.
    """
    check_fresh(svc, user, session, auth_time=auth_time)
    if not any_beside_stand_ins(user.factors):
        raise InvalidRequest("Recovery codes stand in for another factor: add one first.")
    limits.factor_change(svc, user)
    factor, codes = recovery_code.new_codes(svc, user)
    before = sorted(entry for entry in user.factors if kind_of(entry) == recovery_code.NAME)
    writes = (svc.factors.enrolment(user, factor, instead_of=before), svc.sessions.proof(session, amr=session.amr))
    _commit(svc, user, [audit.event(svc, "recovery_codes_replaced")], *writes, mail=ADDED, language=language)
    return codes


def check_room(svc: Services, user: User, kind: str) -> None:
    """That an account can have one more factor of a kind; raises InvalidRequest, TooManyFactors."""
    of_kind = [entry for entry in user.factors if kind_of(entry) == kind]
    if len(of_kind) >= _enrolment(svc, kind).most or len(user.factors) >= MOST:
        raise TooManyFactors(uid=user.uid)


def rename(svc: Services, user: User, factor_id: str, name: str) -> None:
    """Another name for a factor, for its owner's eyes; raises NotFound."""
    factor = svc.factors.find(user, _entry(user, factor_id))
    if factor is None or not svc.factors.rename(factor, name):
        raise NotFound(uid=user.uid)


def remove(svc: Services, user: User, session: Session, factor_id: str, *, auth_time: int, language: str) -> None:
    """Takes a factor from the account, whose owner is mailed; with the last one go the recovery codes, which stand in for it.

    Raises NotFound, LoginRequired, LastFactor, TooManyRequests.
    """
    check_fresh(svc, user, session, auth_time=auth_time)
    gone = {_entry(user, factor_id)}
    if not any_beside_stand_ins(user.factors - gone):
        gone = set(user.factors)
    if not _can_begin_login(svc, user, user.factors - gone):
        raise LastFactor(uid=user.uid)
    limits.factor_change(svc, user)
    writes = (svc.factors.removal(user, sorted(gone)), svc.sessions.proof(session, amr=session.amr))
    events = [audit.event(svc, REMOVED, factor=kind) for kind in sorted(kinds(gone))]
    _commit(svc, user, events, *writes, mail=REMOVED, language=language)


def any_beside_stand_ins(entries: Iterable[str]) -> bool:
    """Whether an account names a factor beside those that stand in for others."""
    return any(kind not in FACTORS or not FACTORS[kind].stands_in for kind in kinds(entries))


def kinds(entries: Iterable[str]) -> set[str]:
    """The kinds of what an account names."""
    return {kind_of(entry) for entry in entries}


def _can_begin_login(svc: Services, user: User, entries: frozenset[str]) -> bool:
    left = replace(user, factors=entries)
    return any(factor.begins_login and factor.is_enrolled(svc, left) for factor in FACTORS.values())


def _entry(user: User, factor_id: str) -> str:
    for entry in user.factors:
        if kind_and_id(entry)[1] == factor_id:
            return entry
    raise NotFound(uid=user.uid)


def _unseal(svc: Services, user: User, unverified_text: str, holder: str) -> SealedEnrolment:
    record = sealing.unseal(svc, unverified_text, SealedEnrolment)
    if record is None or (record.uid, record.token_version, record.holder) != (user.uid, user.token_version, holder):
        raise LoginExpired("This has expired, or belongs to somebody else: begin again.", uid=user.uid)
    return record


def _enrolment(svc: Services, kind: str) -> Enrolment:
    possible = policy.possible_kinds(svc)
    enrolment = FACTORS[kind].enrolment if kind in possible else None
    if enrolment is None:
        raise InvalidRequest(f"`kind` is one of {', '.join(possible)}." if possible else "No factor can be added here.")
    return enrolment


def _commit(
    svc: Services,
    user: User,
    events: Sequence[Event],
    *writes: Write,
    mail: str,
    language: str,
    optional: Sequence[Write] = (),
) -> None:
    mail_writes = mails.mail(svc, mail, user, language=language)
    audit.commit_or_unavailable(svc, user.uid, events, *writes, *mail_writes, optional=optional)
