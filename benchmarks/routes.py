"""Reading the keys and the discovery document, from event to answer, against a route of Chalice's that does nothing."""

import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from os import devnull
from pathlib import Path
from typing import Any

from chalice.app import Chalice
from moto import mock_aws

from app import app
from benchmarks.rounds import Comparison, compared
from chalicelib import config, services
from chalicelib.flows.platform import keys
from local.events import Api, Call, proxy_event

AT_MOST = 1.1


def event(
    method: str, path: str, body: object = None, *, form: str = "", network: str = "198.51.100.7"
) -> dict[str, Any]:
    """The event of one request with a JSON body, or a form, as a REST API makes it."""
    sent = form.encode() if form or body is None else json.dumps(body).encode()
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    headers = {"Content-Type": [kind]} if sent else {}
    call = Call(method=method, path=path, query="", headers=headers, body=sent, source_ip=network, at=0.0)
    return proxy_event(call, Api("bench", "api"), pattern=path, parameters={}, binary_types=())


def empty_app() -> Chalice:
    """An app with one route that answers `{}`."""
    chalice = Chalice("empty")

    @chalice.route("/")
    def nothing() -> dict[str, str]:
        return {}

    return chalice


def measure() -> Iterator[Comparison]:
    """The key set and the metadata; the keys are in memory, as in any container but a new one."""
    root = event("GET", "/")
    empty = empty_app()
    with mock_aws(), Path(devnull).open("w") as nowhere:
        svc = services.build(config.load({"LATCHKEY_ISSUER": "https://id.example", "LATCHKEY_AWS_CLIENT": "boto3"}))
        keys.ensure(svc)
        services.use(svc)
        for name in ("jwks.json", "openid-configuration"):
            request = event("GET", f"/.well-known/{name}")
            with redirect_stdout(nowhere):  # where the log lines go; making them is part of the work

                def ours(request: dict[str, Any] = request) -> object:
                    return app(request, None)

                def nothing() -> object:
                    return empty(root, None)

                comparison = compared(name, ours, nothing, at_most=AT_MOST, calls=200)
            yield comparison
