"""Which proofs are still missing, and which factors can give them."""

from collections.abc import Collection, Iterable, Mapping

from ..errors import UnmetAuthentication
from . import levels

# The methods (RFC 8176) that each factor which an account has can prove, by the factor's name.
Offers = Mapping[str, tuple[str, ...]]


def least_level(scope: Iterable[str], *, second_factor: bool, aal2_scopes: Collection[str]) -> str:
    """The level that a login for these scopes needs whatever its account has; "" where any login will do."""
    return levels.AAL2 if second_factor or not set(scope).isdisjoint(aal2_scopes) else ""


def granted_at(scope: tuple[str, ...], *, amr: Iterable[str], aal2_scopes: Collection[str]) -> tuple[str, ...]:
    """What of these scopes a login of these methods may have."""
    if levels.reaches(amr, (levels.AAL2,)):
        return scope
    return tuple(each for each in scope if each not in aal2_scopes)


def account_level(offers: Offers) -> str:
    """The level that a login to an account needs: two factors where it has two."""
    return min(levels.acr_of(levels.united(*offers.values())), levels.AAL2, key=levels.rank)


def level_beside(amr: Iterable[str]) -> str:
    """The level that a login needs which goes on after these proofs, "" for none.

    Whoever has a key is not yet its user: one that did not verify whose hand it is in needs another factor beside it.
    """
    return levels.AAL2 if set(amr) & levels.RESISTS_PHISHING else ""


def requested_level(acr_values: Iterable[str], *, amr: Iterable[str], offers: Offers, essential: bool) -> str:
    """The first level of a request that the account can give, "" for none (OpenID Connect Core 3.1.2.1).

    Raises UnmetAuthentication where one of them is essential (section 5.5.1.1).
    """
    reach = levels.rank(levels.acr_of(levels.united(amr, *offers.values())))
    level = next((acr for acr in acr_values if 0 < levels.rank(acr) <= reach), "")
    if essential and not level:
        raise UnmetAuthentication()
    return level


def is_unreachable(amr: Iterable[str], *, level: str, offers: Offers) -> bool:
    """Whether all that an account has, beside what was proved, does not reach a level."""
    return levels.rank(levels.acr_of(levels.united(amr, *offers.values()))) < levels.rank(level)


def missing(amr: Iterable[str], *, level: str, offers: Offers) -> tuple[str, ...]:
    """The factors one of which has to be proved next to reach a level, () where it is reached."""
    methods_proved = levels.united(amr)
    needed = levels.rank(level)
    if levels.rank(levels.acr_of(methods_proved)) >= needed:
        return ()
    left = {name: methods for name, methods in offers.items() if not set(methods) <= set(methods_proved)}
    enough = [
        n for n, methods in left.items() if levels.rank(levels.acr_of(levels.united(methods_proved, methods))) >= needed
    ]
    return tuple(enough or left)
