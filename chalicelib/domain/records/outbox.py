"""What has to be delivered to somebody outside, as it is kept until it was."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .. import versioned
from ..authentication.attempt import Attempt
from ..durations import DAY
from ..errors import UnreadableRecord
from ..versioned import Record


class Message(Record, frozen=True):
    """A message of a `kind`, which is of use for so many `seconds`. It has no secrets: they are made when it is delivered."""

    kind: ClassVar[str]
    seconds: ClassVar[int]


class EndedSessions(Message, frozen=True, kw_only=True):
    """Sessions of a user have ended: one, with what began in it, or with "" all of a `token_version` but the one that is kept.

    With `of_account` the account has ended, and with it what began in no browser.
    What is fetched to tell the clients counts against `network`.
    """

    kind, seconds = "ended sessions", 3 * DAY

    uid: str
    network: str
    session_id: str = ""
    token_version: int = 0
    kept: str = ""
    of_account: bool = False


class ErasedSessions(Message, frozen=True, kw_only=True):
    """Sessions of a user that are gone by the time it is delivered: of each its client, when that was made, and its own id.

    What is fetched to tell the clients counts against `network`.
    """

    kind, seconds = "erased sessions", 3 * DAY

    uid: str
    network: str
    sessions: tuple[tuple[str, int | None, str], ...]


class ErasedAccount(Message, frozen=True, kw_only=True):
    """An account has been erased: whatever is left of it goes as well, should that have failed at once."""

    kind, seconds = "erased account", 3 * DAY

    uid: str


class SessionCap(Message, frozen=True, kw_only=True):
    """Somebody has logged in where an account may have so many sessions: those beyond are ended.

    What is fetched to tell their clients counts against `network`.
    """

    kind, seconds = "session cap", DAY

    uid: str
    network: str


class LogoutNotice(Message, frozen=True, kw_only=True):
    """Sessions of a user have ended, for one client that took part in them (OpenID Connect Back-Channel Logout 1.0).

    `client_since` is when it was made, None where that was not kept; of the `session_ids` "" is all of the user's.
    """

    kind, seconds = "logout", 3 * DAY

    uid: str
    network: str
    client_id: str
    client_since: int | None
    session_ids: tuple[str, ...]


class Mail(Message, frozen=True, kw_only=True):
    """A mail of a `name` to the address that an account had when it was written, in a language of ours.

    `uid` is "" where nobody has an account with the address yet.
    """

    kind, seconds = "mail", DAY

    name: str
    uid: str
    to: str
    language: str


class EmailChangeMail(Mail, frozen=True, kw_only=True):
    """A mail to the address that an account is to have: of no use once the account is not as it was when that was asked for."""

    kind, seconds = "email change", DAY

    email: str
    token_version: int
    email_changed_at: int


class NewDeviceMail(Mail, frozen=True, kw_only=True):
    """A mail about a login `at` a time on a device that the account did not know; `browser` and `system` are names of ours."""

    kind, seconds = "new device", DAY

    session_id: str
    device_id: str = ""
    browser: str
    system: str
    network: str
    at: int


class LoginMail(Mail, frozen=True, kw_only=True):
    """The mail that completes an attempt to log in, of no use once that has expired."""

    kind, seconds = "login mail", Attempt.seconds

    attempt_id: str
    expires_at: int


class LoginRequest(Message, frozen=True, kw_only=True):
    """Somebody wants to log in by a mail to the account with this address, in its canonical form, if there is one."""

    kind, seconds = "login", Attempt.seconds

    email: str
    language: str
    attempt_id: str
    expires_at: int


class ResetRequest(Message, frozen=True, kw_only=True):
    """Somebody wants a new password for the account with this address, in its canonical form, if there is one."""

    kind, seconds = "password reset", DAY

    email: str
    language: str


class SignUpRequest(Message, frozen=True, kw_only=True):
    """Somebody wants an account with this address, as they write it: a mail goes there, or to the account that has it."""

    kind, seconds = "sign-up", DAY

    email: str
    language: str


MESSAGES: Mapping[str, type[Message]] = {
    message.kind: message
    for message in (
        EndedSessions,
        ErasedSessions,
        ErasedAccount,
        SessionCap,
        LogoutNotice,
        Mail,
        EmailChangeMail,
        LoginMail,
        LoginRequest,
        NewDeviceMail,
        ResetRequest,
        SignUpRequest,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxItem:
    """A message as it is stored, with what is known of its deliveries that have failed; times are epoch seconds."""

    message_id: str
    kind: str
    stored: str
    useful_until: int
    expires_at: int
    failures: int = 0
    reason: str = ""
    retry_at: int = 0

    @property
    def message(self) -> Message:
        """The message; raises UnreadableRecord, for one of a later release too."""
        try:
            return versioned.from_members(json.loads(self.stored), MESSAGES[self.kind])
        except (LookupError, ValueError) as error:
            raise UnreadableRecord(reason=f"{self.kind}: {error!r}") from error
