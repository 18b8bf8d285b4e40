"""An attempt to log in: who is proving who they are, for what, and how far they are."""

import msgspec

from ..accounts.model import User
from ..versioned import SealedRecord
from .model import Proof


class Attempt(SealedRecord, frozen=True, kw_only=True):
    """A login that goes on, for one client in one flow; what it is worth ends at `expires_at` (epoch seconds).

    `bound_to` is who alone may go on with it: a browser's token, a browser's session, the thumbprint of a key; "" for its
    holder. `uid` is "" until the user is known, and `token_version` is the account's as it was then. `request` is what the
    flow needs to go on, `scope` what the login is for, and `level` the least that it has to reach for that, whatever the
    account has. A flow is one way through endpoints: JSON, a first-party app, pages, stepping up a session.
    """

    purpose, seconds = b"latchkey login attempt\x00", 600  # from its beginning; no step prolongs it

    id: str
    flow: str
    client_id: str
    client_since: int
    expires_at: int
    bound_to: str
    uid: str
    token_version: int
    proofs: tuple[Proof, ...]
    acr_values: tuple[str, ...]
    acr_essential: bool
    request: dict[str, str]
    scope: tuple[str, ...] = ()
    level: str = ""

    @property
    def amr(self) -> tuple[tuple[str, ...], ...]:
        """The methods of each proof."""
        return tuple(proof.amr for proof in self.proofs)

    def of(self, user: User) -> "Attempt":
        """The same for a user who is only now known, and who has proved nothing yet."""
        return msgspec.structs.replace(self, uid=user.uid, token_version=user.token_version, proofs=())

    def bound(self, holder: str) -> "Attempt":
        """The same, for one holder alone."""
        return msgspec.structs.replace(self, bound_to=holder)

    def with_proof(self, proof: Proof) -> "Attempt":
        """The same, one proof further."""
        return msgspec.structs.replace(self, proofs=(*self.proofs, proof))

    def with_request(self, **members: str) -> "Attempt":
        """The same, with more of what its flow needs."""
        return msgspec.structs.replace(self, request={**self.request, **members})

    def is_of(self, user: User) -> bool:
        """Whether a user is as they were when they were first known here: a new password, above all, ends it."""
        return (user.uid, user.token_version, user.disabled) == (self.uid, self.token_version, False)
