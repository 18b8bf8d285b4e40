"""What the bodies are made of by which a factor is added, in a session or in a login that needs it."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from ...domain.accounts.profile import ONE_LINE
from ...domain.records.sealed import SealedEnrolment
from .bodies import Body

NewName = Annotated[str, Meta(max_length=100, pattern=ONE_LINE, description="What its owner calls it.")]


class Begin(Body, frozen=True):
    """What is to be added."""

    kind: Annotated[str, Meta(max_length=50, description="One of `kinds`.")]


class EnrolmentChallenge(Struct, frozen=True):
    """What to show, and what the answer for it is sent back with."""

    token: str
    challenge: Annotated[dict[str, Any], Meta(description="What to show, by the kind.")]
    expires_in: Annotated[int, Meta(description="Seconds.")] = SealedEnrolment.seconds
