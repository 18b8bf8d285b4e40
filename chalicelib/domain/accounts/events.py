"""What an account's security is changed or tried by: each kind of event, and one event as it is kept."""

from collections.abc import Mapping
from typing import NamedTuple

from ..versioned import Record

# How an event came out.
OK, FAILED, REFUSED = "ok", "failed", "refused"
LOGIN = "login"
# Whether an account knew the device of a login.
KNOWN, NEW = "known", "new"
# Who did it, where that was not the account's user.
OPERATOR, SERVER = "operator", "server"
# So many events an account keeps of one hour. What comes first in this line can be done without end by an application or
# by whoever got in, and what comes later has room where that has none left: nobody hides a login behind it, nor a login on
# a new device behind those on a known one, nor a change of what protects the account behind any login.
MOST, MOST_OF_LOGINS, MOST_ON_NEW_DEVICES, MOST_THAT_MATTER = 50, 75, 100, 150
# Beside these, so many that recur.
MOST_THAT_RECUR = 25


class EventType(NamedTuple):
    """A kind of event: what it means, and whether it `matters`, as a change does of what protects an account.

    What is not `kept` is a line of the log alone: a stranger can cause it, or the account is gone, or a machine does it at
    each request. What `recurs` a program causes time and again, and its user need not be there: of an hour the first is
    kept of each client and network. It is alone in its deed.
    """

    meaning: str
    matters: bool = False
    recurs: bool = False
    outcome: str = OK
    kept: bool = True


# A kind of event is a line here, one in docs/events.md, and its words in the texts of the pages if it is kept.
EVENTS: Mapping[str, EventType] = {
    "signed_up": EventType("An account was made."),
    "guest_created": EventType("A guest's account was made."),
    "guest_upgraded": EventType("A guest's account got an address.", matters=True),
    LOGIN: EventType("Somebody logged in, with `amr` and `device`."),
    "session_began": EventType("A session began by a login of before, or on somebody's word: `reason`.", recurs=True),
    "token_exchanged": EventType("A token of a session was exchanged for another, with `reason`.", kept=False),
    "login_failed": EventType("A password, code or passkey to log in by was wrong.", outcome=FAILED, kept=False),
    "login_refused": EventType("The proof was right, and the login not allowed all the same.", outcome=REFUSED),
    "factor_failed": EventType("After a first proof, or in a session, a further one was wrong.", outcome=FAILED),
    "step_up": EventType("A session was raised by one proof more."),
    "logout": EventType("A session was logged out of."),
    "session_ended": EventType("A session was ended from elsewhere, with `reason`."),
    "other_sessions_ended": EventType("All sessions ended but the one that asked."),
    "password_changed": EventType("The password was changed in a session.", matters=True),
    "password_reset_requested": EventType("A link to a new password is mailed to the account's address.", kept=False),
    "password_reset": EventType("A new password was set by a link; all sessions ended.", matters=True),
    "operator_link_created": EventType("An operator made a link to a new password, or had it mailed.", matters=True),
    "email_verified": EventType("The address was verified.", matters=True),
    "email_change_requested": EventType("A change of the address was asked for.", matters=True),
    "email_change_cancelled": EventType("That was taken back before it was confirmed.", matters=True),
    "email_changed": EventType("The address was changed.", matters=True),
    "email_change_undone": EventType("The previous address was put back; all sessions ended.", matters=True),
    "mail_problem": EventType("Mail to the address came back, or was unwanted.", outcome=FAILED, kept=False),
    "factor_added": EventType("A further factor was added, with `factor`.", matters=True),
    "factor_removed": EventType("A further factor was taken away, with `factor`.", matters=True),
    "recovery_codes_replaced": EventType("Recovery codes were made.", matters=True),
    "recovery_code_used": EventType("A recovery code was used up."),
    "passkey_sign_count_fell": EventType("A passkey counts less than before: there may be a copy of it."),
    "passkey_backup_eligibility_changed": EventType("A passkey says otherwise whether it can be copied."),
    "device_remembered": EventType("A device is asked for no further factors from now on."),
    "device_forgotten": EventType("A device, or all, is asked for further factors again."),
    "consent_given": EventType("An application was allowed to use the account."),
    "consent_revoked": EventType("That was taken back; the application's sessions ended."),
    "data_exported": EventType("The account's data was downloaded.", matters=True),
    "deletion_requested": EventType("The account is to be deleted.", matters=True),
    "deletion_cancelled": EventType("It is not to be deleted any more.", matters=True),
    "account_erased": EventType("The account was erased, with `reason`; no later line names it.", kept=False),
    "account_disabled": EventType("The account was closed by an operator.", matters=True),
    "roles_changed": EventType("Its roles were changed by an operator.", matters=True),
    "attributes_changed": EventType("Its attributes were changed by an operator."),
    "hooks_unusable": EventType("The operator's hooks cannot be used, with `reason`.", outcome=FAILED, kept=False),
}


class Event(Record, frozen=True, kw_only=True):
    """One event of an account at a time (epoch seconds), of one of the types in EVENTS.

    All texts are ours: of what a caller sent it has the network that it came from, and the id of a client that is known.
    `session` is the session that it is about, else that in which it was done. `reason` says more where a type can come
    about in several ways.
    """

    id: str
    type: str
    at: int
    session: str = ""
    client: str = ""
    network: str = ""
    browser: str = ""
    system: str = ""
    device: str = ""
    amr: tuple[str, ...] = ()
    factor: str = ""
    reason: str = ""
    by: str = ""

    @property
    def kind(self) -> EventType:
        """What is known of its type; of one that a later release wrote, that it is one."""
        return EVENTS.get(self.type, EventType(""))

    @property
    def most(self) -> int:
        """How many events of its hour an account may have with this one."""
        if self.kind.matters:
            return MOST_THAT_MATTER
        if self.type == LOGIN:
            return MOST_ON_NEW_DEVICES if self.device == NEW else MOST_OF_LOGINS
        return MOST
