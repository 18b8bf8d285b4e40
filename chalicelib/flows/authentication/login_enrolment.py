"""A login that needs a second factor which its account has not: its user adds one there, and nothing else can be done."""

from ...domain.accounts.model import User
from ...domain.authentication.attempt import Attempt
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import EnrolmentRequired, InvalidRequest, LoginExpired, LoginRequired
from ...services import Services
from . import enrolment, login, policy
from .enrolment import PendingEnrolment
from .login import Progress


def due(svc: Services, attempt: Attempt) -> tuple[User, tuple[str, ...]]:
    """The user of a login that goes on, and the kinds of factors one of which has to be added.

    Raises LoginExpired where none has: the account has got one meanwhile, and whoever is there proves that instead; and
    LoginRequired where a session is to be raised whose login was not fresh when that began.
    """
    user = login.user_of(svc, attempt)
    try:
        policy.missing(svc, user, attempt)
    except EnrolmentRequired:
        _check_fresh(svc, attempt)
        return user, policy.kinds_that_complete(svc, attempt)
    raise LoginExpired(reason="no factor has to be added any more", uid=user.uid)


def _check_fresh(svc: Services, attempt: Attempt) -> None:
    # As for any other factor that is added: whoever finds a browser logged in would else make the account theirs.
    began_at = attempt.expires_at - Attempt.seconds
    if any(began_at - proof.at > svc.settings.fresh_login_seconds for proof in attempt.proofs):
        raise LoginRequired("This needs a fresh login.", reason="not fresh", uid=attempt.uid)


def begin(svc: Services, attempt: Attempt, *, kind: str, agent: UserAgent) -> PendingEnrolment:
    """What is shown to add a factor of this kind; nothing is stored. Raises LoginExpired, InvalidRequest."""
    user, kinds = due(svc, attempt)
    if kind not in kinds:
        raise InvalidRequest(f"`kind` is one of those that have to be added: {', '.join(kinds)}.")
    return enrolment.begin(svc, user, agent, kind=kind, holder=attempt.id)


def finish(
    svc: Services, attempt: Attempt, unverified_text: str, *, answer: str, name: str, agent: UserAgent
) -> Progress:
    """Adds the factor by the answer for what was shown, and goes on with the login, in which it is proved by that.

    It is added to an account that has none by then: of several logins at once, one adds its own. Raises LoginExpired,
    InvalidCredentials, TooManyRequests.
    """
    user, _ = due(svc, attempt)
    _, proof = enrolment.finish(
        svc, user, unverified_text, answer=answer, name=name, holder=attempt.id, session=None, agent=agent
    )
    return login.with_new_proof(svc, attempt, login.user_of(svc, attempt), proof, agent)
