"""The least that a signed call of DynamoDB can cost in Python: http.client, hmac and json, and no check of anything."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPConnection
from os import environ
from typing import Any
from urllib.parse import urlsplit

SIGNED = "host;x-amz-date;x-amz-target"


class BareClient:
    """One kept-alive connection to the DynamoDB of the environment."""

    def __init__(self) -> None:
        self._host = urlsplit(environ["AWS_ENDPOINT_URL"]).netloc
        self._connection = HTTPConnection(self._host)
        self._id, self._secret = environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"]

    def __call__(self, operation: str, request: Mapping[str, Any]) -> Any:
        """The answer to one operation."""
        body, at = json.dumps(request).encode(), time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        target, scope = f"DynamoDB_20120810.{operation}", f"{at[:8]}/{environ['AWS_REGION']}/dynamodb/aws4_request"
        lines = f"host:{self._host}\nx-amz-date:{at}\nx-amz-target:{target}\n"
        canonical = f"POST\n/\n\n{lines}\n{SIGNED}\n{hashlib.sha256(body).hexdigest()}"
        text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(_key(self._secret, scope), text.encode(), "sha256").hex()
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={self._id}/{scope}, SignedHeaders={SIGNED}, Signature={signature}",
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Date": at,
            "X-Amz-Target": target,
        }
        self._connection.request("POST", "/", body, headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.status == 200, content
        return json.loads(content)


@lru_cache(maxsize=1)
def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
