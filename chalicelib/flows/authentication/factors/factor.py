from collections.abc import Callable, Mapping

import msgspec

from ....domain.accounts.model import Spent, User
from ....domain.authentication.attempt import Attempt
from ....domain.authentication.model import Proof
from ....services import Services
from ...platform import limits


def count_attempt(svc: Services, user: User, network: str) -> Spent:
    """Counts one guess at a factor of an account; raises TooManyRequests."""
    return limits.factor_attempt(svc, user, network=network)


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One way to prove who one is, with the methods (`amr`, RFC 8176) that it can prove: its kind and level follow from them.

    `count` counts an attempt before `verify` looks at it, which gives a proof or raises InvalidCredentials; a code that is
    good once is used up there, by a condition in the store. `challenge` is what the user has to be shown first, None for
    nothing; what it sends it counts, for the network as well. None of them decides what comes next.
    """

    name: str
    amr: tuple[str, ...]
    enrolled: Callable[[Services, User], bool]
    verify: Callable[[Services, Attempt, User, str], Proof]
    challenge: Callable[[Services, Attempt, User, str], Mapping[str, str]] | None = None
    count: Callable[[Services, User, str], Spent] = count_attempt
