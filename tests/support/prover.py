"""DPoP proofs (RFC 9449 section 4.2) made by hand: good ones, and bad ones for each check of section 4.3."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.support.browser import ISSUER
from tests.support.forge import PrivateKey, Signer, by, compact, jwk, stranger


@dataclass
class Prover:
    """Somebody with a key of his own, who makes proofs with it."""

    now: Callable[[], int]
    key: PrivateKey = field(default_factory=lambda: stranger("ES256"))
    nonce: str = ""

    @property
    def jwk(self) -> dict[str, str]:
        """The public half of the key."""
        return jwk(self.key)

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        text = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()

    def proof(
        self,
        path: str = "/oauth/token",
        *,
        method: str = "POST",
        token: str = "",
        header: Mapping[str, Any] | None = None,
        sign: Signer | None = None,
        **changes: Any,
    ) -> str:
        """A proof for one request, changed; None leaves a member out."""
        good: dict[str, Any] = {"htm": method, "htu": ISSUER + path, "iat": self.now(), "jti": uuid4().hex}
        if self.nonce:
            good["nonce"] = self.nonce
        if token:
            good["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        usual = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk}
        return compact(
            _without_none({**usual, **(header or {})}), _without_none({**good, **changes}), sign or by(self.key)
        )

    def headers(self, *arguments: Any, **changes: Any) -> list[tuple[str, str]]:
        """The same as a header."""
        return [("DPoP", self.proof(*arguments, **changes))]


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
