"""Which proofs a login still needs, by what its deployment and client demand, its account has, and its request wants."""

from collections.abc import Iterable

from ...domain.accounts.model import Session, User
from ...domain.authentication import levels, policy
from ...domain.authentication.attempt import Attempt
from ...domain.errors import EnrolmentRequired
from ...domain.oauth.client import Client
from ...services import Services
from .factors import FACTORS

REQUIRED, OFF = "required", "off"  # of Settings.second_factor, beside `optional`


def supported_levels() -> tuple[str, ...]:
    """The levels that some account can reach here."""
    highest = levels.rank(levels.acr_of(levels.united(*(factor.amr for factor in FACTORS.values()))))
    return levels.LEVELS[:highest]


def least_level(svc: Services, client: Client, scope: Iterable[str]) -> str:
    """The level that a login at this client for these scopes needs, whatever its account has; "" where any login will do.

    What a client demands comes on top of what the deployment does: none makes a login weaker than others are.
    """
    demanded = svc.settings.second_factor == REQUIRED or client.require_second_factor
    return policy.least_level(scope, second_factor=demanded, aal2_scopes=svc.settings.aal2_scopes)


def reaches_demand(svc: Services, client: Client, amr: Iterable[str]) -> bool:
    """Whether what was proved is what the deployment and a client demand by now of every login, whatever it is for."""
    least = least_level(svc, client, ())
    return not least or levels.reaches(amr, (least,))


def missing(svc: Services, user: User, attempt: Attempt, *, remembered: bool = False) -> tuple[str, ...]:
    """The factors one of which has to be proved next, () where the login is complete; raises UnmetAuthentication.

    On a device that is `remembered` nothing is missing for the account's own level, and for any other all the same.
    """
    amr = levels.united(*attempt.amr)
    offers = _offers_beside(svc, user, amr)
    requested = policy.requested_level(attempt.acr_values, amr=amr, offers=offers, essential=attempt.acr_essential)
    own_level = "" if remembered else account_level(svc, user)
    floors = (requested, own_level, attempt.level, policy.level_beside(amr))
    level = max(floors, key=levels.rank)
    if policy.is_unreachable(amr, level=attempt.level, offers=offers):
        raise EnrolmentRequired(uid=user.uid)
    return policy.missing(amr, level=level, offers=offers)


def missing_for_session(
    svc: Services,
    user: User,
    session: Session,
    *,
    least: str = "",
    acr_values: tuple[str, ...] = (),
    essential: bool = False,
) -> tuple[str, ...]:
    """The factors one of which raises a session to the level `least`, and to what a request wants.

    Raises UnmetAuthentication, or EnrolmentRequired where the account cannot reach the least.
    """
    if not acr_values and not essential and (not least or levels.reaches(session.amr, (least,))):
        return ()
    offers = _offers_beside(svc, user, session.amr)
    requested = policy.requested_level(acr_values, amr=session.amr, offers=offers, essential=essential)
    if policy.is_unreachable(session.amr, level=least, offers=offers):
        raise EnrolmentRequired(uid=user.uid)
    return policy.missing(session.amr, level=max(requested, least, key=levels.rank), offers=offers)


def reaches_account_level(svc: Services, user: User, amr: tuple[str, ...]) -> bool:
    """Whether what was proved is what a login to the account takes by now: two factors where it has two."""
    return levels.rank(levels.acr_of(amr)) >= levels.rank(account_level(svc, user))


def possible_kinds(svc: Services) -> tuple[str, ...]:
    """The kinds of factors that an account can get here; those that begin a login wherever there are any."""
    further = svc.settings.second_factor != OFF
    allowed = [name for name, each in FACTORS.items() if each.enrolment and each.enrolment.allowed(svc)]
    return tuple(name for name in allowed if further or FACTORS[name].begins_login)


def kinds_that_complete(svc: Services, attempt: Attempt) -> tuple[str, ...]:
    """The kinds of factors one of which, added to an account, lets a login reach what it has to reach."""
    is_by_mail = levels.EMAIL in levels.united(*attempt.amr)
    kinds = [name for name in possible_kinds(svc) if not (is_by_mail and FACTORS[name].by_mail)]
    with_it = {name: levels.united(*attempt.amr, FACTORS[name].amr) for name in kinds}
    return tuple(name for name, amr in with_it.items() if levels.reaches(amr, (attempt.level,)))


def account_level(svc: Services, user: User) -> str:
    """The level that a login to the account needs."""
    raising = {name: amr for name, amr in _offers(svc, user).items() if FACTORS[name].raises_level}
    # Whoever reads the account's mail can log in by it, or have a new password: beside that a factor counts as a second one
    # in an account without a password, too.
    return policy.account_level({**raising, "mail": (levels.EMAIL,)} if raising else {})


def _offers_beside(svc: Services, user: User, amr: tuple[str, ...]) -> policy.Offers:
    offers = _offers(svc, user)
    if levels.EMAIL in amr:  # one more mail to the same mailbox proves nothing more
        return {name: methods for name, methods in offers.items() if not FACTORS[name].by_mail}
    return offers


def _offers(svc: Services, user: User) -> policy.Offers:
    return {name: factor.amr for name, factor in FACTORS.items() if factor.is_enrolled(svc, user)}
