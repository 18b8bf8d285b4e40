"""What an authenticator's answer has to be (WebAuthn level 3, sections 7.1 and 7.2), and which of its oddities are no reason."""

import dataclasses
import json
from typing import Any

import cbor2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from soft_fido2.authenticator.fido2 import Fido2Authenticator

from chalicelib.domain.accounts.model import User
from chalicelib.domain.authentication import authenticators, levels, webauthn
from chalicelib.domain.authentication.webauthn import Credential, RegistrationAnswer, RelyingParty
from chalicelib.domain.errors import InvalidCredentials
from tests.support.authenticator import AT, BE, BS, SYNCED, UP, UV, Authenticator, decode, encode

ANDROID = "android:apk-key-hash:" + encode(bytes(range(32)))
PARTY = RelyingParty("id.example", "Garden", frozenset({"https://id.example", "https://garden.example", ANDROID}))
ANN = User(uid="98a21480b8364af9a821eb5d9135a29b", email="ann@example.com", password_hash="$", created_at=0, name="Ann")
CHALLENGE, OTHER_CHALLENGE = webauthn.challenge_of("one"), webauthn.challenge_of("another")
CREATION = webauthn.creation_options(PARTY, ANN, (), challenge=CHALLENGE)
REQUEST = webauthn.request_options(PARTY, challenge=CHALLENGE, verification=False)


def registered(answer: dict[str, Any], *, automatic: bool = False, challenge: bytes = CHALLENGE) -> Credential:
    read = msgspec.convert(answer, RegistrationAnswer)
    return webauthn.verify_registration(PARTY, read, challenge=challenge, automatic=automatic)


def used(
    answer: dict[str, Any], credential: Credential, *, challenge: bytes = CHALLENGE, uid: str = ANN.uid
) -> webauthn.Assertion:
    read = webauthn.read_assertion(json.dumps(answer))
    return webauthn.verify_assertion(PARTY, read, credential, challenge=challenge, uid=uid)


def refused(reason: str) -> Any:
    """What a refusal with this reason for the log is expected by."""

    def has_reason(error: BaseException) -> bool:
        return isinstance(error, InvalidCredentials) and error.reason == f"passkey: {reason}"

    return pytest.RaisesExc(InvalidCredentials, check=has_reason)


@pytest.fixture
def phone() -> Authenticator:
    return Authenticator()


@pytest.fixture
def credential(phone: Authenticator) -> Credential:
    return registered(phone.create(CREATION))


def test_a_synced_passkey_is_kept_with_its_flags_and_its_name(phone: Authenticator, credential: Credential) -> None:
    assert SYNCED & 0x18 == 0x18
    assert credential == Credential(
        credential_id=encode(phone.credential_id),
        public_key=encode(cbor2.dumps(phone.public_key)),
        sign_count=0,
        backup_eligible=True,
        backed_up=True,
        user_verified=True,
        aaguid="fbfc3007-154e-4ecc-8c0b-6e020557d7bd",
        transports=("internal", "hybrid"),
    )
    assert authenticators.name_of(credential.aaguid) == "Apple Passwords"
    assert authenticators.name_of("00000000-0000-0000-0000-000000000000") == ""


@pytest.mark.parametrize(
    ("flags", "amr", "acr"),
    [(SYNCED, ("swk", "user", "mfa"), "phr"), (UP | UV, ("hwk", "user", "mfa"), "phr"),
     (UP | BE | BS, ("swk", "user"), "aal1"), (UP, ("hwk", "user"), "aal1")],
)  # fmt: skip
def test_a_passkey_is_two_factors_only_where_it_has_verified_its_user_this_time(
    phone: Authenticator, flags: int, amr: tuple[str, ...], acr: str
) -> None:
    phone.flags = SYNCED if flags & BE else UP | UV
    assertion = used(phone.get(REQUEST, flags=flags), registered(phone.create(CREATION)))
    assert (assertion.amr, levels.acr_of(assertion.amr)) == (amr, acr)


def test_a_password_beside_a_key_that_verified_nobody_is_two_kinds_and_resists_phishing() -> None:
    assert levels.acr_of(levels.united(("pwd",), ("hwk", "user"))) == "phr"


@pytest.mark.parametrize("origin", sorted(PARTY.origins))
def test_any_of_our_origins_may_ask(phone: Authenticator, origin: str) -> None:
    phone.origin = origin
    credential = registered(phone.create(CREATION))
    assert used(phone.get(REQUEST), credential).oddities == ()


FOREIGN = ["https://evil.example", "https://id.example.evil.example", "http://id.example", "https://sub.id.example",
           "https://id.example:444", "https://id.example/", "android:apk-key-hash:" + encode(bytes(32)), "", "null"]  # fmt: skip


@pytest.mark.parametrize("origin", FOREIGN)
def test_no_other_origin_may(phone: Authenticator, credential: Credential, origin: str) -> None:
    phone.origin = origin
    with refused("another origin"):
        used(phone.get(REQUEST), credential)
    with refused("another origin"):
        registered(phone.create(CREATION))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"challenge": encode(OTHER_CHALLENGE)}, "another challenge"),
        ({"challenge": ""}, "another challenge"),
        ({"type": "webauthn.create"}, "another ceremony"),
        ({"type": "payment.get"}, "another ceremony"),
        ({"crossOrigin": True}, "in a frame of another site"),
        ({"rp_id": "evil.example"}, "another relying party"),
        ({"flags": UV | BE | BS}, "nobody present"),
        ({"flags": UP | UV | BS}, "backed up, and not eligible for it"),
        ({"handle": encode(b"somebody")}, "another user"),
    ],
)
def test_what_was_signed_for_something_else_is_refused(
    phone: Authenticator, credential: Credential, changes: dict[str, Any], reason: str
) -> None:
    with refused(reason):
        used(phone.get(REQUEST, **changes), credential)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"challenge": encode(OTHER_CHALLENGE)}, "another challenge"),
        ({"type": "webauthn.get"}, "another ceremony"),
        ({"crossOrigin": True}, "in a frame of another site"),
        ({"rp_id": "evil.example"}, "another relying party"),
        ({"flags": UV | BE | BS}, "nobody present"),
        ({"flags": UP | UV | BS}, "backed up, and not eligible for it"),
        ({"key": {1: 3, 3: -65535, -1: bytes(256), -2: b"\x01\x00\x01"}}, "an algorithm that was not asked for"),
        ({"key": {1: 2, 3: -47, -1: 8, -2: bytes(32), -3: bytes(32)}}, "an algorithm that was not asked for"),
        ({"key": {1: 3, 3: -257, -1: bytes(2000), -2: b"\x01\x00\x01"}}, "a long key"),
        ({"key": {}}, "a malformed attestation object"),
    ],
)
def test_what_was_made_for_something_else_is_not_kept(
    phone: Authenticator, changes: dict[str, Any], reason: str
) -> None:
    with refused(reason):
        registered(phone.create(CREATION, **changes))


def test_an_absent_user_may_have_one_made_only_where_it_was_to_be_made_automatically(phone: Authenticator) -> None:
    answer = phone.create(CREATION, flags=BE | BS)
    with refused("nobody present"):
        registered(answer)
    assert registered(answer, automatic=True).user_verified is False


def test_an_automatic_one_counts_as_verified_from_its_first_use_that_says_so(phone: Authenticator) -> None:
    credential = registered(phone.create(CREATION, flags=BE | BS), automatic=True)
    assert used(phone.get(REQUEST, flags=UP | BE | BS), credential).credential.user_verified is False
    assert used(phone.get(REQUEST), credential).credential.user_verified is True


@pytest.mark.parametrize(
    ("before", "now", "oddities"),
    [(0, 0, ()), (5, 6, ()), (0, 1, ()), (5, 5, ("sign_count_fell",)), (5, 0, ("sign_count_fell",))],
)
def test_a_count_that_falls_is_reported_and_locks_nobody_out(
    phone: Authenticator, before: int, now: int, oddities: tuple[str, ...]
) -> None:
    phone.count = before
    credential = registered(phone.create(CREATION))
    phone.count = now
    assertion = used(phone.get(REQUEST), credential)
    assert (assertion.oddities, assertion.credential.sign_count) == (oddities, now)


def test_one_that_becomes_eligible_for_backup_is_reported_and_kept_as_it_is_now(phone: Authenticator) -> None:
    credential = registered(phone.create(CREATION, flags=UP | UV))
    assertion = used(phone.get(REQUEST), credential)
    assert assertion.oddities == ("backup_eligibility_changed",)
    assert (assertion.credential.backup_eligible, assertion.credential.backed_up) == (True, True)
    assert used(phone.get(REQUEST, flags=UP | UV | BE), assertion.credential).oddities == ()


@pytest.mark.parametrize("reserved", [0x02, 0x20])
def test_reserved_flags_are_no_reason_to_refuse(phone: Authenticator, credential: Credential, reserved: int) -> None:
    assert used(phone.get(REQUEST, flags=SYNCED | reserved), credential).user_verified


def test_another_s_key_or_a_changed_text_is_no_signature(phone: Authenticator, credential: Credential) -> None:
    thief = dataclasses.replace(phone, key=ec.generate_private_key(ec.SECP256R1()))
    with refused("another key"):
        used(thief.get(REQUEST), credential)
    answer = phone.get(REQUEST)
    data = bytearray(decode(answer["response"]["authenticatorData"]))
    data[36] += 1  # the count
    answer["response"]["authenticatorData"] = encode(bytes(data))
    with refused("another key"):
        used(answer, credential)


def test_another_passkey_of_the_account_does_not_answer_for_this_one(credential: Credential) -> None:
    other = Authenticator()
    other.create(CREATION)
    with refused("another credential id"):
        used(other.get(REQUEST), credential)


def test_a_credential_id_that_differs_from_the_attested_one_is_not_kept(phone: Authenticator) -> None:
    for other in (encode(b"another"), ""):
        with refused("another credential id"):
            registered({**phone.create(CREATION), "id": other})


def test_transports_that_are_no_words_are_left_out(phone: Authenticator) -> None:
    answer = phone.create(CREATION)
    answer["response"]["transports"] = ["usb", "<script>", "x" * 21, "", "smart-card", *["nfc"] * 20]
    assert registered(answer).transports == ("usb", "smart-card", "nfc")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "1", '"x"', '{"id": "AA", "type": "public-key"}',
                                  '{"id": "AA", "type": "other", "response": {}}', "[" * 100_000, "\ud800"])  # fmt: skip
def test_what_is_no_answer_is_refused_alike(text: str) -> None:
    with refused("no answer of a passkey"):
        webauthn.read_assertion(text)


MALFORMED = [b"", b"\xff", b"{}", b"[]", b"null", b"{" * 5000, b"\xa0" * 40, b"\x9f" * 40000, b"\x81" * 40000]


@pytest.mark.parametrize("member", ["clientDataJSON", "authenticatorData", "signature"])
@pytest.mark.parametrize("value", [*(encode(each) for each in MALFORMED if len(each) < 6000), "A", "AA=A"])
def test_a_malformed_part_is_refused_and_no_fault(
    phone: Authenticator, credential: Credential, member: str, value: str
) -> None:
    answer = phone.get(REQUEST)
    answer["response"][member] = value
    with pytest.raises(InvalidCredentials):
        used(answer, credential)


@pytest.mark.parametrize("value", [*MALFORMED, cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": b""})])
def test_a_malformed_attestation_object_is_refused_and_no_fault(phone: Authenticator, value: bytes) -> None:
    answer = phone.create(CREATION)
    answer["response"]["attestationObject"] = encode(value)
    with pytest.raises(InvalidCredentials):
        registered(answer)


def test_an_answer_without_a_credential_in_it_is_not_kept(phone: Authenticator) -> None:
    data = phone._data("id.example", SYNCED)
    answer = phone.create(CREATION)
    answer["response"]["attestationObject"] = encode(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data}))
    with refused("no credential"):
        registered(answer)
    assert not data[32] & AT


def ed25519_key(key: ed25519.Ed25519PrivateKey) -> dict[int, Any]:
    return {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)}


def rsa_key(key: rsa.RSAPrivateKey) -> dict[int, Any]:
    numbers = key.public_key().public_numbers()
    return {1: 3, 3: -257, -1: numbers.n.to_bytes(numbers.n.bit_length() // 8, "big"), -2: b"\x01\x00\x01"}


def test_the_algorithms_that_are_asked_for_are_those_that_are_kept(phone: Authenticator) -> None:
    keys = [phone.public_key, ed25519_key(ed25519.Ed25519PrivateKey.generate())]
    keys.append(rsa_key(rsa.generate_private_key(public_exponent=65537, key_size=4096)))
    kept = [registered(phone.create(CREATION, key=key)).public_key for key in keys]
    assert [cbor2.loads(decode(key))[3] for key in kept] == [each["alg"] for each in CREATION["pubKeyCredParams"]]


def test_options_name_the_account_by_one_handle_and_what_is_there_already(credential: Credential) -> None:
    options = webauthn.creation_options(PARTY, ANN, [credential], challenge=CHALLENGE)
    moved = dataclasses.replace(ANN, email="ann@elsewhere.example", name="")
    assert webauthn.creation_options(PARTY, moved, (), challenge=CHALLENGE)["user"]["id"] == options["user"]["id"]
    assert decode(options["user"]["id"]) == ANN.uid.encode()
    descriptor = {"type": "public-key", "id": credential.credential_id, "transports": ("internal", "hybrid")}
    assert options["excludeCredentials"] == [descriptor]
    assert (options["attestation"], options["rp"]) == ("none", {"id": "id.example", "name": "Garden"})
    assert webauthn.request_options(PARTY, challenge=CHALLENGE, credentials=[credential], verification=True) == {
        "challenge": encode(CHALLENGE),
        "timeout": 300_000,
        "rpId": "id.example",
        "allowCredentials": [descriptor],
        "userVerification": "required",
    }
    assert REQUEST["userVerification"] == "preferred"


def test_a_long_credential_id_is_kept_under_a_short_name() -> None:
    names = {webauthn.factor_id(encode(bytes([n]) * 1023)) for n in range(3)}
    assert [len(name) for name in names] == [32, 32, 32]
    assert webauthn.factor_id(encode(b"x") + "==") == webauthn.factor_id(encode(b"x"))


@pytest.mark.parametrize("attestation", ["none", "packed-self", "fido-u2f"])
def test_another_implementation_s_passkeys_are_registered_and_used(attestation: str) -> None:
    authenticator = Fido2Authenticator(counter=7)
    kept = registered(authenticator.credential_create(CREATION, atteStmtFmt=attestation))
    assertion = used(authenticator.credential_request(REQUEST), kept)
    assert (assertion.user_verified, assertion.oddities, assertion.credential.sign_count) == (True, (), 8)
