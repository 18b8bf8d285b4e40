"""Reading the keys and the discovery document, from event to answer, against a route of Chalice's that does nothing.

Twice: a bare one, and one that has what every answer of ours has as well, the log line, the request's id and the CORS check.
"""

import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import product
from os import devnull
from pathlib import Path
from typing import Any

from chalice.app import Chalice
from moto import mock_aws

from app import app
from benchmarks.rounds import Comparison, compared
from chalicelib import config, services
from chalicelib.flows import keys
from chalicelib.web.edge import edge
from local.events import Api, Call, proxy_event

AT_MOST, AT_MOST_BEHIND_EDGE = 3.0, 1.1


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
    made = Chalice("empty")

    @made.route("/")
    def nothing() -> dict[str, str]:
        return {}

    return made


def measure() -> Iterator[Comparison]:
    """The key set and the metadata; the keys are in memory, as in any container but a new one."""
    root = event("GET", "/")
    bare, edged = empty_app(), empty_app()
    edged.register_middleware(edge, "http")
    yardsticks = (("", bare, AT_MOST), (" (edge apart)", edged, AT_MOST_BEHIND_EDGE))
    with mock_aws(), Path(devnull).open("w") as nowhere:
        svc = services.build(config.load({"LATCHKEY_ISSUER": "https://id.example"}))
        keys.ensure(svc)
        services.use(svc)
        for name, (more, empty, at_most) in product(("jwks.json", "openid-configuration"), yardsticks):
            asked = event("GET", f"/.well-known/{name}")
            with redirect_stdout(nowhere):  # where the log lines go; making them is part of the work

                def ours(asked: dict[str, Any] = asked) -> object:
                    return app(asked, None)

                def nothing(empty: Chalice = empty) -> object:
                    return empty(root, None)

                found = compared(f"{name}{more}", ours, nothing, at_most=at_most, calls=200)
            yield found
