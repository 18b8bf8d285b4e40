from dataclasses import dataclass

from .model import User


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedDevice:
    """A device on which an account's further factors are not asked for, until `expires_at`; times are epoch seconds.

    It is bound to the account as it was when its user proved them there: to `token_version` and to what `factors` it named.
    """

    uid: str
    device_id: str
    token_version: int
    factors: frozenset[str]
    created_at: int
    last_used_at: int
    expires_at: int
    browser: str = ""
    system: str = ""

    def in_force(self, user: User, now: int) -> bool:
        """Whether it still counts: a new password, the end of other sessions and any change of factors end it."""
        bound_to = (self.uid, self.token_version, self.factors)
        return now < self.expires_at and not user.disabled and (user.uid, user.token_version, user.factors) == bound_to
