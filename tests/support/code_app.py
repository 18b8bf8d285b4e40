"""An app for one-time codes, written from RFC 6238 and RFC 4226 alone, and what an account does with one."""

import base64
import hashlib
import hmac
import struct
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.phone import EMAIL, PASSWORD, Clock, Phone


@dataclass
class CodeApp:
    """What has read a QR code."""

    uri: str
    clock: Clock

    @property
    def parameters(self) -> dict[str, str]:
        """Those of the address."""
        return {name: value for name, (value,) in parse_qs(urlsplit(self.uri).query, strict_parsing=True).items()}

    @property
    def label(self) -> str:
        """Whose it is."""
        return unquote(urlsplit(self.uri).path.removeprefix("/"))

    def code(self, steps: int = 0) -> str:
        """The code of now, or of so many steps later."""
        secret = self.parameters["secret"]
        key = base64.b32decode(secret + "=" * (-len(secret) % 8))
        message = struct.pack(">Q", self.clock() // 30 + steps)
        digest = hmac.new(key, message, hashlib.sha1).digest()
        place = digest[-1] & 0xF
        (number,) = struct.unpack(">I", digest[place : place + 4])
        return str((number & 0x7FFFFFFF) % 1_000_000).zfill(6)


def begin(phone: Phone, token: str, clock: Clock) -> tuple[str, CodeApp]:
    """An app that is to be added, and the text by which it is confirmed."""
    begun = phone.call("POST /me/factors", {"kind": "totp"}, token=token)
    assert begun.status == 200, begun.body
    return begun.json()["token"], CodeApp(begun.json()["challenge"]["uri"], clock)


def enrol(phone: Phone, token: str, clock: Clock, name: str = "My phone") -> CodeApp:
    """An app that is added to the account of a session."""
    text, app = begin(phone, token, clock)
    answer = phone.call("POST /me/factors/confirm", {"token": text, "answer": app.code(), "name": name}, token=token)
    assert answer.status == 201, answer.body
    return app


def log_in(phone: Phone, factor: str, answer: str, email: str = EMAIL, password: str = PASSWORD) -> str:
    """The access token of a login with the password and one proof more."""
    begun = phone.call("POST /login", {"email": email, "password": password}).json()
    proof = {"mfa_token": begun["mfa_token"], "factor": factor, "answer": answer}
    done = phone.call("POST /login/proof", proof)
    assert done.status == 200, done.body
    token: str = done.json()["access_token"]
    return token
