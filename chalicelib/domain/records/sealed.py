"""What browsers and apps carry for us, encrypted and authenticated, so that only this server can read or make it."""

from typing import ClassVar

from msgspec import field

from ..authentication.attempt import Attempt
from ..authentication.known_device import KnownDevice
from ..durations import DAY
from ..versioned import SealedRecord


class SealedInteraction(SealedRecord, frozen=True, kw_only=True):
    """What a user has just done on a page: in the browser's session `sid`, for the page with the digest `to`."""

    purpose, seconds = b"latchkey interaction\x00", 300

    action: str = field(name="did")
    detail: str = field(name="shown")
    id: str
    sid: str
    to: str


class SealedFormError(SealedRecord, frozen=True, kw_only=True):
    """What was wrong in a form, with what was typed; `form_token` ties it to the form and the browser.

    `mistakes` has the errors of fields, `error` is the first or only one. `score` and `advice` are a weak password's.
    """

    purpose, seconds = b"latchkey mistake\x00", 300

    error: str
    retry_at: int
    form_token: str
    fields: dict[str, str] = field(name="typed")
    mistakes: dict[str, str] = field(default_factory=dict)
    score: int | None = None
    advice: tuple[str, ...] = ()


class SealedErrorPage(SealedRecord, frozen=True, kw_only=True):
    """The error that a form ended in; `again` is where to try again, "" where that is of no use."""

    purpose, seconds = b"latchkey refusal\x00", 300

    error: str
    description: str = field(name="told")
    status: int
    retry_at: int
    again: str
    locales: str
    request_id: str = ""


class SealedWork(SealedRecord, frozen=True, kw_only=True):
    """A challenge of proof of work: its answer's digest begins with so many zero bits, and is good once by its `id`."""

    purpose, seconds = b"latchkey proof of work\x00", 600

    id: str
    bits: int


class SealedEmailLink(SealedRecord, frozen=True, kw_only=True):
    """The link of a mail to an address: whoever has it reads the mail of an account's address."""

    purpose, seconds = b"latchkey email link\x00", DAY

    uid: str
    email: str


class SealedResetLink(SealedRecord, frozen=True, kw_only=True):
    """The link of a mail by which an account gets a new password, while it is as it was: `token_version` moves on with that."""

    purpose, seconds = b"latchkey password reset\x00", 3600
    operator: ClassVar[str] = ""

    uid: str
    email: str
    token_version: int


class SealedOperatorLink(SealedRecord, frozen=True, kw_only=True):
    """The link that an operator has made for who cannot get in, by which an account gets a new password while it is as it was.

    It says nothing about the address. `without_factors` takes the further factors away; `operator` is for the log.
    """

    purpose, seconds = b"latchkey operator link\x00", 15 * 60

    uid: str
    email: str
    token_version: int
    without_factors: bool
    operator: str


class EmailChange(SealedRecord, frozen=True, kw_only=True):
    """A change of address to be confirmed; `email`, `token_version` and `email_changed_at` are the account's as it was."""

    seconds = 3600

    uid: str
    email: str
    token_version: int
    email_changed_at: int
    new_email: str


class SealedEmailChange(EmailChange, frozen=True, kw_only=True):
    """What an app has that asked for a change with the password: with the code that was mailed it confirms it."""

    purpose = b"latchkey email change\x00"


class SealedEmailChangeLink(EmailChange, frozen=True, kw_only=True):
    """The link of a mail to the new address: whoever has it reads the mail of that address."""

    purpose = b"latchkey email change link\x00"


class SealedEmailUndo(SealedRecord, frozen=True, kw_only=True):
    """The link of a mail to an account's previous address, which puts it back."""

    purpose, seconds = b"latchkey email undo\x00", 7 * DAY

    uid: str
    email: str
    valid_until: int


class SealedSignUpLink(SealedRecord, frozen=True, kw_only=True):
    """The link of a mail by which whoever reads it makes an account with the address; `id` is used up by that."""

    purpose, seconds = b"latchkey sign-up link\x00", DAY

    email: str
    id: str


class SealedInvitation(SealedRecord, frozen=True, kw_only=True):
    """The same in a mail that an operator has had sent, where nobody else may sign up."""

    purpose, seconds = b"latchkey invitation\x00", 7 * DAY

    email: str
    id: str


class SealedPasskeySignUp(SealedRecord, frozen=True, kw_only=True):
    """An account that is to be made with a passkey, or a guest's that is to get one: `uid` is in the passkey already.

    `holder` is the browser, or the guest's session, that alone may go on; "" for an app that has nothing yet. `email` is ""
    where the address comes with the passkey; `link` is that of a mail that has verified it. `id` is used up by the account.
    """

    purpose, seconds = b"latchkey passkey sign-up\x00", 3600

    id: str
    uid: str
    holder: str
    email: str
    name: str
    link: str
    state: dict[str, str]


class SealedEnrolment(SealedRecord, frozen=True, kw_only=True):
    """A further factor that an account is to have once its holder has confirmed it: nothing of it is stored before.

    `holder` is the session, or the login that goes on, that alone may confirm it. `state` is what the factor's kind needs.
    """

    purpose, seconds = b"latchkey factor enrolment\x00", 600

    uid: str
    token_version: int
    holder: str
    kind: str
    state: dict[str, str]


class SealedSessionEnd(SealedRecord, frozen=True, kw_only=True):
    """The link of a mail about a login, which ends the session that it began, and forgets its device; `email` is where
    it was mailed."""

    purpose, seconds = b"latchkey session end\x00", 7 * DAY

    uid: str
    email: str
    session_id: str
    device_id: str = ""


class SealedLoginLink(SealedRecord, frozen=True, kw_only=True):
    """The link of a mail that completes one attempt to log in, in the hands of who began that; good until `expires_at`."""

    purpose, seconds = b"latchkey login link\x00", Attempt.seconds

    attempt_id: str
    expires_at: int
    uid: str
    email: str
    token_version: int


SEALED: tuple[type[SealedRecord], ...] = (
    SealedInteraction,
    SealedFormError,
    SealedErrorPage,
    SealedWork,
    SealedEmailLink,
    SealedResetLink,
    SealedOperatorLink,
    SealedEmailChange,
    SealedEmailChangeLink,
    SealedEmailUndo,
    SealedSignUpLink,
    SealedInvitation,
    SealedPasskeySignUp,
    SealedEnrolment,
    SealedSessionEnd,
    SealedLoginLink,
    Attempt,
    KnownDevice,
)
