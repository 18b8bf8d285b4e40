"""What a hook of the operator's own gets, and what it may answer; docs/hooks.md says when each is called.

All that a hook gets are values that it cannot change, without passwords, tokens and codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Refuse(Exception):
    """What a hook raises so that nothing comes of what somebody wants to do; they see the text, one line of 200 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account. `claims` are what its user says of themselves, `attributes` what the deployment keeps of them."""

    uid: str
    email: str
    email_verified: bool
    name: str
    guest: bool
    created_at: int
    roles: tuple[str, ...]
    claims: Mapping[str, str]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """An account that somebody wants to have. `network` is "" where it is not known; a guest has no `email`."""

    id: str
    email: str
    name: str
    network: str
    guest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account that there is from now on."""

    id: str
    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login whose user has proved all that it needs, by these methods (RFC 8176), at this level (`aal1`, …)."""

    id: str
    user: User
    client_id: str
    amr: tuple[str, ...]
    level: str
    network: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token that is to be issued, and the id token beside it if there is one; `user` is None for a client's own."""

    id: str
    user: User | None
    client_id: str
    self_registered: bool
    audience: str
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What `before_token` adds to the tokens."""

    access_token: Mapping[str, Any] = field(default_factory=dict)
    id_token: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressTaken:
    """A guest whose address another account has. With `email_verified` the guest has shown that they read its mail."""

    id: str
    user: User
    other_uid: str
    email_verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MailKind:
    """A mail that is to be sent: its kind (docs/mail.md), its reader's language, and whether it has a link and a code."""

    id: str
    name: str
    language: str
    link: bool
    code: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail's own text; `{link}` and `{code}` stand for what the hook does not see. `html` is "" for none."""

    subject: str
    text: str
    html: str = ""


# Each hook, by the name of its function, and what it gets.
HOOKS: Mapping[str, type] = {
    "before_sign_up": SignUp,
    "after_sign_up": NewAccount,
    "before_login": Login,
    "after_login": Login,
    "before_token": Token,
    "after_upgrade": NewAccount,
    "address_taken": AddressTaken,
    "mail": MailKind,
}
