"""Our own client as the transport: AWS's JSON protocols over a kept-alive connection, and nothing else that an SDK has."""

import os
import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from .answers import Unanswered, decode
from .client import USUAL, AwsError, Seconds
from .connection import Connection, Response, connect
from .credentials import Credentials, current
from .endpoint import endpoint
from .retries import NO_RETRY, Retries
from .signature import Signer

if TYPE_CHECKING:
    from ssl import SSLContext


class Protocol(NamedTuple):
    """How a service names its operations, and what it calls its JSON."""

    target: str
    content_type: str


PROTOCOLS = {
    "dynamodb": Protocol("DynamoDB_20120810", "application/x-amz-json-1.0"),
    "ssm": Protocol("AmazonSSM", "application/x-amz-json-1.1"),
}


# What a refusal is called that comes of a wrong clock, or can: then the server's date says whether it does.
SKEWED = frozenset(
    {
        "AuthFailure",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)
SKEW = 240  # seconds; AWS takes five minutes
STALE = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"})
MAX_IDLE = 10


class HttpTransport:
    """The way to `dynamodb` or `ssm`; safe to use from several threads, each of which has a connection of its own meanwhile."""

    def __init__(
        self,
        service: str,
        *,
        trust: "Callable[[], SSLContext]",
        environ: Mapping[str, str] = os.environ,
        seconds: Seconds = USUAL,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.endpoint = endpoint(service, environ)
        self._protocol = PROTOCOLS[service]
        self._signer = Signer(service, self.endpoint.region)
        # Made now, while a function starts, and not when its first caller waits.
        self._trust = _trust(trust, environ) if self.endpoint.secure else None
        self._retries = Retries(service, jitter=jitter)
        self._environ, self._seconds, self._now, self._pause = environ, seconds, now, pause
        self._ahead = 0.0  # by how many seconds the server's clock is
        self._idle: list[Connection] = []
        self._process = os.getpid()

    def __call__(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        body, until = msgspec.json.encode(request), time.monotonic() + self._seconds.call
        retry, attempt, corrected = NO_RETRY, 1, False
        while True:
            credentials, ahead = current(self._environ), self._ahead
            try:
                response = self._exchange(self._message(operation, body, credentials, ahead), until)
                answer = decode(operation, response)
            except (AwsError, Unanswered) as error:
                if not corrected and isinstance(error, AwsError) and self._correct(error, response, credentials, ahead):
                    corrected = True
                    continue
                retry = self._retries.after(error, attempt)
                if retry is NO_RETRY or time.monotonic() + retry.wait >= until:
                    raise
            else:
                self._retries.succeed(retry)
                return answer
            self._pause(retry.wait)
            attempt += 1

    def _message(self, operation: str, body: bytes, credentials: Credentials, ahead: float) -> bytes:
        headers = {
            "host": self.endpoint.authority,
            "content-type": self._protocol.content_type,
            "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._now() + ahead)),
            "x-amz-target": f"{self._protocol.target}.{operation}",
        }
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        headers["authorization"] = self._signer.authorization(headers, body, credentials)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        rest = f"accept-encoding: identity\r\nuser-agent: latchkey\r\ncontent-length: {len(body)}\r\n\r\n"
        return f"POST / HTTP/1.1\r\n{lines}{rest}".encode() + body

    def _exchange(self, message: bytes, until: float) -> Response:
        until = min(until, time.monotonic() + self._seconds.attempt)
        connection: Connection | None = None
        try:
            connection = self._kept() or connect(
                self.endpoint, self._trust, seconds=self._seconds.connection, until=until
            )
            response = connection.exchange(message, until=until)
        except OSError as error:
            # An answer may still be under way: it must not be taken for that of the next call. What one connection has
            # suffered the others have too, mostly.
            if connection:
                connection.close()
            while other := self._another():
                other.close()
            raise Unanswered(reason=f"{self.endpoint.authority}: {type(error).__name__}: {error}") from error
        self._keep(connection)
        return response

    def _kept(self) -> Connection | None:
        """A connection from an earlier call on which nothing has come since; those of a process that was forked are not ours."""
        if self._process != os.getpid():
            self._idle, self._process = [], os.getpid()
        while (connection := self._another()) and not connection.quiet():
            connection.close()
        return connection

    def _another(self) -> Connection | None:
        """One that is idle, which is the caller's alone from now on."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _keep(self, connection: Connection) -> None:
        if connection.reusable and len(self._idle) < MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def _correct(self, error: AwsError, response: Response, used: Credentials, used_ahead: float) -> bool:
        """Whether the same call is worth another try with the server's date, or with the credentials that there are by now."""
        if error.code in STALE:
            return current(self._environ) != used
        if error.code not in SKEWED or "date" not in response.headers:
            return False
        from email.utils import parsedate_to_datetime

        try:
            ahead = parsedate_to_datetime(response.headers["date"]).timestamp() - self._now()
        except (ValueError, OverflowError):
            return False
        skewed = abs(ahead - used_ahead) > SKEW
        if skewed:
            self._ahead = ahead
        return skewed


def _trust(usual: "Callable[[], SSLContext]", environ: Mapping[str, str]) -> "SSLContext":
    """Whose certificates are taken: those that AWS_CA_BUNDLE has, as of all SDKs, or else this machine's."""
    if not environ.get("AWS_CA_BUNDLE"):
        return usual()
    import ssl

    return ssl.create_default_context(cafile=environ["AWS_CA_BUNDLE"])
