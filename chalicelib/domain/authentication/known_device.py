"""A device that an account knows: it has logged in there before. That is all it proves, and it logs nobody in."""

from ..accounts.model import User
from ..durations import DAY
from ..versioned import SealedRecord

MAX_ACCOUNTS = 5  # of one device; it is carried in a cookie
Account = tuple[str, int]  # a uid, and the account's `token_version` at that login


class KnownDevice(SealedRecord, frozen=True, kw_only=True):
    """A device with the accounts that have logged in on it, the latest first.

    An account knows it as long as its `token_version` is the same: a new password, or the end of all other sessions, is
    there because somebody else may have been in.
    """

    # What browsers keep a cookie for; its key may go some weeks earlier.
    purpose, seconds = b"latchkey known device\x00", 400 * DAY

    id: str
    accounts: tuple[Account, ...]

    def names(self, uid: str) -> bool:
        """Whether an account has ever logged in on it."""
        return uid in [each for each, _ in self.accounts]

    def is_known_to(self, user: User) -> bool:
        """Whether an account knows it still."""
        return (user.uid, user.token_version) in self.accounts

    def after_login(self, user: User) -> "KnownDevice":
        """The same once an account has logged in on it."""
        others = [each for each in self.accounts if each[0] != user.uid]
        return KnownDevice(id=self.id, accounts=((user.uid, user.token_version), *others)[:MAX_ACCOUNTS])
