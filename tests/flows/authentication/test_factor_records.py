"""What is kept of a factor, in bytes: written and read as it was pinned here; another version or shape is a loud defect."""

import pytest

from chalicelib.domain.accounts.model import EnrolledFactor
from chalicelib.domain.errors import UnreadableRecord
from chalicelib.domain.versioned import Record
from chalicelib.flows.authentication.factors.email_code import EmailCodeRecord
from chalicelib.flows.authentication.factors.factor import decode, encode
from chalicelib.flows.authentication.factors.recovery_code import RecoveryCodesRecord
from chalicelib.flows.authentication.factors.totp import TotpRecord

PINS: list[tuple[Record, str]] = [
    (TotpRecord(sealed_secret="c2VhbGVk"), '{"v":1,"sealed_secret":"c2VhbGVk"}'),
    (RecoveryCodesRecord(), '{"v":1}'),
    (EmailCodeRecord(), '{"v":1}'),
]


def stored(text: str) -> EnrolledFactor:
    return EnrolledFactor(uid="u", kind="k", id="f", name="", created_at=0, record=text)


@pytest.mark.parametrize(("record", "text"), PINS)
def test_a_record_is_written_and_read_as_it_is_pinned(record: Record, text: str) -> None:
    assert encode(record) == text
    assert decode(stored(text), type(record)) == record


@pytest.mark.parametrize("kind", [type(record) for record, _ in PINS])
@pytest.mark.parametrize("text", ['{"v":2}', '{"v":1,"more":1}', "[]", "", '{"v":1,"sealed_secret":1}'])
def test_another_version_or_shape_is_a_defect(kind: type[Record], text: str) -> None:
    with pytest.raises(UnreadableRecord):
        decode(stored(text), kind)
