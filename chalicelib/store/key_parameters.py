"""Keys as SSM has them: a JSON text each, in a record with a version."""

import json
from collections.abc import Mapping
from typing import Literal, TypeVar

from ..domain import versioned
from ..domain.errors import UnreadableRecord
from ..domain.versioned import Record

Kind = Literal["signing", "refresh", "pairwise", "retired"]


class SigningParameter(Record, frozen=True, kw_only=True):
    """A private key, PKCS #8 in PEM, and when it begins to sign."""

    alg: str
    active_at: int
    private_key: str


class HandleKeyParameter(Record, frozen=True, kw_only=True):
    """An HMAC key, base64url, and when it begins to make handles."""

    active_at: int
    secret: str


class PairwiseParameter(Record, frozen=True, kw_only=True):
    """The secret for pairwise subjects, base64url."""

    secret: str


class RetiredParameter(Record, frozen=True, kw_only=True):
    """The public half of a signing key that is gone, and until when it matters."""

    jwk: dict[str, str]
    until: int


PARAMETERS: Mapping[Kind, type[Record]] = {
    "signing": SigningParameter,
    "refresh": HandleKeyParameter,
    "pairwise": PairwiseParameter,
    "retired": RetiredParameter,
}

P = TypeVar("P", bound=Record)


def encode(parameter: Record) -> str:
    """A parameter's value."""
    return json.dumps(versioned.to_members(parameter))


def decode(value: str, parameter: type[P]) -> P:
    """The record in a parameter's value; raises UnreadableRecord for one of another version or shape."""
    try:
        return versioned.from_members(json.loads(value), parameter)
    except ValueError as error:
        raise UnreadableRecord(reason=f"{parameter.__name__}: {error}") from None
