import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# A mail that no mailbox took, and one that its reader has called unwanted.
BOUNCE, COMPLAINT = "bounce", "complaint"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One account. `token_version` moves on to end every session at once; times are epoch seconds.

    `attributes` are what the deployment keeps of its user besides (attributes.py).
    `claims` are what its user says of themselves, by the names of profile.CLAIMS; `updated_at` is when, 0 for not yet.
    `email_changed_at` is when its address was last changed, 0 for never. Until `previous_email_until` the reader of
    `previous_email`, the address before, may undo that and every change since. `email_problem` is what became of a mail to
    the address, BOUNCE or COMPLAINT, until its owner shows again that they read it. `factors` are its further factors, each
    as `EnrolledFactor.entry` has it: what is not among them counts for nothing, whatever is stored of it.
    `pending_email` is what its address is to be once that is confirmed, as `pending_email_at` says; `pending_email_until`
    is 0 where no change has waited since the last one.
    `previous_password_hashes`, the latest first, are kept where none of those passwords may come back.
    A `guest` has no address and no password, and lasts as long as its first session may.
    From `delete_after` on it is erased, unless its owner logs in before; 0 for an account whose owner wants to keep it.
    """

    uid: str
    email: str
    password_hash: str
    created_at: int
    name: str = ""
    email_verified: bool = False
    disabled: bool = False
    token_version: int = 1
    roles: tuple[str, ...] = ()
    claims: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    updated_at: int = 0
    email_changed_at: int = 0
    previous_email: str = ""
    previous_email_until: int = 0
    pending_email: str = ""
    pending_email_until: int = 0
    pending_email_version: int = 0
    email_problem: str = ""
    guest: bool = False
    previous_password_hashes: tuple[str, ...] = ()
    factors: frozenset[str] = frozenset()
    delete_after: int = 0

    def pending_email_at(self, now: int) -> str:
        """The address that waits to be confirmed; "" for none, also once all sessions have ended since it was asked for."""
        waits = now < self.pending_email_until and self.pending_email_version == self.token_version
        return self.pending_email if waits else ""

    def has_factor(self, kind: str) -> bool:
        """Whether it has a further factor of a kind."""
        return any(kind_of(entry) == kind for entry in self.factors)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledFactor:
    """One further factor of an account: of a `kind`, which FACTORS knows, under an id; times are epoch seconds.

    `record` is what its kind keeps of it, as JSON. `counter` only rises: the last step of a one-time code, or a device's
    own count. `codes` are the digests of codes that are good once each. `last_used_at` is 0 for not yet.
    """

    uid: str
    kind: str
    id: str
    name: str
    created_at: int
    record: str
    last_used_at: int = 0
    counter: int = 0
    codes: frozenset[str] = frozenset()

    @property
    def entry(self) -> str:
        """What the account names it by."""
        return factor_entry(self.kind, self.id)


def factor_entry(kind: str, factor_id: str) -> str:
    """What an account names a factor by."""
    return f"{kind}#{factor_id}"


def kind_and_id(entry: str) -> tuple[str, str]:
    """The kind and the id in what an account names a factor by."""
    kind, _, factor_id = entry.partition("#")
    return kind, factor_id


def kind_of(entry: str) -> str:
    """The kind in what an account names a factor by."""
    return kind_and_id(entry)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a user has agreed to for a client at one API, and when last; `api` is the digest of its URI, "" for our own."""

    client_id: str
    scopes: frozenset[str]
    agreed_at: int
    api: str = ""


def api_digest(resource: str) -> str:
    """What a consent keeps of an API's URI; "" for our own, which is ""."""
    return hashlib.sha256(resource.encode()).hexdigest() if resource else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session of one client for one user, for its whole life; times are epoch seconds.

    `generation` counts the refresh tokens (or a browser's cookies) so far, 0 while its code waits; `rotated_at` is when the
    latest one replaced its predecessor. `browser` is the id of the browser session that it was asked for in, `jkt` the
    thumbprint of the key that it is bound to (RFC 9449), `unbound_until` the last generation that was handed out before it
    was bound, `resource` the API that it is for (RFC 8707). `logout_participants` is a
    browser's session's own: the clients that have had sessions of it. `client_since` is when its client was made, for an id
    can be given again; None in what was stored before that was kept. `amr` and `auth_time` are the login's, empty and 0
    where none began it.
    """

    uid: str
    session_id: str
    client_id: str
    scope: tuple[str, ...]
    token_version: int
    amr: tuple[str, ...]
    auth_time: int
    created_at: int
    last_used_at: int
    expires_at: int
    ends_at: int
    generation: int = 1
    rotated_at: int = 0
    device: str = ""
    ended: str = ""
    redirect_uri: str = ""
    challenge: str = ""
    nonce: str = ""
    resource: str = ""
    jkt: str = ""
    unbound_until: int = 0
    browser: str = ""
    claims: str = ""
    logout_participants: tuple[str, ...] = ()
    client_since: int | None = None

    @property
    def waiting(self) -> bool:
        """Whether its authorization code has not been redeemed: no session of its client's yet."""
        return self.generation == 0

    @property
    def waived(self) -> tuple[str, ...]:
        """What its client need not have sent for its code, and has not, by the names of the client's metadata."""
        if self.challenge or not self.redirect_uri:
            return ()
        return ("require_pkce",) if self.nonce else ("require_pkce", "require_nonce")

    @property
    def logged_in(self) -> bool:
        """Whether it began with a login of its user, and not with somebody else's word for them."""
        return bool(self.auth_time)

    @property
    def participant(self) -> str:
        """Its client as `logout_participants` names it."""
        return self.client_id if self.client_since is None else f"{self.client_id}\n{self.client_since}"

    @property
    def participating_session(self) -> str:
        """The same with this session of it: for a client that has to be told which of its sessions have ended."""
        return f"{self.client_id}\n{'' if self.client_since is None else self.client_since}\n{self.session_id}"

    def alive(self, now: int) -> bool:
        """Whether this session may still issue tokens; says nothing about its user."""
        return not self.ended and now < self.expires_at


def in_force(user: User | None, session: Session | None, now: int) -> tuple[User, Session] | None:
    """A user and their session as they are, if it is live: the user exists, is not disabled, has not ended all sessions.

    Nor is it live where the account is to be erased: a login takes that back first.
    """
    if user is None or session is None or user.disabled or user.delete_after:
        return None
    return (user, session) if session.alive(now) and session.token_version == user.token_version else None
