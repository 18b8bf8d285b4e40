import msgspec

from ..accounts.limits import NOTHING_SPENT, Spent
from ..accounts.model import Session, User
from ..accounts.remembered_device import RememberedDevice
from . import levels
from .known_device import KnownDevice
from .user_agent import UserAgent


class Proof(msgspec.Struct, frozen=True):
    """That a factor was proved, by these methods (RFC 8176), at this time (epoch seconds)."""

    factor: str
    amr: tuple[str, ...]
    at: int


class Authenticated(msgspec.Struct, frozen=True, kw_only=True):
    """A user who has proved who they are: what alone can begin or raise a session.

    Only the rooms `authentication` make one. `spent` is what its attempts were counted against, to be given back;
    `attempt_id` is the attempt's of several requests, which is used up with it, before `attempt_expires_at`. `agent` is what
    they logged in with, and `device` that as it came here; None for neither where nobody has logged in just now.
    `remembered` is what stood in for a proof that the account's own level would have needed.
    """

    user: User
    amr: tuple[str, ...]
    auth_time: int
    spent: Spent = NOTHING_SPENT
    attempt_id: str = ""
    attempt_expires_at: int = 0
    agent: UserAgent | None = None
    device: KnownDevice | None = None
    remembered: RememberedDevice | None = None

    @property
    def acr(self) -> str:
        """How strong it was."""
        return levels.acr_of(self.amr)

    @property
    def withdraws_deletion(self) -> bool:
        """Whether its account was to be erased as it was read: once the login has begun a session, it is not any more."""
        return bool(self.user.delete_after)


def of_session(user: User, session: Session) -> Authenticated:
    """The login that a session began with, for what its user begins inside it: nobody proves anything anew."""
    return Authenticated(user=user, amr=session.amr, auth_time=session.auth_time)
