"""What a person gets of all that is kept of them: a document whose shape has a version, and nothing that opens anything.

Whatever is stored of an account is in it or is left out on purpose: a test compares the two, member by member.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .events import Event
from .model import Consent, EnrolledFactor, Session, User
from .remembered_device import RememberedDevice

FORMAT, VERSION = "latchkey-export", 1


class ExportedAccount(msgspec.Struct, frozen=True):
    """The account itself; times are seconds since 1970, and 0 or "" is what there is not."""

    sub: str
    email: str
    email_verified: bool
    email_problem: str
    email_changed_at: int
    previous_email: str
    previous_email_until: int
    pending_email: str
    pending_email_until: int
    name: str
    claims: Mapping[str, str]
    attributes: Mapping[str, Any]
    roles: tuple[str, ...]
    has_password: bool
    guest: bool
    created_at: int
    updated_at: int


class ExportedFactor(msgspec.Struct, frozen=True):
    """A further factor."""

    id: str
    kind: str
    name: str
    created_at: int
    last_used_at: int


class ExportedSession(msgspec.Struct, frozen=True):
    """A session of an application or a browser, those that have ended too; `ended` is why, and `methods` how it began."""

    id: str
    client_id: str
    device: str
    scope: str
    resource: str
    methods: tuple[str, ...]
    auth_time: int
    created_at: int
    last_used_at: int
    expires_at: int
    ended: str


class ExportedDevice(msgspec.Struct, frozen=True):
    """A device on which further factors are not asked for."""

    id: str
    browser: str
    system: str
    created_at: int
    last_used_at: int
    expires_at: int


class ExportedConsent(msgspec.Struct, frozen=True):
    """What an application may do, at one API."""

    client_id: str
    api: str
    scopes: tuple[str, ...]
    agreed_at: int


class ExportedEvent(msgspec.Struct, frozen=True):
    """Something that happened to the account, as the list of its activity has it."""

    id: str
    type: str
    outcome: str
    at: int
    session: str
    client_id: str
    network: str
    browser: str
    system: str
    device: str
    amr: tuple[str, ...]
    factor: str
    reason: str
    by: str


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of a person. A later `version` may mean something else; the same has more members at most.

    `events_before` is what the events are before that it has no room for, in seconds since 1970; 0 where it has all.
    """

    format: str = FORMAT
    version: int = VERSION
    exported_at: int
    account: ExportedAccount
    factors: list[ExportedFactor]
    sessions: list[ExportedSession]
    devices: list[ExportedDevice]
    consents: list[ExportedConsent]
    events: list[ExportedEvent]
    events_before: int = 0


def account_of(user: User) -> ExportedAccount:
    """The account, without its password, and without what counts its sessions."""
    return ExportedAccount(
        sub=user.uid,
        email=user.email,
        email_verified=user.email_verified,
        email_problem=user.email_problem,
        email_changed_at=user.email_changed_at,
        previous_email=user.previous_email,
        previous_email_until=user.previous_email_until,
        pending_email=user.pending_email,
        pending_email_until=user.pending_email_until,
        name=user.name,
        claims=user.claims,
        attributes=user.attributes,
        roles=user.roles,
        has_password=bool(user.password_hash),
        guest=user.guest,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


def factor_of(factor: EnrolledFactor) -> ExportedFactor:
    """A factor without what proves it."""
    return ExportedFactor(factor.id, factor.kind, factor.name, factor.created_at, factor.last_used_at)


def session_of(session: Session) -> ExportedSession:
    """A session without what its protocol needs: codes and keys of a client, and the tokens that there have been."""
    return ExportedSession(
        id=session.session_id,
        client_id=session.client_id,
        device=session.device,
        scope=" ".join(session.scope),
        resource=session.resource,
        methods=session.amr,
        auth_time=session.auth_time,
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        expires_at=session.expires_at,
        ended=session.ended,
    )


def device_of(device: RememberedDevice) -> ExportedDevice:
    """A remembered device."""
    return ExportedDevice(
        id=device.device_id,
        browser=device.browser,
        system=device.system,
        created_at=device.created_at,
        last_used_at=device.last_used_at,
        expires_at=device.expires_at,
    )


def consents_of(consents: Sequence[Consent]) -> list[ExportedConsent]:
    """What was agreed to, the latest first."""
    latest = sorted(consents, key=lambda each: (-each.agreed_at, each.client_id, each.api))
    return [ExportedConsent(each.client_id, each.api, tuple(sorted(each.scopes)), each.agreed_at) for each in latest]


def event_of(event: Event) -> ExportedEvent:
    """Something that happened."""
    return ExportedEvent(
        id=event.id,
        type=event.type,
        outcome=event.kind.outcome,
        at=event.at,
        session=event.session,
        client_id=event.client,
        network=event.network,
        browser=event.browser,
        system=event.system,
        device=event.device,
        amr=event.amr,
        factor=event.factor,
        reason=event.reason,
        by=event.by,
    )
