"""The embedded AWS's own process: MiniStack, with a check of access keys before it and a journal beside its state.

MiniStack answers whoever asks, any web page included, and saves its state only when it ends in good order. So a
request is let in only with the key that `aws` made up for this start, and what changes something is written down
before it is answered: killed at any moment, the next start does again what was not saved.

It runs in .venv-aws, whose packages are not ours, and imports nothing of the project's.
"""

import asyncio
import hashlib
import hmac
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack
from ministack.core import persistence

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

FORMAT = 1
LONG = 2000  # lines of a journal, which take some two seconds to do again
# Where each service keeps its state, by the name that its requests carry.
JOURNALLED = {b"DynamoDB_20120810": "dynamodb", b"AmazonSSM": "ssm"}
READS = re.compile(rb"(Batch|Transact)?(Get|Describe|List|Query|Scan)")
CREDENTIAL = re.compile(rb"Credential=([^/,\s]+)/")
# What is deployed into it is for everybody, as on AWS; what manages it, at the same paths' beginnings, is not.
DEPLOYED = re.compile(r"/restapis/[^/]+/[^/]+/_user_request_(/.*)?|/_aws/execute-api/[^/]+/.*", re.DOTALL)
REFUSED = "The embedded AWS takes only the access key that its run made up; `make serve` prints where it is."


class Journal:
    """What one service was told to write since its state was last saved, a line each, in the order it was done."""

    def __init__(self, file: Path, *, saved: Path) -> None:
        # It belongs to the saved state that it begins at. Once a newer one is there, all of it is in that.
        since = hashlib.sha256(saved.read_bytes() if saved.exists() else b"").hexdigest()
        begin = json.dumps({"format": FORMAT, "since": since}).encode() + b"\n"
        lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
        if lines[:1] != [begin]:
            lines = [begin]
            file.write_bytes(begin)
        elif not lines[-1].endswith(b"\n"):
            del lines[-1]  # its process was killed while it wrote this, so nobody was told that it is done
        self.records: list[dict[str, Any]] = [json.loads(line) for line in lines[1:]]
        self.length = len(self.records)
        self._end = sum(map(len, lines))
        self._file = os.open(file, os.O_WRONLY)
        os.truncate(self._file, self._end)

    def append(self, record: dict[str, Any]) -> None:
        """Write one down; from here on it outlives this process."""
        line = json.dumps(record).encode() + b"\n"
        if os.pwrite(self._file, line, self._end) != len(line):
            raise OSError("the journal takes no more: is the disk full?")
        self._end += len(line)
        self.length += 1

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


class Journalled:
    """Does the writes of the journalled services one after another, and writes each down before it is answered."""

    def __init__(self, inner: Asgi, state: Path) -> None:
        self._inner = inner
        self._state = state
        self._journals = {service: self._open(service) for service in JOURNALLED.values()}
        self._turn = asyncio.Lock()

    def _open(self, service: str) -> Journal:
        return Journal(self._state / f"{service}.journal", saved=self._state / f"{service}.json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, self._once_done_again(send))
            return
        service = _written(scope)
        if not service:
            await self._inner(scope, receive, send)
            return
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
        record = {"headers": headers, "body": (await _body(receive)).decode("latin-1")}
        # A caller who hangs up must not come between the doing and the writing down.
        for message in await asyncio.shield(asyncio.create_task(self._write(scope, record, service))):
            await send(message)

    async def _write(self, scope: Scope, record: dict[str, Any], service: str) -> list[Message]:
        async with self._turn:
            answer = await self._ask(scope, record["body"].encode("latin-1"))
            if answer[0]["status"] == 200:
                self._journals[service].append(record)
            if self._journals[service].length >= LONG:
                self._begin_anew(service)
            return answer

    def _begin_anew(self, service: str) -> None:
        """Save the state now, as at a clean stop, so that the next start has less to do again."""
        self._journals[service].close()
        persistence.save_state(service, import_module(f"ministack.services.{service}").get_state())
        self._journals[service] = self._open(service)

    async def _ask(self, scope: Scope, body: bytes) -> list[Message]:
        answer: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            answer.append(message)

        await self._inner(scope, receive, send)
        return answer

    def _once_done_again(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self._do_again()
            await send(message)

        return sending

    async def _do_again(self) -> None:
        """Do what the last process had answered and not saved.

        Between two of these DynamoDB may have removed what had expired. Where it has not, the outcome is still one that
        DynamoDB allows, for it promises no moment for that.
        """
        for journal in self._journals.values():
            for record in journal.records:
                headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in record["headers"]]
                scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
                # In a task of its own: MiniStack remembers region and account for as long as a task lives.
                answer = await asyncio.create_task(self._ask(scope, record["body"].encode("latin-1")))
                if answer[0]["status"] != 200:
                    print("A write could not be done again:", answer[1]["body"].decode(), file=sys.stderr)
            journal.records.clear()


def _header(scope: Scope, field: bytes) -> bytes:
    values: list[bytes] = [value for name, value in scope["headers"] if name.lower() == field]
    return b",".join(values)


def _written(scope: Scope) -> str:
    """Return the service that a request may write to; empty for a read, and for what is not journalled."""
    service, _, action = _header(scope, b"x-amz-target").partition(b".")
    return "" if READS.match(action) else JOURNALLED.get(service, "")


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def guarded(inner: Asgi, *, hosts: set[bytes], may_call: Callable[[Scope, bytes], bool], deployed: bool) -> Asgi:
    """Let in who shows a good access key and is no web page, and everybody to what is `deployed`."""

    async def check(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or known(scope):
            await inner(scope, receive, send)
        elif deployed and scope["type"] == "http" and at_home(scope) and DEPLOYED.fullmatch(scope["path"]):
            # Without the headers that could make it a call of another service.
            headers = [(name, value) for name, value in scope["headers"] if not name.lower().startswith(b"x-amz-")]
            await inner({**scope, "headers": headers}, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            content = json.dumps({"__type": "UnrecognizedClientException", "message": REFUSED}).encode()
            headers = [(b"content-type", b"application/x-amz-json-1.0"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": content})

    def at_home(scope: Scope) -> bool:
        # A name that was made to point here is a web page's way to be of the same origin.
        return _header(scope, b"host") in hosts

    def known(scope: Scope) -> bool:
        # A page that had learnt the key would still say where it comes from.
        if not at_home(scope) or _header(scope, b"origin"):
            return False
        credential = CREDENTIAL.search(
            _header(scope, b"authorization") + b" " + scope["query_string"].replace(b"%2F", b"/")
        )
        return credential is not None and may_call(scope, credential[1])

    return check


def main() -> None:
    """Serve on the socket that is inherited, until SIGTERM."""
    settings = os.environ
    key, port = settings["AWS_ACCESS_KEY_ID"].encode(), settings["GATEWAY_PORT"]
    application: Asgi = ministack.app
    if settings["PERSIST_STATE"] == "1":
        application = Journalled(application, Path(settings["STATE_DIR"]))

    def may_call(scope: Scope, key_id: bytes) -> bool:
        # Where policies count, the functions have sessions of their own; MiniStack knows them.
        roles = settings["AUTH"] == "true" and not scope["path"].startswith("/_ministack/")
        return (roles and key_id.startswith(b"ASIA")) or hmac.compare_digest(key_id, key)

    deployed = "apigateway" in settings["SERVICES"].split(",")
    hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}
    config = Config()
    config.bind = [f"fd://{settings['LISTENING']}"]
    config.keep_alive_timeout = 75
    config.loglevel = settings["LOG_LEVEL"]
    asyncio.run(serve(guarded(application, hosts=hosts, may_call=may_call, deployed=deployed), config))


if __name__ == "__main__":
    os.umask(0o077)  # what is kept here has keys in it
    main()
