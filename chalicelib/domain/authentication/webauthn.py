"""Passkeys (WebAuthn level 3): what a browser or an app is asked for, and whether its answer is good.

Structures are read and signatures verified by `fido2`, which few requests need; what is compared with what is decided here.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NoReturn

import msgspec
from msgspec import Meta, field

from ..accounts.model import User
from ..crypto import base64url, strict_json
from ..errors import InvalidCredentials

# COSE's numbers, the preferred one first: ES256, EdDSA, RS256. What else `fido2` could verify was never asked for.
ALGORITHMS = (-7, -8, -257)
# A hint for browsers, in milliseconds; how long an answer is good is its attempt's to say.
TIMEOUT = 300_000
MAX_CREDENTIAL_ID = 1023  # section 4, "Credential ID"
MAX_PUBLIC_KEY = 1024  # of RSA with 4,096 bits it has 528
MAX_TRANSPORTS = 8
MAX_ATTESTATION = 65_536  # some authenticators send a chain of certificates, though none is asked for
# Section 6.1, the flags: present, verified, backup eligible, backed up. Others are no reason to refuse.
UP, UV, BE, BS = 0x01, 0x04, 0x08, 0x10

Base64url = Annotated[str, Meta(max_length=8192, pattern="^[A-Za-z0-9_-]*=*$")]


class RelyingParty(msgspec.Struct, frozen=True):
    """Whom passkeys are for: the host that they belong to, its name for people, and the origins that may ask for them."""

    id: str
    name: str
    origins: frozenset[str]


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey as it was last seen. `user_verified` is whether it has ever said that it verified its user."""

    credential_id: str
    public_key: str
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    user_verified: bool
    aaguid: str
    transports: tuple[str, ...] = ()


class Assertion(msgspec.Struct, frozen=True):
    """A passkey that was used: as it is now, whether it verified its user now, and what is odd about it, for the log."""

    credential: Credential
    user_verified: bool
    oddities: tuple[str, ...]

    @property
    def amr(self) -> tuple[str, ...]:
        """Its methods (RFC 8176)."""
        return methods(self.credential, user_verified=self.user_verified)


class _AttestationResponse(msgspec.Struct, frozen=True):
    client_data: Base64url = field(name="clientDataJSON")
    attestation_object: Annotated[str, Meta(max_length=MAX_ATTESTATION)] = field(name="attestationObject")
    transports: tuple[str, ...] = ()


class RegistrationAnswer(msgspec.Struct, frozen=True):
    """What a browser or an app has made: `RegistrationResponseJSON` of WebAuthn."""

    id: Base64url
    response: _AttestationResponse
    type: Literal["public-key"]


class _AssertionResponse(msgspec.Struct, frozen=True):
    client_data: Base64url = field(name="clientDataJSON")
    authenticator_data: Base64url = field(name="authenticatorData")
    signature: Base64url
    user_handle: Base64url | None = field(name="userHandle", default=None)


class AssertionAnswer(msgspec.Struct, frozen=True):
    """What a browser or an app has signed: `AuthenticationResponseJSON` of WebAuthn."""

    id: Base64url
    response: _AssertionResponse
    type: Literal["public-key"]

    @property
    def uid(self) -> str:
        """The account that it says it is for, "" where it says none that could be."""
        handle = _bytes(self.response.user_handle or "").decode("latin-1")
        return handle if re.fullmatch("[0-9a-f]{32}", handle) else ""

    @property
    def factor_id(self) -> str:
        """The name that its passkey is kept under, whether there is one or not."""
        return factor_id(self.id)


def methods(credential: Credential, *, user_verified: bool) -> tuple[str, ...]:
    """What a passkey proves (RFC 8176): a key, of hardware unless it can be copied, and one kind more if it verified its user."""
    key = "swk" if credential.backup_eligible else "hwk"
    return (key, "user", "mfa") if user_verified else (key, "user")


class _Flags(msgspec.Struct, frozen=True):
    """What authenticator data says (section 6.1)."""

    flags: int
    sign_count: int

    def has(self, flag: int) -> bool:
        return bool(self.flags & flag)


def factor_id(credential_id: str) -> str:
    """The name that a passkey is kept under: credential ids may be longer than a key of a table."""
    return hashlib.sha256(_bytes(credential_id)).hexdigest()[:32]


def challenge_of(attempt_id: str) -> bytes:
    """The challenge of an attempt, the same in each of its tabs: what uses up the attempt uses up the challenge."""
    return hashlib.sha256(b"latchkey passkey challenge\x00" + attempt_id.encode()).digest()


def user_handle(uid: str) -> str:
    """What passkeys keep of their account: the same for its whole life, whatever its address is."""
    return base64url.encode(uid.encode("ascii"))


def creation_options(
    party: RelyingParty, user: User, credentials: Iterable[Credential], *, challenge: bytes, verification: bool = False
) -> dict[str, Any]:
    """`PublicKeyCredentialCreationOptionsJSON`: a passkey more, on a device that has none of this account."""
    return {
        "rp": {"id": party.id, "name": party.name},
        "user": {
            "id": user_handle(user.uid),
            "name": user.email or user.name or party.name,
            "displayName": user.name or user.email or party.name,
        },
        "challenge": base64url.encode(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in ALGORITHMS],
        "timeout": TIMEOUT,
        "excludeCredentials": _descriptors(credentials),
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required" if verification else "preferred",
        },
        "attestation": "none",
        "extensions": {"credProps": True},
    }


def request_options(
    party: RelyingParty, *, challenge: bytes, credentials: Iterable[Credential] = (), verification: bool
) -> dict[str, Any]:
    """`PublicKeyCredentialRequestOptionsJSON`: one of these passkeys, or, where none is named, any that the user has here."""
    return {
        "challenge": base64url.encode(challenge),
        "timeout": TIMEOUT,
        "rpId": party.id,
        "allowCredentials": _descriptors(credentials),
        "userVerification": "required" if verification else "preferred",
    }


def _descriptors(credentials: Iterable[Credential]) -> list[dict[str, Any]]:
    return [
        {"type": "public-key", "id": each.credential_id, **({"transports": each.transports} if each.transports else {})}
        for each in credentials
    ]


def read_assertion(text: str) -> AssertionAnswer:
    """The answer in a JSON text; raises InvalidCredentials for any other."""
    try:
        return msgspec.convert(strict_json.decode(text), AssertionAnswer)
    except ValueError:
        _refuse("no answer of a passkey")


def read_registration(text: str) -> RegistrationAnswer:
    """The same of a passkey that was made."""
    try:
        return msgspec.convert(strict_json.decode(text), RegistrationAnswer)
    except ValueError:
        _refuse("no new passkey")


def verify_registration(
    party: RelyingParty, answer: RegistrationAnswer, *, challenge: bytes, automatic: bool
) -> Credential:
    """The new passkey (section 7.1); raises InvalidCredentials.

    Only one that the browser was to make by itself (`automatic`, mediation "conditional") may be without its user's presence.
    """
    from fido2.webauthn import AttestationObject

    _verify_client_data(party, answer.response.client_data, "webauthn.create", challenge)
    try:
        data = AttestationObject(_bytes(answer.response.attestation_object)).auth_data
        credential = data.credential_data
        if credential is None:
            _refuse("no credential")
        algorithm, public_key = credential.public_key[3], _cbor(dict(credential.public_key))
    except InvalidCredentials:
        raise
    except Exception:  # its parts are a stranger's: whatever goes wrong in reading them
        _refuse("a malformed attestation object")
    flags = _verify_authenticator_data(party, data, present=not automatic)
    if algorithm not in ALGORITHMS:
        _refuse("an algorithm that was not asked for")
    if credential.credential_id != _bytes(answer.id) or not 0 < len(credential.credential_id) <= MAX_CREDENTIAL_ID:
        _refuse("another credential id")
    if len(public_key) > MAX_PUBLIC_KEY:
        _refuse("a long key")
    return Credential(
        credential_id=base64url.encode(credential.credential_id),
        public_key=base64url.encode(public_key),
        sign_count=flags.sign_count,
        backup_eligible=flags.has(BE),
        backed_up=flags.has(BS),
        user_verified=flags.has(UV),
        aaguid=str(credential.aaguid),
        transports=tuple(dict.fromkeys(filter(_is_transport, answer.response.transports)))[:MAX_TRANSPORTS],
    )


def verify_request(party: RelyingParty, answer: AssertionAnswer, *, challenge: bytes) -> None:
    """That an answer is for what was asked here, before anything is read for it; raises InvalidCredentials."""
    _verify_client_data(party, answer.response.client_data, "webauthn.get", challenge)


def verify_assertion(
    party: RelyingParty, answer: AssertionAnswer, credential: Credential, *, challenge: bytes, uid: str
) -> Assertion:
    """The use of a passkey of this account (section 7.2); raises InvalidCredentials.

    A sign count that falls, and a passkey that can be copied though it could not, are odd and no reason to lock out anybody.
    """
    from fido2.webauthn import AuthenticatorData

    client_data = _verify_client_data(party, answer.response.client_data, "webauthn.get", challenge)
    if _bytes(answer.id) != _bytes(credential.credential_id):
        _refuse("another credential id")
    if answer.response.user_handle is not None and answer.uid != uid:
        _refuse("another user")
    raw = _bytes(answer.response.authenticator_data)
    try:
        data = AuthenticatorData(raw)
    except Exception:  # as above
        _refuse("malformed authenticator data")
    flags = _verify_authenticator_data(party, data, present=True)
    signed = raw + hashlib.sha256(client_data).digest()
    _verify_signature(credential, signed, _bytes(answer.response.signature))
    return Assertion(
        msgspec.structs.replace(
            credential,
            sign_count=flags.sign_count,
            backup_eligible=flags.has(BE),
            backed_up=flags.has(BS),
            user_verified=credential.user_verified or flags.has(UV),
        ),
        flags.has(UV),
        _oddities(credential, flags),
    )


def _oddities(before: Credential, now: _Flags) -> tuple[str, ...]:
    fell = now.sign_count <= before.sign_count and (now.sign_count, before.sign_count) != (0, 0)
    changed = now.has(BE) != before.backup_eligible
    return (*(("sign_count_fell",) if fell else ()), *(("backup_eligibility_changed",) if changed else ()))


def _verify_client_data(party: RelyingParty, text: str, ceremony: str, challenge: bytes) -> bytes:
    raw = _bytes(text)
    try:
        members = strict_json.decode(raw)
        of_ceremony, of_challenge, origin = (str(members[name]) for name in ("type", "challenge", "origin"))
        framed = bool(members.get("crossOrigin", False))
    except (ValueError, LookupError, TypeError, AttributeError):
        _refuse("malformed client data")
    if of_ceremony != ceremony:
        _refuse("another ceremony")
    if not hmac.compare_digest(_bytes(of_challenge), challenge):
        _refuse("another challenge")
    if origin not in party.origins:
        _refuse("another origin")
    if framed:
        _refuse("in a frame of another site")
    return raw


def _verify_authenticator_data(party: RelyingParty, data: Any, *, present: bool) -> _Flags:
    if not hmac.compare_digest(data.rp_id_hash, hashlib.sha256(party.id.encode()).digest()):
        _refuse("another relying party")
    flags = _Flags(int(data.flags), data.counter)
    if present and not flags.has(UP):
        _refuse("nobody present")
    if flags.has(BS) and not flags.has(BE):
        _refuse("backed up, and not eligible for it")
    return flags


def _verify_signature(credential: Credential, signed: bytes, signature: bytes) -> None:
    from fido2 import cbor
    from fido2.cose import CoseKey

    try:
        key: Any = cbor.decode(_bytes(credential.public_key))
        CoseKey.parse(key).verify(signed, signature)
    except Exception:  # a key that is none fails in ways of its own
        _refuse("another key")


def _cbor(key: dict[int, Any]) -> bytes:
    from fido2 import cbor

    return cbor.encode(key)


def _is_transport(text: str) -> bool:
    return 0 < len(text) <= 20 and all(c.isascii() and (c.isalnum() or c in "-_") for c in text)


def _bytes(text: str) -> bytes:
    """What a text in base64url stands for; some libraries pad it."""
    try:
        return base64url.decode(text.rstrip("="))
    except ValueError:
        _refuse("no base64url")


def _refuse(reason: str) -> NoReturn:
    raise InvalidCredentials("This passkey's answer does not fit what was asked for.", reason=f"passkey: {reason}")
