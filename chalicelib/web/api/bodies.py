"""What the bodies of requests are made of."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...domain.accounts.profile import CLAIMS, MAX_NAME, ONE_LINE

Email = Annotated[str, Meta(min_length=3, max_length=254, description="An e-mail address.")]
Password = Annotated[str, Meta(min_length=1, max_length=1024, description="8 to 256 characters.")]
Name = Annotated[str, Meta(max_length=MAX_NAME, pattern=ONE_LINE, description="How to address the user.")]
Device = Annotated[
    str,
    Meta(max_length=100, pattern=ONE_LINE, description="A label for this device, to be shown in the list of sessions."),
]
DeviceToken = Annotated[
    str, Meta(max_length=4096, description="The `device_token` of the last login on this device, whoever logged in.")
]
ProofOfWork = Annotated[
    str,
    Meta(
        max_length=4096, description="The answer to the challenge of `proof_of_work_required`: challenge, dot, number."
    ),
]
Scope = Annotated[str, Meta(max_length=1000, description="Scopes with spaces between (RFC 6749).")]
FactorName = Annotated[str, Meta(min_length=1, max_length=50, description="One of `factors`.")]
FactorAnswer = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=16384,
        description="A code, or what the factor asks for: of a passkey the JSON of its answer, as a text.",
    ),
]
Token = Annotated[str, Meta(min_length=1, max_length=8192)]


class Body(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What every request body is: it refuses fields that it does not know."""


class Challenge(msgspec.Struct, frozen=True):
    """What to show to the user, by the factor; empty where nothing is needed."""

    challenge: dict[str, Any]


_CLAIMS = {
    name: Annotated[str, Meta(max_length=claim.max_length, pattern=claim.pattern, description=claim.description)]
    for name, claim in CLAIMS.items()
}
if TYPE_CHECKING:

    class ClaimsBody(Body, frozen=True): ...

    class ClaimsAnswer(msgspec.Struct, frozen=True): ...
else:
    ClaimsBody = msgspec.defstruct(
        "ClaimsBody", [(name, kind | UnsetType, UNSET) for name, kind in _CLAIMS.items()], bases=(Body,), frozen=True
    )
    ClaimsAnswer = msgspec.defstruct("ClaimsAnswer", [(name, kind, "") for name, kind in _CLAIMS.items()], frozen=True)
