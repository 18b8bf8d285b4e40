"""What is good once, or for a short time, under a text that the table has a digest of alone."""

from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from msgspec import field

from ..versioned import Record


class OnceRecord(Record, frozen=True):
    """A record whose `kind` is part of its key, so that the texts of different uses are kept apart."""

    kind: ClassVar[str]


class DeviceCode(OnceRecord, frozen=True, kw_only=True):
    """A device that waits for its user, under the digest of its device code (RFC 8628).

    Once decided it has how its user had logged in and, sealed in `decided_by`, who that is and the browser's session in
    which they decided: nobody finds it to erase it with their account. Older ones have both as `uid` and `browser`.
    """

    kind = "device"

    client_id: str
    client_since: int | None = None
    scope: str
    resource: str = ""
    status: str
    polled_at: int
    interval: int
    uid: str = ""
    browser: str = ""
    auth_time: int = 0
    amr: str = ""
    decided_by: str = ""


class UserCode(OnceRecord, frozen=True, kw_only=True):
    """Which device code the letters belong to that its user types."""

    kind = "user code"

    code_digest: str = field(name="place")


class PushedRequest(OnceRecord, frozen=True, kw_only=True):
    """A request under its request_uri (RFC 9126), which a browser has to bring before `until`.

    `spent` is by whom it was used, as a MAC of theirs (of older ones their id), and until when they may press the same
    button again. `hints` are the parameters that say who is to log in, sealed, whose values `params` has not.
    """

    kind = "pushed request"

    params: dict[str, str]
    client_since: int | None = None
    until: int
    spent: tuple[str, int] | None = None
    hints: str = ""


class LongRequest(OnceRecord, frozen=True, kw_only=True):
    """A request that is too long for an address, under the request_uri that stands for it; `signed` if by its client.

    `hints` are as a pushed request's.
    """

    kind = "long request"

    pairs: tuple[tuple[str, str], ...]
    signed: bool = False
    hints: str = ""


class SpentSignUpLink(OnceRecord, frozen=True, kw_only=True):
    """The link of a mail, or what a passkey was made for, under its id, that has made an account."""

    kind = "sign-up link"


class SpentInteraction(OnceRecord, frozen=True, kw_only=True):
    """What a user has done has had its outcome; the same press of a button counts as the same until `until`."""

    kind = "interaction"

    until: int


class SpentProof(OnceRecord, frozen=True, kw_only=True):
    """A DPoP proof that was used (RFC 9449 section 11.1)."""

    kind = "dpop proof"


class SpentAssertion(OnceRecord, frozen=True, kw_only=True):
    """An assertion that was used, of a client or of an issuer that one trusts (RFC 7523 section 3)."""

    kind = "assertion"


class RemoteDocument(OnceRecord, frozen=True, kw_only=True):
    """What is at an address that a stranger named, under that address.

    `text` is "" if there was nothing good, None if nothing could be had, for the reason `why`; it was fetched `at` a time and
    is fresh until `until`.
    """

    text: str | None
    why: str
    at: int
    until: int


class ClientDocument(RemoteDocument, frozen=True, kw_only=True):
    """A client's own document (draft-ietf-oauth-client-id-metadata-document)."""

    kind = "document of a client"


class ClientKeys(RemoteDocument, frozen=True, kw_only=True):
    """The keys at a `jwks_uri` (RFC 7591), of a client or of an issuer that one trusts."""

    kind = "keys of a client"


class FinishedLogin(OnceRecord, frozen=True, kw_only=True):
    """A login of several steps that has begun or raised its session, under its attempt's id."""

    kind = "login attempt"


class SectorMembers(RemoteDocument, frozen=True, kw_only=True):
    """The redirect URIs at a client's `sector_identifier_uri` (OpenID Connect Registration 5)."""

    kind = "members of a sector"


ONCE: tuple[type[OnceRecord], ...] = (
    DeviceCode,
    UserCode,
    PushedRequest,
    LongRequest,
    SpentInteraction,
    SpentSignUpLink,
    SpentProof,
    SpentAssertion,
    FinishedLogin,
    ClientDocument,
    ClientKeys,
    SectorMembers,
)

R_co = TypeVar("R_co", bound=OnceRecord, covariant=True)


@dataclass(frozen=True, slots=True)
class OnceItem(Generic[R_co]):
    """A record as it was read under a text. A change of it compares `stored`, as whichever release wrote it."""

    text: str
    record: R_co
    stored: str
