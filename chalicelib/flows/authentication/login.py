"""A login, at whatever endpoint: a user proves factor after factor, until the policy misses none."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ...domain.accounts.limits import NOTHING_SPENT, Spent
from ...domain.accounts.model import Session, User
from ...domain.accounts.remembered_device import RememberedDevice
from ...domain.authentication import levels
from ...domain.authentication.attempt import Attempt
from ...domain.authentication.known_device import KnownDevice
from ...domain.authentication.model import Authenticated, Proof
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import (
    EnrolmentRequired,
    InvalidCredentials,
    InvalidRequest,
    LoginExpired,
    Refused,
    WrongAnswer,
)
from ...services import Services
from ..platform import audit, limits, mails
from ..sessions import known_devices, login_hooks, remembered_devices
from . import policy
from .factors import FACTORS
from .factors import password as password_factor
from .factors.factor import Discovery

GUESSES = "factor_guesses"  # the mail to an owner whose password somebody else knows
SESSION = "session"  # what a session that is raised proves, by whatever began it


class Incomplete(msgspec.Struct, frozen=True):
    """A login that needs one more proof, of one of these factors; or one of these `kinds`, which its account has not."""

    attempt: Attempt
    factors: tuple[str, ...]
    kinds: tuple[str, ...] = ()


Progress = Authenticated | Incomplete


def with_password(svc: Services, attempt: Attempt, *, address: str, password: str, agent: UserAgent) -> Progress:
    """Begins the login of the user with this address and password; raises InvalidCredentials, AccountDisabled."""
    user, spent = password_factor.identify(svc, address=address, password=password, agent=agent)
    return with_proof(svc, attempt, user, password_factor.proof(svc), spent, agent)


def with_proof(
    svc: Services,
    attempt: Attempt,
    user: User,
    proof: Proof,
    spent: Spent,
    agent: UserAgent,
    *,
    once: bool = False,
) -> Progress:
    """Begins the login of the user that a proof is of; `once` is for an attempt that its holder could come with again."""
    return _proceed(svc, attempt.of(user).with_proof(proof), user, spent, agent, once=once)


def with_session(attempt: Attempt, user: User, session: Session) -> Attempt:
    """The attempt to raise a session of this user, by what is missing beside what began it."""
    return attempt.of(user).with_proof(Proof(SESSION, session.amr, session.auth_time))


def missing(svc: Services, attempt: Attempt) -> tuple[User, tuple[str, ...]]:
    """The user of a login that goes on, and the factors one of which is missing; raises LoginExpired."""
    user = user_of(svc, attempt)
    factors = policy.missing(svc, user, attempt)
    if not factors:
        raise LoginExpired(reason="no factor is missing any more", uid=user.uid)
    return user, factors


def of_new_account(svc: Services, attempt: Attempt, user: User, agent: UserAgent) -> Progress:
    """The login that a sign-up is: who has just made a password knows it."""
    return with_new_proof(svc, attempt.of(user), user, password_factor.proof(svc), agent)


def with_new_proof(svc: Services, attempt: Attempt, user: User, proof: Proof, agent: UserAgent) -> Progress:
    """Goes on with the proof that making something is: a password, or a factor of the account."""
    return _proceed(svc, attempt.with_proof(proof), user, NOTHING_SPENT, agent)


def challenge(svc: Services, attempt: Attempt, *, factor: str, agent: UserAgent) -> Mapping[str, Any]:
    """What the user has to be shown to prove a factor, which has it counted where something is sent.

    Raises LoginExpired, TooManyRequests, or InvalidRequest for a factor that is not missing.
    """
    if discovery := _discovery(attempt, factor):
        return discovery.challenge(svc, attempt)
    user, factors = missing(svc, attempt)
    _check_missing(factors, factor)
    show = FACTORS[factor].challenge
    return show(svc, attempt, user, agent) if show else {}


def prove(svc: Services, attempt: Attempt, *, factor: str, answer: str, agent: UserAgent) -> Progress:
    """Goes on with the answer for a factor, which is counted before it is looked at.

    Raises WrongAnswer, TooManyRequests, LoginExpired, AccountDisabled, or InvalidRequest for a factor that is not missing.
    """
    if discovery := _discovery(attempt, factor):
        return _identify(svc, attempt, factor, discovery, answer, agent)
    user, factors = missing(svc, attempt)
    _check_missing(factors, factor)
    spent = FACTORS[factor].count(svc, user, agent.network)
    try:
        with limits.keep_failure(svc, spent):
            proof = FACTORS[factor].verify(svc, attempt, user, answer)
    except InvalidCredentials as wrong:
        audit.record(svc, user.uid, audit.event(svc, "factor_failed", client=attempt.client_id, factor=factor))
        _warn_owner(svc, user)
        raise WrongAnswer(factors=factors, reason=wrong.reason or f"wrong {factor}", uid=user.uid) from None
    return _proceed(svc, attempt.with_proof(proof), user, spent, agent)


def _discovery(attempt: Attempt, factor: str) -> Discovery | None:
    return FACTORS[factor].discovery if not attempt.uid and factor in FACTORS else None


def _identify(
    svc: Services, attempt: Attempt, factor: str, discovery: Discovery, answer: str, agent: UserAgent
) -> Progress:
    """Begins a login by an answer that says whose it is. Nobody guesses such a one, so nothing is counted."""
    try:
        with audit.failures(svc, "login_failed", client=attempt.client_id, factor=factor):
            user, proof = discovery.identify(svc, attempt, answer)
    except WrongAnswer:
        raise
    except InvalidCredentials as wrong:
        raise WrongAnswer(factors=(), reason=wrong.reason, uid=wrong.uid) from None
    return with_proof(svc, attempt, user, proof, NOTHING_SPENT, agent, once=True)


def _proceed(
    svc: Services, attempt: Attempt, user: User, spent: Spent, agent: UserAgent, *, once: bool = False
) -> Progress:
    """Goes on with one proof more. What was counted is given back: by the session that begins, and here where none does."""
    with limits.give_back_if_refused(svc, spent):
        progress = _progress(svc, attempt, user, spent, agent, once=once)
    if isinstance(progress, Incomplete):
        svc.attempts.give_back(spent, now=svc.now())
    return progress


def _progress(svc: Services, attempt: Attempt, user: User, spent: Spent, agent: UserAgent, *, once: bool) -> Progress:
    try:
        factors = policy.missing(svc, user, attempt)
    except EnrolmentRequired:
        return Incomplete(attempt, (), policy.kinds_that_complete(svc, attempt))
    device = known_devices.of_user_agent(svc, agent)
    remembered = _remembered(svc, attempt, user, device) if factors else None
    if factors and not remembered:
        return Incomplete(attempt, factors)
    used_up = once or len(attempt.proofs) > 1
    authenticated = Authenticated(
        user=user,
        amr=levels.united(*attempt.amr),
        # A further proof makes the first one no fresher.
        auth_time=next((proof.at for proof in attempt.proofs if proof.factor == SESSION), svc.now()),
        spent=spent,
        attempt_id=attempt.id if used_up else "",
        attempt_expires_at=attempt.expires_at if used_up else 0,
        agent=agent,
        device=device,
        remembered=remembered,
    )
    try:
        login_hooks.before_login(svc, authenticated, attempt.client_id)
    except Refused:
        event = audit.event(svc, "login_refused", client=attempt.client_id, amr=authenticated.amr, reason="hook")
        audit.record(svc, user.uid, event)
        raise
    return authenticated


def _remembered(svc: Services, attempt: Attempt, user: User, device: KnownDevice) -> RememberedDevice | None:
    """What stands in for a further factor; nothing where more than the account's own level wants that, or in a step-up."""
    if len(attempt.proofs) > 1 or policy.missing(svc, user, attempt, remembered=True):
        return None
    return remembered_devices.find(svc, device, user)


def _warn_owner(svc: Services, user: User) -> None:
    """Whoever guesses at a further factor knows the password already: the owner hears of it at the tenth time in a day."""
    if svc.settings.mail_from and limits.factor_alarm(svc, user):
        # In the owner's language: the guesser's is in the request.
        svc.transactions.commit(*mails.mail(svc, GUESSES, user, language=user.claims.get("locale", "")))


def user_of(svc: Services, attempt: Attempt) -> User:
    """The user of a login that goes on; raises LoginExpired where they are not as they were."""
    user = svc.users.read(attempt.uid) if attempt.uid else None
    if user is None or not attempt.is_of(user):
        raise LoginExpired(reason="account changed meanwhile" if attempt.uid else "nobody known", uid=attempt.uid)
    return user


def _check_missing(factors: tuple[str, ...], factor: str) -> None:
    if factor not in factors:
        raise InvalidRequest(f"`factor` is one of those that are missing: {', '.join(factors)}.")
