"""The bytes of what is sealed: made and read as they were pinned here, and nothing else read in them."""

import json
from typing import Any

import pytest

from chalicelib.domain.authentication.attempt import Attempt
from chalicelib.domain.authentication.known_device import KnownDevice
from chalicelib.domain.authentication.model import Proof
from chalicelib.domain.records.sealed import (
    SEALED,
    SealedEmailChange,
    SealedEmailChangeLink,
    SealedEmailLink,
    SealedEmailUndo,
    SealedEnrolment,
    SealedErrorPage,
    SealedFormError,
    SealedInteraction,
    SealedInvitation,
    SealedLoginLink,
    SealedOperatorLink,
    SealedPasskeySignUp,
    SealedResetLink,
    SealedSessionEnd,
    SealedSignUpLink,
    SealedWork,
)
from chalicelib.domain.versioned import SealedRecord
from chalicelib.flows.platform import sealing
from chalicelib.services import Services
from tests.support.phone import Clock
from tests.support.records import plaintext_of, sealed_by_hand

START = 1_800_000_000  # when every clock of a test stands
INTERACTION = SealedInteraction(
    action="agreed",
    detail="openid email",
    id="3614e866d020405ba721370e5cbdb3b3",
    sid="97b739dd1db547f38eb66a34575e5551",
    to="9e7e24e0",
)
FORM_ERROR = SealedFormError(error="invalid_credentials", retry_at=START, form_token="m4c", fields={"email": "ä@x"})
FORM_MISTAKES = SealedFormError(
    error="weak_password",
    retry_at=START,
    form_token="m4c",
    fields={},
    mistakes={"password": "weak_password"},
    score=0,
    advice=("top_10", "add_words"),
)
ERROR_PAGE = SealedErrorPage(
    error="too_many_requests",
    description="Too many attempts.",
    status=429,
    retry_at=START + 60,
    again="device",
    locales="",
)
ATTEMPT = Attempt(
    id="3614e866d020405ba721370e5cbdb3b3",
    flow="app",
    client_id="native",
    client_since=1_799_999_000,
    expires_at=START + 500,
    bound_to="0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
    uid="21b2efff062d43f2acc4ec61a8d22ea3",
    token_version=3,
    proofs=(Proof("password", ("pwd",), START - 100),),
    acr_values=("aal2",),
    acr_essential=True,
    request={"scope": "openid"},
)
# Each record with the purpose that its key is made for, and the text that is encrypted.
PINS: list[tuple[SealedRecord, bytes, str]] = [
    (
        INTERACTION,
        b"latchkey interaction\x00",
        (
            '{"v": 1, "did": "agreed", "shown": "openid email", "id": "3614e866d020405ba721370e5cbdb3b3",'
            ' "sid": "97b739dd1db547f38eb66a34575e5551", "to": "9e7e24e0", "until": 1800000300}'
        ),
    ),
    (
        FORM_ERROR,
        b"latchkey mistake\x00",
        (
            '{"v": 1, "error": "invalid_credentials", "retry_at": 1800000000, "form_token": "m4c",'
            ' "typed": {"email": "\\u00e4@x"}, "until": 1800000300}'
        ),
    ),
    (
        ERROR_PAGE,
        b"latchkey refusal\x00",
        (
            '{"v": 1, "error": "too_many_requests", "told": "Too many attempts.", "status": 429, "retry_at": 1800000060,'
            ' "again": "device", "locales": "", "until": 1800000300}'
        ),
    ),
    (
        SealedWork(id="3614e866d020405ba721370e5cbdb3b3", bits=16),
        b"latchkey proof of work\x00",
        '{"v": 1, "id": "3614e866d020405ba721370e5cbdb3b3", "bits": 16, "until": 1800000600}',
    ),
    (
        SealedEmailLink(uid="21b2efff062d43f2acc4ec61a8d22ea3", email="ä@x"),
        b"latchkey email link\x00",
        '{"v": 1, "uid": "21b2efff062d43f2acc4ec61a8d22ea3", "email": "\\u00e4@x", "until": 1800086400}',
    ),
    (
        SealedOperatorLink(
            uid="21b2efff062d43f2acc4ec61a8d22ea3", email="a@x", token_version=3, without_factors=True, operator="Olga"
        ),
        b"latchkey operator link\x00",
        (
            '{"v": 1, "uid": "21b2efff062d43f2acc4ec61a8d22ea3", "email": "a@x", "token_version": 3,'
            ' "without_factors": true, "operator": "Olga", "until": 1800000900}'
        ),
    ),
    (
        SealedResetLink(uid="21b2efff062d43f2acc4ec61a8d22ea3", email="a@x", token_version=3),
        b"latchkey password reset\x00",
        '{"v": 1, "uid": "21b2efff062d43f2acc4ec61a8d22ea3", "email": "a@x", "token_version": 3, "until": 1800003600}',
    ),
    (
        SealedEmailChange(uid="u", email="a@x", token_version=3, email_changed_at=0, new_email="ä@x"),
        b"latchkey email change\x00",
        (
            '{"v": 1, "uid": "u", "email": "a@x", "token_version": 3, "email_changed_at": 0,'
            ' "new_email": "\\u00e4@x", "until": 1800003600}'
        ),
    ),
    (
        SealedEmailChangeLink(uid="u", email="a@x", token_version=3, email_changed_at=7, new_email="b@x"),
        b"latchkey email change link\x00",
        (
            '{"v": 1, "uid": "u", "email": "a@x", "token_version": 3, "email_changed_at": 7,'
            ' "new_email": "b@x", "until": 1800003600}'
        ),
    ),
    (
        SealedEmailUndo(uid="u", email="a@x", valid_until=1_800_000_009),
        b"latchkey email undo\x00",
        '{"v": 1, "uid": "u", "email": "a@x", "valid_until": 1800000009, "until": 1800604800}',
    ),
    (
        SealedSignUpLink(email="a@x", id="3614e866d020405ba721370e5cbdb3b3"),
        b"latchkey sign-up link\x00",
        '{"v": 1, "email": "a@x", "id": "3614e866d020405ba721370e5cbdb3b3", "until": 1800086400}',
    ),
    (
        SealedInvitation(email="a@x", id="3614e866d020405ba721370e5cbdb3b3"),
        b"latchkey invitation\x00",
        '{"v": 1, "email": "a@x", "id": "3614e866d020405ba721370e5cbdb3b3", "until": 1800604800}',
    ),
    (
        SealedPasskeySignUp(id="i", uid="u", holder="s", email="a@x", name="Ann", link="", state={"id": "f"}),
        b"latchkey passkey sign-up\x00",
        (
            '{"v": 1, "id": "i", "uid": "u", "holder": "s", "email": "a@x", "name": "Ann", "link": "",'
            ' "state": {"id": "f"}, "until": 1800003600}'
        ),
    ),
    (
        SealedEnrolment(uid="u", token_version=3, holder="s", kind="totp", state={"secret": "GEZDGNBV", "id": "f"}),
        b"latchkey factor enrolment\x00",
        (
            '{"v": 1, "uid": "u", "token_version": 3, "holder": "s", "kind": "totp",'
            ' "state": {"secret": "GEZDGNBV", "id": "f"}, "until": 1800000600}'
        ),
    ),
    (
        SealedLoginLink(attempt_id="i", expires_at=9, uid="u", email="a@x", token_version=3),
        b"latchkey login link\x00",
        '{"v": 1, "attempt_id": "i", "expires_at": 9, "uid": "u", "email": "a@x", "token_version": 3, "until": 1800000600}',
    ),
    (
        ATTEMPT,
        b"latchkey login attempt\x00",
        (
            '{"v": 1, "id": "3614e866d020405ba721370e5cbdb3b3", "flow": "app", "client_id": "native",'
            ' "client_since": 1799999000, "expires_at": 1800000500,'
            ' "bound_to": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "uid": "21b2efff062d43f2acc4ec61a8d22ea3",'
            ' "token_version": 3, "proofs": [{"factor": "password", "amr": ["pwd"], "at": 1799999900}],'
            ' "acr_values": ["aal2"], "acr_essential": true, "request": {"scope": "openid"}, "until": 1800000600}'
        ),
    ),
    (
        SealedSessionEnd(uid="u", email="a@x", session_id="s"),
        b"latchkey session end\x00",
        '{"v": 1, "uid": "u", "email": "a@x", "session_id": "s", "until": 1800604800}',
    ),
    (
        KnownDevice(id="3614e866d020405ba721370e5cbdb3b3", accounts=(("21b2efff062d43f2acc4ec61a8d22ea3", 3),)),
        b"latchkey known device\x00",
        (
            '{"v": 1, "id": "3614e866d020405ba721370e5cbdb3b3",'
            ' "accounts": [["21b2efff062d43f2acc4ec61a8d22ea3", 3]], "until": 1834560000}'
        ),
    ),
]


def leaves(base: type[SealedRecord]) -> set[type[SealedRecord]]:
    below = {leaf for each in base.__subclasses__() for leaf in leaves(each)}
    return below or {base}


def test_every_record_is_in_the_list_with_a_purpose_of_its_own_and_is_pinned() -> None:
    assert leaves(SealedRecord) == set(SEALED)
    assert len({each.purpose for each in SEALED}) == len(SEALED)
    assert {type(record) for record, _, _ in PINS} == set(SEALED)


@pytest.mark.parametrize(("record", "purpose", "plaintext"), PINS, ids=range(len(PINS)))
def test_a_record_is_sealed_as_it_is_pinned_and_unsealed_for_as_long_as_it_is_good(
    svc: Services, clock: Clock, record: SealedRecord, purpose: bytes, plaintext: str
) -> None:
    text = sealing.seal(svc, record)
    assert plaintext_of(svc, purpose, text) == plaintext
    by_hand = sealed_by_hand(svc, purpose, plaintext)
    clock.advance(record.seconds - 1)
    assert [sealing.unseal(svc, each, type(record)) for each in (text, by_hand)] == [record, record]
    clock.advance(1)
    assert [sealing.unseal(svc, each, type(record)) for each in (text, by_hand)] == [None, None]


@pytest.mark.parametrize(("record", "purpose", "plaintext"), PINS, ids=range(len(PINS)))
def test_what_was_sealed_before_versions_is_read(
    svc: Services, record: SealedRecord, purpose: bytes, plaintext: str
) -> None:
    unversioned = plaintext.replace('"v": 1, ', "")
    assert sealing.unseal(svc, sealed_by_hand(svc, purpose, unversioned), type(record)) == record


def test_a_form_error_with_the_mistakes_of_its_fields_has_its_bytes(svc: Services) -> None:
    plaintext = (
        '{"v": 1, "error": "weak_password", "retry_at": 1800000000, "form_token": "m4c", "typed": {}, '
        '"mistakes": {"password": "weak_password"}, "score": 0, "advice": ["top_10", "add_words"], '
        '"until": 1800000300}'
    )
    text = sealing.seal(svc, FORM_MISTAKES)
    assert plaintext_of(svc, SealedFormError.purpose, text) == plaintext
    assert sealing.unseal(svc, text, SealedFormError) == FORM_MISTAKES


def spoilt(plaintext: str) -> dict[str, str]:
    """What another release, or nobody, would have sealed instead."""
    members: dict[str, Any] = json.loads(plaintext)

    def other(**changes: object) -> str:
        return json.dumps({**members, **changes})

    def without(name: str) -> str:
        return json.dumps({key: value for key, value in members.items() if key != name})

    return {
        "a higher version": other(v=2),
        "a version that is a text": other(v="1"),
        "one more member": other(more=1),
        "an end that is a text": other(until="1800000300"),
        **{f"without {name}": without(name) for name in members if name != "v"},
        **{f"{name} is null": other(**{name: None}) for name in members},
        "a list": json.dumps([members]),
        "a number": "1",
        "null": "null",
        "no JSON": plaintext[:-1],
    }


@pytest.mark.parametrize(("record", "purpose", "plaintext"), PINS, ids=range(len(PINS)))
def test_an_authentic_text_of_another_version_or_shape_is_none(
    svc: Services, record: SealedRecord, purpose: bytes, plaintext: str
) -> None:
    read = {
        name: sealing.unseal(svc, sealed_by_hand(svc, purpose, each), type(record))
        for name, each in spoilt(plaintext).items()
    }
    assert read == dict.fromkeys(read)


def test_a_text_is_good_for_the_purpose_that_it_was_made_for_alone(svc: Services) -> None:
    texts = {type(record): sealing.seal(svc, record) for record, _, _ in PINS}
    read = {(made, kind) for made, text in texts.items() for kind in SEALED if sealing.unseal(svc, text, kind)}
    assert read == {(kind, kind) for kind in SEALED}
