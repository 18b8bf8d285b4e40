"""Which proofs a login still needs, by what its account has, and what its request wants."""

from ...domain.accounts.model import Session, User
from ...domain.authentication import levels, policy
from ...domain.authentication.attempt import Attempt
from ...services import Services
from .factors import FACTORS


def supported_levels() -> tuple[str, ...]:
    """The levels that some account can reach here."""
    highest = levels.rank(levels.acr_of(levels.united(*(factor.amr for factor in FACTORS.values()))))
    return levels.LEVELS[:highest]


def missing(svc: Services, user: User, attempt: Attempt) -> tuple[str, ...]:
    """The factors one of which has to be proved next, () where the login is complete; raises UnmetAuthentication."""
    offers = _offers(svc, user)
    amr = levels.united(*attempt.amr)
    requested = policy.requested_level(attempt.acr_values, amr=amr, offers=offers, essential=attempt.acr_essential)
    level = max(requested, account_level(svc, user), key=levels.rank)
    return policy.missing(amr, level=level, offers=offers)


def missing_for_session(
    svc: Services, user: User, session: Session, *, acr_values: tuple[str, ...], essential: bool
) -> tuple[str, ...]:
    """The factors one of which raises a session to the level that a request wants; raises UnmetAuthentication."""
    if not acr_values and not essential:
        return ()
    offers = _offers(svc, user)
    level = policy.requested_level(acr_values, amr=session.amr, offers=offers, essential=essential)
    return policy.missing(session.amr, level=level, offers=offers)


def reaches_account_level(svc: Services, user: User, amr: tuple[str, ...]) -> bool:
    """Whether what was proved is what a login to the account takes by now: two factors where it has two."""
    return levels.rank(levels.acr_of(amr)) >= levels.rank(account_level(svc, user))


def account_level(svc: Services, user: User) -> str:
    """The level that a login to the account needs."""
    offers = _offers(svc, user)
    return policy.account_level({name: amr for name, amr in offers.items() if FACTORS[name].raises_level})


def _offers(svc: Services, user: User) -> policy.Offers:
    return {name: factor.amr for name, factor in FACTORS.items() if factor.is_enrolled(svc, user)}
