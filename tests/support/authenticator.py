"""An authenticator of passkeys that does what a test says: any flags, counts, origins and keys, good or not."""

import hashlib
import json
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.browser import ISSUER

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40
SYNCED = UP | UV | BE | BS
Members = dict[str, Any]


def encode(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes behind it."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One passkey on one device, which answers options as a browser at `origin` would."""

    origin: str = ISSUER
    flags: int = SYNCED
    count: int = 0
    aaguid: bytes = bytes.fromhex("fbfc3007154e4ecc8c0b6e020557d7bd")
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(20))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    handle: str = ""

    @property
    def public_key(self) -> Members:
        """The public half of the key, as COSE has it."""
        numbers = self.key.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}  # type: ignore[dict-item]

    def create(self, options: Members, *, flags: int | None = None, **changes: Any) -> Members:
        """The answer to creation options: `RegistrationResponseJSON`; `changes` are of the client data, or `key`."""
        self.handle = options["user"]["id"]
        key = cbor2.dumps(changes.pop("key", self.public_key))
        attested = self.aaguid + struct.pack(">H", len(self.credential_id)) + self.credential_id + key
        rp_id = changes.pop("rp_id", options["rp"]["id"])
        data = self._data(rp_id, self.flags if flags is None else flags, AT) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client_data = self._client_data("webauthn.create", options, changes)
        response = {"clientDataJSON": encode(client_data), "attestationObject": encode(attestation)}
        return self._answer({**response, "transports": ["internal", "hybrid"]})

    def get(self, options: Members, *, flags: int | None = None, **changes: Any) -> Members:
        """The answer to request options: `AuthenticationResponseJSON`; `changes` are of the client data."""
        handle = changes.pop("handle", self.handle)
        data = self._data(changes.pop("rp_id", options["rpId"]), self.flags if flags is None else flags)
        client_data = self._client_data("webauthn.get", options, changes)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": encode(client_data),
                "authenticatorData": encode(data),
                "signature": encode(signature),
                **({"userHandle": handle} if handle else {}),
            }
        )

    def _data(self, rp_id: str, flags: int, more: int = 0) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags | more, self.count)

    def _client_data(self, kind: str, options: Members, changes: Members) -> bytes:
        members = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps({**members, **changes}).encode()

    def _answer(self, response: Members) -> Members:
        credential_id = encode(self.credential_id)
        return {
            "id": credential_id,
            "rawId": credential_id,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }
