"""Amazon SES, as far as a mail needs it: a server of the test's own that keeps what is sent, or refuses it."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib import mailer


@dataclass(frozen=True)
class SentMail:
    """One mail, as SES was asked to send it."""

    request: dict[str, Any]

    @property
    def to(self) -> str:
        """Its one receiver."""
        (address,) = self.request["Destination"]["ToAddresses"]
        return str(address)

    @property
    def subject(self) -> str:
        """The subject."""
        return str(self.request["Content"]["Simple"]["Subject"]["Data"])

    @property
    def text(self) -> str:
        """The part that is plain text."""
        return str(self.request["Content"]["Simple"]["Body"]["Text"]["Data"])

    @property
    def html(self) -> str:
        """The part that is HTML."""
        return str(self.request["Content"]["Simple"]["Body"]["Html"]["Data"])

    @property
    def headers(self) -> dict[str, str]:
        """The headers that we set."""
        return {each["Name"]: each["Value"] for each in self.request["Content"]["Simple"]["Headers"]}

    @property
    def link(self) -> str:
        """The one address in the text."""
        (link,) = re.findall(r"https?://\S+", self.text)
        return str(link)

    @property
    def token(self) -> str:
        """The token in that address."""
        return parse_qs(urlsplit(self.link).query)["token"][0]

    @property
    def code(self) -> str:
        """The code in the text."""
        (code,) = re.findall(r"^[0-9]{6}$", self.text, re.MULTILINE)
        return str(code)


@dataclass
class Ses:
    """What was sent, in order; `refusal` is the error code by which all is refused, or what has a `refused_subject`."""

    mails: list[SentMail] = field(default_factory=list)
    refusal: str = ""
    refused_subject: str = ""


@contextmanager
def running(patch: pytest.MonkeyPatch) -> Iterator[Ses]:
    """The server, to which all mail of this process goes for the length of a `with` block."""
    ses = Ses()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v2/email/outbound-emails"
            mail = SentMail(request)
            refused = bool(ses.refusal) and ses.refused_subject in ("", mail.subject)
            if not refused:
                ses.mails.append(mail)
            answer = {"message": "no"} if refused else {"MessageId": "1"}
            self.send_response(400 if refused else 200)
            if refused:
                self.send_header("x-amzn-ErrorType", ses.refusal)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    patch.setenv("AWS_ENDPOINT_URL_SESV2", f"http://127.0.0.1:{server.server_address[1]}")
    mailer._client.cache_clear()
    try:
        yield ses
    finally:
        mailer._client.cache_clear()
        server.shutdown()
        server.server_close()
