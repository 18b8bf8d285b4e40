"""AWS Signature Version 4, for what the JSON protocols send: POST to /, without a query."""

import hashlib
import hmac
from collections.abc import Mapping

from .credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"


class Signer:
    """Signs for one service in one region."""

    def __init__(self, service: str, region: str) -> None:
        self._service = service
        self._region = region
        # The key of the day, beside what it was derived of: four HMACs less a call.
        self._derived: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def authorization(self, headers: Mapping[str, str], body: bytes, credentials: Credentials) -> str:
        """The Authorization header for a POST to / with these headers, all of which are signed.

        Their names are in lower case; `host` and `x-amz-date` are among them.
        """
        at = headers["x-amz-date"]
        scope = f"{at[:8]}/{self._region}/{self._service}/aws4_request"
        names = sorted(headers)
        lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
        signed = ";".join(names)
        request = f"POST\n/\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
        text = f"{ALGORITHM}\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key(credentials.secret_key, at[:8]), text.encode(), "sha256").hex()
        return f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"

    def _key(self, secret_key: str, day: str) -> bytes:
        source, key = self._derived
        if source != (secret_key, day):
            key = f"AWS4{secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = (secret_key, day), key
        return key
